# SPDX-License-Identifier: Apache-2.0
"""Live progress on a terminal: every pipeline, how far it has heard, and the text as it arrives."""

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text as StyledText

from examples.speech_demo.run.events import Event, WorkerSeen
from examples.speech_demo.run.state import PipelineState, RunState

_PHASE_STYLES = {"starting": "dim", "loading": "yellow", "ready": "yellow", "listening": "cyan", "done": "green"}
_BAR_WIDTH = 14


class LiveProgress:
    """Redraws the state of all pipelines in place, and takes itself away at the end."""

    def __init__(self, state: RunState, console: Console, *, speech_to_text: bool) -> None:
        self._state = state
        self._console = console
        self._speech_to_text = speech_to_text
        self._live = Live(get_renderable=self._render, console=console, transient=True, refresh_per_second=12)

    def show(self, _event: Event) -> None:
        """Draws nothing by itself: the state, which has the event already, is redrawn in its turn."""

    def __enter__(self) -> "LiveProgress":
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def _render(self) -> RenderableType:
        rows: list[RenderableType] = []
        for pipeline in self._state.pipelines:
            rows.append(_heading(pipeline, speech_to_text=self._speech_to_text))
            if self._speech_to_text:
                rows.append(_newest_text(pipeline, room=self._console.width - 11))
        rows.append(Rule(style="dim"))
        workers = [_worker(worker) for worker in self._state.workers.values()]
        rows += workers or [StyledText("starting the workers", style="yellow")]
        title = f"{_count(len(self._state.pipelines), 'program')} at once"
        return Panel(Group(*rows), title=title, width=self._console.width - len("^C") - 1)


def _heading(pipeline: PipelineState, *, speech_to_text: bool) -> RenderableType:
    length = pipeline.recording.seconds
    segments = _count(len(pipeline.segments), "segment")
    row = Table.grid(padding=(0, 1))
    row.add_column(width=19, no_wrap=True, overflow="ellipsis")
    row.add_column(width=9)
    row.add_column(width=_BAR_WIDTH)
    row.add_column(width=12, justify="right")
    row.add_column(width=15, justify="right")
    row.add_row(
        StyledText(pipeline.recording.name, style="bold"),
        StyledText(pipeline.phase, style=_PHASE_STYLES[pipeline.phase]),
        ProgressBar(
            total=length or 1.0, completed=_got_to(pipeline, speech_to_text) if length else 0.0, width=_BAR_WIDTH
        ),
        f"{pipeline.heard_seconds:.1f} s heard",
        f"{pipeline.texts} of {segments}" if speech_to_text else segments,
    )
    return row


def _got_to(pipeline: PipelineState, speech_to_text: bool) -> float:
    if pipeline.phase == "done" or not speech_to_text:
        return pipeline.heard_seconds
    return max((segment.end for segment in pipeline.segments if segment.text is not None), default=0.0)


def _newest_text(pipeline: PipelineState, room: int) -> RenderableType:
    text = pipeline.text
    return StyledText("  " + (text if len(text) <= room else "\u2026" + text[1 - room :]), style="italic", no_wrap=True)


def _worker(worker: WorkerSeen) -> RenderableType:
    text = f"  process {worker.process}, ready after {worker.start_up_seconds:.2f} s"
    return StyledText.assemble((worker.model, "bold"), text, no_wrap=True, overflow="ellipsis")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
