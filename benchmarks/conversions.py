# SPDX-License-Identifier: Apache-2.0
"""Python without copies: what is measured and what it has to reach."""

from collections.abc import Sequence
from typing import Any

from benchmarks.conversion_tables import WORDS, show_counts
from benchmarks.page import shown
from benchmarks.rounds import Round, run_python
from benchmarks.sizes import CONVERTED, SENT
from benchmarks.target import Control, Target, TargetGroup
from benchmarks.timed_parts import measure_timed_parts

PROGRAMS = {"conversions": "tensor_conversions", "processes": "tensor_between_processes"}
PARTS = (*PROGRAMS, "conversion_counts")
USUAL_PARTS = PARTS
ROUNDS, ATTEMPTS, PATIENCE_SECONDS = 5, 7, 5.0

MOST_NS = 1000
SMALLEST = min(CONVERTED)


def _conversion(arm: str, *controls: str, needs: str = "") -> list[Target]:
    return [
        Target(
            f"{WORDS[arm]}, {name}",
            f"{arm}/{size}",
            MOST_NS,
            (Control(f"{arm}/{SMALLEST}"), *(Control(f"control/{control}/{size}") for control in controls)),
            needs=needs,
        )
        for size, name in CONVERTED.items()
    ]


def _control(name: str, needs: str = "") -> Target:
    arm = f"control/{name}"
    flat = (Control(f"{arm}/{SMALLEST}"),)
    return Target(f"{WORDS[arm]}, {CONVERTED[SENT]}", f"{arm}/{SENT}", None, flat, needs=needs)


def _sent(words: str, arm: str) -> Target:
    ways = ("pickled_array", "pickled_heap_tensor", "by_name", "pipe_only")
    return Target(words, f"processes/{arm}", None, tuple(Control(f"processes/{way}") for way in ways))


GROUPS = {
    "conversions": [
        TargetGroup(
            "A conversion, its result dropped, ns; how many times as long others take",
            ("itself, 1 KiB", "the nearest of NumPy"),
            [
                *_conversion("from_numpy", "numpy_from_dlpack"),
                *_conversion("to_numpy", "numpy_from_dlpack"),
                *_conversion("asarray", "numpy_from_dlpack"),
                *_conversion("from_dlpack", "numpy_from_dlpack"),
                *_conversion("numpy_from_dlpack", "numpy_from_dlpack"),
                *_conversion("memoryview", "memoryview"),
                *_conversion("from_bytes", "numpy_from_dlpack"),
                *_conversion("slice", "slice"),
                *_conversion("allocate"),
                _control("numpy_from_dlpack"),
                _control("memoryview"),
                _control("slice"),
            ],
        ),
        TargetGroup(
            "The same with torch",
            ("itself, 1 KiB", "`torch.from_numpy(array)`", "`tensor.numpy()`"),
            [
                *_conversion("from_torch", "torch_from_numpy", "torch_to_numpy", needs="torch"),
                *_conversion("to_torch", "torch_from_numpy", "torch_to_numpy", needs="torch"),
                *_conversion("torch_from_dlpack", "torch_from_numpy", "torch_to_numpy", needs="torch"),
                _control("torch_from_numpy", "torch"),
                _control("torch_to_numpy", "torch"),
            ],
        ),
    ],
    "processes": [
        TargetGroup(
            "10 MiB to another process and an answer, both asleep while they wait: µs; how many times as long others"
            " take",
            ("array pickled", "tensor of the heap pickled", "`multiprocessing.shared_memory`", "pipe alone"),
            [
                _sent("by id, mapped there each time", "by_id"),
                _sent("by id, the last one kept there until the next has come", "by_id_kept"),
                _sent("tensor in shared memory pickled, protocol 5", "pickled_tensor"),
                _sent("control: tensor of the heap pickled, protocol 5", "pickled_heap_tensor"),
                _sent("control: array pickled, `pipe.send(array)`", "pickled_array"),
                _sent("control: `multiprocessing.shared_memory` by name", "by_name"),
                _sent("control: as many bytes as an id", "pipe_only"),
            ],
            unit="µs",
            p99="p99",
        )
    ],
}


def measure(parts: Sequence[str], rounds: int, attempts: int, patience_seconds: float) -> dict[str, Any]:
    """Measures, prints tables and returns everything for the JSON file."""
    result: dict[str, Any] = {"tables": {}}
    timed = [part for part in parts if part in PROGRAMS]
    if timed:
        groups = {part: GROUPS[part] for part in timed}
        result["timed"] = measure_timed_parts(
            groups, lambda: _run(timed), rounds, attempts, patience_seconds, result["tables"]
        )
    if "conversion_counts" in parts:
        result["counts"] = run_python("tensor_conversion_counts")
        with shown("conversion_counts", result["tables"]):
            show_counts(result["counts"])
    return result


def _run(parts: Sequence[str]) -> Round:
    return {name: row for part in parts for name, row in run_python(PROGRAMS[part]).items()}
