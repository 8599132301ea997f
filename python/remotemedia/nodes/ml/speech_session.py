# SPDX-License-Identifier: Apache-2.0
"""SpeechSession: the way of one stream of audio from samples of any rate to probabilities and segments of speech."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from remotemedia.core.errors import InvalidTensor
from remotemedia.nodes.ml.sample_history import SampleHistory
from remotemedia.nodes.ml.silero_network import FRAME, SAMPLE_RATE, SpeechNetwork
from remotemedia.nodes.ml.silero_stream import SileroStream
from remotemedia.nodes.ml.speech_segmenter import Segment, SegmentRule, SpeechSegmenter
from remotemedia.nodes.mono_audio import mono_samples
from remotemedia.nodes.resampler import StreamingResampler
from remotemedia.nodes.runtime_data import RuntimeData

Samples = npt.NDArray[np.float32]


class SpeechSession:
    """One stream. Not thread-safe.

    Args:
        network: What gives the probabilities; shared with other streams.
        rule: When speech begins and ends.
    """

    def __init__(self, network: SpeechNetwork, rule: SegmentRule) -> None:
        self._stream = SileroStream(network)
        self._segmenter = SpeechSegmenter(rule, frame=FRAME, sample_rate=SAMPLE_RATE)
        self._history = SampleHistory()
        self._resampler: StreamingResampler | None = None
        self._rate = 0
        self._first: RuntimeData | None = None

    def probabilities(self, item: RuntimeData) -> Samples:
        """The probability of speech in each frame that item completes, [frames].

        Raises:
            InvalidTensor: If item is not audio, or of another sample rate than those before.
        """
        return self._stream.push(self._resampled(item))

    def last_probabilities(self) -> Samples:
        """Those of the frames that the end of the stream completes, [frames]; one begun does not count."""
        return self._stream.push(self._resampled_rest())

    def segments(self, item: RuntimeData) -> list[RuntimeData]:
        """The segments that are final with item.

        Raises:
            InvalidTensor: As probabilities.
        """
        samples = self._resampled(item)
        self._history.append(samples)
        return self._cut(self._segments_in(self._stream.push(samples)))

    def last_segments(self) -> list[RuntimeData]:
        """The segments that the end of the stream makes final."""
        rest = self._resampled_rest()
        self._history.append(rest)
        found = self._segments_in(np.concatenate([self._stream.push(rest), self._stream.finish()]))
        return self._cut(found + self._segmenter.finish(self._history.end))

    def _resampled(self, item: RuntimeData) -> Samples:
        samples, rate = mono_samples(item, needed_by="SileroVADNode")
        if self._resampler is None:
            self._resampler, self._rate, self._first = StreamingResampler(rate, SAMPLE_RATE), rate, item
        elif rate != self._rate:
            raise InvalidTensor(f"the session's audio is at {self._rate} Hz, this item at {rate} Hz")
        return self._resampler.push(samples)

    def _resampled_rest(self) -> Samples:
        return self._resampler.finish() if self._resampler is not None else np.zeros(0, np.float32)

    def _segments_in(self, probabilities: Samples) -> list[Segment]:
        return [segment for probability in probabilities for segment in self._segmenter.push(float(probability))]

    def _cut(self, segments: list[Segment]) -> list[RuntimeData]:
        items = [self._audio_of(segment) for segment in segments]
        self._history.forget_before(self._segmenter.needed_from)
        return items

    def _audio_of(self, segment: Segment) -> RuntimeData:
        assert self._first is not None
        start, end = segment.start / SAMPLE_RATE, segment.end / SAMPLE_RATE
        return RuntimeData.audio(
            self._history.slice(segment.start, segment.end),
            SAMPLE_RATE,
            timestamp=None if self._first.timestamp is None else self._first.timestamp + start,
            metadata={**self._first.metadata, "start": start, "end": end},
        )
