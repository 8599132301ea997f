# SPDX-License-Identifier: Apache-2.0
"""The wire: what it adds to bare gRPC, that a client of the same machine pays nothing for having come by it, and what
others take for the same calls.
"""

from collections.abc import Sequence
from typing import Any

from benchmarks.rounds import Round, run_cpp, run_python
from benchmarks.sizes import CALLERS, MIB, WIRE_BYTES
from benchmarks.target import Control, Target, TargetGroup
from benchmarks.timed_parts import measure_timed_parts, need_two_cpus
from benchmarks.worker import GRPC_PROGRAM

PROGRAM = "build/release/benchmarks/cpp/worker_wire_bench"

PARTS = ("wire_calls", "wire_callers")
USUAL_PARTS = PARTS
ROUNDS, ATTEMPTS, PATIENCE_SECONDS = 5, 7, 5.0

SIZES = {0: "0 B", 4096: "4 KiB", MIB: "1 MiB", 10 * MIB: "10 MiB"}
MOST_OVER_GRPC = 1.15


def _callers(title: str, way: str, others: dict[str, str]) -> TargetGroup:
    """others: their arms, by what they are called."""
    targets = [
        Target(
            f"{words}, {callers} caller{'s' if callers > 1 else ''}",
            f"callers/{way}/{size}/{callers}",
            None,
            tuple(Control(f"callers/{other}/{size}/{callers}") for other in others.values()),
        )
        for size, words in WIRE_BYTES.items()
        for callers in CALLERS
    ]
    return TargetGroup(
        f"{title}: µs for each call; how many times as long others take", tuple(others), targets, "µs", "p99 of a call"
    )


GROUPS = {
    "wire_calls": [
        TargetGroup(
            "A call over gRPC from C++ to a model that gives its input back, µs; how many times as long others take",
            ("gRPC, raw bytes", "in one piece", "over our sockets", "never asleep"),
            [
                Target(
                    f"{words} there and back",
                    f"wire/grpc/{size}",
                    None,
                    (
                        *(
                            Control(f"call/{way}/{size}", None if size == 0 else 1 / MOST_OVER_GRPC)
                            for way in ("grpc", "grpc_whole")
                        ),
                        Control(f"call/grpc_handed/{size}"),
                        Control(f"call/grpc_looking/{size}"),
                    ),
                )
                for size, words in SIZES.items()
            ],
            unit="µs",
            p99="p99",
        ),
        TargetGroup(
            "The same by a client of `grpc://127.0.0.1` that finds shared memory, µs; how many times as long others"
            " take",
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
    "wire_callers": [
        _callers("By gRPC from Python", "worker_grpc", {"Triton": "triton_grpc", "grpcio": "grpcio_bytes"}),
        _callers("By HTTP from Python", "worker_http", {"Triton": "triton_http", "Mosec": "mosec_http"}),
        _callers(
            "By a client that finds shared memory, from Python",
            "worker_found",
            {
                "connected to `unix:`": "worker_at_unix",
                "Triton, gRPC": "triton_grpc",
                "grpcio": "grpcio_bytes",
                "Mosec": "mosec_http",
            },
        ),
    ],
}


def measure(parts: Sequence[str], rounds: int, attempts: int, patience_seconds: float) -> dict[str, Any]:
    """Measures, prints tables and returns everything for the JSON file."""
    need_two_cpus()
    result: dict[str, Any] = {"tables": {}}
    groups = {part: GROUPS[part] for part in parts}
    result["timed"] = measure_timed_parts(
        groups, lambda: _run(parts), rounds, attempts, patience_seconds, result["tables"]
    )
    return result


def _run(parts: Sequence[str]) -> Round:
    found: Round = {}
    if "wire_calls" in parts:
        found |= run_cpp(PROGRAM, "^wire/") | run_cpp(GRPC_PROGRAM, "^call/grpc(_whole|_handed|_looking)?/")
    if "wire_callers" in parts:
        found |= run_python("wire_callers")
    return found
