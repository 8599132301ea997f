# SPDX-License-Identifier: Apache-2.0
"""SpeechSegmenter: from probabilities of speech, frame by frame, to segments of speech.

The rule is that of silero-vad's get_speech_timestamps, as a stream: the same segments, each given as soon as no later
frame can change it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Segment:
    """Speech from start up to end, in samples from the beginning of the stream."""

    start: int
    end: int


@dataclass(frozen=True)
class SegmentRule:
    """When speech begins and ends.

    Attributes:
        threshold: Speech begins with a frame of at least this probability.
        neg_threshold: It may end with a frame below this one. None: 0.15 less than threshold, at least 0.01.
        min_speech_ms: Only longer speech counts.
        min_silence_ms: Speech ends when it has been silent for so long.
        speech_pad_ms: Added on both sides; where two segments come closer than that, they share the gap.
    """

    threshold: float = 0.5
    neg_threshold: float | None = None
    min_speech_ms: float = 250.0
    min_silence_ms: float = 100.0
    speech_pad_ms: float = 30.0

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold <= 1.0:
            raise ValueError(f"threshold must be above 0 and at most 1, not {self.threshold!r}")
        if self.neg_threshold is not None and not 0.0 <= self.neg_threshold <= self.threshold:
            raise ValueError(f"neg_threshold must be 0 to threshold ({self.threshold}), not {self.neg_threshold!r}")
        for name in ("min_speech_ms", "min_silence_ms", "speech_pad_ms"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)!r}")


class SpeechSegmenter:
    """Finds the segments of one stream. Not thread-safe; one for each stream.

    Args:
        rule: When speech begins and ends.
        frame: Samples in a frame.
        sample_rate: Samples per second.
    """

    def __init__(self, rule: SegmentRule, *, frame: int, sample_rate: int) -> None:
        per_ms = sample_rate / 1000
        self._threshold = rule.threshold
        fallback = max(rule.threshold - 0.15, 0.01)
        self._neg_threshold = rule.neg_threshold if rule.neg_threshold is not None else fallback
        self._min_speech = rule.min_speech_ms * per_ms
        self._min_silence = rule.min_silence_ms * per_ms
        self._pad = int(rule.speech_pad_ms * per_ms)
        self._frame = frame
        self._position = 0  # samples in the frames seen
        self._speech_start: int | None = None
        self._silence_start: int | None = None
        self._closed: Segment | None = None  # speech whose padded end is not known yet; its start is padded
        self._released = 0  # samples before this one belong to segments already given

    @property
    def needed_from(self) -> int:
        """Samples before this one are in no segment to come."""
        if self._closed is not None:
            return self._closed.start
        start = self._speech_start if self._speech_start is not None else self._position
        return max(start - self._pad, self._released)

    def push(self, probability: float) -> list[Segment]:
        """Takes the probability of the next frame and returns the segments that are final with it."""
        start = self._position
        self._position += self._frame
        final: list[Segment] = []
        if probability >= self._threshold:
            self._silence_start = None
            if self._speech_start is None:
                self._speech_start = start
        elif probability < self._neg_threshold and self._speech_start is not None:
            if self._silence_start is None:
                self._silence_start = start
            if start - self._silence_start >= self._min_silence:
                final += self._end_speech(self._silence_start)
        return final + self._settle()

    def finish(self, length: int) -> list[Segment]:
        """Ends a stream of length samples (the last frame may reach beyond) and returns the segments left."""
        final = self._end_speech(length) if self._speech_start is not None else []
        if self._closed is not None:
            final.append(self._give(min(self._closed.end + self._pad, length)))
        return final

    def _end_speech(self, end: int) -> list[Segment]:
        assert self._speech_start is not None
        start = self._speech_start
        self._speech_start = self._silence_start = None
        if end - start <= self._min_speech:
            return []
        final: list[Segment] = []
        padding = self._pad
        if self._closed is not None:
            gap = start - self._closed.end
            padding = self._pad if gap >= 2 * self._pad else gap // 2
            final.append(self._give(self._closed.end + padding))
        self._closed = Segment(max(0, start - padding), end)
        return final

    def _settle(self) -> list[Segment]:
        """Gives the closed segment once nothing can come near enough to share its padding."""
        if self._closed is None:
            return []
        next_start = self._speech_start if self._speech_start is not None else self._position
        if next_start - self._closed.end < 2 * self._pad:
            return []
        return [self._give(self._closed.end + self._pad)]

    def _give(self, end: int) -> Segment:
        assert self._closed is not None
        segment = replace(self._closed, end=end)
        self._closed = None
        self._released = end
        return segment
