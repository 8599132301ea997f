# SPDX-License-Identifier: Apache-2.0
"""`remotemedia bench`: what it sends, what it counts, how it ends."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

import remotemedia as rm
from remotemedia.commands.load_generator import Measured
from tests.python.commands.command import Command, Serve, run, run_each


def bench(*words: str, folder: Path, code: int = 0) -> list[dict[str, Any]]:
    """Its runs."""
    ended, output, said = run("bench", *words, "--json", "runs.json", folder=folder)
    assert (ended, said) == (code, "")
    runs: list[dict[str, Any]] = json.loads((folder / "runs.json").read_text())["runs"]
    assert [line.split()[0] for line in output.splitlines()[2:] if line[0] == " " and ":" not in line] == [
        str(one["clients"]) for one in runs
    ]
    return runs


def test_a_closed_loop_makes_as_many_calls_as_it_is_told(serve: Serve, folder: Path) -> None:
    _, endpoint = serve("models:Doubler")
    runs = bench(endpoint, "--clients", "1,3", "--calls", "50", "--shape", "x=2,5", folder=folder)
    assert [(run["clients"], run["answered"], run["errors"]) for run in runs] == [(1, 50, {}), (3, 50, {})]
    for one in runs:
        latencies = [one["latency_ms"][name] for name in ("p50", "p90", "p99", "p99.9", "max")]
        assert latencies[0] > 0
        assert latencies == sorted(latencies)
        assert one["calls_per_second"] == pytest.approx(50 / one["seconds"])
    assert runs[0]["average_batch_size"] == pytest.approx(2)
    assert 2 <= runs[1]["average_batch_size"] <= 6.01
    with rm.ModelWorkerClient.connect(endpoint) as client:
        assert client.status().total_requests == 1 + 50 + 3 + 50  # each client's first call is not counted


def test_inputs_are_zeros_of_the_signature(serve: Serve, folder: Path) -> None:
    (folder / "strict.py").write_text("""
from models import Pair
class Strict(Pair):
    def infer(self, inputs, context):
        assert inputs["a"].shape == (1, 2) and not inputs["a"].any() and inputs["b"] == 0
        return super().infer(inputs, context)
""")
    _, endpoint = serve("strict:Strict")
    (one,) = bench(endpoint, "--calls", "5", folder=folder)
    assert (one["answered"], one["errors"], one["average_batch_size"]) == (5, {}, None)
    assert json.loads((folder / "runs.json").read_text())["shapes"] == {"a": [1, 2], "b": []}


def test_a_stateful_model_has_a_session_for_each_client(serve: Serve, folder: Path) -> None:
    (folder / "counting.py").write_text("""
import remotemedia as rm
class Counting(rm.InferenceModel):
    model_id = "counting"
    def signature(self):
        return rm.ModelSignature([rm.TensorSpec("x", "int64", [])], [rm.TensorSpec("n", "int64", [])], stateful=True)
    def open_session(self, session_id):
        print("opened", session_id, flush=True)
        return 0
    def infer(self, inputs, context):
        (request,) = context.requests
        request.state += 1
        return {"n": request.state}
""")
    command, endpoint = serve("counting:Counting")
    (one,) = bench(endpoint, "--calls", "4", "--clients", "2", folder=folder)
    assert (one["answered"], one["errors"]) == (4, {})
    assert command.end(signal.SIGTERM)[2].count("opened bench") == 2


BLOCKED = """
from models import Gated
class Blocked(Gated):
    calls = 0
    def infer(self, inputs):
        self.calls += 1
        return super().infer({"x": inputs["x"] - (self.calls == AT)})
"""


def test_an_open_loop_begins_by_the_clock(serve: Serve, folder: Path) -> None:
    """The first call that counts waits for a line; the others begin all the same, and the waiting is theirs too."""
    (folder / "blocked.py").write_text(BLOCKED.replace("AT", "2"))
    command, endpoint = serve("blocked:Blocked", "--max-batch-size", "1")
    words = ["--rate", "100", "--calls", "20", "--json", "runs.json"]
    measuring = Command("bench", endpoint, *words, folder=folder)
    command.wait_for("began")
    with rm.ModelWorkerClient.connect(endpoint) as client:
        while client.status().queue_depth < 19:
            pass
    command.tell("go")
    code, _, said = measuring.end()
    assert (code, said) == (0, "")
    (one,) = json.loads((folder / "runs.json").read_text())["runs"]
    assert (one["answered"], one["errors"], one["not_begun"]) == (20, {}, 0)
    assert one["latency_ms"]["max"] >= 190  # of the first, which was answered after the last was due
    assert one["latency_ms"]["p50"] >= 90


def test_a_rate_that_cannot_be_held_is_told(serve: Serve, folder: Path) -> None:
    _, endpoint = serve("models:Doubler", "--max-concurrent-requests", "100000", "--max-queue", "100000")
    (one,) = bench(endpoint, "--rate", "1e6", "--duration", "0.02", folder=folder, code=1)
    assert one["not_begun"] > 0
    assert one["errors"] == {}
    assert one["answered"] + one["not_begun"] == 20_000


def test_calls_that_fail_are_counted_by_their_errors(serve: Serve, folder: Path) -> None:
    (folder / "picky.py").write_text("""
from models import Doubler
class Picky(Doubler):
    calls = 0
    def infer(self, inputs):
        self.calls += 1
        if self.calls % 2 == 0:
            raise ValueError("even")
        return super().infer(inputs)
""")
    _, endpoint = serve("picky:Picky")
    runs = bench(endpoint, "--calls", "10", folder=folder, code=1)
    assert (runs[0]["answered"], runs[0]["errors"]) == (5, {"InferenceFailed": 5})


def test_a_worker_that_dies_is_counted_too(serve: Serve, folder: Path) -> None:
    (folder / "mortal.py").write_text("""
import os
from models import Doubler
class Mortal(Doubler):
    calls = 0
    def infer(self, inputs):
        self.calls += 1
        if self.calls == 4:
            os._exit(1)
        return super().infer(inputs)
""")
    _, endpoint = serve("mortal:Mortal")
    (one,) = bench(endpoint, "--calls", "3", "--timeout", "0.2", folder=folder, code=1)
    assert (one["answered"], one["errors"], one["average_batch_size"]) == (2, {"WorkerUnavailable": 1}, None)


def test_an_interrupt_prints_what_was_measured(serve: Serve, folder: Path) -> None:
    (folder / "blocked.py").write_text(BLOCKED.replace("AT", "6"))
    command, endpoint = serve("blocked:Blocked")
    words = ["--calls", "100", "--clients", "1,2", "--json", "runs.json"]
    measuring = Command("bench", endpoint, *words, folder=folder)
    command.wait_for("began")
    code, output, said = measuring.end(signal.SIGINT)
    assert (code, said) == (0, "")
    assert output.endswith("interrupted\n")
    (one,) = json.loads((folder / "runs.json").read_text())["runs"]
    assert (one["answered"], one["errors"], one["interrupted"]) == (4, {}, True)
    command.tell("go")


def test_wrong_arguments_and_refusals_are_one_line_and_a_code(
    serve: Serve, endpoints: dict[str, str], folder: Path
) -> None:
    batched = endpoints["Doubler"]
    _, plain = serve("models:plain")
    cases: list[tuple[list[str], int, str]] = [
        ([batched, "--shape", "z=1"], 2, "the model has no input 'z', but x"),
        ([batched, "--shape", "x=1,a"], 2, "--shape x=1,a"),
        ([batched, "--shape", "x=1,-1"], 2, "--shape x=1,-1"),
        ([batched, "--clients", "1,0"], 2, "'0' is not a number above 0"),
        ([batched, "--calls", "some"], 2, "'some' is not a number above 0"),
        ([batched, "--duration", "0"], 2, "'0' is not a number above 0"),
        ([batched, "--rate", "nan"], 2, "'nan' is not a number above 0"),
        ([batched, "--calls", "1", "--duration", "1"], 2, "not allowed with"),
        ([batched, "--json", "no/such/folder"], 2, "'no/such/folder' cannot be written"),
        ([plain], 2, "the model declares no inputs: --shape NAME=EXTENTS"),
        (["pigeon:home"], 2, "pigeon"),
        (["unix:/no/such/worker", "--connect-timeout", "0"], 4, "WorkerUnavailable: no worker"),
    ]
    for (code, said), (_, expected, reason) in zip(
        run_each(*(["bench", *words] for words, _, _ in cases), folder=folder), cases, strict=True
    ):
        assert (code, len(said)) == (expected, 1), said
        assert reason in said[0]
    code, _, refused = run("bench", batched, "--shape", "x=9,1", folder=folder)
    assert code == 1
    assert refused.startswith("remotemedia bench: the first call failed: InvalidTensor: model 'doubler' takes 1 to 8")
    (one,) = bench(plain, "--shape", "x=3", "--calls", "2", folder=folder)
    assert (one["answered"], one["errors"]) == (2, {})


def test_a_percentile_is_a_latency_that_was_measured() -> None:
    measured = Measured(latencies=[float(number) for number in range(1, 101)])
    assert [measured.latency(share) for share in (0.5, 0.9, 0.99, 0.999, 1.0)] == [50, 90, 99, 100, 100]
    assert Measured(latencies=[7.0]).latency(0.5) == 7
