# SPDX-License-Identifier: Apache-2.0
"""NumPy takes tensors and gives arrays, without copies. Numbers in names are lines of DLPack's checklist."""

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import remotemedia as rm

NUMPY_2 = np.lib.NumpyVersion(np.__version__) >= "2.0.0"

STORAGES: dict[str, Callable[[], rm.TensorBuffer]] = {
    "heap": lambda: rm.TensorBuffer.allocate((4, 6), "int32"),
    "shared_memory": lambda: rm.SharedMemoryAllocator().allocate_tensor((4, 6), "int32"),
    "foreign": lambda: rm.TensorBuffer.from_numpy(np.empty((4, 6), np.int32)),
}


@pytest.fixture(params=STORAGES)
def tensor(request: pytest.FixtureRequest) -> rm.TensorBuffer:
    made = STORAGES[request.param]()
    assert made.storage == request.param
    made.to_numpy()[...] = np.arange(24).reshape(4, 6)
    return made


# 14


def test_14_asarray_shares_memory(tensor: rm.TensorBuffer) -> None:
    array = np.asarray(tensor)
    assert array.ctypes.data == tensor.data_ptr
    assert np.shares_memory(array, tensor.to_numpy())
    array[1, 1] = 70
    assert tensor.to_numpy()[1, 1] == 70


def test_14_array_copies(tensor: rm.TensorBuffer) -> None:
    for array in (np.array(tensor, copy=True), np.array(tensor)):
        assert not np.shares_memory(array, tensor.to_numpy())
        assert array.tolist() == tensor.to_numpy().tolist()


@pytest.mark.skipif(not NUMPY_2, reason="NumPy 1 has no asarray(copy=)")
def test_14_asarray_without_a_copy_shares_or_says_that_it_cannot(tensor: rm.TensorBuffer) -> None:
    assert np.shares_memory(np.asarray(tensor, copy=False), tensor.to_numpy())
    for _ in range(2):
        with pytest.raises(ValueError, match="copy"):
            np.asarray(tensor, dtype=np.float64, copy=False)


def test_14_another_dtype_is_converted(tensor: rm.TensorBuffer) -> None:
    array = np.asarray(tensor, dtype=np.float64)
    assert array.dtype == np.float64
    assert array.tolist() == np.arange(24.0).reshape(4, 6).tolist()


# 15


def test_15_what_may_be_written_is_written_through_numpy(tensor: rm.TensorBuffer) -> None:
    for array in (np.asarray(tensor), tensor.to_numpy(), np.from_dlpack(tensor), tensor.__array__()):
        assert array.flags.writeable


def test_15_what_is_read_only_is_so_in_numpy(tensor: rm.TensorBuffer) -> None:
    view = tensor.as_read_only()
    for array in (np.asarray(view), view.to_numpy(), np.from_dlpack(view), view.__array__(), view[1:].to_numpy()):
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
    assert view.__array_interface__["data"][1] is True
    assert tensor.__array_interface__["data"][1] is False


def test_15_a_read_only_array_makes_a_read_only_tensor() -> None:
    array = np.arange(4)
    array.flags.writeable = False
    assert rm.TensorBuffer.from_numpy(array).read_only
    assert not rm.TensorBuffer.from_numpy(array, zero_copy=False).read_only


# __array__


def test_array_takes_a_dtype_and_copy(tensor: rm.TensorBuffer) -> None:
    assert np.shares_memory(tensor.__array__(), tensor.to_numpy())
    assert np.shares_memory(tensor.__array__(np.int32), tensor.to_numpy())
    assert np.shares_memory(tensor.__array__(copy=False), tensor.to_numpy())
    assert not np.shares_memory(tensor.__array__(copy=True), tensor.to_numpy())
    converted = tensor.__array__(np.dtype("float32"), copy=True)
    assert converted.dtype == np.float32
    with pytest.raises(ValueError, match="copy"):
        tensor.__array__(np.float32, copy=False)


def test_a_copy_of_a_read_only_tensor_can_be_written(tensor: rm.TensorBuffer) -> None:
    assert tensor.as_read_only().__array__(copy=True).flags.writeable


# __array_interface__


class Interface:
    """Has nothing else, as an extension that knows no other protocol sees it."""

    def __init__(self, tensor: rm.TensorBuffer) -> None:
        self.__array_interface__ = tensor.__array_interface__
        self.keeps = tensor


@pytest.mark.parametrize("cut", [np.s_[:], np.s_[1:, ::2], np.s_[::-1, ::-2], np.s_[2], np.s_[2, 3], np.s_[4:]])
def test_the_array_interface_is_version_3(tensor: rm.TensorBuffer, cut: Any) -> None:
    view = tensor[cut]
    interface = view.__array_interface__
    assert interface["version"] == 3
    assert (interface["shape"], interface["typestr"]) == (view.shape, "<i4")
    if interface["strides"] is not None:
        assert interface["strides"] == tuple(4 * stride for stride in view.strides)
    array = np.asarray(Interface(view))
    assert np.array_equal(array, tensor.to_numpy()[cut])
    assert array.size == 0 or np.shares_memory(array, tensor.to_numpy())


def test_the_array_interface_of_a_freed_tensor_keeps_the_elements(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = allocator.allocate_tensor(8, "int64")
    tensor.to_numpy()[:] = 3
    array = np.asarray(Interface(tensor))
    allocator.free(tensor)
    allocator.allocate_tensor(8, "int64").to_numpy()[:] = 4
    assert array.tolist() == [3] * 8


# from_numpy

LAYOUTS: dict[str, Callable[[], npt.NDArray[Any]]] = {
    "row-major": lambda: np.arange(24).reshape(4, 6),
    "column-major": lambda: np.asfortranarray(np.arange(24).reshape(4, 6)),
    "sliced": lambda: np.arange(240).reshape(12, 20)[2:10:2, 1:19:3],
    "reversed": lambda: np.arange(24).reshape(4, 6)[::-1, ::-1],
    "repeated": lambda: np.broadcast_to(np.arange(6), (4, 6)),
    "empty": lambda: np.empty((3, 0, 2)),
    "no axes": lambda: np.array(5),
    "64 axes": lambda: np.zeros((1,) * (64 if NUMPY_2 else 32)),
    "windows": lambda: np.lib.stride_tricks.sliding_window_view(np.arange(10), 3),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_from_numpy_shares_every_layout(layout: str) -> None:
    array = LAYOUTS[layout]()
    tensor = rm.TensorBuffer.from_numpy(array)
    assert tensor.storage == "foreign"
    assert tensor.shape == array.shape
    assert tensor.to_numpy().strides == array.strides or array.size == 0
    assert np.array_equal(tensor.to_numpy(), array)
    assert tensor.read_only is not array.flags.writeable
    if array.size > 0:
        assert tensor.data_ptr == array.ctypes.data
        assert np.shares_memory(tensor.to_numpy(), array)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_from_numpy_copies_where_it_is_told_to(layout: str) -> None:
    array = LAYOUTS[layout]()
    tensor = rm.TensorBuffer.from_numpy(array, zero_copy=False)
    assert (tensor.storage, tensor.read_only, tensor.is_contiguous) == ("heap", False, True)
    assert tensor.shape == array.shape
    assert np.array_equal(tensor.to_numpy(), array)
    assert not np.shares_memory(tensor.to_numpy(), array)


def test_what_strides_in_parts_of_elements_is_copied_only() -> None:
    array = np.zeros(4, [("a", "u1"), ("b", "<i4")])["b"]
    assert array.strides == (5,)
    array[:] = [1, 2, 3, 4]
    for _ in range(2):
        with pytest.raises(rm.ZeroCopyUnavailable, match="zero_copy=False"):
            rm.TensorBuffer.from_numpy(array)
    assert rm.TensorBuffer.from_numpy(array, zero_copy=False).to_numpy().tolist() == [1, 2, 3, 4]


def test_a_field_of_whole_elements_is_shared() -> None:
    array = np.zeros(4, [("a", "<i4"), ("b", "<i4")])
    rm.TensorBuffer.from_numpy(array["b"]).to_numpy()[:] = 8
    assert array["b"].tolist() == [8] * 4
    assert array["a"].tolist() == [0] * 4


def test_unaligned_elements_are_shared() -> None:
    memory = np.zeros(33, np.uint8)
    array = memory[1:].view(np.int64)
    tensor = rm.TensorBuffer.from_numpy(array)
    tensor.to_numpy()[:] = 7
    assert array.tolist() == [7] * 4


@pytest.mark.parametrize("given", [None, [1.0], 7, b"bytes", memoryview(b"bytes"), "text", np.float32(1)])
def test_from_numpy_takes_arrays_only(given: Any) -> None:
    for _ in range(2):
        with pytest.raises(TypeError):
            rm.TensorBuffer.from_numpy(given)


def test_a_masked_array_is_refused_with_the_remedy() -> None:
    array = np.ma.masked_array([1, 2, 3], mask=[False, True, False])
    for zero_copy in (True, False):
        with pytest.raises(rm.InvalidTensor, match="filled"):
            rm.TensorBuffer.from_numpy(array, zero_copy=zero_copy)
    assert rm.TensorBuffer.from_numpy(array.filled(0)).to_numpy().tolist() == [1, 0, 3]


def test_subclasses_are_shared(tmp_path: Any) -> None:
    matrix: npt.NDArray[Any] = np.zeros((2, 2)).view(type("Matrix", (np.ndarray,), {}))
    assert rm.TensorBuffer.from_numpy(matrix).data_ptr == matrix.ctypes.data
    mapped = np.memmap(tmp_path / "numbers", dtype=np.int32, mode="w+", shape=(5,))
    rm.TensorBuffer.from_numpy(mapped).to_numpy()[:] = 6
    mapped.flush()
    assert np.fromfile(tmp_path / "numbers", np.int32).tolist() == [6] * 5


def test_the_array_may_not_move_while_a_tensor_views_it() -> None:
    array = np.arange(4)
    tensor = rm.TensorBuffer.from_numpy(array)
    with pytest.raises(ValueError, match="resize"):
        array.resize(8)
    assert tensor.to_numpy().tolist() == [0, 1, 2, 3]


def test_an_array_lives_as_long_as_a_view_of_its_tensor() -> None:
    class Array(np.ndarray[Any, Any]):
        deaths = 0

        def __del__(self) -> None:
            type(self).deaths += 1

    tensor = rm.TensorBuffer.from_numpy(np.arange(4).view(Array))
    view = tensor[2:]
    del tensor
    gc.collect()
    deaths = Array.deaths
    assert view.to_numpy().tolist() == [2, 3]
    del view
    gc.collect()
    assert Array.deaths == deaths + 1


# All of NumPy


def test_numpy_computes_with_tensors(tensor: rm.TensorBuffer) -> None:
    assert np.sum(tensor) == 276
    assert np.add(tensor, 1)[0, 0] == 1
    assert np.concatenate([tensor, tensor]).shape == (8, 6)
    np.copyto(tensor.to_numpy(), 2)
    assert np.all(np.asarray(tensor) == 2)


def test_numpy_writes_into_tensors(tensor: rm.TensorBuffer) -> None:
    np.multiply(tensor, 2, out=tensor.to_numpy())
    assert np.asarray(tensor).ravel().tolist() == list(range(0, 48, 2))
