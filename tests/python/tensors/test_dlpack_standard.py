# SPDX-License-Identifier: Apache-2.0
"""The array API standard's cases of `from_dlpack`, `__dlpack__` and `__dlpack_device__`; NumPy is the other side."""

import inspect
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import remotemedia as rm
from tests.python.tensors.hostile_dlpack import CPU, CUDA, IS_COPIED, Producer, Taken, capsule_name

needs_2_1 = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="NumPy's from_dlpack has device and copy since 2.1"
)
DTYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128"  # the standard's
).split()


class DeviceType(IntEnum):
    CPU = 1
    CUDA = 2


def tensor_of(dtype: str = "float32") -> rm.TensorBuffer:
    return rm.TensorBuffer.from_numpy(np.arange(6).reshape(2, 3).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_from_dlpack_gives_the_same_shape_dtype_and_elements(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    there = rm.TensorBuffer.from_dlpack(array)
    assert (there.shape, there.dtype.name, there.device) == (array.shape, dtype, "cpu")
    back = np.from_dlpack(there)
    assert back.dtype == dtype
    assert back.tolist() == array.tolist()
    assert np.shares_memory(back, array)


def test_from_dlpack_takes_its_exporter_by_position_and_the_rest_by_keyword() -> None:
    with pytest.raises(TypeError):
        rm.TensorBuffer.from_dlpack(np.zeros(2), True)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        rm.TensorBuffer.from_dlpack()  # type: ignore[call-arg]


@pytest.mark.parametrize("copy", [0, 1, "yes", [], np.True_])
def test_copy_is_a_bool_or_none(copy: Any) -> None:
    for _ in range(2):
        with pytest.raises(TypeError, match="copy"):
            rm.TensorBuffer.from_dlpack(np.zeros(2), copy=copy)


@given(
    copy=st.sampled_from([None, True, False]),
    device=st.sampled_from([None, (1, 0), (DeviceType.CPU, 0), (np.int32(1), 0)]),
    version=st.none() | st.tuples(st.integers(0, 3), st.integers(0, 9)),
    stream=st.none(),
)
@settings(deadline=None, max_examples=50)
def test_every_legal_call_gives_a_capsule(copy: Any, device: Any, version: Any, stream: None) -> None:
    tensor = tensor_of()
    capsule = tensor.__dlpack__(stream=stream, max_version=version, dl_device=device, copy=copy)
    versioned = version is not None and version[0] >= 1
    assert capsule_name(capsule) == ("dltensor_versioned" if versioned else "dltensor")
    consumer = Taken(capsule)
    assert (consumer.shape, consumer.strides) == ((2, 3), (3, 1))
    assert (consumer.tensor.data == tensor.data_ptr) is (copy is not True)
    if versioned:
        assert consumer.flags == (IS_COPIED if copy else 0)
    consumer.release()


def test_keywords_are_all_that_may_be_given() -> None:
    with pytest.raises(TypeError):
        tensor_of().__dlpack__(device=(CPU, 0))  # type: ignore[call-arg]
    assert inspect.getdoc(rm.TensorBuffer.from_dlpack)


def test_the_device_is_a_pair_of_ints() -> None:
    device = tensor_of().__dlpack_device__()
    assert isinstance(device, tuple)
    assert [type(part) for part in device] == [int, int]
    assert device == (DeviceType.CPU, 0)


def test_the_device_may_be_an_enum() -> None:
    capsule = tensor_of().__dlpack__(dl_device=(DeviceType.CPU, 0))
    assert capsule_name(capsule) == "dltensor"
    with pytest.raises(BufferError):
        tensor_of().__dlpack__(dl_device=(DeviceType.CUDA, 0))


def test_a_device_that_it_is_not_on_is_a_buffer_error_with_every_version() -> None:
    for version in (None, (0, 8), (1, 0), (1, 3)):
        with pytest.raises(BufferError):
            tensor_of().__dlpack__(dl_device=(CUDA, 0), max_version=version)


@needs_2_1
def test_numpy_asks_for_a_copy_and_gets_one() -> None:
    tensor = tensor_of()
    assert not np.shares_memory(np.from_dlpack(tensor, copy=True), tensor.to_numpy())
    assert np.shares_memory(np.from_dlpack(tensor, copy=False), tensor.to_numpy())
    assert np.shares_memory(np.from_dlpack(tensor, device="cpu"), tensor.to_numpy())


@needs_2_1
def test_numpy_may_write_to_its_copy_of_what_is_read_only() -> None:
    tensor = tensor_of().as_read_only()
    assert not np.from_dlpack(tensor).flags.writeable
    assert np.from_dlpack(tensor, copy=True).flags.writeable


def test_copy_is_passed_on_to_the_producer() -> None:
    for copy in (True, False):
        producer = Producer()
        rm.TensorBuffer.from_dlpack(producer, copy=copy)
        assert producer.calls[0]["copy"] is copy
    producer = Producer()
    rm.TensorBuffer.from_dlpack(producer)
    assert producer.calls[0].get("copy") is None


def test_copy_true_is_a_copy_whatever_the_producer_does() -> None:
    producer = Producer()
    tensor = rm.TensorBuffer.from_dlpack(producer, copy=True)
    producer.memory[:] = -1
    assert tensor.to_numpy().tolist() == list(range(12))


def test_who_must_copy_and_may_not_is_a_buffer_error() -> None:
    class Elsewhere:
        def __dlpack__(self, *, copy: bool | None = None, **_: Any) -> Any:
            if copy is False:
                raise BufferError("only a copy could do it")
            return Producer(version=(1, 0)).capsule()

        def __dlpack_device__(self) -> tuple[int, int]:
            return (CUDA, 0)

    for _ in range(2):
        with pytest.raises(BufferError, match="only a copy"):
            rm.TensorBuffer.from_dlpack(Elsewhere(), copy=False)


@pytest.mark.parametrize("make", [lambda a: a, lambda a: a.T, lambda a: a[::-1], lambda a: a[:, ::2], lambda a: a[:0]])
def test_layouts_go_round(make: Any) -> None:
    array: npt.NDArray[Any] = make(np.arange(24.0).reshape(4, 6))
    back = np.from_dlpack(rm.TensorBuffer.from_dlpack(array))
    assert back.tolist() == array.tolist()
    assert back.size == 0 or back.strides == array.strides


def test_a_tensor_goes_round_through_itself() -> None:
    tensor = tensor_of()
    again = rm.TensorBuffer.from_dlpack(rm.TensorBuffer.from_dlpack(tensor))
    del tensor
    assert again.to_numpy().tolist() == [[0, 1, 2], [3, 4, 5]]
