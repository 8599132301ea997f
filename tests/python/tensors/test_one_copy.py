# SPDX-License-Identifier: Apache-2.0
"""A big tensor from NumPy through shared memory into another process, and into its arrays there: one copy in all.

Counted by the kernel: pages that belong to the processes, and pages that were faulted in.
"""

import gc
import importlib.util
import os
import resource
from pathlib import Path

import numpy as np
import pytest

import remotemedia as rm
from tests.python.core.program import Program

MIB = 1 << 20
SLACK = 24  # MiB that interpreters need for themselves meanwhile


def size_in_mib() -> int:
    """A gigabyte where the machine has several to spare."""
    with Path("/proc/meminfo").open() as memory:
        available = next(int(line.split()[1]) >> 10 for line in memory if line.startswith("MemAvailable:"))
    if available < 1024:
        pytest.skip(f"{available} MiB of memory are free: 1024 are needed")
    return 1024 if available > 12 * 1024 and "REMOTEMEDIA_SOAK_ROUNDS" in os.environ else 256


def own_mib() -> float:
    with Path("/proc/self/smaps_rollup").open() as memory:
        return next(int(line.split()[1]) for line in memory if line.startswith("Pss:")) / 1024


READER = """
import resource
import numpy as np
def own_mib():
    with open("/proc/self/smaps_rollup") as memory:
        return next(int(line.split()[1]) for line in memory if line.startswith("Pss:")) / 1024
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
token, with_torch = sys.stdin.readline().split()
if with_torch == "True":
    import torch
    torch.zeros(3).sum()
say("ready")
sys.stdin.readline()
base, first = own_mib(), faults()
tensor = rm.TensorBuffer.from_shared_memory(token)
views = [tensor.to_numpy(), np.asarray(tensor), np.from_dlpack(tensor), memoryview(tensor)]
if with_torch == "True":
    views.append(tensor.to_torch(allow_readonly=True))
opened = faults() - first
total = int(views[0][::4096].astype(np.int64).sum())
assert all(int(view[-1]) == int(views[0][-1]) for view in views)
say(f"{own_mib() - base} {opened} {total}")
sys.stdin.readline()
"""


@pytest.mark.parametrize("with_torch", [False, True])
def test_one_copy_in_all(with_torch: bool) -> None:
    if with_torch and importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not there: pip install torch")
    mib = size_in_mib()
    array = np.full(mib * MIB, 3, np.uint8)
    gc.collect()
    base, first = own_mib(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensor = rm.TensorBuffer.from_numpy(array)
    assert own_mib() - base < SLACK
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - first < 1000  # of mib * 256

    allocator = rm.SharedMemoryAllocator()
    token = tensor.to_shared_memory(allocator=allocator)
    assert mib - 1 < own_mib() - base < mib + SLACK  # the one copy

    reader = Program(READER)
    reader.tell(f"{token} {with_torch}")
    reader.wait_for("ready")
    reader.tell("open")
    reader.tell("end")
    line = reader.end()[-1].split()
    grown, faults, total = float(line[0]), int(line[1]), int(line[2])
    assert total == 3 * mib * 256
    assert grown < mib / 2 + SLACK  # its half of the pages that both have
    assert faults < 3000 + mib  # not one for each of mib * 256 pages
    assert own_mib() - base < mib + SLACK
