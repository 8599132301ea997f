# SPDX-License-Identifier: Apache-2.0
"""Models of this process: loaded once per key, held by handles, evicted by time or pressure."""

import atexit
import enum
import functools
import logging
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, overload

from remotemedia import _core
from remotemedia._core import (
    EvictionPlan,
    EvictionResult,
    LoadProgress,
    ModelHandle,
    ModelInfo,
    RegistryEvent,
    RegistryMetrics,
)
from remotemedia.core import arguments as check
from remotemedia.core import errors, loading
from remotemedia.core.ghosts import Ghosts

__all__ = [
    "EvictionPlan",
    "EvictionPolicy",
    "EvictionResult",
    "KeepAlive",
    "LoadProgress",
    "ModelHandle",
    "ModelInfo",
    "ModelRegistry",
    "RegistryConfig",
    "RegistryEvent",
    "RegistryMetrics",
    "Scope",
    "get_or_load",
    "get_or_load_async",
    "registry",
]

T = TypeVar("T")

Scope = Literal["process", "machine"]
"""Who shares a model: the threads of this process, or every process of this user. An endpoint may stand there too."""

KeepAlive = float | str | None
"""How long a model stays after its last hold: seconds, or text ("90", "300ms", "30s", "5m", "1h30m"). 0: gone at once.
Negative ("-1", "-1m" too): no time limit. None: the registry's default on a load, unchanged on a hit."""


class EvictionPolicy(str, enum.Enum):
    """Who goes when max_models or max_memory_bytes needs room.

    LRU and LFU any idle model, TTL only what has expired, MANUAL nobody (and time takes nobody either: only evict and
    clear do). Idle: no hold, not pinned, not loading, resident for min_residency (which binds pressure alone).
    """

    LRU = "lru"
    LFU = "lfu"
    TTL = "ttl"
    MANUAL = "manual"


@dataclass(frozen=True, kw_only=True)
class RegistryConfig:
    """The limits of a ModelRegistry.

    Attributes:
        ttl_seconds: How long a model stays after its last hold; 0 gone at once, None or negative no time limit.
        max_memory_bytes: Of all models, from the approval of a load until the memory is really released.
        max_models: At once, at least 1.
        eviction_policy: Who goes when room is needed.
        cleanup_interval_seconds: The longest time between two looks at models in use. A model whose time is up goes
            when it is up, whatever this is.
        max_concurrent_loads: Loaders that may run at once. One that waits for another key's load does not count. More
            than 1 needs loaders that may run side by side (`from_pretrained` of transformers may not).
        min_residency_seconds: How long after its load a model is safe from pressure.
        failed_load_ttl_seconds: How long a failed load is remembered and answered with the same error.

    Raises:
        TypeError: A limit has the wrong type.
        ValueError: A limit makes no sense.
    """

    ttl_seconds: float | None = 30.0
    max_memory_bytes: int | None = None
    max_models: int | None = None
    eviction_policy: EvictionPolicy | str = EvictionPolicy.LRU
    cleanup_interval_seconds: float = 10.0
    max_concurrent_loads: int = 1
    min_residency_seconds: float = 0.0
    failed_load_ttl_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.ttl_seconds is not None:
            check.seconds("ttl_seconds", self.ttl_seconds)
        if self.max_memory_bytes is not None:
            check.size("max_memory_bytes", self.max_memory_bytes)
        if self.max_models is not None:
            check.size("max_models", self.max_models, least=1)
        check.size("max_concurrent_loads", self.max_concurrent_loads, least=1)
        for name in ("cleanup_interval_seconds", "min_residency_seconds", "failed_load_ttl_seconds"):
            check.not_negative_seconds(name, getattr(self, name))
        if self.cleanup_interval_seconds == 0:
            raise errors.InvalidArgument("cleanup_interval_seconds must be more than zero")
        policies = [policy.value for policy in EvictionPolicy]
        if check.text("eviction_policy", self.eviction_policy) not in policies:
            raise errors.InvalidArgument(
                f"eviction_policy {self.eviction_policy!r} is unknown: it is one of {', '.join(policies)}"
            )


class ModelRegistry(_core.ModelRegistry):
    """Models by key, each loaded once. Any number may be made; `registry()` is the one that a process shares.

    Thread-safe. Models are destroyed on the registry's own thread, with the GIL.

    Example:
        >>> models = ModelRegistry(RegistryConfig(ttl_seconds=60))
        >>> with models.get_or_load("zeros@cpu", lambda: [0.0] * 1000) as handle:
        ...     len(handle.model)
        1000
    """

    def __init__(self, config: RegistryConfig | None = None) -> None:
        config = RegistryConfig() if config is None else config
        if not isinstance(config, RegistryConfig):
            raise TypeError(f"config must be a RegistryConfig, not {type(config).__name__}")
        super().__init__(
            _core.make_config(
                config.ttl_seconds,
                config.max_memory_bytes,
                config.max_models,
                EvictionPolicy(config.eviction_policy).value,
                config.cleanup_interval_seconds,
                config.max_concurrent_loads,
                config.min_residency_seconds,
                config.failed_load_ttl_seconds,
            )
        )
        self._ghosts = Ghosts()
        self._listeners: set[functools.partial[None]] = set()

    def _load(
        self,
        key: str,
        loader: Callable[..., Any],
        *,
        arguments: Mapping[str, Any] | None = None,
        memory_bytes: int | None = None,
        keep_alive: KeepAlive = None,
        device: str = "cpu",
        timeout: float | None = None,
        progress: Callable[[LoadProgress], None] | None = None,
    ) -> ModelHandle[Any]:
        """What get_or_load does when it is not a plain hit."""
        request = loading.Request(
            key,
            loader,
            arguments=arguments,
            memory_bytes=memory_bytes,
            keep_alive=keep_alive,
            device=device,
            timeout=timeout,
            progress=progress,
        )
        return loading.load(self, self._ghosts, request)  # type: ignore[no-any-return]

    _load.__qualname__ = "ModelRegistry.get_or_load"  # as errors name it

    @overload
    async def get_or_load_async(
        self, key: str, loader: Callable[..., Awaitable[T]], **options: Any
    ) -> ModelHandle[T]: ...
    @overload
    async def get_or_load_async(self, key: str, loader: Callable[..., T], **options: Any) -> ModelHandle[T]: ...
    def get_or_load_async(
        self, key: str, loader: Callable[..., Any], **options: Any
    ) -> Coroutine[Any, Any, ModelHandle[Any]]:
        """As get_or_load, without blocking the event loop; the loader may be a coroutine function.

        A coroutine loader runs as a task of this loop, any other in a thread of its own. Cancelling the caller does
        not cancel the load.

        Args:
            key: As get_or_load.
            loader: Called with `arguments`.
            **options: As get_or_load.
        """
        # Who asks is known now: a task that awaits this has other callers.
        request = loading.Request(key, loader, **options)
        return loading.load_async(self, self._ghosts, request, _core.caller_label())

    def subscribe(self, listener: Callable[[RegistryEvent], None]) -> Callable[[], None]:
        """Calls listener for every event, on the registry's own thread; returns what ends that.

        A listener that raises is logged and goes on being called.

        Args:
            listener: May use the registry, but neither load what is not there nor call clear: both would wait for the
                thread that it runs on.

        Raises:
            TypeError: The listener is not callable.
        """
        if not callable(listener):
            raise TypeError(f"a listener must be callable, not {type(listener).__name__}")
        # C++ has a weak reference, so that the garbage collector sees a listener that refers to its registry.
        listeners = self._listeners
        kept = functools.partial(listener)
        listeners.add(kept)
        reference = weakref.ref(kept)
        del kept

        def hear(event: RegistryEvent) -> None:
            heard_by = reference()
            if heard_by is not None:
                heard_by(event)

        end = super().subscribe(hear)

        def stop() -> None:
            end()
            ended = reference()
            if ended is not None:
                listeners.discard(ended)

        return stop


_shared: ModelRegistry | None = None
_shared_lock = threading.Lock()


def registry() -> ModelRegistry:
    """The registry that this process shares. Thread-safe, made on first use."""
    global _shared  # noqa: PLW0603 - one for each process is the point
    if _shared is None:
        with _shared_lock:
            if _shared is None:
                _shared = ModelRegistry()
    return _shared


def get_or_load(
    key: str,
    loader: Callable[..., T],
    *,
    scope: Scope | str = "process",
    arguments: Mapping[str, Any] | None = None,
    memory_bytes: int | None = None,
    keep_alive: KeepAlive = None,
    timeout: float | None = None,
    progress: Callable[[LoadProgress], None] | None = None,
) -> ModelHandle[T]:
    """A hold on the model `key` of this process's shared registry, loaded once however many callers ask.

    Args:
        key: By convention "<model>@<device>", with every option that makes another model.
        loader: Called with `arguments`.
        scope: "process"; others are not served yet.
        arguments: Keyword arguments of the loader.
        memory_bytes: What the model takes at most.
        keep_alive: How long it stays after its last hold.
        timeout: Seconds that this caller waits.
        progress: Called with what the loader reports.

    Raises:
        PlatformNotSupported: Another scope than "process".
        LoadFailed: The loader raised; `__cause__` is what.
        OutOfMemory: Nothing that may go makes room.
        DeadlineExceeded: The timeout passed; the load goes on for the others.
    """
    _check_scope(scope)
    return registry().get_or_load(
        key,
        loader,
        arguments=arguments,
        memory_bytes=memory_bytes,
        keep_alive=keep_alive,
        timeout=timeout,
        progress=progress,
    )


@overload
async def get_or_load_async(
    key: str, loader: Callable[..., Awaitable[T]], *, scope: Scope | str = "process", **options: Any
) -> ModelHandle[T]: ...
@overload
async def get_or_load_async(
    key: str, loader: Callable[..., T], *, scope: Scope | str = "process", **options: Any
) -> ModelHandle[T]: ...
def get_or_load_async(
    key: str, loader: Callable[..., Any], *, scope: Scope | str = "process", **options: Any
) -> Coroutine[Any, Any, ModelHandle[Any]]:
    """get_or_load without blocking the event loop; the loader may be a coroutine function."""
    _check_scope(scope)
    return registry().get_or_load_async(key, loader, **options)


def _check_scope(scope: Scope | str) -> None:
    if scope != "process":
        raise errors.PlatformNotSupported(f'scope {scope!r} is not served by this version: use scope="process"')


_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)

_core.log_to(lambda level, message: logging.getLogger("remotemedia").log(_LEVELS[level], "%s", message))
atexit.register(_core.shut_down)
