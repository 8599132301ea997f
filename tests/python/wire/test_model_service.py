# SPDX-License-Identifier: Apache-2.0
"""Models listed, loaded, held and evicted over gRPC, by clients that have only reflection."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from tests.python.programs.model_worker_program import SLOW_PLUGIN, ModelWorkerProgram
from tests.python.wire.reflected_service import ReflectedService
from tests.python.wire.slow_models import SlowModels
from tests.python.wire.wire_server import wire_server

SERVICE = "remotemedia.v1.ModelService"


class Served(SlowModels):
    """With those who call them."""

    def __init__(self, folder: Path, *words: str | Path) -> None:
        super().__init__(folder, *words)
        self.channel = grpc.insecure_channel(self.target)
        self.service = ReflectedService(self.channel, SERVICE)
        self.triton = tritonclient.grpc.InferenceServerClient(self.target)

    def model(self, name: str = "vad") -> Any:
        return self.service.GetModel(name=name)

    def wait_for_leases(self, count: int) -> None:
        while self.model().leases != count:
            time.sleep(0.01)

    def wait_for_state(self, state: str) -> None:
        while self.model().state != state:
            time.sleep(0.01)

    def end(self) -> list[str]:
        self.triton.close()
        self.channel.close()
        return super().end()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path) as server:
        yield server


def code_of(call: Callable[..., Any], *arguments: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as raised:
        call(*arguments)
    return raised.value.code(), raised.value.details()


def last_event(stream: Any) -> Any:
    return list(stream)[-1]


def hold(served: Served, name: str = "vad") -> Any:
    """The open call of a lease, once the model is there."""
    stream = served.service.GetOrLoad(name=name, hold=True)
    for event in stream:
        if event.WhichOneof("event") == "loaded":
            return stream
    raise AssertionError("it has ended")


def answer(served: Served, model: str) -> list[float]:
    x = tritonclient.grpc.InferInput("x", [2], "FP32")
    x.set_data_from_numpy(np.array([1, 2], np.float32))
    return list(served.triton.infer(model, [x]).as_numpy("y").tolist())


def test_reflection_shows_the_service(served: Served) -> None:
    descriptor = served.service._service
    assert [method.name for method in descriptor.methods] == ["ListModels", "GetModel", "GetOrLoad", "Release", "Evict"]


def test_models_are_listed_as_they_are(served: Served) -> None:
    other, vad = served.service.ListModels().models
    assert (other.name, vad.name) == ("other", "vad")
    assert (vad.state, vad.serving, vad.device, vad.memory_bytes, vad.leases) == ("ready", True, "cpu", 16, 0)
    assert vad.load_seconds > 0
    assert not vad.HasField("last_used_ms")
    assert [(spec.name, spec.dtype, list(spec.shape)) for spec in vad.inputs] == [("x", "float32", [2])]
    assert served.model() == vad
    begin = time.time()
    served.triton.unload_model("vad")
    assert (served.model().state in ("absent", "evicting"), served.model().serving) == (True, False)
    served.triton.load_model("vad")
    assert (served.model().state, served.model().serving) == ("ready", True)
    assert not served.model().HasField("last_used_ms") or served.model().last_used_ms / 1000 >= begin - 1


@pytest.mark.parametrize("name", ["", "vad ", "VAD", "x" * 100_000, "\0", "ü" * 300])
def test_a_name_that_is_not_there_is_told(served: Served, name: str) -> None:
    for call in (
        lambda: served.service.GetModel(name=name),
        lambda: list(served.service.GetOrLoad(name=name, hold=True)),
        lambda: served.service.Evict(name=name, force=True),
    ):
        for _ in range(2):
            assert code_of(call)[0] == grpc.StatusCode.NOT_FOUND
    assert served.model().leases == 0


def test_bytes_that_are_no_request_are_refused(served: Served) -> None:
    for method in ("GetModel", "Evict", "Release"):
        call = served.channel.unary_unary(f"/{SERVICE}/{method}")
        for message in (b"\xff", b"\x0a\xff\xff\xff\xff\x0f"):
            assert code_of(call, message)[0] == grpc.StatusCode.INVALID_ARGUMENT
    stream = served.channel.stream_stream(f"/{SERVICE}/GetOrLoad")
    for messages in ([], [b"\xff"], [b"\x0a\x02\xff\xff"]):
        code, _ = code_of(list, stream(iter(messages)))
        assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert last_event(served.service.GetOrLoad(name="vad")).HasField("loaded")


def test_what_is_there_is_had_at_once_and_without_hold_nothing_is_held(served: Served) -> None:
    for _ in range(2):
        (event,) = served.service.GetOrLoad(name="vad")
        assert (event.loaded.model.state, event.loaded.lease) == ("ready", 0)
        assert served.model().leases == 0
    assert served.loads() == 1


def test_many_callers_share_a_load_and_each_sees_its_progress(served: Served) -> None:
    slow = served.load_slowly()
    with ThreadPoolExecutor(16) as pool:
        streams = [served.service.GetOrLoad(name="vad", hold=True) for _ in range(16)]
        slow.says("0.25 reading")
        firsts = list(pool.map(next, streams))
        assert {(event.progress.message, event.progress.fraction) for event in firsts} == {("reading", 0.25)}
        assert served.model().state == "loading"
        late = served.service.GetOrLoad(name="vad")
        assert next(late).progress.fraction == 0.25
        slow.says("0.75 compiling")
        slow.ends()
        lasts = list(pool.map(lambda stream: next(event for event in stream if event.HasField("loaded")), streams))
    assert {event.loaded.model.state for event in lasts} == {"ready"}
    assert len({event.loaded.lease for event in lasts}) == 16
    assert served.model().leases == 16
    assert last_event(late).HasField("loaded")
    for stream in streams:
        stream.cancel()
    served.wait_for_leases(0)
    assert served.loads() == 2


def test_a_cancelled_caller_does_not_cancel_the_load(served: Served) -> None:
    slow = served.load_slowly()
    first = served.service.GetOrLoad(name="vad", hold=True)
    slow.says("0.25 reading")
    assert next(first).HasField("progress")
    second = served.service.GetOrLoad(name="vad")
    assert next(second).HasField("progress")
    first.cancel()
    slow.says("0.75 compiling")
    slow.ends()
    assert last_event(second).loaded.model.state == "ready"
    served.wait_for_leases(0)
    assert served.loads() == 2


def test_a_load_that_all_have_left_goes_on(served: Served) -> None:
    slow = served.load_slowly()
    only = served.service.GetOrLoad(name="vad", hold=True)
    slow.says("0.25 reading")
    assert next(only).HasField("progress")
    only.cancel()
    assert served.model("other").state == "ready"
    slow.says("0.75 compiling")
    slow.ends()
    served.wait_for_state("ready")
    assert served.model().leases == 0


def test_a_load_that_fails_tells_all_and_is_tried_anew(served: Served) -> None:
    for _ in range(2):
        slow = served.load_slowly()
        streams = [served.service.GetOrLoad(name="vad", hold=True) for _ in range(8)]
        slow.says("0.25 reading")
        for stream in streams:
            assert next(stream).HasField("progress")
        slow.says("fail it is no model")
        slow.ends()
        for stream in streams:
            code, text = code_of(list, stream)
            assert code == grpc.StatusCode.FAILED_PRECONDITION
            assert "it is no model" in text
        assert (served.model().state, served.model().leases) == ("absent", 0)
        assert last_event(served.service.GetOrLoad(name="vad")).loaded.model.state == "ready"


def test_another_models_load_holds_nobody_up(served: Served) -> None:
    slow = served.load_slowly()
    stream = served.service.GetOrLoad(name="vad")
    slow.says("0.25 reading")
    assert next(stream).HasField("progress")
    assert last_event(served.service.GetOrLoad(name="other")).HasField("loaded")
    assert answer(served, "other") == [1, 2]
    slow.says("0.75 compiling")
    slow.ends()
    assert last_event(stream).HasField("loaded")


def test_what_is_held_is_neither_evicted_nor_unloaded(served: Served) -> None:
    for _ in range(2):
        leases = [hold(served), hold(served)]
        assert served.model().leases == 2
        for _ in range(2):
            code, text = code_of(lambda: served.service.Evict(name="vad"))
            assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "2 leases hold it" in text
            with pytest.raises(InferenceServerException, match="2 leases hold it"):
                served.triton.unload_model("vad")
            assert (served.model().state, served.model().serving) == ("ready", True)
        leases.pop().cancel()
        served.wait_for_leases(1)
        assert "1 lease holds it" in code_of(lambda: served.service.Evict(name="vad"))[1]
        leases.pop().cancel()
        served.wait_for_leases(0)
        served.triton.unload_model("vad")
        assert served.model().serving is False
        served.triton.load_model("vad")


def test_a_lease_counts_at_all_endpoints_of_its_worker(tmp_path: Path) -> None:
    with Served(tmp_path, "--endpoint", "http://127.0.0.1:0") as served:
        address = served.program.ready["endpoints"][1].removeprefix("http://")
        with tritonclient.http.InferenceServerClient(address) as client:
            lease = hold(served)
            for _ in range(2):
                with pytest.raises(InferenceServerException, match="1 lease holds it"):
                    client.unload_model("vad")
            assert client.is_model_ready("vad")
            lease.cancel()
            served.wait_for_leases(0)
            client.unload_model("vad")
            assert not client.is_model_ready("vad")
            assert served.model().state in ("absent", "evicting")


def test_an_eviction_says_what_has_left(served: Served) -> None:
    for _ in range(2):
        gone = served.service.Evict(name="vad")
        assert (gone.evicted, gone.bytes) == (True, 16)
        served.wait_for_state("absent")
        again = served.service.Evict(name="vad")
        assert (again.evicted, again.bytes) == (False, 0)
        assert served.model().serving
        assert answer(served, "vad") == [1, 2]
        assert served.model().state == "ready"
        assert served.model().last_used_ms / 1000 <= time.time() + 1


def test_an_eviction_by_force_ends_the_leases(served: Served) -> None:
    for _ in range(2):
        leases = [hold(served), hold(served)]
        gone = served.service.Evict(name="vad", force=True)
        assert (gone.evicted, gone.bytes) == (True, 16)
        assert served.model().leases == 0
        for lease in leases:
            code, text = code_of(list, lease)
            assert code == grpc.StatusCode.CANCELLED
            assert "by force" in text


def test_a_released_lease_has_ended_when_that_is_answered(served: Served) -> None:
    for _ in range(20):
        stream = served.service.GetOrLoad(name="vad", hold=True)
        lease = next(stream).loaded.lease
        served.service.Release(lease=lease)
        assert served.model().leases == 0
        assert list(stream) == []
        served.service.Release(lease=lease)
    served.service.Release(lease=0)
    served.service.Release(lease=2**64 - 1)


HOLDER = """
import sys
import remotemedia as rm
models = rm.RemoteModels.connect(sys.argv[1])
handle = models.get_or_load("vad")
print("holds", flush=True)
sys.stdin.read()
"""


def test_the_lease_of_a_killed_process_ends(served: Served) -> None:
    for _ in range(2):
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, served.endpoint],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holds\n"
        assert served.model().leases == 1
        assert code_of(lambda: served.service.Evict(name="vad"))[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
        served.wait_for_leases(0)
        assert served.service.Evict(name="vad").evicted


def test_who_does_not_read_is_told_the_latest(served: Served) -> None:
    slow = served.load_slowly()
    deaf = served.service.GetOrLoad(name="vad")
    reads = served.service.GetOrLoad(name="vad")
    most = 20_000
    stage = "s" * 1000
    for each in range(most):
        slow.says(f"{each / most} {stage}")
    slow.ends()
    heard = [event.progress.fraction for event in reads if event.HasField("progress")]
    assert heard == sorted(heard)
    assert heard[-1] == (most - 1) / most
    *late, last = list(deaf)
    assert last.HasField("loaded")
    assert len(late) < most
    assert late[-1].progress.fraction == (most - 1) / most


def test_a_connection_may_have_so_many_leases_and_the_endpoint_too(tmp_path: Path) -> None:
    file = tmp_path / "vad.slow"
    file.write_text("")
    program = ModelWorkerProgram(
        *("--model", f"vad={file}", "--backend", SLOW_PLUGIN, "--endpoint", "grpc://127.0.0.1:0")
    )
    target = program.endpoint.removeprefix("grpc://")

    def full(channel: grpc.Channel, most: int) -> list[Any]:
        service = ReflectedService(channel, SERVICE)
        streams = [service.GetOrLoad(name="vad", hold=True) for _ in range(most)]
        for stream in streams:
            assert next(stream).HasField("loaded")
        return streams

    apart = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(target, options=apart) for _ in range(17)]
    streams = full(channels[0], 64)
    service = ReflectedService(channels[0], SERVICE)
    for _ in range(2):
        code, text = code_of(lambda: list(service.GetOrLoad(name="vad", hold=True)))
        assert (code, "64" in text, "by this connection" in text) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True, True)
    streams.pop().cancel()
    while service.GetModel(name="vad").leases != 63:
        time.sleep(0.01)
    streams += full(channels[0], 1)
    for channel in channels[1:16]:
        streams += full(channel, 64)
    other = ReflectedService(channels[16], SERVICE)
    assert other.GetModel(name="vad").leases == 1024
    for _ in range(2):
        code, text = code_of(lambda: list(other.GetOrLoad(name="vad", hold=True)))
        assert (code, "1024" in text) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
    for channel in channels[:16]:
        channel.close()
    while other.GetModel(name="vad").leases != 0:
        time.sleep(0.01)
    assert next(other.GetOrLoad(name="vad", hold=True)).HasField("loaded")
    channels[16].close()
    assert program.end()[0] == 0


def test_the_end_of_a_worker_ends_its_leases(served: Served) -> None:
    lease = hold(served)
    assert served.program.end()[0] == 0
    assert code_of(list, lease)[0] == grpc.StatusCode.UNAVAILABLE


def test_a_model_that_cannot_leave_stays_and_can_be_held() -> None:
    with wire_server("serve(Doubler(), Echo())") as server, grpc.insecure_channel(server.target) as channel:
        service = ReflectedService(channel, SERVICE)
        for _ in range(2):
            assert service.Evict(name="doubler").evicted is False
            assert service.GetModel(name="doubler").state == "ready"
            stream = service.GetOrLoad(name="doubler", hold=True)
            loaded = next(stream).loaded
            assert (loaded.model.leases, loaded.model.serving) == (1, True)
            with tritonclient.grpc.InferenceServerClient(server.target) as client:
                with pytest.raises(InferenceServerException, match="1 lease holds it"):
                    client.unload_model("doubler")
                service.Release(lease=loaded.lease)
                client.unload_model("doubler")
                assert next(service.GetOrLoad(name="doubler")).loaded.model.serving


def test_every_call_wants_the_token() -> None:
    with (
        wire_server("serve(Doubler(), token='open sesame')") as server,
        grpc.insecure_channel(server.target) as channel,
    ):
        for token in (None, "open"):
            service = ReflectedService(channel, SERVICE, token)
            for call in (
                service.ListModels,
                lambda service=service: service.GetModel(name="doubler"),
                lambda service=service: list(service.GetOrLoad(name="doubler", hold=True)),
                lambda service=service: service.Release(lease=1),
                lambda service=service: service.Evict(name="doubler", force=True),
            ):
                assert code_of(call)[0] == grpc.StatusCode.UNAUTHENTICATED
        service = ReflectedService(channel, SERVICE, "open sesame")
        assert next(service.GetOrLoad(name="doubler")).HasField("loaded")
