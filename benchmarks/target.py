# SPDX-License-Identifier: Apache-2.0
"""Figures to reach, and whether they were."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.rounds import Rounds, Spread


@dataclass(frozen=True)
class Control:
    """Another way to do the same, and how many times as long it has to take in the same round, if that is a target.

    most_ratio is for what must take as long, and not longer either.
    """

    arm: str
    least_ratio: float | None = None
    most_ratio: float | None = None

    def met_by(self, ratio: float) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.least_ratio is None:
            return None
        return self.least_ratio <= ratio <= (math.inf if self.most_ratio is None else self.most_ratio)


@dataclass(frozen=True)
class Target:
    """One figure to reach, in nanoseconds; None: measured beside its controls, without a target of its own.

    moved_bytes is for what is told in GB/s. needs: a package without which it is not run. counter: what is judged, when
    it is not the time; others are compared in the same.
    """

    what: str
    arm: str
    most_ns: float | None
    controls: tuple[Control, ...]
    moved_bytes: int = 0
    needs: str = ""
    counter: str = "ns"

    def met_by(self, ns: float) -> bool | None:
        """Whether the target is met; None where there is none."""
        return None if self.most_ns is None else ns <= self.most_ns


@dataclass(frozen=True)
class TargetGroup:
    """Targets with the same kinds of controls."""

    title: str
    controls: tuple[str, ...]
    targets: Sequence[Target]
    unit: Literal["ns", "µs", "GB/s", "k/s"] = "ns"
    p99: str = "p99 of 256"


@dataclass(frozen=True)
class Verdict:
    """A target, what was measured (None: no undisturbed round), and of how many rounds."""

    target: Target
    ns: Spread | None
    p99_ns: Spread | None
    ratios: tuple[Spread | None, ...]
    clean: int
    thrown_away: int


def judge(measured: Rounds, target: Target) -> Verdict:
    return Verdict(
        target,
        measured.spread(target.arm, target.counter),
        measured.spread(target.arm, "p99_ns") if target.counter == "ns" else None,
        tuple(measured.ratio(target.arm, control.arm, target.counter) for control in target.controls),
        measured.count(target.arm),
        measured.thrown_away.get(target.arm, 0),
    )
