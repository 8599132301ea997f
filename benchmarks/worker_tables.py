# SPDX-License-Identifier: Apache-2.0
"""What was counted of a model worker, for people."""

from benchmarks.rounds import Round
from benchmarks.table import TIMES, print_table

MOST_OF_ONE_COPY = 1.05
LEAST_SAVED = 0.66


def show_idle(counts: Round) -> None:
    rows = [
        [
            name.removeprefix("idle/"),
            f"{row['seconds']:.0f}",
            f"{row['wakeups']:.0f}" + _verdict(row["wakeups"] == 0),
            f"{row['cpu_ns'] / 1000:.0f}" + _verdict(row["cpu_ns"] == 0),
        ]
        for name, row in counts.items()
    ]
    print_table("A worker and its client that nobody uses", ["", "seconds", "wake-ups", "CPU, µs"], rows)


def show_footprint(counts: Round) -> None:
    ours, once, thrice = (
        counts[f"footprint/{name}"]["pss_bytes"]
        for name in ("one_worker_three_clients", "loaded_once", "loaded_three_times")
    )
    of_one, saved = ours / once, 1 - ours / thrice
    rows = [
        [
            "a worker and its three clients",
            _mib(ours),
            f"{of_one:.2f}{TIMES} ({MOST_OF_ONE_COPY}{TIMES}{_verdict(of_one <= MOST_OF_ONE_COPY)})",
            f"{saved:.1%} ({LEAST_SAVED:.0%}{_verdict(saved >= LEAST_SAVED)})",
        ],
        ["control: one process that loads it", _mib(once), f"1{TIMES}", ""],
        ["control: three processes, each of which loads it", _mib(thrice), f"{thrice / once:.2f}{TIMES}", "0%"],
    ]
    header = ["", "MiB", "one copy", "saved of three copies"]
    print_table("A model of 150 MiB: PSS of all processes that take part", header, rows)


def _mib(size: float) -> str:
    return f"{size / (1 << 20):.1f}"


def _verdict(met: bool) -> str:
    return ", met" if met else ", MISSED"
