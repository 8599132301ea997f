# SPDX-License-Identifier: Apache-2.0
"""SampleHistory: the recent past of a stream of samples, addressed by position."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


class SampleHistory:
    """Keeps the samples from some position on. Not thread-safe."""

    def __init__(self) -> None:
        self._chunks: deque[Samples] = deque()
        self._start = 0
        self._end = 0

    @property
    def start(self) -> int:
        """Position of the oldest sample kept."""
        return self._start

    @property
    def end(self) -> int:
        """Position after the newest sample: how many have come."""
        return self._end

    def append(self, samples: Samples) -> None:
        """Adds samples [n] at the end."""
        if len(samples):
            self._chunks.append(samples)
            self._end += len(samples)

    def forget_before(self, position: int) -> None:
        """Lets go of whole chunks before position."""
        while self._chunks and self._start + len(self._chunks[0]) <= position:
            self._start += len(self._chunks.popleft())

    def slice(self, start: int, end: int) -> Samples:
        """The samples from start up to end, [end - start]: a view where they came in one piece, else put together.

        Raises:
            IndexError: If some of them are gone or not there yet.
        """
        if not self._start <= start <= end <= self._end:
            raise IndexError(f"samples {start} to {end} asked for, {self._start} to {self._end} are kept")
        parts: list[Samples] = []
        position = self._start
        for chunk in self._chunks:
            if position >= end:
                break
            if position + len(chunk) > start:
                parts.append(chunk[max(start - position, 0) : end - position])
            position += len(chunk)
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.float32), *parts])
