# SPDX-License-Identifier: Apache-2.0
"""The buffer protocol (PEP 3118): what is asked for is what one gets, or a BufferError."""

import ctypes
import gc
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import remotemedia as rm

SIMPLE, WRITABLE, FORMAT, ND, STRIDES = 0, 1, 4, 8, 0x10 | 8
C, F, ANY, INDIRECT = 0x20 | STRIDES, 0x40 | STRIDES, 0x80 | STRIDES, 0x100 | STRIDES
FULL = INDIRECT | WRITABLE | FORMAT

FORMATS = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
    "complex64": "Zf",
    "complex128": "Zd",
}


class Buffer(ctypes.Structure):
    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("suboffsets", ctypes.POINTER(ctypes.c_ssize_t)),
        ("internal", ctypes.c_void_p),
    )


_get = ctypes.pythonapi.PyObject_GetBuffer
_get.argtypes = [ctypes.py_object, ctypes.POINTER(Buffer), ctypes.c_int]
_release = ctypes.pythonapi.PyBuffer_Release
_release.argtypes = [ctypes.POINTER(Buffer)]


@contextmanager
def buffer(tensor: rm.TensorBuffer, flags: int) -> Iterator[Buffer]:
    view = Buffer(obj=1)  # which a refusal must clear
    try:
        _get(tensor, ctypes.byref(view), flags)
    except BufferError:
        assert not view.obj
        raise
    yield view
    _release(ctypes.byref(view))


@pytest.fixture
def tensor() -> rm.TensorBuffer:
    return rm.TensorBuffer.from_numpy(np.arange(12, dtype=np.int32).reshape(3, 4))


@pytest.mark.parametrize("dtype", FORMATS)
def test_a_memoryview_shows_each_dtype(dtype: str) -> None:
    tensor = rm.TensorBuffer.from_numpy(np.arange(6).reshape(2, 3).astype(dtype))
    view = memoryview(tensor)
    assert (view.format, view.itemsize) == (FORMATS[dtype], tensor.dtype.itemsize)
    assert (view.shape, view.ndim, view.nbytes) == ((2, 3), 2, tensor.nbytes)
    assert view.strides == tuple(stride * tensor.dtype.itemsize for stride in tensor.strides)
    assert (view.readonly, view.c_contiguous, view.suboffsets) == (False, True, ())
    assert bytes(view) == tensor.to_bytes()


@pytest.mark.parametrize("dtype", [dtype for dtype in FORMATS if not dtype.startswith(("complex", "float16"))])
def test_a_memoryview_reads_and_writes_elements(dtype: str) -> None:
    tensor = rm.TensorBuffer.from_numpy(np.zeros(3, dtype))
    view = memoryview(tensor)
    view[1] = 1
    assert view.tolist() == [0, 1, 0]
    assert tensor.to_numpy().tolist() == [0, 1, 0]


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "complex32"])
def test_what_has_no_format_is_a_buffer_error(dtype: str) -> None:
    tensor = rm.TensorBuffer.allocate(3, dtype)
    for flags in (SIMPLE, FULL, SIMPLE):
        with pytest.raises(BufferError, match="DLPack"), buffer(tensor, flags):
            pass
    with pytest.raises(BufferError):
        memoryview(tensor)


def test_the_least_is_bytes(tensor: rm.TensorBuffer) -> None:
    with buffer(tensor, SIMPLE) as view:
        assert (view.buf, view.len, view.itemsize) == (tensor.data_ptr, 48, 4)
        assert (view.format, bool(view.shape), bool(view.strides)) == (None, False, False)


def test_extents_come_where_they_are_asked_for(tensor: rm.TensorBuffer) -> None:
    with buffer(tensor, ND) as view:
        assert (view.ndim, view.shape[:2], bool(view.strides)) == (2, [3, 4], False)


def test_all_comes_where_all_is_asked_for(tensor: rm.TensorBuffer) -> None:
    with buffer(tensor[::-1, ::2], FULL) as view:
        assert view.buf == tensor.data_ptr + 32
        assert (view.ndim, view.shape[:2], view.strides[:2]) == (2, [3, 2], [-16, 8])
        assert (view.format, view.len, view.readonly) == (b"i", 24, 0)
        assert not view.suboffsets


def test_who_would_write_gets_no_read_only_buffer(tensor: rm.TensorBuffer) -> None:
    view = tensor.as_read_only()
    for _ in range(2):
        with pytest.raises(BufferError, match="read-only"), buffer(view, WRITABLE):
            pass
    with buffer(view, SIMPLE) as taken:
        assert taken.readonly == 1
    assert memoryview(view).readonly
    with pytest.raises(TypeError, match="read-only"):
        memoryview(view)[0, 0] = 1


CUTS: dict[str, tuple[Any, set[int]]] = {
    "row-major": (np.s_[:], {SIMPLE, ND, STRIDES, C, ANY, INDIRECT}),
    "column-major": ("T", {STRIDES, F, ANY, INDIRECT}),
    "gaps": (np.s_[:, ::2], {STRIDES, INDIRECT}),
    "backwards": (np.s_[::-1], {STRIDES, INDIRECT}),
    "one row": (np.s_[1], {SIMPLE, ND, STRIDES, C, F, ANY, INDIRECT}),
    "one element": (np.s_[1, 1], {SIMPLE, ND, STRIDES, C, F, ANY, INDIRECT}),
    "no element": (np.s_[3:], {SIMPLE, ND, STRIDES, C, F, ANY, INDIRECT}),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("flags", [SIMPLE, ND, STRIDES, C, F, ANY, INDIRECT])
def test_contiguity_is_what_was_asked_for(tensor: rm.TensorBuffer, cut: str, flags: int) -> None:
    index, possible = CUTS[cut]
    part = tensor.transpose() if index == "T" else tensor[index]
    if flags in possible:
        with buffer(part, flags) as view:
            assert view.len == part.nbytes
    else:
        for _ in range(2):
            with pytest.raises(BufferError, match="contiguous"), buffer(part, flags):
                pass


def test_a_tensor_of_no_axes_has_neither_extents_nor_strides() -> None:
    with buffer(rm.TensorBuffer.from_numpy(np.array(2.5)), FULL) as view:
        assert (view.ndim, view.len, bool(view.shape), bool(view.strides)) == (0, 8, False, False)
        assert struct.unpack("d", ctypes.string_at(view.buf, 8)) == (2.5,)


def test_a_buffer_keeps_the_elements(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = allocator.allocate_tensor(16, session_id="s")
    tensor.to_numpy()[:] = 7
    view = memoryview(tensor)
    del tensor
    gc.collect()
    allocator.close()
    assert view.tolist() == [7] * 16
    assert allocator.session_usage("s") == 16
    view.release()
    assert allocator.session_usage("s") == 0


def test_a_buffer_outlives_free(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = allocator.allocate_tensor(16)
    view = memoryview(tensor)
    view[:] = bytes(range(16))
    allocator.free(tensor)
    other = allocator.allocate_tensor(16)
    other.to_numpy()[:] = 0
    assert view.tolist() == list(range(16))


def test_many_buffers_at_once(tensor: rm.TensorBuffer) -> None:
    views = [memoryview(tensor) for _ in range(100)]
    for view in views[::2]:
        view.release()
    assert all(view.tolist() == tensor.to_numpy().tolist() for view in views[1::2])


def test_files_and_bytes_take_tensors(tensor: rm.TensorBuffer, tmp_path: Any) -> None:
    path = tmp_path / "elements"
    path.write_bytes(tensor)
    assert path.read_bytes() == tensor.to_bytes() == bytes(tensor) == bytearray(tensor)
    target = rm.TensorBuffer.allocate((3, 4), "int32")
    with path.open("rb") as file:
        assert file.readinto(target) == 48
    assert target.to_bytes() == tensor.to_bytes()


# from_bytes


@pytest.mark.parametrize("data", [b"\1\0\2\0", bytearray(b"\1\0\2\0"), memoryview(b"\1\0\2\0"), np.array([1, 2], "u2")])
def test_from_bytes_views_whatever_has_bytes(data: Any) -> None:
    tensor = rm.TensorBuffer.from_bytes(data, (2,), "uint16")
    assert tensor.read_only
    assert tensor.to_numpy().tolist() == [1, 2]
    with memoryview(data) as view, memoryview(tensor) as own:
        assert view.nbytes == own.nbytes
        assert tensor.data_ptr == np.asarray(view).ctypes.data


def test_from_bytes_keeps_what_it_views() -> None:
    data = bytearray(8)
    tensor = rm.TensorBuffer.from_bytes(data, (8,), "uint8")
    with pytest.raises(BufferError):
        data.append(1)
    del tensor
    data.append(1)


@pytest.mark.parametrize(("shape", "dtype"), [((3,), "uint16"), ((2, 2), "float32"), ((), "uint8"), ((0,), "uint8")])
def test_from_bytes_wants_as_many_bytes_as_the_shape_takes(shape: tuple[int, ...], dtype: str) -> None:
    for _ in range(2):
        with pytest.raises(rm.InvalidTensor, match="4 bytes"):
            rm.TensorBuffer.from_bytes(bytes(4), shape, dtype)


def test_from_bytes_refuses_impossible_shapes() -> None:
    for shape in ((-1,), (2**63,), (2**32, 2**32), (1,) * 65):
        with pytest.raises(rm.InvalidTensor):
            rm.TensorBuffer.from_bytes(bytes(4), shape, "uint8")


@pytest.mark.parametrize("data", ["text", 4, None, [1, 2]])
def test_from_bytes_takes_nothing_else(data: Any) -> None:
    with pytest.raises(TypeError):
        rm.TensorBuffer.from_bytes(data, (4,), "uint8")


def test_to_bytes_is_row_major(tensor: rm.TensorBuffer) -> None:
    array = tensor.to_numpy()
    assert tensor.transpose().to_bytes() == array.T.tobytes()
    assert tensor[::-1, 1::2].to_bytes() == array[::-1, 1::2].tobytes()
    assert tensor[3:].to_bytes() == b""
