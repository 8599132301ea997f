# SPDX-License-Identifier: Apache-2.0
"""from_numpy of an array that to_numpy made: a part of the tensor's own memory, and not a stranger's."""

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import remotemedia as rm
from remotemedia import TensorBuffer

Array = npt.NDArray[Any]


@pytest.fixture
def allocator() -> rm.SharedMemoryAllocator:
    return rm.SharedMemoryAllocator()


@pytest.fixture
def shared(allocator: rm.SharedMemoryAllocator) -> TensorBuffer:
    tensor = allocator.allocate_tensor((6, 10), "float32", session_id="a")
    tensor.to_numpy()[:] = np.arange(60).reshape(6, 10)
    return tensor


@pytest.mark.parametrize(
    "part",
    [
        lambda array: array,
        lambda array: array[2:5, 1::3],
        lambda array: array[2:][1:][:, 4],
        lambda array: array.T,
        lambda array: array[::-1, ::-2],
        lambda array: array.reshape(-1)[7:9],
        lambda array: array[3, 3, None],
        lambda array: array.view(np.uint8),
        lambda array: np.asarray(memoryview(array)),
        lambda array: np.frombuffer(array, np.float32, count=4, offset=8),
    ],
)
def test_a_part_of_a_shared_tensor_is_in_shared_memory(shared: TensorBuffer, part: Callable[[Array], Array]) -> None:
    array = part(shared.to_numpy())
    tensor = TensorBuffer.from_numpy(array)
    assert tensor.storage == "shared_memory"
    assert np.shares_memory(tensor.to_numpy(), shared.to_numpy())
    assert (tensor.data_ptr, tensor.shape) == (array.ctypes.data, array.shape)
    assert np.array_equal(tensor.to_numpy(), array)
    assert not tensor.read_only


def test_an_array_that_may_not_be_written_makes_a_tensor_that_may_not(shared: TensorBuffer) -> None:
    array = shared.to_numpy()[1:3]
    array.flags.writeable = False
    for tensor in (TensorBuffer.from_numpy(array), TensorBuffer.from_numpy(shared.as_read_only().to_numpy())):
        assert (tensor.storage, tensor.read_only) == ("shared_memory", True)


def test_the_memory_lives_as_long_as_a_part_of_it(allocator: rm.SharedMemoryAllocator, shared: TensorBuffer) -> None:
    tensor = TensorBuffer.from_numpy(shared.to_numpy()[5:])
    allocator.free(shared)
    gc.collect()
    assert allocator.session_usage("a") == 240
    assert tensor.to_numpy().tolist() == [list(range(50, 60))]
    del tensor
    assert allocator.session_usage("a") == 0


def test_an_array_of_a_freed_tensor_is_viewed_still(allocator: rm.SharedMemoryAllocator, shared: TensorBuffer) -> None:
    array = shared.to_numpy()
    allocator.free(shared)
    tensor = TensorBuffer.from_numpy(array[5:])
    assert np.shares_memory(tensor.to_numpy(), array)
    assert tensor.to_numpy()[0, 0] == 50


def test_its_id_shows_what_is_written_later(shared: TensorBuffer) -> None:
    part = TensorBuffer.from_numpy(shared.to_numpy()[2, 4:])
    there = TensorBuffer.from_shared_memory(part.to_shared_memory())
    shared.to_numpy()[2, 4] = -1
    assert there.to_numpy().tolist() == [-1, 25, 26, 27, 28, 29]


def test_an_array_of_another_tensor_s_bits_is_a_part_of_it(shared: TensorBuffer) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="pip install ml_dtypes, for bfloat16 in NumPy")
    array = shared.to_numpy().view(ml_dtypes.bfloat16)[1]
    tensor = TensorBuffer.from_numpy(array)
    assert (tensor.dtype.name, tensor.storage) == ("bfloat16", "shared_memory")
    again = TensorBuffer.from_numpy(tensor.to_numpy()[3:])
    assert (again.data_ptr, again.storage) == (array.ctypes.data + 6, "shared_memory")


def test_an_array_that_no_tensor_lent_is_foreign(shared: TensorBuffer) -> None:
    for array in (np.zeros(3), np.zeros(3)[1:], shared.to_numpy().copy(), np.asarray(memoryview(bytearray(8)))):
        assert TensorBuffer.from_numpy(array).storage == "foreign"


@pytest.mark.parametrize("array", [np.asarray(2.5), np.zeros((0, 3)), np.arange(6.0).reshape(2, 3).T])
def test_a_copy_has_the_shape_of_the_array(array: Array) -> None:
    tensor = TensorBuffer.from_numpy(array, zero_copy=False)
    assert (tensor.shape, tensor.storage, tensor.is_contiguous) == (array.shape, "heap", True)
    assert np.array_equal(tensor.to_numpy(), array)
