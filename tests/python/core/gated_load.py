# SPDX-License-Identifier: Apache-2.0
"""Loads that tests hold open, and events that tests wait for. Nothing here sleeps."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import remotemedia as rm

SECONDS = 60.0
"""Longer than anything takes that works."""


class Model:
    """Something that can be referred to weakly."""


class Signal(threading.Event):
    """An event that coroutines may wait for too, in no thread of their loop's executor."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[asyncio.Future[None]] = []

    def set(self) -> None:
        super().set()
        while self._waiting:
            future = self._waiting.pop()
            with contextlib.suppress(RuntimeError):  # its loop was closed
                future.get_loop().call_soon_threadsafe(_set, future)

    async def passed(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        if self.is_set():
            _set(future)
        await asyncio.wait_for(future, SECONDS)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class GatedLoad:
    """A loader that runs until it is let go, and knows how many callers wait for it.

    Callers pass `progress=load.heard`: a caller hears the one report either when it is made or when it joins, so each
    is counted once and only when it really waits.
    """

    def __init__(self, make: Callable[[], Any] = Model) -> None:
        self.calls = 0
        self.started = Signal()
        self.may_end = Signal()
        self.thread: int | None = None
        self._make = make
        self._callers = threading.Semaphore(0)

    def run(self, progress: Callable[..., None]) -> Any:
        self._begin(progress)
        assert self.may_end.wait(SECONDS)
        return self._make()

    async def run_async(self, progress: Callable[..., None]) -> Any:
        self._begin(progress)
        await self.may_end.passed()
        return self._make()

    def heard(self, progress: rm.LoadProgress) -> None:
        self._callers.release()

    def wait_for_callers(self, count: int) -> None:
        for _ in range(count):
            assert self._callers.acquire(timeout=SECONDS)

    async def callers(self, count: int) -> None:
        await asyncio.to_thread(self.wait_for_callers, count)

    def _begin(self, progress: Callable[..., None]) -> None:
        self.calls += 1
        self.thread = threading.get_ident()
        progress(0.0, "begun")
        self.started.set()


class Events:
    """What a registry has told so far."""

    def __init__(self, registry: rm.ModelRegistry) -> None:
        self.seen: list[rm.RegistryEvent] = []
        self.threads: set[int] = set()
        self._changed = threading.Condition()
        self.stop = registry.subscribe(self._hear)

    def wait_for(self, kind: str, key: str, count: int = 1) -> rm.RegistryEvent:
        """The event, once it has been told `count` times."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.of(kind, key)) >= count, SECONDS), self.kinds()
            return self.of(kind, key)[count - 1]

    def of(self, kind: str, key: str) -> list[rm.RegistryEvent]:
        return [event for event in self.seen if (event.kind, event.key) == (kind, key)]

    def kinds(self, key: str | None = None) -> list[str]:
        return [event.kind for event in self.seen if key in (None, event.key)]

    def _hear(self, event: rm.RegistryEvent) -> None:
        with self._changed:
            self.threads.add(threading.get_ident())
            self.seen.append(event)
            self._changed.notify_all()


class Background:
    """A call in a thread of its own, and how it ended."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._value: Any = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def result(self) -> Any:
        self.thread.join(SECONDS)
        assert not self.thread.is_alive(), "it hangs"
        if self.error is not None:
            raise self.error
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001 - result() raises it
            self.error = error
