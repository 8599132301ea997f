# SPDX-License-Identifier: Apache-2.0
"""Tensors from and to NumPy, DLPack, bytes and torch, beside what these do among themselves. One process."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import repeat
from operator import itemgetter
from typing import Any

import numpy as np

from benchmarks.python.batches import BATCH, measure
from benchmarks.sizes import CONVERTED
from remotemedia import SharedMemoryAllocator, TensorBuffer


@dataclass(frozen=True)
class Conversion:
    """One call: convert(given)."""

    name: str
    convert: Callable[[Any], Any]
    given: Any

    def batch(self) -> None:
        convert, given = self.convert, self.given
        for _ in repeat(None, BATCH):
            convert(given)


def conversions(size: int) -> list[Conversion]:
    """Of a tensor in shared memory, an array and bytes that have `size` bytes each."""
    allocator = SharedMemoryAllocator()
    shape = (size // 4,)
    buffer = allocator.allocate_tensor(shape, "float32")
    array = np.zeros(shape, np.float32)
    part = itemgetter(slice(1, 3))
    return [
        Conversion("from_numpy", TensorBuffer.from_numpy, array),
        Conversion("to_numpy", TensorBuffer.to_numpy, buffer),
        Conversion("asarray", np.asarray, buffer),
        Conversion("from_dlpack", TensorBuffer.from_dlpack, array),
        Conversion("numpy_from_dlpack", np.from_dlpack, buffer),
        Conversion("memoryview", memoryview, buffer),
        Conversion("from_bytes", partial(TensorBuffer.from_bytes, shape=shape, dtype="float32"), bytes(size)),
        Conversion("slice", part, buffer),
        Conversion("allocate", partial(allocator.allocate_tensor, shape), "float32"),
        Conversion("control/numpy_from_dlpack", np.from_dlpack, array),
        Conversion("control/memoryview", memoryview, array),
        Conversion("control/slice", part, array),
        *(torch_conversions(buffer, array) if find_spec("torch") else []),
    ]


def torch_conversions(buffer: TensorBuffer, array: Any) -> list[Conversion]:
    import torch

    tensor = torch.zeros(array.shape)
    return [
        Conversion("from_torch", TensorBuffer.from_torch, tensor),
        Conversion("to_torch", TensorBuffer.to_torch, buffer),
        Conversion("torch_from_dlpack", torch.from_dlpack, buffer),
        Conversion("control/torch_from_numpy", torch.from_numpy, array),
        Conversion("control/torch_to_numpy", torch.Tensor.numpy, tensor),
    ]


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(
        json.dumps(
            [
                measure(f"{conversion.name}/{size}", conversion.batch)
                for size in CONVERTED
                for conversion in conversions(size)
            ]
        )
    )
