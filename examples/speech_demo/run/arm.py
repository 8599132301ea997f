# SPDX-License-Identifier: Apache-2.0
"""The process that runs a job: `python -m examples.speech_demo.run.arm JOB FOLDER` writes events to stdout.

It starts the workers, if the job wants them, and the programs with the pipelines, and takes them from step to step.
"""

import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from examples.speech_demo.run.child import pipe, start_child
from examples.speech_demo.run.events import Done, Event, Failed, Imported, Measured, Ready, decode, encode
from examples.speech_demo.run.job import ClientJob, Job
from examples.speech_demo.run.left_behind import look_for_what_is_left, shared_memory_names
from examples.speech_demo.run.memory import pss_bytes
from examples.speech_demo.run.workers import Worker, WorkerFailed, vad_worker, whisper_worker


class ProgramFailed(Exception):
    """A program with pipelines ended before its job did."""


class Arm:
    """One run of a job."""

    def __init__(self, job: Job, folder: Path, stream: TextIO) -> None:
        self._job = job
        self._folder = folder
        self._stream = stream
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._workers: list[Worker] = []
        self._shared_memory_before = shared_memory_names()
        self._programs = [self._start_program(each) for each in self._parts()]

    def run(self) -> None:
        """Runs the job, takes stock while everything is loaded, ends everything, and tells what is left.

        Raises:
            ProgramFailed: A program failed.
            WorkerFailed: A worker failed.
        """
        self._wait_for(Imported, len(self._programs))
        memory_before = self._memory()
        start = time.perf_counter()
        if self._job.arm == "workers":
            self._start_workers()
        self._step()
        self._wait_for(Ready, len(self._job.files), since=start)
        ready = time.perf_counter()
        memory_loaded = self._memory()
        self._show_workers()
        self._step()
        self._wait_for(Done, len(self._job.files), since=ready)
        done = time.perf_counter()
        self._show_workers()
        measured = Measured(
            start_up_seconds=ready - start,
            listening_seconds=done - ready,
            memory_before_bytes=memory_before,
            memory_loaded_bytes=memory_loaded,
            memory_bytes=self._memory(),
            loads=self._job.models * (len(self._programs) if self._job.arm == "private" else 1),
        )
        self._step()
        self._end()
        self._tell(look_for_what_is_left(self._folder, self._shared_memory_before))
        self._tell(measured)

    def _parts(self) -> list[ClientJob]:
        """What each program does."""
        files = dict(enumerate(self._job.files))
        all_of_it = ClientJob(files, self._job.speech_to_text)
        if self._job.arm == "one_process":
            return [all_of_it]
        if self._job.arm == "workers":
            whisper = f"unix:{self._folder}/whisper" if self._job.speech_to_text else None
            all_of_it = replace(all_of_it, vad=f"unix:{self._folder}/silero-vad", whisper=whisper)
        return [replace(all_of_it, files={number: file}) for number, file in files.items()]

    def _start_program(self, part: ClientJob) -> "subprocess.Popen[str]":
        program = start_child(["examples.speech_demo.run.client", part.to_argument()], stdin=subprocess.PIPE)
        threading.Thread(target=self._hear, args=(program,), daemon=True).start()
        return program

    def _hear(self, program: "subprocess.Popen[str]") -> None:
        for line in pipe(program.stdout):
            self._events.put(decode(line))
        self._events.put(None)

    def _start_workers(self) -> None:
        self._workers.append(vad_worker(self._folder))
        if self._job.speech_to_text:
            self._workers.append(whisper_worker(self._folder))
        for worker in self._workers:
            worker.wait_until_ready()

    def _wait_for(self, kind: type[Event], count: int, since: float = 0.0) -> None:
        """Tells what happens until `count` of a kind have; Ready and Done with the seconds since then."""
        while count > 0:
            event = self._events.get()
            if event is None:
                raise ProgramFailed(self._why_it_ended())
            if isinstance(event, Ready | Done):
                event = replace(event, seconds=time.perf_counter() - since)
            if isinstance(event, Failed):
                raise ProgramFailed(event.message)
            if not isinstance(event, Imported):
                self._tell(event)
            count -= isinstance(event, kind)

    def _why_it_ended(self) -> str:
        ended = [status for program in self._programs if (status := program.poll()) is not None]
        return f"a program with pipelines ended with status {ended[0] if ended else 'unknown'}"

    def _step(self) -> None:
        for program in self._programs:
            print(file=pipe(program.stdin), flush=True)

    def _end(self) -> None:
        for program in self._programs:
            if program.wait() != 0:
                raise ProgramFailed(self._why_it_ended())
            pipe(program.stdin).close()
        for worker in self._workers:
            worker.end()

    def _memory(self) -> int:
        processes = [program.pid for program in self._programs] + [worker.process for worker in self._workers]
        return sum(pss_bytes(process) for process in processes)

    def _show_workers(self) -> None:
        for worker in self._workers:
            self._tell(worker.seen())

    def _tell(self, event: Event) -> None:
        print(encode(event), file=self._stream, flush=True)


def main() -> int:
    """Runs the job in the first argument; the exit status is 0, or 1 after the event Failed."""
    job, folder = Job.from_argument(sys.argv[1]), Path(sys.argv[2])
    # Events have stdout to themselves: what libraries print there goes to stderr.
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        Arm(job, folder, stream).run()
    except (ProgramFailed, WorkerFailed) as error:
        print(encode(Failed(str(error))), file=stream, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
