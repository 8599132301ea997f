# SPDX-License-Identifier: Apache-2.0
"""The demo as a process: run to its end, or at work in the background."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MODULE = "examples.speech_demo"


def run_demo(*arguments: str | Path, python: Path | str = sys.executable) -> "subprocess.CompletedProcess[str]":
    """Runs the demo to its end; python names another interpreter."""
    return subprocess.run(
        [python, "-m", MODULE, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


class RunningDemo:
    """The demo at work. `told` is what it has written to stderr so far."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.told = ""

    def wait_until_it_tells(self, text: str) -> None:
        """Reads its stderr as far as a line with this text."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.told += line.decode()
            if text in line.decode():
                return
        pytest.fail(f"it ended without {text!r}:\n{self.told}")

    def child(self) -> int:
        """The process that runs its programs and workers."""
        (child,) = children_of(self.process.pid)
        return child

    def family(self) -> list[int]:
        """The same, and all that it has started."""
        return [self.child(), *children_of(self.child())]

    def end(self) -> str:
        """Waits for its end; returns what it wrote to stdout."""
        output, rest = self.process.communicate()
        self.told += rest.decode()
        return output.decode()


@contextmanager
def running_demo(*arguments: str) -> Iterator[RunningDemo]:
    """The demo in the background, with --json; killed at the end of the block."""
    command = [sys.executable, "-m", MODULE, "--json", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        try:
            yield RunningDemo(process)
        finally:
            process.kill()


def children_of(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
