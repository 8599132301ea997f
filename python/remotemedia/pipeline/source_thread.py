# SPDX-License-Identifier: Apache-2.0
"""SourceThread: a thread that iterates what may block."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import queue
from collections.abc import Iterable
from typing import Any

from remotemedia.core.daemon_thread import start_daemon_thread
from remotemedia.pipeline.calls import Outcome, advance
from remotemedia.pipeline.uncancelled import settled

_log = logging.getLogger("remotemedia.pipeline")

GRACE_SECONDS = 1.0
"""How long close waits for an iterable that is just making an item."""


class SourceThread:
    """Iterates an iterable in a thread of its own, an item for each request. Made on the event loop that asks.

    Args:
        iterable: If its iterator is a generator, that is closed at the end.
    """

    def __init__(self, iterable: Iterable[Any]) -> None:
        self._iterable = iterable
        self._loop = asyncio.get_running_loop()
        self._requests: queue.SimpleQueue[asyncio.Future[Outcome] | None] = queue.SimpleQueue()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        # A daemon, as an iterable that blocks for ever must not keep the process alive.
        start_daemon_thread(self._work, name="remotemedia-source")

    async def next(self) -> tuple[bool, Any]:
        """Whether there was another item, and the item.

        Raises:
            Exception: What the iterable raised.
        """
        reply: asyncio.Future[Outcome] = self._loop.create_future()
        self._requests.put(reply)
        more, item = (await reply).result()
        return more, item

    async def close(self) -> None:
        """Ends the thread.

        An iterable that blocks cannot be interrupted: after a second it is left alone, and its thread ends when it
        comes back.
        """
        self._requests.put(None)
        await settled(asyncio.ensure_future(asyncio.wait({self._ended}, timeout=GRACE_SECONDS)))
        if not self._ended.done():
            _log.warning("the source %r is still making an item; its thread ends when that is done", self._iterable)

    def _work(self) -> None:
        begun = Outcome.of(iter, self._iterable)
        while (reply := self._requests.get()) is not None:
            self._answer(reply, begun if begun.error is not None else Outcome.of(advance, begun.value))
        if inspect.isgenerator(begun.value) and (error := Outcome.of(begun.value.close).error) is not None:
            _log.error("closing the source %r failed", self._iterable, exc_info=error)
        self._answer(self._ended, None)

    def _answer(self, future: asyncio.Future[Any], value: Any) -> None:
        def settle() -> None:
            if not future.done():
                future.set_result(value)

        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            self._loop.call_soon_threadsafe(settle)
