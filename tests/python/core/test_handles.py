# SPDX-License-Identifier: Apache-2.0
"""Handles: holds that are counted, given back once, and of no use afterwards."""

import asyncio
import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import remotemedia as rm
from tests.python.core.gated_load import Model


def holds(registry: rm.ModelRegistry) -> int:
    (info,) = registry.list_models()
    assert len(info.holders) == info.reference_count
    return info.reference_count


def test_a_handle_reaches_the_model_and_tells_about_it(registry: rm.ModelRegistry) -> None:
    model = Model()
    handle = registry.get_or_load("m@cpu", lambda: model)
    assert handle.model is model
    assert handle.key == "m@cpu"
    assert handle.model_id == "m@cpu"
    assert handle.scope == "process"
    assert handle.endpoint is None
    assert not handle.released
    assert repr(handle) == "ModelHandle('m@cpu')"


def test_model_id_is_what_the_model_says(registry: rm.ModelRegistry) -> None:
    class Named:
        model_id = "whisper-tiny"

    class Wrong:
        model_id = 5

    with registry.get_or_load("a", Named) as handle:
        assert (handle.key, handle.model_id) == ("a", "whisper-tiny")
    with registry.get_or_load("b", Wrong) as wrong:
        assert wrong.model_id == "b"


def test_each_call_is_a_hold_of_its_own(registry: rm.ModelRegistry) -> None:
    handles = [registry.get_or_load("m@cpu", Model) for _ in range(5)]
    assert len({id(handle) for handle in handles}) == 5
    for left in (4, 3, 2, 1, 0):
        handles.pop().release()
        assert holds(registry) == left


def test_release_twice_is_once(registry: rm.ModelRegistry) -> None:
    first, second = registry.get_or_load("m@cpu", Model), registry.get_or_load("m@cpu", Model)
    first.release()
    first.release()
    assert first.released
    assert not second.released
    assert holds(registry) == 1


USES: dict[str, Callable[[rm.ModelHandle[Any]], object]] = {
    "model": lambda handle: handle.model,
    "key": lambda handle: handle.key,
    "model_id": lambda handle: handle.model_id,
    "scope": lambda handle: handle.scope,
    "endpoint": lambda handle: handle.endpoint,
    "copy": copy.copy,
    "with": lambda handle: handle.__enter__(),
}


@pytest.mark.parametrize("use", USES)
def test_a_released_handle_is_refused(registry: rm.ModelRegistry, use: str) -> None:
    handle = registry.get_or_load("m@cpu", Model)
    handle.release()
    for _ in range(2):
        with pytest.raises(rm.RemoteMediaError, match="released") as caught:
            USES[use](handle)
        assert isinstance(caught.value, ValueError)
    assert handle.released
    assert repr(handle) == "ModelHandle(released)"
    assert holds(registry) == 0


def test_with_gives_back_at_its_end_also_by_an_exception(registry: rm.ModelRegistry) -> None:
    with registry.get_or_load("m@cpu", Model) as handle:
        assert holds(registry) == 1
        assert isinstance(handle, rm.ModelHandle)
    assert handle.released
    with pytest.raises(OSError, match="torn"), registry.get_or_load("m@cpu", Model) as handle:
        raise OSError("torn")
    assert handle.released
    with registry.get_or_load("m@cpu", Model) as handle:
        handle.release()
    assert holds(registry) == 0


def test_garbage_gives_back(registry: rm.ModelRegistry) -> None:
    handle = registry.get_or_load("m@cpu", Model)
    assert holds(registry) == 1
    del handle
    assert holds(registry) == 0
    registry.get_or_load("m@cpu", Model)
    assert holds(registry) == 0


def test_a_handle_in_a_cycle_is_given_back_by_the_collector(registry: rm.ModelRegistry) -> None:
    handle = registry.get_or_load("m@cpu", Model)
    cycle: list[Any] = [handle]
    cycle.append(cycle)
    del handle, cycle
    gc.collect()
    assert holds(registry) == 0


def test_a_copy_is_another_hold(registry: rm.ModelRegistry) -> None:
    handle = registry.get_or_load("m@cpu", Model)
    twin = copy.copy(handle)
    assert twin is not handle
    assert twin.model is handle.model
    assert holds(registry) == 2
    handle.release()
    assert not twin.released
    assert twin.key == "m@cpu"
    assert not registry.evict("m@cpu")
    twin.release()
    assert registry.evict("m@cpu")


def test_a_handle_cannot_be_copied_deeply_or_pickled(registry: rm.ModelRegistry) -> None:
    handle = registry.get_or_load("m@cpu", Model)
    for make in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="ModelHandle"):
            make(handle)
    assert holds(registry) == 1


def test_a_handle_can_be_referred_to_weakly(registry: rm.ModelRegistry) -> None:
    handle = registry.get_or_load("m@cpu", Model)
    reference = weakref.ref(handle)
    assert reference() is handle
    del handle
    assert reference() is None


def test_a_handle_is_generic_at_run_time() -> None:
    assert rm.ModelHandle[Model] is not None


def test_many_threads_take_copy_and_give_back(registry: rm.ModelRegistry) -> None:
    registry.get_or_load("m@cpu", Model).release()
    together = threading.Barrier(8)

    def work(_: int) -> None:
        together.wait(60)
        for _ in range(500):
            with registry.get_or_load("m@cpu", Model) as handle, copy.copy(handle) as twin:
                assert twin.model is handle.model

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert holds(registry) == 0
    assert registry.metrics().loads == 1
    assert registry.metrics().cache_hits == 4000


def test_one_handle_released_by_many_threads_is_given_back_once(registry: rm.ModelRegistry) -> None:
    keeper = registry.get_or_load("m@cpu", Model)
    for _ in range(50):
        handle = registry.get_or_load("m@cpu", Model)
        together = threading.Barrier(8)

        def release(_: int, handle: Any = handle, together: threading.Barrier = together) -> None:
            together.wait(60)
            handle.release()

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(release, range(8)))
        assert holds(registry) == 1
    keeper.release()


def test_get_gives_a_hold_or_none_and_never_loads(registry: rm.ModelRegistry) -> None:
    for _ in range(2):
        assert registry.get("m@cpu") is None
    assert registry.metrics().cache_misses == 0
    model = registry.get_or_load("m@cpu", Model)
    handle = registry.get("m@cpu")
    assert handle is not None
    assert handle.model is model.model
    assert holds(registry) == 2
    model.release()
    handle.release()
    assert registry.evict("m@cpu")
    registry.clear(timeout=60)
    assert registry.get("m@cpu") is None


def test_in_says_whether_the_model_is_there(registry: rm.ModelRegistry) -> None:
    assert "m@cpu" not in registry
    registry.get_or_load("m@cpu", Model).release()
    assert "m@cpu" in registry
    assert 5 not in registry
    registry.evict("m@cpu")
    assert "m@cpu" not in registry


class Slots:
    __slots__ = ("weights",)


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise TypeError("not to be compared")


class Elusive:
    """No truth value, as arrays have none."""

    def __bool__(self) -> bool:
        raise TypeError("ambiguous")


@pytest.mark.parametrize(
    "make",
    [dict, list, int, tuple, str, bytes, set, Slots, Unhashable, Elusive, object, Model, lambda: Model, lambda: gc],
    ids=lambda make: getattr(make, "__name__", "?"),
)
def test_any_object_is_a_model(registry: rm.ModelRegistry, make: Callable[[], Any]) -> None:
    for _ in range(2):
        with registry.get_or_load("m@cpu", make) as handle:
            model = handle.model
            assert registry.get_or_load("m@cpu", make).model is model
        with asyncio.run(registry.get_or_load_async("m@cpu", make)) as handle:
            assert handle.model is model
        assert registry.evict("m@cpu")
        del model, handle
        registry.clear(timeout=60)


@pytest.mark.parametrize("make", [Model, Unhashable, Elusive, set], ids=lambda make: make.__name__)
def test_a_model_that_is_alive_after_eviction_is_found_again(
    registry: rm.ModelRegistry, make: Callable[[], Any]
) -> None:
    handle = registry.get_or_load("m@cpu", make, memory_bytes=10)
    model = handle.model
    handle.release()
    for _ in range(3):
        assert registry.evict("m@cpu")
        registry.clear(timeout=60)
        assert registry.metrics().total_memory_bytes == 0
        with registry.get_or_load("m@cpu", make, memory_bytes=10) as again:
            assert again.model is model
            assert registry.metrics().total_memory_bytes == 10
        with asyncio.run(registry.get_or_load_async("m@cpu", make)) as again:
            assert again.model is model
    metrics = registry.metrics()
    assert (metrics.loads, metrics.cache_misses) == (1, 1)
    assert metrics.load_seconds[-1][1] == 1
    assert metrics.cache_hits == 6


def test_a_coroutine_finds_a_living_model_again_too(registry: rm.ModelRegistry) -> None:
    calls: list[int] = []

    async def load() -> Model:
        calls.append(1)
        return Model()

    async def main() -> None:
        handle = await registry.get_or_load_async("m@cpu", load)
        model = handle.model
        handle.release()
        assert registry.evict("m@cpu")
        with await registry.get_or_load_async("m@cpu", load) as again:
            assert again.model is model

    asyncio.run(main())
    assert calls == [1]


def test_what_cannot_be_referred_to_weakly_is_loaded_again(registry: rm.ModelRegistry) -> None:
    handle = registry.get_or_load("m@cpu", Slots)
    model = handle.model
    handle.release()
    assert registry.evict("m@cpu")
    with registry.get_or_load("m@cpu", Slots) as again:
        assert again.model is not model
    assert registry.metrics().loads == 2


def test_a_living_model_of_another_registry_is_not_found(registry: rm.ModelRegistry) -> None:
    other = rm.ModelRegistry()
    assert registry.get_or_load("m@cpu", Model).model is not other.get_or_load("m@cpu", Model).model


def test_a_model_that_two_keys_share_is_found_by_both(registry: rm.ModelRegistry) -> None:
    model = Model()
    first = registry.get_or_load("a", lambda: model)
    second = registry.get_or_load("b", lambda: model)
    assert first.model is second.model
    first.release()
    assert registry.evict("a")
    assert second.model is model
    assert registry.get_or_load("a", Model).model is model


def test_handles_outlive_their_registry() -> None:
    registry = rm.ModelRegistry()
    handle = registry.get_or_load("m@cpu", Model)
    model = weakref.ref(handle.model)
    twin = copy.copy(handle)
    del registry
    gc.collect()
    assert handle.model is model()
    assert (handle.key, handle.model_id, handle.released) == ("m@cpu", "m@cpu", False)
    another = copy.copy(handle)
    handle.release()
    handle.release()
    twin.release()
    assert another.model is model()
    another.release()
    assert model() is None
