# SPDX-License-Identifier: Apache-2.0
"""PyTorch: writable memory is shared, read-only memory is cloned, and what torch cannot say is refused."""

import gc
from typing import Any

import numpy as np
import pytest

import remotemedia as rm

torch: Any = pytest.importorskip("torch", reason="torch is not there: pip install torch")

DTYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex32 complex64 "
    "complex128 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu"
).split()


@pytest.mark.parametrize("name", [name for name in DTYPES if hasattr(torch, name)])
def test_13_each_dtype_goes_round_without_a_copy(name: str) -> None:
    dtype = getattr(torch, name)
    tensor = torch.arange(16, dtype=torch.uint8).remainder(2).view(dtype)
    buffer = rm.TensorBuffer.from_torch(tensor)
    assert (buffer.dtype.name, buffer.data_ptr, buffer.storage) == (name, tensor.data_ptr(), "foreign")
    assert not buffer.read_only
    back = buffer.to_torch()
    assert back.dtype == dtype
    assert back.data_ptr() == tensor.data_ptr()
    assert back.view(torch.uint8).tolist() == tensor.view(torch.uint8).tolist()
    assert rm.DataType(dtype) == name


@pytest.mark.parametrize("name", [name for name in DTYPES if hasattr(torch, name)])
def test_13_each_dtype_goes_through_dlpack(name: str) -> None:
    tensor = torch.arange(16, dtype=torch.uint8).remainder(2).view(getattr(torch, name))
    try:
        tensor.__dlpack__()
    except (BufferError, RuntimeError, ValueError) as why:
        pytest.skip(f"this torch exports no {name}: {why}")
    buffer = rm.TensorBuffer.from_dlpack(tensor)
    assert (buffer.dtype.name, buffer.data_ptr) == (name, tensor.data_ptr())


@pytest.mark.parametrize("cut", ["[:]", "[1:, ::2]", ".T", "[0]", "[:0]", "[1, 1]", "[:, :1].expand(4, 6)"])
def test_strides_go_round(cut: str) -> None:
    tensor = eval("base" + cut, {"base": torch.arange(24).reshape(4, 6)})
    buffer = rm.TensorBuffer.from_torch(tensor)
    assert (buffer.shape, buffer.strides) == (tuple(tensor.shape), tensor.stride())
    assert torch.equal(buffer.to_torch(), tensor)
    assert np.array_equal(buffer.to_numpy(), tensor.numpy())


def test_writes_are_seen_on_both_sides(allocator: rm.SharedMemoryAllocator) -> None:
    buffer = allocator.allocate_tensor((2, 3), "float32")
    tensor = buffer.to_torch()
    tensor.fill_(2)
    assert buffer.to_numpy().tolist() == [[2] * 3] * 2
    buffer.to_numpy()[0, 0] = 5
    assert float(tensor[0, 0]) == 5
    assert rm.buffer_to_torch(buffer).data_ptr() == rm.torch_to_buffer(tensor).data_ptr == buffer.data_ptr


def test_read_only_memory_is_cloned_unless_allowed() -> None:
    buffer = rm.TensorBuffer.from_bytes(bytes(8), (2,), "float32")
    clone = buffer.to_torch()
    clone.fill_(7)
    assert buffer.to_bytes() == bytes(8)
    assert buffer.to_torch(allow_readonly=True).data_ptr() == buffer.data_ptr
    assert buffer.to_torch(device="cpu").tolist() == [0, 0]


def test_negative_strides_are_cloned() -> None:
    buffer = rm.TensorBuffer.from_numpy(np.arange(5)[::-1])
    for allow_readonly in (False, True):
        assert buffer.to_torch(allow_readonly=allow_readonly).tolist() == [4, 3, 2, 1, 0]


def test_a_copy_shares_nothing() -> None:
    tensor = torch.zeros(3)
    copy = rm.TensorBuffer.from_torch(tensor, zero_copy=False)
    tensor.fill_(1)
    assert copy.to_numpy().tolist() == [0, 0, 0]


def refusals() -> dict[str, tuple[Any, str]]:
    numbers = torch.zeros(2, dtype=torch.complex64)
    return {
        "grad": (torch.zeros(2, requires_grad=True), "detach"),
        "conj": (numbers.conj(), "resolve_conj"),
        "neg": (numbers.conj().imag, "resolve_neg"),
        "sparse": (torch.zeros(2, 2).to_sparse(), "to_dense"),
    }


@pytest.mark.parametrize("kind", ["grad", "conj", "neg", "sparse"])
def test_what_a_tensor_cannot_say_is_refused_with_the_remedy(kind: str) -> None:
    tensor, remedy = refusals()[kind]
    for _ in range(2):
        for zero_copy in (True, False):
            with pytest.raises(rm.InvalidTensor, match=remedy):
                rm.TensorBuffer.from_torch(tensor, zero_copy=zero_copy)
    remedied = getattr(tensor, remedy)()
    assert torch.equal(rm.TensorBuffer.from_torch(remedied).to_torch(), remedied)


@pytest.mark.parametrize("given", [None, np.zeros(3), [1.0], 7])
def test_from_torch_takes_tensors_only(given: Any) -> None:
    with pytest.raises(TypeError, match="from_torch"):
        rm.TensorBuffer.from_torch(given)


def test_a_tensor_keeps_the_elements(allocator: rm.SharedMemoryAllocator) -> None:
    buffer = allocator.allocate_tensor(16, session_id="s")
    buffer.to_numpy()[:] = 3
    tensor = buffer.to_torch()[1:]
    del buffer
    gc.collect()
    allocator.close()
    assert int(tensor.sum()) == 45
    assert allocator.session_usage("s") == 16
    del tensor
    gc.collect()
    assert allocator.session_usage("s") == 0


def test_a_buffer_keeps_a_tensors_storage() -> None:
    tensor = torch.arange(5)
    buffer = rm.TensorBuffer.from_torch(tensor)
    tensor.set_(torch.zeros(5, dtype=torch.int64))
    del tensor
    gc.collect()
    assert buffer.to_numpy().tolist() == [0, 1, 2, 3, 4]


def test_torch_asks_by_dlpack_itself() -> None:
    buffer = rm.TensorBuffer.from_numpy(np.arange(6.0).reshape(2, 3))
    tensor = torch.from_dlpack(buffer)
    assert tensor.data_ptr() == buffer.data_ptr
    assert torch.equal(tensor, buffer.to_torch())
    assert torch.as_tensor(buffer.to_numpy()).data_ptr() == buffer.data_ptr
