# SPDX-License-Identifier: Apache-2.0
"""Whatever holds numbers, as a tensor."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from remotemedia.core.errors import InvalidTensor, ZeroCopyUnavailable
from remotemedia.core.tensor_bridge import DataType, TensorBuffer

ArrayLike = Any
"""A NumPy array, a TensorBuffer, a torch.Tensor, a DLPack exporter, a buffer, a number, a list of them."""

_KINDS = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}
"""Of dtypes of numbers: those of a lower one can be held by a higher one."""


def as_tensor(value: ArrayLike, *, name: str) -> TensorBuffer:
    """The elements of value as a tensor, where they are.

    A TensorBuffer is given back. Arrays of NumPy, tensors of torch, exporters of DLPack and buffers are viewed, bytes
    as uint8. Copied is what no tensor can view: numbers and lists, an array of the other byte order, one whose strides
    are no whole numbers of elements, and text to a tensor of bytes: a str, and lists and arrays of str or bytes.

    Args:
        value: What holds the elements.
        name: Of the value, for errors.

    Raises:
        InvalidTensor: No tensor has such elements, or they cannot be reached; the message says what to do.
    """
    try:
        return _tensor_of(value)
    except InvalidTensor as error:
        raise InvalidTensor(f"{name}: {error}") from error
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise InvalidTensor(f"{name} cannot be viewed as a tensor: {error}") from error


def _tensor_of(value: ArrayLike) -> TensorBuffer:
    if isinstance(value, TensorBuffer):
        return value
    if isinstance(value, getattr(sys.modules.get("torch"), "Tensor", ())):
        return TensorBuffer.from_torch(value)
    if isinstance(value, np.ndarray):
        return _tensor_of_array(value)
    if hasattr(value, "__dlpack__"):
        return TensorBuffer.from_dlpack(value)
    array = np.asarray(memoryview(value) if isinstance(value, bytes) else value)  # NumPy takes bytes for text
    if array.dtype.kind in "SU" and isinstance(value, (str, list, tuple)):
        array = np.asarray(value, dtype=object)  # NumPy's own text has no zeros at its end
    elif array.dtype.kind in "OSU":
        raise InvalidTensor(f"must hold numbers or text, not {array.dtype} (from {type(value).__name__})")
    return _tensor_of_array(array)


def _tensor_of_array(array: npt.NDArray[Any]) -> TensorBuffer:
    if array.dtype.kind in "iufc" and not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    try:
        return TensorBuffer.from_numpy(array)
    except ZeroCopyUnavailable:
        return TensorBuffer.from_numpy(array, zero_copy=False)


def as_tensor_of_dtype(value: ArrayLike, dtype: DataType, name: str) -> TensorBuffer:
    """A number, or a list of them, as a tensor of this dtype.

    Raises:
        InvalidTensor: They are no numbers, or the dtype has not all of them.
    """
    try:
        natural = np.asarray(value)
    except ValueError as error:
        raise InvalidTensor(f"{name} cannot be viewed as a tensor: {error}") from error
    if natural.dtype.kind not in _KINDS:
        raise InvalidTensor(f"{name} must hold numbers, not {natural.dtype} (from {type(value).__name__})")
    empty = TensorBuffer.allocate(natural.shape, dtype).to_numpy()
    if natural.size > 0 and _KINDS[natural.dtype.kind] > _KINDS.get(empty.dtype.kind, _KINDS["f"]):
        raise InvalidTensor(f"{name} is {dtype}, which cannot hold {natural.dtype}: found {value!r:.80}")
    try:
        array = np.asarray(value, dtype=empty.dtype)
    except (OverflowError, TypeError, ValueError) as error:
        raise InvalidTensor(f"{name} is {dtype}: {error}") from error
    return TensorBuffer.from_numpy(array)


def as_dict(mapping: Any) -> dict[Any, Any]:
    """What a mapping holds.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(mapping, Mapping):
        raise TypeError(f"tensors are given by name, in a mapping, not as {type(mapping).__name__}")
    return dict(mapping)
