# SPDX-License-Identifier: Apache-2.0
"""remotemedia-model-worker with several models: one process, one memory budget."""

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import remotemedia as rm
from tests.python.programs.model_worker_program import LINEAR_PLUGIN, ModelWorkerProgram, refused

Start = Callable[..., ModelWorkerProgram]

SUMS = "2 2  1 1  1 0"
SWAPS = "2 2  0 1  2 0"
BYTES = 16


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    """Arguments for two: sums answers [1, 2] with [3, 1], swaps with [2, 2]."""
    (tmp_path / "sums.linear").write_text(SUMS)
    (tmp_path / "swaps.linear").write_text(SWAPS)
    return [
        *("--model", f"sums={tmp_path}/sums.linear", "--model", f"swaps={tmp_path}/swaps.linear"),
        *("--backend", str(LINEAR_PLUGIN), "--endpoint", f"unix:{tmp_path}/{{model}}"),
    ]


@pytest.fixture
def start() -> Iterator[Callable[..., ModelWorkerProgram]]:
    started: list[ModelWorkerProgram] = []

    def start(*arguments: str) -> ModelWorkerProgram:
        started.append(ModelWorkerProgram(*arguments))
        return started[-1]

    yield start
    for program in started:
        program.process.kill()
        program.process.communicate()


def answer(client: rm.ModelWorkerClient) -> list[float]:
    return list(map(float, client.infer(np.array([[1, 2]], np.float32)).to_numpy()[0]))


def test_each_has_a_line_and_an_endpoint_of_its_own(start: Start, models: list[str], tmp_path: Path) -> None:
    program = start(*models, "--max-batch-size", "sums:3")
    lines = [program.ready, program.next_line()]
    assert [(line["model"], line["endpoints"]) for line in lines] == [
        ("sums", [f"unix:{tmp_path}/sums"]),
        ("swaps", [f"unix:{tmp_path}/swaps"]),
    ]
    with rm.ModelWorkerClient.connect(f"unix:{tmp_path}/sums") as sums:
        assert answer(sums) == [3, 1]
        assert sums.status().max_batch_size == 3
    with rm.ModelWorkerClient.connect(f"unix:{tmp_path}/swaps") as swaps:
        assert answer(swaps) == [2, 2]
        assert swaps.status().max_batch_size == 8


def test_with_memory_for_one_the_idle_one_leaves_and_comes_back(
    start: Start, models: list[str], tmp_path: Path
) -> None:
    program = start(*models, "--max-memory", str(BYTES + 4))
    program.next_line()
    with (
        rm.ModelWorkerClient.connect(f"unix:{tmp_path}/sums") as sums,
        rm.ModelWorkerClient.connect(f"unix:{tmp_path}/swaps") as swaps,
    ):
        for _ in range(3):
            assert answer(sums) == [3, 1]
            assert answer(swaps) == [2, 2]
    code, log = program.end()
    assert code == 0
    said = [line["message"] for line in log]
    loaded = [message.split("'")[1] for message in said if message.startswith("loaded")]
    assert loaded == ["sums", "swaps"] + 3 * ["sums", "swaps"]
    assert sum(message.startswith("unloaded") for message in said) == len(loaded)


def test_one_signal_ends_all_cleanly(start: Start, models: list[str], tmp_path: Path) -> None:
    program = start(*models)
    program.next_line()
    code, log = program.end(signal.SIGTERM)
    assert code == 0
    assert "all 0 accepted requests answered" in log[-1]["message"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sums.linear", "swaps.linear"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--model", "a=m.onnx", "--model", "a=n.onnx"], "twice"),
        (["--model", "m.onnx"], "NAME=VALUE"),
        (["--model", "a=m.onnx", "--model-path", "n.onnx"], "--model-path is for a single model"),
        (["--model", "a=m.onnx", "--model", "b=n.onnx", "--endpoint", "unix:/tmp/both"], "write {model} into it"),
        (["--model", "a=m.onnx", "--max-batch-size", "a:many"], "--max-batch-size"),
        (["--model", "a=m.onnx", "--keep-alive", "soon"], "--keep-alive"),
        (["--model", "a=m.onnx", "--max-memory", "lots"], "--max-memory"),
        (["--model", "a=m.onnx", "--systemd-notify"], "NOTIFY_SOCKET"),
    ],
)
def test_arguments_that_make_no_sense_are_one_line_and_code_2(arguments: list[str], reason: str) -> None:
    code, log = refused(*arguments)
    assert code == 2
    assert reason in log
    assert len(log.splitlines()) == 1


def test_a_model_beyond_the_memory_is_one_line_and_code_3(models: list[str]) -> None:
    code, log = refused(*models, "--max-memory", "4")
    assert code == 3
    assert len([line for line in log.splitlines() if " err" in line]) == 1


def test_systemd_hears_when_all_are_ready(
    start: Start, models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        start(*models, "--systemd-notify")
        assert heard.recv(64) == b"READY=1"
