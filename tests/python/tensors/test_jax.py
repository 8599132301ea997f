# SPDX-License-Identifier: Apache-2.0
"""JAX on the processor takes and gives tensors by DLPack."""

import gc
from typing import Any

import numpy as np
import pytest

import remotemedia as rm

jax: Any = pytest.importorskip("jax", reason="jax is not there: pip install jax")
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning")


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "float16", "float32", "complex64", "bfloat16"])
def test_jax_shares_the_memory_of_a_tensor(dtype: str, allocator: rm.SharedMemoryAllocator) -> None:
    tensor = allocator.allocate_tensor((16, 16), dtype)
    tensor.to_numpy().view(np.uint8)[:] = 0
    array = jax.dlpack.from_dlpack(tensor)
    assert (array.shape, str(array.dtype)) == ((16, 16), dtype)
    assert array.unsafe_buffer_pointer() == tensor.data_ptr


@pytest.mark.parametrize("dtype", ["int32", "float32", "bfloat16"])
def test_a_tensor_shares_the_memory_of_jax(dtype: str) -> None:
    array = jax.numpy.arange(6, dtype=dtype).reshape(2, 3)
    tensor = rm.TensorBuffer.from_dlpack(array)
    assert (tensor.shape, tensor.dtype.name, tensor.data_ptr) == ((2, 3), dtype, array.unsafe_buffer_pointer())
    del array
    gc.collect()
    assert tensor.to_numpy().astype(np.float32).tolist() == [[0, 1, 2], [3, 4, 5]]
