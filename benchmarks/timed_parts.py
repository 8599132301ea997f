# SPDX-License-Identifier: Apache-2.0
"""Parts of a subject that are measured in rounds and judged by targets."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.page import shown
from benchmarks.rounds import Round, measure_in_rounds
from benchmarks.target import TargetGroup, judge
from benchmarks.target_tables import show_others, show_targets


def need_two_cpus() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("two processes that are both awake need two CPUs")


def measure_timed_parts(
    groups: Mapping[str, Sequence[TargetGroup]],
    run: Callable[[], Round],
    rounds: int,
    attempts: int,
    patience_seconds: float,
    tables: dict[str, str],
) -> dict[str, Any]:
    """Measures, prints a table for each part, keeps it in `tables`, and returns the rest for the JSON file.

    Args:
        groups: The targets, by part.
        run: Measures all of them once.
    """
    measured = measure_in_rounds(run, rounds, attempts, patience_seconds)
    judged = {
        part: [judge(measured, target) for group in of_it for target in group.targets] for part, of_it in groups.items()
    }
    for part, of_it in groups.items():
        with shown(part, tables):
            show_targets(of_it, judged[part], measured)
    verdicts = [verdict for of_part in judged.values() for verdict in of_part]
    show_others(measured, {verdict.target.arm for verdict in verdicts})
    return {
        "rounds": measured.clean,
        "thrown_away": measured.thrown_away,
        "targets": [asdict(verdict) for verdict in verdicts],
    }
