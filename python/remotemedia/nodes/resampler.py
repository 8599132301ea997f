# SPDX-License-Identifier: Apache-2.0
"""StreamingResampler: changes the sample rate of one stream, whatever the chunks it comes in.

A polyphase filter bank of Kaiser-windowed sinc, aligned in time: output frame n lies at input position
n * input_rate / output_rate exactly. The result does not depend on where the chunks end, bit for bit. The cut-off is at
the lower Nyquist frequency itself: speech networks listen up to there, and what folds back stays close below it.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

ZERO_CROSSINGS = 32
"""On each side of the sinc: the transition band reaches 9 % to both sides of the lower Nyquist frequency."""
KAISER_BETA = 9.0
"""Stop band below -90 dB."""
MAX_RATE = 384_000
BLOCK = 4096
"""Output frames computed at once, which bounds the memory for long chunks."""


class StreamingResampler:
    """Resamples one mono stream.

    Not thread-safe; one for each stream.

    Args:
        input_rate: Frames per second, 1 to 384,000.
        output_rate: Likewise. Equal rates pass everything through unchanged.

    Raises:
        ValueError: If a rate is out of range.
    """

    def __init__(self, input_rate: int, output_rate: int) -> None:
        for rate in (input_rate, output_rate):
            if not 1 <= rate <= MAX_RATE:
                raise ValueError(f"a sample rate must be 1 to {MAX_RATE} Hz to be resampled, not {rate}")
        divisor = math.gcd(input_rate, output_rate)
        self._up = output_rate // divisor
        self._down = input_rate // divisor
        self._bank = _filter_bank(self._up, self._down) if self._up != self._down else None
        self._reach = self._bank.shape[1] // 2 if self._bank is not None else 0
        self._pending: Samples = np.zeros(self._reach, np.float32)
        self._pending_start = -self._reach
        self._received = 0
        self._produced = 0

    def push(self, samples: Samples) -> Samples:
        """Takes the next input [frames] and returns the output that is complete with it, [frames]."""
        self._received += len(samples)
        if self._bank is None:
            return samples
        self._pending = np.concatenate([self._pending, samples])
        last = self._received - self._reach - 1  # the last input position whose right side is there
        ready = last * self._up // self._down + 1 if last >= 0 else 0
        return self._produce(ready)

    def finish(self) -> Samples:
        """Ends the stream and returns the rest: ceil(received * output_rate / input_rate) frames in all."""
        if self._bank is None:
            return np.zeros(0, np.float32)
        self._pending = np.concatenate([self._pending, np.zeros(self._reach, np.float32)])
        return self._produce(-(-self._received * self._up // self._down))

    def _produce(self, until: int) -> Samples:
        blocks = [
            self._block(start, min(start + BLOCK, until)) for start in range(self._produced, max(until, 0), BLOCK)
        ]
        self._produced = max(self._produced, until)
        keep_from = self._produced * self._down // self._up - self._reach + 1
        drop = keep_from - self._pending_start
        if drop > 0:
            self._pending = self._pending[drop:].copy()
            self._pending_start = keep_from
        return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)

    def _block(self, start: int, end: int) -> Samples:
        assert self._bank is not None
        positions = np.arange(start, end, dtype=np.int64) * self._down
        first = positions // self._up - self._reach + 1 - self._pending_start
        windows = np.lib.stride_tricks.sliding_window_view(self._pending, self._bank.shape[1])[first]
        products: Samples = (windows * self._bank[positions % self._up]).sum(axis=1, dtype=np.float32)
        return products


def resampled(samples: Samples, input_rate: int, output_rate: int) -> Samples:
    """A whole mono signal [frames] at another rate; the samples themselves if it is the same.

    Raises:
        ValueError: If a rate is out of range.
    """
    resampler = StreamingResampler(input_rate, output_rate)
    output = resampler.push(samples)
    rest = resampler.finish()
    return np.concatenate([output, rest]) if rest.size else output


@functools.lru_cache(maxsize=8)
def _filter_bank(up: int, down: int) -> Samples:
    """Row p: the taps for an output that lies p / up after an input frame, for inputs -reach+1 … +reach around it."""
    scale = min(1.0, up / down)
    reach = math.ceil(ZERO_CROSSINGS / scale)
    taps = np.arange(-reach + 1, reach + 1, dtype=np.float64)
    distance = taps[None, :] - np.arange(up, dtype=np.float64)[:, None] / up
    window = np.i0(KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (distance / reach) ** 2))) / np.i0(KAISER_BETA)
    bank = np.sinc(scale * distance) * window
    bank /= bank.sum(axis=1, keepdims=True)
    return bank.astype(np.float32)
