# SPDX-License-Identifier: Apache-2.0
"""`remotemedia infer` and `remotemedia status`: round trips, and what goes wrong."""

import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.commands.main import main
from tests.python.commands.command import PROGRAM, Serve, environment_with, run, run_each


def test_json_takes_the_dtype_and_outputs_are_shown(endpoints: dict[str, str], folder: Path) -> None:
    endpoint = endpoints["Pair"]
    words = ["infer", endpoint, "--input", "a=[[1, 2], [3, 4]]", "--input", "b=0.5"]
    assert run(*words, folder=folder) == (0, "total float64 (): 10.5\na int64 (2, 2): 1 2 3 4\n", "")
    code, output, _ = run(*words, "--parameter", "factor=2", "--format", "json", folder=folder)
    assert code == 0
    assert json.loads(output) == {
        "total": {"dtype": "float64", "shape": [], "values": 21},
        "a": {"dtype": "int64", "shape": [2, 2], "values": [[1, 2], [3, 4]]},
    }


def test_arrays_come_from_files_and_go_to_files(endpoints: dict[str, str], folder: Path) -> None:
    endpoint = endpoints["Pair"]
    a = np.arange(20).reshape(10, 2)
    np.save(folder / "a.npy", a)
    (folder / "b.json").write_text("1.5")
    words = ["infer", endpoint, "--input", "a=a.npy", "--input", "b=@b.json", "--output", "new/folder"]
    code, output, _ = run(*words, folder=folder)
    assert code == 0
    assert output == "total float64 (): new/folder/total.npy\na int64 (10, 2): new/folder/a.npy\n"
    assert np.load(folder / "new/folder/total.npy") == a.sum() + 1.5
    np.testing.assert_array_equal(np.load(folder / "new/folder/a.npy"), a)


def test_an_input_may_stand_on_standard_input(endpoints: dict[str, str], folder: Path) -> None:
    endpoint = endpoints["Doubler"]
    np.save(folder / "x.npy", np.full((1, 9), 21, np.float32))
    for given, expected in ((b"[[1.5]]", "y float32 (1, 1): 3.0\n"), ((folder / "x.npy").read_bytes(), " 42.0 ...\n")):
        output = subprocess.run(
            [*PROGRAM, "infer", endpoint, "--input", "x=@-"], input=given, capture_output=True, check=True
        ).stdout
        assert output.decode().endswith(expected)


def test_what_json_has_no_number_for_is_text(endpoints: dict[str, str], folder: Path) -> None:
    endpoint = endpoints["Doubler"]
    code, output, _ = run("infer", endpoint, "--input", "x=[[NaN, -Infinity, 1]]", "--format", "json", folder=folder)
    assert (code, json.loads(output)["y"]["values"]) == (0, [["nan", "-inf", 2]])


def test_a_session_and_a_model_without_a_signature(serve: Serve, folder: Path) -> None:
    _, endpoint = serve("models:plain")
    np.save(folder / "x.npy", np.array([41]))
    code, output, _ = run("infer", endpoint, "--input", "x=x.npy", "--session", "s", folder=folder)
    assert (code, output) == (0, "output int64 (1): 42\n")


def test_what_goes_wrong_is_one_line_and_a_code(serve: Serve, folder: Path) -> None:
    command, endpoint = serve("models:Gated")
    (folder / "file").touch()
    np.save(folder / "double.npy", np.ones((1, 1)))
    np.save(folder / "objects.npy", np.array([{}]), allow_pickle=True)
    (folder / "cut.npy").write_bytes((folder / "double.npy").read_bytes()[:50])
    x = ["--input", "x=[[1]]"]
    cases: list[tuple[list[str], int, str]] = [
        ([endpoint, "--input", "x=[[NaN]]"], 1, "InferenceFailed: model 'doubler' failed: ValueError: not a number"),
        ([endpoint, "--input", "x=[1]"], 1, "InvalidTensor: model 'doubler' takes input 'x' as float32 (batch, any)"),
        ([endpoint, "--input", "x=double.npy"], 1, "InvalidTensor: model 'doubler' takes input 'x' as float32"),
        ([endpoint, "--input", "x=[[1], [1, 2]]"], 1, "InvalidTensor"),
        ([endpoint, "--input", "z=[[1]]"], 1, "InvalidTensor"),
        ([endpoint], 1, "InvalidTensor"),
        ([endpoint, *x, "--output", "file"], 1, "'file/y.npy' cannot be written: "),
        ([endpoint, "--input", "x=[[1"], 2, "input 'x': '[[1' is not JSON, FILE.npy, @FILE or @-"),
        ([endpoint, "--input", "x=none.npy"], 2, "input 'x': 'none.npy' cannot be read: No such file"),
        ([endpoint, "--input", "x=objects.npy"], 2, "input 'x': 'objects.npy' is not"),
        ([endpoint, "--input", "x=cut.npy"], 2, "input 'x': 'cut.npy' is not"),
        ([endpoint, "--input", "x=@file"], 2, "input 'x': '@file' is not a .npy file or JSON"),
        ([endpoint, "--input", "x"], 2, "'x' is not NAME=VALUE"),
        ([endpoint, *x, "--timeout", "soon"], 2, "'soon' is not a number of seconds"),
        ([endpoint, *x, "more"], 2, "unrecognized arguments: more"),
        (["pigeon:home", *x], 2, "pigeon"),
        (["unix:/no/such/worker", *x, "--connect-timeout", "0"], 4, "WorkerUnavailable: no worker"),
    ]
    for (code, said), (_, expected, reason) in zip(
        run_each(*(["infer", *words] for words, _, _ in cases), folder=folder), cases, strict=True
    ):
        assert (code, len(said)) == (expected, 1), said
        assert said[0].startswith(f"remotemedia infer: {reason}") or reason in said[0]
    assert command.process.poll() is None


def test_a_call_ends_with_its_timeout_and_with_an_interrupt(serve: Serve, folder: Path) -> None:
    command, endpoint = serve("models:Gated")
    calling = subprocess.Popen(
        [*PROGRAM, "infer", endpoint, "--input", "x=[[-1]]"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    command.wait_for("began")
    code, _, said = run("infer", endpoint, "--input", "x=[[1]]", "--timeout", "0.05", folder=folder)
    assert (code, said.startswith("remotemedia infer: DeadlineExceeded: ")) == (1, True)
    calling.send_signal(signal.SIGINT)
    assert calling.communicate(timeout=60) == ("", "")
    assert calling.returncode == -signal.SIGINT
    command.tell("go")


def test_status_tells_what_is_served_and_how_it_is(endpoints: dict[str, str], folder: Path) -> None:
    endpoint = endpoints["Pair"]
    with rm.ModelWorkerClient.connect(endpoint) as client:
        info = client.status()
    code, output, _ = run("status", endpoint, "--format", "json", folder=folder)
    assert code == 0
    status = json.loads(output)
    assert (status["model_id"], status["status"], status["healthy"]) == ("pair", "ready", True)
    assert (status["pid"], status["total_requests"]) == (info.pid, info.total_requests)
    assert status["signature"] == {
        "inputs": [
            {"name": "a", "dtype": "int64", "shape": [-1, 2]},
            {"name": "b", "dtype": "float64", "shape": []},
        ],
        "outputs": [
            {"name": "total", "dtype": "float64", "shape": []},
            {"name": "a", "dtype": "int64", "shape": [-1, 2]},
        ],
        "max_batch_size": 0,
        "stateful": False,
    }
    code, output, _ = run("status", endpoint, folder=folder)
    assert code == 0
    lines = dict(line.split(maxsplit=1) for line in output.splitlines() if " " in line)
    assert (lines["healthy"], lines["model_id"]) == ("yes", "pair")
    assert lines["inputs"] == "a int64 (any, 2), b float64 ()"
    assert set(status) - {"signature", "reason"} <= set(lines)


def test_status_of_a_model_that_is_ill_or_of_nobody(serve: Serve, folder: Path) -> None:
    (folder / "ill.py").write_text("""
import remotemedia as rm
class Ill(rm.InferenceModel):
    model_id = "ill"
    def is_healthy(self):
        return False
""")
    _, endpoint = serve("ill:Ill")
    with rm.ModelWorkerClient.connect(endpoint) as client:
        while client.health_check():
            pass
    code, output, said = run("status", endpoint, folder=folder)
    assert (code, said) == (1, "")
    assert output.startswith("healthy              no\n")
    assert "reason               the model says so\n" in output
    code, output, said = run("status", f"unix:{folder}/nobody", "--connect-timeout", "0", folder=folder)
    assert (code, output) == (4, "")
    assert said.startswith("remotemedia status: WorkerUnavailable: no worker at ")


def test_a_reader_that_goes_away_is_no_traceback(endpoints: dict[str, str], folder: Path) -> None:
    endpoint = endpoints["Doubler"]
    reading, writing = os.pipe()
    os.close(reading)
    words = [*PROGRAM, "status", endpoint]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, env=environment_with(None), check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_help_and_version(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version", folder=folder) == (0, f"remotemedia {rm.__version__}\n", "")
    code, output, said = run("--help", folder=folder)
    assert (code, said) == (0, "")
    for command in ("serve", "infer", "status", "bench"):
        assert f"    {command} " in output
        with pytest.raises(SystemExit, match="0"):
            main([command, "--help"])
        assert "exit codes: 0" in " ".join(capsys.readouterr().out.split())
