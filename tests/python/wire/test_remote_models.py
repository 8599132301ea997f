# SPDX-License-Identifier: Apache-2.0
"""RemoteModels: what a registry's words do beyond the process."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import remotemedia as rm
from tests.python.core.program import Program
from tests.python.wire.slow_models import SlowModels
from tests.python.wire.wire_server import wire_server


@pytest.fixture
def served(tmp_path: Path) -> Iterator[SlowModels]:
    with SlowModels(tmp_path) as server:
        yield server


def wait_for_leases(models: rm.RemoteModels, count: int) -> None:
    while models.get_model("vad").leases != count:
        time.sleep(0.01)


def test_models_are_listed_as_a_registry_lists_its_own(served: SlowModels) -> None:
    models = rm.RemoteModels.connect(served.endpoint)
    other, vad = models.list_models()
    assert (other.name, vad.name) == ("other", "vad")
    assert (vad.state, vad.serving, vad.device, vad.memory_bytes, vad.leases) == ("ready", True, "cpu", 16, 0)
    assert vad.load_seconds is not None
    assert vad.load_seconds > 0
    assert vad.last_used is None
    assert [(spec.name, spec.shape) for spec in vad.signature.inputs] == [("x", (2,))]
    assert repr(vad) == "RemoteModel(name='vad', state='ready', memory_bytes=16, leases=0)"
    assert models.get_model("vad").name == "vad"


def test_a_handle_holds_its_model_and_calls_it(served: SlowModels) -> None:
    models = rm.RemoteModels.connect(served.endpoint)
    for _ in range(2):
        with models.get_or_load("vad") as handle:
            assert (handle.name, handle.model.state, handle.is_held) == ("vad", "ready", True)
            assert handle.infer([1, 2]).to_numpy().tolist() == [1, 2]
            assert handle.client is handle.client
            assert models.get_model("vad").leases == 1
            for _ in range(2):
                with pytest.raises(rm.Rejected, match="1 lease holds it"):
                    models.evict("vad")
        assert not handle.is_held
        handle.release()
        with pytest.raises(rm.WorkerUnavailable, match="lease of 'vad' is over"):
            handle.infer([1, 2])
        gone = models.evict("vad")
        assert (gone.count, gone.bytes) == (1, 16)
        assert models.evict("vad").count == 0
        assert models.get_model("vad").last_used is not None


def test_a_dropped_handle_lets_go(served: SlowModels) -> None:
    models = rm.RemoteModels.connect(served.endpoint)
    handle = models.get_or_load("vad")
    assert models.get_model("vad").leases == 1
    del handle
    wait_for_leases(models, 0)


def test_handles_outlive_what_gave_them(served: SlowModels) -> None:
    handle = rm.RemoteModels.connect(served.endpoint).get_or_load("vad")
    assert handle.is_held
    assert handle.infer([3, 4]).to_numpy().tolist() == [3, 4]
    handle.release()


def test_sixteen_callers_share_a_load_and_hear_of_it(served: SlowModels) -> None:
    models = rm.RemoteModels.connect(served.endpoint)
    slow = served.load_slowly()
    all_heard = threading.Barrier(17)

    def load(_: int) -> rm.RemoteModelHandle:
        heard: list[rm.LoadProgress] = []

        def hear(progress: rm.LoadProgress) -> None:
            heard.append(progress)
            if len(heard) == 1:
                all_heard.wait()

        handle = models.get_or_load("vad", progress=hear)
        assert (heard[0].key, heard[0].fraction, heard[0].message) == ("vad", 0.25, "reading")
        return handle

    with ThreadPoolExecutor(16) as pool:
        loads = pool.map(load, range(16))
        slow.says("0.25 reading")
        all_heard.wait()
        slow.ends()
        handles = list(loads)
    assert models.get_model("vad").leases == 16
    assert served.loads() == 2
    for handle in handles:
        handle.release()


def test_a_load_that_fails_is_told_and_tried_anew(served: SlowModels) -> None:
    models = rm.RemoteModels.connect(served.endpoint)
    for _ in range(2):
        slow = served.load_slowly()
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(models.get_or_load, "vad")
            slow.says("fail it is no model")
            slow.ends()
            with pytest.raises(rm.LoadFailed, match="it is no model"):
                load.result()
        models.get_or_load("vad").release()


def test_a_timeout_ends_the_waiting_and_not_the_load(served: SlowModels) -> None:
    models = rm.RemoteModels.connect(served.endpoint)
    slow = served.load_slowly()
    for _ in range(2):
        with pytest.raises(rm.DeadlineExceeded, match="still loading"):
            models.get_or_load("vad", timeout=0.05)
    slow.says("0.25 reading")
    assert models.get_model("vad").state == "loading"
    slow.ends()
    with models.get_or_load("vad"):
        assert served.loads() == 2


def test_a_listener_that_fails_does_not_fail_the_load(served: SlowModels) -> None:
    models = rm.RemoteModels.connect(served.endpoint)
    slow = served.load_slowly()

    def fails(progress: rm.LoadProgress) -> None:
        raise ValueError(progress.message)

    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(models.get_or_load, "vad", progress=fails)
        slow.says("0.25 reading")
        slow.ends()
        load.result().release()


def test_an_eviction_by_force_ends_a_lease(served: SlowModels) -> None:
    models = rm.RemoteModels.connect(served.endpoint)
    for _ in range(2):
        handle = models.get_or_load("vad")
        assert models.evict("vad", force=True).bytes == 16
        while handle.is_held:
            time.sleep(0.01)
        with pytest.raises(rm.WorkerUnavailable, match="is over"):
            _ = handle.client
        handle.release()


def test_the_end_of_the_worker_ends_a_lease_and_calls_say_so(served: SlowModels) -> None:
    models = rm.RemoteModels.connect(served.endpoint, timeout=0.5)
    handle = models.get_or_load("vad")
    served.end()
    while handle.is_held:
        time.sleep(0.01)
    for call in (models.list_models, lambda: models.get_or_load("vad"), lambda: models.evict("vad")):
        for _ in range(2):
            with pytest.raises(rm.WorkerUnavailable):
                call()
    handle.release()


def test_what_is_not_there_is_told(served: SlowModels) -> None:
    models = rm.RemoteModels.connect(served.endpoint)
    for name in ("", "tagger", "x" * 100_000):
        for call in (models.get_model, models.get_or_load, models.evict):
            for _ in range(2):
                with pytest.raises((rm.ModelNotFound, ValueError), match=r"no model|empty"):
                    call(name)


def test_endpoints_and_arguments_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for endpoint in (f"unix:{tmp_path}/worker", "http://127.0.0.1:1"):
        with pytest.raises(rm.InvalidArgument, match="endpoints of gRPC"):
            rm.RemoteModels.connect(endpoint)
    with pytest.raises(rm.InvalidArgument):
        rm.RemoteModels.connect("gopher://x")
    with pytest.raises(TypeError):
        rm.RemoteModels.connect(7)  # type: ignore[arg-type]
    with pytest.raises(rm.WorkerUnavailable):
        rm.RemoteModels.connect(f"grpc+unix:{tmp_path}/nobody", timeout=0.1)


def test_the_token_is_told_to_every_call_and_to_the_client() -> None:
    with wire_server("serve(Doubler(), token='open sesame')") as server:
        for token in (None, "open"):
            with pytest.raises(rm.InvalidArgument, match="token"):
                rm.RemoteModels.connect(server.endpoint, token=token)
        models = rm.RemoteModels.connect(server.endpoint, token="open sesame")
        with models.get_or_load("doubler") as handle:
            assert handle.infer([[1, 2]]).to_numpy().tolist() == [[2, 4]]


def test_tls_is_spoken_where_the_worker_does(certificates: Path) -> None:
    shown = f"rm.TlsConfig(certificate={str(certificates / 'server.pem')!r}, key={str(certificates / 'server.key')!r})"
    with wire_server(f"serve(Doubler(), tls={shown})") as server:
        models = rm.RemoteModels.connect(server.endpoint, tls=rm.TlsConfig(ca=str(certificates / "ca.pem")))
        with models.get_or_load("doubler") as handle:
            assert handle.infer([[1, 2]]).to_numpy().tolist() == [[2, 4]]
        with pytest.raises(rm.WorkerUnavailable):
            rm.RemoteModels.connect(server.endpoint, timeout=0.3)


def test_ctrl_c_ends_the_waiting(served: SlowModels) -> None:
    slow = served.load_slowly()
    program = Program(f"""
        models = rm.RemoteModels.connect({served.endpoint!r})
        try:
            models.get_or_load("vad", progress=lambda progress: say(progress.message))
        except KeyboardInterrupt:
            say("interrupted")
        """)
    slow.says("0.25 reading")
    program.wait_for("reading")
    os.kill(program.pid, signal.SIGINT)
    program.wait_for("interrupted")
    program.end()
    slow.ends()
    models = rm.RemoteModels.connect(served.endpoint)
    models.get_or_load("vad").release()
    wait_for_leases(models, 0)


def test_a_forked_child_has_no_lease_and_does_not_end_its_parents(served: SlowModels) -> None:
    program = Program(f"""
        models = rm.RemoteModels.connect({served.endpoint!r})
        handle = models.get_or_load("vad")
        child = os.fork()
        if child == 0:
            say(str(handle.is_held))
            try:
                models.list_models()
            except rm.WorkerUnavailable:
                say("unavailable")
            handle.release()
            del handle, models
            os._exit(0)
        os.waitpid(child, 0)
        say(f"{{handle.is_held}} {{models.get_model('vad').leases}}")
        handle.release()
        """)
    program.wait_for("True 1")
    assert program.lines[:2] == ["False", "unavailable"]
    program.end()
