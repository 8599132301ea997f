# SPDX-License-Identifier: Apache-2.0
"""One exception class for each thing a caller can do about it; the same that C++ has as error codes."""

import sys
from typing import Literal

from remotemedia import _core


class RemoteMediaError(Exception):
    """What everything here raises."""


class ModelNotFound(RemoteMediaError, KeyError):
    """The model is not loaded."""

    __str__ = Exception.__str__  # KeyError would quote the message


class LoadFailed(RemoteMediaError):
    """The loader raised: `__cause__` is what. Or loaders would wait for each other in a ring."""


class TypeMismatch(RemoteMediaError, TypeError):
    """The key holds a model of another language's type."""


class OutOfMemory(RemoteMediaError, MemoryError):
    """A model does not fit, and nothing that may go makes room. Nothing was evicted.

    Attributes:
        unit: What `needed` and `available` count.
        needed: What the model needs.
        available: Free now plus what could be evicted.
        holders: Keys of the models that stand in the way.
    """

    def __init__(
        self,
        message: str = "",
        *,
        unit: Literal["bytes", "models"] = "bytes",
        needed: int = 0,
        available: int = 0,
        holders: list[str] | None = None,
    ) -> None:
        super().__init__(message)
        self.unit: Literal["bytes", "models"] = unit
        self.needed = needed
        self.available = available
        self.holders = list(holders or ())


class QuotaExceeded(RemoteMediaError):
    """A session has used what it was given."""


class InvalidTensor(RemoteMediaError, ValueError):
    """A tensor is not what was expected; the message says both."""


class InvalidArgument(RemoteMediaError, ValueError):
    """An argument makes no sense; the message says which and what would."""


class SharedMemoryUnavailable(RemoteMediaError):
    """The system refuses shared memory, or nobody has it under this id."""


class ZeroCopyUnavailable(RemoteMediaError, BufferError):
    """Only a copy could do this. A BufferError, as DLPack wants it."""


class WorkerUnavailable(RemoteMediaError, ConnectionError):
    """Nobody answers at the endpoint, or the worker has died."""


class Rejected(RemoteMediaError):
    """A limit is reached; the message says which."""


class DeadlineExceeded(RemoteMediaError, TimeoutError):
    """The timeout passed."""


class Cancelled(RemoteMediaError):
    """Whoever was to do it was closed first."""


class InferenceFailed(RemoteMediaError):
    """The model raised."""


class ProtocolError(RemoteMediaError):
    """The other side speaks another language."""


class PlatformNotSupported(RemoteMediaError):
    """Not on this system."""


_core.set_error_classes(sys.modules[__name__])
