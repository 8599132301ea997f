# SPDX-License-Identifier: Apache-2.0
"""Texts as plain words."""

import pytest

from examples.speech_demo.words.plain_words import plain_words, written_words


def plain(text: str) -> str:
    return " ".join(word.plain for word in plain_words(written_words(text)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Press 1.", "press one"),
        ("PRESS ONE!", "press one"),
        ("Full-featured", "full featured"),
        ("www.asterisk.org", "www asterisk org"),
        ("Waldo's", "waldos"),
        ("Waldo\u2019s", "waldos"),
        ("I'm", "im"),
        ("'quoted'", "quoted"),
        ("1,234 calls", "one thousand two hundred thirty four calls"),
        ("1,2", "one two"),
        ("28.8 kilobit", "twenty eight point eight kilobit"),
        ("line 2.", "line two"),
        ("2now", "two now"),
        ("this & that", "this and that"),
        ("5%", "five percent"),
        ("so - then", "so then"),
        ("Zo\u00eb", "zo\u00eb"),
        ("", ""),
        ("...", ""),
    ],
)
def test_what_sounds_the_same_becomes_the_same_words(text: str, words: str) -> None:
    assert plain(text) == words


@pytest.mark.parametrize("note", ["(simple tone sound plays)", "[this is a simple beep tone]"])
def test_notes_in_brackets_are_no_speech(note: str) -> None:
    assert plain(f"press the pound key. {note}") == "press the pound key"


def test_a_plain_word_knows_the_written_word_it_came_from() -> None:
    words = plain_words(["dial", "28.8", "-", "now"])
    assert [(word.plain, word.written) for word in words] == [
        ("dial", 0),
        ("twenty", 1),
        ("eight", 1),
        ("point", 1),
        ("eight", 1),
        ("now", 3),
    ]
