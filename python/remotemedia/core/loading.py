# SPDX-License-Identifier: Apache-2.0
"""Loads: the one who leads runs the loader, blocking or on an event loop, and everybody gets the result.

The registry (C++) decides who leads, when the loader may run and who waits for whom. A leader starts its flight, waits
for its turn, runs the loader and ends the flight: published, failed, or abandoned when the reason is the leader's alone
(a cancelled event loop), so that the others go on with loaders of their own.
"""

import asyncio
import contextvars
import functools
import inspect
import logging
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from remotemedia import _core
from remotemedia.core.errors import DeadlineExceeded, LoadFailed

_log = logging.getLogger("remotemedia")

_SIGNAL_CHECK_SECONDS = 0.1
"""How long the main thread waits without looking for Ctrl-C."""

_current_flight: contextvars.ContextVar[_core.Flight | None] = contextvars.ContextVar("current_flight", default=None)


class Ghosts:
    """Models that were evicted but may still be alive with somebody: found again instead of loaded twice."""

    def __init__(self) -> None:
        self._by_key: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()

    def remember(self, key: str, model: Any) -> None:
        """Keeps a weak reference, if the model can have one."""
        try:
            self._by_key[key] = model
        except TypeError:
            self._by_key.pop(key, None)

    def find(self, key: str) -> Any:
        """The model if it is alive, else None."""
        return self._by_key.get(key)


class Load:
    """One call's key, loader and options.

    Raises:
        TypeError: The loader is not callable, or the arguments are no mapping with str keys.
        ValueError: memory_bytes or timeout is negative.
    """

    def __init__(
        self,
        key: str,
        loader: Callable[..., Any],
        *,
        arguments: Mapping[str, Any] | None = None,
        memory_bytes: int | None = None,
        keep_alive: float | str | None = None,
        device: str = "cpu",
        timeout: float | None = None,
        progress: Callable[[_core.LoadProgress], None] | None = None,
    ) -> None:
        if not callable(loader):
            raise TypeError(f"the loader of {key!r} must be callable, not {type(loader).__name__}")
        if memory_bytes is not None and memory_bytes < 0:
            raise ValueError(f"memory_bytes must not be negative: {memory_bytes}")
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout must be a number of seconds, not negative: {timeout}")
        if progress is not None and not callable(progress):
            raise TypeError(f"progress must be callable, not {type(progress).__name__}")
        self.key = key
        self.loader = loader
        self.arguments = dict(arguments or {})
        self.memory_bytes = memory_bytes or 0
        self.keep_alive = keep_alive
        self.device = device
        self.progress = progress
        self.deadline = None if timeout is None else time.monotonic() + timeout

    def ask(self, registry: _core.ModelRegistry, notify: Callable[[], object] | None = None) -> _core.Waiter:
        """A place among those who wait."""
        return _core.ask(
            registry,
            self.key,
            self.memory_bytes,
            self.keep_alive,
            self.device,
            self.progress,
            _current_flight.get(),
            notify,
        )

    def run(self, report: Callable[..., None]) -> Any:
        """Calls the loader, with `report` as its parameter `progress` if it has one."""
        try:
            parameters = inspect.signature(self.loader).parameters
        except (TypeError, ValueError):  # a callable without a signature
            return self.loader(**self.arguments)
        if "progress" in parameters and "progress" not in self.arguments:
            return self.loader(**self.arguments, progress=report)
        return self.loader(**self.arguments)

    def remaining(self) -> float | None:
        """Seconds until this call gives up."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def too_late(self) -> DeadlineExceeded:
        """What a caller gets whose timeout has passed."""
        return DeadlineExceeded(f"{self.key!r} is still loading after the timeout; the load goes on for others")


def load(registry: _core.ModelRegistry, ghosts: Ghosts, call: Load) -> Any:
    """A handle, once this call or another has loaded the model; blocks."""
    if inspect.iscoroutinefunction(call.loader):
        raise TypeError(f"the loader of {call.key!r} is a coroutine function: await get_or_load_async instead")
    while True:
        waiter = call.ask(registry)
        if waiter.leads and call.deadline is not None:
            _in_background(call.key, functools.partial(_lead, waiter.flight, ghosts, call, alone=True))
        elif waiter.leads:
            _lead(waiter.flight, ghosts, call, alone=False)
        elif waiter.flight is not None and waiter.flight.loop_thread == threading.get_ident():
            waiter.leave(registry)
            raise LoadFailed(
                f"waiting here for {call.key!r} would block the event loop that loads it: await get_or_load_async"
            )
        try:
            _wait(registry, waiter, call)
        except BaseException:
            waiter.leave(registry)
            raise
        handle = waiter.take(registry)
        if handle is not None:
            return handle


async def load_async(registry: _core.ModelRegistry, ghosts: Ghosts, call: Load) -> Any:
    """The same on an event loop, which goes on meanwhile."""
    loop = asyncio.get_running_loop()
    while True:
        answered = asyncio.Event()
        waiter = call.ask(registry, _waker(loop, answered))
        if waiter.leads and inspect.iscoroutinefunction(call.loader):
            task = loop.create_task(_lead_on_loop(waiter.flight, ghosts, call), name=f"load {call.key}")
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)
        elif waiter.leads:
            _in_background(call.key, functools.partial(_lead, waiter.flight, ghosts, call, alone=True, loop=loop))
        try:
            if not waiter.wait(registry, 0):
                await asyncio.wait_for(answered.wait(), call.remaining())
        except (TimeoutError, asyncio.TimeoutError):
            waiter.leave(registry)
            raise call.too_late() from None
        except BaseException:
            waiter.leave(registry)
            raise
        handle = waiter.take(registry)
        if handle is not None:
            return handle


_tasks: set[asyncio.Task[None]] = set()
"""Loads on event loops: asyncio itself holds tasks weakly."""


def _wait(registry: _core.ModelRegistry, waiter: _core.Waiter, call: Load) -> None:
    in_main_thread = threading.current_thread() is threading.main_thread()
    while True:
        remaining = call.remaining()
        if in_main_thread:
            remaining = _SIGNAL_CHECK_SECONDS if remaining is None else min(remaining, _SIGNAL_CHECK_SECONDS)
        if waiter.wait(registry, remaining):
            return
        if call.remaining() == 0:
            raise call.too_late()


def _lead(
    flight: _core.Flight, ghosts: Ghosts, call: Load, *, alone: bool, loop: asyncio.AbstractEventLoop | None = None
) -> None:
    """Runs the loader in this thread. alone: nobody called this thread, so nothing is raised."""
    turn = threading.Event()
    flight.start(turn.set)
    try:
        turn.wait()
    except BaseException:
        flight.abandon()
        raise
    if not flight.running:
        return
    try:
        model = ghosts.find(call.key)
        revived = model is not None
        if not revived:
            token = _current_flight.set(flight)
            try:
                model = call.run(flight.report)
                if loop is not None and inspect.isawaitable(model):
                    model = asyncio.run_coroutine_threadsafe(_awaited(model), loop).result()
            finally:
                _current_flight.reset(token)
        _publish(flight, ghosts, call, model, revived)
    except Exception as error:  # noqa: BLE001 - it reaches every waiter
        flight.fail(_reason(error), error)
    except BaseException as error:
        flight.fail(_reason(error), error)
        if not alone:
            raise


async def _lead_on_loop(flight: _core.Flight, ghosts: Ghosts, call: Load) -> None:
    loop = asyncio.get_running_loop()
    flight.loop_thread = threading.get_ident()
    turn = asyncio.Event()
    flight.start(_waker(loop, turn))
    try:
        await turn.wait()
        if not flight.running:
            return
        model = ghosts.find(call.key)
        revived = model is not None
        if not revived:
            _current_flight.set(flight)
            model = await call.run(flight.report)
        _publish(flight, ghosts, call, model, revived)
    except (asyncio.CancelledError, GeneratorExit):
        flight.abandon()
        raise
    except Exception as error:  # noqa: BLE001 - it reaches every waiter
        flight.fail(_reason(error), error)
    except BaseException as error:
        flight.fail(_reason(error), error)
        raise


def _publish(flight: _core.Flight, ghosts: Ghosts, call: Load, model: Any, revived: bool) -> None:
    if model is None:
        raise ValueError("the loader returned None")
    if inspect.iscoroutine(model):
        model.close()
        raise TypeError("the loader returned a coroutine: await get_or_load_async instead")
    usage = getattr(model, "memory_usage", None)
    memory_bytes = usage() if callable(usage) else None
    if not isinstance(memory_bytes, int) or memory_bytes < 0:
        memory_bytes = None
    model_id = getattr(model, "model_id", None)
    ghosts.remember(call.key, model)
    flight.publish(model, memory_bytes, model_id if isinstance(model_id, str) else "", revived)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


async def _awaited(model: Awaitable[Any]) -> Any:
    return await model


def _waker(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> Callable[[], None]:
    def wake() -> None:
        try:
            loop.call_soon_threadsafe(event.set)
        except RuntimeError:
            _log.debug("an event loop was closed before its model was loaded")

    return wake


def _in_background(key: str, lead: Callable[[], None]) -> None:
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(lead,), name=f"load {key}", daemon=True).start()
