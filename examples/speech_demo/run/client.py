# SPDX-License-Identifier: Apache-2.0
"""A program with pipelines: `python -m examples.speech_demo.run.client JOB` writes events to stdout.

It imports, then takes a line from stdin before each of three steps: it loads its models, listens, and ends.
"""

import asyncio
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from examples.speech_demo.run.events import Done, Event, Failed, Heard, Imported, Loading, Ready, Speech, Text, encode
from examples.speech_demo.run.job import ClientJob
from examples.speech_demo.run.speech_pipeline import make_pipeline
from remotemedia import Pipeline, RuntimeData
from remotemedia.nodes import AudioFileSource


class PipelineFailed(Exception):
    """The pipeline over a recording did not come to its end."""

    def __init__(self, recording: str, error: Exception) -> None:
        notes = getattr(error, "__notes__", [])
        super().__init__("\n".join([f"{recording}: {type(error).__name__}: {error}", *notes]))


class Client:
    """Runs the pipelines of a job, all at once, and tells what happens."""

    def __init__(self, job: ClientJob, stream: TextIO) -> None:
        self._job = job
        self._stream = stream
        self._pipelines = {number: self._make_pipeline(number) for number in job.files}

    async def run(self) -> None:
        """Loads the models and listens to every recording to its end; the models are held until the last line.

        Raises:
            PipelineFailed: A pipeline raised, which is the cause.
        """
        async with AsyncExitStack() as held:
            await _next_line()
            await asyncio.gather(*(self._get_ready(number, held) for number in self._pipelines))
            await _next_line()
            await asyncio.gather(*(self._listen(number) for number in self._pipelines))
            await _next_line()

    async def _get_ready(self, number: int, held: AsyncExitStack) -> None:
        self._tell(Loading(number))
        with self._named(number):
            await held.enter_async_context(self._pipelines[number].managed_execution())
        self._tell(Ready(number))

    async def _listen(self, number: int) -> None:
        with self._named(number):
            async for item in self._pipelines[number].process(AudioFileSource(self._job.files[number])):
                if item.kind == "text":
                    self._tell(Text(number, item.metadata["start"], item.metadata["end"], item.payload))
        self._tell(Done(number))

    def _make_pipeline(self, number: int) -> Pipeline:
        def on_audio(item: RuntimeData) -> None:
            assert item.sample_rate is not None
            assert item.timestamp is not None
            self._tell(Heard(number, item.timestamp + item.payload.shape[-1] / item.sample_rate))

        def on_speech(item: RuntimeData) -> None:
            self._tell(Speech(number, item.metadata["start"], item.metadata["end"]))

        return make_pipeline(self._job, on_audio, on_speech)

    @contextmanager
    def _named(self, number: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise PipelineFailed(Path(self._job.files[number]).name, error) from error

    def _tell(self, event: Event) -> None:
        print(encode(event), file=self._stream, flush=True)


async def _next_line() -> None:
    await asyncio.to_thread(sys.stdin.readline)


def main() -> int:
    """Runs the job in the first argument; the exit status is 0, or 1 after the event Failed."""
    job = ClientJob.from_argument(sys.argv[1])
    # Events have stdout to themselves: what libraries print there goes to stderr.
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for library in _libraries(job):
        importlib.import_module(library)
    print(encode(Imported()), file=stream, flush=True)
    try:
        asyncio.run(Client(job, stream).run())
    except PipelineFailed as error:
        print(encode(Failed(str(error))), file=stream, flush=True)
        return 1
    return 0


def _libraries(job: ClientJob) -> list[str]:
    """Those that its pipelines need here."""
    vad = [] if job.vad else ["onnxruntime"]
    whisper = ["faster_whisper"] if job.speech_to_text and not job.whisper else []
    return ["av", *vad, *whisper]


if __name__ == "__main__":
    sys.exit(main())
