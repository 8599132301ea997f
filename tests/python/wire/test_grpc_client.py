# SPDX-License-Identifier: Apache-2.0
"""remotemedia's own client at an endpoint of the wire. What it has in common with others is in tests/python/workers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest

import remotemedia as rm
from tests.python.core.program import run
from tests.python.wire.wire_server import WireServer, wire_server
from tests.python.workers.served import models, new_endpoint

WITHOUT_SHARED_MEMORY = """
import pathlib, tempfile
runtime = os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()

def served_and_hidden(model):
    worker = rm.ModelWorker(model)
    (endpoint,) = worker.start("grpc://127.0.0.1:0")
    for socket in pathlib.Path(runtime).rglob("worker-*"):
        socket.unlink()
    say(endpoint)
    say("serves")
    gates["end"].wait()
    worker.stop()
"""

HELD = """
class Held(Doubler):  # a negative number waits for a line of stdin
    def infer(self, inputs):
        if inputs["x"].min() < 0:
            say("began")
            gates["go"].wait()
        return super().infer(inputs)
serve(Held())
"""


def connect(endpoint: str, **options: object) -> rm.ModelWorkerClient:
    return rm.ModelWorkerClient.connect(endpoint, timeout=60, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("endpoint", ["grpc://127.0.0.1:0", "grpc+unix:"])
def test_a_client_of_the_same_machine_and_user_finds_shared_memory(endpoint: str, tmp_path: Path) -> None:
    at = endpoint + str(tmp_path / "wire") if endpoint.endswith(":") else endpoint
    x = np.random.default_rng(1).random((2, 100_000), np.float32)
    with wire_server(f"serve(Doubler(), endpoint={at!r})") as server:
        with connect(server.endpoint) as found, connect(server.endpoint, transport="grpc") as told:
            assert (found.transport, told.transport) == ("shared_memory", "grpc")
            ours, theirs = found.infer(x), told.infer(x)
            assert (ours.storage == "shared_memory", theirs.storage == "shared_memory") == (True, False)
            assert ours.to_numpy().tobytes() == theirs.to_numpy().tobytes() == (x * 2).tobytes()
            assert found.status().worker_id == told.status().worker_id
        with connect(server.endpoint, transport="shared_memory") as asked:
            assert asked.transport == "shared_memory"


def test_where_there_is_no_shared_memory_it_goes_by_grpc() -> None:
    with wire_server(WITHOUT_SHARED_MEMORY + "served_and_hidden(Doubler())") as server:
        with connect(server.endpoint) as client:
            assert client.transport == "grpc"
            assert np.array_equal(client.infer([[1, 2]]).to_numpy(), [[2, 4]])
        for _ in range(2):
            with pytest.raises(rm.SharedMemoryUnavailable, match="same machine and user"):
                connect(server.endpoint, transport="shared_memory")


def test_a_token_is_told_or_the_client_is_told_so() -> None:
    with wire_server("serve(Doubler(), token='secret')") as server:
        for options in ({}, {"token": "wrong"}):
            for _ in range(2):
                with pytest.raises(rm.InvalidArgument, match="wants a token"):
                    connect(server.endpoint, **options)
        for transport in ("auto", "grpc"):
            with connect(server.endpoint, token="secret", transport=transport) as client:
                assert client.infer([[1]]).to_numpy() == 2
                assert client.health_check()
                assert client.status().model_id == "doubler"
                client.close_session("none")


def test_tls_with_certificates_of_both(certificates: Path) -> None:
    def files(name: str, ca: str = "ca") -> dict[str, str]:
        of_name = {"certificate": f"{name}.pem", "key": f"{name}.key", "ca": f"{ca}.pem"}
        return {part: str(certificates / file) for part, file in of_name.items()}

    with wire_server(f"serve(Doubler(), tls=rm.TlsConfig(**{files('server')!r}))") as server:
        with connect(server.endpoint, tls=rm.TlsConfig(**files("client")), transport="grpc") as client:
            assert client.infer([[1]]).to_numpy() == 2
        for tls in (rm.TlsConfig(**files("stranger")), rm.TlsConfig(**files("client", "other-ca")), None):
            with pytest.raises(rm.WorkerUnavailable):
                rm.ModelWorkerClient.connect(server.endpoint, tls=tls, timeout=0.5)
        with pytest.raises(rm.InvalidArgument, match=r"no-such\.pem"):
            connect(server.endpoint, tls=rm.TlsConfig(ca="no-such.pem"))


def test_one_of_several_models_is_named_behind_a_mark() -> None:
    with wire_server("serve(Doubler(), Sums())") as server:
        for _ in range(2):
            with pytest.raises(rm.ModelNotFound, match="doubler, sums"):
                connect(server.endpoint)
            with pytest.raises(rm.ModelNotFound, match="other"):
                connect(server.endpoint + "#other")
            with pytest.raises(rm.InvalidArgument, match="names no model"):
                connect(server.endpoint + "#")
        for transport in ("shared_memory", "grpc"):
            with connect(server.endpoint + "#sums", transport=transport) as client:
                assert client.status().model_id == "sums"
                assert [int(client.infer([i], session_id="s").to_numpy()[0]) for i in (1, 2)] == [1, 3]


def test_a_forked_child_is_told_that_it_has_no_grpc() -> None:
    with wire_server("serve(Doubler())") as server:
        assert run(
            models(server.endpoint),
            """
            client = rm.ModelWorkerClient.connect(ENDPOINT, transport="grpc", timeout=60)
            y = client.infer(np.ones((1, 10_000), np.float32))
            child = os.fork()
            if child == 0:
                for refused in (lambda: client.infer([[1]]), client.status):
                    try:
                        refused()
                    except rm.WorkerUnavailable:
                        say("not the child's")
                try:
                    rm.ModelWorkerClient.connect(ENDPOINT, transport="grpc")
                except rm.PlatformNotSupported as error:
                    say("spawn" if "spawn" in str(error) else str(error))
                assert (y.to_numpy() == 2).all()
                del client
                gc.collect()
                sys.exit()
            assert os.waitpid(child, 0)[1] == 0
            say(str(float(client.infer([[2]]).to_numpy()[0, 0])))
            """,
        ) == ["not the child's"] * 2 + ["spawn", "4.0"]


CALLS: dict[str, Callable[[rm.ModelWorkerClient], object]] = {
    "infer": lambda client: client.infer([[2]], timeout=60).to_numpy(),
    "infer_future": lambda client: client.infer_future([[2]], timeout=60).result(60).to_numpy(),
    "infer_stream": lambda client: next(client.infer_stream([[2]], timeout=60)).to_numpy(),
    "a session": lambda client: client.infer([[2]], session_id="s", timeout=60).to_numpy(),
    "status": lambda client: 4 if client.status().model_id == "doubler" else None,
}


@pytest.mark.parametrize("next_one_is", ["there", "to come"])
def test_what_a_dead_worker_cannot_have_got_goes_to_the_next_one(next_one_is: str) -> None:
    with wire_server(HELD) as held, ThreadPoolExecutor(1 + len(CALLS)) as threads:
        first = WireServer("serve(Doubler())")
        clients = [connect(first.endpoint, transport="grpc", max_retries=1000) for _ in CALLS]
        for client in clients:
            assert client.infer([[1]]).to_numpy() == 2
        with connect(held.endpoint, transport="grpc") as other:
            for _ in range(10):
                other.infer([[1]])
            waits = threads.submit(other.infer, [[-1]])  # who waits keeps away who is told of a connection's end
            held.program.wait_for("began")
            first.program.kill()
            for client in clients:
                while client._client.is_connected():
                    pass
            restart = f"serve(Doubler(), endpoint={first.endpoint!r})"
            second = WireServer(restart) if next_one_is == "there" else None
            answers = [threads.submit(call, client) for call, client in zip(CALLS.values(), clients, strict=True)]
            second = second or WireServer(restart)
            for name, answer in zip(CALLS, answers, strict=True):
                assert answer.result(60) == 4, name
            held.program.tell("go")
            assert waits.result(60).to_numpy() == -2
            for client in clients:
                client.close()
            second.end()


def test_what_a_dead_worker_may_have_got_is_repeated_where_it_is_idempotent() -> None:
    first = WireServer(HELD)
    client = connect(first.endpoint, transport="grpc", max_retries=1000)
    with ThreadPoolExecutor() as threads:
        calls = [client.infer_future([[-1]], session_id=session) for session in (None, "s", "s")]
        once = threads.submit(client.infer, [[-1]])
        anew = threads.submit(client.infer, [[-1]], idempotent=True)
        while client.status().current_load + client.status().queue_depth < 4:  # one waits here for the session's first
            pass
        first.program.kill()
        for call in (*calls, once):
            with pytest.raises(rm.WorkerUnavailable):
                call.result(60)
        with wire_server(f"serve(Doubler(), endpoint={first.endpoint!r})"):
            assert anew.result(60).to_numpy() == -2
            assert client.infer([[2]], session_id="s").to_numpy() == 4
            client.close()


def test_at_an_endpoint_of_somebody_else_the_client_says_so() -> None:
    stranger = grpc.server(ThreadPoolExecutor(1))
    port = stranger.add_insecure_port("127.0.0.1:0")
    stranger.start()
    try:
        with pytest.raises(rm.ProtocolError, match=f"127.0.0.1:{port}"):
            connect(f"grpc://127.0.0.1:{port}")
    finally:
        stranger.stop(None).wait()


def test_nobody_serves_there(tmp_path: Path) -> None:
    for endpoint in ("grpc://127.0.0.1:1", f"grpc+unix:{tmp_path}/none", new_endpoint()):
        with pytest.raises(rm.WorkerUnavailable):
            rm.ModelWorkerClient.connect(endpoint, timeout=0)


def test_clients_with_calls_under_way_outlive_workers_that_come_and_go() -> None:
    assert run(
        models("grpc://127.0.0.1:0"),
        """
        class Counting(Doubler):
            def infer_stream(self, inputs):
                for i in range(1000):
                    yield {"y": inputs["x"] * i}
        def calls(client, ended, told):
            while not ended.is_set():
                try:
                    for _ in client.infer_stream([[1]]):
                        pass
                    client.infer([[1]], session_id="s")
                    futures = [client.infer_future([[i]], session_id="s") for i in range(5)]
                    futures[1].cancel()
                    futures[-1].result()
                except (rm.WorkerUnavailable, rm.Rejected):  # it drains
                    told.append(1)
                    ended.wait(0.001)
        def main():
            told, ended, worker = [], threading.Event(), rm.ModelWorker(Counting())
            (endpoint,) = worker.start(ENDPOINT)
            clients = [rm.ModelWorkerClient.connect(endpoint, transport="grpc", max_retries=0) for _ in range(3)]
            threads = [threading.Thread(target=calls, args=(client, ended, told)) for client in clients * 2]
            for thread in threads:
                thread.start()
            for _ in range(10):
                before = len(told)
                worker.stop()
                while len(told) == before:  # somebody was in the middle of a call
                    pass
                worker = rm.ModelWorker(Counting())
                worker.start(endpoint)
                while not clients[0].health_check():
                    pass
            ended.set()
            for thread in threads:
                thread.join()
            assert clients[1].infer([[3]]).to_numpy() == 6
            for client in clients:
                client.close()
            worker.stop()
        main()
        say("done")
        """,
    ) == ["done"]
