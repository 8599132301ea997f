# SPDX-License-Identifier: Apache-2.0
"""remotemedia-model-worker: what it serves, what it says, and with which code it ends."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import remotemedia as rm
from tests.python.programs.model_worker_program import PROGRAM, ModelWorkerProgram, refused

Start = Callable[..., ModelWorkerProgram]


def test_it_serves_what_a_plugin_loads(start: Start, linear: list[str | Path]) -> None:
    program = start(*linear, "--model-id", "sums")
    assert program.ready["event"] == "ready"
    assert program.ready["model"] == "sums"
    with rm.ModelWorkerClient.connect(program.endpoint) as client:
        assert client.status().model_id == "sums"
        assert client.status().max_batch_size == 8
        answer = client.infer(np.array([[1, 2], [3, 4]], np.float32))
        np.testing.assert_array_equal(answer.to_numpy(), [[3, 1], [7, 3]])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(start: Start, linear: list[str | Path], number: int) -> None:
    program = start(*linear)
    code, log = program.end(number)
    assert code == 0
    assert "all 0 accepted requests answered" in log[-1]["message"]
    assert not Path(program.endpoint.removeprefix("unix:")).exists()


def test_its_log_is_for_programs_when_asked(start: Start, linear: list[str | Path]) -> None:
    _, log = start(*linear).end()
    assert {"time", "level", "message"} == log[0].keys()
    assert any("loaded 'sums' on cpu with linear 1.0: 16 bytes" in line["message"] for line in log)


def test_an_endpoint_that_is_served_already_has_a_code_of_its_own(start: Start, linear: list[str | Path]) -> None:
    first = start(*linear)
    code, log = refused(*linear, "--endpoint", first.endpoint)
    assert code == 4
    assert first.endpoint.removeprefix("unix:") in log
    with rm.ModelWorkerClient.connect(first.endpoint) as client:
        assert client.health_check()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "--model-path is required"),
        (["--model-path", "m.onnx", "--instances", "0"], "--instances"),
        (["--model-path", "m.onnx", "--max-batch-size", "many"], "--max-batch-size"),
        (["--model-path", "m.onnx", "--option", "novalue"], "NAME=VALUE"),
        (["--model-path", "m.onnx", "--log-format", "xml"], "--log-format"),
        (["--model-path", "m.onnx", "--no-such-option"], "--no-such-option"),
    ],
)
def test_wrong_arguments_are_one_line_and_code_2(arguments: list[str], reason: str) -> None:
    code, said = refused(*arguments)
    assert code == 2
    assert reason in said
    assert said.count("\n") == 1


def test_help_and_version_are_no_errors() -> None:
    for argument, expected in [("--help", "--model-path"), ("--version", rm.__version__)]:
        said = subprocess.run([PROGRAM, argument], capture_output=True, text=True, check=True).stdout
        assert expected in said


def test_what_cannot_be_loaded_is_one_line_and_code_3(tmp_path: Path, linear: list[str | Path]) -> None:
    missing = tmp_path / "missing.onnx"
    other_kind = tmp_path / "notes.txt"
    other_kind.write_text("notes")
    not_onnx = tmp_path / "not.onnx"
    not_onnx.write_text("this is no network")
    cases: list[tuple[list[str | Path], str]] = [
        (["--model-path", missing], f"no model file '{missing}'"),
        (["--model-path", other_kind], "openvino reads .onnx .xml"),
        (["--model-path", not_onnx], f"openvino 1.0 cannot load the model file '{not_onnx}'"),
        (["--model-path", not_onnx, "--backend", "tensorrt"], "no backend 'tensorrt'"),
        (["--model-path", not_onnx, "--backend", tmp_path / "none.so"], "no such file"),
        ([*linear, "--option", "speed=high"], "no option 'speed'"),
    ]
    for arguments, reason in cases:
        code, log = refused(*arguments)
        assert code == 3, log
        assert reason in log
        assert "Traceback" not in log
