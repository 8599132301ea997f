# SPDX-License-Identifier: Apache-2.0
"""The demo is ended from outside, at moments that it tells of itself: cleanly, and no process is left."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.python.examples.demo_process import MODULE, ROOT, running_demo

pytestmark = pytest.mark.timeout(300)

LOADING = "asks for its models"
STREAMING = " s: "
COMPARING = "comparison, round 1"

PROMPT = ("--prompts", "vm-intro")
QUICK = (*PROMPT, "--vad-only")


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def wait_for_the_end_of(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([descriptor], [], [])
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("moment", [LOADING, STREAMING, COMPARING])
def test_ctrl_c_ends_it_with_130_without_a_traceback_and_without_a_process(moment: str) -> None:
    for _ in range(2):
        with running_demo(*(QUICK if moment == COMPARING else PROMPT), "--rounds", "1") as running:
            running.wait_until_it_tells(moment)
            family = running.family() if moment != COMPARING else []
            running.process.send_signal(signal.SIGINT)
            output = running.end()
        assert running.process.returncode == 130
        assert output == ""
        assert "Traceback" not in running.told
        assert running.told.endswith("ended by SIGINT\n")
        for process in family:
            wait_for_the_end_of(process)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals_that_end_programs_leave_no_process_either(number: signal.Signals, status: int) -> None:
    with running_demo(*QUICK) as running:
        running.wait_until_it_tells(STREAMING)
        family = running.family()
        running.process.send_signal(number)
        running.end()
    assert running.process.returncode == status
    for process in family:
        wait_for_the_end_of(process)


def test_workers_and_programs_end_when_the_demo_was_killed() -> None:
    with running_demo(*PROMPT) as running:
        running.wait_until_it_tells(LOADING)
        family = running.family()
        assert len(family) == 4
        running.process.kill()
        for process in family:
            wait_for_the_end_of(process)
        running.end()


def test_a_worker_that_is_killed_ends_it_with_the_recording_and_the_endpoint() -> None:
    with running_demo(*PROMPT) as running:
        running.wait_until_it_tells(STREAMING)
        (whisper,) = [process for process in running.family() if b"whisper_worker" in command_of(process)]
        os.kill(whisper, signal.SIGKILL)
        running.end()
    assert running.process.returncode == 1
    assert "vm-intro.g722: WorkerUnavailable: " in running.told
    assert "/whisper" in running.told


def test_a_killed_process_of_the_pipelines_is_an_error_that_says_so() -> None:
    for _ in range(2):
        with running_demo(*QUICK) as running:
            running.wait_until_it_tells(STREAMING)
            os.kill(running.child(), signal.SIGKILL)
            output = running.end()
        assert running.process.returncode == 1
        assert output == ""
        assert "the process of the pipelines was ended by SIGKILL" in running.told


def test_it_ends_quietly_when_nobody_reads_its_output() -> None:
    command = [sys.executable, "-m", MODULE, *PROMPT, "--vad-only", "--no-compare"]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writer)
    assert ended.returncode == 1
    assert ended.stderr == ""
