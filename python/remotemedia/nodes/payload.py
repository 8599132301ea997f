# SPDX-License-Identifier: Apache-2.0
"""What an item of each kind may carry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from remotemedia.core.array_like import ArrayLike, as_tensor
from remotemedia.core.errors import InvalidTensor, ZeroCopyUnavailable
from remotemedia.core.tensor_bridge import TensorBuffer

Kind = Literal["audio", "text", "tensor", "video"]

MAX_CHANNELS = 64
"""More channels than this are taken for frames in the wrong place."""


def checked_payload(kind: Kind, value: Any) -> Any:
    """The payload of an item that is made of value: a str, or a TensorBuffer that views it.

    Audio of float64 and float16 is copied, to float32. Elements are looked at only to find what is not finite in audio.

    Raises:
        InvalidTensor: If an item of the kind cannot carry it; the message says what was found and what to do.
    """
    return _CHECKS[kind](value)


def checked_rate(sample_rate: Any) -> int:
    """A sample rate as an int.

    Raises:
        InvalidTensor: If it is no positive whole number.
    """
    is_number = isinstance(sample_rate, (int, float, np.integer, np.floating)) and sample_rate is not True
    if not is_number or not 0 < sample_rate < np.inf or int(sample_rate) != sample_rate:
        raise InvalidTensor(f"sample_rate must be a positive whole number of Hz, not {sample_rate!r}")
    return int(sample_rate)


def _audio_payload(samples: ArrayLike) -> TensorBuffer:
    tensor = as_tensor(samples, name="audio")
    if tensor.dtype.name not in ("float32", "float64", "float16"):
        raise InvalidTensor(
            f"audio samples must be float32, float64 or float16, not {tensor.dtype}: convert them first"
            if "float" in tensor.dtype.name
            else f"audio samples must be floating point in -1…1, not {tensor.dtype}; for 16-bit PCM divide by 32768"
        )
    if tensor.ndim not in (1, 2):
        raise InvalidTensor(f"audio must be [frames] or [channels, frames], not {list(tensor.shape)}")
    if tensor.ndim == 2 and not 1 <= tensor.shape[0] <= MAX_CHANNELS:
        raise InvalidTensor(
            f"audio of shape {list(tensor.shape)} has {tensor.shape[0]} channels, expected 1 to {MAX_CHANNELS}; "
            "channels come first: transpose [frames, channels]"
        )
    try:
        audio = tensor.to_numpy().astype(np.float32, copy=False)
    except ZeroCopyUnavailable as error:
        raise InvalidTensor(f"audio: {error}") from error
    if not np.isfinite(audio).all():
        raise InvalidTensor("audio samples must be finite, found NaN or infinity")
    return tensor if tensor.dtype.name == "float32" else TensorBuffer.from_numpy(audio)


def _text_payload(text: Any) -> str:
    if not isinstance(text, str):
        raise InvalidTensor(f"text must be a str, not {type(text).__name__}")
    return text


def _tensor_payload(tensor: ArrayLike) -> TensorBuffer:
    return as_tensor(tensor, name="tensor")


def _video_payload(frames: ArrayLike) -> TensorBuffer:
    tensor = as_tensor(frames, name="video")
    if tensor.ndim not in (3, 4):
        raise InvalidTensor(
            f"video must be [height, width, channels] or [frames, height, width, channels], not {list(tensor.shape)}"
        )
    return tensor


_CHECKS: dict[Kind, Callable[[Any], Any]] = {
    "audio": _audio_payload,
    "text": _text_payload,
    "tensor": _tensor_payload,
    "video": _video_payload,
}
