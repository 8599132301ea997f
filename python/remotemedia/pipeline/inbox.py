# SPDX-License-Identifier: Apache-2.0
"""Inbox: the bounded queue before a node, which holds back those who fill it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, NamedTuple

from remotemedia.pipeline.clock import Clock


class Stopped(Exception):
    """The run stops, or nobody takes the results any more: stop too, without an error."""


class Arrival(NamedTuple):
    """An item, and when it came."""

    item: Any
    time: float


class Inbox:
    """A queue with several producers and one consumer, all on one event loop.

    Args:
        capacity: Items that wait at most.
        producers: How many will say producer_done before the queue has ended.
        clock: Gives arrivals their time.
    """

    def __init__(self, capacity: int, producers: int, clock: Clock) -> None:
        self._capacity = capacity
        self._producers = producers
        self._clock = clock
        self._arrivals: deque[Arrival] = deque()
        self._closed = False
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether get returns without waiting."""
        return bool(self._arrivals) or self._producers == 0

    async def put(self, item: Any) -> bool:
        """Adds item when there is room; False when the consumer has gone."""
        while not self._closed and len(self._arrivals) >= self._capacity:
            await self.changed()
        if self._closed:
            return False
        self._arrivals.append(Arrival(item, self._clock.now()))
        self.wake()
        return True

    async def get(self) -> Arrival | None:
        """The next item, or None when all producers are done and none is left.

        Raises:
            Stopped: If the inbox has been closed.
        """
        while not self.ready:
            await self.changed()
        if self._closed:
            raise Stopped
        if not self._arrivals:
            return None
        arrival = self._arrivals.popleft()
        self.wake()
        return arrival

    def producer_done(self) -> None:
        """One producer will put nothing more."""
        self._producers = max(0, self._producers - 1)
        self.wake()

    def end(self) -> None:
        """No producer will put anything more; what is there can still be taken."""
        self._producers = 0
        self.wake()

    def close(self) -> None:
        """The consumer has gone: what is there is dropped, producers are told."""
        self._closed = True
        self._arrivals.clear()
        self.end()

    async def changed(self) -> None:
        """Returns after the next change, or wake."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def wake(self) -> None:
        """Makes everybody who waits look again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
