# SPDX-License-Identifier: Apache-2.0
"""A caller whose time is up, or that is cancelled, leaves. The load goes on, its result is kept, no hold is lost."""

import asyncio
import threading
from functools import partial

import pytest

import remotemedia as rm
from tests.python.core.gated_load import Background, Events, GatedLoad, Model


def test_a_timeout_is_deadline_exceeded_and_a_timeout_error(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    for _ in range(2):
        with pytest.raises(rm.DeadlineExceeded, match=r"'m@cpu'") as caught:
            registry.get_or_load("m@cpu", load.run, timeout=0.01)
        assert isinstance(caught.value, TimeoutError)
        assert isinstance(caught.value, rm.RemoteMediaError)
    events = Events(registry)
    load.may_end.set()
    events.wait_for("loaded", "m@cpu")
    assert load.calls == 1


def test_the_leaders_timeout_leaves_the_load_to_the_others(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    with pytest.raises(rm.DeadlineExceeded):
        registry.get_or_load("m@cpu", load.run, timeout=0.0, progress=load.heard)
    assert load.started.wait(60)
    waiter = Background(partial(registry.get_or_load, "m@cpu", load.run, progress=load.heard))
    load.wait_for_callers(1)
    load.may_end.set()
    with waiter.result() as handle:
        assert registry.list_models()[0].reference_count == 1
        assert handle.model is not None
    assert load.calls == 1
    assert registry.list_models()[0].reference_count == 0


def test_after_everybody_left_the_result_is_kept(registry: rm.ModelRegistry) -> None:
    events = Events(registry)
    load = GatedLoad()
    for _ in range(3):
        with pytest.raises(rm.DeadlineExceeded):
            registry.get_or_load("m@cpu", load.run, timeout=0.001)
    load.may_end.set()
    events.wait_for("loaded", "m@cpu")
    info = registry.list_models()[0]
    assert (info.state, info.reference_count, info.holders) == ("ready", 0, [])
    assert registry.get("m@cpu") is not None
    assert load.calls == 1
    assert registry.metrics().loads == 1


def test_a_waiters_timeout_hurts_nobody_else(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    leader = Background(partial(registry.get_or_load, "m@cpu", load.run))
    assert load.started.wait(60)
    for _ in range(2):
        with pytest.raises(rm.DeadlineExceeded):
            registry.get_or_load("m@cpu", load.run, timeout=0.01)
    load.may_end.set()
    leader.result().release()
    assert registry.list_models()[0].reference_count == 0


def test_a_timeout_counts_the_time_until_the_loaders_turn(registry: rm.ModelRegistry) -> None:
    first, second = GatedLoad(), GatedLoad()
    running = Background(partial(registry.get_or_load, "a", first.run))
    assert first.started.wait(60)
    with pytest.raises(rm.DeadlineExceeded):
        registry.get_or_load("b", second.run, timeout=0.01)
    assert second.calls == 0
    first.may_end.set()
    second.may_end.set()
    running.result()
    assert registry.get_or_load("b", second.run).model is not None
    assert second.calls == 1


def test_a_timeout_does_not_matter_when_the_model_is_there(registry: rm.ModelRegistry) -> None:
    held = registry.get_or_load("m@cpu", Model)
    for timeout in (0, 0.0, 5, float("inf"), 1e30):
        if timeout == 1e30:
            with pytest.raises(ValueError, match="timeout"):
                registry.get_or_load("m@cpu", Model, keep_alive=1, timeout=timeout)
            continue
        assert registry.get_or_load("m@cpu", Model, timeout=timeout).model is held.model
        assert registry.get_or_load("m@cpu", Model, timeout=timeout, keep_alive=-1).model is held.model


def test_no_timeout_and_an_infinite_one_wait_for_the_load(registry: rm.ModelRegistry) -> None:
    for key, timeout in (("a", None), ("b", float("inf")), ("c", 3600)):
        load = GatedLoad()
        waiting = Background(partial(registry.get_or_load, key, load.run, timeout=timeout))
        assert load.started.wait(60)
        load.may_end.set()
        assert waiting.result().model is not None


def test_a_loader_with_a_timeout_runs_in_a_thread_of_its_own(registry: rm.ModelRegistry) -> None:
    threads: list[threading.Thread] = []

    def load() -> Model:
        threads.append(threading.current_thread())
        return Model()

    registry.get_or_load("a", load)
    registry.get_or_load("b", load, timeout=60)
    assert threads[0] is threading.current_thread()
    assert threads[1] is not threading.current_thread()
    assert threads[1].daemon  # a load that nobody waits for does not keep the process


async def test_a_coroutines_timeout_leaves_the_load_to_the_others(registry: rm.ModelRegistry) -> None:
    for run in ("run", "run_async"):
        load = GatedLoad()
        for _ in range(2):
            with pytest.raises(rm.DeadlineExceeded):
                await registry.get_or_load_async(run, getattr(load, run), timeout=0.01)
        with pytest.raises(rm.DeadlineExceeded):
            await registry.get_or_load_async(run, getattr(load, run), timeout=0)
        waiter = asyncio.create_task(registry.get_or_load_async(run, getattr(load, run), progress=load.heard))
        await load.callers(1)
        load.may_end.set()
        (await waiter).release()
        assert load.calls == 1
        assert next(info for info in registry.list_models() if info.key == run).reference_count == 0


async def test_a_cancelled_leader_leaves_the_load_to_the_others(registry: rm.ModelRegistry) -> None:
    for run in ("run", "run_async"):
        load = GatedLoad()
        leader = asyncio.create_task(registry.get_or_load_async(run, getattr(load, run), progress=load.heard))
        await load.started.passed()
        others = [
            asyncio.create_task(registry.get_or_load_async(run, getattr(load, run), progress=load.heard))
            for _ in range(4)
        ]
        thread = Background(partial(registry.get_or_load, run, load.run, progress=load.heard))
        await load.callers(6)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        load.may_end.set()
        handles = [*await asyncio.gather(*others), thread.result()]
        assert len({id(handle.model) for handle in handles}) == 1
        assert load.calls == 1
        assert next(info for info in registry.list_models() if info.key == run).reference_count == 5


async def test_when_the_only_caller_is_cancelled_the_load_goes_on_and_is_kept(registry: rm.ModelRegistry) -> None:
    events = Events(registry)
    for run in ("run", "run_async"):
        load = GatedLoad()
        leader = asyncio.create_task(registry.get_or_load_async(run, getattr(load, run)))
        await load.started.passed()
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        load.may_end.set()
        await asyncio.to_thread(events.wait_for, "loaded", run)
        handle = registry.get(run)
        assert handle is not None
        assert load.calls == 1
        handle.release()
        assert next(info for info in registry.list_models() if info.key == run).reference_count == 0


async def test_a_caller_that_is_cancelled_before_its_load_begins_leaves_it_running(registry: rm.ModelRegistry) -> None:
    first, second = GatedLoad(), GatedLoad()
    running = asyncio.create_task(registry.get_or_load_async("a", first.run))
    await first.started.passed()
    waiting = asyncio.create_task(registry.get_or_load_async("b", second.run_async))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    first.may_end.set()
    second.may_end.set()
    (await running).release()
    (await registry.get_or_load_async("b", second.run_async)).release()
    assert second.calls == 1


async def test_a_cancelled_waiter_leaves_no_hold(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    leader = asyncio.create_task(registry.get_or_load_async("m@cpu", load.run_async, progress=load.heard))
    await load.started.passed()
    waiters = [
        asyncio.create_task(registry.get_or_load_async("m@cpu", load.run_async, progress=load.heard)) for _ in range(8)
    ]
    await load.callers(9)
    for waiter in waiters:
        waiter.cancel()
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    load.may_end.set()
    (await leader).release()
    assert registry.list_models()[0].reference_count == 0


async def test_a_waiter_that_is_cancelled_when_its_answer_is_there_leaves_no_hold(
    registry: rm.ModelRegistry,
) -> None:
    """The answer and the cancellation in the same step of the loop."""
    load = GatedLoad()
    leader = Background(partial(registry.get_or_load, "m@cpu", load.run))
    await load.started.passed()
    waiter = asyncio.create_task(registry.get_or_load_async("m@cpu", load.run, progress=load.heard))
    await load.callers(1)
    load.may_end.set()
    leader.thread.join(60)  # blocks the loop: its wake-up is queued now
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    leader.result().release()
    assert registry.list_models()[0].reference_count == 0


async def test_a_cancelled_hit_with_options_leaves_no_hold(registry: rm.ModelRegistry) -> None:
    registry.get_or_load("m@cpu", Model).release()
    call = registry.get_or_load_async("m@cpu", Model, keep_alive=5)
    call.close()  # never begun
    task = asyncio.create_task(registry.get_or_load_async("m@cpu", Model, keep_alive=5))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert registry.list_models()[0].reference_count == 0


def no_more_threads(*_: object) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize(
    ("start", "error"), [("start_new_thread", RuntimeError), ("threading.Thread.start", rm.LoadFailed)]
)
def test_a_thread_that_cannot_be_started_leaves_the_key_free(
    registry: rm.ModelRegistry, monkeypatch: pytest.MonkeyPatch, start: str, error: type[Exception]
) -> None:
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(f"remotemedia.core.loading.{start}", no_more_threads)
            with pytest.raises(error, match="can't start new thread"):
                registry.get_or_load("m@cpu", Model, timeout=60)
            with pytest.raises(error, match="can't start new thread"):
                asyncio.run(registry.get_or_load_async("m@cpu", Model))
    assert registry.get_or_load("m@cpu", Model, timeout=60).model is not None
