# SPDX-License-Identifier: Apache-2.0
"""Model files that are broken, strange or changing, and too little memory: one line and a code, and nothing is left."""

import os
import resource
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.nodes.ml.silero_network import weights_path
from tests.python.programs.model_worker_program import BUILD, PROGRAM, ModelWorkerProgram, refused

Start = Callable[..., ModelWorkerProgram]

SILERO = ["--max-batch-size", "0"]
SILERO_INPUTS = {"input": np.zeros((1, 576), np.float32), "state": np.zeros((2, 1, 128), np.float32)}


def refusal(path: Path) -> str:
    """The line of a program that cannot load it."""
    code, log = refused("--model-path", path, *SILERO, "--log-level", "error")
    assert code == 3, log
    assert len(log.splitlines()) == 1, log
    return log


def test_a_truncated_file_is_refused_with_its_name(tmp_path: Path) -> None:
    whole = weights_path().read_bytes()
    for length in [0, 1, 100, len(whole) // 2, len(whole) - 1]:
        path = tmp_path / f"{length}.onnx"
        path.write_bytes(whole[:length])
        assert str(path) in refusal(path)


def test_a_file_of_another_kind_is_refused_with_its_name(tmp_path: Path) -> None:
    contents = {"text": b"not a network\n" * 100, "png": b"\x89PNG\r\n\x1a\n" + bytes(1000), "zeros": bytes(1 << 20)}
    for name, content in contents.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        assert str(path) in refusal(path)


def test_what_is_no_file_is_refused_without_being_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "device.onnx").symlink_to("/dev/zero")
    (tmp_path / "folder.onnx").mkdir()
    for name in ["pipe", "device", "folder"]:
        assert str(tmp_path / f"{name}.onnx") in refusal(tmp_path / f"{name}.onnx")


def test_a_file_larger_than_memory_is_refused_with_both_numbers(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    said = refusal(path)
    assert str(path) in said
    assert f"has {1 << 40} bytes" in said


def test_a_file_that_is_replaced_meanwhile_gives_one_of_its_models_or_a_refusal(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    whole = weights_path().read_bytes()
    path.write_bytes(whole)
    over = threading.Event()

    def replace() -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            if turn % 2:
                path.write_bytes(whole[: len(whole) // 2])  # in place: a reader may see any of it
            next_one = tmp_path / "next"
            next_one.write_bytes(whole)
            next_one.replace(path)

    replaces = threading.Thread(target=replace)
    replaces.start()
    outcomes = []
    try:
        for _ in range(5):
            with subprocess.Popen(
                [PROGRAM, "--model-path", path, *SILERO, "--endpoint", f"unix:{tmp_path}/s"],
                env={**os.environ, "REMOTEMEDIA_BACKEND_PATH": str(BUILD / "backends")},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            ) as program:
                assert program.stdout is not None
                if ready := program.stdout.readline():
                    with rm.ModelWorkerClient.connect(f"unix:{tmp_path}/s") as client:
                        assert client.infer(SILERO_INPUTS)["output"].to_numpy().shape == (1, 1)
                    program.terminate()
                outcomes.append((bool(ready), program.wait(60)))
    finally:
        over.set()
        replaces.join()
    assert set(outcomes) <= {(True, 0), (False, 3)}


def test_with_too_little_address_space_it_refuses_and_does_not_crash(tmp_path: Path) -> None:
    for megabytes in [100, 150, 200]:
        limit = megabytes << 20
        done = subprocess.run(
            [PROGRAM, "--model-path", weights_path(), *SILERO, "--log-level", "error"],
            env={**os.environ, "REMOTEMEDIA_BACKEND_PATH": str(BUILD / "backends")},
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_AS, (limit, limit)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (3, ""), done.stderr
        assert str(weights_path()) in done.stderr


@contextmanager
def control_group(name: str, memory_bytes: int) -> Iterator[Path]:
    """A control group of this test's own with so much memory; skips where none can be made."""
    folder = Path("/sys/fs/cgroup/memory" if Path("/sys/fs/cgroup/memory").is_dir() else "/sys/fs/cgroup") / name
    limit = "memory.limit_in_bytes" if folder.parent.name == "memory" else "memory.max"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        try:
            (folder / limit).write_text(str(memory_bytes))
        except OSError as error:
            pytest.skip(f"control groups here limit no memory: {error}")
        yield folder
    finally:
        folder.rmdir()


def test_killed_for_its_memory_while_loading_it_leaves_nothing_and_whoever_waits_hears_it(tmp_path: Path) -> None:
    endpoint = tmp_path / "s"
    words = [PROGRAM, "--model-path", weights_path(), *SILERO, "--endpoint", f"unix:{endpoint}"]
    with control_group(f"remotemedia-test-{os.getpid()}", 12 << 20) as group:
        program = subprocess.Popen(
            ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh", *map(str, words)],
            env={**os.environ, "REMOTEMEDIA_BACKEND_PATH": str(BUILD / "backends")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        said, log = program.communicate(timeout=60)
    assert said == ""
    assert program.returncode in (-9, 3), log
    assert not endpoint.exists()


def test_a_call_that_the_engine_refuses_hurts_nobody(start: Start, tmp_path: Path) -> None:
    shutil.copy(weights_path(), tmp_path / "vad.onnx")
    program = start("--model-path", tmp_path / "vad.onnx", "--max-batch-size", "0", "--option", "threads=1")
    with rm.ModelWorkerClient.connect(program.endpoint) as client:
        for _ in range(3):
            wrong = {**SILERO_INPUTS, "input": np.zeros((1, 7), np.float32)}
            with pytest.raises((rm.InferenceFailed, rm.InvalidTensor)):
                client.infer(wrong)
            assert client.infer(SILERO_INPUTS)["output"].to_numpy().shape == (1, 1)
        assert client.health_check()
