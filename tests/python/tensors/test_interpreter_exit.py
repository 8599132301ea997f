# SPDX-License-Identifier: Apache-2.0
"""However a program ends with tensors alive: exit code 0, nothing on stderr, nothing leaked."""

import pytest

from tests.python.core.program import Program, run

HEAD = """
import numpy as np
from tests.python.tensors.hostile_dlpack import Producer, Taken, immortal
allocator = rm.SharedMemoryAllocator()
tensor = allocator.allocate_tensor(64, session_id="s")
tensor.to_numpy()[:] = 7
"""

OWNERS = {
    "globals": "array = tensor.to_numpy(); view = memoryview(tensor)",
    "an array alone": "array = tensor.to_numpy(); del tensor, allocator",
    "a memoryview alone": "view = memoryview(tensor); del tensor, allocator",
    "an allocator alone": "del tensor",
    "a closed allocator": "allocator.close()",
    "a closed session": "allocator.close_session('s')",
    "a capsule": "capsule = tensor.__dlpack__(); del tensor, allocator",
    "an import": "imported = rm.TensorBuffer.from_dlpack(np.zeros(4)); del tensor",
    "an id": "id = tensor.to_shared_memory()",
    "an id alone": "id = tensor.to_shared_memory(); del tensor, allocator",
    "a snapshot": "heap = rm.TensorBuffer.allocate(4); id = heap.to_shared_memory()",
    "an opened tensor": "opened = rm.TensorBuffer.from_shared_memory(tensor.to_shared_memory())",
    "a pickle": "import pickle; stream = pickle.dumps(tensor); del tensor",
    "a region": "region = rm.SharedMemoryRegion.create(99); view = region.view(); id = region.id",
    "a view of a closed region": "region = rm.SharedMemoryRegion.create(99); view = region.view(); region.close()",
    "a closure": "held = (lambda held: lambda: held)(tensor); del tensor",
    "a default argument": "def use(tensor=tensor): pass",
    "a class": "class Owner: tensor = tensor; array = tensor.to_numpy()",
    "another module": "import json; json.tensor = tensor",
    "a thread-local": "local = threading.local(); local.tensor = tensor",
    "a cycle": "cycle = [tensor]; cycle.append(cycle)",
    "a dtype": "dtype = tensor.dtype",
    "a view of an array": "del tensor, allocator; kept = rm.TensorBuffer.from_numpy(np.zeros(4))[1:]",
    "a subclass of an array": """
        class Array(np.ndarray): pass
        kept = rm.TensorBuffer.from_numpy(np.zeros(4).view(Array))
    """,
    "an import from Python code": "producer = immortal(Producer()); kept = rm.TensorBuffer.from_dlpack(producer)",
    "capabilities": "found = rm.TensorCapabilities.detect()",
}


@pytest.mark.parametrize("owner", OWNERS)
def test_a_program_ends_well_whose_tensor_is_held_by(owner: str) -> None:
    assert run(HEAD, OWNERS[owner]) == []


def test_a_tensor_is_good_in_a_handler_at_exit() -> None:
    program = """
    array, view = tensor.to_numpy(), memoryview(tensor)
    def at_exit():
        new = allocator.allocate_tensor(4)
        new.to_numpy()[:] = 1
        say(f"{array.sum()} {sum(view)} {tensor[1:].to_numpy().sum()} {tensor.dtype} {new.to_bytes()}")
        rm.TensorBuffer.from_dlpack(rm.TensorBuffer.from_dlpack(np.zeros(4)))
    atexit.register(at_exit)
    """
    assert run(HEAD, program) == [f"{7 * 64} {7 * 64} {7 * 63} uint8 {bytes([1] * 4)!r}"]


def test_a_tensor_is_good_in_a_destructor_at_the_very_end() -> None:
    program = """
    class Last:
        def __init__(self): self.tensor = tensor; self.array = tensor.to_numpy()
        def __del__(self, say=say):
            say(f"{self.array[3]} {self.tensor.shape} {self.tensor.dtype} {len(self.tensor[1:].to_bytes())}")
    sys.last = Last()
    del tensor
    """
    assert run(HEAD, program) == ["7 (64,) uint8 63"]


def test_an_error_with_tensors_in_its_frames_ends_the_program_as_errors_do() -> None:
    program = Program(
        HEAD,
        """
        sys.excepthook = lambda *error: say(error[0].__name__)
        def deep(tensor):
            array = tensor.to_numpy()
            raise RuntimeError
        deep(tensor)
        """,
    )
    assert program.end(code=1) == ["RuntimeError"]


def test_sys_exit_in_a_thread_that_holds_a_tensor() -> None:
    program = """
    def work(tensor):
        array = tensor.to_numpy()
        sys.exit(3)
    thread = threading.Thread(target=work, args=(tensor,))
    thread.start()
    thread.join()
    """
    assert run(HEAD, program) == []


DAEMONS = {
    "allocate": "allocator.allocate_tensor(1000).to_numpy()[:] = 1",
    "share": "rm.TensorBuffer.from_shared_memory(tensor.to_shared_memory()).to_numpy().sum()",
    "snapshot": "rm.TensorBuffer.from_numpy(np.zeros(1000)).to_shared_memory()",
    "exchange": "np.from_dlpack(rm.TensorBuffer.from_dlpack(np.zeros(10))).sum()",
    "release": "Taken(rm.TensorBuffer.from_numpy(np.zeros(10)).__dlpack__(max_version=(1, 0))).release_in_thread()",
    "regions": "rm.SharedMemoryRegion.create(100).view()[0] = 1",
}


@pytest.mark.parametrize("work", DAEMONS)
def test_daemon_threads_that_use_tensors_are_cut_off_without_harm(work: str) -> None:
    program = f"""
    running = threading.Barrier(4)
    def daemon():
        {DAEMONS[work]}
        running.wait()
        while True:
            {DAEMONS[work]}
    for _ in range(3):
        threading.Thread(target=daemon, daemon=True).start()
    running.wait()
    """
    assert run(HEAD, program, stuck=True) == []


def test_a_daemon_thread_that_holds_tensors_and_sleeps_is_left() -> None:
    program = """
    holding = threading.Event()
    def daemon(array, view, capsule):
        holding.set()
        threading.Event().wait()
    threading.Thread(
        target=daemon, args=(tensor.to_numpy(), memoryview(tensor), tensor.__dlpack__()), daemon=True
    ).start()
    holding.wait()
    """
    assert run(HEAD, program, stuck=True) == []


def test_os_exit_with_tensors_alive() -> None:
    program = Program(HEAD, "id = tensor.to_shared_memory()\nos._exit(5)")
    assert program.end(code=5) == []
