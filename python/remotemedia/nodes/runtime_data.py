# SPDX-License-Identifier: Apache-2.0
"""RuntimeData: one item of a stream, with the session it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from remotemedia.core.array_like import ArrayLike
from remotemedia.nodes.payload import Kind, checked_payload, checked_rate


@dataclass(eq=False)
class RuntimeData:
    """One item of a stream: audio, text, a tensor or video.

    Make one with `audio`, `text`, `tensor` or `video`, which check what they are given and view it where it lies: in a
    NumPy array, a TensorBuffer, a torch.Tensor or whatever else speaks DLPack or the buffer protocol. Nodes hand the
    same object to everybody who follows them, so treat it and its elements as immutable and use `replace` for a
    changed copy. Compared by identity.

    Attributes:
        kind: "audio", "text", "tensor" or "video".
        payload: Audio is a float32 TensorBuffer [frames] or [channels, frames] in -1…1, text a str, tensor and video a
            TensorBuffer. `payload.to_numpy()` is an array over the same elements.
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
    def audio(samples: ArrayLike, sample_rate: int, **fields: Any) -> RuntimeData:
        """Makes audio.

        Args:
            samples: [frames] or [channels, frames], finite, nominally in -1…1. float32, which is not copied, or
                float16 or float64, which is.
            sample_rate: Frames per second.
            **fields: session_id, timestamp, metadata.

        Raises:
            InvalidTensor: If samples or sample_rate are not that.
        """
        return RuntimeData("audio", checked_payload("audio", samples), checked_rate(sample_rate), **fields)

    @staticmethod
    def text(text: str, **fields: Any) -> RuntimeData:
        """Makes text. Fields: session_id, timestamp, metadata.

        Raises:
            InvalidTensor: If text is not a str.
        """
        return RuntimeData("text", checked_payload("text", text), **fields)

    @staticmethod
    def tensor(tensor: ArrayLike, **fields: Any) -> RuntimeData:
        """Makes a tensor of any shape and dtype, on any device. Fields: session_id, timestamp, metadata.

        Raises:
            InvalidTensor: If no tensor has such elements.
        """
        return RuntimeData("tensor", checked_payload("tensor", tensor), **fields)

    @staticmethod
    def video(frames: ArrayLike, **fields: Any) -> RuntimeData:
        """Makes video, [height, width, channels] or [frames, height, width, channels], of any dtype, on any device.

        Raises:
            InvalidTensor: If it has not three or four dimensions.
        """
        return RuntimeData("video", checked_payload("video", frames), **fields)

    def replace(self, **fields: Any) -> RuntimeData:
        """A copy with other fields; the payload is shared unless given.

        Raises:
            InvalidTensor: If a payload or sample_rate is given that an item of the kind cannot have.
        """
        item = replace(self, **fields)
        if not fields.keys().isdisjoint(("kind", "payload")):
            item.payload = checked_payload(item.kind, item.payload)
        if item.kind == "audio" and not fields.keys().isdisjoint(("kind", "sample_rate")):
            item.sample_rate = checked_rate(item.sample_rate)
        return item

    def __repr__(self) -> str:
        if self.kind == "text":
            text = str(self.payload)
            what = repr(text if len(text) <= 40 else text[:40] + "…")
        else:
            what = f"{getattr(self.payload, 'dtype', '?')} {list(getattr(self.payload, 'shape', []))}"
        rate = f", {self.sample_rate} Hz" if self.sample_rate is not None else ""
        session = f", session {self.session_id!r}" if self.session_id is not None else ""
        return f"RuntimeData({self.kind}, {what}{rate}{session})"
