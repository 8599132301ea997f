# SPDX-License-Identifier: Apache-2.0
"""A worker that dies or is asked to end, and clients that are killed, while real programs stream through it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.nodes import RuntimeData, SileroVADNode
from remotemedia.nodes.ml.silero_network import weights_path
from remotemedia.pipeline import Pipeline
from tests.python.programs.model_worker_program import ModelWorkerProgram

Start = Callable[..., ModelWorkerProgram]
Clients = Callable[..., list["Client"]]

VAD = ["--model-path", weights_path(), "--max-batch-size", "16"]
VAD += ["--option", "batch_axis.state=1", "--option", "batch_axis.stateN=1"]
SECONDS = 3


class Client:
    """One of the programs beside this file."""

    def __init__(self, module: str, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"tests.python.programs.{module}", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def outcome(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.says())
        assert self.process.wait(60) == 0
        return said


@pytest.fixture
def clients() -> Iterator[Clients]:
    """Starts a number of the same."""
    with ExitStack() as ends:

        def start(count: int, module: str, *words: str) -> list[Client]:
            started = [Client(module, *words) for _ in range(count)]
            for client in started:
                ends.enter_context(client.process)
                ends.callback(client.process.kill)
            return started

        yield start


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Noise that is loud and silent in turn."""
    samples = np.random.default_rng(3).standard_normal(SECONDS * 16000).astype(np.float32) * 0.1
    samples[16000:32000] = 0
    np.save(tmp_path / "recording.npy", samples)
    return tmp_path / "recording.npy"


def probabilities(recording: Path) -> np.ndarray:
    """Those of the network in this process."""
    samples = np.load(recording)
    items = [RuntimeData.audio(samples[at : at + 1600], 16000) for at in range(0, len(samples), 1600)]
    node = SileroVADNode(emit="probabilities", registry=rm.ModelRegistry())
    return np.concatenate([item.payload.to_numpy() for item in Pipeline([node]).run(items)])


def test_four_programs_end_with_the_node_and_the_endpoint_when_their_worker_is_killed(
    start: Start, clients: Clients, recording: Path
) -> None:
    vad = start(*VAD)
    streams = clients(4, "streaming_client", vad.endpoint, str(recording))
    assert [stream.says() for stream in streams] == 4 * ["half"]
    vad.process.kill()
    vad.process.wait()
    for stream in streams:
        stream.go_on()
        outcome = stream.outcome()
        assert outcome["error"] == "WorkerUnavailable"
        assert "node 'vad'" in outcome["message"]
        assert vad.endpoint in outcome["message"]


def test_four_programs_go_on_with_the_next_worker_and_hear_the_same(
    start: Start, clients: Clients, recording: Path
) -> None:
    vad = start(*VAD)
    streams = clients(4, "streaming_client", vad.endpoint, str(recording), "reconnect")
    assert [stream.says() for stream in streams] == 4 * ["half"]
    vad.process.kill()
    vad.process.wait()
    start(*VAD, "--endpoint", vad.endpoint)
    for stream in streams:
        stream.go_on()
    expected = probabilities(recording)
    for stream in streams:
        np.testing.assert_allclose(stream.outcome()["probabilities"], expected, atol=1e-5)


def test_asked_to_end_under_load_it_loses_no_call_that_it_accepted(
    start: Start, clients: Clients, linear: list[str | Path]
) -> None:
    program = start(*linear)
    callers = clients(3, "calling_client", program.endpoint, "4")
    assert [caller.says() for caller in callers] == 3 * ["calls"]
    code, log = program.end()
    outcomes = [caller.outcome() for caller in callers]
    assert code == 0
    assert sum(outcome["wrong"] for outcome in outcomes) == 0
    assert {end for outcome in outcomes for end in outcome["ends"]} <= {"Rejected", "WorkerUnavailable"}
    accepted = re.search(r"all (\d+) accepted requests answered", log[-1]["message"])
    assert accepted is not None
    assert sum(outcome["answered"] for outcome in outcomes) == int(accepted[1])


def test_a_pipeline_that_is_killed_in_mid_stream_leaves_nothing_in_the_worker(
    start: Start, clients: Clients, recording: Path
) -> None:
    vad = start(*VAD)
    (other,) = clients(1, "streaming_client", vad.endpoint, str(recording))
    assert other.says() == "half"
    with rm.ModelWorkerClient.connect(vad.endpoint) as client:
        while (before := resources(vad.process.pid, client))[-1] > 0:  # what it has sent before is still answered
            assert vad.process.poll() is None
        for _ in range(3):
            killed = clients(4, "streaming_client", vad.endpoint, str(recording))
            assert [stream.says() for stream in killed] == 4 * ["half"]
            for stream in killed:
                stream.process.kill()
                stream.process.wait()
        descriptors, mapped, *rest = before
        with_spare = (
            descriptors + 1,
            mapped + 1,
            *rest,
        )  # segment of the allocator, which it makes when it comes to it
        while resources(vad.process.pid, client) not in (before, with_spare):  # the worker hears of it from the system
            assert vad.process.poll() is None
        assert client.health_check()
    other.go_on()
    np.testing.assert_allclose(other.outcome()["probabilities"], probabilities(recording), atol=1e-5)


def resources(pid: int, client: rm.ModelWorkerClient) -> tuple[int, int, int, int]:
    """Descriptors, shared mappings, sessions, and requests that wait or run."""
    status = client.status()
    mapped = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").count("memfd:")
    return (
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        mapped,
        status.sessions,
        status.queue_depth + status.current_load,
    )
