# SPDX-License-Identifier: Apache-2.0
"""The wire: what it adds to bare gRPC, and that a client of the same machine pays nothing for having come by it."""

from collections.abc import Sequence
from typing import Any

from benchmarks.rounds import Round, run_cpp
from benchmarks.sizes import MIB
from benchmarks.target import Control, Target, TargetGroup
from benchmarks.timed_parts import measure_timed_parts, need_two_cpus
from benchmarks.worker import GRPC_PROGRAM

PROGRAM = "build/release/benchmarks/cpp/worker_wire_bench"

PARTS = ("calls",)
USUAL_PARTS = PARTS
ROUNDS, ATTEMPTS, PATIENCE_SECONDS = 5, 7, 5.0

SIZES = {0: "0 B", 4096: "4 KiB", MIB: "1 MiB", 10 * MIB: "10 MiB"}
MOST_OVER_GRPC = 1.15

GROUPS = {
    "calls": [
        TargetGroup(
            "A call over gRPC from C++ to a model that gives its input back, µs; how many times as long others take",
            ("gRPC, raw bytes",),
            [
                Target(
                    f"{words} there and back",
                    f"wire/grpc/{size}",
                    None,
                    (Control(f"call/grpc/{size}", None if size == 0 else 1 / MOST_OVER_GRPC),),
                )
                for size, words in SIZES.items()
            ],
            unit="µs",
            p99="p99",
        ),
        TargetGroup(
            "The same by a client of `grpc+unix:` that finds shared memory, µs; how many times as long others take",
            ("connected to `unix:`", "gRPC, raw bytes"),
            [
                Target(
                    words, f"wire/found/{size}", None, (Control(f"wire/unix/{size}", 0.9), Control(f"call/grpc/{size}"))
                )
                for size, words in SIZES.items()
            ],
            unit="µs",
            p99="p99",
        ),
    ],
}


def measure(parts: Sequence[str], rounds: int, attempts: int, patience_seconds: float) -> dict[str, Any]:
    """Measures, prints tables and returns everything for the JSON file."""
    need_two_cpus()
    result: dict[str, Any] = {"tables": {}}
    groups = {part: GROUPS[part] for part in parts}
    result["timed"] = measure_timed_parts(groups, _run, rounds, attempts, patience_seconds, result["tables"])
    return result


def _run() -> Round:
    return run_cpp(PROGRAM, "^wire/") | run_cpp(GRPC_PROGRAM, "^call/grpc/")
