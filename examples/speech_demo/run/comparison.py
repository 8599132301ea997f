# SPDX-License-Identifier: Apache-2.0
"""Pipelines that share their models against pipelines with private copies: both arms in fresh processes, in turn."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from statistics import median

from examples.speech_demo.run.events import Measured
from examples.speech_demo.run.job import Job
from examples.speech_demo.run.listening import measure


@dataclass(frozen=True)
class Spread:
    """Median, lowest and highest of some measurements."""

    median: float
    lowest: float
    highest: float

    def scaled(self, factor: float) -> "Spread":
        """The spread of the same values times a factor."""
        return Spread(self.median * factor, self.lowest * factor, self.highest * factor)

    @staticmethod
    def of(values: Iterable[float]) -> "Spread":
        """The spread of at least one value."""
        known = list(values)
        return Spread(median(known), min(known), max(known))


@dataclass(frozen=True)
class ArmFigures:
    """One arm over all rounds; times in seconds, memory as PSS in bytes.

    Attributes:
        loads: Loads of models in each run.
        start_up: From the first call for a model until every pipeline held its models.
        listening: From then until every recording was heard.
        memory_before: Of the process with its libraries and no model.
        models_memory: What loading the models added to that.
        working_memory: What using them added to that.
        memory: All three: of the process with every model loaded and used.
    """

    loads: int
    start_up: Spread
    listening: Spread
    memory_before: Spread
    models_memory: Spread
    working_memory: Spread
    memory: Spread

    @staticmethod
    def of(runs: list[Measured]) -> "ArmFigures":
        """The figures of at least one run."""
        return ArmFigures(
            loads=runs[0].loads,
            start_up=Spread.of(run.start_up_seconds for run in runs),
            listening=Spread.of(run.listening_seconds for run in runs),
            memory_before=Spread.of(run.memory_before_bytes for run in runs),
            models_memory=Spread.of(run.memory_loaded_bytes - run.memory_before_bytes for run in runs),
            working_memory=Spread.of(run.memory_bytes - run.memory_loaded_bytes for run in runs),
            memory=Spread.of(run.memory_bytes for run in runs),
        )


@dataclass(frozen=True)
class ArmComparison:
    """Both arms, and in how many rounds they were measured."""

    rounds: int
    sharing: ArmFigures
    private: ArmFigures


def compare_arms(job: Job, rounds: int, announce: Callable[[str], None]) -> ArmComparison:
    """Runs the job in both arms, in turn.

    Args:
        job: What each process does.
        rounds: How often each arm is run.
        announce: Told before each run which one it is.

    Raises:
        ArmFailed: A process failed.
    """
    sharing: list[Measured] = []
    private: list[Measured] = []
    for number in range(1, rounds + 1):
        for runs, shares, name in ((sharing, True, "one registry"), (private, False, "private copies")):
            announce(f"comparison, round {number} of {rounds}: {name}")
            runs.append(measure(replace(job, sharing=shares), lambda _event: None))
    return ArmComparison(rounds, ArmFigures.of(sharing), ArmFigures.of(private))
