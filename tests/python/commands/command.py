# SPDX-License-Identifier: Apache-2.0
"""The program `remotemedia` in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from tests.python.programs.model_worker_program import BUILD

PROGRAM = [sys.executable, "-W", "error", "-m", "remotemedia"]

MODELS = """
import os
import numpy as np
import remotemedia as rm

class Doubler(rm.InferenceModel):
    model_id = "doubler"
    def signature(self):
        return rm.ModelSignature(
            [rm.TensorSpec("x", "float32", [-1])], [rm.TensorSpec("y", "float32", [-1])], max_batch_size=16
        )
    def infer(self, inputs):
        return {"y": inputs["x"] * 2}

class Gated(Doubler):  # a negative number waits for a line of stdin
    def infer(self, inputs):
        if inputs["x"].min() < 0:
            print("began", flush=True)
            os.read(0, 100)
        if np.isnan(inputs["x"]).any():
            raise ValueError("not a number in x")
        return {"y": inputs["x"] * 2}

class Pair(rm.InferenceModel):  # two inputs without a batch, two outputs
    model_id = "pair"
    def signature(self):
        return rm.ModelSignature(
            [rm.TensorSpec("a", "int64", [-1, 2]), rm.TensorSpec("b", "float64", [])],
            [rm.TensorSpec("total", "float64", []), rm.TensorSpec("a", "int64", [-1, 2])],
        )
    def infer(self, inputs, context):
        (request,) = context.requests
        factor = request.parameters.get("factor", 1)
        return {"total": factor * (inputs["a"].sum() + inputs["b"]), "a": inputs["a"]}

def scale(by=2, text="none"):
    return rm.InferenceModel.from_callable(lambda x: x * by, model_id=f"scale {by!r} {text!r}")

def plain():
    return lambda x: x + 1
"""


class Command:
    """One that runs."""

    def __init__(self, *words: str | Path, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, *map(str, words)],
            cwd=folder,
            env=environment_with(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # what wait_for() reads ahead, end() would never see
        )
        self.log = ""

    def ready(self) -> str:
        """The line that says so."""
        line = pipe(self.process.stdout).readline().decode()
        assert line.endswith("\n"), self.process.communicate()[1].decode()
        return line

    def wait_for(self, text: str) -> None:
        """Reads the log up to the line that has this in it."""
        for line in pipe(self.process.stderr):
            self.log += line.decode()
            if text in line.decode():
                return
        raise AssertionError(f"{text!r} did not come: {self.log}")

    def tell(self, line: str) -> None:
        pipe(self.process.stdin).write(f"{line}\n".encode())

    def end(self, signal_number: int | None = None) -> tuple[int, str, str]:
        """The exit code, what stood on standard output after ready(), and the whole log."""
        if signal_number is not None:
            self.process.send_signal(signal_number)
        output, log = self.process.communicate(timeout=60)
        self.log += log.decode()
        return self.process.returncode, output.decode(), self.log


Serve = Callable[..., tuple[Command, str]]
"""Starts `remotemedia serve`, and gives the command and its endpoint."""


def run(*words: str | Path, folder: Path, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command that ends by itself."""
    done = subprocess.run(
        [*PROGRAM, *map(str, words)],
        cwd=folder,
        env=environment_with(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr or "debug" in words
    return done.returncode, done.stdout, done.stderr


def run_each(*commands: Sequence[str | Path], folder: Path) -> list[tuple[int, list[str]]]:
    """Exit code and lines on standard error of commands that end by themselves; one process runs them in turn."""
    script = """
import json, sys
from remotemedia.commands.main import main
for words in json.loads(sys.argv[1]):
    try:
        code = main(words)
    except SystemExit as ended:
        code = ended.code
    print("code", int(code), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, json.dumps([[*map(str, words)] for words in commands])],
        cwd=folder,
        env=environment_with({"NOTIFY_SOCKET": ""}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
    ended: list[tuple[int, list[str]]] = []
    said: list[str] = []
    for line in done.stderr.splitlines():
        if line.startswith("code "):
            ended.append((int(line.removeprefix("code ")), said))
            said = []
        else:
            said.append(line)
    assert (len(ended), said) == (len(commands), [])
    return ended


def environment_with(given: dict[str, str] | None) -> dict[str, str]:
    path = f"{BUILD / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "REMOTEMEDIA_BACKEND_PATH": str(BUILD / "backends"), **(given or {})}


def pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    return end


def objects(lines: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]
