# SPDX-License-Identifier: Apache-2.0
"""Numbers as words."""

import pytest

from examples.speech_demo.words.spelling import spell_number


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("0", "zero"),
        ("7", "seven"),
        ("10", "ten"),
        ("19", "nineteen"),
        ("20", "twenty"),
        ("42", "forty two"),
        ("100", "one hundred"),
        ("101", "one hundred one"),
        ("500", "five hundred"),
        ("1234", "one thousand two hundred thirty four"),
        ("1000000", "one million"),
        ("2000000001", "two billion one"),
        ("999999999999", "nine hundred ninety nine billion nine hundred ninety nine million nine hundred ninety nine "
                         "thousand nine hundred ninety nine"),
        ("28.8", "twenty eight point eight"),
        ("0.05", "zero point zero five"),
    ],
)  # fmt: skip
def test_a_number_is_read_as_people_read_it(digits: str, words: str) -> None:
    assert " ".join(spell_number(digits)) == words


def test_a_number_with_a_leading_zero_is_read_digit_by_digit() -> None:
    assert spell_number("007") == ["zero", "zero", "seven"]


def test_a_number_of_more_than_twelve_digits_is_read_digit_by_digit() -> None:
    assert spell_number("1" * 13) == ["one"] * 13
