# SPDX-License-Identifier: Apache-2.0
"""The registry: what is measured and what it has to reach."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks import registry_tables as tables
from benchmarks.counts import count_hits
from benchmarks.rounds import measure_in_rounds, run_cpp, run_python, wait_until_quiet
from benchmarks.target import Control, Target, TargetGroup, judge
from benchmarks.target_tables import show_others, show_targets

PROGRAM = "build/release/benchmarks/cpp/registry_bench"
HITS_PROGRAM = "build/release/benchmarks/cpp/registry_hits"
PARTS = ("hits", "cold", "release", "idle", "counts")
USUAL_PARTS = PARTS[:-1]  # counts needs valgrind and strace
ROUNDS, ATTEMPTS, PATIENCE_SECONDS = 7, 15, 60.0


def _hits(kind: str, words: str, most_ns: float, controls: tuple[tuple[str, float | None], ...]) -> list[Target]:
    return [
        Target(
            f"{words}, {threads} thread{'s'[: threads - 1]}, {keys} key{'s'[: keys - 1]} each",
            f"hit/{kind}/{keys}/threads:{threads}",
            most_ns,
            tuple(
                Control(f"hit/{control}/{keys}/threads:{threads}", least if threads == 2 else None)
                for control, least in controls
            ),
        )
        for threads in (1, 2)
        for keys in (1, 16, 500)
    ]


_HOT_LOCKS = (
    Control("hot/u64_mutex_counted/threads:2", 19),
    Control("hot/u64_shared_mutex_counted/threads:2"),
)

TARGETS = [
    TargetGroup(
        "C++: a hit with a hold that is given back at once, ns for each thread; times as long that a locked map takes",
        ("mutex map", "shared_mutex map"),
        [
            *_hits("model_key", "ModelKey", 15, (("u64_mutex_counted", 4), ("u64_shared_mutex_counted", 4))),
            *_hits("string", "string", 35, (("string_mutex_counted", 2), ("string_shared_mutex_counted", None))),
            Target("ModelKey, 2 threads, one hot key", "hot/model_key/threads:2", 10, _HOT_LOCKS),
            Target("a handle kept by each thread, one hot key", "hot/kept_handle/threads:2", 10, _HOT_LOCKS),
        ],
    ),
    TargetGroup(
        "Python: a hit with a hold that is given back at once, ns; times as long that other ways take",
        ("dict under a lock", "get-or-load on it", "bare dict", "lru_cache"),
        [
            Target(
                "get_or_load",
                "python/get_or_load",
                250,
                (
                    Control("python/dict_under_a_lock"),
                    Control("python/dict_get_or_load"),
                    Control("python/bare_dict"),
                    Control("python/lru_cache"),
                ),
            )
        ],
    ),
]


def measure(parts: Sequence[str], rounds: int, attempts: int, patience_seconds: float) -> dict[str, Any]:
    """Measures, prints tables and returns everything for the JSON file."""
    result: dict[str, Any] = {}
    if "hits" in parts:
        measured = measure_in_rounds(
            lambda: {**run_cpp(PROGRAM, "^(hit|hot)/"), **run_python("registry_hits")},
            rounds,
            attempts,
            patience_seconds,
        )
        judged = [judge(measured, target) for group in TARGETS for target in group.targets]
        show_targets(TARGETS, judged, measured)
        show_others(measured, {verdict.target.arm for verdict in judged})
        result["hits"] = {
            "rounds": measured.clean,
            "thrown_away": measured.thrown_away,
            "targets": [asdict(verdict) for verdict in judged],
        }
    if "cold" in parts:
        result["cold"] = {**run_cpp(PROGRAM, "^cold/"), **run_python("registry_cold_load")}
        tables.show_cold(result["cold"])
    if "release" in parts:
        wait_until_quiet(patience_seconds)
        result["release"] = {**run_cpp(PROGRAM, "^release/"), **run_python("registry_release")}
        tables.show_release(result["release"])
    if "idle" in parts:
        result["idle"] = run_cpp(PROGRAM, "^idle/")
        tables.show_idle(result["idle"])
    if "counts" in parts:
        result["counts"] = count_hits(HITS_PROGRAM)
        tables.show_counts(result["counts"])
    return result
