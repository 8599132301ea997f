# SPDX-License-Identifier: Apache-2.0
"""SourceRunner: feeds a pipeline from what the user gives it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Iterable, Sequence
from typing import Any, cast

from remotemedia.nodes.runtime_data import RuntimeData
from remotemedia.pipeline.failure import NodeFailure, name_failure
from remotemedia.pipeline.inbox import Inbox, Stopped
from remotemedia.pipeline.node_runner import put_to_all
from remotemedia.pipeline.source_thread import SourceThread

Stream = AsyncIterable[Any] | Iterable[Any] | RuntimeData


def checked_stream(stream: Any) -> Stream:
    """The stream that a pipeline is to process.

    Raises:
        TypeError: If it is not an iterable or async iterable of items, or one item.
    """
    iterable = hasattr(stream, "__aiter__") or hasattr(stream, "__iter__") or isinstance(stream, RuntimeData)
    if not iterable or isinstance(stream, (str, bytes, bytearray)):
        raise TypeError(f"a pipeline processes an iterable or async iterable of items, not {type(stream).__name__}")
    return cast("Stream", stream)


class SourceRunner:
    """Puts the items of a stream into the inboxes of the first nodes.

    Args:
        stream: An async iterable (iterated on the event loop), a list, a tuple, any other iterable (iterated in a
            thread, as it may block), or one item. Generators are closed when nobody takes their items any more.
        outputs: Where its items go.
    """

    def __init__(self, stream: Stream, outputs: Sequence[Inbox]) -> None:
        self._stream = stream
        self._outputs = outputs
        self._given = 0

    async def run(self) -> None:
        """Feeds until the stream has ended or nobody takes its items.

        Raises:
            Exception: What the stream raised, with the number of the item on it.
        """
        try:
            if isinstance(self._stream, RuntimeData):
                await self._put(self._stream)
            elif isinstance(self._stream, (list, tuple)):
                for item in self._stream:
                    await self._put(item)
            elif isinstance(self._stream, AsyncIterable):
                await self._feed_async(self._stream)
            else:
                await self._feed_from_thread(self._stream)
        except Stopped:
            return
        except Exception as error:
            name_failure(error, NodeFailure("source", type(self._stream).__name__, "source", self._given))
            raise

    async def _feed_async(self, stream: AsyncIterable[Any]) -> None:
        iterator = aiter(stream)
        try:
            async for item in iterator:
                await self._put(item)
        finally:
            if inspect.isasyncgen(iterator):
                await iterator.aclose()

    async def _feed_from_thread(self, stream: Iterable[Any]) -> None:
        thread = SourceThread(stream)
        try:
            while True:
                more, item = await thread.next()
                if not more:
                    return
                await self._put(item)
        finally:
            await thread.close()

    async def _put(self, item: Any) -> None:
        self._given += 1
        if item is not None:
            await put_to_all(item, self._outputs)
