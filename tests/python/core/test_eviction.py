# SPDX-License-Identifier: Apache-2.0
"""Who stays and who goes, as Python sees it. The exact times are tested in C++, with a clock moved by hand."""

import threading
import weakref
from typing import Any

import pytest

import remotemedia as rm

from .gated_load import Events, GatedLoad, Model


def limited(**limits: Any) -> rm.ModelRegistry:
    return rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=None, **limits))


def load_all(registry: rm.ModelRegistry, *keys: str, memory_bytes: int = 0) -> None:
    for key in keys:
        registry.get_or_load(key, Model, memory_bytes=memory_bytes).release()


def keys(registry: rm.ModelRegistry) -> list[str]:
    return [info.key for info in registry.list_models() if info.state == "ready"]


def test_lru_takes_the_model_released_longest_ago() -> None:
    registry = limited(max_models=2)
    load_all(registry, "a", "b", "a", "c")
    assert keys(registry) == ["a", "c"]


def test_lfu_takes_the_model_asked_for_least_often() -> None:
    registry = limited(max_models=2, eviction_policy="lfu")
    load_all(registry, "a", "a", "a", "b", "c")
    assert keys(registry) == ["a", "c"]


def test_ttl_takes_only_what_has_expired() -> None:
    registry = limited(max_models=1, eviction_policy=rm.EvictionPolicy.TTL)
    load_all(registry, "a")
    for _ in range(2):
        with pytest.raises(rm.OutOfMemory):
            registry.get_or_load("b", Model)
    assert keys(registry) == ["a"]


def test_manual_takes_nobody_for_pressure_or_time() -> None:
    registry = limited(max_models=1, eviction_policy="manual")
    registry.get_or_load("a", Model, keep_alive=0).release()
    for _ in range(2):
        with pytest.raises(rm.OutOfMemory) as refused:
            registry.get_or_load("b", Model)
        assert refused.value.holders == ["a"]
    assert registry.evict_expired().count == 0
    assert registry.evict("a")
    registry.get_or_load("b", Model).release()


def test_what_cannot_fit_is_refused_with_who_is_in_the_way_and_evicts_nothing() -> None:
    registry = limited(max_memory_bytes=100)
    load_all(registry, "idle", memory_bytes=30)
    with registry.get_or_load("held", Model, memory_bytes=60):
        for _ in range(2):
            with pytest.raises(rm.OutOfMemory) as refused:
                registry.get_or_load("new", Model, memory_bytes=50)
            error = refused.value
            assert isinstance(error, MemoryError)
            assert (error.unit, error.needed, error.available, error.holders) == ("bytes", 50, 40, ["held"])
            assert keys(registry) == ["held", "idle"]


def test_a_model_larger_than_the_budget_is_refused_before_its_loader_runs() -> None:
    registry = limited(max_memory_bytes=100)
    calls: list[int] = []
    for _ in range(2):
        with pytest.raises(rm.OutOfMemory):
            registry.get_or_load("new", lambda: calls.append(1), memory_bytes=101)
    assert not calls


def test_the_models_own_memory_usage_replaces_what_was_declared() -> None:
    class Sized:
        def memory_usage(self) -> int:
            return 70

    registry = limited(max_memory_bytes=100)
    with registry.get_or_load("a", Sized, memory_bytes=10):
        assert registry.metrics().total_memory_bytes == 70


def test_a_pinned_model_stays_until_it_is_unpinned(registry: rm.ModelRegistry) -> None:
    with registry.get_or_load("a", Model):
        registry.pin("a")
    assert registry.list_models()[0].pinned
    assert not registry.evict("a")
    assert registry.evict_expired().count == 0
    registry.unpin("a")
    registry.clear(timeout=60)
    assert "a" not in registry


@pytest.mark.parametrize("call", ["pin", "unpin"])
def test_pinning_what_is_not_there_is_model_not_found(registry: rm.ModelRegistry, call: str) -> None:
    with pytest.raises(rm.ModelNotFound, match="'nobody' is not loaded"):
        getattr(registry, call)("nobody")
    with pytest.raises(KeyError):
        getattr(registry, call)("nobody")


def test_keep_alive_zero_goes_with_the_last_hold(registry: rm.ModelRegistry) -> None:
    events = Events(registry)
    first = registry.get_or_load("a", Model, keep_alive="0")
    second = registry.get_or_load("a", Model)
    ghost = weakref.ref(first.model)
    first.release()
    assert "a" in registry
    second.release()
    events.wait_for("destroyed", "a")
    assert ghost() is None


def test_keep_alive_of_a_hit_holds_from_then_on(registry: rm.ModelRegistry) -> None:
    events = Events(registry)
    registry.get_or_load("a", Model, keep_alive=-1).release()
    assert registry.list_models()[0].expires_in is None
    registry.get_or_load("a", Model, keep_alive="5m").release()
    assert 290 < (registry.list_models()[0].expires_in or 0) <= 300
    registry.get_or_load("a", Model, keep_alive=0).release()
    events.wait_for("destroyed", "a")


@pytest.mark.parametrize("text", ["", "5", "90", "300ms", "30s", "5m", "1h30m", "-1", "-1m", "0", 0, 1.5, -1, None])
def test_a_keep_alive_that_parses_is_taken(registry: rm.ModelRegistry, text: Any) -> None:
    if text == "":
        with pytest.raises(ValueError, match="no duration"):
            registry.get_or_load("a", Model, keep_alive=text)
    else:
        registry.get_or_load("a", Model, keep_alive=text).release()


@pytest.mark.parametrize("text", ["soon", "5 m", "1x", "m", "1h30", "--1", "nan", float("nan"), float("inf")])
def test_a_keep_alive_that_does_not_parse_is_refused_before_loading(registry: rm.ModelRegistry, text: Any) -> None:
    calls: list[int] = []

    def load() -> Model:
        calls.append(1)
        return Model()

    for _ in range(2):
        with pytest.raises(ValueError, match="keep_alive"):
            registry.get_or_load("a", load, keep_alive=text)
    assert not calls
    with registry.get_or_load("a", Model), pytest.raises(ValueError, match="keep_alive"):
        registry.get_or_load("a", Model, keep_alive=text)


def test_clear_takes_what_nobody_holds_and_waits_until_it_is_destroyed(registry: rm.ModelRegistry) -> None:
    ghosts = []
    for key in ("a", "b"):
        with registry.get_or_load(key, Model) as handle:
            ghosts.append(weakref.ref(handle.model))
    registry.pin("b")
    with registry.get_or_load("held", Model):
        registry.clear(timeout=60)
        assert [ghost() for ghost in ghosts] == [None, None]
        assert keys(registry) == ["held"]


def test_clear_that_takes_longer_than_its_timeout_says_so(registry: rm.ModelRegistry) -> None:
    may_die = threading.Event()
    dying = threading.Event()

    class Slow:
        def __del__(self) -> None:
            dying.set()
            may_die.wait(60)

    registry.get_or_load("a", Slow, memory_bytes=10).release()
    for _ in range(2):
        with pytest.raises(rm.DeadlineExceeded):
            registry.clear(timeout=0.01)
    assert dying.wait(60)
    assert registry.list_models()[0].state == "evicting"
    assert registry.metrics().total_memory_bytes == 10
    may_die.set()
    registry.clear(timeout=60)
    assert registry.metrics().total_memory_bytes == 0


def test_a_load_that_needs_the_room_of_a_dying_model_waits_for_it() -> None:
    registry = limited(max_memory_bytes=100)
    may_die = threading.Event()

    class Slow:
        def __del__(self) -> None:
            may_die.wait(60)

    registry.get_or_load("old", Slow, memory_bytes=80).release()
    gated = GatedLoad()
    thread = threading.Thread(target=lambda: registry.get_or_load("new", gated.run, memory_bytes=80).release())
    thread.start()
    events = Events(registry)
    assert not gated.started.is_set()
    may_die.set()
    assert gated.started.wait(60)
    assert registry.metrics().total_memory_bytes == 80
    gated.may_end.set()
    thread.join()
    events.wait_for("loaded", "new")


def test_plan_says_what_would_go_and_does_nothing() -> None:
    registry = limited(max_memory_bytes=100)
    load_all(registry, "a", "b", memory_bytes=40)
    plan = registry.plan("new", 50)
    assert (plan.fits, plan.victims, plan.blocked_by) == (True, ["a"], [])
    with registry.get_or_load("a", Model), registry.get_or_load("b", Model):
        plan = registry.plan("new", 50)
        assert (plan.fits, plan.victims, sorted(plan.blocked_by)) == (False, [], ["a", "b"])
    assert keys(registry) == ["a", "b"]


def test_the_model_is_destroyed_by_the_registrys_thread(registry: rm.ModelRegistry) -> None:
    threads: list[int] = []

    class Dying:
        def __del__(self) -> None:
            threads.append(threading.get_ident())

    handle = registry.get_or_load("a", Dying, keep_alive=0)
    events = Events(registry)
    handle.release()
    events.wait_for("destroyed", "a")
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
    assert events.threads == set(threads)


def test_an_evicted_model_that_somebody_still_has_is_found_again(registry: rm.ModelRegistry) -> None:
    calls: list[int] = []

    def load() -> Model:
        calls.append(1)
        return Model()

    with registry.get_or_load("a", load) as handle:
        bare = handle.model
    assert registry.evict("a")
    registry.clear(timeout=60)
    with registry.get_or_load("a", load) as handle:
        assert handle.model is bare
    assert len(calls) == 1
    assert registry.metrics().loads == 1
    del bare


@pytest.mark.parametrize(
    "limits",
    [
        {"max_memory_bytes": -1},
        {"max_models": 0},
        {"max_models": -1},
        {"eviction_policy": "random"},
        {"cleanup_interval_seconds": 0.0},
        {"max_concurrent_loads": 0},
        {"min_residency_seconds": -1.0},
        {"failed_load_ttl_seconds": -1.0},
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, Any]) -> None:
    (name,) = limits
    with pytest.raises(ValueError, match=name.removesuffix("_seconds")):
        rm.ModelRegistry(rm.RegistryConfig(**limits))
