# SPDX-License-Identifier: Apache-2.0
"""Calls that are too late, or whose caller has changed its mind, while the model is busy."""

import contextlib
import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.utils import InferenceServerException

from tests.triton.served import Client, Server, client_of


def one(value: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array([[value]], dtype=np.float32)


@contextlib.contextmanager
def busy(server: Server, value: float) -> Iterator[None]:
    """The model `gated` is held up by -value; afterwards it has answered all."""
    go = server.folder / "go"
    go.unlink(missing_ok=True)
    with client_of(server, "grpc") as client, ThreadPoolExecutor(1) as thread:
        held = thread.submit(client.infer, "gated", [client.tensor("x", one(-value), "FP32")])
        server.wait_for(f"began {-value:g}")
        try:
            yield
        finally:
            go.touch()
        assert held.result(60).as_numpy("y").tolist() == [[-value]]
        last = client.infer("gated", [client.tensor("x", one(value), "FP32")])  # behind all others
        assert last.as_numpy("y").tolist() == [[value]]


def ran(server: Server, value: float) -> bool:
    return f"began {value:g}" in server.lines()


def code_of(client: Client, value: float, model: str = "gated", timeout: int = 1000) -> str:
    """Of a call that may wait for so many microseconds; 0 is for as long as it takes."""
    try:
        client.infer(model, [client.tensor("x", one(value), "FP32")], timeout=timeout or None)
    except InferenceServerException as error:
        return str(error.status()).removeprefix("StatusCode.")
    return "answered"


def test_a_call_that_is_late_ends_and_never_runs(server: Server) -> None:
    for value in (101, 102):
        with busy(server, 1000 + value), client_of(server, "grpc") as client:
            x = client.tensor("x", one(value), "FP32")
            with pytest.raises(InferenceServerException) as raised:
                client.infer("gated", [x], client_timeout=0.2)
            assert raised.value.status() == "StatusCode.DEADLINE_EXCEEDED"
        assert not ran(server, value)


def test_a_call_that_is_cancelled_ends_and_never_runs(server: Server) -> None:
    told: queue.Queue[InferenceServerException] = queue.Queue()
    for value in (201, 202):
        with busy(server, 1000 + value), client_of(server, "grpc") as client:
            x = client.tensor("x", one(value), "FP32")
            call = client.async_infer("gated", [x], lambda result, error: told.put(error))
            with client_of(server, "grpc") as other, pytest.raises(InferenceServerException):
                # Once this one is told that it is late, the other one has come.
                other.infer("gated", [other.tensor("x", one(value + 5000), "FP32")], client_timeout=0.2)
            call.cancel()
            assert "CANCELLED" in str(told.get(timeout=60).status())
        assert not ran(server, value)


def test_a_model_is_told_that_its_call_was_cancelled(server: Server) -> None:
    for value in (301, 302):
        (server.folder / "go").unlink(missing_ok=True)
        with client_of(server, "grpc") as client:
            x = client.tensor("x", one(-value), "FP32")
            call = client.async_infer("gated", [x], lambda result, error: None)
            server.wait_for(f"began {-value}")
            call.cancel()
            server.wait_for(f"cancelled {-value}")


@pytest.mark.parametrize("way", ["grpc", "http"])
def test_the_timeout_of_a_request_counts_while_it_waits(server: Server, way: str) -> None:
    for value in (401, 402) if way == "grpc" else (411, 412):
        with busy(server, 1000 + value), client_of(server, way) as client:
            told = code_of(client, value)
        server.check(f"a late request, {way}", told, "DEADLINE_EXCEEDED" if way == "grpc" else "504")
        assert not ran(server, value)


def test_a_call_within_its_timeout_is_answered(server: Server, client: Client) -> None:
    (server.folder / "go").touch()
    x = client.tensor("x", one(1), "FP32")
    for _ in range(2):
        assert client.infer("gated", [x], timeout=60_000_000, priority=1).as_numpy("y").tolist() == [[1]]


@pytest.mark.parametrize("way", ["grpc", "http"])
def test_a_full_queue_refuses(server: Server, way: str) -> None:
    go = server.folder / "go"
    for _ in range(2):
        go.unlink(missing_ok=True)
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(8) as threads:
            clients = [stack.enter_context(client_of(server, way)) for _ in range(8)]
            calls = [threads.submit(code_of, client, -501, "narrow", 0) for client in clients]
            first = next(as_completed(calls)).result()
            go.touch()
            told = {call.result(60) for call in calls}
        server.check(f"a full queue, {way}", first, "UNAVAILABLE" if way == "grpc" else "503")
        assert told == {first, "answered"}


def test_health_is_told_as_grpc_does(server: Server) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "doubler"):
            told = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=60)
            assert told.status == health_pb2.HealthCheckResponse.SERVING
        try:
            watched = next(stub.Watch(health_pb2.HealthCheckRequest(), timeout=60)).status
        except grpc.RpcError as error:
            watched = error.code().name
        server.check("watching health", watched, health_pb2.HealthCheckResponse.SERVING)
