# SPDX-License-Identifier: Apache-2.0
"""The alignment of two sequences of words at the smallest edit distance."""

from collections.abc import Sequence
from typing import NamedTuple


class Pair(NamedTuple):
    """A word and its counterpart, by index; None where a word has no counterpart."""

    said: int | None
    heard: int | None
    equal: bool


def align(said: Sequence[str], heard: Sequence[str]) -> list[Pair]:
    """Pairs every word with its counterpart, equal or not, in order, so that the fewest pairs are unequal.

    Cost: time and memory grow with the product of the lengths.
    """
    distance = _edit_distances(said, heard)
    row, column = len(said), len(heard)
    pairs = []
    while row or column:
        here = distance[row][column]
        equal = row > 0 and column > 0 and said[row - 1] == heard[column - 1]
        if row and column and here == distance[row - 1][column - 1] + (not equal):
            row, column = row - 1, column - 1
            pairs.append(Pair(row, column, equal))
        elif row and here == distance[row - 1][column] + 1:
            row -= 1
            pairs.append(Pair(row, None, False))
        else:
            column -= 1
            pairs.append(Pair(None, column, False))
    return pairs[::-1]


def _edit_distances(said: Sequence[str], heard: Sequence[str]) -> list[list[int]]:
    table = [list(range(len(heard) + 1))]
    for row, word in enumerate(said, start=1):
        above = table[-1]
        line = [row]
        for column, other in enumerate(heard, start=1):
            line.append(min(above[column - 1] + (word != other), above[column] + 1, line[-1] + 1))
        table.append(line)
    return table
