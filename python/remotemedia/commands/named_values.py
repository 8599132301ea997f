# SPDX-License-Identifier: Apache-2.0
"""Arguments that are typed as NAME=VALUE."""

from __future__ import annotations

import argparse
import json
from typing import Any


def named_value(word: str) -> tuple[str, str]:
    """NAME=VALUE as a pair.

    Raises:
        ArgumentTypeError: It is none.
    """
    name, sign, value = word.partition("=")
    if not name or not sign:
        raise argparse.ArgumentTypeError(f"'{word}' is not NAME=VALUE")
    return name, value


def read_value(text: str) -> Any:
    """What the text is in JSON, or the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
