# SPDX-License-Identifier: Apache-2.0
"""A pickled tensor: its bytes in the stream, its memory beside the stream, or an id that other processes open."""

import copy
import gc
import multiprocessing
import pickle
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from tests.python.core.program import Program

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
BIG = 1 << 20


def tensor_of(read_only: bool = False) -> rm.TensorBuffer:
    tensor = rm.TensorBuffer.from_numpy(np.arange(BIG, dtype=np.uint8).reshape(1024, -1))
    return tensor.as_read_only() if read_only else tensor


def shared(allocator: rm.SharedMemoryAllocator, elements: int = 1024) -> rm.TensorBuffer:
    tensor = allocator.allocate_tensor(elements, "int64", session_id="pickled")
    tensor.to_numpy()[:] = np.arange(elements)
    return tensor


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("read_only", [True, False])
def test_in_band_a_pickle_has_the_bytes(protocol: int, read_only: bool) -> None:
    tensor = tensor_of(read_only)
    stream = pickle.dumps(tensor, protocol)
    assert len(stream) >= BIG
    again = pickle.loads(stream)
    assert (again.shape, again.dtype, again.read_only) == (tensor.shape, tensor.dtype, read_only)
    assert again.to_bytes() == tensor.to_bytes()
    assert not np.shares_memory(again.to_numpy(), tensor.to_numpy())


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_in_band_a_pickle_has_them_once(protocol: int) -> None:
    assert len(pickle.dumps(tensor_of(), protocol)) < BIG + 1000


def test_out_of_band_nothing_is_copied() -> None:
    tensor = tensor_of()
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(tensor, protocol=5, buffer_callback=buffers.append)
    assert len(stream) < 1000
    again = pickle.loads(stream, buffers=buffers)
    assert again.data_ptr == tensor.data_ptr
    again.to_numpy()[3, 3] = 77
    assert tensor.to_numpy()[3, 3] == 77


def test_out_of_band_what_is_read_only_stays_so() -> None:
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(tensor_of(read_only=True), protocol=5, buffer_callback=buffers.append)
    assert buffers[0].raw().readonly
    assert pickle.loads(stream, buffers=buffers).read_only
    assert pickle.loads(stream, buffers=[bytes(BIG)]).read_only


def test_out_of_band_gaps_are_packed() -> None:
    tensor = tensor_of()[::-2, ::3]
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(tensor, protocol=5, buffer_callback=buffers.append)
    assert buffers[0].raw().nbytes == tensor.nbytes
    assert pickle.loads(stream, buffers=buffers).to_bytes() == tensor.to_bytes()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,) * 64])
def test_any_shape_is_pickled(shape: tuple[int, ...]) -> None:
    for protocol in PROTOCOLS:
        again = pickle.loads(pickle.dumps(rm.TensorBuffer.allocate(shape, "float64"), protocol))
        assert again.shape == shape


def test_other_bytes_than_the_shape_takes_are_refused() -> None:
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(tensor_of(), protocol=5, buffer_callback=buffers.append)
    for wrong in (bytes(BIG - 1), bytes(BIG + 1), b""):
        with pytest.raises(rm.InvalidTensor, match="bytes"):
            pickle.loads(stream, buffers=[wrong])


def test_a_freed_tensor_is_not_pickled(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = shared(allocator)
    allocator.free(tensor)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(rm.InvalidTensor, match="freed"):
            attempt(tensor)


# Shared memory


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_tensor_in_shared_memory_is_pickled_as_its_id(allocator: rm.SharedMemoryAllocator, protocol: int) -> None:
    sizes = {len(pickle.dumps(shared(allocator, elements), protocol)) for elements in (1, 1000, 1_000_000)}
    assert max(sizes) < 400
    tensor = shared(allocator)
    again = pickle.loads(pickle.dumps(tensor, protocol))
    assert (again.storage, again.read_only, again.shape) == ("shared_memory", True, (1024,))
    tensor.to_numpy()[5] = -1
    assert again.to_numpy()[5] == -1


def test_a_view_of_shared_memory_is_pickled_as_a_view(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = shared(allocator)
    view = tensor.reshape(32, 32)[::-1, 3::4]
    again = pickle.loads(pickle.dumps(view))
    assert again.strides == view.strides
    assert again.to_bytes() == view.to_bytes()
    tensor.to_numpy()[:] = 9
    assert np.all(again.to_numpy() == 9)


def send_sum(pipe: Connection) -> None:
    """In a process of its own: opens the tensors that come, and says what it saw."""
    while (tensor := pipe.recv()) is not None:
        seen = (tensor.storage, tensor.read_only, int(tensor.to_numpy().sum()))
        del tensor
        gc.collect()
        pipe.send(seen)


def test_another_process_opens_what_a_pipe_brings(allocator: rm.SharedMemoryAllocator) -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=send_sum, args=(there,))
    process.start()
    there.close()
    tensor = shared(allocator)
    here.send(tensor)
    assert here.recv() == ("shared_memory", True, 1024 * 1023 // 2)

    here.send(shared(allocator))  # whose last name goes before the other side comes
    gc.collect()
    assert here.recv() == ("shared_memory", True, 1024 * 1023 // 2)

    here.send(rm.TensorBuffer.from_numpy(np.arange(10)))
    assert here.recv() == ("foreign", False, 45)
    here.send(None)
    process.join(60)
    assert process.exitcode == 0


READER = """
import pickle
while (line := sys.stdin.readline()).strip():
    try:
        tensor = pickle.loads(bytes.fromhex(line))
        say(str(int(tensor.to_numpy().sum())))
    except rm.SharedMemoryUnavailable:
        say("unavailable")
"""


def test_a_pickle_on_its_way_holds_the_elements_for_its_reader() -> None:
    allocator = rm.SharedMemoryAllocator(rm.AllocatorConfig(lease_ttl_seconds=3600))
    reader = Program(READER)
    stream = pickle.dumps(shared(allocator)).hex()
    gc.collect()
    assert allocator.session_usage("pickled") == 8192  # by nobody but the pickle
    reader.tell(stream)
    reader.wait_for(str(1024 * 1023 // 2))
    reader.tell("")
    assert reader.end() == [str(1024 * 1023 // 2)]


def test_a_pickle_that_nobody_reads_is_let_go() -> None:
    allocator = rm.SharedMemoryAllocator(rm.AllocatorConfig(lease_ttl_seconds=3600))
    reader = Program(READER)
    stream = pickle.dumps(shared(allocator)).hex()
    gc.collect()
    assert allocator.session_usage("pickled") == 8192
    assert allocator.cleanup_expired(ttl_seconds=0) == 1
    assert allocator.session_usage("pickled") == 0
    reader.tell(stream)
    reader.wait_for("unavailable")
    reader.tell(stream)
    reader.wait_for("unavailable")
    reader.tell("")
    reader.end()


def test_a_pickle_in_the_same_process_is_the_same_memory(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = shared(allocator)
    stream = pickle.dumps([tensor, tensor, tensor[10:]])
    first, second, third = pickle.loads(stream)
    assert first is second  # pickle's own memo
    tensor.to_numpy()[10] = -5
    assert first.to_numpy()[10] == third.to_numpy()[0] == -5


# copy


def test_a_copy_is_a_view_and_a_deep_copy_is_a_copy(allocator: rm.SharedMemoryAllocator) -> None:
    for tensor in (rm.TensorBuffer.from_numpy(np.arange(6.0)), shared(allocator)):
        view, deep = copy.copy(tensor), copy.deepcopy(tensor)
        assert view is not tensor
        assert view.data_ptr == tensor.data_ptr
        assert view.storage == tensor.storage
        assert not np.shares_memory(deep.to_numpy(), tensor.to_numpy())
        assert deep.to_bytes() == tensor.to_bytes()
        assert not deep.read_only


def test_a_deep_copy_keeps_what_is_one_one() -> None:
    tensor = tensor_of()
    made: list[Any] = copy.deepcopy([tensor, tensor])
    assert made[0] is made[1]
    assert made[0] is not tensor


def test_tensors_are_equal_and_hashed_by_identity() -> None:
    tensor = rm.TensorBuffer.allocate(3)
    assert tensor == tensor  # noqa: PLR0124
    assert tensor != copy.copy(tensor)
    assert len({tensor, tensor, copy.copy(tensor)}) == 2
