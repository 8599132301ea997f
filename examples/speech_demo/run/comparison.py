# SPDX-License-Identifier: Apache-2.0
"""Programs that share workers against other ways to have the same pipelines: in fresh processes, in turn."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from statistics import median

from examples.speech_demo.run.events import Measured
from examples.speech_demo.run.job import ArmName, Job
from examples.speech_demo.run.listening import measure

NAMES: dict[ArmName, str] = {"workers": "workers", "private": "private copies", "one_process": "one process"}


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
        memory_before: Of the programs with their libraries and no model.
        models_memory: What loading the models added to that, and the workers.
        working_memory: What using them added to that.
        memory: All three: of all processes with every model loaded and used.
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
    """All arms, and in how many rounds they were measured."""

    rounds: int
    workers: ArmFigures
    private: ArmFigures
    one_process: ArmFigures


def compare_arms(job: Job, rounds: int, announce: Callable[[str], None]) -> ArmComparison:
    """Runs the job in all arms, in turn.

    Args:
        job: What is done in each.
        rounds: How often each arm is run.
        announce: Told before each run which one it is.

    Raises:
        ArmFailed: A process failed.
    """
    runs: dict[ArmName, list[Measured]] = {arm: [] for arm in NAMES}
    for number in range(1, rounds + 1):
        for arm, name in NAMES.items():
            announce(f"comparison, round {number} of {rounds}: {name}")
            runs[arm].append(measure(replace(job, arm=arm), lambda _event: None))
    return ArmComparison(rounds, **{arm: ArmFigures.of(measured) for arm, measured in runs.items()})
