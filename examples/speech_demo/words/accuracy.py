# SPDX-License-Identifier: Apache-2.0
"""How much of a transcript was heard: word accuracy, which is 1 minus the word error rate.

The word error rate is the smallest number of plain words to substitute, leave out or insert that makes the transcript
what was heard, divided by the plain words of the transcript (`plain_words` says what a plain word is).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from examples.speech_demo.words.alignment import align
from examples.speech_demo.words.plain_words import plain_words, written_words


@dataclass(frozen=True)
class MarkedWord:
    """A written word, and whether all of it was heard as it was said."""

    text: str
    right: bool


@dataclass(frozen=True)
class SegmentComparison:
    """What was heard in one segment of speech, beside the part of the transcript that belongs to it."""

    heard: tuple[MarkedWord, ...]
    said: tuple[MarkedWord, ...]


@dataclass(frozen=True)
class Comparison:
    """What was heard, compared with its transcript.

    Attributes:
        words: Plain words in the transcript.
        substitutions: Words heard as another word.
        deletions: Words of the transcript that were not heard.
        insertions: Words heard that were not said.
        segments: One for each segment of speech; where there is none, one in which nothing was heard.
    """

    words: int
    substitutions: int
    deletions: int
    insertions: int
    segments: tuple[SegmentComparison, ...]

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def accuracy(self) -> float:
        """1 minus the word error rate, at least 0; of an empty transcript 1 when nothing was heard."""
        if self.words == 0:
            return float(self.errors == 0)
        return max(0.0, 1.0 - self.errors / self.words)


def compare(transcript: str, heard: Sequence[str]) -> Comparison:
    """Compares a transcript with what was heard, one text for each segment of speech."""
    said = written_words(transcript)
    texts = [written_words(text) for text in heard] or [[]]
    got = [word for text in texts for word in text]
    segment_of_got = [segment for segment, text in enumerate(texts) for _ in text]

    said_plain, got_plain = plain_words(said), plain_words(got)
    pairs = align([word.plain for word in said_plain], [word.plain for word in got_plain])
    missed: set[int] = set()
    extra: set[int] = set()
    counterpart: dict[int, int] = {}
    for pair in pairs:
        said_index = None if pair.said is None else said_plain[pair.said].written
        got_index = None if pair.heard is None else got_plain[pair.heard].written
        if said_index is not None and got_index is not None:
            counterpart.setdefault(said_index, got_index)
        if not pair.equal:
            missed.update(() if said_index is None else (said_index,))
            extra.update(() if got_index is None else (got_index,))

    segment_of_said = []
    segment = 0
    for index in range(len(said)):
        if index in counterpart:
            segment = segment_of_got[counterpart[index]]
        segment_of_said.append(segment)

    return Comparison(
        words=len(said_plain),
        substitutions=sum(pair.said is not None and pair.heard is not None and not pair.equal for pair in pairs),
        deletions=sum(pair.heard is None for pair in pairs),
        insertions=sum(pair.said is None for pair in pairs),
        segments=tuple(
            SegmentComparison(_marked(got, extra, segment_of_got, each), _marked(said, missed, segment_of_said, each))
            for each in range(len(texts))
        ),
    )


def _marked(words: list[str], wrong: set[int], segment_of: list[int], segment: int) -> tuple[MarkedWord, ...]:
    return tuple(MarkedWord(word, i not in wrong) for i, word in enumerate(words) if segment_of[i] == segment)
