# SPDX-License-Identifier: Apache-2.0
"""Memory lives exactly as long as its last user, whatever else goes first."""

import gc
import os
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from tests.python.tensors.hostile_dlpack import Producer, Taken

SESSION = "watched"
COUNT = 64


def watched(allocator: rm.SharedMemoryAllocator) -> rm.TensorBuffer:
    """512 bytes, whose life session_usage(SESSION) tells."""
    tensor = allocator.allocate_tensor(COUNT, "int64", session_id=SESSION)
    tensor.to_numpy()[:] = np.arange(COUNT)
    return tensor


VIEWS: dict[str, Callable[[rm.TensorBuffer], Any]] = {
    "index": lambda tensor: tensor[:],
    "reshape": lambda tensor: tensor.reshape(8, 8).reshape(COUNT),
    "read-only": lambda tensor: tensor.as_read_only(),
    "to_numpy": lambda tensor: tensor.to_numpy(),
    "asarray": np.asarray,
    "from_dlpack": np.from_dlpack,
    "memoryview": memoryview,
    "tensor of a tensor": rm.TensorBuffer.from_dlpack,
    "tensor of an array": lambda tensor: rm.TensorBuffer.from_numpy(tensor.to_numpy()),
    "part of an array": lambda tensor: tensor.to_numpy()[:],
    "array of a memoryview": lambda tensor: np.asarray(memoryview(tensor)),
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_outlives_buffer_session_and_allocator(view: str) -> None:
    allocator = rm.SharedMemoryAllocator()
    tensor = watched(allocator)
    kept = VIEWS[view](tensor)
    del tensor
    gc.collect()
    assert allocator.session_usage(SESSION) == 512
    assert allocator.close_session(SESSION) == 1
    gc.collect()
    assert np.asarray(kept).tolist() == list(range(COUNT))
    allocator.close()
    gc.collect()
    assert np.asarray(kept).tolist() == list(range(COUNT))
    gone = weakref.ref(allocator)
    del allocator
    gc.collect()
    assert gone() is None
    assert np.asarray(kept).tolist() == list(range(COUNT))


@pytest.mark.parametrize("view", VIEWS)
def test_the_memory_comes_back_with_the_last_view(allocator: rm.SharedMemoryAllocator, view: str) -> None:
    tensor = watched(allocator)
    kept = [VIEWS[view](tensor) for _ in range(3)]
    del tensor
    while kept:
        assert allocator.session_usage(SESSION) == 512
        kept.pop()
    gc.collect()
    assert allocator.session_usage(SESSION) == 0
    assert allocator.metrics().bytes_allocated == 0


def test_an_opened_tensor_outlives_its_exporters_buffer(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = watched(allocator)
    opened = rm.TensorBuffer.from_shared_memory(tensor.to_shared_memory())
    del tensor
    gc.collect()
    for _ in range(8):
        watched(allocator).to_numpy()[:] = -1
    assert opened.to_numpy().tolist() == list(range(COUNT))


# free


def test_free_ends_the_use_of_this_object(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = watched(allocator)
    allocator.free(tensor)
    assert allocator.session_usage(SESSION) == 0
    uses: list[Callable[[], Any]] = [
        lambda: tensor.shape,
        lambda: tensor.dtype,
        lambda: tensor.data_ptr,
        lambda: tensor.storage,
        lambda: tensor[0],
        lambda: len(tensor),
        lambda: tensor.reshape(8, 8),
        tensor.to_numpy,
        tensor.to_bytes,
        tensor.to_shared_memory,
        tensor.copy,
        lambda: memoryview(tensor),
        lambda: np.asarray(tensor),
        lambda: np.from_dlpack(tensor),
        tensor.__dlpack__,
        tensor.__dlpack_device__,
        tensor.__array__,
        lambda: tensor.__array_interface__,
        lambda: rm.TensorBuffer.from_dlpack(tensor),
    ]
    for _ in range(2):
        for use in uses:
            with pytest.raises(rm.InvalidTensor, match="freed"):
                use()
    assert repr(tensor) == "TensorBuffer(freed)"


def test_free_twice_is_once(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = watched(allocator)
    frees = allocator.metrics().frees_total
    for _ in range(3):
        allocator.free(tensor)
    assert allocator.metrics().frees_total == frees + 1
    rm.SharedMemoryAllocator().free(tensor)  # gone is gone, for others too


@pytest.mark.parametrize("view", VIEWS)
def test_other_views_stay_valid_after_free(allocator: rm.SharedMemoryAllocator, view: str) -> None:
    tensor = watched(allocator)
    kept = VIEWS[view](tensor)
    allocator.free(tensor)
    others = [watched(allocator) for _ in range(4)]
    for other in others:
        other.to_numpy()[:] = -1
    assert np.asarray(kept).tolist() == list(range(COUNT))
    assert allocator.session_usage(SESSION) == 5 * 512


def test_freed_memory_is_used_again(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = watched(allocator)
    address = tensor.data_ptr
    allocator.free(tensor)
    assert watched(allocator).data_ptr == address


def test_what_another_allocator_has_is_not_freed(allocator: rm.SharedMemoryAllocator) -> None:
    own = watched(allocator)
    others = [
        watched(rm.SharedMemoryAllocator()),
        rm.TensorBuffer.allocate(3),
        rm.TensorBuffer.from_numpy(np.zeros(3)),
        rm.TensorBuffer.from_bytes(b"abc", (3,), "uint8"),
        rm.TensorBuffer.from_shared_memory(own.to_shared_memory()),
    ]
    for other in others:
        for _ in range(2):
            with pytest.raises(rm.InvalidTensor, match="allocator"):
                allocator.free(other)
        assert len(other.to_bytes()) == other.nbytes


def test_free_takes_tensors_only(allocator: rm.SharedMemoryAllocator) -> None:
    for wrong in (None, np.zeros(3), memoryview(b"")):
        with pytest.raises(TypeError):
            allocator.free(wrong)  # type: ignore[arg-type]


def test_a_freed_view_gives_back_nothing_that_another_views(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = watched(allocator)
    view = tensor[1:]
    allocator.free(view)
    assert tensor.to_numpy().tolist() == list(range(COUNT))
    assert allocator.session_usage(SESSION) == 512


# Threads that Python does not know, and the last views in any of them


def test_the_last_view_may_go_in_any_thread(allocator: rm.SharedMemoryAllocator) -> None:
    kept = [watched(allocator) for _ in range(64)]
    threads = [threading.Thread(target=kept.pop) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert allocator.session_usage(SESSION) == 0


def test_deleters_of_other_libraries_run_when_the_last_view_goes_without_python() -> None:
    producer = Producer()
    consumer = Taken(rm.TensorBuffer.from_dlpack(producer).__dlpack__(max_version=(1, 0)))
    assert producer.deletions == 0
    consumer.release_in_thread()
    assert producer.deletions == 1


def test_a_view_in_a_cycle_is_collected(allocator: rm.SharedMemoryAllocator) -> None:
    class Owner:
        def __init__(self, tensor: rm.TensorBuffer) -> None:
            self.tensor = tensor
            self.array = tensor.to_numpy()
            self.owner = self

    Owner(watched(allocator))
    gc.collect()
    assert allocator.session_usage(SESSION) == 0


def test_tensors_and_allocators_have_weak_references(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = watched(allocator)
    gone = weakref.ref(tensor)
    del tensor
    assert gone() is None
    assert weakref.ref(allocator)() is allocator


# Forks


def in_child(check: Callable[[], bool]) -> int:
    """What a forked child answers: 0 if `check` holds there."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_reads_what_it_inherited(allocator: rm.SharedMemoryAllocator) -> None:
    tensors = [
        watched(allocator),
        rm.TensorBuffer.allocate(COUNT, "int64"),
        rm.TensorBuffer.from_numpy(np.zeros(COUNT)),
    ]
    opened = rm.TensorBuffer.from_shared_memory(tensors[0].to_shared_memory())

    def reads() -> bool:
        if opened.to_numpy().tolist() != list(range(COUNT)):
            return False
        return all(tensor[1:].copy().to_bytes() == tensor.to_bytes()[8:] for tensor in tensors)

    assert in_child(reads) == 0
    assert tensors[0].to_numpy().tolist() == list(range(COUNT))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_new_memory_of_a_forked_child_is_heap(allocator: rm.SharedMemoryAllocator) -> None:
    kept = watched(allocator)

    def allocates() -> bool:
        tensor = allocator.allocate_tensor(COUNT, "int64")
        tensor.to_numpy()[:] = 5
        fallbacks = allocator.metrics().fallbacks
        return tensor.storage == "heap" and fallbacks == {"forked": 1}

    assert in_child(allocates) == 0
    assert kept.to_numpy().tolist() == list(range(COUNT))
    assert watched(allocator).storage == "shared_memory"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_lets_go_without_touching_the_parents_memory(allocator: rm.SharedMemoryAllocator) -> None:
    kept = [watched(allocator)]

    def lets_go() -> bool:
        kept.clear()
        gc.collect()
        allocator.close()
        return True

    assert in_child(lets_go) == 0
    assert allocator.session_usage(SESSION) == 512
    assert kept[0].to_numpy().tolist() == list(range(COUNT))
    assert watched(allocator).data_ptr != kept[0].data_ptr


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_while_threads_allocate_leaves_the_child_free(allocator: rm.SharedMemoryAllocator) -> None:
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            watched(allocator).to_shared_memory()

    threads = [threading.Thread(target=churn) for _ in range(4)]
    for thread in threads:
        thread.start()
    codes = [in_child(lambda: watched(allocator).to_numpy()[3] == 3) for _ in range(5)]
    stop.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * 5


def test_freeing_while_another_thread_exports_or_pickles_ends_in_an_id_or_in_an_error(
    allocator: rm.SharedMemoryAllocator,
) -> None:
    for _ in range(200):
        tensor = allocator.allocate_tensor((64,), "uint8")
        both = threading.Barrier(2)
        said: list[object] = []

        def export(tensor: rm.TensorBuffer = tensor, both: threading.Barrier = both, said: list[object] = said) -> None:
            both.wait()
            try:
                said.extend([tensor.to_shared_memory(), pickle.dumps(tensor)])
            except rm.InvalidTensor as error:
                said.append(error)

        exporting = threading.Thread(target=export)
        exporting.start()
        both.wait()
        allocator.free(tensor)
        exporting.join(60)
        assert said
        with pytest.raises(rm.InvalidTensor):
            tensor.to_shared_memory()
