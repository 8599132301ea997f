# SPDX-License-Identifier: Apache-2.0
"""Any dtype, any layout, any storage: values, strides and sharing are NumPy's."""

import itertools
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import remotemedia as rm
from tests.python.tensors.hostile_dlpack import IS_COPIED, READ_ONLY, Taken

DTYPES = ("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128").split()

quick = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))

process_allocator = rm.SharedMemoryAllocator()


@dataclass
class Pair:
    """A tensor, and the array that it must be like."""

    tensor: rm.TensorBuffer
    array: npt.NDArray[Any]
    storage: str


def base(storage: str, shape: tuple[int, ...], dtype: str) -> Pair:
    if storage == "foreign":
        array = np.zeros(shape, dtype)
        tensor = rm.TensorBuffer.from_numpy(array)
    else:
        allocator = process_allocator if storage == "shared_memory" else None
        tensor = rm.TensorBuffer.allocate(shape, dtype, allocator=allocator)
        array = tensor.to_numpy()
    array[...] = (np.arange(array.size) % (2 if dtype == "bool" else 120)).reshape(shape).astype(dtype)
    return Pair(tensor, array, storage)


@st.composite
def cuts(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """An index that NumPy takes as a view."""

    def part(extent: int) -> Any:
        bound = st.none() | st.integers(-extent - 2, extent + 2)
        step = st.none() | st.integers(-3, 3).filter(bool)
        ranges = st.builds(slice, bound, bound, step)
        return draw(ranges if extent == 0 else ranges | st.integers(-extent, extent - 1))

    parts = [part(extent) for extent in shape[: draw(st.integers(0, len(shape)))]]
    if draw(st.booleans()):
        left = draw(st.integers(0, len(parts)))
        right_axes = len(parts) - left
        tail = [part(extent) for extent in shape[len(shape) - right_axes :]] if right_axes else []
        parts = [*parts[:left], Ellipsis, *tail]
    for _ in range(draw(st.integers(0, 2))):
        parts.insert(draw(st.integers(0, len(parts))), None)
    return tuple(parts)


def viewed(array: npt.NDArray[Any], cut: tuple[Any, ...]) -> npt.NDArray[Any]:
    """Also of one element a view, where NumPy would give a number."""
    view: npt.NDArray[Any] = array[cut if Ellipsis in cut else (*cut, Ellipsis)]
    return view


shapes = st.lists(st.integers(0, 5), max_size=4).map(tuple)


@st.composite
def pairs(draw: st.DrawFn, storages: tuple[str, ...] = ("heap", "shared_memory", "foreign")) -> Pair:
    made = base(draw(st.sampled_from(storages)), draw(shapes), draw(st.sampled_from(DTYPES)))
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            axes = draw(st.permutations(range(made.array.ndim)))
            made = Pair(made.tensor.transpose(*axes) if axes else made.tensor, made.array.transpose(axes), made.storage)
        else:
            cut = draw(cuts(made.array.shape))
            made = Pair(made.tensor[cut], viewed(made.array, cut), made.storage)
    return made


def repeated(array: npt.NDArray[Any], times: int) -> npt.NDArray[Any]:
    return np.broadcast_to(array, (times, *array.shape))


def same(array: npt.NDArray[Any], model: npt.NDArray[Any]) -> None:
    assert array.dtype == model.dtype
    assert array.shape == model.shape
    assert array.tobytes() == model.tobytes()


@quick
@given(pairs())
def test_a_view_is_what_numpys_is(pair: Pair) -> None:
    tensor, array = pair.tensor, pair.array
    assert tensor.storage == pair.storage
    assert (tensor.shape, tensor.ndim, tensor.dtype.name) == (array.shape, array.ndim, array.dtype.name)
    assert tensor.nbytes == array.nbytes
    assert tensor.to_bytes() == array.tobytes()
    if array.size > 0:
        assert tensor.data_ptr == array.ctypes.data
        assert tensor.is_contiguous == array.flags.c_contiguous
        for extent, stride, numpys in zip(tensor.shape, tensor.strides, array.strides, strict=True):
            assert extent == 1 or stride * array.itemsize == numpys


@quick
@given(pairs())
def test_every_way_to_numpy_shares_the_elements(pair: Pair) -> None:
    for array in (pair.tensor.to_numpy(), np.asarray(pair.tensor), np.asarray(memoryview(pair.tensor))):
        same(array, pair.array)
        assert array.size == 0 or np.shares_memory(array, pair.array)
    if pair.array.ndim <= 32:
        same(np.from_dlpack(pair.tensor), pair.array)


@quick
@given(pairs())
def test_every_way_back_shares_them_too(pair: Pair) -> None:
    array = pair.tensor.to_numpy()
    for tensor in (
        rm.TensorBuffer.from_numpy(array),
        rm.TensorBuffer.from_dlpack(array),
        rm.TensorBuffer.from_dlpack(pair.tensor),
    ):
        assert tensor.read_only == pair.tensor.read_only
        same(tensor.to_numpy(), pair.array)
        if array.size > 0:
            assert tensor.data_ptr == pair.tensor.data_ptr
            assert np.shares_memory(tensor.to_numpy(), pair.array)


@quick
@given(pairs())
def test_every_copy_is_packed_and_shares_nothing(pair: Pair) -> None:
    for tensor in (
        pair.tensor.copy(),
        pair.tensor.copy(allocator=process_allocator),
        rm.TensorBuffer.from_numpy(pair.array, zero_copy=False),
        rm.TensorBuffer.from_dlpack(pair.array, copy=True),
        rm.TensorBuffer.from_dlpack(pair.tensor, copy=True),
    ):
        same(tensor.to_numpy(), pair.array)
        assert tensor.is_contiguous
        assert not tensor.read_only
        assert not np.shares_memory(tensor.to_numpy(), pair.array)


@quick
@given(pairs(), st.sampled_from([None, True, False]))
def test_a_capsule_says_what_is_so(pair: Pair, copy: bool | None) -> None:
    consumer = Taken(pair.tensor.__dlpack__(max_version=(1, 0), copy=copy))
    assert consumer.flags == (IS_COPIED if copy else 0)
    assert consumer.shape == pair.array.shape
    assert consumer.tensor.byte_offset == 0
    assert copy or consumer.strides == pair.tensor.strides
    assert (consumer.tensor.data is None) == (pair.array.size == 0)
    consumer.release()


@quick
@given(pairs(), st.integers(0, 3))
def test_repeated_elements_stay_repeated(pair: Pair, times: int) -> None:
    array = repeated(pair.array, times)
    tensor = rm.TensorBuffer.from_numpy(array)
    assert tensor.read_only
    assert times < 2 or array.size == 0 or tensor.strides[0] == 0
    same(tensor.to_numpy(), array)
    same(np.from_dlpack(tensor), array)
    consumer = Taken(tensor.__dlpack__(max_version=(1, 0)))
    assert consumer.flags == READ_ONLY
    consumer.release()


@quick
@given(pairs(), st.integers(0, 255))
def test_what_is_written_through_one_is_read_through_all(pair: Pair, number: int) -> None:
    value = np.array(number).astype(pair.array.dtype)
    np.from_dlpack(pair.tensor)[...] = value
    assert bool(np.all(pair.array == value))
    same(pair.tensor.to_numpy(), pair.array)
    assert pair.tensor.to_bytes() == pair.array.tobytes()


@quick
@given(pairs(("heap", "foreign")), st.integers(2, pickle.HIGHEST_PROTOCOL))
def test_a_pickle_has_the_same_elements(pair: Pair, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(pair.tensor, protocol))
    same(again.to_numpy(), pair.array)
    assert again.read_only == pair.tensor.read_only
    assert not np.shares_memory(again.to_numpy(), pair.array)


@settings(quick, max_examples=25)
@given(pairs(("shared_memory",)))
def test_an_id_shows_the_same_view_of_the_same_memory(pair: Pair) -> None:
    opened = rm.TensorBuffer.from_shared_memory(pair.tensor.to_shared_memory())
    assert opened.read_only
    same(opened.to_numpy(), pair.array)
    if pair.array.size > 0:
        pair.array[...] = 1
        same(opened.to_numpy(), pair.array)


@settings(quick, max_examples=25)
@given(pairs(("heap", "foreign")))
def test_an_id_of_other_memory_is_a_snapshot(pair: Pair) -> None:
    before = pair.array.copy()
    opened = rm.TensorBuffer.from_shared_memory(pair.tensor.to_shared_memory())
    pair.array[...] = 1
    same(opened.to_numpy(), before)


# Indexing


@quick
@given(st.data())
def test_an_index_cuts_as_numpys_does(data: st.DataObject) -> None:
    pair = base("heap", data.draw(shapes), "int16")
    cut = data.draw(cuts(pair.array.shape))
    same(pair.tensor[cut].to_numpy(), pair.array[cut])


parts = (
    st.integers(-7, 7)
    | st.builds(slice, st.none() | st.integers(-7, 7), st.none() | st.integers(-7, 7), st.none() | st.integers(-3, 3))
    | st.none()
    | st.just(Ellipsis)
)


@quick
@given(shapes, st.lists(parts, max_size=6).map(tuple) | parts)
def test_an_index_is_refused_where_numpy_refuses_it(shape: tuple[int, ...], index: Any) -> None:
    pair = base("heap", shape, "int16")
    try:
        model = pair.array[index]
    except (IndexError, ValueError) as error:
        for _ in range(2):
            with pytest.raises(type(error)):
                pair.tensor[index]
    else:
        same(pair.tensor[index].to_numpy(), np.asarray(model))


@pytest.mark.parametrize("index", [[0, 1], np.array([0, 1]), True, np.True_, "0", 1.0, (0, [1]), b"", {}])
def test_what_would_copy_is_a_type_error(index: Any) -> None:
    tensor = rm.TensorBuffer.from_numpy(np.arange(6).reshape(2, 3))
    for _ in range(2):
        with pytest.raises(TypeError, match=r"to_numpy\(\)|scalar"):
            tensor[index]


@pytest.mark.parametrize("number", [np.int8(1), np.uint64(1), np.array(1)])
def test_whatever_is_an_integer_indexes(number: Any) -> None:
    array = np.arange(6).reshape(2, 3)
    same(rm.TensorBuffer.from_numpy(array)[number].to_numpy(), array[1])


def test_a_huge_index_is_an_index_error() -> None:
    tensor = rm.TensorBuffer.allocate(3)
    for number in (2**63, -(2**63) - 1, 2**100):
        with pytest.raises(IndexError):
            tensor[number]
    assert tensor[: 2**100].shape == (3,)
    assert tensor[-(2**100) :].shape == (3,)


def test_a_tensor_is_iterated_over_its_first_axis() -> None:
    array = np.arange(6).reshape(2, 3)
    rows = list(rm.TensorBuffer.from_numpy(array))
    assert len(rm.TensorBuffer.from_numpy(array)) == 2
    for row, model in zip(rows, array, strict=True):
        same(row.to_numpy(), model)
        assert np.shares_memory(row.to_numpy(), array)
    for _ in range(2):
        with pytest.raises(TypeError):
            iter(rm.TensorBuffer.from_numpy(np.array(1)))
        with pytest.raises(TypeError):
            len(rm.TensorBuffer.from_numpy(np.array(1)))


# reshape and transpose


@quick
@given(pairs(), st.lists(st.integers(0, 6), max_size=4).map(tuple))
def test_reshape_is_numpys_without_its_copies(pair: Pair, shape: tuple[int, ...]) -> None:
    try:
        model = pair.array.reshape(shape)
    except ValueError:
        with pytest.raises(rm.InvalidTensor):
            pair.tensor.reshape(*shape)
        return
    if model.size == 0 or np.shares_memory(model, pair.array):
        same(pair.tensor.reshape(*shape).to_numpy(), model)
        same(pair.tensor.reshape(shape).to_numpy(), model)  # type: ignore[arg-type]
    else:
        with pytest.raises(rm.ZeroCopyUnavailable):
            pair.tensor.reshape(*shape)


def test_one_extent_may_be_left_out_of_reshape() -> None:
    tensor = rm.TensorBuffer.allocate((4, 6))
    assert tensor.reshape(-1).shape == (24,)
    assert tensor.reshape(2, -1, 3).shape == (2, 4, 3)
    for shape in ((-1, -1), (5, -1), (-2, 12)):
        with pytest.raises(rm.InvalidTensor):
            tensor.reshape(*shape)


def test_transpose_takes_every_order_and_nothing_else() -> None:
    array = np.arange(24).reshape(2, 3, 4)
    tensor = rm.TensorBuffer.from_numpy(array)
    for axes in itertools.permutations(range(3)):
        same(tensor.transpose(*axes).to_numpy(), array.transpose(axes))
    same(tensor.transpose().to_numpy(), array.T)
    for wrong in ((0, 1), (0, 0, 1), (0, 1, 3), (0, 1, 2, 3)):
        with pytest.raises(ValueError):  # noqa: PT011
            tensor.transpose(*wrong)
