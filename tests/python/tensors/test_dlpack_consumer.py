# SPDX-License-Identifier: Apache-2.0
"""The checklist of DLPack, what a consumer does: the number in a test's name is its line."""

import ctypes
import gc
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from tests.python.core.program import run
from tests.python.tensors.hostile_dlpack import (
    BFLOAT,
    COMPLEX,
    CPU,
    CUDA,
    CUDA_HOST,
    FLOAT,
    INT,
    OPAQUE,
    READ_ONLY,
    UINT,
    Producer,
    capsule_at,
    capsule_name,
)


def refused(error: type[Exception], message: str | None, **lies: Any) -> None:
    """Twice, and the deleter is called each time."""
    for _ in range(2):
        producer = Producer(**lies)
        with pytest.raises(error, match=message):
            rm.TensorBuffer.from_dlpack(producer)
        assert producer.deletions == 1


# 18


@pytest.mark.parametrize("version", [(2, 0), (0, 9), (3, 1), (2**32 - 1, 0)])
def test_18_another_major_version_is_given_back(version: tuple[int, int]) -> None:
    refused(rm.InvalidTensor, f"version {version[0]}", version=version)


def test_18_nothing_of_another_major_version_is_read() -> None:
    """Its tensor begins where no page is: reading would end the process."""
    program = """
    import ctypes, mmap
    from tests.python.tensors.hostile_dlpack import DELETER, Versioned, capsule_at
    libc = ctypes.CDLL(None)
    pages = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    edge = ctypes.addressof(ctypes.c_char.from_buffer(pages)) + mmap.PAGESIZE
    managed = Versioned.from_address(edge - Versioned.tensor.offset)
    managed.version.major = 2
    deleter = DELETER(lambda address: say("given back" if address == ctypes.addressof(managed) else "what?"))
    managed.deleter = ctypes.cast(deleter, ctypes.c_void_p)
    assert libc.mprotect(ctypes.c_void_p(edge), mmap.PAGESIZE, 0) == 0
    try:
        rm.TensorBuffer.from_dlpack(capsule_at(ctypes.addressof(managed), b"dltensor_versioned"))
    except rm.InvalidTensor:
        say("refused")
    """
    assert run(program) == ["given back", "refused"]


@pytest.mark.parametrize("minor", [0, 1, 3, 99])
def test_18_another_minor_version_is_taken(minor: int) -> None:
    assert rm.TensorBuffer.from_dlpack(Producer(version=(1, minor))).shape == (12,)


# 19


def test_19_a_capsule_of_another_name_holds_no_tensor() -> None:
    producer = Producer(name=b"arrow_array")
    for _ in range(2):
        with pytest.raises(rm.InvalidTensor, match="arrow_array"):
            rm.TensorBuffer.from_dlpack(producer)
    assert producer.deletions == 0  # it is not ours to call


@pytest.mark.parametrize("version", [None, (1, 0)])
def test_19_a_capsule_is_taken_once(version: tuple[int, int] | None) -> None:
    producer = Producer(version=version)
    capsule = producer.capsule()
    name = capsule_name(capsule)
    tensor = rm.TensorBuffer.from_dlpack(capsule)
    assert capsule_name(capsule) == "used_" + name
    for _ in range(2):
        with pytest.raises(rm.InvalidTensor, match="taken"):
            rm.TensorBuffer.from_dlpack(capsule)
    del tensor
    assert producer.deletions == 1


def test_19_a_capsule_of_no_name_holds_no_tensor() -> None:
    capsule = Producer().capsule()
    ctypes.pythonapi.PyCapsule_SetName(ctypes.py_object(capsule), None)
    with pytest.raises(rm.InvalidTensor, match="holds no tensor"):
        rm.TensorBuffer.from_dlpack(capsule)


@pytest.mark.parametrize("given", [None, 7, b"dltensor", object()])
def test_19_what_gives_no_capsule_is_a_type_error(given: Any) -> None:
    class Exporter:
        def __dlpack__(self, **_: Any) -> Any:
            return given

    for _ in range(2):
        with pytest.raises(TypeError, match="capsule"):
            rm.TensorBuffer.from_dlpack(Exporter())


@pytest.mark.parametrize("exporter", [None, 7, b"bytes", [1.0]])
def test_19_what_exports_nothing_is_a_type_error(exporter: Any) -> None:
    with pytest.raises(TypeError, match="dlpack"):
        rm.TensorBuffer.from_dlpack(exporter)


# 20


@pytest.mark.parametrize("version", [None, (1, 0)])
def test_20_a_producer_without_a_deleter_is_left_alone(version: tuple[int, int] | None) -> None:
    producer = Producer(version=version, deleter=False)
    tensor = rm.TensorBuffer.from_dlpack(producer)
    assert tensor.to_numpy().tolist() == list(range(12))
    del tensor
    gc.collect()
    assert producer.memory.tolist() == list(range(12))


def test_20_also_where_it_is_refused() -> None:
    for lies in ({"version": (2, 0)}, {"shape": (-1,)}, {"dtype": (FLOAT, 32, 4)}):
        with pytest.raises(rm.InvalidTensor):
            rm.TensorBuffer.from_dlpack(Producer(deleter=False, **lies))


# The deleter of what was taken is called once, whoever goes last.


@pytest.mark.parametrize("version", [None, (1, 0)])
def test_20_a_deleter_is_called_once_after_the_last_view(version: tuple[int, int] | None) -> None:
    producer = Producer(version=version)
    tensor = rm.TensorBuffer.from_dlpack(producer)
    view, array = tensor[2:], tensor.to_numpy()
    del tensor
    gc.collect()
    assert producer.deletions == 0
    del array
    assert producer.deletions == 0
    assert view.to_numpy()[0] == 2
    del view
    assert producer.deletions == 1


# 21


def test_21_no_strides_are_those_of_a_row_major_tensor() -> None:
    tensor = rm.TensorBuffer.from_dlpack(Producer(shape=(3, 4), strides=None))
    assert (tensor.strides, tensor.is_contiguous) == ((4, 1), True)
    assert tensor.to_numpy().tolist() == np.arange(12).reshape(3, 4).tolist()


def test_21_a_tensor_of_no_axes_needs_neither_shape_nor_strides() -> None:
    tensor = rm.TensorBuffer.from_dlpack(Producer(shape=None, strides=None, ndim=0))
    assert tensor.shape == ()
    assert tensor.to_numpy() == 0


def test_21_strides_are_what_they_say() -> None:
    tensor = rm.TensorBuffer.from_dlpack(Producer(shape=(4, 3), strides=(1, 4)))
    assert tensor.strides == (1, 4)
    assert tensor.to_numpy().tolist() == np.arange(12).reshape(3, 4).T.tolist()


# 22


@pytest.mark.parametrize("offset", [4, 20, 44])
def test_22_the_byte_offset_counts(offset: int) -> None:
    producer = Producer(shape=(1,), byte_offset=offset)
    tensor = rm.TensorBuffer.from_dlpack(producer)
    assert tensor.data_ptr == producer.memory.ctypes.data + offset
    assert tensor.to_numpy().tolist() == [offset // 4]


def test_22_the_byte_offset_counts_beside_negative_strides() -> None:
    producer = Producer(strides=(-1,), byte_offset=44)
    assert rm.TensorBuffer.from_dlpack(producer).to_numpy().tolist() == list(range(12))[::-1]


@pytest.mark.parametrize("offset", [2**64 - 1, 2**64 - 4])
def test_22_a_byte_offset_that_leads_nowhere_is_refused(offset: int) -> None:
    refused(rm.InvalidTensor, "byte_offset", byte_offset=offset)


# 23


@pytest.mark.parametrize("lanes", [0, 2, 4, 2**16 - 1])
def test_23_more_or_fewer_lanes_than_one_are_refused(lanes: int) -> None:
    refused(rm.InvalidTensor, "lane", dtype=(FLOAT, 32, lanes))


@pytest.mark.parametrize("code", [OPAQUE, 15, 16, 17, 18, 19, 99, 255])
def test_23_unknown_types_are_refused(code: int) -> None:
    refused(rm.InvalidTensor, f"type code {code}", dtype=(code, 8, 1))


@pytest.mark.parametrize(
    ("code", "bits"),
    [
        *[
            (FLOAT, 8),
            (FLOAT, 80),
            (FLOAT, 128),
            (INT, 0),
            (INT, 4),
            (UINT, 1),
            (INT, 128),
            (BFLOAT, 32),
            (COMPLEX, 16),
        ],
        *[(6, 1), (6, 16), (10, 16), (17, 4), (UINT, 24), (255, 255)],
    ],
)
def test_23_types_of_other_widths_are_refused(code: int, bits: int) -> None:
    refused(rm.InvalidTensor, f"{bits} bits", dtype=(code, bits, 1))


# 24


@pytest.mark.parametrize("ndim", [-1, -(2**31), 65, 1000, 2**31 - 1])
def test_24_impossible_numbers_of_axes_are_refused(ndim: int) -> None:
    refused(rm.InvalidTensor, f"ndim {ndim}", ndim=ndim)


@pytest.mark.parametrize("rank", [8, 9, 32, 64])
def test_24_all_possible_numbers_of_axes_are_taken(rank: int) -> None:
    tensor = rm.TensorBuffer.from_dlpack(Producer(shape=(1,) * rank, strides=(1,) * rank))
    assert tensor.ndim == rank
    assert tensor[(0,) * rank].to_numpy() == 0


@pytest.mark.parametrize("shape", [(-1,), (3, -4), (-(2**63),), (0, -1), (-1, 0)])
def test_24_negative_extents_are_refused(shape: tuple[int, ...]) -> None:
    refused(rm.InvalidTensor, None, shape=shape, strides=(1,) * len(shape))
    refused(rm.InvalidTensor, None, shape=shape, strides=None)


@pytest.mark.parametrize(
    ("shape", "strides"),
    [
        ((2**62,), (1,)),
        ((2**32, 2**32), (2**32, 1)),
        ((2**32, 2**32), None),
        ((2**63 - 1, 2**63 - 1, 2**63 - 1), None),
        ((2,), (2**62,)),
        ((3, 3), (2**61, -(2**61))),
        ((2,), (-(2**63),)),
        ((2**61 + 1,), (1,)),
    ],
)
def test_24_sizes_that_overflow_are_refused(shape: tuple[int, ...], strides: tuple[int, ...] | None) -> None:
    refused(rm.InvalidTensor, None, shape=shape, strides=strides)


def test_24_axes_without_a_shape_are_refused() -> None:
    refused(rm.InvalidTensor, "shape", shape=None, strides=None, ndim=2)


def test_24_elements_without_data_are_refused() -> None:
    refused(rm.InvalidTensor, "data", data=None)


def test_24_no_elements_need_no_data() -> None:
    producer = Producer(shape=(0, 3), strides=(3, 1), data=None)
    tensor = rm.TensorBuffer.from_dlpack(producer)
    assert (tensor.shape, tensor.nbytes) == ((0, 3), 0)
    assert tensor.to_numpy().shape == (0, 3)
    del tensor
    assert producer.deletions == 1


# 25


class OldProducer(Producer):
    """Of before version 1: it knows no keyword but stream."""

    attempts = 0

    def __dlpack__(self, *, stream: Any = None, **unknown: Any) -> Any:
        self.attempts += 1
        if unknown:
            raise TypeError("__dlpack__() got an unexpected keyword argument 'max_version'")
        return self.capsule()


@pytest.mark.parametrize("copy", [None, True])
def test_25_who_does_not_know_the_keywords_is_asked_without(copy: bool | None) -> None:
    producer = OldProducer(version=None)
    tensor = rm.TensorBuffer.from_dlpack(producer, copy=copy)
    assert tensor.to_numpy().tolist() == list(range(12))
    assert producer.attempts == 2


def test_25_who_knows_them_is_asked_once_for_version_1() -> None:
    producer = Producer()
    rm.TensorBuffer.from_dlpack(producer)
    assert [call["max_version"][0] for call in producer.calls] == [1]


def test_25_other_errors_of_a_producer_are_its_own() -> None:
    class Broken:
        attempts = 0

        def __dlpack__(self, **_: Any) -> Any:
            self.attempts += 1
            raise BufferError("not today")

    broken = Broken()
    with pytest.raises(BufferError, match="not today"):
        rm.TensorBuffer.from_dlpack(broken)
    assert broken.attempts == 1


# 26


def test_26_what_is_read_only_stays_so() -> None:
    tensor = rm.TensorBuffer.from_dlpack(Producer(flags=READ_ONLY))
    assert tensor.read_only
    assert tensor[1:].read_only
    assert not tensor.to_numpy().flags.writeable
    with pytest.raises(BufferError):
        tensor.__dlpack__()


def test_26_what_cannot_say_is_read_only() -> None:
    assert rm.TensorBuffer.from_dlpack(Producer(version=None)).read_only


def test_26_what_is_writable_is_written_to() -> None:
    producer = Producer()
    tensor = rm.TensorBuffer.from_dlpack(producer)
    assert not tensor.read_only
    tensor.to_numpy()[3] = 99
    assert producer.memory[3] == 99


def test_26_flags_that_nobody_knows_yet_do_not_matter() -> None:
    assert not rm.TensorBuffer.from_dlpack(Producer(flags=1 << 40)).read_only


# 27


@pytest.mark.parametrize("device", [(CUDA, 0), (4, 0), (7, 0), (8, 0), (10, 1), (14, 0), (0, 0), (-1, 0), (99, 7)])
def test_27_other_devices_are_a_buffer_error(device: tuple[int, int]) -> None:
    refused(BufferError, "device", device=device)
    refused(rm.ZeroCopyUnavailable, "device", device=device, data=None)


@pytest.mark.parametrize("device", [(CPU, 0), (CUDA_HOST, 0), (11, 0), (13, 0)])
def test_27_memory_that_the_processor_sees_is_taken(device: tuple[int, int]) -> None:
    assert rm.TensorBuffer.from_dlpack(Producer(device=device)).to_numpy().tolist() == list(range(12))


# 28


def test_28_gaps_are_packed_while_copying() -> None:
    producer = Producer(shape=(2, 3), strides=(6, 2))
    tensor = rm.TensorBuffer.from_dlpack(producer, copy=True)
    assert producer.deletions == 1
    assert (tensor.strides, tensor.is_contiguous, tensor.storage) == ((3, 1), True, "heap")
    assert tensor.to_numpy().tolist() == [[0, 2, 4], [6, 8, 10]]


def test_28_a_copy_of_what_is_read_only_can_be_written() -> None:
    producer = Producer(flags=READ_ONLY)
    tensor = rm.TensorBuffer.from_dlpack(producer, copy=True)
    tensor.to_numpy()[:] = 0
    assert producer.memory.tolist() == list(range(12))


def test_28_gaps_stay_where_nothing_is_copied() -> None:
    producer = Producer(shape=(2, 3), strides=(6, 2))
    for copy in (None, False):
        assert rm.TensorBuffer.from_dlpack(producer, copy=copy).strides == (6, 2)


# A capsule itself.


def test_a_capsule_is_an_exporter_too() -> None:
    producer = Producer()
    tensor = rm.TensorBuffer.from_dlpack(producer.capsule())
    assert tensor.data_ptr == producer.memory.ctypes.data


def test_a_capsule_may_be_of_elements_that_no_other_library_has() -> None:
    producer = Producer(dtype=(7, 8, 1), shape=(48,))
    capsule = capsule_at(ctypes.addressof(producer.managed), b"dltensor_versioned")
    assert rm.TensorBuffer.from_dlpack(capsule).dtype == "float8_e3m4"
