# SPDX-License-Identifier: Apache-2.0
"""The model worker: what is measured and what it has to reach."""

from collections.abc import Sequence
from typing import Any

from benchmarks import worker_tables as tables
from benchmarks.page import shown
from benchmarks.rounds import Round, count_cpp, run_cpp, run_optional_cpp, run_python
from benchmarks.sizes import SENT
from benchmarks.target import Control, Target, TargetGroup
from benchmarks.timed_parts import measure_timed_parts, need_two_cpus

PROGRAM = "build/release/benchmarks/cpp/worker_bench"
GRPC_PROGRAM = "build/release/benchmarks/cpp/worker_grpc_bench"
COUNTS_PROGRAM = "build/release/benchmarks/cpp/worker_counts"
MEMORY_PROGRAM = "build/release/benchmarks/cpp/memory_bench"
ICEORYX_PROGRAM = "build/release/benchmarks/cpp/memory_iceoryx_bench"

TIMED = {"calls": "call", "asleep": "asleep", "in_flight": "in_flight", "batches": "batch", "clients": "clients"}
COUNTED = {"idle": tables.show_idle, "footprint": tables.show_footprint}
PARTS = (*TIMED, "from_python", *COUNTED)
USUAL_PARTS = PARTS
ROUNDS, ATTEMPTS, PATIENCE_SECONDS = 5, 7, 5.0

GRPC_10_MIB = f"call/grpc/{SENT}"
BATCHES = (1, 2, 4, 8, 16, 32)


def _beside_nothing(least_of_grpc: float) -> tuple[Control, ...]:
    return (
        Control("call/grpc/0", least_of_grpc),
        Control("handoff/iceoryx/4096"),
        Control("handoff/words"),
        Control("call/packet"),
    )


def _call(words: str, arm: str, most_us: float, grpc: Control) -> Target:
    return Target(words, f"call/{arm}", most_us * 1000, (grpc, Control("call/stream")))


def _in_flight(size: int, words: str, least_per_second: float, least_of_grpc: float) -> Target:
    grpc = Control(f"in_flight/grpc/{size}", least_of_grpc)
    return Target(words, f"in_flight/worker/{size}", 1e9 / least_per_second, (grpc,))


def _from_python(words: str, size: int, model: str, most_us: float) -> Target:
    least = {"by_hand": 12, "pickle": 20, "grpcio": 90} if model == "cpp_model" and size == 0 else {}
    ways = ("by_hand", "pickle", "grpcio")
    return Target(
        words,
        f"python/{size}/{model}",
        most_us * 1000,
        tuple(Control(f"python/{size}/{way}", least.get(way)) for way in ways),
    )


GROUPS = {
    "calls": [
        TargetGroup(
            "A call of nothing, both awake, µs; how many times as long others take",
            ("gRPC", "iceoryx, 4 KiB", "two words", "unix packet"),
            [
                Target("0 B", "call/nothing", 1000, _beside_nothing(45)),
                Target("CPU of both for each", "call/nothing", None, _beside_nothing(20), counter="cpu_ns"),
                Target("control: two words", "handoff/words", None, ()),
            ],
            unit="µs",
            p99="p99",
        ),
        TargetGroup(
            "A call with 10 MiB there and 10 MiB back, both awake, µs; how many times as long others take",
            ("gRPC", "unix stream by hand"),
            [
                _call("both in the pool, 0 copies", "no_copy", 1, Control(GRPC_10_MIB, 3000)),
                _call("input from the heap, 1 copy", "one_copy", 600, Control(GRPC_10_MIB, 5)),
                _call("and the model copies it to its output, 2 copies", "two_copies", 1400, Control(GRPC_10_MIB, 2.3)),
            ],
            unit="µs",
            p99="p99",
        ),
    ],
    "asleep": [
        TargetGroup(
            "A call of nothing after 2 ms in which both fell asleep, µs; how many times as long others take",
            ("gRPC", "unix packet"),
            [
                Target(
                    "0 B",
                    "asleep/worker",
                    55_000,
                    (Control("asleep/grpc", 0.9), Control("asleep/packet")),
                ),
                Target(
                    "CPU of both for each",
                    "asleep/worker",
                    None,
                    (Control("asleep/grpc", 1.4), Control("asleep/packet")),
                    counter="cpu_ns",
                ),
                Target(
                    "0 B, a worker with `spin` 0",
                    "asleep/worker_that_never_looks",
                    None,
                    (Control("asleep/grpc"), Control("asleep/packet")),
                ),
                Target(
                    "CPU of both for each",
                    "asleep/worker_that_never_looks",
                    None,
                    (Control("asleep/grpc"), Control("asleep/packet")),
                    counter="cpu_ns",
                ),
            ],
            unit="µs",
            p99="p99",
        )
    ],
    "in_flight": [
        TargetGroup(
            "100 calls in flight from one client, thousands a second; how many times as long others take for each",
            ("gRPC",),
            [
                _in_flight(0, "0 B", 1.5e6, 20),
                _in_flight(4096, "4 KiB copied in, by the model, and out", 1e6, 17),
            ],
            unit="k/s",
            p99="p99 of 100",
        ),
        TargetGroup(
            "CPU of both for each of them, µs",
            ("gRPC",),
            [
                Target(words, f"in_flight/worker/{size}", None, (Control(f"in_flight/grpc/{size}"),), counter="cpu_ns")
                for size, words in ((0, "0 B"), (4096, "4 KiB"))
            ],
            unit="µs",
            p99="p99",
        ),
    ],
    "batches": [
        TargetGroup(
            "A model of 1 ms a batch and 10 µs a row, 100 calls in flight, k/s; how many times as long batches of one"
            " take",
            ("batches of one",),
            [Target(f"`max_batch_size` {size}", f"batch/{size}", None, (Control("batch/1"),)) for size in BATCHES],
            unit="k/s",
            p99="p99 of 100",
        )
    ],
    "clients": [
        TargetGroup(
            "100 clients, each with a connection and a thread, that call without a pause: µs; how many times as long"
            " others take",
            ("gRPC",),
            [
                Target(words, "clients/worker", None, (Control("clients/grpc"),), counter=counter)
                for words, counter in (
                    ("p50 of a call", "ns"),
                    ("p99 of a call", "p99_ns"),
                    ("time of all by their number", "each_ns"),
                    ("CPU of both for each", "cpu_ns"),
                )
            ],
            unit="µs",
            p99="p99",
        )
    ],
    "from_python": [
        TargetGroup(
            "A call from Python, both awake, µs; how many times as long others take",
            ("`multiprocessing.shared_memory` by hand", "pickled through a pipe", "grpcio"),
            [
                _from_python("0 B, model in C++", 0, "cpp_model", 5),
                _from_python("10 MiB in the pool there and back, model in C++", SENT, "cpp_model", 5),
                _from_python("0 B, model in Python", 0, "python_model", 15),
                _from_python("10 MiB in the pool there and back, model in Python", SENT, "python_model", 15),
            ],
            unit="µs",
            p99="p99",
        ),
        TargetGroup(
            "100 calls of 4 KiB in flight from Python, each copied three times, k/s; how many times as long others"
            " take",
            ("`multiprocessing.shared_memory` by hand", "grpcio"),
            [
                Target(
                    f"model in {words}",
                    f"python/in_flight/{model}",
                    most_ns,
                    (Control("python/in_flight/by_hand"), Control("python/in_flight/grpcio")),
                )
                for model, words, most_ns in (("cpp_model", "C++", 1e9 / 200e3), ("python_model", "Python", None))
            ],
            unit="k/s",
            p99="p99 of 100",
        ),
    ],
}


def measure(parts: Sequence[str], rounds: int, attempts: int, patience_seconds: float) -> dict[str, Any]:
    """Measures, prints tables and returns everything for the JSON file."""
    need_two_cpus()
    result: dict[str, Any] = {"tables": {}}
    timed = [part for part in parts if part in GROUPS]
    if timed:
        groups = {part: GROUPS[part] for part in timed}
        result["timed"] = measure_timed_parts(
            groups, lambda: _run(timed), rounds, attempts, patience_seconds, result["tables"]
        )
    for part, show in COUNTED.items():
        if part in parts:
            result[part] = count_cpp(COUNTS_PROGRAM, part)
            with shown(part, result["tables"]):
                show(result[part])
    return result


def _run(parts: Sequence[str]) -> Round:
    found: Round = {}
    compiled = [TIMED[part] for part in parts if part in TIMED]
    if compiled:
        choice = f"^({'|'.join(compiled)})/"
        found |= run_cpp(PROGRAM, choice) | run_optional_cpp(GRPC_PROGRAM, choice, "gRPC")
    if "calls" in parts:
        found |= run_cpp(MEMORY_PROGRAM, "^handoff/words/")
        found |= run_optional_cpp(ICEORYX_PROGRAM, "/4096/", "iceoryx")
    if "from_python" in parts:
        found |= run_python("worker_calls")
    return found
