# SPDX-License-Identifier: Apache-2.0
"""What was measured of the registry, for people."""

from collections.abc import Sequence

from benchmarks.rounds import Round, Rounds, Spread
from benchmarks.table import print_table
from benchmarks.target import TargetGroup, Verdict


def show_targets(groups: Sequence[TargetGroup], verdicts: Sequence[Verdict]) -> None:
    for group in groups:
        rows = [_target_row(verdict) for verdict in verdicts if verdict.target in group.targets]
        print_table(group.title, ["", "median", "target", "min-max", "p99 of 256", "rounds", *group.controls], rows)


def _target_row(verdict: Verdict) -> list[str]:
    target, ns = verdict.target, verdict.ns
    ratios = []
    for control, ratio in zip(target.controls, verdict.ratios, strict=True):
        text = "disturbed" if ratio is None else f"{ratio.median:.2g}x [{ratio.least:.2g}-{ratio.most:.2g}]"
        if ratio is not None and control.least_ratio is not None:
            text += f" {control.least_ratio:g}x" + _verdict(ratio.median >= control.least_ratio)
        ratios.append(text)
    return [
        target.what,
        _median(ns),
        f"{target.most_ns:g}" + ("" if ns is None else _verdict(ns.median <= target.most_ns)),
        _range(ns),
        _median(verdict.p99_ns),
        f"{verdict.clean} of {verdict.clean + verdict.thrown_away}",
        *ratios,
    ]


def show_others(measured: Rounds, shown: set[str]) -> None:
    """The arms that are no targets: controls and other ways to hold a model."""
    rows = []
    for name in measured.names:
        if name in shown:
            continue
        clean, ns = measured.count(name), measured.spread(name, "ns")
        p99 = _median(measured.spread(name, "p99_ns"))
        rows.append([name, _median(ns), _range(ns), p99, f"{clean} of {clean + measured.thrown_away.get(name, 0)}"])
    print_table(
        "Controls and other ways, ns", ["arm/keys of each thread", "median", "min-max", "p99 of 256", "rounds"], rows
    )


def show_cold(cold: Round) -> None:
    rows = [
        [name, f"{arm['callers']:.0f}", f"{arm['rounds']:.0f}", f"{arm['most_loads']:.0f}"]
        for name, arm in cold.items()
    ]
    print_table("One cold key, asked for at once", ["arm", "callers", "rounds", "loads in the worst round"], rows)


def show_release(release: Round) -> None:
    rows = [
        [name, f"{arm['rounds']:.0f}", *(f"{arm[f'uncounted_{part}_us'] / 1000:.3f}" for part in ("p50", "p99", "max"))]
        for name, arm in release.items()
    ]
    print_table("Last release (ttl 0) to bytes back, ms (target: 100)", ["arm", "rounds", "p50", "p99", "max"], rows)


def show_idle(idle: Round) -> None:
    rows = [[name, f"{arm['seconds']:.0f}", f"{arm['wakeups']:.0f}"] for name, arm in idle.items()]
    print_table("Wake-ups of a registry that nobody asks", ["arm", "seconds", "wake-ups"], rows)


def show_counts(counts: dict[str, dict[str, float]]) -> None:
    rows = [
        [kind, f"{count['instructions']:.1f}", f"{count['system_calls_per_million']:.0f}"]
        for kind, count in counts.items()
    ]
    print_table("Counts", ["hit with a hold", "instructions", "system calls of a million"], rows)


def _verdict(met: bool) -> str:
    return " met" if met else " MISSED"


def _median(spread: Spread | None) -> str:
    return "disturbed" if spread is None else f"{spread.median:.1f}"


def _range(spread: Spread | None) -> str:
    return "" if spread is None else f"{spread.least:.1f}-{spread.most:.1f}"
