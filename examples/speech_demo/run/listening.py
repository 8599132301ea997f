# SPDX-License-Identifier: Apache-2.0
"""One run of all pipelines in processes of their own, shown while it goes on."""

from collections.abc import Callable
from typing import Protocol

from examples.speech_demo.run.arm_process import ArmFailed, arm_process
from examples.speech_demo.run.events import Event, Measured
from examples.speech_demo.run.job import Job
from examples.speech_demo.run.state import RunState


class Progress(Protocol):
    """Shows a run, from the beginning to the end of its `with` block."""

    def show(self, event: Event) -> None:
        """Shows what happened; the state has it already."""

    def __enter__(self) -> "Progress": ...

    def __exit__(self, *error: object) -> None: ...


def listen(job: Job, state: RunState, progress: Progress) -> None:
    """Runs a job, takes what happens into the state and shows it.

    Raises:
        ArmFailed: The process failed.
    """

    def tell(event: Event) -> None:
        state.apply(event)
        progress.show(event)

    with progress:
        measure(job, tell)


def measure(job: Job, tell: Callable[[Event], None]) -> Measured:
    """Runs a job, tells what happens and returns what it took.

    Raises:
        ArmFailed: The process failed.
    """
    measured = None
    with arm_process(job) as events:
        for event in events:
            tell(event)
            if isinstance(event, Measured):
                measured = event
    if measured is None:
        raise ArmFailed("the process of the pipelines ended without its measurements")
    return measured
