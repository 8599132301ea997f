# SPDX-License-Identifier: Apache-2.0
"""Numbers as words, so that "press 1" and "press one" are the same."""

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand"), (100, "hundred"))
_DIGITS_READ_ONE_BY_ONE = 13


def spell_number(digits: str) -> list[str]:
    """The words of a number written in ASCII digits, with at most one decimal point.

    A number with a leading zero, or of more than twelve digits, is read digit by digit.

    Example:
        >>> spell_number("28.8")
        ['twenty', 'eight', 'point', 'eight']
    """
    whole, point, fraction = digits.partition(".")
    words = _spell_whole(whole) if whole else []
    if point:
        words += ["point", *(_UNITS[int(digit)] for digit in fraction)]
    return words


def _spell_whole(digits: str) -> list[str]:
    if len(digits) >= _DIGITS_READ_ONE_BY_ONE or (len(digits) > 1 and digits[0] == "0"):
        return [_UNITS[int(digit)] for digit in digits]
    return _cardinal(int(digits))


def _cardinal(number: int) -> list[str]:
    for scale, name in _SCALES:
        if number >= scale:
            count, rest = divmod(number, scale)
            return [*_cardinal(count), name, *(_cardinal(rest) if rest else [])]
    if number >= 20:
        tens, unit = divmod(number, 10)
        return [_TENS[tens - 2], *([_UNITS[unit]] if unit else [])]
    return [_UNITS[number]]
