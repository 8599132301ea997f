# SPDX-License-Identifier: Apache-2.0
"""Run: one stream on its way through the nodes of a pipeline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from remotemedia.core.errors import Cancelled
from remotemedia.nodes.node import Node
from remotemedia.pipeline.clock import Clock
from remotemedia.pipeline.graph import Graph
from remotemedia.pipeline.inbox import Arrival, Inbox
from remotemedia.pipeline.node_runner import ItemRunner, NodeRunner
from remotemedia.pipeline.session_runner import SessionRunner, keeps_sessions
from remotemedia.pipeline.source import SourceRunner, Stream
from remotemedia.pipeline.stream_runner import StreamRunner
from remotemedia.pipeline.uncancelled import uncancelled

_log = logging.getLogger("remotemedia.pipeline")


class Run:
    """One stream through initialised nodes: a task and a bounded inbox for each node, and a task for the source.

    Works inside `async with`. No async generator: an event loop that shuts down closes all of these at once, and those
    within others could not be.

    Args:
        graph: The nodes and what follows what; not changed meanwhile.
        stream: Where the items come from.
        queue_size: Items that may wait before each node, and before whoever takes the results.
        clock: For the idle time of sessions.
    """

    def __init__(self, graph: Graph, stream: Stream, *, queue_size: int, clock: Clock) -> None:
        self._results = Inbox(queue_size, max(1, len(graph.sinks())), clock)
        inboxes = {name: Inbox(queue_size, max(1, len(graph.predecessors(name))), clock) for name in graph.nodes}
        self._inboxes = list(inboxes.values())
        heads = [inboxes[name] for name in graph.heads()] or [self._results]
        self._work: list[tuple[str, SourceRunner | NodeRunner, Sequence[Inbox]]] = [
            ("source", SourceRunner(stream, heads), heads)
        ]
        for name, node in graph.nodes.items():
            outputs = [inboxes[following] for following in graph.successors(name)] or [self._results]
            self._work.append((name, _runner(node, inboxes[name], outputs, clock), outputs))
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: BaseException | None = None
        self._stopping = False
        self._cancelled = False

    async def __aenter__(self) -> None:
        """Sets everything to work."""
        for name, runner, outputs in self._work:
            self._tasks.append(asyncio.create_task(self._guard(name, runner, outputs), name=f"remotemedia {name}"))

    async def next(self) -> Arrival | None:
        """The next result of the nodes that nothing follows, as they come; None after the last.

        Raises:
            Exception: The first that a node or the source raised, after the results that were waiting.
        """
        arrival = await self._results.get()
        if arrival is None and self._failure is not None:
            await uncancelled(self._stop())
            failure, self._failure = self._failure, None
            try:
                raise failure
            finally:
                del failure  # its traceback holds this frame
        return arrival

    async def __aexit__(self, *raised: object) -> None:
        """Ends all work and returns when nothing of it is left."""
        await uncancelled(self._stop())
        if self._failure is not None and not self._cancelled:
            _log.error("a node failed when its results were no longer asked for", exc_info=self._failure)

    async def _guard(self, name: str, runner: SourceRunner | NodeRunner, outputs: Sequence[Inbox]) -> None:
        """Runs one node. Its end is told to those who follow; its failure stops all before any of them runs on."""
        try:
            await runner.run()
        except asyncio.CancelledError as error:
            if not self._stopping:
                self._cancelled = True
                cancelled = Cancelled(f"node {name!r} was cancelled, and not by its pipeline")
                cancelled.__cause__ = error
                self._fail(cancelled)
            raise
        except Exception as error:  # noqa: BLE001 - next() raises it
            self._fail(error)
        except BaseException as error:
            self._fail(error)
            raise
        else:
            for output in outputs:
                output.producer_done()

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        elif error is not self._failure:
            _log.warning("another node failed while the run was ending", exc_info=error)
        self._end()

    def _end(self) -> None:
        """Ends all work; results that are waiting can still be taken."""
        self._stopping = True
        for inbox in self._inboxes:
            inbox.close()
        self._results.end()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def _stop(self) -> None:
        """Ends all work and returns when nothing of it is left."""
        self._end()
        self._results.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for task in self._tasks:
            if not task.cancelled():
                task.exception()  # what it was is in _failure, or logged


def _runner(node: Node, inbox: Inbox, outputs: Sequence[Inbox], clock: Clock) -> NodeRunner:
    if hasattr(node, "process_stream"):
        return StreamRunner(node, inbox, outputs, clock)
    if keeps_sessions(node):
        return SessionRunner(node, inbox, outputs, clock)
    return ItemRunner(node, inbox, outputs, clock)
