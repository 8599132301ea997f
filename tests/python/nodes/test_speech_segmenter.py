# SPDX-License-Identifier: Apache-2.0
"""SpeechSegmenter: the stream gives what the whole recording gives, as early as it can."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remotemedia.nodes.ml.speech_segmenter import Segment, SegmentRule, SpeechSegmenter

FRAME = 512
RATE = 16_000

Spans = list[tuple[int, int]]


def stream(probabilities: list[float], length: int, rule: SegmentRule) -> list[Segment]:
    segmenter = SpeechSegmenter(rule, frame=FRAME, sample_rate=RATE)
    found = [segment for probability in probabilities for segment in segmenter.push(probability)]
    return found + segmenter.finish(length)


def whole(probabilities: list[float], length: int, rule: SegmentRule) -> Spans:
    """The rule, written down for a recording that is there as a whole."""
    low = rule.neg_threshold if rule.neg_threshold is not None else max(rule.threshold - 0.15, 0.01)
    least_speech, least_silence, pad = (
        round(ms * RATE / 1000) for ms in (rule.min_speech_ms, rule.min_silence_ms, rule.speech_pad_ms)
    )
    spans: Spans = []
    begin = silent = None
    for index, probability in enumerate(probabilities):
        here = index * FRAME
        if probability >= rule.threshold:
            silent = None
            begin = here if begin is None else begin
        elif probability < low and begin is not None:
            silent = here if silent is None else silent
            if here - silent >= least_silence:
                if silent - begin > least_speech:
                    spans.append((begin, silent))
                begin = silent = None
    if begin is not None and length - begin > least_speech:
        spans.append((begin, length))
    gaps = [after[0] - before[1] for before, after in itertools.pairwise(spans)]
    shares = [pad if gap >= 2 * pad else gap // 2 for gap in gaps]
    return [
        (max(0, begin - left), min(length, end + right))
        for (begin, end), left, right in zip(spans, [pad, *shares], [*shares, pad], strict=False)
    ]


def as_spans(segments: list[Segment]) -> Spans:
    return [(segment.start, segment.end) for segment in segments]


PROBABILITIES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 0.34, 0.35, 0.4, 0.49, 0.5, 0.6, 1.0]), st.integers(1, 12)), max_size=25
).map(lambda runs: [probability for probability, length in runs for _ in range(length)])
RULES = st.builds(
    SegmentRule,
    threshold=st.sampled_from([0.3, 0.5, 0.9]),
    min_speech_ms=st.sampled_from([0, 32, 250, 400]),
    min_silence_ms=st.sampled_from([0, 32, 64, 100, 300]),
    speech_pad_ms=st.sampled_from([0, 30, 60, 200]),
)


@settings(max_examples=500, deadline=None)
@given(probabilities=PROBABILITIES, rule=RULES, missing=st.integers(0, FRAME - 1))
def test_the_stream_gives_what_the_whole_gives(probabilities: list[float], rule: SegmentRule, missing: int) -> None:
    length = max(0, len(probabilities) * FRAME - missing)
    assert as_spans(stream(probabilities, length, rule)) == whole(probabilities, length, rule)


@settings(max_examples=300, deadline=None)
@given(probabilities=PROBABILITIES, rule=RULES)
def test_segments_are_ordered_disjoint_and_within_the_stream(probabilities: list[float], rule: SegmentRule) -> None:
    length = len(probabilities) * FRAME
    spans = as_spans(stream(probabilities, length, rule))
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= begin < end <= length for begin, end in spans)


@settings(max_examples=300, deadline=None)
@given(probabilities=PROBABILITIES, rule=RULES)
def test_a_segment_needs_no_sample_that_was_let_go_or_has_not_come(
    probabilities: list[float], rule: SegmentRule
) -> None:
    segmenter = SpeechSegmenter(rule, frame=FRAME, sample_rate=RATE)
    kept_from = 0
    for index, probability in enumerate(probabilities):
        for segment in segmenter.push(probability):
            assert kept_from <= segment.start
            assert segment.end <= (index + 1) * FRAME
        assert segmenter.needed_from >= kept_from
        kept_from = segmenter.needed_from
    for segment in segmenter.finish(len(probabilities) * FRAME):
        assert kept_from <= segment.start


def test_a_segment_is_given_with_the_frame_that_ends_its_silence() -> None:
    segmenter = SpeechSegmenter(SegmentRule(), frame=FRAME, sample_rate=RATE)
    for _ in range(10):
        assert segmenter.push(0.9) == []
    silent = [segmenter.push(0.0) for _ in range(5)]
    assert silent == [[], [], [], [], [Segment(0, 10 * FRAME + 480)]], (
        "100 ms are 3.1 frames after the first silent one"
    )


def test_in_silence_little_is_kept() -> None:
    segmenter = SpeechSegmenter(SegmentRule(), frame=FRAME, sample_rate=RATE)
    for index in range(100):
        segmenter.push(0.0)
        assert (index + 1) * FRAME - segmenter.needed_from <= 480


def test_a_probability_between_the_thresholds_neither_begins_nor_ends_speech() -> None:
    rule = SegmentRule()
    assert stream([0.4] * 50, 50 * FRAME, rule) == []
    assert as_spans(stream([0.9] * 10 + [0.4] * 50, 60 * FRAME, rule)) == [(0, 60 * FRAME)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"threshold": 0.0}, "threshold must be above 0"),
        ({"threshold": 1.1}, "threshold must be"),
        ({"neg_threshold": 0.6}, "neg_threshold must be 0 to threshold"),
        ({"neg_threshold": -0.1}, "neg_threshold"),
        ({"min_speech_ms": -1}, "min_speech_ms must not be negative"),
        ({"min_silence_ms": -1}, "min_silence_ms"),
        ({"speech_pad_ms": -1}, "speech_pad_ms"),
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SegmentRule(**wrong)
