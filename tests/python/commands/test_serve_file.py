# SPDX-License-Identifier: Apache-2.0
"""`remotemedia serve FILE`: remotemedia-model-worker in this program's place."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.nodes.ml.silero_network import weights_path
from tests.python.commands.command import Serve, environment_with, run
from tests.python.programs.model_worker_program import LINEAR_PLUGIN, PROGRAM


@pytest.fixture
def sums(folder: Path) -> Path:
    """y = [x0 + x1, x0]."""
    file = folder / "sums.linear"
    file.write_text("2 2  1 1  1 0")
    return file


def test_the_program_takes_its_place(serve: Serve, sums: Path) -> None:
    command, endpoint = serve(sums.name, "--backend", LINEAR_PLUGIN, "--max-batch-size", "4", "--model-id", "mine")
    with rm.ModelWorkerClient.connect(endpoint) as client:
        info = client.status()
        assert (info.model_id, info.max_batch_size, info.pid) == ("mine", 4, command.process.pid)
        np.testing.assert_array_equal(client.infer(np.array([[1, 2]], np.float32)).to_numpy(), [[3, 1]])
    code, output, log = command.end(signal.SIGTERM)
    assert (code, output) == (0, "")
    assert "loaded 'mine' on cpu with linear 1.0" in log


def test_its_options_go_on_and_so_do_those_that_only_the_program_knows(folder: Path, sums: Path) -> None:
    engine: list[str | Path] = ["--backend", LINEAR_PLUGIN, "--device", "cpu", "--log-format", "json"]
    cases: list[tuple[list[str | Path], int, str]] = [
        ([*engine, "--option", "speed=high"], 3, "no option 'speed'"),
        ([*engine, "--no-such-option"], 2, "--no-such-option"),
        ([*engine, "--instances", "0"], 2, "--instances"),
        ([*engine, "--endpoint", "unix:/proc/x"], 4, "/proc/x"),
    ]
    for words, expected, reason in cases:
        code, output, log = run("serve", sums, *words, folder=folder)
        assert (code, output) == (expected, "")
        assert reason in log


WITHOUT_ITS_OWN = """
import sys
from remotemedia.commands import main, model_file
model_file.own_program = lambda: None
sys.exit(main.main())
"""
"""As a package that was built without the program."""


def run_without_its_own(file: Path, folder: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ITS_OWN, "serve", file],
        cwd=folder,
        env=environment_with({"PATH": str(folder)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_package_has_the_program_and_the_backend_of_its_own(folder: Path) -> None:
    program = Path(sys.executable).parent / PROGRAM.name
    words = ["--model-path", str(weights_path()), "--max-batch-size", "0", "--endpoint", f"unix:{folder}/vad"]
    environment = {name: value for name, value in os.environ.items() if name != "REMOTEMEDIA_BACKEND_PATH"}
    with subprocess.Popen([program, *words], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"ready unix:{folder}/vad\n"
        with rm.ModelWorkerClient.connect(f"unix:{folder}/vad") as client:
            assert client.status().pid == process.pid
        process.terminate()
    assert process.returncode == 0


def test_without_the_program_it_says_what_to_build(folder: Path, sums: Path) -> None:
    code, output, said = run_without_its_own(sums, folder)
    assert (code, output) == (3, "")
    assert f"'{sums}' is served by remotemedia-model-worker" in said
    assert "-DREMOTEMEDIA_BUILD_PROGRAMS=ON" in said
    assert said.count("\n") == 1


def test_a_program_that_cannot_run_is_one_line(folder: Path, sums: Path) -> None:
    program = folder / PROGRAM.name
    program.write_bytes(b"\x7fELF and no more")
    program.chmod(0o755)
    code, _, said = run_without_its_own(sums, folder)
    assert (code, said) == (3, f"remotemedia serve: {program} does not start: Exec format error\n")


def test_as_a_child_its_code_is_the_programs(folder: Path, sums: Path) -> None:
    """As on Windows, where no program takes another's place."""
    script = """
import sys
from remotemedia.commands.model_file import serve_file
sys.exit(serve_file(sys.argv[1], sys.argv[2:], replace=False))
"""
    words = [str(sums), "--backend", str(LINEAR_PLUGIN), "--endpoint", f"unix:{folder}/a", "--log-format", "json"]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *words],
        env=environment_with(None),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["event"] == "ready"
        with rm.ModelWorkerClient.connect(f"unix:{folder}/a") as client:
            assert client.status().pid != process.pid
        os.killpg(process.pid, signal.SIGINT)  # a terminal's Ctrl+C reaches both
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
