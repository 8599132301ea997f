# SPDX-License-Identifier: Apache-2.0
"""Workers that serve real models, each a process of its own until the end of its block."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from remotemedia import ModelWorkerClient
from remotemedia._core import WorkerInfo
from remotemedia.nodes.ml.silero_network import weights_path

PROGRAM = "build/release/bin/remotemedia-model-worker"
BACKENDS = "build/release/backends"
NO_LIMITS = ("--max-queue", "100000", "--max-concurrent-requests", "100000")
ONE_THREAD = ("--option", "threads=1")
SILERO = ("--option", "batch_axis.state=1", "--option", "batch_axis.stateN=1")


Command = list[str]


def silero(max_batch_size: int) -> Command:
    return model_file(weights_path(), max_batch_size, SILERO)


def model_file(path: Path, max_batch_size: int, words: Sequence[str] = ()) -> Command:
    """By remotemedia-model-worker and OpenVINO: one instance, one thread of the engine."""
    batch = ["--max-batch-size", str(max_batch_size)]
    return [PROGRAM, "--model-path", str(path), *batch, *ONE_THREAD, *NO_LIMITS, *words]


def whisper() -> Command:
    """Hosted by Python: CTranslate2, int8, one instance, one thread."""
    return [sys.executable, "-m", "remotemedia", "serve", "remotemedia.nodes.ml.whisper_worker:load", *NO_LIMITS]


@dataclass(frozen=True)
class Worker:
    """One that runs."""

    endpoint: str
    process: int
    stdout: IO[str]

    def wait_until_ready(self) -> None:
        said = self.stdout.readline()
        if said != f"ready {self.endpoint}\n":
            raise RuntimeError(f"a worker did not come to serve; it said {said!r}")

    def info(self) -> WorkerInfo:
        with ModelWorkerClient.connect(self.endpoint) as client:
            return client.status()


@contextlib.contextmanager
def served(command: Command) -> Iterator[Worker]:
    """From when it can be called."""
    with started(command) as worker:
        worker.wait_until_ready()
        yield worker


@contextlib.contextmanager
def started(command: Command) -> Iterator[Worker]:
    with tempfile.TemporaryDirectory() as folder:
        endpoint = f"unix:{folder}/model"
        with subprocess.Popen(
            [*command, "--endpoint", endpoint, "--log-level", "error"],
            env={**os.environ, "REMOTEMEDIA_BACKEND_PATH": BACKENDS},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                yield Worker(endpoint, process.pid, process.stdout)
            finally:
                process.terminate()
