# SPDX-License-Identifier: Apache-2.0
"""Arguments that make no sense are refused before anything happens, with a message that says what would."""

import numbers
import operator
import sys
from collections.abc import Mapping
from typing import Any

from remotemedia.core.errors import InvalidArgument

LONGEST_SECONDS = 9.0e9
"""285 years: what the registry's clock can count."""


def size(name: str, value: Any, *, least: int = 0) -> int:
    """A number of bytes or models.

    Raises:
        TypeError: It is no integer.
        ValueError: It is negative, or larger than any memory.
    """
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not bool")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an int, not {type(value).__name__}") from None
    if not least <= number <= sys.maxsize:
        raise InvalidArgument(f"{name} must be at least {least} and at most {sys.maxsize}, not {number}")
    return number


def seconds(name: str, value: Any) -> float:
    """A number of seconds, of either sign.

    Raises:
        TypeError: It is no number.
        ValueError: It is not finite, or longer than can be counted.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    number = float(value)
    if not -LONGEST_SECONDS <= number <= LONGEST_SECONDS:
        raise InvalidArgument(f"{name} must be a finite number of seconds, at most {LONGEST_SECONDS:g}, not {number}")
    return number


def not_negative_seconds(name: str, value: Any) -> float:
    """The same, but not negative."""
    number = seconds(name, value)
    if number < 0:
        raise InvalidArgument(f"{name} must not be negative: {number}")
    return number


def text(name: str, value: Any) -> str:
    """A str.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value


def keywords(name: str, value: Any) -> dict[str, Any]:
    """Arguments by name.

    Raises:
        TypeError: It is no mapping, or a name is no str.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, not {type(value).__name__}")
    return {text(f"each name in {name}", key): argument for key, argument in value.items()}
