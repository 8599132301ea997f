# SPDX-License-Identifier: Apache-2.0
"""SileroStream: what the Silero network has to remember of one stream."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from remotemedia.nodes.ml.silero_network import CONTEXT, FRAME, STATE_SHAPE, SpeechNetwork

Samples = npt.NDArray[np.float32]


class SileroStream:
    """The recurrent state, the context and the unfinished frame of one stream.

    Not thread-safe; one for each stream. Any number of streams share a network.
    """

    def __init__(self, network: SpeechNetwork) -> None:
        self._network = network
        self._state: Samples = np.zeros(STATE_SHAPE, np.float32)
        self._waiting: Samples = np.zeros(CONTEXT, np.float32)  # the context, then samples of no frame yet

    def push(self, samples: Samples) -> Samples:
        """Takes samples [n] at 16 kHz and returns the probability of speech of every frame they complete, [frames].

        What the network is given is a view of samples, but where it begins before them.
        """
        frames = (len(self._waiting) + len(samples) - CONTEXT) // FRAME
        probabilities = np.empty(frames, np.float32)
        for index in range(frames):
            window = self._joined(samples, index * FRAME, index * FRAME + CONTEXT + FRAME)
            probabilities[index], self._state = self._network.step(window, self._state)
        self._waiting = self._joined(samples, frames * FRAME, len(self._waiting) + len(samples)).copy()
        return probabilities

    def finish(self) -> Samples:
        """Ends the stream: the probability of the last frame filled up with zeros, [1], or [0] if none is begun."""
        begun = len(self._waiting) - CONTEXT
        return self.push(np.zeros(FRAME - begun, np.float32)) if begun else np.zeros(0, np.float32)

    def _joined(self, samples: Samples, start: int, end: int) -> Samples:
        """From start up to end of what waits, followed by samples."""
        before = len(self._waiting)
        if start >= before:
            return samples[start - before : end - before]
        return np.concatenate([self._waiting[start:end], samples[: max(end - before, 0)]])
