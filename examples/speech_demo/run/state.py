# SPDX-License-Identifier: Apache-2.0
"""What is known so far about a run of pipelines, from its events."""

from dataclasses import dataclass, field
from typing import Literal

from examples.speech_demo.recordings import Recording
from examples.speech_demo.run.events import (
    Done,
    Event,
    Heard,
    LeftBehind,
    Loading,
    Measured,
    Ready,
    Speech,
    Text,
    WorkerSeen,
)

Phase = Literal["starting", "loading", "ready", "listening", "done"]


@dataclass
class Segment:
    """Speech from start to end, in seconds of the recording; text is None until it is understood."""

    start: float
    end: float
    text: str | None = None


@dataclass
class PipelineState:
    """One pipeline and its recording."""

    recording: Recording
    phase: Phase = "starting"
    heard_seconds: float = 0.0
    ready_after: float | None = None
    done_after: float | None = None
    segments: list[Segment] = field(default_factory=list)

    @property
    def texts(self) -> int:
        """How many segments were understood so far."""
        return sum(segment.text is not None for segment in self.segments)

    @property
    def text(self) -> str:
        """All that was understood so far."""
        return " ".join(segment.text for segment in self.segments if segment.text)


@dataclass
class RunState:
    """All pipelines of one run."""

    pipelines: list[PipelineState]
    workers: dict[str, WorkerSeen] = field(default_factory=dict)
    left: LeftBehind | None = None
    measured: Measured | None = None

    @staticmethod
    def of(recordings: list[Recording]) -> "RunState":
        """The state before anything happened."""
        return RunState([PipelineState(recording) for recording in recordings])

    def apply(self, event: Event) -> None:
        """Takes in what happened."""
        match event:
            case Loading(pipeline):
                self.pipelines[pipeline].phase = "loading"
            case Ready(pipeline, seconds):
                self.pipelines[pipeline].phase = "ready"
                self.pipelines[pipeline].ready_after = seconds
            case Heard(pipeline, seconds):
                self.pipelines[pipeline].phase = "listening"
                self.pipelines[pipeline].heard_seconds = seconds
            case Speech(pipeline, start, end):
                self.pipelines[pipeline].segments.append(Segment(start, end))
            case Text(pipeline, start, _, text):
                for segment in self.pipelines[pipeline].segments:
                    if segment.start == start:
                        segment.text = text
            case Done(pipeline, seconds):
                self.pipelines[pipeline].phase = "done"
                self.pipelines[pipeline].done_after = seconds
            case WorkerSeen(model):
                self.workers[model] = event
            case LeftBehind():
                self.left = event
            case Measured():
                self.measured = event
