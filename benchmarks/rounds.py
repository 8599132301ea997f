# SPDX-License-Identifier: Apache-2.0
"""Measuring in rounds: every arm once in each, disturbed measurements thrown away, ratios within a round."""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.python.disturbance import Disturbance

Measurement = dict[str, float]
Round = dict[str, Measurement]

MOST_OTHERS = 0.10
"""How much of the CPUs that an arm uses others may take during a measurement that counts, in CPUs."""


@dataclass(frozen=True)
class Spread:
    """What the clean rounds gave: median, least and most."""

    median: float
    least: float
    most: float
    rounds: int


@dataclass
class Rounds:
    """The clean measurements of every arm, by round."""

    names: list[str] = field(default_factory=list)
    clean: list[Round] = field(default_factory=list)
    thrown_away: dict[str, int] = field(default_factory=dict)

    def add(self, measured: Round) -> None:
        clean: Round = {}
        for name, measurement in measured.items():
            if name not in self.names:
                self.names.append(name)
            if measurement.get("others", 0.0) <= MOST_OTHERS:
                clean[name] = measurement
            else:
                self.thrown_away[name] = self.thrown_away.get(name, 0) + 1
        self.clean.append(clean)

    def count(self, name: str) -> int:
        return sum(name in measured for measured in self.clean)

    def spread(self, name: str, counter: str) -> Spread | None:
        return _spread(measured[name][counter] for measured in self.clean if name in measured)

    def ratio(self, name: str, control: str, counter: str) -> Spread | None:
        """How many times as long the control took in the same round."""
        return _spread(
            measured[control][counter] / measured[name][counter]
            for measured in self.clean
            if name in measured and control in measured
        )


def _spread(values: Iterable[float]) -> Spread | None:
    known = list(values)
    return Spread(statistics.median(known), min(known), max(known), len(known)) if known else None


def measure_in_rounds(measure: Callable[[], Round], wanted: int, attempts: int, patience_seconds: float) -> Rounds:
    """Measures until every arm has `wanted` clean rounds, or `attempts` rounds are over."""
    rounds = Rounds()
    for attempt in range(1, attempts + 1):
        wait_until_quiet(patience_seconds)
        rounds.add(measure())
        least = min(rounds.count(name) for name in rounds.names)
        print(f"round {attempt}: every arm has {least} clean rounds or more", file=sys.stderr, flush=True)
        if least >= wanted:
            break
    return rounds


def wait_until_quiet(patience_seconds: float) -> None:
    """Returns when others leave the CPU alone for a second, or after the time given."""
    end = time.monotonic() + patience_seconds
    while time.monotonic() < end:
        disturbance = Disturbance()
        time.sleep(1)
        if disturbance.others() <= MOST_OTHERS:
            return


def run_cpp(program: str, choice: str) -> Round:
    """The measurements of a Google Benchmark program.

    Args:
        program: Its path.
        choice: Regular expression of the benchmarks to run.
    """
    command = [program, f"--benchmark_filter={choice}", "--benchmark_format=json"]
    found: Round = {}
    for row in json.loads(_output(command))["benchmarks"]:
        if row.get("error_occurred"):
            raise RuntimeError(f"{row['name']}: {row['error_message']}")
        name = re.sub(r"/(min_time:[0-9.]+|iterations:\d+|real_time|manual_time)", "", row["name"])
        found[name] = {key: value for key, value in row.items() if isinstance(value, int | float)}
    return found


def run_optional_cpp(program: str, choice: str, what: str) -> Round:
    """The same of a control: nothing where `what` is not installed, or does not work."""
    if not Path(program).exists():
        return {}
    try:
        return run_cpp(program, choice)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"without {what}: {error}", file=sys.stderr)
        return {}


def count_cpp(program: str, part: str) -> Round:
    """What a program counts that prints its own JSON, errors of it on the terminal."""
    done = subprocess.run([program, part], check=True, stdout=subprocess.PIPE, text=True)
    return {row.pop("name"): row for row in json.loads(done.stdout)}


def run_python(module: str) -> Round:
    """The measurements of one of the programs in `benchmarks.python`. What a peer failed at is said and left out."""
    found: Round = {}
    for row in json.loads(_output([sys.executable, "-m", f"benchmarks.python.{module}"])):
        if "failed" in row:
            print(f"without {row['name']} in this round: {row['failed']}", file=sys.stderr)
        else:
            found[row.pop("name")] = row
    return found


def _output(command: list[str]) -> str:
    """What it writes to its standard output. What it writes elsewhere is shown when it fails."""
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=log, text=True)
        if done.returncode != 0:
            log.seek(0)
            sys.stderr.write(log.read())
        done.check_returncode()
        return done.stdout
