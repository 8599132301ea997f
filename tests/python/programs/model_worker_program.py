# SPDX-License-Identifier: Apache-2.0
"""The program remotemedia-model-worker, as `scripts/test` has built it."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUILD = Path(__file__).parents[3] / "build/release"
PROGRAM = BUILD / "bin/remotemedia-model-worker"
LINEAR_PLUGIN = BUILD / "tests/cpp/backends/libremotemedia_linear_plugin.so"
SLOW_PLUGIN = BUILD / "tests/cpp/backends/libremotemedia_slow_plugin.so"


class ModelWorkerProgram:
    """One that runs, from the moment it says that it is ready."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, "--log-format", "json", *map(str, arguments)],
            env={**os.environ, "REMOTEMEDIA_BACKEND_PATH": str(BUILD / "backends")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.ready = self.next_line()
        self.endpoint: str = self.ready["endpoints"][0]

    def next_line(self) -> dict[str, Any]:
        """What it says next on its standard output."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        said: dict[str, Any] = json.loads(line)
        return said

    def end(self, signal_number: int = signal.SIGTERM) -> tuple[int, list[dict[str, Any]]]:
        """Its exit code, and what it logged; engines may say something of their own beside it."""
        self.process.send_signal(signal_number)
        _, log = self.process.communicate(timeout=60)
        return self.process.returncode, [json.loads(line) for line in log.splitlines() if line.startswith("{")]


@contextmanager
def started_programs(folder: Path) -> Iterator[Callable[..., ModelWorkerProgram]]:
    """What starts programs, at endpoints of their own, which end with the block."""
    assert PROGRAM.is_file(), f"{PROGRAM} is missing: scripts/test python builds it"
    started: list[ModelWorkerProgram] = []

    def start(*arguments: str | Path) -> ModelWorkerProgram:
        endpoint = f"unix:{folder}/{len(started)}.sock"
        started.append(ModelWorkerProgram(*arguments, "--endpoint", endpoint))
        return started[-1]

    try:
        yield start
    finally:
        for program in started:
            program.process.kill()
            program.process.communicate()


def refused(*arguments: str | Path) -> tuple[int, str]:
    """The exit code and the log of a program that does not come to serve."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        env={"REMOTEMEDIA_BACKEND_PATH": str(BUILD / "backends")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr
