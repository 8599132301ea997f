# SPDX-License-Identifier: Apache-2.0
"""Tensors and the shared memory they lie in: NumPy, DLPack and PyTorch without copies."""

from dataclasses import dataclass
from typing import Any, Literal

from remotemedia import _core
from remotemedia._core import AllocatorMetrics, DataType, SharedMemoryRegion, TensorBuffer, TensorCapabilities
from remotemedia.core import arguments as check
from remotemedia.core import errors

__all__ = [
    "AllocatorConfig",
    "AllocatorMetrics",
    "DataType",
    "SharedMemoryAllocator",
    "SharedMemoryRegion",
    "Storage",
    "TensorBuffer",
    "TensorCapabilities",
    "buffer_to_torch",
    "torch_to_buffer",
]

Storage = Literal["heap", "shared_memory", "gpu", "foreign"]
"""Where a tensor's elements lie. "foreign": memory of another library, kept by it."""


@dataclass(frozen=True, kw_only=True)
class AllocatorConfig:
    """The limits of a SharedMemoryAllocator.

    Attributes:
        max_memory_bytes: Of all its shared memory; None is 10 GiB or what the machine allows, whichever is less.
        per_session_quota_bytes: Of the living tensors of one session; None is no limit.
        lease_ttl_seconds: How long an id that was given away keeps its memory for an importer that has not come yet,
            and how old one may become before cleanup ends it. None: not at all, and as old as it likes.
        cleanup_interval_seconds: How often the allocator looks for what has expired.
        heap_fallback: Where shared memory is refused, memory of this process. False: OutOfMemory.

    Raises:
        TypeError: A limit has the wrong type.
        ValueError: A limit makes no sense.
    """

    max_memory_bytes: int | None = None
    per_session_quota_bytes: int | None = None
    lease_ttl_seconds: float | None = None
    cleanup_interval_seconds: float = 60.0
    heap_fallback: bool = True

    def __post_init__(self) -> None:
        for name in ("max_memory_bytes", "per_session_quota_bytes"):
            if getattr(self, name) is not None:
                check.size(name, getattr(self, name))
        if self.lease_ttl_seconds is not None:
            check.not_negative_seconds("lease_ttl_seconds", self.lease_ttl_seconds)
        if check.not_negative_seconds("cleanup_interval_seconds", self.cleanup_interval_seconds) == 0:
            raise errors.InvalidArgument("cleanup_interval_seconds must be more than zero")
        if not isinstance(self.heap_fallback, bool):
            raise TypeError(f"heap_fallback must be a bool, not {type(self.heap_fallback).__name__}")


class SharedMemoryAllocator(_core.SharedMemoryAllocator):
    """Tensors in shared memory whose pages are there: allocating touches neither the system nor another process.

    A session is a wall: whoever is given a tensor of one session reads nothing of another. Thread-safe. Tensors outlive
    their allocator.

    Example:
        >>> allocator = SharedMemoryAllocator(AllocatorConfig(per_session_quota_bytes=1 << 20))
        >>> frame = allocator.allocate_tensor((480, 640), "uint8", session_id="camera-1")
        >>> allocator.session_usage("camera-1")
        307200
    """

    def __init__(self, config: AllocatorConfig | None = None) -> None:
        config = AllocatorConfig() if config is None else config
        if not isinstance(config, AllocatorConfig):
            raise TypeError(f"config must be an AllocatorConfig, not {type(config).__name__}")
        super().__init__(
            _core.make_allocator_config(
                config.max_memory_bytes,
                config.per_session_quota_bytes,
                config.lease_ttl_seconds,
                config.cleanup_interval_seconds,
                config.heap_fallback,
            )
        )


def torch_to_buffer(tensor: Any, zero_copy: bool = True) -> TensorBuffer:
    """TensorBuffer.from_torch as a function."""
    return TensorBuffer.from_torch(tensor, zero_copy=zero_copy)


def buffer_to_torch(buffer: TensorBuffer, device: str | None = None) -> Any:
    """TensorBuffer.to_torch as a function."""
    return buffer.to_torch(device=device)
