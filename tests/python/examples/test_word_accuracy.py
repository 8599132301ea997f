# SPDX-License-Identifier: Apache-2.0
"""Word accuracy, and heard texts beside their transcript."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.speech_demo.words.accuracy import Comparison, compare
from examples.speech_demo.words.alignment import align

WORDS = st.lists(st.sampled_from(["press", "one", "two", "the", "key"]), max_size=8)


def counts(comparison: Comparison) -> tuple[int, int, int, int]:
    return comparison.words, comparison.substitutions, comparison.deletions, comparison.insertions


@pytest.mark.parametrize(
    ("transcript", "heard", "expected"),
    [
        ("Press one.", "press 1", (2, 0, 0, 0)),
        ("Press one now.", "press two now", (3, 1, 0, 0)),
        ("Press one now.", "press now", (3, 0, 1, 0)),
        ("Press one.", "please press one", (2, 0, 0, 1)),
        ("Press one.", "", (2, 0, 2, 0)),
        ("", "press one", (0, 0, 0, 2)),
        ("You are here", "You're here", (3, 1, 1, 0)),
        ("Waldo's premier provider of perfect products", "while those premier provider of the perfect products",
         (6, 1, 0, 2)),
    ],
)  # fmt: skip
def test_errors_are_counted_at_the_smallest_number(
    transcript: str, heard: str, expected: tuple[int, int, int, int]
) -> None:
    assert counts(compare(transcript, [heard])) == expected


def test_accuracy_is_one_minus_the_errors_for_each_word_of_the_transcript() -> None:
    assert compare("one two three four", ["one two three five"]).accuracy == 0.75


def test_accuracy_is_never_below_zero() -> None:
    assert compare("one", ["two three four"]).accuracy == 0.0


def test_silence_heard_as_silence_is_right_and_as_words_is_wrong() -> None:
    assert compare("[beep]", []).accuracy == 1.0
    assert compare("[beep]", ["you"]).accuracy == 0.0


@given(WORDS, WORDS)
def test_errors_lie_between_the_difference_of_lengths_and_the_longer_length(said: list[str], heard: list[str]) -> None:
    comparison = compare(" ".join(said), [" ".join(heard)])
    assert abs(len(said) - len(heard)) <= comparison.errors <= max(len(said), len(heard))
    assert comparison.deletions - comparison.insertions == len(said) - len(heard)
    assert (comparison.errors == 0) == (said == heard)


@given(WORDS, WORDS)
def test_an_alignment_holds_every_word_once_and_in_order(said: list[str], heard: list[str]) -> None:
    pairs = align(said, heard)
    assert [pair.said for pair in pairs if pair.said is not None] == list(range(len(said)))
    assert [pair.heard for pair in pairs if pair.heard is not None] == list(range(len(heard)))


@given(WORDS, WORDS)
def test_the_number_of_errors_is_the_same_either_way_round(said: list[str], heard: list[str]) -> None:
    assert compare(" ".join(said), [" ".join(heard)]).errors == compare(" ".join(heard), [" ".join(said)]).errors


def test_the_transcript_is_divided_as_the_heard_text_is() -> None:
    beside = compare("Press one now, or wait. Goodbye.", ["press 1", "or wait", "goodbye"]).segments
    assert [" ".join(word.text for word in each.said) for each in beside] == ["Press one now,", "or wait.", "Goodbye."]
    assert [" ".join(word.text for word in each.heard) for each in beside] == ["press 1", "or wait", "goodbye"]


def test_wrong_words_are_marked_on_both_sides() -> None:
    (segment,) = compare("Press one now.", ["please press two now"]).segments
    assert [word.text for word in segment.said if not word.right] == ["one"]
    assert [word.text for word in segment.heard if not word.right] == ["please", "two"]


def test_a_segment_in_which_nothing_was_heard_keeps_its_place() -> None:
    beside = compare("Press one.", ["", "press one"]).segments
    assert [len(each.heard) for each in beside] == [0, 2]


def test_a_transcript_without_any_segment_is_shown_whole() -> None:
    (segment,) = compare("Press one.", []).segments
    assert [word.text for word in segment.said] == ["Press", "one."]
