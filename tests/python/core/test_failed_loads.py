# SPDX-License-Identifier: Apache-2.0
"""A load that fails tells everybody who waited why, and is tried again by the next who asks."""

import asyncio
import gc
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

import remotemedia as rm
from tests.python.core.gated_load import Background, Events, GatedLoad, Model


class Broken(Exception):
    """What a loader raises."""


def broken() -> Model:
    raise Broken("weights.bin is torn")


async def broken_async() -> Model:
    raise Broken("weights.bin is torn")


class Factory:
    """A callable that is no coroutine function and gives a coroutine."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __call__(self) -> Any:
        return self._make()


def raise_broken() -> Any:
    raise Broken("weights.bin is torn")


def test_the_loaders_exception_is_the_cause(registry: rm.ModelRegistry) -> None:
    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match=r"'m@cpu'.*Broken: weights\.bin is torn") as caught:
            registry.get_or_load("m@cpu", broken)
        assert type(caught.value.__cause__) is Broken
        assert isinstance(caught.value, rm.RemoteMediaError)
    assert registry.metrics().failed_loads == 2
    assert registry.metrics().loads == 0
    assert registry.list_models() == []


@pytest.mark.parametrize("load", [broken, broken_async])
async def test_the_loaders_exception_is_the_cause_for_coroutines(
    registry: rm.ModelRegistry, load: Callable[..., Any]
) -> None:
    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match=r"weights\.bin is torn") as caught:
            await registry.get_or_load_async("m@cpu", load)
        assert type(caught.value.__cause__) is Broken
    assert registry.metrics().failed_loads == 2


def test_the_cause_has_the_loaders_traceback(registry: rm.ModelRegistry) -> None:
    with pytest.raises(rm.LoadFailed) as caught:
        registry.get_or_load("m@cpu", broken)
    assert caught.value.__cause__ is not None
    traceback = caught.value.__cause__.__traceback__
    names = []
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert names[-1] == "broken"


def test_after_a_failure_the_next_call_tries_again(registry: rm.ModelRegistry) -> None:
    loads: list[Callable[[], Model]] = [broken, broken, Model]
    results: list[Any] = []
    for load in loads:
        try:
            results.append(registry.get_or_load("m@cpu", load))
        except rm.LoadFailed as error:
            results.append(error)
    assert [type(result) for result in results] == [rm.LoadFailed, rm.LoadFailed, rm.ModelHandle]


async def test_every_waiter_gets_the_same_cause_in_an_error_of_its_own(registry: rm.ModelRegistry) -> None:
    for _ in range(2):
        load = GatedLoad(raise_broken)
        threads = [Background(partial(registry.get_or_load, "m@cpu", load.run, progress=load.heard)) for _ in range(16)]
        calls = [
            asyncio.create_task(registry.get_or_load_async("m@cpu", load.run_async, progress=load.heard))
            for _ in range(16)
        ]
        await load.callers(32)
        load.may_end.set()
        errors: list[BaseException | None] = list(await asyncio.gather(*calls, return_exceptions=True))
        for thread in threads:
            with pytest.raises(rm.LoadFailed):
                thread.result()
            errors.append(thread.error)
        assert load.calls == 1
        assert all(type(error) is rm.LoadFailed for error in errors)
        assert len({id(error) for error in errors}) == 32
        assert len({id(error and error.__cause__) for error in errors}) == 1
    assert registry.metrics().failed_loads == 2


def test_a_loader_that_returns_none_has_failed(registry: rm.ModelRegistry) -> None:
    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match="None"):
            registry.get_or_load("m@cpu", lambda: None)
    assert "m@cpu" not in registry
    assert registry.get_or_load("m@cpu", Model).model is not None


async def test_a_coroutine_that_returns_none_has_failed(registry: rm.ModelRegistry) -> None:
    async def load() -> None:
        pass

    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match="None"):
            await registry.get_or_load_async("m@cpu", load)
        with pytest.raises(rm.LoadFailed, match="None"):
            await registry.get_or_load_async("m@cpu", lambda: None)
    assert "m@cpu" not in registry


def test_a_loader_that_returns_a_coroutine_is_refused_by_the_blocking_call(registry: rm.ModelRegistry) -> None:
    async def load() -> Model:
        return Model()

    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match="get_or_load_async") as caught:
            registry.get_or_load("m@cpu", Factory(load))
        assert isinstance(caught.value.__cause__, TypeError)


def test_false_and_empty_models_are_models(registry: rm.ModelRegistry) -> None:
    for key, model in {"zero": 0, "false": False, "text": "", "list": []}.items():
        with registry.get_or_load(key, lambda model=model: model) as handle:
            assert handle.model is model


def test_a_model_whose_memory_usage_raises_has_failed(registry: rm.ModelRegistry) -> None:
    class Torn:
        def memory_usage(self) -> int:
            raise Broken("cannot count")

    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match="cannot count") as caught:
            registry.get_or_load("m@cpu", Torn)
        assert type(caught.value.__cause__) is Broken


def test_a_failed_load_leaves_no_hold_and_no_bytes(registry: rm.ModelRegistry) -> None:
    with pytest.raises(rm.LoadFailed):
        registry.get_or_load("m@cpu", broken, memory_bytes=1000)
    assert registry.metrics().total_memory_bytes == 0
    assert registry.metrics().total_models == 0


def test_by_failed_load_ttl_a_failure_is_remembered_with_its_cause() -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(failed_load_ttl_seconds=3600))
    with pytest.raises(rm.LoadFailed) as first:
        registry.get_or_load("m@cpu", broken)
    for _ in range(2):
        with pytest.raises(rm.LoadFailed) as again:
            registry.get_or_load("m@cpu", Model)
        assert again.value.__cause__ is first.value.__cause__
        assert again.value is not first.value
    assert registry.list_models()[0].state == "failed"
    assert registry.metrics().failed_loads == 1


def test_no_lock_is_held_while_a_forgotten_failure_is_destroyed() -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(failed_load_ttl_seconds=1e-6))
    held = registry.get_or_load("other", Model)
    destroyed = threading.Event()
    hit = threading.Event()
    hit_meanwhile: queue.SimpleQueue[bool] = queue.SimpleQueue()

    class Torn(Exception):
        def __del__(self) -> None:
            destroyed.set()
            hit_meanwhile.put(hit.wait(10))

    def tear() -> Model:
        raise Torn

    def hit_then() -> None:
        destroyed.wait(60)
        registry.get_or_load("other", Model).release()
        hit.set()

    hitting = Background(hit_then)
    with pytest.raises(rm.LoadFailed) as caught:
        registry.get_or_load("m@cpu", tear)
    del caught
    gc.collect()
    registry.get_or_load("m@cpu", Model).release()
    hitting.result()
    assert destroyed.is_set()
    assert hit_meanwhile.get(timeout=60)
    held.release()


def test_a_loader_that_fails_while_others_load_hurts_nobody(registry: rm.ModelRegistry) -> None:
    def load(index: int) -> rm.ModelHandle[Any] | BaseException:
        try:
            return registry.get_or_load(f"m{index}", broken if index % 2 else Model)
        except rm.LoadFailed as error:
            return error

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(load, range(64)))
    assert [isinstance(result, rm.ModelHandle) for result in results] == [index % 2 == 0 for index in range(64)]


def test_a_failure_is_told_as_an_event_with_its_seconds(registry: rm.ModelRegistry) -> None:
    events = Events(registry)
    with pytest.raises(rm.LoadFailed):
        registry.get_or_load("m@cpu", broken)
    assert events.wait_for("load_failed", "m@cpu").seconds >= 0
    assert events.kinds("m@cpu") == ["load_started", "load_failed"]


async def test_a_loader_that_cancels_itself_ends_the_call(registry: rm.ModelRegistry) -> None:
    async def load() -> Model:
        raise asyncio.CancelledError("by itself")

    for _ in range(2):
        with pytest.raises(rm.LoadFailed) as caught:
            await registry.get_or_load_async("m@cpu", load)
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert (await registry.get_or_load_async("m@cpu", Model)).model


async def test_a_function_whose_awaitable_fails_is_a_failed_load(registry: rm.ModelRegistry) -> None:
    makes: list[Callable[[], Coroutine[Any, Any, Model]]] = [Factory(broken_async)]
    for make in makes * 2:
        with pytest.raises(rm.LoadFailed) as caught:
            await registry.get_or_load_async("m@cpu", make)
        assert type(caught.value.__cause__) is Broken
