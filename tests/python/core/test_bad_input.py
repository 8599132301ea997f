# SPDX-License-Identifier: Apache-2.0
"""What makes no sense gets a clear error before anything happens, on a hit as on a load, and changes nothing."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import remotemedia as rm
from tests.python.core.gated_load import Model

Ask = Callable[..., rm.ModelHandle[Any]]


@pytest.fixture(params=["cold", "hit"])
def temperature(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["blocking", "asyncio"])
def ask(request: pytest.FixtureRequest, registry: rm.ModelRegistry) -> Ask:
    """get_or_load in both ways."""

    def ask_on_a_loop(*arguments: Any, **options: Any) -> rm.ModelHandle[Any]:
        async def call() -> rm.ModelHandle[Any]:
            return await registry.get_or_load_async(*arguments, **options)

        return asyncio.run(call())

    return registry.get_or_load if request.param == "blocking" else ask_on_a_loop


class Unchanged:
    """That a registry is after a block as it was before, and that the block loads nothing."""

    def __init__(self, registry: rm.ModelRegistry) -> None:
        self._registry = registry

    def __enter__(self) -> None:
        self._before = self._state()

    def __exit__(self, *error: object) -> None:
        assert self._state() == self._before

    def _state(self) -> tuple[Any, ...]:
        metrics = self._registry.metrics()
        return (
            [(info.key, info.state, info.reference_count, info.holders) for info in self._registry.list_models()],
            metrics.loads,
            metrics.failed_loads,
            metrics.cache_misses,
            metrics.cache_hits,
        )


BAD_OPTIONS = [
    ({"memory_bytes": -1}, ValueError, "memory_bytes must be at least 0"),
    ({"memory_bytes": 2**64}, ValueError, "memory_bytes must be at least 0 and at most"),
    ({"memory_bytes": 1.5}, TypeError, "memory_bytes must be an int, not float"),
    ({"memory_bytes": "1 MB"}, TypeError, "memory_bytes must be an int, not str"),
    ({"memory_bytes": True}, TypeError, "memory_bytes must be an int, not bool"),
    ({"keep_alive": "soon"}, ValueError, "keep_alive 'soon' is no duration"),
    ({"keep_alive": ""}, ValueError, "keep_alive '' is no duration"),
    ({"keep_alive": "5 m"}, ValueError, "is no duration"),
    ({"keep_alive": "5x"}, ValueError, "is no duration"),
    ({"keep_alive": "1e3"}, ValueError, "is no duration"),
    ({"keep_alive": "inf"}, ValueError, "is no duration"),
    ({"keep_alive": "nan"}, ValueError, "is no duration"),
    ({"keep_alive": "\ud800"}, ValueError, "surrogates"),
    ({"keep_alive": float("nan")}, ValueError, "keep_alive must be a finite number"),
    ({"keep_alive": float("inf")}, ValueError, "keep_alive must be a finite number"),
    ({"keep_alive": True}, TypeError, "keep_alive must be a number of seconds, not bool"),
    ({"keep_alive": b"5"}, TypeError, "keep_alive must be a number of seconds, not bytes"),
    ({"keep_alive": [5]}, TypeError, "keep_alive must be a number of seconds, not list"),
    ({"timeout": -0.001}, ValueError, "timeout must not be negative"),
    ({"timeout": float("nan")}, ValueError, "timeout must be a finite number"),
    ({"timeout": "5"}, TypeError, "timeout must be a number of seconds, not str"),
    ({"timeout": True}, TypeError, "timeout must be a number of seconds, not bool"),
    ({"device": None}, TypeError, "device must be a str, not NoneType"),
    ({"device": 0}, TypeError, "device must be a str, not int"),
    ({"progress": 5}, TypeError, "progress must be callable, not int"),
    ({"arguments": [("a", 1)]}, TypeError, "arguments must be a mapping, not list"),
    ({"arguments": 5}, TypeError, "arguments must be a mapping, not int"),
    ({"arguments": {1: 2}}, TypeError, "each name in arguments must be a str, not int"),
    ({"colour": "red"}, TypeError, "colour"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD_OPTIONS, ids=[str(case[0]) for case in BAD_OPTIONS])
def test_an_option_that_makes_no_sense_is_refused(
    registry: rm.ModelRegistry,
    ask: Ask,
    temperature: str,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    if temperature == "hit":
        registry.get_or_load("m@cpu", Model).release()
    with Unchanged(registry):
        for _ in range(2):
            with pytest.raises(error, match=message):
                ask("m@cpu", Model, **options)


@pytest.mark.parametrize("loader", [None, 5, "package.module:load", object()])
def test_a_loader_that_is_not_callable_is_refused(
    registry: rm.ModelRegistry, ask: Ask, temperature: str, loader: Any
) -> None:
    if temperature == "hit":
        registry.get_or_load("m@cpu", Model).release()
    with Unchanged(registry):
        for _ in range(2):
            with pytest.raises(TypeError, match="the loader of 'm@cpu' must be callable, not"):
                ask("m@cpu", loader)
            with pytest.raises(TypeError, match="the loader of 'm@cpu' must be callable, not"):
                ask("m@cpu", loader, keep_alive=5)


@pytest.mark.parametrize("key", [None, 5, b"m@cpu", ["m"]])
def test_a_key_that_is_no_str_is_refused(registry: rm.ModelRegistry, ask: Ask, key: Any) -> None:
    with Unchanged(registry):
        for _ in range(2):
            with pytest.raises(TypeError, match="key must be a str"):
                ask(key, Model)
            for call in (registry.get, registry.evict, registry.pin, registry.unpin):
                with pytest.raises(TypeError, match="key must be a str"):
                    call(key)
            with pytest.raises(TypeError, match="key must be a str"):
                registry.plan(key, 1)
        assert key not in registry


def test_an_empty_key_is_refused(registry: rm.ModelRegistry, ask: Ask) -> None:
    with Unchanged(registry):
        for _ in range(2):
            with pytest.raises(ValueError, match="key must not be empty") as caught:
                ask("", Model)
            assert isinstance(caught.value, rm.RemoteMediaError)


def test_a_key_that_is_no_unicode_is_refused(registry: rm.ModelRegistry, ask: Ask) -> None:
    with Unchanged(registry):
        for _ in range(2):
            with pytest.raises(ValueError, match="surrogates"):
                ask("m\ud800", Model)
        assert "m\ud800" not in registry


@pytest.mark.parametrize("key", ["ключ@cpu", "模型@cuda:0", "a\0b", " ", "x" * 100_000, "🎵"])
def test_any_other_text_is_a_key(registry: rm.ModelRegistry, ask: Ask, key: str) -> None:
    with ask(key, Model) as handle:
        assert handle.key == key
        assert key in registry
        assert registry.list_models()[0].key == key
        assert ask(key, Model).model is handle.model
    assert registry.evict(key)


def test_a_subclass_of_str_is_a_key(registry: rm.ModelRegistry, ask: Ask) -> None:
    class Key(str):
        __slots__ = ()

    with ask(Key("m@cpu"), Model) as handle:
        assert registry.get_or_load("m@cpu", Model).model is handle.model


def test_the_blocking_call_refuses_a_coroutine_function(registry: rm.ModelRegistry) -> None:
    async def load() -> Model:
        return Model()

    loaders: list[Callable[..., Awaitable[Model]]] = [load, functools.partial(load)]
    with Unchanged(registry):
        for loader in loaders * 2:
            with pytest.raises(TypeError, match="coroutine function: await get_or_load_async"):
                registry.get_or_load("m@cpu", loader)
            with pytest.raises(TypeError, match="coroutine function: await get_or_load_async"):
                registry.get_or_load("m@cpu", loader, timeout=5)


def test_where_the_model_is_there_the_blocking_call_takes_any_loader(registry: rm.ModelRegistry) -> None:
    async def load() -> Model:
        return Model()

    loader: Callable[..., Any] = load
    handle = asyncio.run(registry.get_or_load_async("m@cpu", loader))
    assert registry.get_or_load("m@cpu", loader).model is handle.model
    assert registry.get_or_load("m@cpu", loader, keep_alive=5).model is handle.model


BAD_LIMITS = [
    ({"ttl_seconds": float("nan")}, ValueError, "ttl_seconds must be a finite number"),
    ({"ttl_seconds": float("inf")}, ValueError, "ttl_seconds must be a finite number"),
    ({"ttl_seconds": "5m"}, TypeError, "ttl_seconds must be a number of seconds, not str"),
    ({"ttl_seconds": True}, TypeError, "ttl_seconds must be a number of seconds, not bool"),
    ({"max_memory_bytes": -1}, ValueError, "max_memory_bytes must be at least 0"),
    ({"max_memory_bytes": 1e9}, TypeError, "max_memory_bytes must be an int, not float"),
    ({"max_memory_bytes": True}, TypeError, "max_memory_bytes must be an int, not bool"),
    ({"max_models": 0}, ValueError, "max_models must be at least 1"),
    ({"max_models": -1}, ValueError, "max_models must be at least 1"),
    ({"max_models": "3"}, TypeError, "max_models must be an int, not str"),
    (
        {"eviction_policy": "random"},
        ValueError,
        "eviction_policy 'random' is unknown: it is one of lru, lfu, ttl, manual",
    ),
    ({"eviction_policy": ""}, ValueError, "eviction_policy '' is unknown"),
    ({"eviction_policy": "LRU"}, ValueError, "eviction_policy 'LRU' is unknown"),
    ({"eviction_policy": None}, TypeError, "eviction_policy must be a str"),
    ({"cleanup_interval_seconds": 0}, ValueError, "cleanup_interval_seconds must be more than zero"),
    ({"cleanup_interval_seconds": -1.0}, ValueError, "cleanup_interval_seconds must not be negative"),
    ({"cleanup_interval_seconds": None}, TypeError, "cleanup_interval_seconds must be a number"),
    ({"max_concurrent_loads": 0}, ValueError, "max_concurrent_loads must be at least 1"),
    ({"max_concurrent_loads": 1.0}, TypeError, "max_concurrent_loads must be an int"),
    ({"min_residency_seconds": -0.1}, ValueError, "min_residency_seconds must not be negative"),
    ({"failed_load_ttl_seconds": -0.1}, ValueError, "failed_load_ttl_seconds must not be negative"),
    ({"failed_load_ttl_seconds": float("nan")}, ValueError, "failed_load_ttl_seconds must be a finite number"),
    ({"colour": "red"}, TypeError, "colour"),
]


@pytest.mark.parametrize(("limits", "error", "message"), BAD_LIMITS, ids=[str(case[0]) for case in BAD_LIMITS])
def test_a_limit_that_makes_no_sense_is_refused(limits: dict[str, Any], error: type[Exception], message: str) -> None:
    for _ in range(2):
        with pytest.raises(error, match=message):
            rm.RegistryConfig(**limits)


def test_a_config_takes_keywords_only_and_cannot_be_changed() -> None:
    config = rm.RegistryConfig()
    with pytest.raises(TypeError):
        rm.RegistryConfig(5.0)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        config.max_models = 5  # type: ignore[misc]


def test_the_defaults_are_those_of_the_manual() -> None:
    config = rm.RegistryConfig()
    assert config.ttl_seconds == 30.0
    assert config.max_memory_bytes is None
    assert config.max_models is None
    assert config.eviction_policy == "lru"
    assert config.cleanup_interval_seconds == 10.0
    assert config.max_concurrent_loads == 1
    assert config.min_residency_seconds == 0.0
    assert config.failed_load_ttl_seconds == 0.0


@pytest.mark.parametrize("policy", [*rm.EvictionPolicy, "lru", "lfu", "ttl", "manual"])
def test_a_policy_is_text_or_an_eviction_policy(policy: rm.EvictionPolicy | str) -> None:
    with rm.ModelRegistry(rm.RegistryConfig(eviction_policy=policy)).get_or_load("m@cpu", Model) as handle:
        assert handle.model is not None


def test_eviction_policies_are_their_text() -> None:
    assert [policy.value for policy in rm.EvictionPolicy] == ["lru", "lfu", "ttl", "manual"]
    assert rm.EvictionPolicy.LRU == "lru"  # type: ignore[comparison-overlap]
    assert rm.EvictionPolicy("ttl") is rm.EvictionPolicy.TTL


@pytest.mark.parametrize("config", [5, "lru", {"max_models": 5}])
def test_a_registry_takes_only_a_config(config: Any) -> None:
    for _ in range(2):
        with pytest.raises(TypeError, match="config must be a RegistryConfig"):
            rm.ModelRegistry(config)


def test_clear_refuses_a_timeout_that_makes_no_sense(registry: rm.ModelRegistry) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="timeout must not be negative"):
            registry.clear(timeout=-1)
        with pytest.raises(ValueError, match="timeout"):
            registry.clear(timeout=float("nan"))
        with pytest.raises(TypeError):
            registry.clear(timeout="5")  # type: ignore[arg-type]
    registry.clear(timeout=float("inf"))


def test_plan_refuses_sizes_that_make_no_sense(registry: rm.ModelRegistry) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="memory_bytes must not be negative"):
            registry.plan("m@cpu", -1)
        with pytest.raises(TypeError):
            registry.plan("m@cpu", 1.5)  # type: ignore[arg-type]


def test_handles_and_records_cannot_be_made_by_hand() -> None:
    for kind in (rm.ModelHandle, rm.ModelInfo, rm.RegistryMetrics, rm.RegistryEvent, rm.EvictionPlan, rm.LoadProgress):
        with pytest.raises(TypeError):
            kind()
