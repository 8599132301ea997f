# SPDX-License-Identifier: Apache-2.0
"""Loads on event loops: several loops, loops that end while they load, and threads that would block their own loop."""

import asyncio
import contextlib
import gc
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import remotemedia as rm
from tests.python.core.gated_load import SECONDS, Background, GatedLoad, Model, Signal


class Given:
    """A callable that is no coroutine function, and gives a coroutine."""

    def __init__(self, load: GatedLoad) -> None:
        self._load = load

    def __call__(self, progress: Callable[..., None]) -> Any:
        return self._load.run_async(progress)


KINDS = pytest.mark.parametrize("loader_of", [lambda load: load.run_async, Given], ids=["coroutine", "awaitable"])
LoaderOf = Callable[[GatedLoad], Callable[..., Any]]


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    if made.thread.is_alive():
        made.stop()
    made.loop.close()


@contextlib.contextmanager
def tasks_may_be_dropped() -> Iterator[None]:
    """asyncio complains, and rightly, when a loop is closed in the middle of its tasks."""
    logging.getLogger("asyncio").disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
            gc.collect()
    finally:
        logging.getLogger("asyncio").disabled = False


@KINDS
def test_a_coroutine_loader_runs_on_the_callers_loop(registry: rm.ModelRegistry, loader_of: LoaderOf) -> None:
    seen: list[tuple[int, asyncio.AbstractEventLoop]] = []

    async def load() -> Model:
        seen.append((threading.get_ident(), asyncio.get_running_loop()))
        return Model()

    async def main() -> None:
        makes: Any = load if loader_of is not Given else partial(getattr, [load], "copy")
        if loader_of is Given:

            class Make:
                def __call__(self) -> Any:
                    return load()

            makes = Make()
        (await registry.get_or_load_async("m@cpu", makes)).release()
        assert seen == [(threading.get_ident(), asyncio.get_running_loop())]

    asyncio.run(main())


@KINDS
async def test_two_event_loops_share_one_load(registry: rm.ModelRegistry, loop: Loop, loader_of: LoaderOf) -> None:
    load = GatedLoad()
    here = asyncio.create_task(registry.get_or_load_async("m@cpu", loader_of(load), progress=load.heard))
    await load.started.passed()
    there = asyncio.run_coroutine_threadsafe(
        registry.get_or_load_async("m@cpu", loader_of(load), progress=load.heard), loop.loop
    )
    await load.callers(2)
    load.may_end.set()
    assert (await here).model is (await asyncio.wrap_future(there)).model
    assert load.calls == 1


@KINDS
def test_when_asyncio_run_ends_during_its_load_the_others_go_on(
    registry: rm.ModelRegistry, loop: Loop, loader_of: LoaderOf
) -> None:
    load = GatedLoad()
    replacement = Model()
    waiting: list[Any] = []

    async def main() -> None:
        leading = asyncio.create_task(registry.get_or_load_async("m@cpu", loader_of(load), progress=load.heard))
        await load.started.passed()
        for _ in range(4):
            waiting.append(Background(partial(registry.get_or_load, "m@cpu", lambda: replacement, progress=load.heard)))
        waiting.append(
            asyncio.run_coroutine_threadsafe(
                registry.get_or_load_async("m@cpu", lambda: replacement, progress=load.heard), loop.loop
            )
        )
        await load.callers(6)
        assert not leading.done()

    asyncio.run(main())  # cancels what still runs
    handles = [waiter.result() for waiter in waiting]
    assert {id(handle.model) for handle in handles} == {id(replacement)}
    assert registry.list_models()[0].reference_count == 5
    load.may_end.set()


@KINDS
def test_when_a_loop_is_closed_during_its_load_the_others_go_on(
    registry: rm.ModelRegistry, loop: Loop, loader_of: LoaderOf
) -> None:
    load = GatedLoad()

    async def lead() -> None:
        await registry.get_or_load_async("m@cpu", loader_of(load), progress=load.heard)

    leading = asyncio.run_coroutine_threadsafe(lead(), loop.loop)
    assert load.started.wait(SECONDS)
    waiting = [Background(partial(registry.get_or_load, "m@cpu", Model, progress=load.heard)) for _ in range(4)]
    load.wait_for_callers(5)
    with tasks_may_be_dropped():
        loop.stop()
        loop.loop.close()  # nobody cancels anything
        assert len({id(waiter.result().model) for waiter in waiting}) == 1
        load.may_end.set()
        del leading


def test_when_a_task_that_loads_is_cancelled_before_its_first_step_the_others_go_on(
    registry: rm.ModelRegistry,
) -> None:
    load = GatedLoad()

    async def main() -> None:
        leading = asyncio.create_task(registry.get_or_load_async("m@cpu", load.run_async))
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert len(others) == 2  # the caller and the load
        for task in others:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leading

    asyncio.run(main())
    assert load.calls == 0
    assert Background(partial(registry.get_or_load, "m@cpu", Model)).result().model is not None


def test_when_a_loop_is_closed_before_its_load_begins_the_others_go_on(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    loop = asyncio.new_event_loop()

    async def begin() -> asyncio.Task[Any]:
        leading = asyncio.create_task(registry.get_or_load_async("m@cpu", load.run_async))
        await asyncio.sleep(0)
        return leading

    with tasks_may_be_dropped():
        leading = loop.run_until_complete(begin())
        assert registry.list_models()[0].state == "loading"
        assert load.calls == 0
        loop.close()
        del leading
    assert Background(partial(registry.get_or_load, "m@cpu", Model)).result().model is not None


def test_when_a_loop_is_cancelled_while_its_load_waits_for_its_turn_the_others_go_on(
    registry: rm.ModelRegistry,
) -> None:
    first, second = GatedLoad(), GatedLoad()
    running = Background(partial(registry.get_or_load, "a", first.run))
    assert first.started.wait(SECONDS)

    async def main() -> None:
        asyncio.create_task(registry.get_or_load_async("b", second.run_async))  # noqa: RUF006
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(main())
    first.may_end.set()
    running.result()
    assert Background(partial(registry.get_or_load, "b", Model)).result().model is not None
    assert second.calls == 0


def test_when_a_loop_is_closed_while_a_thread_loads_for_it_the_load_goes_on(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()

    async def main() -> None:
        asyncio.create_task(registry.get_or_load_async("m@cpu", load.run))  # noqa: RUF006
        await load.started.passed()

    asyncio.run(main())
    load.may_end.set()
    with registry.get_or_load("m@cpu", Model) as handle:
        assert handle.model is not None
    assert load.calls == 1
    assert registry.metrics().loads == 1


def test_when_a_loop_is_closed_before_a_thread_gives_it_an_awaitable_the_others_go_on(
    registry: rm.ModelRegistry,
) -> None:
    may_return = threading.Event()
    started = Signal()

    class Slow:
        def __call__(self) -> Any:
            started.set()
            assert may_return.wait(SECONDS)
            return load()

    async def load() -> Model:
        return Model()

    async def main() -> None:
        asyncio.create_task(registry.get_or_load_async("m@cpu", Slow()))  # noqa: RUF006
        await started.passed()

    asyncio.run(main())
    waiting = Background(partial(registry.get_or_load, "m@cpu", Model))
    may_return.set()
    assert waiting.result().model is not None


async def test_blocking_a_loop_for_the_load_that_it_runs_is_an_error(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    leading = asyncio.create_task(registry.get_or_load_async("m@cpu", load.run_async))
    await load.started.passed()
    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match="get_or_load_async"):
            registry.get_or_load("m@cpu", load.run)
    load.may_end.set()
    model = (await leading).model
    assert registry.get_or_load("m@cpu", load.run).model is model  # a hit blocks nothing
    assert load.calls == 1


async def test_blocking_a_loop_for_a_load_that_comes_back_to_it_is_an_error(registry: rm.ModelRegistry) -> None:
    """The loader runs in a thread at first; what it gives must be awaited here."""
    may_return = threading.Event()
    started = Signal()

    async def load() -> Model:
        return Model()

    class Slow:
        def __call__(self) -> Any:
            started.set()
            assert may_return.wait(SECONDS)
            return load()

    leading = asyncio.create_task(registry.get_or_load_async("m@cpu", Slow()))
    await started.passed()
    asyncio.get_running_loop().run_in_executor(None, may_return.set)
    with pytest.raises(rm.LoadFailed, match="get_or_load_async"):
        registry.get_or_load("m@cpu", Model)
    assert (await leading).model is not None


async def test_blocking_a_loop_for_a_load_that_waits_for_the_loop_is_an_error(registry: rm.ModelRegistry) -> None:
    """A thread's loader waits for what a coroutine loads here: who blocks this loop for the thread blocks the ring."""
    inner = GatedLoad()
    outer_asked = Signal()

    def heard(_: rm.LoadProgress) -> None:
        outer_asked.set()

    def outer() -> Any:
        return registry.get_or_load("inner", Model, progress=heard).model

    loading = asyncio.create_task(registry.get_or_load_async("inner", inner.run_async))
    await inner.started.passed()
    other = rm.ModelRegistry()
    thread = Background(partial(other.get_or_load, "outer", outer))
    await outer_asked.passed()
    with pytest.raises(rm.LoadFailed, match="get_or_load_async"):
        other.get_or_load("outer", outer)
    inner.may_end.set()
    model = (await loading).model
    assert (await asyncio.to_thread(thread.result)).model is model


async def test_a_coroutine_loader_may_block_for_what_another_thread_loads() -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(max_concurrent_loads=2))
    inner = GatedLoad()
    thread = Background(partial(registry.get_or_load, "inner", inner.run, progress=inner.heard))
    await inner.started.passed()

    async def outer() -> Any:
        inner.may_end.set()
        return registry.get_or_load("inner", Model).model

    handle = await registry.get_or_load_async("outer", outer)
    assert handle.model is thread.result().model


async def test_the_loop_goes_on_while_a_function_loads(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    leading = asyncio.create_task(registry.get_or_load_async("m@cpu", load.run))
    await load.started.passed()
    load.may_end.set()
    assert (await leading).model is not None


def test_a_load_keeps_its_task_alive_when_nobody_else_does(registry: rm.ModelRegistry) -> None:
    """A loop refers to its tasks weakly: the collector must not take one that only waits for itself."""

    async def main() -> None:
        woken: list[asyncio.Future[None]] = []
        begun = asyncio.Event()

        async def load() -> Model:
            future = asyncio.get_running_loop().create_future()
            woken.append(future)
            begun.set()
            await future
            return Model()

        caller = asyncio.create_task(registry.get_or_load_async("m@cpu", load))
        await begun.wait()
        caller.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await caller
        del caller
        gc.collect()
        await asyncio.sleep(0)
        woken[0].set_result(None)
        handle = await registry.get_or_load_async("m@cpu", Model)
        assert registry.metrics().loads == 1
        handle.release()

    asyncio.run(main())


def test_a_finished_load_leaves_nothing_on_its_loop(registry: rm.ModelRegistry) -> None:
    async def main() -> None:
        async def load() -> Model:
            return Model()

        for index in range(10):
            (await registry.get_or_load_async(f"m{index}", load, timeout=60)).release()
        await asyncio.sleep(0)
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
        assert [timer for timer in timers if not timer.cancelled()] == []

    asyncio.run(main())
