# SPDX-License-Identifier: Apache-2.0
"""What was measured of the registry, for people."""

from benchmarks.rounds import Round
from benchmarks.table import print_table


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
