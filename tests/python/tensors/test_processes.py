# SPDX-License-Identifier: Apache-2.0
"""Tensors between processes: opened by id, kept by importers, and by nobody who was killed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from tests.python.core.program import Program, run


def eventually(holds: Callable[[], bool]) -> None:
    """Waits for what the kernel is about to tell another thread."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


VICTIM = """
import sys, threading
import remotemedia as rm
tensor = rm.TensorBuffer.from_shared_memory(sys.argv[1])
array, view, part = tensor.to_numpy(), memoryview(tensor), tensor[1:]
del tensor
print(int(array.sum()), flush=True)
threading.Event().wait()
"""


@contextmanager
def victim(token: str) -> Iterator[Any]:
    """A process that holds views of the tensor, and does so until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(VICTIM), token],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_memory_of_two_killed_importers_comes_back(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = allocator.allocate_tensor(1 << 20, session_id="s")
    tensor.to_numpy()[:] = 1
    token = tensor.to_shared_memory()
    with victim(token) as first, victim(token) as second:
        for process in (first, second):
            assert process.stdout.readline() == f"{1 << 20}\n", process.communicate()
        del tensor
        assert allocator.session_usage("s") == 1 << 20  # for the importers
        os.kill(first.pid, signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
        assert allocator.session_usage("s") == 1 << 20  # for the one that is left
        other = allocator.allocate_tensor(1000, session_id="t")
        assert rm.TensorBuffer.from_shared_memory(other.to_shared_memory()).nbytes == 1000
        os.kill(second.pid, signal.SIGKILL)
        assert second.wait() == -signal.SIGKILL
        eventually(lambda: allocator.session_usage("s") == 0)
    again = allocator.allocate_tensor(1 << 20, session_id="s")
    with victim(again.to_shared_memory()) as third:
        assert third.stdout.readline() != ""


def test_killed_importers_leave_no_descriptor(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = allocator.allocate_tensor(1000)
    tensor.to_numpy()[:] = 1
    token = tensor.to_shared_memory()

    def killed() -> None:
        with victim(token) as process:
            assert process.stdout.readline() == "1000\n"

    eventually(lambda: allocator.metrics().regions_active == 2)  # the spare one is made by another thread
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        killed()
    eventually(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)


def test_views_outlive_a_killed_exporter() -> None:
    exporter = Program("""
    tensor = rm.SharedMemoryAllocator().allocate_tensor(1000, "int32")
    tensor.to_numpy()[:] = 3
    say(str(os.getpid()))
    say(tensor.to_shared_memory())
    say("ready")
    threading.Event().wait()
    """)
    exporter.wait_for("ready")
    pid, token = exporter.lines[0], exporter.lines[1]
    opened = rm.TensorBuffer.from_shared_memory(token)
    array = opened[1:].to_numpy()
    del opened
    os.kill(int(pid), signal.SIGKILL)
    assert exporter.end(code=-signal.SIGKILL)[:2] == [pid, token]
    assert array.sum() == 999 * 3
    for _ in range(2):
        with pytest.raises(rm.SharedMemoryUnavailable):
            rm.TensorBuffer.from_shared_memory(token)


def test_another_process_sees_writes(allocator: rm.SharedMemoryAllocator) -> None:
    reader = Program("""
    tensor = rm.TensorBuffer.from_shared_memory(sys.stdin.readline().strip())
    array = tensor.to_numpy()
    say(f"{tensor.shape} {tensor.dtype} {tensor.storage} {tensor.read_only} {array.flags.writeable} {array.sum()}")
    sys.stdin.readline()
    say(str(array.sum()))
    """)
    tensor = allocator.allocate_tensor((10, 10), "float64")
    tensor.to_numpy()[:] = 0.5
    view = tensor[1:, ::2]
    reader.tell(view.to_shared_memory())
    reader.wait_for("(9, 5) float64 shared_memory True False 22.5")
    tensor.to_numpy()[:] = 2
    reader.tell("again")
    assert reader.end()[-1] == "90.0"


def test_an_id_of_heap_memory_lasts_as_long_as_the_buffer() -> None:
    tensor = rm.TensorBuffer.from_numpy(np.arange(5))
    ids = [tensor.to_shared_memory() for _ in range(2)]
    assert ids[0] != ids[1]
    tensor.to_numpy()[:] = 0
    for token in ids:
        assert rm.TensorBuffer.from_shared_memory(token).to_numpy().tolist() == [0, 1, 2, 3, 4]
    del tensor
    for token in ids:
        with pytest.raises(rm.SharedMemoryUnavailable):
            rm.TensorBuffer.from_shared_memory(token)


def test_an_id_of_shared_memory_is_always_the_same(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = allocator.allocate_tensor(5)
    assert tensor.to_shared_memory() == tensor.to_shared_memory()


def test_a_snapshot_is_made_in_the_allocator_that_is_named(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = rm.TensorBuffer.from_numpy(np.arange(1000))
    tensor.to_shared_memory(allocator=allocator)
    assert allocator.metrics().allocations_total == 1


def test_an_opened_tensor_is_shown_on() -> None:
    allocator = rm.SharedMemoryAllocator()
    tensor = allocator.allocate_tensor(10)
    tensor.to_numpy()[:] = 8
    lines = run(f"""
    import subprocess
    opened = rm.TensorBuffer.from_shared_memory({tensor.to_shared_memory()!r})
    third = subprocess.run(
        [sys.executable, "-c", "import sys, remotemedia as rm;"
         "print(rm.TensorBuffer.from_shared_memory(sys.argv[1]).to_bytes().hex())", opened.to_shared_memory()],
        capture_output=True, text=True,
    )
    say(third.stdout.strip() or third.stderr)
    """)
    assert lines == ["08" * 10]


@pytest.mark.parametrize("timeout", [-1.0, float("nan"), "1", None])
def test_a_timeout_that_makes_no_sense_is_refused(allocator: rm.SharedMemoryAllocator, timeout: Any) -> None:
    token = allocator.allocate_tensor(5).to_shared_memory()
    for _ in range(2):
        with pytest.raises((ValueError, TypeError)):
            rm.TensorBuffer.from_shared_memory(token, timeout=timeout)


def test_an_exporter_that_does_not_answer_is_a_deadline_exceeded() -> None:
    exporter = Program("""
    tensor = rm.SharedMemoryAllocator().allocate_tensor(10)
    say(str(os.getpid()))
    say(tensor.to_shared_memory())
    say("ready")
    sys.stdin.readline()
    """)
    exporter.wait_for("ready")
    pid, token = int(exporter.lines[0]), exporter.lines[1]
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    try:
        for _ in range(2):
            with pytest.raises(rm.DeadlineExceeded) as late:
                rm.TensorBuffer.from_shared_memory(token, timeout=0.05)
            assert isinstance(late.value, TimeoutError)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert rm.TensorBuffer.from_shared_memory(token).nbytes == 10
    exporter.tell("end")
    exporter.end()
