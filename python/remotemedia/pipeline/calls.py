# SPDX-License-Identifier: Apache-2.0
"""Calling what users write: functions, coroutines, generators and async generators, all the same way."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from remotemedia.nodes.runtime_data import RuntimeData
from remotemedia.pipeline.uncancelled import settled

Emit = Callable[[Any], Awaitable[None]]

_log = logging.getLogger("remotemedia.pipeline")


class Outcome:
    """How a call in another thread ended. Not by way of the future: that refuses StopIteration."""

    def __init__(self, value: Any, error: BaseException | None) -> None:
        self.value = value
        self.error = error

    @staticmethod
    def of(function: Callable[..., Any], *args: Any) -> Outcome:
        """Calls function here and now."""
        try:
            return Outcome(function(*args), None)
        except BaseException as error:  # noqa: BLE001 - result() raises it, in the thread that asked
            return Outcome(None, error)

    def result(self) -> Any:
        """Gives the value or raises the error, and forgets it: frames of its traceback may hold this outcome."""
        value, error, self.value, self.error = self.value, self.error, None, None
        if error is None:
            return value
        try:
            raise error
        finally:
            del error


class CallThread:
    """One thread for the blocking calls of one node, started when it is first needed.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"remotemedia-{name}")

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Calls function(*args) in the thread and gives its result.

        A thread cannot be interrupted: when the caller is cancelled, the cancellation is raised once the call has
        returned, and nobody hears of its result.
        """
        context = contextvars.copy_context()
        future = asyncio.wrap_future(self._executor.submit(context.run, Outcome.of, function, *args))
        try:
            await settled(future)
        except asyncio.CancelledError:
            if (error := future.result().error) is not None:
                _log.warning("%s failed after its run had been stopped", function, exc_info=error)
            raise
        return future.result().result()

    def close(self) -> None:
        """Lets the thread end once its call has returned."""
        self._executor.shutdown(wait=False)


def overrides(instance: Any, base: type, method: str) -> bool:
    """Whether instance has a method other than that of base."""
    return getattr(getattr(instance, method), "__func__", None) is not getattr(base, method)


def takes(function: Callable[..., Any], parameter: str, *, position: int) -> bool:
    """Whether function wants an argument at position: it must have one there, or calls it parameter."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # no signature to be had of some builtins
        return False
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
        return True
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) <= position:
        return False
    return positional[position].default is inspect.Parameter.empty or positional[position].name == parameter


async def call(function: Callable[..., Any], *args: Any, thread: CallThread) -> Any:
    """Calls function: coroutine functions and async generator functions on the event loop, all others in thread."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        value = function(*args)
    else:
        value = await thread.call(function, *args)
    return await value if inspect.isawaitable(value) else value


async def deliver(function: Callable[..., Any], *args: Any, thread: CallThread, emit: Emit) -> None:
    """Calls function and emits what it gives: nothing for None, each result of several, else the one.

    Several are a list, a tuple of RuntimeData, an iterator (resumed in thread, when emit has returned) or an async
    iterator. Generators are closed when emit raises.
    """
    value = await call(function, *args, thread=thread)
    if hasattr(value, "__anext__"):
        await _deliver_async(value, emit)
    elif hasattr(value, "__next__"):
        await _deliver_in_thread(value, thread, emit)
    elif isinstance(value, list) or _is_tuple_of_items(value):
        for result in value:
            await emit(result)
    else:
        await emit(value)


async def _deliver_async(results: AsyncIterator[Any], emit: Emit) -> None:
    try:
        async for result in results:
            await emit(result)
    finally:
        if inspect.isasyncgen(results):
            await results.aclose()


async def _deliver_in_thread(results: Iterator[Any], thread: CallThread, emit: Emit) -> None:
    try:
        while True:
            more, result = await thread.call(advance, results)
            if not more:
                return
            await emit(result)
    finally:
        if inspect.isgenerator(results):
            await thread.call(results.close)


def advance(iterator: Iterator[Any]) -> tuple[bool, Any]:
    """The next result of iterator, and whether there was one."""
    for result in iterator:
        return True, result
    return False, None


def _is_tuple_of_items(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(part, RuntimeData) for part in value)
