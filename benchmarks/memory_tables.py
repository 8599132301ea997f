# SPDX-License-Identifier: Apache-2.0
"""What was counted of shared memory, for people."""

from benchmarks.rounds import Round
from benchmarks.table import print_table

NONE_ALLOWED = ("handoff/tensor", "allocate/")
"""Operations that must do without page faults and system calls, by the beginning of their names."""


def show_counts(counts: Round) -> None:
    rows = [
        [
            name,
            f"{row['operations']:,.0f}",
            _each(name, row, "faults"),
            _each(name, row, "system_calls"),
            _each(name, row, "peer_faults"),
            _each(name, row, "peer_system_calls"),
        ]
        for name, row in counts.items()
        if "faults" in row
    ]
    header = ["each", "operations", "page faults", "system calls", "page faults there", "system calls there"]
    print_table("Counts, for each operation, here and in the other process", header, rows)


def _each(name: str, row: dict[str, float], counter: str) -> str:
    if counter not in row:
        return ""
    value = row[counter]
    if not name.startswith(NONE_ALLOWED):
        return f"{value:g}"
    return f"{value:g}" + (" met" if value == 0 else " MISSED")


def show_copies(counts: Round) -> None:
    rows = [
        [
            name,
            f"{row['bytes']:,.0f}",
            f"{row['copied_bytes'] / row['bytes']:g}",
            f"{row['private_bytes_of_opening']:,.0f}",
            "yes" if row["sees_later_writes"] else "no",
        ]
        for name, row in counts.items()
        if "copied_bytes" in row
    ]
    header = ["to_shared_memory", "bytes", "copies", "private bytes of opening", "sees later writes"]
    print_table("Copies that an export makes, and its importer", header, rows)
