# SPDX-License-Identifier: Apache-2.0
"""However many ask for a key that is not there, one load answers them all."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import remotemedia as rm
from tests.python.core.gated_load import Background, GatedLoad, Model

MANY = 64


def test_64_threads_share_one_load(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    with ThreadPoolExecutor(MANY) as threads:
        calls = [threads.submit(registry.get_or_load, "m@cpu", load.run, progress=load.heard) for _ in range(MANY)]
        load.wait_for_callers(MANY)
        load.may_end.set()
        handles = [call.result() for call in calls]
    assert load.calls == 1
    assert len({id(handle.model) for handle in handles}) == 1
    assert registry.list_models()[0].reference_count == MANY
    assert registry.metrics().cache_misses == 1
    assert registry.metrics().cache_hits == MANY - 1


def test_64_threads_that_start_at_the_same_moment_share_one_load(registry: rm.ModelRegistry) -> None:
    loads = []
    together = threading.Barrier(MANY)

    def load() -> Model:
        loads.append(threading.get_ident())
        return Model()

    def ask(_: int) -> rm.ModelHandle[Model]:
        together.wait()
        return registry.get_or_load("m@cpu", load)

    with ThreadPoolExecutor(MANY) as threads:
        handles = list(threads.map(ask, range(MANY)))
    assert len(loads) == 1
    assert len({id(handle.model) for handle in handles}) == 1


async def test_64_coroutines_share_one_load_by_a_coroutine(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    calls = [
        asyncio.create_task(registry.get_or_load_async("m@cpu", load.run_async, progress=load.heard))
        for _ in range(MANY)
    ]
    await load.callers(MANY)
    load.may_end.set()
    handles = await asyncio.gather(*calls)
    assert load.calls == 1
    assert len({id(handle.model) for handle in handles}) == 1
    assert registry.list_models()[0].reference_count == MANY
    assert registry.metrics().cache_hits == MANY - 1


async def test_64_coroutines_share_one_load_by_a_function(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    calls = [
        asyncio.create_task(registry.get_or_load_async("m@cpu", load.run, progress=load.heard)) for _ in range(MANY)
    ]
    await load.callers(MANY)  # the loop goes on while the loader runs
    assert load.thread != threading.get_ident()
    load.may_end.set()
    handles = await asyncio.gather(*calls)
    assert load.calls == 1
    assert len({id(handle.model) for handle in handles}) == 1


async def test_threads_and_coroutines_mixed_share_one_load(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    together = threading.Barrier(MANY)
    handles: list[rm.ModelHandle[Any]] = []

    def ask() -> None:
        together.wait()
        handles.append(registry.get_or_load("m@cpu", load.run, progress=load.heard))

    threads = [Background(ask) for _ in range(MANY)]
    calls = [
        asyncio.create_task(registry.get_or_load_async("m@cpu", load.run_async, progress=load.heard))
        for _ in range(MANY)
    ]
    await load.callers(2 * MANY)
    load.may_end.set()
    handles += await asyncio.gather(*calls)
    for thread in threads:
        thread.result()
    assert load.calls == 1
    assert len(handles) == 2 * MANY
    assert len({id(handle.model) for handle in handles}) == 1
    assert registry.list_models()[0].reference_count == 2 * MANY


async def test_threads_join_the_load_of_a_coroutine(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    leader = asyncio.create_task(registry.get_or_load_async("m@cpu", load.run_async, progress=load.heard))
    await load.started.passed()
    threads = [Background(lambda: registry.get_or_load("m@cpu", load.run, progress=load.heard)) for _ in range(MANY)]
    await load.callers(1 + MANY)
    load.may_end.set()
    model = (await leader).model
    assert all(thread.result().model is model for thread in threads)
    assert load.calls == 1


async def test_coroutines_join_the_load_of_a_thread(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    thread = Background(lambda: registry.get_or_load("m@cpu", load.run, progress=load.heard))
    await load.started.passed()
    calls = [
        asyncio.create_task(registry.get_or_load_async("m@cpu", load.run_async, progress=load.heard))
        for _ in range(MANY)
    ]
    await load.callers(1 + MANY)
    load.may_end.set()
    handles = await asyncio.gather(*calls)
    assert {id(handle.model) for handle in handles} == {id(thread.result().model)}
    assert load.calls == 1


def test_different_keys_load_side_by_side_up_to_the_limit() -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(max_concurrent_loads=2))
    loads = [GatedLoad() for _ in range(3)]
    threads = [Background(partial(registry.get_or_load, key, load.run)) for key, load in zip("abc", loads, strict=True)]
    running = [load for load in loads if load.started.wait(60 if load is not loads[2] else 0)]
    if len(running) < 2:  # which two begin is not ours to say
        assert loads[2].started.wait(60)
        running.append(loads[2])
    waiting = next(load for load in loads if load not in running)
    assert len(running) == 2
    assert not waiting.started.is_set()
    running[0].may_end.set()
    assert waiting.started.wait(60)
    for load in loads:
        load.may_end.set()
    for thread in threads:
        thread.result()


def test_by_default_one_loader_runs_at_a_time(registry: rm.ModelRegistry) -> None:
    first, second = GatedLoad(), GatedLoad()
    threads = [Background(lambda: registry.get_or_load("a", first.run))]
    assert first.started.wait(60)
    threads.append(Background(lambda: registry.get_or_load("b", second.run)))
    states = {info.key: info.state for info in registry.list_models()}
    assert states["a"] == "loading"
    assert not second.started.is_set()
    first.may_end.set()
    assert second.started.wait(60)
    second.may_end.set()
    for thread in threads:
        thread.result()


def test_no_lock_is_held_while_a_loader_runs(registry: rm.ModelRegistry) -> None:
    held = registry.get_or_load("other", Model)
    load = GatedLoad()
    thread = Background(lambda: registry.get_or_load("m@cpu", load.run))
    assert load.started.wait(60)
    assert registry.get_or_load("other", Model).model is held.model
    assert "m@cpu" not in registry
    assert registry.get("m@cpu") is None
    assert not registry.evict("m@cpu")
    assert {info.key for info in registry.list_models()} == {"m@cpu", "other"}
    registry.pin("other")
    registry.unpin("other")
    registry.evict_expired()
    registry.plan("new", 1)
    load.may_end.set()
    thread.result()


def test_the_model_cannot_go_between_the_load_and_the_waiters_hold() -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=0.0, max_models=1))
    for _ in range(20):
        load = GatedLoad()
        with ThreadPoolExecutor(8) as threads:
            calls = [threads.submit(registry.get_or_load, "m", load.run, progress=load.heard) for _ in range(8)]
            load.wait_for_callers(8)
            load.may_end.set()
            handles = [call.result() for call in calls]
        assert len({id(handle.model) for handle in handles}) == 1
        assert load.calls == 1
        for handle in handles:
            handle.release()
        registry.clear(timeout=60)
        assert "m" not in registry
