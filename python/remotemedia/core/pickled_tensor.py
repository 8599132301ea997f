# SPDX-License-Identifier: Apache-2.0
"""What pickles of a TensorBuffer call when they are loaded."""

from remotemedia._core import TensorBuffer, tensor_of_pickled


def open_shared(tensor_id: str) -> TensorBuffer:
    """Of one in shared memory."""
    return TensorBuffer.from_shared_memory(tensor_id)


def view_bytes(data: bytes | bytearray | memoryview, shape: tuple[int, ...], dtype: str) -> TensorBuffer:
    """Of any other: a view of the pickle's own bytes, or of what its reader was given out of band."""
    return tensor_of_pickled(data, shape, dtype)
