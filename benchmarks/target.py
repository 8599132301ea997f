# SPDX-License-Identifier: Apache-2.0
"""Figures to reach, and whether they were."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.rounds import Rounds, Spread


@dataclass(frozen=True)
class Control:
    """Another way to do the same, and how many times as long it has to take in the same round, if that is a target."""

    arm: str
    least_ratio: float | None = None


@dataclass(frozen=True)
class Target:
    """One figure to reach, in nanoseconds."""

    what: str
    arm: str
    most_ns: float
    controls: tuple[Control, ...]


@dataclass(frozen=True)
class TargetGroup:
    """Targets with the same kinds of controls."""

    title: str
    controls: tuple[str, ...]
    targets: Sequence[Target]


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
        measured.spread(target.arm, "ns"),
        measured.spread(target.arm, "p99_ns"),
        tuple(measured.ratio(target.arm, control.arm, "ns") for control in target.controls),
        measured.count(target.arm),
        measured.thrown_away.get(target.arm, 0),
    )
