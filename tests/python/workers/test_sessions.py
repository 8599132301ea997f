# SPDX-License-Identifier: Apache-2.0
"""A stateful model finds each session's own state, in the order of its calls."""

import asyncio

import pytest

import remotemedia as rm
from tests.python.workers.served import Served, served

COUNTER = """
class Counter(rm.InferenceModel):
    model_id = "counter"
    def signature(self):
        return rm.ModelSignature(
            [rm.TensorSpec("x", "int64", [])], [rm.TensorSpec("y", "int64", [])], max_batch_size=8, stateful=True
        )
    def open_session(self, session_id):
        say("open " + session_id)
        return []
    def infer(self, inputs, context):
        answers = []
        for request in context.requests:
            given = inputs["x"][request.rows]
            if request.session_id is None:
                assert request.state is None
                answers.append(given)
                continue
            request.state = [*request.state, int(given[0])]
            if given[0] < 0:
                raise ValueError("negative")
            answers.append(np.full(len(given), sum(request.state)))
        return {"y": np.concatenate(answers)}
    def close_session(self, session_id, state):
        say("close " + session_id + " " + str(state))
rm.ModelWorker(Counter(), rm.WorkerConfig(session_idle_seconds=SECONDS)).serve(ENDPOINT)
""".replace("SECONDS", "3600")


def test_a_session_keeps_its_state_until_it_is_closed() -> None:
    with served(COUNTER) as (worker, client):
        assert [int(client.infer([i], session_id="a").to_numpy()[0]) for i in range(4)] == [0, 1, 3, 6]
        assert client.infer([5], session_id="b").to_numpy() == 5
        assert client.infer([5]).to_numpy() == 5
        assert client.status().sessions == 2
        client.close_session("a")
        worker.program.wait_for("close a [0, 1, 2, 3]")
        assert client.infer([7], session_id="a").to_numpy() == 7
        worker.program.wait_for("open a")


def test_a_call_that_fails_leaves_the_state_as_it_was() -> None:
    with served(COUNTER) as (_, client):
        client.infer([1], session_id="a")
        for _ in range(2):
            with pytest.raises(rm.InferenceFailed, match="negative"):
                client.infer([-5], session_id="a")
        assert client.infer([2], session_id="a").to_numpy() == 3


def test_equal_names_of_two_clients_are_two_sessions() -> None:
    with Served(COUNTER) as worker, worker.connect() as one:
        one.infer([1], session_id="a")
        with worker.connect() as other:
            assert other.infer([2], session_id="a").to_numpy() == 2
            assert one.infer([3], session_id="a").to_numpy() == 4
        worker.program.wait_for("close a [2]")  # its client has gone


async def test_calls_of_a_session_run_in_their_order() -> None:
    with served(COUNTER) as (_, client):
        calls = [client.infer_async([i], session_id=f"s{i % 3}") for i in range(60)]
        answers = await asyncio.gather(*(asyncio.ensure_future(call) for call in calls))
        sums = [int(answer.to_numpy()[0]) for answer in answers]
        assert sums == [sum(range(i % 3, i + 1, 3)) for i in range(60)]


def test_a_call_that_waits_for_its_sessions_turn_can_be_cancelled_and_waits_no_longer_than_it_may() -> None:
    with served("rm.ModelWorker(Gated(), rm.WorkerConfig(max_batch_size=1)).serve(ENDPOINT)") as (worker, client):
        calls = [client.infer_future([[-1]], session_id="s")]
        worker.program.wait_for("began")
        calls += [
            client.infer_future([[i]], session_id="s", timeout=timeout) for i, timeout in enumerate((0.1, None, 60))
        ]
        with pytest.raises(rm.DeadlineExceeded):
            calls[1].result(60)
        assert calls[2].cancel()
        while client.status().queue_depth > 1:  # over gRPC it has not left the client
            pass
        worker.program.tell("go")
        assert calls[0].result(60).to_numpy() == -2
        assert calls[3].result(60).to_numpy() == 4
        assert client.infer([[5]], session_id="s").to_numpy() == 10
    assert [line for line in worker.program.lines if line.startswith("ran")] == ["ran -1.0", "ran 2.0", "ran 5.0"]


def test_an_idle_session_is_closed() -> None:
    with served(COUNTER.replace("3600", "0.01")) as (worker, client):
        client.infer([1], session_id="a")
        worker.program.wait_for("close a [1]")


def test_sessions_are_closed_when_the_worker_ends() -> None:
    with Served(COUNTER) as worker:
        client = worker.connect()
        client.infer([1], session_id="a")
    assert worker.program.lines == ["open a", "close a [1]"]
    client.close()
