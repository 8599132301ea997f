# SPDX-License-Identifier: Apache-2.0
"""StreamRunner: at work with a node that takes the whole stream."""

from __future__ import annotations

import inspect
from typing import Any

from remotemedia.pipeline.node_runner import NodeRunner


class StreamRunner(NodeRunner):
    """For a node with process_stream."""

    async def _work(self) -> None:
        with self._named("process_stream"):
            results = self._node.process_stream(self)
            if not hasattr(results, "__anext__"):
                raise TypeError(f"process_stream must be an async generator function, it gave {results!r:.100}")
        try:
            while True:
                with self._named("process_stream"):
                    try:
                        result = await results.__anext__()
                    except StopAsyncIteration:
                        return
                await self._emit(result, None)
        finally:
            if inspect.isasyncgen(results):
                await results.aclose()

    def __aiter__(self) -> StreamRunner:
        """The runner itself is the stream that the node is given."""
        return self

    async def __anext__(self) -> Any:
        arrival = await self._inbox.get()
        if arrival is None:
            raise StopAsyncIteration
        self._begin(arrival.item)
        return arrival.item
