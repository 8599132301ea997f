# SPDX-License-Identifier: Apache-2.0
"""Loaders that need other models: served whatever the limits, refused where they would wait for each other."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

import remotemedia as rm
from tests.python.core.gated_load import Background, GatedLoad, Model


def cause_of(error: BaseException) -> BaseException:
    """The error that began it."""
    while isinstance(error, rm.LoadFailed) and error.__cause__ is not None:
        error = error.__cause__
    return error


def test_a_loader_is_served_another_key_with_one_load_at_a_time(registry: rm.ModelRegistry) -> None:
    def outer() -> list[Any]:
        with registry.get_or_load("inner", middle) as handle:
            return [handle.model]

    def middle() -> list[Any]:
        with registry.get_or_load("innermost", Model) as handle:
            return [handle.model]

    with Background(partial(registry.get_or_load, "outer", outer)).result() as handle:
        assert isinstance(handle.model[0][0], Model)
    assert registry.metrics().loads == 3


async def test_a_coroutine_loader_is_served_another_key(registry: rm.ModelRegistry) -> None:
    async def outer() -> list[Any]:
        with await registry.get_or_load_async("inner", middle) as handle:
            return [handle.model]

    async def middle() -> list[Any]:
        with await registry.get_or_load_async("function", Model) as handle:
            return [handle.model, registry.get_or_load("sync", Model).model]

    with await asyncio.wait_for(registry.get_or_load_async("outer", outer), 60) as handle:
        assert isinstance(handle.model[0][0], Model)


async def test_a_coroutine_loader_may_gather_several_keys(registry: rm.ModelRegistry) -> None:
    """With one load at a time: its place goes round among them and comes back."""
    order: list[str] = []

    async def part(name: str) -> Model:
        order.append(name)
        await asyncio.sleep(0)
        return Model()

    async def outer() -> list[Any]:
        handles = await asyncio.gather(
            *(registry.get_or_load_async(f"part{index}", partial(part, f"part{index}")) for index in range(4)),
            *(registry.get_or_load_async(f"function{index}", Model) for index in range(4)),
        )
        return [handle.model for handle in handles]

    for key in ("outer", "again"):
        with await asyncio.wait_for(registry.get_or_load_async(key, outer), 60) as handle:
            assert len(handle.model) == 8
    assert sorted(order) == [f"part{index}" for index in range(4)]


def test_a_loader_that_gathered_some_and_asks_for_more_is_served(registry: rm.ModelRegistry) -> None:
    async def outer() -> list[Any]:
        first, second = await asyncio.gather(
            registry.get_or_load_async("a", Model), registry.get_or_load_async("b", Model)
        )
        third = await registry.get_or_load_async("c", Model)
        return [first, second, third]

    async def main() -> None:
        (await asyncio.wait_for(registry.get_or_load_async("outer", outer), 60)).release()

    asyncio.run(main())
    registry.clear(timeout=60)
    assert registry.list_models() == []


def test_one_load_at_a_time_holds_for_nested_loads_too(registry: rm.ModelRegistry) -> None:
    running: set[str] = set()
    together: list[set[str]] = []

    def busy(name: str) -> Model:
        running.add(name)
        together.append(set(running))
        running.discard(name)
        return Model()

    def outer(name: str) -> Model:
        registry.get_or_load(f"{name} needs", partial(busy, f"{name} needs")).release()
        return busy(name)

    with ThreadPoolExecutor(8) as threads:
        for call in [threads.submit(registry.get_or_load, str(i), partial(outer, str(i))) for i in range(16)]:
            call.result(60).release()
    assert all(len(names) == 1 for names in together)


def test_a_loader_that_asks_for_its_own_key_gets_an_error(registry: rm.ModelRegistry) -> None:
    def load() -> Any:
        return registry.get_or_load("m@cpu", load).model

    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match=r"'m@cpu' -> 'm@cpu'") as caught:
            Background(partial(registry.get_or_load, "m@cpu", load)).result()
        assert cause_of(caught.value) is not caught.value
    assert registry.get_or_load("m@cpu", Model).model is not None


async def test_a_coroutine_loader_that_asks_for_its_own_key_gets_an_error(registry: rm.ModelRegistry) -> None:
    async def load() -> Any:
        return (await registry.get_or_load_async("m@cpu", load)).model

    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match=r"'m@cpu' -> 'm@cpu'"):
            await asyncio.wait_for(registry.get_or_load_async("m@cpu", load), 60)
    assert (await registry.get_or_load_async("m@cpu", Model)).model is not None


async def test_a_ring_through_to_thread_is_seen(registry: rm.ModelRegistry) -> None:
    async def load() -> Any:
        return (await asyncio.to_thread(registry.get_or_load, "m@cpu", Model)).model

    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match=r"'m@cpu' -> 'm@cpu'"):
            await asyncio.wait_for(registry.get_or_load_async("m@cpu", load), 60)


async def test_a_ring_through_a_child_task_is_seen(registry: rm.ModelRegistry) -> None:
    async def load() -> Any:
        return (await asyncio.create_task(registry.get_or_load_async("m@cpu", Model))).model

    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match=r"'m@cpu' -> 'm@cpu'"):
            await asyncio.wait_for(registry.get_or_load_async("m@cpu", load), 60)


def test_a_ring_through_a_thread_that_is_given_the_context_is_seen(registry: rm.ModelRegistry) -> None:
    def load() -> Any:
        context = contextvars.copy_context()
        return Background(lambda: context.run(registry.get_or_load, "m@cpu", Model)).result().model

    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match=r"'m@cpu' -> 'm@cpu'"):
            registry.get_or_load("m@cpu", load)


def test_a_ring_of_three_by_one_thread_gets_an_error(registry: rm.ModelRegistry) -> None:
    def load(*keys: str) -> Any:
        return registry.get_or_load(keys[0], partial(load, *keys[1:], keys[0])).model

    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match=r"'c' -> 'a' -> 'b' -> 'c'"):
            registry.get_or_load("a", partial(load, "b", "c", "a"))
    assert registry.list_models() == []


def test_a_ring_of_two_threads_gets_an_error(registry: rm.ModelRegistry) -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(max_concurrent_loads=2))
    for _ in range(2):
        both = threading.Barrier(2)

        def load(other: str, both: threading.Barrier = both) -> Any:
            both.wait(60)
            return registry.get_or_load(other, Model).model

        threads = [
            Background(partial(registry.get_or_load, "a", partial(load, "b"))),
            Background(partial(registry.get_or_load, "b", partial(load, "a"))),
        ]
        errors = []
        for thread in threads:
            with pytest.raises(rm.LoadFailed) as caught:
                thread.result()
            errors.append(caught.value)
        assert sum("itself" in str(cause_of(error)) for error in errors) >= 1


def test_a_ring_across_registries_gets_an_error(registry: rm.ModelRegistry) -> None:
    other = rm.ModelRegistry()

    def here() -> Any:
        return other.get_or_load("there", there).model

    def there() -> Any:
        return registry.get_or_load("here", here).model

    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match=r"'there' -> 'here' -> 'there'"):
            Background(partial(registry.get_or_load, "here", here)).result()
    assert registry.get_or_load("here", Model).model is not None


async def test_a_ring_of_function_and_coroutine_across_registries_gets_an_error(registry: rm.ModelRegistry) -> None:
    other = rm.ModelRegistry()

    async def here() -> Any:
        return (await other.get_or_load_async("there", there)).model

    def there() -> Any:
        return registry.get_or_load("here", Model).model

    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match=r"'there' -> 'here' -> 'there'"):
            await asyncio.wait_for(registry.get_or_load_async("here", here), 60)


def test_a_loader_that_waits_in_another_registry_leaves_its_place_to_that_ones_needs(
    registry: rm.ModelRegistry,
) -> None:
    """here (1 place) -> there (1 place) -> here again, another key."""
    other = rm.ModelRegistry()

    def here() -> Any:
        return [other.get_or_load("there", there).model]

    def there() -> Any:
        return [registry.get_or_load("needed", Model).model]

    for _ in range(2):
        handle = Background(partial(registry.get_or_load, "here", here)).result()
        assert isinstance(handle.model[0][0], Model)
        handle.release()
        del handle
        registry.clear(timeout=60)
        other.clear(timeout=60)


def test_a_nested_load_that_fails_is_the_cause(registry: rm.ModelRegistry) -> None:
    def inner() -> Model:
        raise OSError("torn")

    def outer() -> Any:
        return registry.get_or_load("inner", inner).model

    for _ in range(2):
        with pytest.raises(rm.LoadFailed, match="'outer'") as caught:
            registry.get_or_load("outer", outer)
        assert isinstance(caught.value.__cause__, rm.LoadFailed)
        assert isinstance(caught.value.__cause__.__cause__, OSError)


def test_a_loader_may_go_on_after_a_nested_timeout(registry: rm.ModelRegistry) -> None:
    slow = GatedLoad()

    def outer() -> str:
        for _ in range(2):
            with pytest.raises(rm.DeadlineExceeded):
                registry.get_or_load("slow", slow.run, timeout=0.01)
        return "without"

    assert registry.get_or_load("outer", outer).model == "without"
    slow.may_end.set()
    assert registry.get_or_load("slow", slow.run).model is not None
    assert slow.calls == 1


async def test_a_loader_may_go_on_after_a_nested_wait_was_cancelled(registry: rm.ModelRegistry) -> None:
    slow = GatedLoad()

    async def outer() -> str:
        nested = asyncio.create_task(registry.get_or_load_async("slow", slow.run))
        await slow.started.passed()
        nested.cancel()
        with pytest.raises(asyncio.CancelledError):
            await nested
        return "without"

    assert (await asyncio.wait_for(registry.get_or_load_async("outer", outer), 60)).model == "without"
    slow.may_end.set()
    assert (await registry.get_or_load_async("slow", slow.run)).model is not None
    assert slow.calls == 1


def test_a_thread_that_a_loader_left_behind_is_no_part_of_the_load(registry: rm.ModelRegistry) -> None:
    """Its context still names the load, which is over."""
    may_ask = threading.Event()
    asked: list[Background] = []

    def load() -> Model:
        context = contextvars.copy_context()

        def later() -> Any:
            assert may_ask.wait(60)
            return context.run(registry.get_or_load, "m@cpu", Model)

        asked.append(Background(later))
        return Model()

    registry.get_or_load("m@cpu", load).release()
    registry.clear(timeout=60)
    may_ask.set()
    assert asked[0].result().model is not None


def test_a_model_may_hold_the_handles_of_the_models_that_it_needs(registry: rm.ModelRegistry) -> None:
    class Composite:
        def __init__(self, key: str) -> None:
            self.needs = registry.get_or_load(key, Model)

    with registry.get_or_load("outer", partial(Composite, "inner")) as handle:
        assert handle.model.needs.model is not None
    assert not registry.evict("inner")
    registry.clear(timeout=60)
    assert registry.list_models() == []
