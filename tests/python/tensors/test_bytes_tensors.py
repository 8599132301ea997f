# SPDX-License-Identifier: Apache-2.0
"""Elements of any length: arrays of objects, each a bytes."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.core.array_like import as_tensor

TEXTS = [b"one", b"", b"with\0zeros\0", "größer".encode(), b"\xff\xfe"]


def array_of(elements: list[Any], shape: tuple[int, ...] | None = None) -> Any:
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array.reshape(len(elements) if shape is None else shape)


def tensor_of(elements: list[Any], shape: tuple[int, ...] | None = None) -> rm.TensorBuffer:
    return rm.TensorBuffer.from_numpy(array_of(elements, shape), zero_copy=False)


@pytest.mark.parametrize("shape", [(5,), (1, 5), (5, 1, 1)])
def test_elements_come_back_as_they_were(shape: tuple[int, ...]) -> None:
    tensor = tensor_of(TEXTS, shape)
    assert (tensor.dtype.name, tensor.shape) == ("bytes", shape)
    assert tensor.nbytes == sum(4 + len(text) for text in TEXTS)
    array = tensor.to_numpy()
    assert (array.dtype, array.shape, array.ravel().tolist()) == (np.dtype(object), shape, TEXTS)
    assert np.asarray(tensor).ravel().tolist() == TEXTS
    assert tensor.reshape(-1).to_numpy().tolist() == TEXTS


def test_a_scalar_and_no_elements_have_arrays() -> None:
    assert tensor_of([b"one"], ()).to_numpy().item() == b"one"
    assert tensor_of([], (0, 3)).to_numpy().shape == (0, 3)


def test_their_bytes_are_packed_behind_lengths() -> None:
    packed = b"".join(len(text).to_bytes(4, "little") + text for text in TEXTS)
    assert tensor_of(TEXTS).to_bytes() == packed
    tensor = rm.TensorBuffer.from_bytes(packed, (5,), "bytes")
    assert tensor.to_numpy().tolist() == TEXTS
    for wrong in (packed[:-1], packed + b"\0", b""):
        for _ in range(2):
            with pytest.raises(rm.InvalidTensor):
                rm.TensorBuffer.from_bytes(wrong, (5,), "bytes")


@pytest.mark.parametrize("array", [np.array(["one", "größer"]), array_of(["one", "größer".encode()])])
def test_text_is_utf_8(array: Any) -> None:
    assert rm.TensorBuffer.from_numpy(array, zero_copy=False).to_numpy().tolist() == [b"one", "größer".encode()]


def test_lists_of_text_are_tensors_of_bytes() -> None:
    assert as_tensor([["a", "b"], ["c", "d"]], name="it").to_numpy().tolist() == [[b"a", b"b"], [b"c", b"d"]]
    assert as_tensor([b"a\0", b""], name="it").to_numpy().tolist() == [b"a\0", b""]
    assert as_tensor("text", name="it").to_numpy().item() == b"text"


def test_arrays_of_text_are_never_shared() -> None:
    for array in (np.array(["a"]), np.array([b"a"]), array_of([b"a"])):
        with pytest.raises(rm.ZeroCopyUnavailable, match="zero_copy=False"):
            rm.TensorBuffer.from_numpy(array)
    with pytest.raises(ValueError, match="copy is False"):
        tensor_of(TEXTS).__array__(copy=False)


def test_what_is_no_text_is_named() -> None:
    for _ in range(2):
        with pytest.raises(rm.InvalidTensor, match=r"element 1 is float: .*bytes or str"):
            tensor_of([b"a", 1.5])


def test_they_are_copied_and_pickled() -> None:
    tensor = tensor_of(TEXTS)
    for again in (copy.copy(tensor), copy.deepcopy(tensor), *(pickle.loads(pickle.dumps(tensor, p)) for p in (2, 5))):
        assert (again.dtype.name, again.to_numpy().tolist()) == ("bytes", TEXTS)


def test_other_libraries_are_told_that_they_have_none() -> None:
    tensor = tensor_of(TEXTS)
    with pytest.raises((BufferError, rm.InvalidTensor)):
        np.from_dlpack(tensor)
    with pytest.raises(BufferError):
        memoryview(tensor)
    with pytest.raises(rm.InvalidTensor, match="to_numpy"):
        tensor.to_shared_memory()
    with pytest.raises(rm.InvalidTensor, match="to_numpy"):
        tensor[0]
