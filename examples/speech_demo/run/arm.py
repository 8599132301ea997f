# SPDX-License-Identifier: Apache-2.0
"""The process that runs the pipelines: `python -m examples.speech_demo.run.arm JOB` writes events to stdout."""

import asyncio
import importlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from examples.speech_demo.run.events import Done, Event, Failed, Heard, Loading, Measured, Ready, Speech, Text, encode
from examples.speech_demo.run.job import Job
from examples.speech_demo.run.memory import pss_bytes
from examples.speech_demo.run.registry_count import RegistryCount
from examples.speech_demo.run.speech_pipeline import make_pipeline
from remotemedia import ModelRegistry, Pipeline, RuntimeData, registry
from remotemedia.nodes import AudioFileSource


class PipelineFailed(Exception):
    """The pipeline over a recording did not come to its end."""

    def __init__(self, recording: str, error: Exception) -> None:
        notes = getattr(error, "__notes__", [])
        super().__init__("\n".join([f"{recording}: {type(error).__name__}: {error}", *notes]))


class Arm:
    """Runs the pipelines of a job, all at once, and tells what happens."""

    def __init__(self, job: Job, stream: TextIO) -> None:
        self._job = job
        self._stream = stream
        numbers = range(len(job.files))
        self._registries = [registry()] if job.sharing else [ModelRegistry() for _ in numbers]
        self._counts = [RegistryCount(each) for each in self._registries]
        self._pipelines = [self._make_pipeline(number) for number in numbers]

    async def run(self) -> None:
        """Loads the models, listens to every recording to its end, and takes stock before anything is released.

        Raises:
            PipelineFailed: A pipeline raised, which is the cause.
        """
        memory_before = pss_bytes()
        async with AsyncExitStack() as held:
            start = time.perf_counter()
            await asyncio.gather(*(self._get_ready(number, held, start) for number in range(len(self._pipelines))))
            ready = time.perf_counter()
            memory_loaded = pss_bytes()
            for number, count in enumerate(self._counts):
                for model in count.models(number):
                    self._tell(model)
            await asyncio.gather(*(self._listen(number, ready) for number in range(len(self._pipelines))))
            done = time.perf_counter()
            metrics = [each.metrics() for each in self._registries]
            self._tell(
                Measured(
                    start_up_seconds=ready - start,
                    listening_seconds=done - ready,
                    memory_before_bytes=memory_before,
                    memory_loaded_bytes=memory_loaded,
                    memory_bytes=pss_bytes(),
                    loads=sum(each.loads for each in metrics),
                    hits=sum(each.cache_hits for each in metrics),
                )
            )

    async def _get_ready(self, number: int, held: AsyncExitStack, start: float) -> None:
        self._tell(Loading(number))
        with self._named(number):
            await held.enter_async_context(self._pipelines[number].managed_execution())
        self._tell(Ready(number, time.perf_counter() - start))

    async def _listen(self, number: int, start: float) -> None:
        with self._named(number):
            async for item in self._pipelines[number].process(AudioFileSource(self._job.files[number])):
                if item.kind == "text":
                    self._tell(Text(number, item.metadata["start"], item.metadata["end"], item.payload))
        self._tell(Done(number, time.perf_counter() - start))

    def _make_pipeline(self, number: int) -> Pipeline:
        def on_audio(item: RuntimeData) -> None:
            assert item.sample_rate is not None
            assert item.timestamp is not None
            self._tell(Heard(number, item.timestamp + item.payload.shape[-1] / item.sample_rate))

        def on_speech(item: RuntimeData) -> None:
            self._tell(Speech(number, item.metadata["start"], item.metadata["end"]))

        models = self._registries[number % len(self._registries)]
        return make_pipeline(models, on_audio, on_speech, speech_to_text=self._job.speech_to_text)

    @contextmanager
    def _named(self, number: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise PipelineFailed(Path(self._job.files[number]).name, error) from error

    def _tell(self, event: Event) -> None:
        print(encode(event), file=self._stream, flush=True)


def main() -> int:
    """Runs the job in the first argument; the exit status is 0, or 1 after the event Failed."""
    job = Job.from_argument(sys.argv[1])
    # Events have stdout to themselves: what libraries print there goes to stderr.
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for library in ("av", "onnxruntime", *(["faster_whisper"] if job.speech_to_text else [])):
        importlib.import_module(library)
    try:
        asyncio.run(Arm(job, stream).run())
    except PipelineFailed as error:
        print(encode(Failed(str(error))), file=stream, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
