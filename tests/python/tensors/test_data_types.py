# SPDX-License-Identifier: Apache-2.0
"""DataType, and every dtype on every way into and out of a tensor."""

import copy
import importlib.util
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from tests.python.core.program import run

NUMPYS = ("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128").split()
ADDED = (
    "bfloat16 float8_e3m4 float8_e4m3 float8_e4m3b11fnuz float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz "
    "float8_e8m0fnu"
).split()
ITEMSIZES = {"bool": 1, "bfloat16": 2, "complex32": 4, "complex64": 8, "complex128": 16} | {
    name: (int(name.rpartition("t")[2]) // 8 if name in NUMPYS else 1)
    for name in NUMPYS + ADDED
    if name not in {"bool", "bfloat16", "complex64", "complex128"}
}
SHORT = {"i8": "int8", "u16": "uint16", "f16": "float16", "f32": "float32", "f64": "float64", "bf16": "bfloat16"}

ml_dtypes_needed = pytest.mark.skipif(
    importlib.util.find_spec("ml_dtypes") is None, reason="ml_dtypes is not there: pip install ml_dtypes"
)


@pytest.mark.parametrize("name", [*ITEMSIZES])
def test_a_dtype_has_name_and_size(name: str) -> None:
    dtype = rm.DataType(name)
    assert (dtype.name, dtype.itemsize, str(dtype)) == (name, ITEMSIZES[name], name)
    assert repr(dtype) == f"DataType('{name}')"
    assert rm.DataType(dtype) == dtype
    assert hash(rm.DataType(name)) == hash(dtype)
    assert pickle.loads(pickle.dumps(dtype)) == copy.deepcopy(dtype) == copy.copy(dtype) == dtype


@pytest.mark.parametrize("short", SHORT)
def test_a_dtype_has_a_short_name(short: str) -> None:
    assert rm.DataType(short).name == SHORT[short]


@pytest.mark.parametrize("name", NUMPYS)
def test_a_dtype_is_what_numpy_says_it_is(name: str) -> None:
    for given in (np.dtype(name), np.dtype(name).type, np.dtype(name).str, name):
        assert rm.DataType(given).name == name
        assert rm.DataType(name) == given


def test_pythons_types_are_numpys() -> None:
    assert [rm.DataType(given).name for given in (bool, float, complex)] == ["bool", "float64", "complex128"]
    assert rm.DataType(int).name == np.dtype(int).name


def test_dtypes_differ() -> None:
    assert len({rm.DataType(name) for name in ITEMSIZES}) == len(ITEMSIZES)
    assert rm.DataType("float32") != "float64"
    assert rm.DataType("float32") != "nonsense"
    assert rm.DataType("float32") != 7
    assert rm.DataType("float32") != None  # noqa: E711


@pytest.mark.parametrize("given", ["nonsense", "", "float33", "f31", 7, object(), None, [], "int32,int32"])
def test_what_is_no_dtype_is_refused(given: Any) -> None:
    for _ in range(2):
        with pytest.raises(rm.InvalidTensor) as refused:
            rm.DataType(given)
        assert isinstance(refused.value, ValueError)


def test_elements_of_any_length_are_needed_for_memory_of_them() -> None:
    assert (rm.DataType("bytes").name, rm.DataType("bytes").itemsize) == ("bytes", 0)
    makers: list[Callable[[], rm.TensorBuffer]] = [
        lambda: rm.TensorBuffer.allocate(3, "bytes"),
        lambda: rm.TensorBuffer.from_bytes(b"", (1,), "bytes"),
        lambda: rm.SharedMemoryAllocator().allocate_tensor(3, "bytes"),
    ]
    for make in makers:
        with pytest.raises(rm.InvalidTensor):
            make()


# Every dtype, every way


def bits(name: str) -> bytes:
    """Six elements, no two alike, whatever the dtype."""
    if name == "bool":
        return bytes([1, 0, 1, 1, 0, 0])
    return bytes(range(1, 6 * ITEMSIZES[name] + 1))


@pytest.mark.parametrize("name", ITEMSIZES)
def test_a_tensor_has_its_dtype_and_elements(name: str) -> None:
    tensor = rm.TensorBuffer.from_bytes(bits(name), (2, 3), name)
    assert (tensor.dtype.name, tensor.nbytes) == (name, 6 * ITEMSIZES[name])
    assert tensor.to_bytes() == bits(name)
    assert tensor.transpose().copy().transpose().to_bytes() == bits(name)
    assert tensor[::-1, ::-1].copy()[::-1, ::-1].to_bytes() == bits(name)


@pytest.mark.parametrize("name", ITEMSIZES)
def test_a_tensor_of_it_goes_through_dlpack(name: str) -> None:
    tensor = rm.TensorBuffer.from_bytes(bits(name), (2, 3), name)
    again = rm.TensorBuffer.from_dlpack(tensor)
    assert (again.dtype.name, again.data_ptr, again.to_bytes()) == (name, tensor.data_ptr, bits(name))


@pytest.mark.parametrize("name", ITEMSIZES)
def test_a_tensor_of_it_is_pickled(name: str) -> None:
    tensor = rm.TensorBuffer.from_bytes(bits(name), (2, 3), name)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(tensor, protocol))
        assert (again.dtype.name, again.shape, again.to_bytes()) == (name, (2, 3), bits(name))


@pytest.mark.parametrize("name", ITEMSIZES)
def test_a_tensor_of_it_lies_in_shared_memory(name: str, allocator: rm.SharedMemoryAllocator) -> None:
    tensor = rm.TensorBuffer.from_bytes(bits(name), (2, 3), name)
    shared = tensor.copy(allocator=allocator)
    assert (shared.storage, shared.dtype.name, shared.to_bytes()) == ("shared_memory", name, bits(name))
    opened = rm.TensorBuffer.from_shared_memory(shared.to_shared_memory())
    assert (opened.dtype.name, opened.shape, opened.to_bytes()) == (name, (2, 3), bits(name))


@pytest.mark.parametrize("name", NUMPYS)
def test_numpys_dtypes_go_through_all_of_its_protocols(name: str) -> None:
    tensor = rm.TensorBuffer.from_bytes(bits(name), (2, 3), name)
    for array in (tensor.to_numpy(), np.asarray(tensor), np.from_dlpack(tensor), tensor.__array__()):
        assert array.dtype == name
        assert array.tobytes() == bits(name)
        assert array.ctypes.data == tensor.data_ptr
        again = rm.TensorBuffer.from_numpy(array)
        assert (again.dtype.name, again.data_ptr) == (name, tensor.data_ptr)
    assert tensor.__array_interface__["typestr"] == np.dtype(name).str
    assert np.asarray(memoryview(tensor)).dtype == name


@ml_dtypes_needed
@pytest.mark.parametrize("name", [*ADDED, "complex32"])
def test_the_dtypes_of_ml_dtypes_go_through_numpy(name: str) -> None:
    import ml_dtypes

    if not hasattr(ml_dtypes, name):
        pytest.skip(f"this ml_dtypes has no {name}: pip install --upgrade ml_dtypes")
    dtype = np.dtype(getattr(ml_dtypes, name))
    assert rm.DataType(dtype) == name
    tensor = rm.TensorBuffer.from_bytes(bits(name), (2, 3), name)
    for array in (tensor.to_numpy(), np.asarray(tensor), tensor.__array__(), tensor.__array__(copy=True)):
        assert array.dtype == dtype
        assert array.tobytes() == bits(name)
    assert tensor.to_numpy().ctypes.data == tensor.data_ptr
    assert not tensor.to_numpy().flags.writeable


@ml_dtypes_needed
@pytest.mark.parametrize("name", ADDED)
def test_arrays_of_ml_dtypes_are_shared(name: str) -> None:
    import ml_dtypes

    array = np.zeros((4, 6), getattr(ml_dtypes, name))
    for view in (array, array.T, array[::-1, ::2]):
        tensor = rm.TensorBuffer.from_numpy(view)
        assert (tensor.dtype.name, tensor.shape, tensor.data_ptr) == (name, view.shape, view.ctypes.data)
        assert tensor.to_numpy().strides == view.strides
        assert rm.TensorBuffer.from_numpy(view, zero_copy=False).to_bytes() == view.tobytes()


WITHOUT = """
import sys
sys.modules["ml_dtypes"] = None  # as if it were not there
import numpy as np
"""


@pytest.mark.parametrize("name", ADDED)
def test_without_ml_dtypes_numpy_is_refused_and_the_remedy_is_named(name: str) -> None:
    program = f"""
    tensor = rm.TensorBuffer.allocate((2, 3), {name!r})
    for _ in range(2):
        for wanted, ask in (
            (rm.InvalidTensor, tensor.to_numpy),
            (TypeError, lambda: np.asarray(tensor)),
            (TypeError, tensor.__array__),
        ):
            try:
                ask()
                say("no error")
            except wanted as error:
                assert "pip install ml_dtypes" in str(error) and {name!r} in str(error), error
        try:
            tensor.__array_interface__
            say("no error")
        except AttributeError as error:
            assert "DLPack" in str(error), error
    assert rm.TensorBuffer.from_dlpack(tensor).dtype == {name!r} and len(tensor.to_bytes()) == tensor.nbytes
    say("refused")
    """
    assert run(WITHOUT, program) == ["refused"]


def test_without_ml_dtypes_complex32_is_torchs() -> None:
    program = """
    tensor = rm.TensorBuffer.from_bytes(bytes(8), (2,), "complex32")
    for _ in range(2):
        for wanted, ask in ((rm.InvalidTensor, tensor.to_numpy), (TypeError, lambda: np.asarray(tensor))):
            try:
                ask()
            except wanted as error:
                say(f"to_torch: {'to_torch' in str(error)}")
    """
    assert run(WITHOUT, program) == ["to_torch: True"] * 4


# What no tensor has

REFUSED = {
    "big-endian": (np.zeros(2, ">f4"), "big-endian.*astype"),
    "structured": (np.zeros(2, "i4,i4"), "field"),
    "raw": (np.zeros(2, "V4"), "InvalidTensor|field|astype"),
    "moments": (np.zeros(2, "datetime64[s]"), "view.*int64"),
    "durations": (np.zeros(2, "timedelta64[s]"), "view.*int64"),
    "long double": (np.zeros(2, np.longdouble), "astype"),
    "long complex": (np.zeros(2, np.clongdouble), "astype"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_arrays_that_no_tensor_can_be_are_refused_with_a_remedy(kind: str) -> None:
    array, remedy = REFUSED[kind]
    for _ in range(2):
        for zero_copy in (True, False):
            with pytest.raises(rm.InvalidTensor, match=remedy):
                rm.TensorBuffer.from_numpy(array, zero_copy=zero_copy)
        with pytest.raises(rm.InvalidTensor, match=remedy):
            rm.DataType(array.dtype)


def test_the_remedies_work() -> None:
    big = np.arange(3, dtype=">f4")
    assert rm.TensorBuffer.from_numpy(big.astype("float32")).to_numpy().tolist() == [0, 1, 2]
    moments = np.array(["2020-01-01"], "datetime64[s]")
    shared = rm.TensorBuffer.from_numpy(moments.view("int64"))
    assert np.shares_memory(shared.to_numpy(), moments)
    words = np.array([b"one", b"two"])
    assert rm.TensorBuffer.from_numpy(words.view("uint8")).to_bytes() == b"onetwo"
