# SPDX-License-Identifier: Apache-2.0
"""DLPack by hand: a producer whose every field may lie, and a consumer that sees every field."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

READ_ONLY, IS_COPIED = 1, 2
CPU, CUDA, CUDA_HOST = 1, 2, 3
INT, UINT, FLOAT, OPAQUE, BFLOAT, COMPLEX, BOOL = range(7)

DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Version(ctypes.Structure):
    _fields_ = (("major", ctypes.c_uint32), ("minor", ctypes.c_uint32))


class Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class Legacy(ctypes.Structure):
    _fields_ = (("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


class Versioned(ctypes.Structure):
    _fields_ = (
        ("version", Version),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", Tensor),
    )


assert (ctypes.sizeof(Tensor), ctypes.sizeof(Legacy), ctypes.sizeof(Versioned)) == (48, 64, 80)

_api = ctypes.pythonapi
_api.PyCapsule_New.restype = ctypes.py_object
_api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_api.PyCapsule_GetName.restype = ctypes.c_char_p
_api.PyCapsule_GetName.argtypes = [ctypes.py_object]
_api.PyCapsule_GetPointer.restype = ctypes.c_void_p
_api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_api.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]

NAMES = (b"dltensor", b"dltensor_versioned", b"used_dltensor", b"used_dltensor_versioned", b"arrow_array")
"""Capsules have the address of their name, not a copy."""


def capsule_name(capsule: Any) -> str:
    return str(_api.PyCapsule_GetName(capsule).decode())


def capsule_at(address: int, name: bytes) -> Any:
    return _api.PyCapsule_New(address, NAMES[NAMES.index(name)], None)


class Producer:
    """Exports `memory`, with whatever is said of it. It keeps all that its capsules point to.

    Attributes:
        deletions: How often the deleter was called.
        calls: The keywords of each call of `__dlpack__`.
    """

    def __init__(
        self,
        memory: npt.NDArray[Any] | None = None,
        *,
        data: int | None = -1,
        shape: Sequence[int] | None = (12,),
        strides: Sequence[int] | None = (1,),
        ndim: int | None = None,
        dtype: tuple[int, int, int] = (FLOAT, 32, 1),
        device: tuple[int, int] = (CPU, 0),
        byte_offset: int = 0,
        flags: int = 0,
        version: tuple[int, int] | None = (1, 0),
        deleter: bool = True,
        name: bytes | None = None,
    ) -> None:
        self.memory: npt.NDArray[Any] = np.arange(12, dtype=np.float32) if memory is None else memory
        self.deletions = 0
        self.calls: list[dict[str, Any]] = []
        self._shape = (ctypes.c_int64 * len(shape))(*shape) if shape is not None else None
        self._strides = (ctypes.c_int64 * len(strides))(*strides) if strides is not None else None
        self._deleter = DELETER(self._count)
        self.managed: Legacy | Versioned = Versioned() if version else Legacy()
        if isinstance(self.managed, Versioned):
            self.managed.version = Version(*(version or ()))
            self.managed.flags = flags
        self.managed.deleter = ctypes.cast(self._deleter, ctypes.c_void_p) if deleter else None
        tensor = self.managed.tensor
        tensor.data = self.memory.ctypes.data if data == -1 else data
        tensor.device_type, tensor.device_id = device
        tensor.ndim = ndim if ndim is not None else len(shape or ())
        tensor.code, tensor.bits, tensor.lanes = dtype
        tensor.shape = ctypes.cast(self._shape, ctypes.POINTER(ctypes.c_int64)) if self._shape is not None else None
        tensor.strides = (
            ctypes.cast(self._strides, ctypes.POINTER(ctypes.c_int64)) if self._strides is not None else None
        )
        tensor.byte_offset = byte_offset
        self._name = name or (b"dltensor_versioned" if version else b"dltensor")

    def _count(self, _: int) -> None:
        self.deletions += 1

    def capsule(self) -> Any:
        return capsule_at(ctypes.addressof(self.managed), self._name)

    def __dlpack__(self, **keywords: Any) -> Any:
        self.calls.append(keywords)
        return self.capsule()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (CPU, 0)


def immortal(producer: Producer) -> Producer:
    """It outlives the interpreter, for its deleter is code that lies in it."""
    _api.Py_IncRef(ctypes.py_object(producer))
    return producer


class Taken:
    """A consumer of one capsule."""

    def __init__(self, capsule: Any) -> None:
        name = capsule_name(capsule)
        layout: type[Versioned] | type[Legacy] = Versioned if name == "dltensor_versioned" else Legacy
        self.address: int = _api.PyCapsule_GetPointer(capsule, name.encode())
        self.managed = layout.from_address(self.address)
        _api.PyCapsule_SetName(capsule, NAMES[NAMES.index(b"used_" + name.encode())])

    @property
    def tensor(self) -> Tensor:
        tensor: Tensor = self.managed.tensor
        return tensor

    @property
    def flags(self) -> int:
        assert isinstance(self.managed, Versioned)
        return int(self.managed.flags)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape[: self.tensor.ndim])

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(self.tensor.strides[: self.tensor.ndim])

    def numbers(self, ctype: type[Any], count: int) -> list[Any]:
        """What lies at `data`, one after the other."""
        return list((ctype * count).from_address(self.tensor.data))

    def release(self) -> None:
        """Calls the deleter, without the GIL."""
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.managed.deleter)(self.address)

    def release_in_thread(self, *, hold_gil: bool = False) -> None:
        """Calls the deleter in a thread that Python has never seen, and waits for its end."""
        library = (ctypes.PyDLL if hold_gil else ctypes.CDLL)(None)
        thread = ctypes.c_ulong()
        start = ctypes.c_void_p(self.managed.deleter)
        assert library.pthread_create(ctypes.byref(thread), None, start, ctypes.c_void_p(self.address)) == 0
        assert library.pthread_join(thread, None) == 0

    def release_at_exit(self) -> None:
        """Calls the deleter when the process has done with Python and everything else."""
        assert (
            ctypes.CDLL(None)["__cxa_atexit"](
                ctypes.c_void_p(self.managed.deleter), ctypes.c_void_p(self.address), None
            )
            == 0
        )
