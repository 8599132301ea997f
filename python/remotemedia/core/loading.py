# SPDX-License-Identifier: Apache-2.0
"""Loads: the one who leads runs the loader, blocking or on an event loop, and everybody gets the result.

The registry (C++) decides who leads, when the loader may run and who waits for whom. A leader starts its flight, waits
for its turn, runs the loader and ends the flight: published, failed, or abandoned when the reason is the leader's alone
(a cancelled event loop), so that the others go on with loaders of their own.

Everything here may be interrupted between any two steps, by Ctrl-C or by an event loop that is closed. What is left or
dropped before its end then ends by itself: a call leaves, a lead abandons its flight.
"""

import asyncio
import contextlib
import contextvars
import functools
import inspect
import logging
import threading
import time
import weakref
from _thread import LockType, allocate_lock, start_new_thread
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from remotemedia import _core
from remotemedia.core import arguments as check
from remotemedia.core.errors import DeadlineExceeded, LoadFailed
from remotemedia.core.ghosts import Ghosts
from remotemedia.core.loop_futures import set_unless_done

_log = logging.getLogger("remotemedia")

_LOOP_CHECK_SECONDS = 0.1
"""How long a thread that blocks its own event loop waits without looking whether the load needs that loop."""
_SIGNAL_CHECK_SECONDS = 0.5
"""How long any thread waits without looking for an interrupt. A lock is deaf to one that came just before the waiting
began, or in another thread."""

_current_flight: contextvars.ContextVar[_core.Flight | None] = contextvars.ContextVar("current_flight", default=None)


class Request:
    """One caller's key, loader and options.

    Raises:
        TypeError: The loader is not callable, or an option has the wrong type.
        ValueError: A number makes no sense.
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
        self.key = check.text("a model's key", key)
        if not callable(loader):
            raise TypeError(f"the loader of {key!r} must be callable, not {type(loader).__name__}")
        if progress is not None and not callable(progress):
            raise TypeError(f"progress must be callable, not {type(progress).__name__}")
        self.loader = loader
        self.arguments = {} if arguments is None else check.keywords("arguments", arguments)
        self.memory_bytes = 0 if memory_bytes is None else check.size("memory_bytes", memory_bytes)
        self.keep_alive = keep_alive
        if keep_alive is not None and not isinstance(keep_alive, str):
            self.keep_alive = check.seconds("keep_alive", keep_alive)
        self.device = check.text("device", device)
        self.progress = progress
        self.deadline: float | None = None
        if timeout is not None and timeout != float("inf"):
            self.deadline = time.monotonic() + check.not_negative_seconds("timeout", timeout)
        self.origin = _core.Origin(loader, self.arguments)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.loop_thread = 0
        self.cancelled_by: asyncio.CancelledError | None = None

    def ask(self, registry: _core.ModelRegistry, on_answer: Callable[[], object]) -> _core.Call:
        """A place among those who wait."""
        return _core.ask(
            registry,
            self.key,
            self.memory_bytes,
            self.keep_alive,
            self.device,
            self.progress,
            self.origin,
            _current_flight.get(),
            on_answer,
        )

    def run(self, report: Callable[..., None]) -> Any:
        """Calls the loader, with `report` as its parameter `progress` if it has one."""
        if "progress" not in self.arguments and takes_progress(self.loader):
            return self.loader(**self.arguments, progress=report)
        return self.loader(**self.arguments)

    def remaining(self) -> float | None:
        """Seconds until this caller gives up."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def too_late(self) -> DeadlineExceeded:
        """What a caller gets whose timeout has passed."""
        return DeadlineExceeded(f"{self.key!r} is still loading after the timeout; the load goes on for others")


def load(registry: _core.ModelRegistry, ghosts: Ghosts, request: Request) -> Any:
    """A handle, once this caller or another has loaded the model; blocks."""
    label = _core.caller_label()
    if inspect.iscoroutinefunction(request.loader) and request.key not in registry:
        raise TypeError(f"the loader of {request.key!r} is a coroutine function: await get_or_load_async instead")
    while True:
        answered = allocate_lock()
        answered.acquire()
        with request.ask(registry, answered.release) as call:
            _tell_all(call.late())
            lead = call.lead()
            if lead is not None:
                with lead:
                    begin = _lead if request.deadline is None else _in_background
                    begin(lead, ghosts, request)
            del lead
            _wait(call, answered, request)
            handle = call.take(label)
        if handle is not None:
            return handle


async def load_async(registry: _core.ModelRegistry, ghosts: Ghosts, request: Request, label: _core.Label) -> Any:
    """The same on an event loop, which goes on meanwhile."""
    request.loop = loop = asyncio.get_running_loop()
    request.loop_thread = threading.get_ident()
    while True:
        answered = loop.create_future()
        with request.ask(registry, _setter(answered)) as call:
            _tell_all(call.late())
            lead = call.lead()
            if lead is not None:
                with lead:
                    if inspect.iscoroutinefunction(request.loader):
                        _spawn(loop, lead, _lead_on_loop(lead, ghosts, request), request.key)
                    else:
                        _in_background(lead, ghosts, request)
            del lead
            if not call.done:
                await _until(answered, request.remaining())
            if not call.done:
                raise request.too_late()
            handle = call.take(label)
        if handle is not None:
            return handle
        if request.cancelled_by is not None:  # not with its loop, for this goes on: the loader did it
            raise LoadFailed(f"loading {request.key!r} failed: it was cancelled") from request.cancelled_by


def _wait(call: _core.Call, answered: LockType, request: Request) -> None:
    blocks_loop = _runs_event_loop()
    while not call.done:
        if blocks_loop and call.needs_thread(threading.get_ident()):
            raise LoadFailed(
                f"waiting here for {request.key!r} would block the event loop that loads it: await get_or_load_async"
            )
        remaining = request.remaining()
        if remaining == 0:
            raise request.too_late()
        longest = _LOOP_CHECK_SECONDS if blocks_loop else _SIGNAL_CHECK_SECONDS
        answered.acquire(timeout=longest if remaining is None else min(remaining, longest))


async def _until(answered: asyncio.Future[None], seconds: float | None) -> None:
    if seconds is None:
        await answered
        return
    timer = answered.get_loop().call_later(seconds, set_unless_done, answered)
    try:
        await answered
    finally:
        timer.cancel()


def _lead(lead: _core.Lead, ghosts: Ghosts, request: Request) -> None:
    """Runs the loader in this thread. What it gives to be awaited goes on, on the caller's loop."""
    turn = allocate_lock()
    turn.acquire()
    with lead:
        lead.start(turn.release)
        while not turn.acquire(timeout=_SIGNAL_CHECK_SECONDS):
            pass
    if not lead.running:
        return
    token = _current_flight.set(lead.flight)
    try:
        if _publish_ghost(lead, ghosts, request):
            return
        model = [request.run(functools.partial(_report, lead))]
        if request.loop is not None and inspect.isawaitable(model[0]):
            _hand_over(lead, ghosts, request, model, request.loop)
        else:
            _publish(lead, ghosts, request, model)
    except BaseException as error:
        lead.fail(_reason(error), error)
        if not isinstance(error, Exception):
            raise
    finally:
        _current_flight.reset(token)


async def _lead_on_loop(lead: _core.Lead, ghosts: Ghosts, request: Request) -> None:
    """The same as a task of a loop."""
    lead.set_loop_thread(request.loop_thread)
    turn = asyncio.get_running_loop().create_future()
    with lead:
        lead.start(_setter(turn))
        await turn
    if not lead.running:
        return
    _current_flight.set(lead.flight)
    await _await_model(lead, ghosts, request)


async def _await_model(
    lead: _core.Lead, ghosts: Ghosts, request: Request, awaitable: list[Awaitable[Any]] | None = None
) -> None:
    """awaitable: what the loader gave, if it was called already."""
    try:
        if awaitable is None and _publish_ghost(lead, ghosts, request):
            return
        model = [await (request.run(functools.partial(_report, lead)) if awaitable is None else awaitable.pop())]
        _publish(lead, ghosts, request, model)
    except asyncio.CancelledError as error:
        request.cancelled_by = error
        lead.abandon()
        raise
    except GeneratorExit:  # the loop was closed
        lead.abandon()
        raise
    except BaseException as error:
        lead.fail(_reason(error), error)
        if not isinstance(error, Exception):
            raise


def _hand_over(
    lead: _core.Lead, ghosts: Ghosts, request: Request, awaitable: list[Any], loop: asyncio.AbstractEventLoop
) -> None:
    """From a thread to the loop of the caller."""

    def go_on() -> None:
        _spawn(loop, lead, _await_model(lead, ghosts, request, awaitable), request.key)

    lead.set_loop_thread(request.loop_thread)
    try:
        loop.call_soon_threadsafe(go_on)
    except RuntimeError:  # the loop was closed
        lead.abandon()
        if inspect.iscoroutine(awaitable[0]):
            awaitable.pop().close()


def _publish_ghost(lead: _core.Lead, ghosts: Ghosts, request: Request) -> bool:
    found = ghosts.find(request.key)
    if found is not None:
        model, origin = found
        lead.publish(model, *_described(model[0]), revived=True, origin=origin)
    return found is not None


def _publish(lead: _core.Lead, ghosts: Ghosts, request: Request, model: list[Any]) -> None:
    """Takes the model out of the list: nothing here keeps it when it is published."""
    description = _described(model[0])
    ghosts.remember(request.key, model[0], request.origin)
    lead.publish(model, *description, revived=False, origin=request.origin)


def _described(model: Any) -> tuple[int | None, str]:
    """The model's bytes and id, as far as it knows them."""
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
    return memory_bytes, model_id if isinstance(model_id, str) else ""


def takes_progress(loader: Callable[..., Any]) -> bool:
    """Whether a loader can be given something to report to, as its parameter `progress`."""
    if isinstance(loader, functools.partial) and "progress" in loader.keywords:
        return False
    try:
        parameter = inspect.signature(loader).parameters.get("progress")
    except (TypeError, ValueError):  # a callable without a signature
        return False
    return parameter is not None and parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}


def _report(lead: _core.Lead, fraction: float | None, message: str = "") -> None:
    """What a loader gets as `progress`."""
    _tell_all(lead.report(fraction, message))


def _tell_all(audience: list[tuple[Callable[[_core.LoadProgress], object], _core.LoadProgress]]) -> None:
    for listener, progress in audience:
        try:
            listener(progress)
        except Exception:  # noqa: BLE001 - the load is not the listener's
            _log.warning("progress of %r: the listener failed", progress.key, exc_info=True)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _runs_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _setter(future: asyncio.Future[None]) -> Callable[[], None]:
    """Sets a future from any thread."""

    def set_soon() -> None:
        try:
            future.get_loop().call_soon_threadsafe(set_unless_done, future)
        except RuntimeError:
            _log.debug("an event loop was closed before its model was loaded")

    return set_soon


class _LoopsEnd:
    """Kept by an event loop, and dropped with everything else that it keeps when it is closed."""

    def __init__(self, lead: _core.Lead, task: asyncio.Task[None]) -> None:
        self._lead = lead
        self._task = task  # a loop holds its tasks weakly

    def __del__(self) -> None:
        self._lead.abandon()

    def __call__(self) -> None:
        """Nothing: the timer that keeps this is not meant to ring."""


def _spawn(loop: asyncio.AbstractEventLoop, lead: _core.Lead, coroutine: Coroutine[Any, Any, None], key: str) -> None:
    """A task that leads until it is done or its loop is closed."""
    task = loop.create_task(coroutine, name=f"load {key}")
    keeper = weakref.ref(loop.call_later(check.LONGEST_SECONDS, _LoopsEnd(lead, task)))

    def let_go(ended: asyncio.Task[None]) -> None:
        timer = keeper()
        if timer is not None:
            timer.cancel()
        if not ended.cancelled():
            ended.exception()  # asyncio need not tell: what ended the loader, the waiters were told

    task.add_done_callback(let_go)


def _in_background(lead: _core.Lead, ghosts: Ghosts, request: Request) -> None:
    """Leads in a thread of its own; an interrupt there is the waiters' to hear of.

    A bare thread starts that one: an interrupt inside `Thread.start` leaves a lock of `threading` held, and the new
    thread waiting for it.
    """

    def run() -> None:
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            _lead(lead, ghosts, request)

    def start(_: _core.ThreadStart) -> None:
        try:
            thread.start()
        except Exception as error:  # noqa: BLE001 - the waiters'
            lead.fail(_reason(error), error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), name=f"load {request.key}", daemon=True)
    start_new_thread(start, (_core.ThreadStart(),))
