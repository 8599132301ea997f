# SPDX-License-Identifier: Apache-2.0
"""Round trips leave nothing: no reference, no descriptor, no memory. REMOTEMEDIA_SOAK_ROUNDS says how many."""

import gc
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from tests.python.tensors.hostile_dlpack import Producer, Taken

ROUNDS = int(os.environ.get("REMOTEMEDIA_SOAK_ROUNDS", "10000"))

allocator = rm.SharedMemoryAllocator()
array = np.arange(24, dtype=np.float32).reshape(4, 6)
heap = rm.TensorBuffer.from_numpy(array)
shared = allocator.allocate_tensor((4, 6), "float32")
data = bytes(96)
producer = Producer()


def refused(error: type[Exception], call: Callable[[], Any]) -> None:
    with pytest.raises(error):
        call()


TRIPS: dict[str, Callable[[], Any]] = {
    "from_numpy": lambda: rm.TensorBuffer.from_numpy(array).to_numpy(),
    "a copy": lambda: rm.TensorBuffer.from_numpy(array, zero_copy=False).to_bytes(),
    "from_bytes": lambda: rm.TensorBuffer.from_bytes(data, (4, 6), "float32").to_numpy(),
    "asarray": lambda: np.asarray(shared),
    "array interface": lambda: shared.__array_interface__,
    "memoryview": lambda: memoryview(shared).release(),
    "dlpack to numpy": lambda: np.from_dlpack(shared),
    "dlpack from numpy": lambda: rm.TensorBuffer.from_dlpack(array),
    "dlpack to itself": lambda: rm.TensorBuffer.from_dlpack(heap),
    "a capsule that nobody takes": lambda: shared.__dlpack__(max_version=(1, 0), copy=True),
    "a capsule that is taken": lambda: Taken(shared.__dlpack__()).release(),
    "a producer in Python": lambda: rm.TensorBuffer.from_dlpack(producer.capsule()),
    "a view": lambda: shared[1:, ::2].transpose().reshape(3, 3).to_bytes(),
    "metadata": lambda: (shared.shape, shared.strides, shared.dtype, shared.device, repr(shared)),
    "allocate": lambda: allocator.allocate_tensor((4, 6), "float32", session_id="s").to_numpy(),
    "free": lambda: allocator.free(allocator.allocate_tensor(100)),
    "pickle": lambda: pickle.loads(pickle.dumps(heap)),
    "out of band": lambda: pickle.loads(pickle.dumps(heap, 5, buffer_callback=lambda _: None), buffers=[data]),
    "refused dtype": lambda: refused(rm.InvalidTensor, lambda: rm.TensorBuffer.allocate(3, "nonsense")),
    "refused index": lambda: refused(IndexError, lambda: shared[9]),
    "refused device": lambda: refused(BufferError, lambda: shared.__dlpack__(dl_device=(2, 0))),
}


def resident() -> int:
    with Path("/proc/self/smaps_rollup").open() as memory:
        return next(int(line.split()[1]) for line in memory if line.startswith("Pss:")) << 10


def references() -> list[int]:
    held: list[Any] = [array, heap, shared, data, producer, allocator, heap.dtype]
    return [sys.getrefcount(one) for one in held]


@pytest.mark.parametrize("trip", TRIPS)
def test_round_trips_leave_nothing(trip: str) -> None:
    go = TRIPS[trip]
    rounds = ROUNDS // (10 if trip.startswith("refused") else 1)

    def many() -> None:
        for _ in range(rounds):
            go()

    for _ in range(rounds // 10 + 10):
        go()
    producer.calls.clear()
    gc.collect()
    before, blocks = references(), sys.getallocatedblocks()
    descriptors, memory = len(list(Path("/proc/self/fd").iterdir())), resident()
    many()
    gc.collect()
    assert references() == before
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert sys.getallocatedblocks() - blocks < rounds // 10 + 100
    assert resident() - memory < 2 << 20


def test_ids_leave_nothing() -> None:
    def go() -> None:
        tensor = allocator.allocate_tensor(100, session_id="ids")
        opened = rm.TensorBuffer.from_shared_memory(tensor.to_shared_memory())
        assert opened.nbytes == 100

    for _ in range(10):
        go()
    gc.collect()
    descriptors, memory = len(list(Path("/proc/self/fd").iterdir())), resident()
    for _ in range(ROUNDS // 50):
        go()
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors + 1
    assert resident() - memory < 2 << 20
