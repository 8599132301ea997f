# SPDX-License-Identifier: Apache-2.0
"""Cycles through registries, handles, models and listeners are collected; nothing grows with use."""

import asyncio
import ctypes
import gc
import resource
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import remotemedia as rm
from tests.python.core.gated_load import SECONDS, Events, Model

PROCESS = ctypes.CDLL(None)
if hasattr(PROCESS, "__sanitizer_get_current_allocated_bytes"):
    PROCESS.__sanitizer_get_current_allocated_bytes.restype = ctypes.c_size_t


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    gc.collect()
    yield
    gc.collect()


def count_threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def wait_for_threads(expected: int) -> None:
    """The kernel lists a thread a moment longer than it takes to join it."""
    deadline = time.monotonic() + SECONDS
    while (running := count_threads()) != expected:
        assert time.monotonic() < deadline, f"{running} threads, expected {expected}"
        time.sleep(0.001)


class Node:
    """What users write: it has a registry, a handle, a listener."""

    registry: rm.ModelRegistry
    handle: rm.ModelHandle[Any]

    def hear(self, _: rm.RegistryEvent) -> None:
        """Of its registry."""


def test_a_registry_in_a_cycle_is_collected_with_its_thread() -> None:
    before = count_threads()
    node = Node()
    node.registry = rm.ModelRegistry()
    node.registry.node = node  # type: ignore[attr-defined]
    node.handle = node.registry.get_or_load("m@cpu", Model)
    model = weakref.ref(node.handle.model)
    reference = weakref.ref(node.registry)
    del node
    gc.collect()
    assert reference() is None
    assert model() is None
    wait_for_threads(before)


def test_a_listener_that_refers_to_its_registry_is_collected() -> None:
    node = Node()
    node.registry = rm.ModelRegistry()
    node.registry.subscribe(node.hear)
    reference = weakref.ref(node)
    del node
    gc.collect()
    assert reference() is None


def test_a_listener_that_was_ended_is_let_go_at_once(registry: rm.ModelRegistry) -> None:
    node = Node()
    reference = weakref.ref(node)
    stop = registry.subscribe(node.hear)
    other = Events(registry)
    registry.get_or_load("m@cpu", Model).release()
    other.wait_for("released", "m@cpu")
    del node
    assert reference() is not None
    stop()
    other.stop()
    registry.clear(timeout=60)  # whatever the registry's thread was doing with it is over
    assert reference() is None
    stop()


def test_a_model_that_refers_to_its_registry_is_collected_with_it() -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=None))
    with registry.get_or_load("m@cpu", Node) as handle:
        handle.model.registry = registry
        model = weakref.ref(handle.model)
    reference = weakref.ref(registry)
    del registry, handle
    gc.collect()
    assert reference() is None
    assert model() is None


def test_a_model_that_holds_its_own_handle_is_collected_with_its_registry() -> None:
    registry = rm.ModelRegistry()
    handle = registry.get_or_load("m@cpu", Node)
    handle.model.handle = handle
    model = weakref.ref(handle.model)
    del handle
    gc.collect()
    assert model() is not None, "it is held"
    assert registry.list_models()[0].reference_count == 1
    del registry
    gc.collect()
    assert model() is None


def test_a_model_that_holds_its_own_handle_is_collected_when_the_handle_is_released() -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=0.0))
    handle = registry.get_or_load("m@cpu", Node)
    handle.model.handle = handle
    model = weakref.ref(handle.model)
    handle.release()
    registry.clear(timeout=60)
    del handle
    gc.collect()
    assert model() is None


def test_models_that_hold_each_other_are_collected_with_their_registry() -> None:
    registry = rm.ModelRegistry()
    first, second = registry.get_or_load("a", Node), registry.get_or_load("b", Node)
    first.model.handle, second.model.handle = second, first
    models = [weakref.ref(first.model), weakref.ref(second.model)]
    del first, second, registry
    gc.collect()
    assert [model() for model in models] == [None, None]


def test_a_loader_class_that_refers_to_its_registry_is_collected_with_it() -> None:
    registry = rm.ModelRegistry()

    class Local:
        used = registry

    registry.get_or_load("m@cpu", Local).release()
    reference = weakref.ref(Local)
    del registry, Local
    gc.collect()
    assert reference() is None


def test_a_failed_load_leaves_no_cycle(registry: rm.ModelRegistry) -> None:
    class Torn(Exception):
        pass

    class Interrupt(KeyboardInterrupt):
        pass

    errors: list[weakref.ref[BaseException]] = []

    def load() -> Model:
        error = Torn()
        errors.append(weakref.ref(error))
        raise error

    def interrupted() -> Model:
        error = Interrupt()
        errors.append(weakref.ref(error))
        raise error

    with pytest.raises(rm.LoadFailed):
        registry.get_or_load("m@cpu", load)
    with pytest.raises(rm.LoadFailed):
        registry.get_or_load("m@cpu", load, timeout=60)
    with pytest.raises(rm.LoadFailed):
        asyncio.run(registry.get_or_load_async("m@cpu", load))
    with pytest.raises(KeyboardInterrupt):
        registry.get_or_load("m@cpu", interrupted)
    for thread in threading.enumerate():
        if thread.name == "load m@cpu":
            thread.join(60)
    gc.collect()
    assert [error() for error in errors] == [None] * 4


def test_a_remembered_failure_is_let_go_when_it_is_forgotten() -> None:
    class Torn(Exception):
        pass

    registry = rm.ModelRegistry(rm.RegistryConfig(failed_load_ttl_seconds=3600))
    errors: list[weakref.ref[BaseException]] = []

    def load() -> Model:
        error = Torn()
        errors.append(weakref.ref(error))
        raise error

    with pytest.raises(rm.LoadFailed):
        registry.get_or_load("m@cpu", load)
    gc.collect()
    assert errors[0]() is not None
    del registry
    gc.collect()
    assert errors[0]() is None


def memory_kib() -> int:
    """Resident memory; under AddressSanitizer, which keeps what was freed, what its allocator has given out."""
    if hasattr(PROCESS, "__sanitizer_get_current_allocated_bytes"):
        return int(PROCESS.__sanitizer_get_current_allocated_bytes()) // 1024
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


def test_a_hundred_thousand_hits_leave_nothing(registry: rm.ModelRegistry) -> None:
    def load() -> Model:
        return Model()

    arguments: dict[str, Any] = {}
    handle = registry.get_or_load("m@cpu", load)

    def hit(times: int) -> None:
        for _ in range(times):
            registry.get_or_load("m@cpu", load).release()
        for _ in range(times // 10):
            registry.get_or_load("m@cpu", load, arguments=arguments, memory_bytes=5, timeout=5).release()
            registry.get_or_load("m@cpu", load, keep_alive=-1).release()
            registry.get("m@cpu")

    hit(1000)
    gc.collect()
    watched = [handle.model, load, load.__code__, registry, arguments, "m@cpu", rm.ModelHandle]
    counts = [sys.getrefcount(value) for value in watched]
    objects, memory = len(gc.get_objects()), memory_kib()
    hit(100_000)
    gc.collect()
    assert [sys.getrefcount(value) for value in watched] == counts
    assert len(gc.get_objects()) - objects < 50
    assert memory_kib() - memory < 2048
    assert registry.list_models()[0].reference_count == 1


def test_a_thousand_loads_and_evictions_leave_nothing() -> None:
    registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=0.0))

    class Heavy:
        def __init__(self) -> None:
            self.weights = bytearray(100_000)

    def load(progress: Any) -> Heavy:
        progress(0.5, "half")
        return Heavy()

    async def load_async() -> Heavy:
        return Heavy()

    def broken() -> Heavy:
        raise OSError("torn")

    def cycle(times: int) -> None:
        for index in range(times):
            registry.get_or_load(f"m{index}", load, progress=lambda _: None).release()
            registry.clear(timeout=60)
            with pytest.raises(rm.LoadFailed):
                registry.get_or_load(f"m{index}", broken)

    async def cycle_async(times: int) -> None:
        for index in range(times):
            (await registry.get_or_load_async(f"m{index}", load_async)).release()
            registry.clear(timeout=60)

    def everything(times: int) -> None:
        cycle(times)
        asyncio.run(cycle_async(times))

    everything(50)
    gc.collect()
    watched = [load, load_async, Heavy, registry, OSError, rm.LoadFailed]
    counts = [sys.getrefcount(value) for value in watched]
    objects, memory, running = len(gc.get_objects()), memory_kib(), count_threads()
    everything(1000)
    gc.collect()
    assert [sys.getrefcount(value) for value in watched] == counts
    assert len(gc.get_objects()) - objects < 100
    assert memory_kib() - memory < 4096  # one of 2000 models of 100 kB leaks 200 MB
    wait_for_threads(running)


def test_registries_leave_nothing() -> None:
    def use() -> None:
        registry = rm.ModelRegistry()
        registry.subscribe(lambda _: None)
        registry.get_or_load("m@cpu", Model).release()
        held = registry.get_or_load("held", Model)
        del registry
        held.release()

    for _ in range(10):
        use()
    gc.collect()
    objects, running = len(gc.get_objects()), count_threads()
    for _ in range(100):
        use()
    gc.collect()
    assert len(gc.get_objects()) - objects < 50
    wait_for_threads(running)
