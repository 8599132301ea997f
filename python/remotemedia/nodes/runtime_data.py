# SPDX-License-Identifier: Apache-2.0
"""RuntimeData: one item of a stream, with the session it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from remotemedia.core.errors import InvalidTensor

Kind = Literal["audio", "text", "tensor", "video"]

MAX_CHANNELS = 64
"""More channels than this are taken for frames in the wrong place."""


@dataclass(eq=False)
class RuntimeData:
    """One item of a stream: audio, text, a tensor or video.

    Make one with `audio`, `text`, `tensor` or `video`, which check what they are given. Nodes hand the same object to
    everybody who follows them, so treat it as immutable and use `replace` for a changed copy. Compared by identity.

    Attributes:
        kind: "audio", "text", "tensor" or "video".
        payload: Audio is float32 [frames] or [channels, frames] in -1…1, text a str, tensor and video an array.
        sample_rate: Of audio, in frames per second; None otherwise.
        session_id: The stream within the stream. Items without one share the default session.
        timestamp: Seconds, on the clock of whoever made the item.
        metadata: Whatever belongs to the item and is not its payload.
    """

    kind: Kind
    payload: Any
    sample_rate: int | None = None
    session_id: str | None = None
    timestamp: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def audio(samples: Any, sample_rate: int, **fields: Any) -> RuntimeData:
        """Makes audio.

        Args:
            samples: Floating point, [frames] or [channels, frames], finite, nominally in -1…1.
            sample_rate: Frames per second.
            **fields: session_id, timestamp, metadata.

        Raises:
            InvalidTensor: If samples or sample_rate are not that.
        """
        return RuntimeData("audio", _audio_payload(samples), _checked_rate(sample_rate), **fields)

    @staticmethod
    def text(text: str, **fields: Any) -> RuntimeData:
        """Makes text. Fields: session_id, timestamp, metadata.

        Raises:
            InvalidTensor: If text is not a str.
        """
        if not isinstance(text, str):
            raise InvalidTensor(f"text must be a str, not {type(text).__name__}")
        return RuntimeData("text", text, **fields)

    @staticmethod
    def tensor(tensor: Any, **fields: Any) -> RuntimeData:
        """Makes a tensor of any shape and dtype. Fields: session_id, timestamp, metadata.

        Raises:
            InvalidTensor: If it cannot be viewed as an array of numbers.
        """
        return RuntimeData("tensor", _as_array(tensor, "tensor"), **fields)

    @staticmethod
    def video(frames: Any, **fields: Any) -> RuntimeData:
        """Makes video, [height, width, channels] or [frames, height, width, channels], of any dtype.

        Raises:
            InvalidTensor: If it is no array of three or four dimensions.
        """
        array = _as_array(frames, "video")
        if array.ndim not in (3, 4):
            raise InvalidTensor(
                f"video must be [height, width, channels] or [frames, height, width, channels], not {list(array.shape)}"
            )
        return RuntimeData("video", array, **fields)

    def replace(self, **fields: Any) -> RuntimeData:
        """A copy with other fields; the payload is shared unless given."""
        return replace(self, **fields)

    def __repr__(self) -> str:
        if self.kind == "text":
            text = str(self.payload)
            what = repr(text if len(text) <= 40 else text[:40] + "…")
        else:
            what = f"{getattr(self.payload, 'dtype', '?')} {list(getattr(self.payload, 'shape', []))}"
        rate = f", {self.sample_rate} Hz" if self.sample_rate is not None else ""
        session = f", session {self.session_id!r}" if self.session_id is not None else ""
        return f"RuntimeData({self.kind}, {what}{rate}{session})"


def _as_array(value: Any, what: str) -> npt.NDArray[Any]:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise InvalidTensor(f"{what} cannot be viewed as an array: {error}") from error
    if array.dtype.kind not in "biufcV":
        raise InvalidTensor(f"{what} must hold numbers, not {array.dtype} (from {type(value).__name__})")
    return array


def _audio_payload(samples: Any) -> npt.NDArray[np.float32]:
    array = _as_array(samples, "audio")
    if array.dtype.kind != "f":
        raise InvalidTensor(
            f"audio samples must be floating point in -1…1, not {array.dtype}; for 16-bit PCM divide by 32768"
        )
    if array.ndim not in (1, 2):
        raise InvalidTensor(f"audio must be [frames] or [channels, frames], not {list(array.shape)}")
    if array.ndim == 2 and not 1 <= array.shape[0] <= MAX_CHANNELS:
        raise InvalidTensor(
            f"audio of shape {list(array.shape)} has {array.shape[0]} channels, expected 1 to {MAX_CHANNELS}; "
            "channels come first: transpose [frames, channels]"
        )
    audio = array.astype(np.float32, copy=False)
    if not np.isfinite(audio).all():
        raise InvalidTensor("audio samples must be finite, found NaN or infinity")
    return audio


def _checked_rate(sample_rate: Any) -> int:
    is_number = isinstance(sample_rate, (int, float, np.integer, np.floating)) and sample_rate is not True
    if not is_number or not 0 < sample_rate < np.inf or int(sample_rate) != sample_rate:
        raise InvalidTensor(f"sample_rate must be a positive whole number of Hz, not {sample_rate!r}")
    return int(sample_rate)
