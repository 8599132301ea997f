# SPDX-License-Identifier: Apache-2.0
"""Progress as plain lines, where there is no terminal to draw on."""

from typing import TextIO

from examples.speech_demo.run.events import Done, Event, Loading, Ready, Speech, Text
from examples.speech_demo.run.state import RunState


class ProgressLines:
    """Writes a line for each thing that a reader wants to know, as soon as it happens."""

    def __init__(self, state: RunState, stream: TextIO, *, speech_to_text: bool) -> None:
        self._state = state
        self._stream = stream
        self._speech_to_text = speech_to_text

    def show(self, event: Event) -> None:
        """Writes what happened; the state has it already."""
        match event:
            case Loading(pipeline):
                self._write(pipeline, "asks for its models")
            case Ready(pipeline, seconds):
                self._write(pipeline, f"holds its models after {seconds:.2f} s")
            case Speech(pipeline, start, end) if not self._speech_to_text:
                self._write(pipeline, f"{start:.2f}-{end:.2f} s: speech")
            case Text(pipeline, start, end, text):
                self._write(pipeline, f"{start:.2f}-{end:.2f} s: {text}")
            case Done(pipeline, seconds):
                heard = self._state.pipelines[pipeline].heard_seconds
                self._write(pipeline, f"done: {heard:.1f} s heard in {seconds:.1f} s")
            case _:
                pass

    def __enter__(self) -> "ProgressLines":
        return self

    def __exit__(self, *_error: object) -> None:
        """Leaves what was written where it is."""

    def _write(self, pipeline: int, text: str) -> None:
        name = self._state.pipelines[pipeline].recording.name
        print(f"[{pipeline + 1}] {name}: {text}", file=self._stream, flush=True)
