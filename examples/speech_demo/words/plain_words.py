# SPDX-License-Identifier: Apache-2.0
"""Texts as plain words, in which two writings of the same speech are equal.

Case and punctuation go, hyphens and dots separate, apostrophes join, numbers are spelt, and what stands in brackets
(a transcriber's note on sounds) is no speech.
"""

import re
from dataclasses import dataclass

from examples.speech_demo.words.spelling import spell_number

_NOTE = re.compile(r"\[[^\]]*\]|\([^)]*\)")
_APOSTROPHE = re.compile(r"(?<=\w)['\u2019](?=\w)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]+)?|[^\W\d_]+|&|%")
_SIGNS = {"&": ["and"], "%": ["percent"]}


@dataclass(frozen=True)
class Word:
    """A plain word, and the index of the written word that it came from."""

    plain: str
    written: int


def written_words(text: str) -> list[str]:
    """The words of a text as they are written, without notes in round or square brackets."""
    return _NOTE.sub(" ", text).split()


def plain_words(written: list[str]) -> list[Word]:
    """The plain words of written words: none of a dash, several of "28.8"."""
    words = []
    for index, text in enumerate(written):
        for token in _TOKEN.findall(_THOUSANDS.sub("", _APOSTROPHE.sub("", text.casefold()))):
            spelt = spell_number(token) if token[0].isdigit() else _SIGNS.get(token, [token])
            words += [Word(plain, index) for plain in spelt]
    return words
