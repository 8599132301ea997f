# SPDX-License-Identifier: Apache-2.0
"""Programs in interpreters of their own, for what only a whole process shows."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import IO

HEAD = """
import asyncio, atexit, contextlib, gc, os, signal, sys, threading, time, weakref
import remotemedia as rm

def say(text, write=os.write):
    write(1, (text + "\\n").encode())

def wait_forever():  # an interrupt that comes inside threading.Event.wait may end it with a RuntimeError
    lock = threading.Lock()
    with lock:
        lock.acquire()

class Model:
    def __del__(self, say=say):  # also when the names of this module are gone
        say("destroyed")
"""

# At the end of CPython 3.13 the globals of remotemedia.core.model_registry are not collected: the shared registry is
# told as a leak, although all its models are destroyed.
LEAK_CHECK = {} if sys.version_info >= (3, 13) else {"REMOTEMEDIA_LEAK_CHECK": "1"}


class Program:
    """A running program that is told things by lines and signals.

    stuck: It ends with threads that are not at their end: what they refer to is never freed, and no leak of ours.
    """

    def __init__(self, *parts: str, stuck: bool = False, cwd: Path | None = None) -> None:
        environment = {**os.environ, "PYTHONWARNINGS": "error", **({} if stuck else LEAK_CHECK)}
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", HEAD + "\n".join(textwrap.dedent(part) for part in parts)],
            cwd=cwd,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # what wait_for() reads ahead, end() would never see
        )
        self.lines: list[str] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_for(self, line: str) -> None:
        """Reads its output up to this line."""
        for printed in self._pipe(self._process.stdout):
            self.lines.append(printed.decode().rstrip("\n"))
            if self.lines[-1] == line:
                return
        raise AssertionError(f"{line!r} did not come: {self.lines}, {self._process.communicate()[1].decode()}")

    def tell(self, line: str) -> None:
        self._pipe(self._process.stdin).write(f"{line}\n".encode())

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        self._process.terminate()

    def stop(self) -> None:
        """Returns when it stands still."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Returns when it is dead."""
        self._process.kill()
        self._process.communicate()

    def end(self, code: int = 0) -> list[str]:
        """All that it printed. It must end with this code, and say nothing on stderr, leaked objects included."""
        try:
            output, errors = self._process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)  # the fault handler shows where it hangs
            output, errors = self._process.communicate()
        self.lines += output.decode().splitlines()
        ended = (self._process.returncode, errors.decode())
        assert ended == (code, ""), f"{ended}, {self.lines}"
        return self.lines

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


def run(*parts: str, stuck: bool = False) -> list[str]:
    """What a program prints."""
    return Program(*parts, stuck=stuck).end()
