# SPDX-License-Identifier: Apache-2.0
"""PyTorch on a GPU: a tensor keeps its device and its memory, and what the processor cannot read is not read."""

from typing import Any

import numpy as np
import pytest

import remotemedia as rm

torch: Any = pytest.importorskip("torch", reason="torch is not there: pip install torch")
if not torch.cuda.is_available():
    pytest.skip("no GPU that this torch can use", allow_module_level=True)


def ones() -> Any:
    return torch.ones((3, 4), device="cuda:0")


def test_a_cuda_tensor_keeps_device_and_memory_there_and_back() -> None:
    tensor = ones()
    buffer = rm.TensorBuffer.from_torch(tensor)
    assert (buffer.device, buffer.storage, buffer.data_ptr) == ("cuda:0", "gpu", tensor.data_ptr())
    assert buffer.__dlpack_device__() == (2, 0)
    for back in (buffer.to_torch(), torch.from_dlpack(buffer)):
        assert (back.device, back.data_ptr()) == (tensor.device, tensor.data_ptr())
    buffer.to_torch()[1, 2] = 7
    assert tensor[1, 2].item() == 7


def test_views_of_a_cuda_tensor_lie_in_it() -> None:
    tensor = torch.arange(12.0, device="cuda:0").reshape(3, 4)
    column = rm.TensorBuffer.from_torch(tensor)[:, 1].to_torch()
    assert column.tolist() == [1, 5, 9]
    assert column.data_ptr() == tensor[:, 1].data_ptr()


def test_what_was_queued_on_its_stream_is_there() -> None:
    with torch.cuda.stream(torch.cuda.Stream()):
        tensor = ones()
        for _ in range(100):
            tensor.add_(1)
        buffer = rm.TensorBuffer.from_torch(tensor)
    assert (buffer.to_torch() == 101).all().item()


def test_the_processor_is_told_to_copy_it() -> None:
    tensor = ones()
    buffer = rm.TensorBuffer.from_torch(tensor)
    for _ in range(2):
        with pytest.raises(rm.ZeroCopyUnavailable, match=r"to_torch\(device='cpu'\)"):
            buffer.to_numpy()
        with pytest.raises(BufferError):
            memoryview(buffer)
        with pytest.raises(BufferError):
            np.from_dlpack(buffer)
    on_cpu = buffer.to_torch(device="cpu")
    assert on_cpu.device.type == "cpu"
    assert on_cpu.tolist() == tensor.tolist()


def test_its_memory_lives_as_long_as_the_buffer() -> None:
    tensor = ones()
    buffer = rm.TensorBuffer.from_torch(tensor)
    held = torch.cuda.memory_allocated()
    del tensor
    assert torch.cuda.memory_allocated() == held
    del buffer
    assert torch.cuda.memory_allocated() < held
