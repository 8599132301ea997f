# SPDX-License-Identifier: Apache-2.0
"""A fresh process that runs a job, and the events that it tells."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from examples.speech_demo.interrupts import held_back
from examples.speech_demo.run.events import Event, Failed, decode
from examples.speech_demo.run.job import Job

_ROOT = Path(__file__).parents[3]


class ArmFailed(Exception):
    """The process ended before its job did; the message says why."""


@contextmanager
def arm_process(job: Job) -> Iterator[Iterator[Event]]:
    """Runs a job in a process of its own, which is killed at the end of the block, with all that it has started.

    The process does not see the terminal: Ctrl-C reaches it through this block, and what it writes to stderr is kept
    for the case that it fails. Main thread only.

    Yields:
        What happens, as it happens, to the end of the job. Raises ArmFailed where the process failed, was killed, or
        said what is no event.
    """
    process: subprocess.Popen[str] | None = None
    with tempfile.TemporaryFile() as stderr, tempfile.TemporaryDirectory() as sockets:
        try:
            with held_back():
                process = subprocess.Popen(
                    [sys.executable, "-m", "examples.speech_demo.run.arm", job.to_argument(), sockets],
                    cwd=_ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                    start_new_session=True,
                )
            yield _events(process, stderr)
        finally:
            if process is not None:
                with held_back():
                    _kill_session(process)
                    process.communicate()


def _kill_session(process: "subprocess.Popen[str]") -> None:
    """It leads a group in which all are that it has started, until it is waited for."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # it has ended, and was waited for
        return


def _events(process: subprocess.Popen[str], stderr: IO[bytes]) -> Iterator[Event]:
    assert process.stdout is not None
    for line in process.stdout:
        try:
            event = decode(line)
        except ValueError as error:
            raise ArmFailed(str(error)) from error
        if isinstance(event, Failed):
            raise ArmFailed(event.message)
        yield event
    code = process.wait()
    if code != 0:
        raise ArmFailed(_last_words(code, stderr))


def _last_words(code: int, stderr: IO[bytes]) -> str:
    stderr.seek(0)
    written = stderr.read().decode(errors="replace").strip()
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    return f"the process of the pipelines {how}" + (f":\n{written}" if written else "")
