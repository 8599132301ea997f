# SPDX-License-Identifier: Apache-2.0
"""Processes that answer calls: a model worker, and what one would use instead. Each gives back what it gets.

A server runs in a process of its own until it is told to end, or its caller has gone.
"""

import contextlib
import math
import multiprocessing
import os
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

import remotemedia as rm

CPP_MODEL = "build/release/benchmarks/cpp/worker_model"
IN_FLIGHT = 100
SLOT = struct.Struct("i")
UNLIMITED = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))
METHOD = "/bench/Call"


class Touch(rm.InferenceModel):
    """As the C++ model of that name: writes the first element of its output, nobody touches the rest."""

    model_id = "touch"

    def signature(self) -> rm.ModelSignature:
        return rm.ModelSignature([rm.TensorSpec("x", "float32", [-1])], [rm.TensorSpec("y", "float32", [-1])])

    def infer(self, inputs: dict[str, np.ndarray], context: rm.InferenceContext) -> dict[str, rm.TensorBuffer]:
        x = inputs["x"]
        y = context.allocate(x.shape)
        if x.size:
            y.to_numpy()[0] = x[0]
        return {"y": y}


class Copy(Touch):
    """As the C++ model of that name."""

    model_id = "copy"

    def infer(self, inputs: dict[str, np.ndarray], context: rm.InferenceContext) -> dict[str, rm.TensorBuffer]:
        x = inputs["x"]
        y = context.allocate(x.shape)
        np.copyto(y.to_numpy(), x)
        return {"y": y}


class Echo(Touch):
    """As the C++ model of that name."""

    model_id = "echo"

    def infer(self, inputs: dict[str, np.ndarray], context: rm.InferenceContext) -> dict[str, Any]:  # noqa: ARG002
        return {"y": inputs["x"]}


PYTHON_MODELS = {"touch": Touch, "copy": Copy, "echo": Echo}


def _serve_model(name: str, pipe: Connection) -> None:
    config = rm.WorkerConfig(max_queue=1024, max_concurrent_requests=1024)
    with rm.ModelWorker(PYTHON_MODELS[name](), config) as worker:
        pipe.send(worker.start())
        _until_the_end(pipe)


def _until_the_end(pipe: Connection) -> None:
    with contextlib.suppress(EOFError):
        pipe.recv()


@contextlib.contextmanager
def running(serve: Callable[..., None], *arguments: object) -> Iterator[tuple[Connection, int]]:
    """A process that runs `serve(*arguments, pipe)`, until the pipe is closed: the pipe and the process's number."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(target=serve, args=(*arguments, theirs))
    process.start()
    theirs.close()
    assert process.pid is not None
    try:
        yield ours, process.pid
    finally:
        ours.close()
        process.join()


@contextlib.contextmanager
def python_worker(model: str) -> Iterator[tuple[str, int]]:
    """Its endpoint and its process."""
    with running(_serve_model, model) as (pipe, process):
        (endpoint,) = pipe.recv()
        yield endpoint, process


@contextlib.contextmanager
def cpp_worker(model: str) -> Iterator[tuple[str, int]]:
    """Its endpoint and its process."""
    with tempfile.TemporaryDirectory() as folder:
        endpoint = f"unix:{folder}/model"
        with subprocess.Popen([CPP_MODEL, model, endpoint]) as process:
            try:
                yield endpoint, process.pid
            finally:
                process.terminate()


def answer_pickled(pipe: Connection) -> None:
    with contextlib.suppress(EOFError):
        while True:
            pipe.send(pipe.recv())


class SharedHalves:
    """Shared memory by hand: what is asked in one half, what is answered in the other.

    Args:
        shape: Of each half, float32.
        name: Of memory that is there already; none makes it, and removes it at the end.
    """

    def __init__(self, shape: tuple[int, ...], name: str | None = None) -> None:
        self._mine = name is None
        self._memory = SharedMemory(name, create=self._mine, size=max(8, 8 * math.prod(shape)))
        self.name = self._memory.name
        self.asked, self.answered = np.ndarray((2, *shape), np.float32, self._memory.buf)

    def __enter__(self) -> "SharedHalves":
        return self

    def __exit__(self, *_: object) -> None:
        del self.asked, self.answered
        self._memory.close()
        if self._mine:
            self._memory.unlink()


def answer_by_hand(name: str, elements: int, pipe: Connection) -> None:
    """Reads the first element of what is asked and writes it to the answer; a byte says when."""
    with SharedHalves((elements,), name) as memory, contextlib.suppress(EOFError):
        while True:
            said = pipe.recv_bytes()
            if elements:
                memory.answered[0] = memory.asked[0]
            pipe.send_bytes(said)


def answer_slots_by_hand(name: str, elements: int, pipe: Connection) -> None:
    """Copies what is asked in slots to their answers, as many at once as are asked for."""
    with SharedHalves((IN_FLIGHT, elements), name) as memory, contextlib.suppress(ConnectionError):
        while slots := os.read(pipe.fileno(), SLOT.size * IN_FLIGHT):
            for (slot,) in SLOT.iter_unpack(slots):
                memory.answered[slot] = memory.asked[slot]
            os.write(pipe.fileno(), slots)


def answer_with_grpcio(address: str, pipe: Connection) -> None:
    import grpc

    server = grpc.server(ThreadPoolExecutor(2), options=UNLIMITED)
    handler = grpc.unary_unary_rpc_method_handler(lambda request, _context: request)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("bench", {"Call": handler})])
    server.add_insecure_port(address)
    server.start()
    pipe.send(None)
    _until_the_end(pipe)
    server.stop(None).wait()
