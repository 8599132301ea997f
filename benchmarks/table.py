# SPDX-License-Identifier: Apache-2.0
"""Tables for people."""

from collections.abc import Sequence

TIMES = "\N{MULTIPLICATION SIGN}"
TO = "\N{EN DASH}"


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table with its columns aligned: the first to the left, the others to the right."""
    widths = [max(len(line[column]) for line in [header, *rows]) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return "| " + " | ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]) + " |"

    first, *others = widths
    print(f"\n{title}\n")
    print(line(header))
    print("|" + "|".join(["-" * (first + 2), *("-" * (width + 1) + ":" for width in others)]) + "|")
    for row in rows:
        print(line(row))
