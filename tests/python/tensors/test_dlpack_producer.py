# SPDX-License-Identifier: Apache-2.0
"""The checklist of DLPack, what a producer owes: the number in a test's name is its line."""

import ctypes
import gc
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from tests.python.core.program import run
from tests.python.tensors.hostile_dlpack import (
    COMPLEX,
    CPU,
    IS_COPIED,
    READ_ONLY,
    Producer,
    Taken,
    Versioned,
    capsule_name,
)

VERSION_1 = (1, 0)


def taken(tensor: rm.TensorBuffer, **keywords: Any) -> Taken:
    return Taken(tensor.__dlpack__(**{"max_version": VERSION_1, **keywords}))


def counted(allocator: rm.SharedMemoryAllocator, **keywords: Any) -> rm.TensorBuffer:
    """A tensor of 64 bytes whose life session_usage("counted") tells."""
    made = allocator.allocate_tensor(16, "float32", session_id="counted")
    made.to_numpy()[:] = np.arange(16)
    return made


# 1


def test_01_takes_the_standards_four_keywords() -> None:
    tensor = rm.TensorBuffer.allocate(3)
    capsule = tensor.__dlpack__(stream=None, max_version=VERSION_1, dl_device=(CPU, 0), copy=None)
    assert capsule_name(capsule) == "dltensor_versioned"


@pytest.mark.parametrize("arguments", [(None,), (None, None), (-1,), (None, VERSION_1)])
def test_01_takes_them_by_keyword_only(arguments: tuple[Any, ...]) -> None:
    tensor = rm.TensorBuffer.allocate(3)
    for _ in range(2):
        with pytest.raises(TypeError):
            tensor.__dlpack__(*arguments)


@pytest.mark.parametrize("version", [1, (1,), (1, 0, 0), [1, 0], "10", (1.0, 0), ("1", "0")])
def test_01_refuses_a_version_that_is_no_pair_of_ints(version: Any) -> None:
    with pytest.raises(TypeError):
        rm.TensorBuffer.allocate(3).__dlpack__(max_version=version)


# 2


@pytest.mark.parametrize("version", [None, (0, 0), (0, 8)])
def test_02_gives_a_capsule_without_a_version_to_who_knows_none(version: tuple[int, int] | None) -> None:
    assert capsule_name(rm.TensorBuffer.allocate(3).__dlpack__(max_version=version)) == "dltensor"


def test_02_gives_a_capsule_without_a_version_to_who_does_not_say() -> None:
    assert capsule_name(rm.TensorBuffer.allocate(3).__dlpack__()) == "dltensor"


@pytest.mark.parametrize("version", [(1, 0), (1, 1), (1, 99), (2, 0), (2**31, 0)])
def test_02_gives_a_versioned_capsule_to_who_knows_one(version: tuple[int, int]) -> None:
    capsule = rm.TensorBuffer.allocate(3).__dlpack__(max_version=version)
    assert capsule_name(capsule) == "dltensor_versioned"
    managed = Taken(capsule).managed
    assert isinstance(managed, Versioned)
    assert managed.version.major == 1


# 3


def test_03_a_read_only_tensor_is_not_given_without_a_version() -> None:
    tensor = rm.TensorBuffer.from_bytes(bytes(4), (4,), "uint8")
    for version in (None, (0, 8), None):
        with pytest.raises(BufferError, match="read-only") as refused:
            tensor.__dlpack__(max_version=version)
        assert isinstance(refused.value, rm.ZeroCopyUnavailable)


def test_03_a_read_only_tensor_says_so_in_a_versioned_capsule() -> None:
    assert taken(rm.TensorBuffer.from_bytes(bytes(4), (4,), "uint8")).flags == READ_ONLY


def test_03_a_writable_tensor_has_no_flag() -> None:
    assert taken(rm.TensorBuffer.allocate(3)).flags == 0


# 4


@pytest.mark.parametrize("version", [None, VERSION_1])
def test_04_a_capsule_that_nobody_takes_frees_once(allocator: rm.SharedMemoryAllocator, version: Any) -> None:
    capsule = counted(allocator).__dlpack__(max_version=version)
    gc.collect()
    assert allocator.session_usage("counted") == 64
    del capsule
    assert allocator.session_usage("counted") == 0
    assert allocator.metrics().frees_total == 1


@pytest.mark.parametrize("version", [None, VERSION_1])
def test_04_a_capsule_that_was_taken_frees_once_and_when_told(
    allocator: rm.SharedMemoryAllocator, version: Any
) -> None:
    capsule = counted(allocator).__dlpack__(max_version=version)
    consumer = Taken(capsule)
    del capsule
    gc.collect()
    assert allocator.session_usage("counted") == 64
    assert consumer.numbers(ctypes.c_float, 16) == list(range(16))
    consumer.release()
    assert allocator.session_usage("counted") == 0
    assert allocator.metrics().frees_total == 1


def test_04_frees_in_a_thread_that_python_never_saw(allocator: rm.SharedMemoryAllocator) -> None:
    consumer = taken(counted(allocator))
    consumer.release_in_thread()
    assert allocator.session_usage("counted") == 0


def test_04_frees_while_another_thread_keeps_the_gil(allocator: rm.SharedMemoryAllocator) -> None:
    consumer = taken(counted(allocator))
    consumer.release_in_thread(hold_gil=True)
    assert allocator.session_usage("counted") == 0


def test_04_an_array_of_numpy_is_let_go_by_a_thread_that_python_never_saw() -> None:
    class Array(np.ndarray[Any, Any]):
        deaths = 0

        def __del__(self) -> None:
            type(self).deaths += 1

    consumer = taken(rm.TensorBuffer.from_numpy(np.zeros(4).view(Array)))
    gc.collect()
    assert Array.deaths == 0
    consumer.release_in_thread()
    assert Array.deaths == 1


TENSORS = {
    "heap": "rm.TensorBuffer.allocate(4)",
    "shared": "rm.SharedMemoryAllocator().allocate_tensor(4)",
    "numpy": "rm.TensorBuffer.from_numpy(np.zeros(4))",
    "dlpack": "rm.TensorBuffer.from_dlpack(np.zeros(4))",
    "bytes": "rm.TensorBuffer.from_bytes(bytes(16), (4,), 'float32')",
}


@pytest.mark.parametrize("tensor", TENSORS)
def test_04_frees_after_the_interpreter_has_ended(tensor: str) -> None:
    program = f"""
    import numpy as np
    from tests.python.tensors.hostile_dlpack import Taken
    Taken({TENSORS[tensor]}.__dlpack__(max_version=(1, 0))).release_at_exit()
    """
    assert run(program) == []


# 5


@pytest.mark.parametrize("shape", [(3,), (1,), (1, 1), (2, 1, 3), (0,), (4, 0, 2), (1, 5)])
@pytest.mark.parametrize("version", [None, VERSION_1])
def test_05_strides_are_given_in_elements(shape: tuple[int, ...], version: Any) -> None:
    tensor = rm.TensorBuffer.allocate(shape, "float64")
    consumer = Taken(tensor.__dlpack__(max_version=version))
    assert bool(consumer.tensor.strides)
    assert consumer.strides == tensor.strides
    if 0 not in shape:
        assert consumer.strides == tuple(stride // 8 for stride in np.empty(shape).strides)


# 6


def test_06_a_tensor_of_no_axes_has_one_element() -> None:
    consumer = taken(rm.TensorBuffer.from_numpy(np.array(7, np.int64)))
    assert consumer.tensor.ndim == 0
    assert consumer.tensor.data % 8 == 0
    assert consumer.numbers(ctypes.c_int64, 1) == [7]


def test_06_a_tensor_of_no_axes_reaches_numpy() -> None:
    array = np.from_dlpack(rm.TensorBuffer.from_numpy(np.array(7, np.int64)))
    assert array.shape == ()
    assert array == 7


# 7


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 2, 2)])
def test_07_no_elements_have_no_address_in_dlpack_and_one_in_the_array_interface(shape: tuple[int, ...]) -> None:
    tensor = rm.TensorBuffer.allocate(shape)
    consumer = taken(tensor)
    assert consumer.tensor.data is None
    assert consumer.shape == shape
    assert tensor.__array_interface__["data"][0] != 0
    assert np.from_dlpack(tensor).shape == shape
    assert np.asarray(tensor).shape == shape


# 8


def test_08_whole_tensors_begin_at_256_bytes_and_views_at_their_element(allocator: rm.SharedMemoryAllocator) -> None:
    for tensor in (rm.TensorBuffer.allocate((4, 5)), allocator.allocate_tensor((4, 5), "float32")):
        whole = taken(tensor).tensor
        assert (whole.byte_offset, whole.data % 256) == (0, 0)
        part = taken(tensor[1:, 2:]).tensor
        assert (part.byte_offset, part.data) == (0, whole.data + 7 * 4)


# 9

VIEWS: dict[str, Any] = {
    "sliced": lambda array: array[1:, ::2],
    "transposed": lambda array: array.T,
    "negative": lambda array: array[::-1, ::-2],
    "zero": lambda array: np.broadcast_to(array[:, :1], (4, 6)),
}


@pytest.mark.parametrize("view", VIEWS)
def test_09_strides_survive(view: str) -> None:
    array = VIEWS[view](np.arange(24, dtype=np.int32).reshape(4, 6))
    tensor = rm.TensorBuffer.from_numpy(array)
    consumer = taken(tensor)
    assert consumer.strides == tuple(stride // 4 for stride in array.strides)
    assert consumer.tensor.data == array.ctypes.data
    assert not consumer.flags & IS_COPIED
    assert np.shares_memory(np.from_dlpack(tensor), array)
    assert np.array_equal(np.from_dlpack(tensor), array)


@pytest.mark.parametrize("view", VIEWS)
def test_09_a_copy_is_packed_and_says_that_it_is_one(view: str) -> None:
    array = VIEWS[view](np.arange(24, dtype=np.int32).reshape(4, 6))
    consumer = taken(rm.TensorBuffer.from_numpy(array), copy=True)
    assert consumer.flags == IS_COPIED
    assert consumer.strides == (array.shape[1], 1)
    assert consumer.numbers(ctypes.c_int32, array.size) == list(array.ravel())


# 10


def test_10_copy_true_is_other_memory() -> None:
    tensor = rm.TensorBuffer.from_numpy(np.arange(4.0))
    consumer = taken(tensor, copy=True)
    assert consumer.tensor.data != tensor.data_ptr
    assert consumer.flags == IS_COPIED
    tensor.to_numpy()[:] = 9
    assert consumer.numbers(ctypes.c_double, 4) == [0, 1, 2, 3]


@pytest.mark.parametrize("copy", [None, False])
def test_10_any_other_is_the_same_memory(copy: bool | None) -> None:
    tensor = rm.TensorBuffer.from_numpy(np.arange(4.0))
    consumer = taken(tensor, copy=copy)
    assert consumer.tensor.data == tensor.data_ptr
    assert consumer.flags == 0


def test_10_a_copy_of_what_is_read_only_can_be_written() -> None:
    tensor = rm.TensorBuffer.from_bytes(b"abcd", (4,), "uint8")
    assert taken(tensor, copy=True).flags == IS_COPIED
    assert capsule_name(tensor.__dlpack__(copy=True)) == "dltensor"


# 11


def test_11_its_own_device_is_the_processor() -> None:
    tensor = rm.TensorBuffer.allocate(3)
    assert tensor.__dlpack_device__() == (CPU, 0)
    assert taken(tensor, dl_device=tensor.__dlpack_device__()).tensor.data == tensor.data_ptr
    consumer = taken(tensor, dl_device=(CPU, 0))
    assert (consumer.tensor.device_type, consumer.tensor.device_id) == (CPU, 0)


@pytest.mark.parametrize("device", [(2, 0), (10, 0), (8, 0), (99, 0), (0, 0), (-1, 0)])
def test_11_another_device_is_a_buffer_error(device: tuple[int, int]) -> None:
    tensor = rm.TensorBuffer.allocate(3)
    for copy in (None, True, False):
        with pytest.raises(BufferError, match="device"):
            tensor.__dlpack__(max_version=VERSION_1, dl_device=device, copy=copy)


@pytest.mark.parametrize("device", [1, (1,), "cpu", (1, 0, 0), (1.5, 0)])
def test_11_what_is_no_device_is_a_type_error(device: Any) -> None:
    with pytest.raises(TypeError):
        rm.TensorBuffer.allocate(3).__dlpack__(dl_device=device)


# 12


@pytest.mark.parametrize("stream", [None, -1])
def test_12_no_stream_is_right_for_the_processor(stream: int | None) -> None:
    assert taken(rm.TensorBuffer.allocate(3), stream=stream).flags == 0


@pytest.mark.parametrize("stream", [0, 1, 2, 3, 2**40, -2])
def test_12_a_stream_is_a_value_error_for_the_processor(stream: int) -> None:
    tensor = rm.TensorBuffer.allocate(3)
    for _ in range(2):
        with pytest.raises(ValueError, match="stream"):
            tensor.__dlpack__(stream=stream)


# 13, for those that NumPy knows; the others are with torch and ml_dtypes


@pytest.mark.parametrize(
    ("dtype", "code", "bits"),
    [
        ("bool", 6, 8),
        ("int8", 0, 8),
        ("int16", 0, 16),
        ("int32", 0, 32),
        ("int64", 0, 64),
        ("uint8", 1, 8),
        ("uint16", 1, 16),
        ("uint32", 1, 32),
        ("uint64", 1, 64),
        ("float16", 2, 16),
        ("float32", 2, 32),
        ("float64", 2, 64),
        ("complex64", COMPLEX, 64),
        ("complex128", COMPLEX, 128),
        ("bfloat16", 4, 16),
        ("complex32", COMPLEX, 32),
        ("float8_e3m4", 7, 8),
        ("float8_e4m3", 8, 8),
        ("float8_e4m3b11fnuz", 9, 8),
        ("float8_e4m3fn", 10, 8),
        ("float8_e4m3fnuz", 11, 8),
        ("float8_e5m2", 12, 8),
        ("float8_e5m2fnuz", 13, 8),
        ("float8_e8m0fnu", 14, 8),
    ],
)
def test_13_each_dtype_has_its_code(dtype: str, code: int, bits: int) -> None:
    tensor = rm.TensorBuffer.from_bytes(bytes(bits // 8 * 3), (3,), dtype)
    described = taken(tensor).tensor
    assert (described.code, described.bits, described.lanes) == (code, bits, 1)
    assert rm.TensorBuffer.from_dlpack(tensor).dtype == dtype


# 14 and 15 are NumPy's: test_numpy_protocol.py


# 16


def test_16_a_view_keeps_the_elements_when_all_else_is_gone() -> None:
    allocator = rm.SharedMemoryAllocator()
    tensor = counted(allocator)
    array = np.from_dlpack(tensor)
    del tensor
    gc.collect()
    assert allocator.close_session("counted") == 1
    allocator.close()
    del allocator
    gc.collect()
    assert array.tolist() == list(range(16))
    array[:] = 5
    assert array.sum() == 80


# 17


def test_17_the_numbers_that_a_consumer_gets_are_its_own() -> None:
    tensor = rm.TensorBuffer.from_numpy(np.arange(6).reshape(2, 3))
    first, second = taken(tensor), taken(tensor)
    for axis in range(2):
        first.tensor.shape[axis] = 1 << 40
        first.tensor.strides[axis] = -(1 << 40)
    first.tensor.ndim = 60
    assert (second.shape, second.strides) == ((2, 3), (3, 1))
    assert (tensor.shape, tensor.strides) == ((2, 3), (3, 1))
    assert tensor.to_numpy().tolist() == [[0, 1, 2], [3, 4, 5]]
    first.release()


def test_17_neither_does_a_producer_change_them_later() -> None:
    producer = Producer()
    tensor = rm.TensorBuffer.from_dlpack(producer)
    producer.managed.tensor.shape[0] = 1 << 40
    producer.managed.tensor.data = 1
    assert tensor.shape == (12,)
    assert tensor.to_numpy().tolist() == list(range(12))
