# SPDX-License-Identifier: Apache-2.0
"""Models are destroyed by the registry's own thread, with the GIL and without a lock: they may do what they like."""

import asyncio
import gc
import logging
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import remotemedia as rm
from tests.python.core.gated_load import SECONDS, Background, Events, GatedLoad, Model, Signal


class Graves:
    """Where and when models were destroyed."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.dug = threading.Condition()

    def model(self) -> "Mortal":
        return Mortal(self)

    def wait_for(self, count: int) -> set[int]:
        with self.dug:
            assert self.dug.wait_for(lambda: len(self.threads) >= count, SECONDS)
        assert len(self.threads) == count
        return set(self.threads)


class Mortal:
    def __init__(self, graves: Graves) -> None:
        self._graves = graves

    def __del__(self) -> None:
        with self._graves.dug:
            self._graves.threads.append(threading.get_ident())
            self._graves.dug.notify_all()


@pytest.fixture
def registry() -> rm.ModelRegistry:
    return rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=0.0))


@pytest.fixture
def own_thread(registry: rm.ModelRegistry) -> int:
    """The registry's."""
    events = Events(registry)
    registry.get_or_load("first", Model).release()
    events.wait_for("destroyed", "first")
    events.stop()
    (thread,) = events.threads
    assert thread != threading.get_ident()
    return thread


def ways(registry: rm.ModelRegistry) -> dict[str, Callable[[rm.ModelHandle[Any]], object]]:
    return {
        "release": lambda handle: handle.release(),
        "with": lambda handle: handle.__exit__(None, None, None),
        "another thread's release": lambda handle: Background(handle.release).result(),
    }


@pytest.mark.parametrize("way", ["release", "with", "another thread's release"])
def test_after_the_last_release(registry: rm.ModelRegistry, own_thread: int, way: str) -> None:
    graves = Graves()
    for count in (1, 2):
        handle = registry.get_or_load("m@cpu", graves.model)
        ways(registry)[way](handle)
        assert graves.wait_for(count) == {own_thread}


def test_when_the_handle_is_garbage(registry: rm.ModelRegistry, own_thread: int) -> None:
    graves = Graves()
    registry.get_or_load("m@cpu", graves.model)
    assert graves.wait_for(1) == {own_thread}
    cycle: list[Any] = [registry.get_or_load("m@cpu", graves.model)]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert graves.wait_for(2) == {own_thread}


@pytest.mark.parametrize("way", ["evict", "evict_expired", "clear", "pressure"])
def test_when_it_is_evicted(way: str) -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=None, max_models=1))
    events = Events(registry)
    graves = Graves()
    registry.get_or_load("m@cpu", graves.model).release()
    if way == "evict":
        assert registry.evict("m@cpu")
    elif way == "evict_expired":
        registry.get_or_load("m@cpu", graves.model, keep_alive=0).release()
        registry.evict_expired()
    elif way == "clear":
        registry.clear(timeout=60)
    else:
        registry.get_or_load("other", Model).release()
    graves.wait_for(1)
    events.wait_for("destroyed", "m@cpu")
    assert set(graves.threads) == events.threads


@pytest.mark.parametrize("run", ["run", "run_async"])
def test_when_nobody_waited_for_its_load(registry: rm.ModelRegistry, own_thread: int, run: str) -> None:
    """The last who knew the model was the leader itself."""
    graves = Graves()
    for count in range(1, 6):
        load = GatedLoad(graves.model)
        with pytest.raises(rm.DeadlineExceeded):
            if run == "run":
                registry.get_or_load("m@cpu", load.run, timeout=0.001)
            else:
                asyncio.run(_give_up(registry, load))
        load.may_end.set()
        if run == "run":
            assert graves.wait_for(count) == {own_thread}


async def _give_up(registry: rm.ModelRegistry, load: GatedLoad) -> None:
    with pytest.raises(rm.DeadlineExceeded):
        await registry.get_or_load_async("m@cpu", load.run_async, timeout=0.001)
    load.may_end.set()
    while (await asyncio.to_thread(registry.get, "m@cpu")) is not None:
        pass
    raise rm.DeadlineExceeded


def test_a_loaded_model_is_known_to_the_registry_alone(registry: rm.ModelRegistry) -> None:
    """No frame of the leader's, no task and no exception keeps it when it is published."""
    counts: list[int] = []

    def count(event: rm.RegistryEvent) -> None:
        if event.kind == "loaded":
            handle = registry.get("m@cpu")
            if handle is not None:
                counts.append(sys.getrefcount(handle.model))
                looked.set()

    looked = Signal()
    stop = registry.subscribe(count)
    registry.get_or_load("m@cpu", Model, keep_alive=-1).release()
    assert looked.wait(SECONDS)
    stop()
    handle = registry.get("m@cpu")
    assert handle is not None
    assert counts == [sys.getrefcount(handle.model)]


def test_weak_references_are_told_by_the_registrys_thread(registry: rm.ModelRegistry, own_thread: int) -> None:
    told: list[int] = []
    over = threading.Event()

    def gone(_: object) -> None:
        told.append(threading.get_ident())
        over.set()

    handle = registry.get_or_load("m@cpu", Model)
    reference = weakref.ref(handle.model, gone)
    handle.release()
    assert over.wait(SECONDS)
    assert told == [own_thread]
    assert reference() is None


def test_a_destructor_that_raises_is_reported_and_the_registry_goes_on(
    registry: rm.ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: reported.append(str(unraisable.exc_value)))

    class Torn:
        def __del__(self) -> None:
            raise OSError("cannot close")

    for count in (1, 2):
        registry.get_or_load("m@cpu", Torn, memory_bytes=10).release()
        registry.clear(timeout=60)
        assert reported == ["cannot close"] * count
        assert registry.metrics().total_memory_bytes == 0


def test_a_model_that_was_destroyed_and_brought_back_is_not_found_again(registry: rm.ModelRegistry) -> None:
    """Its destructor has closed what it had."""
    kept: list[Any] = []

    class Lazarus:
        def __del__(self) -> None:
            kept.append(self)

    for count in (1, 2):
        registry.get_or_load("m@cpu", Lazarus).release()
        registry.clear(timeout=60)
        assert len(kept) == count
    assert kept[0] is not kept[1]
    assert registry.metrics().loads == 2


def test_a_destructor_may_use_the_registry(registry: rm.ModelRegistry) -> None:
    did: dict[str, Any] = {}
    over = threading.Event()
    other = registry.get_or_load("other", Model, keep_alive=-1)

    class Busy:
        def __del__(self) -> None:
            try:
                did["states"] = [(info.key, info.state) for info in registry.list_models()]
                did["models"] = registry.metrics().total_models
                with registry.get_or_load("other", Model) as handle:
                    did["hit"] = handle.model is other.model
                did["get"] = registry.get("busy")
                did["evict"] = registry.evict("other")
                registry.pin("other")
                registry.unpin("other")
                did["expired"] = registry.evict_expired().count
                did["plan"] = registry.plan("new", 5).fits
                registry.subscribe(lambda _: None)()
                for call in (registry.clear, partial(registry.get_or_load, "new", Model)):
                    try:
                        call()
                    except rm.RemoteMediaError as error:
                        did[str(call)[:20]] = error
            finally:
                over.set()

    registry.get_or_load("busy", Busy).release()
    assert over.wait(SECONDS)
    refused = [value for value in did.values() if isinstance(value, rm.InvalidArgument)]
    assert len(refused) == 2  # to wait for itself
    assert did["states"] == [("busy", "evicting"), ("other", "ready")]
    assert did["models"] == 2
    assert did["hit"]
    assert did["get"] is None
    assert not did["evict"]
    assert did["plan"]


def test_a_load_from_a_destructor_is_refused_where_it_would_wait_for_its_own_end() -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=0.0, max_models=1))
    refused: list[str] = []
    over = threading.Event()

    class Phoenix:
        def __del__(self) -> None:
            try:
                registry.get_or_load("m@cpu", Model)
            except rm.InvalidArgument as error:
                refused.append(str(error))
            over.set()

    registry.get_or_load("m@cpu", Phoenix).release()
    assert over.wait(SECONDS)
    assert "'m@cpu'" in refused[0]
    with Background(partial(registry.get_or_load, "m@cpu", Model)).result() as handle:
        assert isinstance(handle.model, Model)


def test_a_listener_that_loads_is_refused_and_logged(
    registry: rm.ModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "remotemedia"):
        registry.subscribe(lambda _: registry.get_or_load("new", Model).release())
        events = Events(registry)
        registry.get_or_load("m@cpu", Model).release()
        events.wait_for("destroyed", "m@cpu")
    assert "'new' is not there, and a listener or destructor must not load it" in caplog.text
    assert "new" not in registry


def test_others_go_on_while_a_destructor_takes_its_time(registry: rm.ModelRegistry) -> None:
    dying, may_die = threading.Event(), threading.Event()

    class Slow:
        def __del__(self) -> None:
            dying.set()
            assert may_die.wait(SECONDS)

    registry.get_or_load("slow", Slow).release()
    assert dying.wait(SECONDS)
    with registry.get_or_load("other", Model) as handle:
        assert handle.model is not None
    assert {info.key: info.state for info in registry.list_models()}["slow"] == "evicting"
    waiting = Background(partial(registry.get_or_load, "slow", Model))  # waits for its predecessor's end
    with pytest.raises(rm.DeadlineExceeded):
        registry.get_or_load("slow", Model, timeout=0.01)
    may_die.set()
    assert isinstance(waiting.result().model, Model)


def test_clear_frees_chains_of_models_that_hold_each_others_handles() -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=None))
    graves = Graves()

    class Link(Mortal):
        def __init__(self, depth: int) -> None:
            super().__init__(graves)
            self.next = registry.get_or_load(f"link {depth - 1}", partial(Link, depth - 1)) if depth else None

    registry.get_or_load("link 20", partial(Link, 20)).release()
    assert len(registry.list_models()) == 21
    registry.clear(timeout=60)
    assert registry.list_models() == []
    graves.wait_for(21)


def test_clear_waits_until_destructors_have_returned(registry: rm.ModelRegistry) -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=None))
    graves = Graves()
    for index in range(20):
        registry.get_or_load(str(index), graves.model).release()
    registry.clear()
    assert len(graves.threads) == 20


def test_two_threads_may_clear_at_once(registry: rm.ModelRegistry) -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=None))
    for _ in range(20):
        for index in range(5):
            registry.get_or_load(str(index), Model).release()
        threads = [Background(partial(registry.clear, timeout=60)) for _ in range(2)]
        for thread in threads:
            thread.result()
        assert registry.list_models() == []


def test_the_end_of_a_registry_destroys_what_nobody_holds() -> None:
    graves = Graves()
    registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=None))
    registry.get_or_load("idle", graves.model).release()
    held = registry.get_or_load("held", graves.model)
    registry.pin("idle")
    del registry
    gc.collect()
    assert graves.wait_for(1) != {threading.get_ident()}
    held.release()
    graves.wait_for(2)


def test_a_registry_whose_last_reference_goes_in_a_destructor_ends() -> None:
    """On its own thread, which cannot wait for itself."""
    graves = Graves()
    registry: rm.ModelRegistry | None = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=None))
    assert registry is not None

    class Owner(Mortal):
        def __init__(self) -> None:
            super().__init__(graves)
            self.registry = registry

    registry.get_or_load("idle", graves.model).release()
    registry.get_or_load("owner", Owner, keep_alive=0).release()
    registry = None
    graves.wait_for(2)
