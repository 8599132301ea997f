# SPDX-License-Identifier: Apache-2.0
"""NodeRunner: one node at work in one run of a pipeline."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from remotemedia.nodes.node import Node
from remotemedia.nodes.runtime_data import RuntimeData
from remotemedia.pipeline.calls import CallThread, deliver
from remotemedia.pipeline.clock import Clock
from remotemedia.pipeline.failure import NodeFailure, Phase, name_failure
from remotemedia.pipeline.inbox import Inbox, Stopped


async def put_to_all(item: Any, outputs: Sequence[Inbox]) -> None:
    """Hands item to every output that still takes items, waiting for room in each.

    Raises:
        Stopped: If none does.
    """
    heard = False
    for output in outputs:
        heard = await output.put(item) or heard
    if not heard:
        raise Stopped


def session_id_of(item: Any) -> str | None:
    """The session that item names, if it names one."""
    return item.session_id if isinstance(item, RuntimeData) else None


class NodeRunner(ABC):
    """Takes items from an inbox, has the node process them, and hands the results on.

    Args:
        node: Initialised.
        inbox: Where its items come from; closed when the runner ends, however it does.
        outputs: The inboxes of those who follow.
        clock: For what depends on time.
    """

    def __init__(self, node: Node, inbox: Inbox, outputs: Sequence[Inbox], clock: Clock) -> None:
        self._node = node
        self._inbox = inbox
        self._outputs = outputs
        self._clock = clock
        self._thread = CallThread(node.name)
        self._index = -1
        self._item: Any = None

    async def run(self) -> None:
        """Works until the inbox has ended or nobody takes its results.

        Raises:
            Exception: What the node raised, with the node's and the item's name on it.
        """
        try:
            await self._work()
        except Stopped:
            return
        finally:
            self._inbox.close()
            self._thread.close()

    @abstractmethod
    async def _work(self) -> None:
        """Works through the inbox."""

    def _begin(self, item: Any) -> None:
        self._index += 1
        self._item = item

    async def _deliver(self, function: Callable[..., Any], *args: Any, session_id: str | None) -> None:
        async def emit(result: Any) -> None:
            await self._emit(result, session_id)

        await deliver(function, *args, thread=self._thread, emit=emit)

    async def _emit(self, result: Any, session_id: str | None) -> None:
        if result is None:
            return
        if session_id is not None and isinstance(result, RuntimeData) and result.session_id is None:
            result = result.replace(session_id=session_id)
        await put_to_all(result, self._outputs)

    @contextlib.contextmanager
    def _named(self, phase: Phase) -> Iterator[None]:
        """Writes on what is raised inside that it came from this node, doing phase, at the present item."""
        try:
            yield
        except Stopped:
            raise
        except Exception as error:
            index = self._index if self._index >= 0 else None
            where = NodeFailure(
                self._node.name, type(self._node).__name__, phase, index, self._item, session_id_of(self._item)
            )
            name_failure(error, where)
            raise


class ItemRunner(NodeRunner):
    """For a node without sessions."""

    async def _work(self) -> None:
        while (arrival := await self._inbox.get()) is not None:
            self._begin(arrival.item)
            with self._named("process"):
                await self._deliver(self._node.process, arrival.item, session_id=session_id_of(arrival.item))
