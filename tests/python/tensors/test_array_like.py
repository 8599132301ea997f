# SPDX-License-Identifier: Apache-2.0
"""as_tensor: whatever holds numbers, viewed where it lies; copied only what no tensor can view."""

import array
import ctypes
import mmap
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from remotemedia import InvalidTensor, TensorBuffer
from remotemedia.core.array_like import as_tensor

Array = npt.NDArray[Any]

TORCH = "pip install torch for its tensors (a CPU build will do)"


class Exporter:
    """Has an array, and one protocol to show it."""

    def __init__(self, elements: Array) -> None:
        self.elements = elements


class WithDlpack(Exporter):
    def __dlpack__(self, **options: Any) -> Any:
        return self.elements.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


class WithOldDlpack(Exporter):
    def __dlpack__(self, stream: Any = None) -> Any:
        return self.elements.__dlpack__(stream=stream)


class WithInterface(Exporter):
    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.elements.__array_interface__


class WithArray(Exporter):
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.elements


class Refusing:
    def __dlpack__(self, **options: Any) -> Any:
        raise BufferError("it is on another planet")


def packed() -> Array:
    """float32 of stride 5 bytes: 0, 1, 2, 3."""
    records = np.zeros(4, [("kind", "i1"), ("value", "<f4")])
    records["value"] = range(4)
    return records["value"]


def test_a_tensor_is_itself() -> None:
    tensor = TensorBuffer.allocate(3)
    assert as_tensor(tensor, name="it") is tensor


@pytest.mark.parametrize("exporter", [lambda a: a, WithDlpack, WithOldDlpack, WithInterface, WithArray, memoryview])
def test_what_shows_its_elements_is_viewed(exporter: Any) -> None:
    elements = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    tensor = as_tensor(exporter(elements), name="it")
    assert np.shares_memory(tensor.to_numpy(), elements)
    assert np.array_equal(tensor.to_numpy(), elements)
    assert tensor.read_only == (exporter is WithOldDlpack), "an old capsule cannot say that it may be written"


@pytest.mark.parametrize(
    ("buffer", "dtype"),
    [
        (bytearray(b"abcd"), "uint8"),
        (b"abcd", "uint8"),
        (memoryview(b"abcd"), "uint8"),
        (array.array("f", range(4)), "float32"),
        ((ctypes.c_int16 * 4)(), "int16"),
        (mmap.mmap(-1, 4), "uint8"),
    ],
)
def test_a_buffer_is_viewed(buffer: Any, dtype: str) -> None:
    tensor = as_tensor(buffer, name="it")
    assert (tensor.shape, tensor.dtype.name) == ((4,), dtype)
    assert tensor.data_ptr == np.frombuffer(buffer, np.uint8).ctypes.data
    assert tensor.read_only == memoryview(buffer).readonly


def test_what_may_not_be_written_stays_so() -> None:
    elements: Any = np.zeros(3)
    elements.flags.writeable = False
    for value in (elements, WithDlpack(elements), memoryview(elements)):
        assert as_tensor(value, name="it").read_only


@pytest.mark.parametrize("value", [3, 2.5, True, 1j, np.float16(2), [1, 2], [[0.5], [1.5]], (), range(4)])
def test_numbers_and_lists_are_what_numpy_makes_of_them(value: Any) -> None:
    tensor, expected = as_tensor(value, name="it"), np.asarray(value)
    assert (tensor.shape, tensor.dtype.name) == (expected.shape, expected.dtype.name)
    assert np.array_equal(tensor.to_numpy(), expected)


@pytest.mark.parametrize(
    "elements",
    [np.arange(4, dtype=">f4"), np.arange(4, dtype=">i2"), np.arange(4).astype(">c8"), packed(), packed()[::-1]],
)
def test_what_no_tensor_can_view_is_copied(elements: Array) -> None:
    tensor = as_tensor(elements, name="it")
    assert tensor.dtype.name == elements.dtype.name
    assert not np.shares_memory(tensor.to_numpy(), elements)
    assert np.array_equal(tensor.to_numpy(), elements)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "^it: must hold numbers or text, not object .from NoneType.$"),
        ({"a": 1}, "must hold numbers or text, not object .from dict."),
        (array.array("w" if sys.version_info >= (3, 13) else "u", "abc"), "must hold numbers"),
        (np.array([b"a", {}], dtype=object), r"^it: element 1 is dict: .*array\.astype"),
        (np.array(["a", "\ud800"], dtype=object), "^it: element 1 is a str that UTF-8 cannot say"),
        (np.zeros(2, "M8[s]"), r"array\.view\('int64'\)"),
        (np.zeros(2, np.longdouble), r"array\.astype"),
        (np.zeros(2, [("a", "f4"), ("b", "i2")]), r"array\['field'\]"),
        (np.ma.masked_less([1.0, 2.0], 1.5), r"array\.filled"),
        ([[0.0], [0.0, 1.0]], "^it cannot be viewed as a tensor: .*inhomogeneous"),
        (Refusing(), "^it cannot be viewed as a tensor: it is on another planet$"),
        (np.ndarray, "^it cannot be viewed as a tensor: "),
    ],
)
def test_what_no_tensor_holds_is_refused_with_what_to_do(value: Any, message: str) -> None:
    for _ in range(2):
        with pytest.raises(InvalidTensor, match=message):
            as_tensor(value, name="it")


def test_a_tensor_of_torch_is_viewed() -> None:
    torch = pytest.importorskip("torch", reason=TORCH)
    for given in (torch.zeros(3, 4), torch.zeros(3, 4).T[1:], torch.zeros(5, dtype=torch.bfloat16)):
        tensor = as_tensor(given, name="it")
        assert (tensor.data_ptr, tensor.shape, tensor.read_only) == (given.data_ptr(), tuple(given.shape), False)


def test_a_tensor_of_torch_that_says_more_than_its_elements_is_refused_with_what_to_do() -> None:
    torch = pytest.importorskip("torch", reason=TORCH)
    for given, remedy in (
        (torch.nn.Parameter(torch.zeros(3)), r"detach\(\)"),
        (torch.zeros(3, dtype=torch.complex64).conj(), r"resolve_conj\(\)"),
        (torch.zeros(3).to_sparse(), r"to_dense\(\)"),
    ):
        for _ in range(2):
            with pytest.raises(InvalidTensor, match=f"^it: .*{remedy}"):
                as_tensor(given, name="it")
