# SPDX-License-Identifier: Apache-2.0
"""What a registry tells: models, holders, numbers, events."""

import copy
import logging
import math
import time

import pytest

import remotemedia as rm

from .gated_load import Background, Events, GatedLoad, Model


def test_list_models_describes_a_model(registry: rm.ModelRegistry) -> None:
    before = time.time()
    with registry.get_or_load("m@cuda:0", Model, memory_bytes=10, device="cuda:0"):
        (info,) = registry.list_models()
        assert (info.key, info.model_id, info.device, info.state) == ("m@cuda:0", "m@cuda:0", "cuda:0", "ready")
        assert (info.memory_bytes, info.reference_count, info.access_count, info.pinned) == (10, 1, 1, False)
        assert before - 1 < info.loaded_at <= info.last_accessed + 1 <= time.time() + 2
        assert info.expires_in is None


def test_a_model_that_loads_is_listed_as_loading(registry: rm.ModelRegistry) -> None:
    gated = GatedLoad()
    caller = Background(lambda: registry.get_or_load("a", gated.run, memory_bytes=7))
    assert gated.started.wait(60)
    (info,) = registry.list_models()
    assert (info.state, info.memory_bytes, info.reference_count) == ("loading", 7, 0)
    assert "a" not in registry
    assert registry.get("a") is None
    gated.may_end.set()
    caller.result().release()


def test_model_id_is_what_the_model_says(registry: rm.ModelRegistry) -> None:
    class Named:
        model_id = "silero"

    with registry.get_or_load("a", Named) as handle:
        assert handle.model_id == "silero"
        assert registry.list_models()[0].model_id == "silero"


def test_each_hold_is_labelled_with_the_function_that_asked(registry: rm.ModelRegistry) -> None:
    def somebody() -> rm.ModelHandle[Model]:
        return registry.get_or_load("a", Model)

    held = [somebody(), somebody()]
    held.append(copy.copy(held[0]))
    (info,) = registry.list_models()
    assert info.reference_count == len(info.holders) == len(info.held_since) == 3
    assert all("test_introspection.py:" in label and "somebody" in label for label in info.holders)
    for handle in held:
        handle.release()
    assert registry.list_models()[0].holders == []


async def test_coroutines_are_named_too(registry: rm.ModelRegistry) -> None:
    async def load() -> Model:
        return Model()

    for _ in range(2):
        with await registry.get_or_load_async("a", load):
            (label,) = registry.list_models()[0].holders
            assert "test_coroutines_are_named_too" in label


def test_metrics_count_exactly(registry: rm.ModelRegistry) -> None:
    def broken() -> Model:
        raise OSError("no such file")

    for _ in range(2):
        with pytest.raises(rm.LoadFailed):
            registry.get_or_load("broken", broken)
    for _ in range(10):
        registry.get_or_load("a", Model, memory_bytes=5).release()
    metrics = registry.metrics()
    assert (metrics.cache_hits, metrics.cache_misses, metrics.loads, metrics.failed_loads) == (9, 3, 1, 2)
    assert metrics.hit_rate == 9 / 12
    assert (metrics.total_models, metrics.total_memory_bytes) == (1, 5)
    registry.clear(timeout=60)
    metrics = registry.metrics()
    assert (metrics.evictions, metrics.evicted_bytes) == (1, 5)
    assert (metrics.total_models, metrics.total_memory_bytes) == (0, 0)
    assert metrics.cache_hits == 9


def test_load_seconds_are_cumulative_and_end_with_infinity(registry: rm.ModelRegistry) -> None:
    for key in "abc":
        registry.get_or_load(key, Model).release()
    histogram = registry.metrics().load_seconds
    bounds = [bound for bound, _ in histogram]
    counts = [count for _, count in histogram]
    assert bounds == sorted(bounds)
    assert bounds[-1] == math.inf
    assert counts == sorted(counts)
    assert counts[-1] == 3


def test_events_come_in_order_on_one_thread_until_they_are_stopped(registry: rm.ModelRegistry) -> None:
    events = Events(registry)
    registry.get_or_load("a", Model, memory_bytes=5).release()
    registry.get_or_load("a", Model).release()
    assert registry.evict("a")
    assert events.wait_for("destroyed", "a").bytes == 5
    assert events.kinds("a") == ["load_started", "loaded", "released", "hit", "released", "evicted", "destroyed"]
    assert len(events.threads) == 1
    events.stop()
    events.stop()
    again = Events(registry)
    registry.get_or_load("b", Model).release()
    again.wait_for("released", "b")
    assert events.kinds("b") == []


def test_a_listener_that_raises_is_logged_and_goes_on(
    registry: rm.ModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def listener(event: rm.RegistryEvent) -> None:
        calls.append(event.kind)
        raise RuntimeError("listener is tired")

    with caplog.at_level(logging.WARNING, "remotemedia"):
        registry.subscribe(listener)
        events = Events(registry)
        registry.get_or_load("a", Model).release()
        events.wait_for("released", "a")
    assert calls == ["load_started", "loaded", "released"]
    assert "listener is tired" in caplog.text


def test_a_handle_that_was_released_says_so(registry: rm.ModelRegistry) -> None:
    handle = registry.get_or_load("a", Model)
    assert (handle.key, handle.scope, handle.endpoint, handle.released) == ("a", "process", None, False)
    handle.release()
    handle.release()
    assert handle.released
    for _ in range(2):
        with pytest.raises(rm.RemoteMediaError, match="released"):
            _ = handle.model
        with pytest.raises(rm.RemoteMediaError, match="released"):
            copy.copy(handle)


def test_a_handle_is_released_by_with_and_by_the_collector(registry: rm.ModelRegistry) -> None:
    with registry.get_or_load("a", Model) as handle:
        assert registry.list_models()[0].reference_count == 1
    assert handle.released
    handle = registry.get_or_load("a", Model)
    del handle
    assert registry.list_models()[0].reference_count == 0
