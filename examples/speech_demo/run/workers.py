# SPDX-License-Identifier: Apache-2.0
"""The workers: one that serves the voice detector from its file, without Python, and one that serves Whisper."""

import signal
import subprocess
import time
from pathlib import Path

from examples.speech_demo.run.child import pipe, start_child
from examples.speech_demo.run.events import WorkerSeen
from examples.speech_demo.run.memory import pss_bytes
from remotemedia import ModelWorkerClient
from remotemedia.nodes.ml.silero_network import weights_path

_BATCHES = ["--max-batch-size", "16", "--option", "batch_axis.state=1", "--option", "batch_axis.stateN=1"]


class WorkerFailed(Exception):
    """A worker did not start, or did not end as it should."""


class Worker:
    """One process that serves one model, from the moment it is started."""

    def __init__(self, model: str, folder: Path, words: list[str]) -> None:
        self.model = model
        self.endpoint = f"unix:{folder}/{model}"
        self._started = time.perf_counter()
        self._start_up_seconds = 0.0
        command = ["remotemedia", "serve", *words, "--model-id", model, "--endpoint", self.endpoint]
        self._process = start_child([*command, "--log-level", "error"], stdin=subprocess.DEVNULL)

    @property
    def process(self) -> int:
        """Its number."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Returns when it can be called.

        Raises:
            WorkerFailed: It has ended; it has said why on stderr.
        """
        line = pipe(self._process.stdout).readline()
        if line != f"ready {self.endpoint}\n":
            raise WorkerFailed(f"the worker of {self.model} ended with status {self._process.wait()}")
        self._start_up_seconds = time.perf_counter() - self._started

    def seen(self) -> WorkerSeen:
        """What it says of itself, and what it takes."""
        with ModelWorkerClient.connect(self.endpoint) as client:
            info = client.status()
        return WorkerSeen(
            model=self.model,
            process=info.pid,
            start_up_seconds=self._start_up_seconds,
            memory_bytes=pss_bytes(info.pid),
            requests=info.total_requests,
            average_batch_size=info.average_batch_size,
            p50_latency_ms=info.p50_latency_ms,
            p99_latency_ms=info.p99_latency_ms,
        )

    def end(self) -> None:
        """Asks it to drain, and waits for its end.

        Raises:
            WorkerFailed: It left calls unanswered.
        """
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait()
        pipe(self._process.stdout).close()
        if status != 0:
            raise WorkerFailed(f"the worker of {self.model} ended with status {status}")


def vad_worker(folder: Path) -> Worker:
    """Silero VAD: remotemedia-model-worker with OpenVINO, on one thread; frames of all programs run as one batch."""
    return Worker("silero-vad", folder, [str(weights_path()), *_BATCHES, "--option", "threads=1"])


def whisper_worker(folder: Path) -> Worker:
    """Whisper, hosted by Python: CTranslate2 on one thread."""
    return Worker("whisper", folder, ["remotemedia.nodes.ml.whisper_worker:load"])
