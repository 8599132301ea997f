# SPDX-License-Identifier: Apache-2.0
"""Tensors as they are typed and printed."""

from __future__ import annotations

import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from remotemedia._core import ModelSignature, TensorSpec
from remotemedia.commands.command_error import CommandError, ExitCode

_SHOWN_VALUES = 8
_NPY_MAGIC = b"\x93NUMPY"


def read_tensor(name: str, text: str) -> Any:
    """An array of a .npy file, or what JSON holds: of a file after "@", of standard input after "@-", or itself.

    Args:
        name: Of the input, for errors.
        text: What was typed.

    Raises:
        CommandError: It cannot be read.
    """
    try:
        if text.startswith("@"):
            return _of_bytes(sys.stdin.buffer.read() if text == "@-" else Path(text[1:]).read_bytes())
        return _of_bytes(Path(text).read_bytes()) if text.endswith(".npy") else json.loads(text)
    except OSError as error:
        raise _wrong(name, f"'{text}' cannot be read: {error.strerror}") from error
    except (ValueError, EOFError) as error:
        kind = "a .npy file or JSON" if text.startswith("@") else "JSON, FILE.npy, @FILE or @-"
        raise _wrong(name, f"'{text:.80}' is not {kind}: {error}") from error


def _of_bytes(data: bytes) -> Any:
    return np.load(io.BytesIO(data), allow_pickle=False) if data.startswith(_NPY_MAGIC) else json.loads(data)


def _wrong(name: str, message: str) -> CommandError:
    return CommandError(ExitCode.WRONG_ARGUMENTS, f"input '{name}': {message}")


def first_values(array: np.ndarray[Any, Any]) -> str:
    """The first elements in row-major order."""
    shown = " ".join(str(value) for value in array.ravel()[:_SHOWN_VALUES])
    return f"{shown} ..." if array.size > _SHOWN_VALUES else shown


def json_values(array: np.ndarray[Any, Any]) -> Any:
    """All elements, in lists as the shape has them; what JSON has no number for as text."""
    if array.dtype.kind not in "biuf":
        array = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    return _of_json(array.tolist())


def _of_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_of_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if isinstance(value, complex) else value


def described(spec: TensorSpec, *, batched: bool) -> str:
    """One tensor of a signature in a line."""
    extents = [*(["batch"] if batched else []), *("any" if extent < 0 else str(extent) for extent in spec.shape)]
    return f"{spec.name} {spec.dtype} ({', '.join(extents)})"


def signature_object(signature: ModelSignature) -> dict[str, Any]:
    """A signature for JSON."""

    def each(specs: list[TensorSpec]) -> list[dict[str, Any]]:
        return [{"name": spec.name, "dtype": str(spec.dtype), "shape": list(spec.shape)} for spec in specs]

    return {
        "inputs": each(signature.inputs),
        "outputs": each(signature.outputs),
        "max_batch_size": signature.max_batch_size,
        "stateful": signature.stateful,
    }
