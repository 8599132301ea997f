# SPDX-License-Identifier: Apache-2.0
"""A call that nobody wants any more ends at once, here and in the worker, also while the model is busy."""

import asyncio
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from typing import Any

import pytest

import remotemedia as rm
from tests.python.core.program import Program
from tests.python.workers.served import Served, connect, models, new_endpoint, served

GATED = "rm.ModelWorker(Gated(), rm.WorkerConfig(max_batch_size=1)).serve(ENDPOINT)"


def wait_for_cancelled(client: rm.ModelWorkerClient, requests: int) -> None:
    while client.status().cancelled_requests != requests:
        pass


def wait_for_queue(client: rm.ModelWorkerClient, depth: int) -> None:
    while client.status().queue_depth != depth:
        pass


def test_a_queued_call_that_is_cancelled_never_runs() -> None:
    with served(GATED) as (worker, client):
        first = client.infer_future([[-1]])
        worker.program.wait_for("began")
        second = client.infer_future([[1]])
        wait_for_queue(client, 1)
        assert second.cancel()
        wait_for_queue(client, 0)
        assert second.cancelled()
        worker.program.tell("go")
        assert first.result().to_numpy() == -2
        assert client.infer([[2]]).to_numpy() == 4
        worker.program.wait_for("ran 2.0")
        assert "ran 1.0" not in worker.program.lines
        assert client.status().cancelled_requests == 1


def test_a_running_call_that_is_cancelled_is_told() -> None:
    with served(GATED) as (worker, client):
        first = client.infer_future([[-1]])
        worker.program.wait_for("began")
        assert first.cancel()
        wait_for_cancelled(client, 1)
        worker.program.tell("go")
        worker.program.wait_for("ran -1.0 cancelled")
        assert client.infer([[2]]).to_numpy() == 4


def test_a_call_that_is_answered_is_not_cancelled() -> None:
    with served(GATED) as (_, client):
        future = client.infer_future([[1]])
        assert future.result().to_numpy() == 2
        assert not future.cancel()


def test_a_future_that_is_not_answered_in_time_is_answered_later() -> None:
    with served(GATED) as (worker, client):
        first = client.infer_future([[-1]])
        worker.program.wait_for("began")
        for timeout in (0.01, 0, -1):
            with pytest.raises(NotInTime):
                first.result(timeout)
            with pytest.raises(NotInTime):
                first.exception(timeout)
        worker.program.tell("go")
        assert first.exception() is None
        assert first.result(0).to_numpy() == -2


def test_futures_are_answered_whoever_waits_for_which() -> None:
    with served(GATED) as (_, client), ThreadPoolExecutor(4) as threads:
        for _ in range(50):
            called: list[Future[Any]] = []
            all_called = threading.Event()

            def call(future: Future[Any], called: list[Any] = called, told: threading.Event = all_called) -> None:
                called.append(future)
                if len(called) == 20:
                    told.set()

            futures = [client.infer_future([[n]]) for n in range(20)]
            for future in futures:
                future.add_done_callback(call)
            results = threads.map(lambda future: future.result(60).to_numpy()[0, 0], futures[5:10])
            assert futures[2].result().to_numpy() == 4
            assert client.infer([[7]]).to_numpy() == 14
            assert all_called.wait(60)
            assert list(results) == [2 * n for n in range(5, 10)]
            assert [future.result().to_numpy()[0, 0] for future in futures] == [2 * n for n in range(20)]


async def test_a_cancelled_task_cancels_its_call() -> None:
    with served(GATED) as (worker, client):
        first = asyncio.ensure_future(client.infer_async([[-1]]))
        await asyncio.to_thread(worker.program.wait_for, "began")
        second = asyncio.ensure_future(client.infer_async([[1]]))
        await asyncio.to_thread(wait_for_queue, client, 1)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        await asyncio.to_thread(wait_for_queue, client, 0)
        worker.program.tell("go")
        assert (await first).to_numpy() == -2
        assert client.status().cancelled_requests == 1


async def test_many_tasks_share_a_client() -> None:
    with served("rm.ModelWorker(Doubler(), rm.WorkerConfig(max_batch_size=16)).serve(ENDPOINT)") as (_, client):
        for _ in range(3):
            answers = await asyncio.gather(*(client.infer_async([[i]]) for i in range(100)))
            assert [int(answer.to_numpy()[0, 0]) for answer in answers] == [2 * i for i in range(100)]
        assert client.status().total_requests == 300


async def test_an_error_reaches_the_task() -> None:
    with served(GATED) as (_, client):
        for _ in range(2):
            with pytest.raises(rm.InvalidTensor):
                await client.infer_async(["wrong"])
            with pytest.raises(rm.InvalidTensor):
                client.infer_future(x="wrong")


def test_a_timeout_ends_a_call_that_waits_and_one_that_runs() -> None:
    with served(GATED) as (worker, client):
        first = client.infer_future([[-1]], timeout=0.2)
        worker.program.wait_for("began")
        with pytest.raises(rm.DeadlineExceeded):
            client.infer([[1]], timeout=0.05)
        with pytest.raises(rm.DeadlineExceeded):
            first.result()
        while (info := client.status()).expired_requests + info.cancelled_requests != 2:  # whichever side looked first
            pass
        worker.program.tell("go")
        worker.program.wait_for("ran -1.0 cancelled")
        assert client.infer([[3]], timeout=60).to_numpy() == 6


def test_a_limit_rejects_and_says_which() -> None:
    with served("""
        config = rm.WorkerConfig(max_batch_size=1, max_queue=2, max_concurrent_requests=10)
        rm.ModelWorker(Gated(), config).serve(ENDPOINT)
    """) as (worker, client):
        running = client.infer_future([[-1]])
        worker.program.wait_for("began")
        waiting = [client.infer_future([[i]]) for i in range(2)]
        wait_for_queue(client, 2)
        for _ in range(2):
            with pytest.raises(rm.Rejected, match="max_queue is 2"):
                client.infer([[5]])
        worker.program.tell("go")
        assert [future.result().to_numpy()[0, 0] for future in (running, *waiting)] == [-2, 0, 2]
        assert client.status().rejected_requests == 2


def test_an_interrupt_ends_the_waiting_and_the_call() -> None:
    with Served(GATED) as worker:
        caller = Program(
            models(worker.endpoint),
            """
            client = connect(timeout=60)
            for call in (lambda: client.infer([[-1]]), lambda: next(client.infer_stream([[-1]]))):
                try:
                    say("calls")
                    call()
                except KeyboardInterrupt:
                    say("interrupted")
            """,
            stuck=True,  # the thread that reads stdin
        )
        worker.program.wait_for("began")
        caller.wait_for("calls")
        caller.interrupt()
        caller.wait_for("interrupted")
        with worker.connect() as watcher:
            wait_for_cancelled(watcher, 1)
            caller.wait_for("calls")
            wait_for_queue(watcher, 1)
            caller.interrupt()
            caller.wait_for("interrupted")
            wait_for_cancelled(watcher, 2)
        worker.program.tell("go")
        worker.program.wait_for("ran -1.0 cancelled")
        caller.end()


def test_an_interrupt_ends_the_waiting_until_a_worker_has_drained() -> None:
    endpoint = new_endpoint()
    worker = Program(
        models(endpoint),
        """
        with rm.ModelWorker(Gated()) as worker:
            worker.start(ENDPOINT)
            with connect() as client:
                call = client.infer_future([[-1]])
                gates["drain"].wait()
                try:
                    worker.drain(60)
                except KeyboardInterrupt:
                    say("interrupted")
                say("answered " + str(float(call.result().to_numpy()[0, 0])))
                assert worker.drain()
        """,
        stuck=True,  # the thread that reads stdin
    )
    worker.wait_for("began")
    worker.tell("drain")
    with connect(endpoint) as watcher:
        while watcher.status().status != "stopping":
            pass
        worker.interrupt()
        worker.wait_for("interrupted")
        assert watcher.status().status == "stopping"
    worker.tell("go")
    worker.wait_for("answered -2.0")
    worker.end()


def test_an_interrupt_ends_the_waiting_for_a_worker() -> None:
    caller = Program("""
        try:
            say("waits")
            rm.ModelWorkerClient.connect("unix:/no/such/worker", timeout=3600)
        except KeyboardInterrupt:
            say("interrupted")
    """)
    caller.wait_for("waits")
    caller.interrupt()
    caller.wait_for("interrupted")
    caller.end()


def test_a_timeout_ends_a_call_of_a_worker_that_is_stopped() -> None:
    with Served(GATED) as worker, worker.connect() as client:
        assert client.infer([[1]]).to_numpy() == 2
        worker.program.stop()
        for _ in range(2):
            with pytest.raises(rm.DeadlineExceeded):
                client.infer([[2]], timeout=0.05)
            with pytest.raises(rm.DeadlineExceeded):
                next(client.infer_stream([[2]], timeout=0.05))
        worker.program.go_on()
        assert client.infer([[3]]).to_numpy() == 6


def test_many_threads_share_a_client() -> None:
    with served("rm.ModelWorker(Doubler(), rm.WorkerConfig(max_batch_size=16)).serve(ENDPOINT)") as (_, client):
        wrong: list[object] = []

        def call(thread: int) -> None:
            for i in range(100):
                number = thread * 100 + i
                if client.infer([[number]]).to_numpy()[0, 0] != 2 * number:
                    wrong.append(number)

        threads = [threading.Thread(target=call, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert client.status().total_requests == 800


def test_a_model_that_keeps_the_gil_stops_nothing_but_itself() -> None:
    """Status, health, refusals, deadlines and cancellations are not the model's to delay."""
    with (
        Served("""
        import ctypes
        class Deaf(Gated):
            def infer(self, inputs, context):
                if inputs["x"].min() < 0:
                    say("began")
                    ctypes.PyDLL(None).pause() if os.environ.get("PAUSE") else ctypes.PyDLL(None).sleep(2)
                return {"y": inputs["x"] * 2}
        config = rm.WorkerConfig(max_batch_size=1, max_queue=1)
        rm.ModelWorker(Deaf(), config).serve(ENDPOINT)
    """) as worker,
        worker.connect() as client,
    ):
        first = client.infer_future([[-1]])
        worker.program.wait_for("began")
        began = time.monotonic()
        assert client.status().current_load == 1
        assert client.health_check()
        waiting = client.infer_future([[1]])
        wait_for_queue(client, 1)
        with pytest.raises(rm.Rejected):
            client.infer([[2]])
        assert waiting.cancel()
        wait_for_queue(client, 0)
        with pytest.raises(rm.DeadlineExceeded):
            client.infer([[3]], timeout=0.01)
        with worker.connect() as other:
            assert other.status().current_load == 1
        assert not first.done(), time.monotonic() - began
        assert first.result().to_numpy() == -2


def test_sigterm_drains() -> None:
    worker = Served(GATED)
    with worker.connect() as client:
        running = client.infer_future([[-1]])
        worker.program.wait_for("began")
        worker.program.terminate()
        while client.status().status != "stopping":
            pass
        with pytest.raises((rm.Rejected, rm.WorkerUnavailable)):
            client.infer([[1]])
        worker.program.tell("go")
        assert running.result().to_numpy() == -2
    worker.program.end()


def test_signals_are_pythons_again_after_serve() -> None:
    worker = Served("""
        rm.ModelWorker(Doubler()).serve(ENDPOINT)
        try:
            os.kill(os.getpid(), signal.SIGINT)
            wait_forever()
        except KeyboardInterrupt:
            say("interrupted")
    """)
    with worker.connect() as client:
        assert client.health_check()
    worker.program.terminate()
    worker.program.wait_for("interrupted")
    worker.program.end()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
