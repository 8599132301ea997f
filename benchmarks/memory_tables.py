# SPDX-License-Identifier: Apache-2.0
"""What was counted of shared memory, for people."""

from benchmarks.rounds import Round
from benchmarks.table import print_table

NONE_ALLOWED = ("handoff/tensor", "allocate/")
"""Operations that must do without page faults and system calls, by the beginning of their names."""


WORDS = {
    "handoff/tensor": "10 MiB handed over, 4 KiB back",
    "handoff/packet": "control: unix packets of 8 bytes there and back",
    "allocate/256": "256 bytes allocated and given back",
    "allocate/10485760": "10 MiB allocated and given back",
    "copy/block": "10 MiB allocated, copied to, given back",
    "copy/fresh_memfd": "control: 10 MiB copied to a fresh memfd",
    "id/to_shared_memory": "to_shared_memory of a tensor in shared memory",
    "id/from_shared_memory": "from_shared_memory where its segment is mapped already",
    "export/in_place": "of a tensor in shared memory",
    "export/from_the_heap": "of a tensor on the heap",
}


def show_counts(counts: Round) -> None:
    rows = [
        [
            WORDS[name],
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
    return f"{value:g}" + (", met" if value == 0 else ", MISSED")


def show_copies(counts: Round) -> None:
    rows = [
        [
            WORDS[name],
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
