# SPDX-License-Identifier: Apache-2.0
"""Shared memory: what is measured and what it has to reach."""

from collections.abc import Sequence
from typing import Any

from benchmarks import memory_tables as tables
from benchmarks.page import shown
from benchmarks.rounds import Round, count_cpp, run_cpp, run_optional_cpp
from benchmarks.target import Control, Target, TargetGroup
from benchmarks.timed_parts import measure_timed_parts, need_two_cpus

PROGRAM = "build/release/benchmarks/cpp/memory_bench"
ICEORYX_PROGRAM = "build/release/benchmarks/cpp/memory_iceoryx_bench"
COUNTS_PROGRAM = "build/release/benchmarks/cpp/memory_counts"

TIMED = {"handoff": "handoff", "copy": "copy", "allocate": "allocate", "ids": "id|session"}
COUNTED = ("handoff", "packet", "allocate", "copy", "ids", "export")
PARTS = (*TIMED, "counts")
USUAL_PARTS = PARTS
ROUNDS, ATTEMPTS, PATIENCE_SECONDS = 5, 7, 5.0

MIB = 1 << 20
SIZES = {0: "0 B", 4096: "4 KiB", MIB: "1 MiB", 10 * MIB: "10 MiB", 100 * MIB: "100 MiB", 1024 * MIB: "1 GiB"}
FLAT = 0.15
"""How much longer, or shorter, a hand-off of any size may take than one of 0 B."""


def _handoff(size: int, words: str) -> Target:
    compared = max(size, 4096)  # the others cannot carry nothing
    return Target(
        words,
        f"handoff/tensor/{size}",
        500,
        (
            Control("handoff/tensor/0", *((1 / (1 + FLAT), 1 / (1 - FLAT)) if size else ())),
            Control("handoff/words", 1 / 5),
            Control(f"handoff/iceoryx/{compared}", 2),
            Control("handoff/packet", 70),
        ),
    )


def _handoff_beside_others(size: int, words: str) -> Target:
    compared = max(size, 4096)
    return Target(
        words,
        f"handoff/tensor/{size}",
        None,
        (
            Control("handoff/eventfd"),
            Control(f"handoff/mapped_each_time/{compared}"),
            Control(f"handoff/stream/{compared}"),
        ),
    )


def _handoff_written(size: int) -> Target:
    return Target(
        f"{SIZES[size]}, first element written here and read there, and back",
        f"handoff/written_tensor/{size}",
        None,
        (Control(f"handoff/tensor/{size}"), Control("handoff/words")),
    )


def _copy(size: int, temperature: str, least_gb_per_second: float, least_of_memcpy: float) -> Target:
    return Target(
        f"{SIZES[size]}, {temperature}",
        f"copy/copy_bytes_{temperature}/{size}",
        size / least_gb_per_second,
        (
            Control(f"copy/memcpy_{temperature}/{size}", least_of_memcpy),
            Control(f"copy/fresh_memfd/{size}", 12 if size == 10 * MIB else None),
            Control(f"copy/fresh_posix_memory/{size}"),
        ),
        moved_bytes=size,
    )


def _allocations(threads: int) -> list[Target]:
    suffix = f"/threads:{threads}" if threads > 1 else ""
    return [
        Target(
            f"{words}, {SIZES.get(size, f'{size} B')}, {threads} thread{'s'[: threads - 1]}",
            f"allocate/{arm}/{size}{suffix}",
            50,
            (Control(f"allocate/malloc/{size}{suffix}"), Control(f"allocate/locked_list{suffix}")),
        )
        for arm, words in (("block", "no session"), ("block_of_session", "a session"))
        for size in (256, 4096, MIB, 10 * MIB)
    ]


def _by_id(words: str, arm: str, *controls: str) -> Target:
    return Target(words, arm, None, tuple(Control(control) for control in controls))


GROUPS = {
    "handoff": [
        TargetGroup(
            "A tensor to another process and one of 4 KiB back, nothing copied: µs for both ways; how many"
            " times as long others take",
            ("itself, 0 B", "two words", "iceoryx", "unix packet of 64 B"),
            [
                *(_handoff(size, words) for size, words in SIZES.items()),
                Target("control: two words", "handoff/words", None, ()),
            ],
            unit="µs",
            p99="p99",
        ),
        TargetGroup(
            "The same beside what sleeps, maps or copies",
            ("eventfd", "descriptor, mmap, touch, munmap", "unix stream: one copy in, one out"),
            [_handoff_beside_others(size, words) for size, words in SIZES.items()],
            unit="µs",
            p99="p99",
        ),
        TargetGroup(
            "With an element that goes from cache to cache too",
            ("only read", "two words"),
            [_handoff_written(size) for size in (4096, 1024 * MIB)],
            unit="µs",
            p99="p99",
        ),
    ],
    "copy": [
        TargetGroup(
            "Copying once into shared memory that another process has mapped, GB/s; how many times as long others take",
            ("memcpy, same memory", "fresh memfd", "fresh POSIX memory"),
            [
                _copy(10 * MIB, "hot", 42, 0.85),
                _copy(10 * MIB, "cold", 21, 0.85),
                _copy(100 * MIB, "cold", 21, 1.15),
            ],
            unit="GB/s",
            p99="p99",
        )
    ],
    "allocate": [
        TargetGroup(
            "Allocating a block and giving it back, nobody touches it, ns for each thread; how many times as"
            " long others take",
            ("malloc", "list under a mutex"),
            [*_allocations(1), *_allocations(2)],
        )
    ],
    "ids": [
        TargetGroup(
            "By id, both sides asleep while they wait: µs; how many times as long others take",
            ("id as text only", "POSIX memory by name"),
            [
                _by_id(
                    "to_shared_memory, from_shared_memory there, answer", "id/open_again", "id/text", "id/posix_name"
                ),
                _by_id("the same, its segment not mapped there yet", "id/open_first", "id/text", "id/posix_name"),
                _by_id("to_shared_memory alone", "id/export"),
                _by_id("to_shared_memory of 1 MiB of the heap", f"id/export_from_the_heap/{MIB}"),
                _by_id("to_shared_memory of 10 MiB of the heap", f"id/export_from_the_heap/{10 * MIB}"),
                _by_id("first block of a session, a spare segment ready", "session/with_a_spare_segment"),
                _by_id("first block of a session, none ready", "session/without"),
            ],
            unit="µs",
            p99="p99",
        )
    ],
}


def measure(parts: Sequence[str], rounds: int, attempts: int, patience_seconds: float) -> dict[str, Any]:
    """Measures, prints tables and returns everything for the JSON file."""
    need_two_cpus()
    result: dict[str, Any] = {"tables": {}}
    timed = [part for part in parts if part in TIMED]
    if timed:
        groups = {part: GROUPS[part] for part in timed}
        result["timed"] = measure_timed_parts(
            groups, lambda: _run(timed), rounds, attempts, patience_seconds, result["tables"]
        )
    if "counts" in parts:
        result["counts"] = {name: row for part in COUNTED for name, row in count_cpp(COUNTS_PROGRAM, part).items()}
        with shown("counts", result["tables"]):
            tables.show_counts(result["counts"])
            tables.show_copies(result["counts"])
    return result


def _run(parts: Sequence[str]) -> Round:
    found = run_cpp(PROGRAM, f"^({'|'.join(TIMED[part] for part in parts)})/")
    if "handoff" in parts:
        found |= run_optional_cpp(ICEORYX_PROGRAM, ".", "iceoryx")
    return found
