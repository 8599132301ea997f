# SPDX-License-Identifier: Apache-2.0
"""`scripts/bench SUBJECT`: measures, prints tables, writes JSON on demand."""

import argparse
import json
import os
from pathlib import Path
from types import ModuleType

from benchmarks import conversions, memory, models, registry, wire, worker
from benchmarks.machine import describe_machine

SUBJECTS = {
    "registry": registry,
    "memory": memory,
    "python": conversions,
    "worker": worker,
    "wire": wire,
    "models": models,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures a subject.")
    subparsers = parser.add_subparsers(dest="subject", required=True)
    for name, subject in SUBJECTS.items():
        add_subject(subparsers.add_parser(name, help=subject.__doc__), subject)
    arguments = parser.parse_args()

    if arguments.realtime:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    machine = describe_machine()
    print(" · ".join(f"{name} {value}" for name, value in machine.items()), flush=True)
    measure = SUBJECTS[arguments.subject].measure
    result = measure(arguments.only, arguments.rounds, arguments.attempts, arguments.patience)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"machine": machine, arguments.subject: result}, indent=1) + "\n")


def add_subject(parser: argparse.ArgumentParser, subject: ModuleType) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured there")
    parser.add_argument(
        "--rounds",
        type=int,
        default=subject.ROUNDS,
        help=f"undisturbed rounds wanted of every arm (default: {subject.ROUNDS})",
    )
    parser.add_argument(
        "--attempts", type=int, default=subject.ATTEMPTS, help=f"rounds made at most (default: {subject.ATTEMPTS})"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=subject.PATIENCE_SECONDS,
        metavar="SECONDS",
        help="how long each round waits at most for others to leave the CPU alone"
        f" (default: {subject.PATIENCE_SECONDS:g})",
    )
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="let nothing else run while an arm runs, on a machine that is never quiet (needs root)",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=subject.PARTS,
        default=subject.USUAL_PARTS,
        help=f"parts to measure (default: {' '.join(subject.USUAL_PARTS)})",
    )


if __name__ == "__main__":
    main()
