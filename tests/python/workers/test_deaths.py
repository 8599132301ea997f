# SPDX-License-Identifier: Apache-2.0
"""A process that dies, forks or exits is an error for the others, and nothing hangs."""

import asyncio
import gc
import os
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from tests.python.core.program import Program, run
from tests.python.workers.served import Served, connect, models, new_endpoint

DOUBLER = "rm.ModelWorker(Doubler()).serve(ENDPOINT)"
GATED = "rm.ModelWorker(Gated(), rm.WorkerConfig(max_batch_size=1)).serve(ENDPOINT)"


def test_a_worker_that_is_killed_is_unavailable_and_the_next_one_is_found() -> None:
    first = Served(GATED)
    client = first.connect()
    x = client.allocate((1, 100_000))
    x.to_numpy()[:] = 21
    y = client.infer(x)
    calls = [client.infer_future([[-1]])]
    first.program.wait_for("began")
    calls.append(client.infer_future([[1]]))
    first.program.kill()
    for call in calls:
        with pytest.raises(rm.WorkerUnavailable):
            call.result(timeout=60)
    assert (y.to_numpy() == 42).all()
    assert (x.to_numpy() == 21).all()
    for _ in range(2):
        with pytest.raises(rm.WorkerUnavailable):
            client.infer([[1]], timeout=0.2)
    assert not client.health_check()
    with Served(DOUBLER, endpoint=first.endpoint) as second:
        with second.connect() as other:
            assert other.infer([[1]]).to_numpy() == 2
        assert client.infer([[2]], timeout=60).to_numpy() == 4  # the old client finds it too
        assert client.status().status in {"ready", "busy"}
        assert (y.to_numpy() == 42).all()
        client.close()


@pytest.mark.parametrize("call", ["infer", "infer_async"])
def test_a_call_that_is_idempotent_is_made_anew_by_the_next_worker(call: str) -> None:
    first = Served(GATED)
    client = first.connect(max_retries=1000)

    def infer(**options: Any) -> Any:
        if call == "infer":
            return client.infer([[-1]], timeout=60, **options)
        return asyncio.run(client.infer_async([[-1]], timeout=60, **options))

    with ThreadPoolExecutor() as threads:
        once, anew = threads.submit(infer), threads.submit(infer, idempotent=True)
        first.program.wait_for("began")
        while client.status().current_load + client.status().queue_depth < 2:
            pass
        first.program.kill()
        with pytest.raises(rm.WorkerUnavailable):
            once.result(timeout=60)
        with Served(DOUBLER, endpoint=first.endpoint):
            assert anew.result(timeout=60).to_numpy() == -2
            client.close()


def test_a_closed_client_is_unavailable() -> None:
    with Served(GATED) as worker:
        client = worker.connect()
        y = client.infer(np.ones((1, 10_000), np.float32))
        call = client.infer_future([[-1]])
        worker.program.wait_for("began")
        client.close()
        client.close()
        with pytest.raises(rm.WorkerUnavailable):
            call.result(timeout=60)
        for refused in (lambda: client.infer([[1]]), client.status, lambda: client.infer_future([[1]]).result()):
            for _ in range(2):
                with pytest.raises(rm.WorkerUnavailable):
                    refused()
        assert not client.health_check()
        assert (y.to_numpy() == 2).all()
        worker.program.tell("go")


@pytest.mark.shared_memory
def test_a_forked_child_has_no_client_and_may_have_its_own() -> None:
    with Served(DOUBLER) as worker:
        assert run(
            models(worker.endpoint),
            """
            client = connect(timeout=60)
            y = client.infer(np.ones((1, 10_000), np.float32))
            child = os.fork()
            if child == 0:
                for refused in (lambda: client.infer([[1]]), client.status, lambda: client.infer_future([[1]])):
                    try:
                        refused()
                    except rm.WorkerUnavailable:
                        say("refused")
                assert (y.to_numpy() == 2).all()
                with connect(timeout=60) as own:
                    say(str(float(own.infer([[1]]).to_numpy()[0, 0])))
                del client
                gc.collect()
                sys.exit()
            assert os.waitpid(child, 0)[1] == 0
            say(str(float(client.infer([[2]]).to_numpy()[0, 0])))
            """,
        ) == ["refused"] * 3 + ["2.0", "4.0"]


@pytest.mark.shared_memory
def test_a_forked_child_of_a_worker_leaves_it_alone() -> None:
    assert run(
        models(new_endpoint()),
        """
        worker = rm.ModelWorker(Doubler())
        worker.start(ENDPOINT)
        child = os.fork()
        if child == 0:
            try:
                worker.status()
            except rm.WorkerUnavailable:
                say("refused")
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        with connect() as client:
            say(str(float(client.infer([[1]]).to_numpy()[0, 0])))
        """,
        stuck=True,  # the child has what the parent's threads hold
    ) == ["refused", "2.0"]


ENDINGS = {
    "a client": "",
    "a call under way": "call = client.infer_future([[-1]]); began.wait()",
    "a stream": "stream = client.infer_stream([[-1]]); began.wait()",
    "a thread that waits": "threading.Thread(target=lambda: client.infer([[-1]]), daemon=True).start(); began.wait()",
    "a task that waits": """
        async def main():
            task = asyncio.ensure_future(client.infer_async([[-1]]))
            await asyncio.to_thread(began.wait)
        asyncio.run(main())
    """,
    "an answer": "y = client.infer(np.ones((1, 10_000), np.float32))",
    "a cycle": "cycle = [client]; cycle.append(cycle)",
}


@pytest.mark.parametrize("owner", ENDINGS)
def test_an_exit_with(owner: str) -> None:
    with Served(GATED) as worker:
        program = Program(
            models(worker.endpoint),
            """
            class began:
                wait = gates["began"].wait
            client = connect(timeout=60)
            """,
            ENDINGS[owner],
            stuck=True,
        )
        if "began" in ENDINGS[owner]:
            worker.program.wait_for("began")
            program.tell("began")
            program.end()
            worker.program.tell("go")
        program.end()


def test_an_exit_with_a_worker_and_its_client() -> None:
    assert run(
        models(new_endpoint()),
        """
        class Last(Doubler):
            def close(self):
                say("closed")
        worker = rm.ModelWorker(Last())
        worker.start(ENDPOINT)
        client = connect()
        say(str(float(client.infer([[1]]).to_numpy()[0, 0])))
        """,
        stuck=True,
    ) == ["2.0", "closed"]


def test_a_worker_without_an_endpoint_has_one_of_its_own() -> None:
    with rm.ModelWorker(rm.InferenceModel.from_callable(lambda x: x * 2, model_id="mine"), worker_id="w") as worker:
        (endpoint,) = worker.start()
        with rm.ModelWorkerClient.connect(endpoint) as client:
            assert client.infer([1, 2]).to_numpy().tolist() == [2, 4]
            info = client.status()
            assert (info.worker_id, info.model_id, info.pid) == ("w", "mine", os.getpid())
            assert (info.status, info.reason, info.total_requests) == ("ready", "", 1)
    assert worker.status().status == "terminated"


def test_serve_in_another_thread_ends_with_drain() -> None:
    worker = rm.ModelWorker(lambda x: x)
    endpoint = new_endpoint()
    thread = threading.Thread(target=worker.serve, args=(endpoint,))
    thread.start()
    with connect(endpoint) as client:
        assert client.infer(1).to_numpy() == 1
    assert worker.drain()
    thread.join()
    assert worker.status().status == "terminated"


def test_thread_locals_stay_from_call_to_call() -> None:
    local = threading.local()

    def count(x: object) -> list[int]:
        local.calls = getattr(local, "calls", 0) + 1
        return [local.calls]

    with rm.ModelWorker(count) as worker, rm.ModelWorkerClient.connect(*worker.start()) as client:
        assert [int(client.infer(0).to_numpy()[0]) for _ in range(3)] == [1, 2, 3]


def test_nothing_of_a_call_stays() -> None:
    seen: list[weakref.ref[Any]] = []

    class Watched(rm.InferenceModel):
        model_id = "watched"

        def infer(self, inputs, context):  # type: ignore[no-untyped-def]
            seen.append(weakref.ref(inputs["input"]))
            if inputs["input"] < 0:
                raise ValueError
            return {"y": inputs["input"] + 1}

    with rm.ModelWorker(Watched()) as worker, rm.ModelWorkerClient.connect(*worker.start()) as client:
        for _ in range(20):
            client.infer(1)
            with pytest.raises(rm.InferenceFailed):
                client.infer(-1)
        client.infer(1)
        before = sys.getrefcount(None)
        for _ in range(100):
            client.infer(1)
        gc.collect()
        assert sum(array() is not None for array in seen) <= 1
        assert sys.getrefcount(None) - before < 50
