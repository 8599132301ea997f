# SPDX-License-Identifier: Apache-2.0
"""Targets with their controls, and arms that are no targets, for people."""

from collections.abc import Sequence

from benchmarks.rounds import Rounds, Spread
from benchmarks.table import TIMES, TO, print_table
from benchmarks.target import Control, Target, TargetGroup, Verdict

RATES = ("GB/s", "k/s")
"""Units in which less time is more."""


def show_targets(groups: Sequence[TargetGroup], verdicts: Sequence[Verdict], measured: Rounds) -> None:
    for group in groups:
        rows = [_target_row(group, verdict, measured) for verdict in verdicts if verdict.target in group.targets]
        header = ["", f"median, {group.unit}", "target", "range", group.p99, "rounds", *group.controls]
        print_table(group.title, header, rows)


def _target_row(group: TargetGroup, verdict: Verdict, measured: Rounds) -> list[str]:
    target, ns = verdict.target, verdict.ns

    def told(nanoseconds: float) -> str:
        return _told(nanoseconds, group.unit, target.moved_bytes)

    median = told(ns.median) if ns is not None else _why_none(target, measured)
    ends = [] if ns is None else [told(ns.least), told(ns.most)]
    ratios = [
        _ratio(control, ratio) if control.arm in measured.names else ""
        for control, ratio in zip(target.controls, verdict.ratios, strict=True)
    ]
    return [
        target.what,
        median,
        _aim(target, ns, told(target.most_ns) if target.most_ns is not None else ""),
        TO.join(reversed(ends) if group.unit in RATES else ends),
        "" if verdict.p99_ns is None else told(verdict.p99_ns.median),
        f"{verdict.clean} of {verdict.clean + verdict.thrown_away}",
        *ratios,
        *[""] * (len(group.controls) - len(ratios)),
    ]


def _why_none(target: Target, measured: Rounds) -> str:
    return f"not run: no {target.needs}" if target.needs and target.arm not in measured.names else "disturbed"


def _told(ns: float, unit: str, moved_bytes: int) -> str:
    if unit == "ns":
        return f"{ns:.1f}" if ns % 1 else f"{ns:g}"
    if unit == "µs":
        return f"{ns / 1000:.3g}" if ns < 1e6 else f"{ns / 1000:,.0f}"
    if unit == "k/s":
        return f"{1e6 / ns:,.3g}" if ns > 1e3 else f"{1e6 / ns:,.0f}"
    return f"{moved_bytes / ns:.1f}"


def _aim(target: Target, ns: Spread | None, aim: str) -> str:
    return aim if ns is None else aim + _verdict(target.met_by(ns.median))


def _ratio(control: Control, ratio: Spread | None) -> str:
    if ratio is None:
        return "disturbed"
    text = f"{_digits(ratio.median)}{TIMES} [{_digits(ratio.least)}{TO}{_digits(ratio.most)}]"
    if control.least_ratio is None:
        return text
    aim = f"{control.least_ratio:.3g}" if control.least_ratio < 1000 else f"{control.least_ratio:,.0f}"
    if control.most_ratio is not None:
        aim += f"{TO}{control.most_ratio:.3g}"
    return f"{text} ({aim}{TIMES}{_verdict(control.met_by(ratio.median))})"


def _digits(ratio: float) -> str:
    return f"{ratio:.2g}" if ratio < 10 else f"{ratio:,.0f}"


def show_others(measured: Rounds, shown: set[str]) -> None:
    """The arms that are no targets."""
    rows = []
    for name in measured.names:
        if name in shown:
            continue
        clean, ns = measured.count(name), measured.spread(name, "ns")
        p99 = _median(measured.spread(name, "p99_ns"))
        rows.append([name, _median(ns), _range(ns), p99, f"{clean} of {clean + measured.thrown_away.get(name, 0)}"])
    if rows:
        print_table("Controls and other ways, ns", ["arm", "median", "range", "p99", "rounds"], rows)


def _verdict(met: bool | None) -> str:
    return "" if met is None else ", met" if met else ", MISSED"


def _median(spread: Spread | None) -> str:
    return "disturbed" if spread is None else f"{spread.median:.1f}"


def _range(spread: Spread | None) -> str:
    return "" if spread is None else f"{spread.least:.1f}{TO}{spread.most:.1f}"
