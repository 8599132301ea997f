# SPDX-License-Identifier: Apache-2.0
"""Calls from Python: of a model worker, in C++ and in Python, and of what one would use instead."""

import importlib.util
import json
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.python import worker_servers as servers
from benchmarks.python.disturbance import Disturbance
from benchmarks.sizes import SENT
from remotemedia import ModelWorkerClient

SECONDS = 0.4
WARM_UP_SECONDS = 0.1
BYTES_IN_FLIGHT = 4096

Call = Callable[[], object]
"""Makes one call and reads the first element of the answer."""

Way = Callable[[int], AbstractContextManager[Call]]
"""Starts a server for tensors of some bytes."""


def first(array: np.ndarray) -> float | None:
    return float(array[0]) if array.size else None


@contextmanager
def _worker(server: AbstractContextManager[tuple[str, int]], bytes_each: int) -> Iterator[Call]:
    with server as (endpoint, _), ModelWorkerClient.connect(endpoint) as client:
        x = client.allocate((bytes_each // 4,))
        x.to_numpy()[:] = 1
        yield lambda: first(client.infer(x).to_numpy())


def cpp_model(bytes_each: int) -> AbstractContextManager[Call]:
    return _worker(servers.cpp_worker("touch"), bytes_each)


def python_model(bytes_each: int) -> AbstractContextManager[Call]:
    return _worker(servers.python_worker("touch"), bytes_each)


@contextmanager
def pickle(bytes_each: int) -> Iterator[Call]:
    with servers.running(servers.answer_pickled) as (pipe, _):
        x = np.ones(bytes_each // 4, np.float32)

        def call() -> object:
            pipe.send(x)
            return first(pipe.recv())

        yield call


@contextmanager
def by_hand(bytes_each: int) -> Iterator[Call]:
    """The input lies in the shared memory already, and the answer is read there."""
    elements = bytes_each // 4
    with (
        servers.SharedHalves((elements,)) as memory,
        servers.running(servers.answer_by_hand, memory.name, elements) as (pipe, _),
    ):
        memory.asked[:] = 1
        memory.answered[:] = 0

        def call() -> object:
            pipe.send_bytes(b"x")
            pipe.recv_bytes()
            return first(memory.answered)

        yield call


@contextmanager
def _grpcio_method() -> Iterator[Any]:
    """What takes bytes to a server and brings its answer's."""
    import grpc

    with tempfile.TemporaryDirectory() as folder:
        address = f"unix:{folder}/grpc"
        with servers.running(servers.answer_with_grpcio, address) as (pipe, _):
            pipe.recv()
            with grpc.insecure_channel(address, options=servers.UNLIMITED) as channel:
                yield channel.unary_unary(servers.METHOD)


@contextmanager
def grpcio(bytes_each: int) -> Iterator[Call]:
    """Bytes as they are; the request is made once."""
    with _grpcio_method() as method:
        x = np.ones(bytes_each // 4, np.float32).tobytes()
        yield lambda: first(np.frombuffer(method(x), np.float32))


Calls = Callable[[], None]
"""Makes as many calls as are in flight."""


@contextmanager
def _worker_in_flight(server: AbstractContextManager[tuple[str, int]]) -> Iterator[Calls]:
    with server as (endpoint, _), ModelWorkerClient.connect(endpoint) as client:
        x = np.ones(BYTES_IN_FLIGHT // 4, np.float32)
        calls = deque(client.infer_future(x) for _ in range(servers.IN_FLIGHT))

        def more() -> None:
            for _ in range(servers.IN_FLIGHT):
                calls.popleft().result().to_numpy().copy()
                calls.append(client.infer_future(x))

        yield more
        for call in calls:
            call.result()


def cpp_model_in_flight() -> AbstractContextManager[Calls]:
    return _worker_in_flight(servers.cpp_worker("copy"))


def python_model_in_flight() -> AbstractContextManager[Calls]:
    return _worker_in_flight(servers.python_worker("copy"))


@contextmanager
def by_hand_in_flight() -> Iterator[Calls]:
    elements = BYTES_IN_FLIGHT // 4
    x = np.ones(elements, np.float32)
    slot_of = servers.SLOT
    with (
        servers.SharedHalves((servers.IN_FLIGHT, elements)) as memory,
        servers.running(servers.answer_slots_by_hand, memory.name, elements) as (pipe, _),
    ):
        memory.asked[:] = x
        os.write(pipe.fileno(), b"".join(map(slot_of.pack, range(servers.IN_FLIGHT))))

        def more() -> None:
            answered = 0
            while answered < servers.IN_FLIGHT:
                slots = os.read(pipe.fileno(), slot_of.size * servers.IN_FLIGHT)
                for (slot,) in slot_of.iter_unpack(slots):
                    memory.answered[slot].copy()
                    memory.asked[slot] = x
                    answered += 1
                os.write(pipe.fileno(), slots)

        yield more


@contextmanager
def grpcio_in_flight() -> Iterator[Calls]:
    with _grpcio_method() as method:
        x = np.ones(BYTES_IN_FLIGHT // 4, np.float32)
        calls = deque(method.future(x.tobytes()) for _ in range(servers.IN_FLIGHT))

        def more() -> None:
            for _ in range(servers.IN_FLIGHT):
                np.frombuffer(calls.popleft().result(), np.float32).copy()
                calls.append(method.future(x.tobytes()))

        yield more
        for call in calls:
            call.result()


def measure(name: str, operation: Callable[[], object], operations: int = 1) -> dict[str, object]:
    """For a while; `operation` does as many as `operations`."""
    clock = time.perf_counter_ns
    warm = clock() + WARM_UP_SECONDS * 1e9
    while clock() < warm:
        operation()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    disturbance = Disturbance([int(child) for child in children])
    times: list[int] = []
    now = clock()
    end = now + SECONDS * 1e9
    while now < end:
        operation()
        before, now = now, clock()
        times.append(now - before)
    others = disturbance.others()
    times.sort()
    return {
        "name": name,
        "ns": times[len(times) // 2] / operations,
        "p99_ns": times[len(times) * 99 // 100] / operations,
        "others": others,
    }


def main() -> None:
    ways: list[Way] = [cpp_model, python_model, pickle, by_hand]
    ways_in_flight = [cpp_model_in_flight, python_model_in_flight, by_hand_in_flight]
    if importlib.util.find_spec("grpc") is not None:
        ways.append(grpcio)
        ways_in_flight.append(grpcio_in_flight)
    rows = []
    for bytes_each in (0, SENT):
        for way in ways:
            with way(bytes_each) as call:
                rows.append(measure(f"python/{bytes_each}/{way.__name__}", call))
    for way_in_flight in ways_in_flight:
        with way_in_flight() as calls:
            name = way_in_flight.__name__.removesuffix("_in_flight")
            rows.append(measure(f"python/in_flight/{name}", calls, servers.IN_FLIGHT))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
