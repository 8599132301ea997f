# SPDX-License-Identifier: Apache-2.0
"""What a person sees, on a terminal and elsewhere."""

import os
import pty
import subprocess
import sys

import pytest

from tests.python.examples.demo_process import MODULE, ROOT, run_demo

pytestmark = pytest.mark.timeout(300)

FOUND = "vm-intro, 5.7 s: speech found, not transcribed"
QUICK = ("--prompts", "vm-intro", "--vad-only", "--no-compare")


def shown_on_a_terminal(kind: str) -> str:
    """What the demo writes to a terminal of this kind, 80 columns wide."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": kind, "COLUMNS": "80", "LINES": "30"}
    command = [sys.executable, "-m", MODULE, *QUICK]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 4096):
                shown += data
        except OSError:  # Linux tells the end of a terminal as EIO.
            pass
        os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def test_a_terminal_shows_the_pipelines_while_they_work_and_then_the_tables() -> None:
    shown = shown_on_a_terminal("xterm-256color")
    live, tables = shown.index("1 program at once"), shown.index(FOUND)
    assert live < tables
    assert "[1] vm-intro" not in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1


def test_a_dumb_terminal_gets_lines_and_no_control_sequences() -> None:
    shown = shown_on_a_terminal("dumb")
    assert "[1] vm-intro: 0.10-3.74 s: speech" in shown
    assert FOUND in shown
    assert "\x1b" not in shown


def test_a_file_gets_lines_then_tables() -> None:
    ended = run_demo("--prompts", "vm-intro", "--no-compare")
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == "[1] vm-intro: asks for its models"
    assert any(line.startswith("vm-intro, 5.7 s: word accuracy ") for line in lines)
    assert any("silero-vad" in line and " MB " in line for line in lines)
    assert lines[-1] == "Ended: no process, no socket and no shared memory is left."
    assert max(len(line) for line in lines if not line.startswith("[1]")) <= 80
    assert "\x1b" not in ended.stdout
