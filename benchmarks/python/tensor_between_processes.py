# SPDX-License-Identifier: Apache-2.0
"""10 MiB to another process, which reads the first element and answers. Both sleep while they wait."""

import json
import multiprocessing
import os
import pickle
import struct
import time
from abc import ABC, abstractmethod
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.python.disturbance import Disturbance
from benchmarks.sizes import SENT
from remotemedia import SharedMemoryAllocator, TensorBuffer

SHAPE = (SENT // 4,)
SECONDS = 0.5
ANSWER = struct.Struct("f")


class Way(ABC):
    """How the tensor gets there. `source` is where the first element is written, each time anew."""

    source: Any

    @abstractmethod
    def send(self, pipe: Connection) -> None: ...

    @staticmethod
    @abstractmethod
    def receive(pipe: Connection) -> float:
        """The first element."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        pass


class ById(Way):
    def __init__(self) -> None:
        self._tensor = SharedMemoryAllocator().allocate_tensor(SHAPE, "float32")
        self.source = self._tensor.to_numpy()

    def send(self, pipe: Connection) -> None:
        pipe.send_bytes(self._tensor.to_shared_memory().encode())

    @staticmethod
    def receive(pipe: Connection) -> float:
        return float(TensorBuffer.from_shared_memory(pipe.recv_bytes().decode()).to_numpy()[0])


class ByIdKept(ById):
    """The receiver keeps the last one until the next has come, so that its memory stays mapped."""

    kept: TensorBuffer

    @staticmethod
    def receive(pipe: Connection) -> float:
        ByIdKept.kept = TensorBuffer.from_shared_memory(pipe.recv_bytes().decode())
        return float(ByIdKept.kept.to_numpy()[0])


class PickledTensor(Way):
    """In shared memory: what is pickled is its id."""

    def __init__(self) -> None:
        self._tensor = self.make()
        self.source = self._tensor.to_numpy()

    def make(self) -> TensorBuffer:
        return SharedMemoryAllocator().allocate_tensor(SHAPE, "float32")

    def send(self, pipe: Connection) -> None:
        pipe.send_bytes(pickle.dumps(self._tensor, protocol=5))

    @staticmethod
    def receive(pipe: Connection) -> float:
        return float(pickle.loads(pipe.recv_bytes()).to_numpy()[0])


class PickledHeapTensor(PickledTensor):
    """On the heap: its bytes are pickled."""

    def make(self) -> TensorBuffer:
        return TensorBuffer.from_numpy(np.ones(SHAPE, np.float32))


class PickledArray(Way):
    def __init__(self) -> None:
        self.source = np.ones(SHAPE, np.float32)

    def send(self, pipe: Connection) -> None:
        pipe.send(self.source)

    @staticmethod
    def receive(pipe: Connection) -> float:
        return float(pipe.recv()[0])


class ByName(Way):
    """multiprocessing.shared_memory, created once and attached each time."""

    def __init__(self) -> None:
        self._memory = SharedMemory(create=True, size=SENT)
        self.source = np.ndarray(SHAPE, np.float32, self._memory.buf)

    def send(self, pipe: Connection) -> None:
        pipe.send_bytes(self._memory.name.encode())

    @staticmethod
    def receive(pipe: Connection) -> float:
        memory = SharedMemory(pipe.recv_bytes().decode())
        element = float(np.ndarray(SHAPE, np.float32, memory.buf)[0])
        memory.close()
        return element

    def close(self) -> None:
        del self.source
        self._memory.close()
        self._memory.unlink()


class PipeOnly(Way):
    """The element as text, padded to the length of an id: what the pipe alone takes."""

    def __init__(self) -> None:
        self.source = np.ones(1, np.float32)

    def send(self, pipe: Connection) -> None:
        pipe.send_bytes(f"{float(self.source[0]):48}".encode())

    @staticmethod
    def receive(pipe: Connection) -> float:
        return float(pipe.recv_bytes())


WAYS: dict[str, type[Way]] = {
    "by_id": ById,
    "by_id_kept": ByIdKept,
    "pickled_tensor": PickledTensor,
    "pickled_heap_tensor": PickledHeapTensor,
    "pickled_array": PickledArray,
    "by_name": ByName,
    "pipe_only": PipeOnly,
}


def answer(name: str, pipe: Connection) -> None:
    """The other process: reads first elements until there are no more."""
    receive = WAYS[name].receive
    try:
        while True:
            pipe.send_bytes(ANSWER.pack(receive(pipe)))
    except EOFError:
        return


def measure(name: str) -> dict[str, object]:
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    other = processes.Process(target=answer, args=(name, theirs))
    other.start()
    theirs.close()
    way = WAYS[name]()

    def round_trip(number: int) -> int:
        way.source[0] = number
        began = time.perf_counter_ns()
        way.send(ours)
        (element,) = ANSWER.unpack(ours.recv_bytes())
        took = time.perf_counter_ns() - began
        assert element == number
        return took

    for number in range(20):
        round_trip(number)
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    disturbance = Disturbance([int(child) for child in children])  # Python's resource tracker is one
    times: list[int] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        times.append(round_trip(len(times) % 1000))
    others = disturbance.others()
    ours.close()
    other.join()
    way.close()
    assert other.exitcode == 0
    times.sort()
    return {
        "name": f"processes/{name}",
        "ns": times[len(times) // 2],
        "p99_ns": times[len(times) * 99 // 100],
        "others": others,
    }


if __name__ == "__main__":
    print(json.dumps([measure(name) for name in WAYS]))
