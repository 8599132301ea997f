# SPDX-License-Identifier: Apache-2.0
"""Servers of a model in Python that gives its input back, over TCP of this machine, and callers of them.

A peer that is not installed is left out: a Triton is there after scripts/test triton.
"""

import contextlib
import http.client
import importlib.util
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

import remotemedia as rm
from benchmarks.python import worker_servers as servers
from tests.triton.served import Server, real_triton, workers
from tests.triton.triton_process import ENVIRONMENT, NoTriton, free_ports, packages_of

MODEL = "identity_FP32"
SECONDS_OF_A_CALL = 600
MOST_BYTES = 1 << 30

Array = np.ndarray[Any, np.dtype[np.float32]]

Call = Callable[[], Array]
"""From an array of the caller's to one that it can read."""

Connect = Callable[[ExitStack, Array], Call]
"""A caller with a connection of its own, which lasts as long as the stack."""


@dataclass(frozen=True)
class Peer:
    """One that serves.

    Attributes:
        process: Whose descendants take part.
        ways: Of calling it, by name.
    """

    process: int
    ways: dict[str, Connect]


def _triton_client(library: Any, target: str) -> Connect:
    def connect(stack: ExitStack, x: Array) -> Call:
        client = library.InferenceServerClient(target)
        stack.callback(client.close)

        def call() -> Array:
            given = library.InferInput("x", [1, x.size], "FP32")
            given.set_data_from_numpy(x.reshape(1, -1))
            answer: Array = client.infer(MODEL, [given]).as_numpy("y")
            return answer

        return call

    return connect


def _own_client(endpoint: str, shape: tuple[int, ...]) -> Connect:
    def connect(stack: ExitStack, x: Array) -> Call:
        client = stack.enter_context(rm.ModelWorkerClient.connect(endpoint))
        if client.transport != "shared_memory":
            raise RuntimeError(f"the client of {endpoint} took {client.transport}")
        given = x.reshape(shape)
        return lambda: client.infer(given).to_numpy()

    return connect


def _of_the_protocol(server: Server) -> dict[str, Connect]:
    import tritonclient.grpc
    import tritonclient.http

    return {
        "grpc": _triton_client(tritonclient.grpc, server.grpc),
        "http": _triton_client(tritonclient.http, server.http),
    }


@contextmanager
def worker() -> Iterator[Peer]:
    with workers([MODEL]) as server:
        found = _own_client(f"grpc://{server.grpc}", (1, -1))
        yield Peer(server.process, {**_of_the_protocol(server), "found": found})


@contextmanager
def worker_at_unix() -> Iterator[Peer]:
    with servers.python_worker("echo") as (endpoint, process):
        yield Peer(process, {"unix": _own_client(endpoint, (-1,))})


@contextmanager
def triton() -> Iterator[Peer]:
    with real_triton([MODEL]) as server:
        yield Peer(server.process, _of_the_protocol(server))


@contextmanager
def grpcio() -> Iterator[Peer]:
    """Bytes as they are, without messages."""
    import grpc

    address = f"127.0.0.1:{free_ports(1)[0]}"
    with servers.running(servers.answer_with_grpcio, address) as (pipe, process):
        pipe.recv()

        numbers = itertools.count()

        def connect(stack: ExitStack, x: Array) -> Call:
            own = (*servers.UNLIMITED, ("remotemedia.caller", next(numbers)))  # channels of equal options share one
            method = stack.enter_context(grpc.insecure_channel(address, options=own)).unary_unary(servers.METHOD)
            return lambda: np.frombuffer(method(x.tobytes()), np.float32)

        yield Peer(process, {"bytes": connect})


@contextmanager
def mosec() -> Iterator[Peer]:
    """Bytes as they are, over HTTP."""
    (port,) = free_ports(1)
    words = {
        "address": "127.0.0.1",
        "port": port,
        "timeout": SECONDS_OF_A_CALL * 1000,
        "max-body-size": MOST_BYTES,
        "log-level": "error",
    }
    command = [sys.executable, "-m", "benchmarks.python.mosec_identity"]
    with subprocess.Popen(
        [*command, *(f"--{name}={value}" for name, value in words.items())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_for(port, process)

            def connect(stack: ExitStack, x: Array) -> Call:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_OF_A_CALL)
                stack.callback(connection.close)

                def call() -> Array:
                    connection.request("POST", "/inference", x.tobytes())
                    response = connection.getresponse()
                    answer = response.read()
                    if response.status != 200:
                        raise RuntimeError(f"Mosec answers {response.status}: {answer[:200]!r}")
                    return np.frombuffer(answer, np.float32)

                return call

            yield Peer(process.pid, {"http": connect})
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.request("POST", "/inference", b"1234")
            if connection.getresponse().read() == b"1234":
                return
        time.sleep(0.05)
    raise RuntimeError(f"Mosec ended with {process.returncode}")


def peers() -> dict[str, Callable[[], AbstractContextManager[Peer]]]:
    """Those that are installed."""
    found: dict[str, Callable[[], AbstractContextManager[Peer]]] = {"worker": worker, "worker_at": worker_at_unix}
    try:
        packages_of(ENVIRONMENT)
        found["triton"] = triton
    except NoTriton as missing:
        print(f"without Triton: {missing}", file=sys.stderr)
    for name, start, package in (("grpcio", grpcio, "grpc"), ("mosec", mosec, "mosec")):
        if importlib.util.find_spec(package) is not None:
            found[name] = start
        else:
            print(f"without {name}: not installed", file=sys.stderr)
    return found
