# SPDX-License-Identifier: Apache-2.0
"""AudioFileSource: the audio of a file as a stream of items, decoded by PyAV; an optional extra."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from remotemedia.nodes.optional_package import import_package
from remotemedia.nodes.runtime_data import RuntimeData

Samples = npt.NDArray[np.float32]


class AudioFileSource:
    """Reads a file that FFmpeg knows, at its own rate and with its own channels, a chunk at a time.

    Iterate it as often as you like: each time reads the file from its beginning, keeping one chunk in memory.
    Needs the package av.

    Args:
        path: The file.
        chunk_seconds: Length of the items; the last may be shorter.
        session_id: Of all items.
        metadata: Of all items, each with its own copy.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If chunk_seconds is not positive.

    Example:
        texts = Pipeline([SileroVADNode(), WhisperNode()]).run(AudioFileSource("speech.wav"))
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        chunk_seconds: float = 0.1,
        session_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self._path = Path(path)
        if not self._path.is_file():
            raise FileNotFoundError(f"no audio file {str(path)!r}")
        if not chunk_seconds > 0:
            raise ValueError(f"chunk_seconds must be positive, not {chunk_seconds!r}")
        self._chunk_seconds = chunk_seconds
        self._session_id = session_id
        self._metadata = dict(metadata or {})

    def __iter__(self) -> Iterator[RuntimeData]:
        """Decodes the file.

        Yields:
            Audio, [frames] when the file is mono and [channels, frames] otherwise; timestamp counts from its beginning.

        Raises:
            ValueError: If the file cannot be decoded or has no audio.
            LoadFailed: If av is not installed.
        """
        av = import_package("av", needed_by="AudioFileSource", install="pip install av")
        try:
            with av.open(str(self._path)) as container:
                if not container.streams.audio:
                    raise ValueError(f"{str(self._path)!r} has no audio")
                stream = container.streams.audio[0]
                yield from self._chunks(_decoded(av, container, stream), stream.rate)
        except av.error.FFmpegError as error:
            raise ValueError(f"{str(self._path)!r} cannot be decoded: {error}") from error

    def _chunks(self, decoded: Iterator[Samples], rate: int) -> Iterator[RuntimeData]:
        size = max(1, round(self._chunk_seconds * rate))
        waiting: list[Samples] = []  # views of what was decoded, put together once if a chunk takes several
        length = position = 0
        for decoded_samples in decoded:
            samples = decoded_samples
            while length + samples.shape[1] >= size:
                missing = size - length
                yield self._item([*waiting, samples[:, :missing]], rate, position)
                position += size
                samples, waiting, length = samples[:, missing:], [], 0
            if samples.shape[1]:
                waiting.append(samples)
                length += samples.shape[1]
        if waiting:
            yield self._item(waiting, rate, position)

    def _item(self, parts: list[Samples], rate: int, position: int) -> RuntimeData:
        samples = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return RuntimeData.audio(
            samples[0] if samples.shape[0] == 1 else samples,
            rate,
            session_id=self._session_id,
            timestamp=position / rate,
            metadata=dict(self._metadata),
        )


def _decoded(av: Any, container: Any, stream: Any) -> Iterator[Samples]:
    planar = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
    for frame in container.decode(stream):
        for converted in planar.resample(frame):
            yield converted.to_ndarray()
    for converted in planar.resample(None):
        yield converted.to_ndarray()
