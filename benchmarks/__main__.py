# SPDX-License-Identifier: Apache-2.0
"""`scripts/bench SUBJECT`: measures, prints tables, writes JSON on demand."""

import argparse
import json
import os
from pathlib import Path

from benchmarks import registry
from benchmarks.machine import describe_machine


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures a subject.")
    parser.add_argument("subject", choices=["registry"])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured there")
    parser.add_argument("--rounds", type=int, default=7, help="undisturbed rounds wanted of every arm (default: 7)")
    parser.add_argument("--attempts", type=int, default=15, help="rounds made at most (default: 15)")
    parser.add_argument(
        "--patience",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long each round waits at most for others to leave the CPU alone (default: 60)",
    )
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="let nothing else run while an arm runs, on a machine that is never quiet (needs root)",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=registry.PARTS,
        default=[part for part in registry.PARTS if part != "counts"],
        help="parts to measure (default: all but counts, which needs valgrind and strace)",
    )
    arguments = parser.parse_args()

    if arguments.realtime:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    machine = describe_machine()
    print(" · ".join(f"{name} {value}" for name, value in machine.items()), flush=True)
    result = registry.measure(arguments.only, arguments.rounds, arguments.attempts, arguments.patience)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"machine": machine, arguments.subject: result}, indent=1) + "\n")


if __name__ == "__main__":
    main()
