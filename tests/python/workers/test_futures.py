# SPDX-License-Identifier: Apache-2.0
"""What infer_future() gives is a future as those of concurrent.futures, whatever is done with it."""

import asyncio
import concurrent.futures as cf
import gc
import os
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import remotemedia as rm
from tests.python.workers.served import Served, served

GATED = "rm.ModelWorker(Gated(), rm.WorkerConfig(max_batch_size=1)).serve(ENDPOINT)"
FAILING = """
    class Failing(Doubler):
        def infer(self, inputs, context):
            raise ValueError("broken")

    rm.ModelWorker(Failing()).serve(ENDPOINT)
"""


def waited_for(future: cf.Future[Any]) -> None:
    done, not_done = cf.wait([future], 60)
    assert done == {future}
    assert not not_done


def completed(future: cf.Future[Any]) -> None:
    assert list(cf.as_completed([future], 60)) == [future]


def called_back(future: cf.Future[Any]) -> None:
    told: cf.Future[Any] = cf.Future()
    future.add_done_callback(told.set_result)
    assert told.result(60) is future


def wrapped(future: cf.Future[Any]) -> None:
    async def end() -> None:
        await asyncio.wait_for(asyncio.wait([asyncio.wrap_future(future)]), 60)

    asyncio.run(end())


def asked(future: cf.Future[Any]) -> None:
    while not future.done():
        pass


WAYS = [waited_for, completed, called_back, wrapped, asked, cf.Future.exception]


def begun(worker: Served, client: rm.ModelWorkerClient) -> cf.Future[Any]:
    future = client.infer_future([[-1]])
    worker.program.wait_for("began")
    return future


@pytest.mark.parametrize("wait", WAYS)
def test_a_future_is_waited_for_in_every_way(wait: Callable[[cf.Future[Any]], object]) -> None:
    with served(GATED) as (worker, client):
        future = begun(worker, client)
        future.belongs_to = worker  # type: ignore[attr-defined]
        assert isinstance(future, cf.Future)
        assert not future.done()
        assert not future.running()
        worker.program.tell("go")
        for _ in range(2):
            wait(future)
            assert future.done()
            assert not future.cancelled()
            assert not future.cancel()
            assert future.exception() is None
            assert future.result().to_numpy() == -2
            assert future.result() is future.result()


@pytest.mark.parametrize("wait", WAYS)
def test_a_future_that_failed_says_so_in_every_way(wait: Callable[[cf.Future[Any]], object]) -> None:
    with served(FAILING) as (_, client):
        future = client.infer_future([[3]])
        for _ in range(2):
            wait(future)
            assert not future.cancel()
            with pytest.raises(rm.InferenceFailed) as raised:
                future.result()
            assert future.exception() is raised.value


@pytest.mark.parametrize("wait", WAYS[:-1])
def test_a_cancelled_future_is_cancelled_in_every_way(wait: Callable[[cf.Future[Any]], object]) -> None:
    with served(GATED) as (worker, client):
        future = begun(worker, client)
        assert future.cancel()
        for _ in range(2):
            wait(future)
            assert future.cancelled()
            assert future.done()
            assert future.cancel()
            for ask in (future.result, future.exception):
                with pytest.raises(cf.CancelledError):
                    ask()
        worker.program.tell("go")


def test_who_waits_for_many_is_told_of_the_first() -> None:
    with served(GATED) as (worker, client):
        runs = begun(worker, client)
        waits = client.infer_future([[1]])
        runs_no_more = client.infer_future([[2]])
        assert runs_no_more.cancel()
        done, not_done = cf.wait([runs, waits, runs_no_more], return_when=cf.FIRST_COMPLETED)
        assert (done, not_done) == ({runs_no_more}, {runs, waits})
        worker.program.tell("go")
        assert set(cf.as_completed([runs, waits])) == {runs, waits}
        assert "finished" in repr(waits)


def test_callbacks_are_called_once_each_in_their_order() -> None:
    with served(GATED) as (worker, client):
        future = begun(worker, client)
        called: list[int] = []
        for i in range(3):
            future.add_done_callback(lambda _, i=i: called.append(i))  # type: ignore[misc]
        last: cf.Future[Any] = cf.Future()
        future.add_done_callback(last.set_result)
        worker.program.tell("go")
        assert last.result(60) is future
        future.add_done_callback(lambda _: called.append(3))
        assert called == [0, 1, 2, 3]


def test_a_future_whose_callbacks_nobody_keeps_is_answered_all_the_same() -> None:
    with served(GATED) as (worker, client):
        told: cf.Future[Any] = cf.Future()
        begun(worker, client).add_done_callback(told.set_result)
        gc.collect()
        worker.program.tell("go")
        assert told.result(60).result().to_numpy() == -2


def test_a_future_goes_with_the_frames_that_its_error_names() -> None:
    class Kept:
        pass

    def fails(client: rm.ModelWorkerClient) -> weakref.ref[Kept]:
        kept = Kept()
        future = client.infer_future([[3]])
        with pytest.raises(rm.InferenceFailed):
            future.result()
        return weakref.ref(kept)

    with served(FAILING) as (_, client):
        kept = fails(client)
        gc.collect()
        assert kept() is None


@pytest.mark.parametrize("wait", WAYS)
def test_a_forked_childs_future_is_over(wait: Callable[[cf.Future[Any]], object]) -> None:
    with served(GATED) as (worker, client):
        future = begun(worker, client)
        child = os.fork()
        if child == 0:
            try:
                for _ in range(2):
                    wait(future)
                    assert isinstance(future.exception(), rm.WorkerUnavailable)
                    assert not future.cancel()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        worker.program.tell("go")
        assert future.result().to_numpy() == -2
