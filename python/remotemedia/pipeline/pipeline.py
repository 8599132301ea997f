# SPDX-License-Identifier: Apache-2.0
"""Pipeline: nodes that work at the same time, each on what the one before it gives."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from remotemedia.nodes.node import Node
from remotemedia.nodes.optional_package import import_package
from remotemedia.pipeline.clock import Clock, MonotonicClock
from remotemedia.pipeline.execution import Run
from remotemedia.pipeline.graph import Graph
from remotemedia.pipeline.lifecycle import Lifecycle
from remotemedia.pipeline.manifest import build_graph, describe_graph, read_manifest
from remotemedia.pipeline.source import Stream, checked_stream


class Pipeline:
    """A chain of nodes, or with a manifest any graph without cycles.

    Each node works in a task of its own and has a bounded queue before it, so that a fast node waits for a slow one.
    An exception in a node or in the source ends the run with that very exception; a note and its attribute
    `node_failure` (a `NodeFailure`) say which node and which item it was. The other nodes are stopped and cleaned up,
    and the pipeline can run again.

    Runs may overlap: sessions belong to a run. Without `initialize` or `managed_execution`, nodes are initialised when
    a run begins and cleaned up when the last has ended.

    Args:
        nodes: The chain.
        queue_size: Items that may wait before each node, and before whoever takes the results.
        clock: For the idle time of sessions.

    Raises:
        ValueError: If queue_size is less than 1, or two nodes were given the same name.
        TypeError: If something in nodes is no node.

    Example:
        for text in Pipeline([SileroVADNode(), WhisperNode()]).run(AudioFileSource("speech.wav")):
            print(text.payload)
    """

    def __init__(self, nodes: Sequence[Node] = (), *, queue_size: int = 16, clock: Clock | None = None) -> None:
        if isinstance(queue_size, bool) or not isinstance(queue_size, int) or queue_size < 1:
            raise ValueError(f"queue_size must be a whole number of items, at least 1, not {queue_size!r}")
        self.metadata: dict[str, Any] = {}
        self._queue_size = queue_size
        self._clock = clock if clock is not None else MonotonicClock()
        self._kept = False
        self._graph = Graph()
        self._lifecycle = Lifecycle(self._graph.nodes.values())
        for node in nodes:
            self.add_node(node)

    @staticmethod
    def from_manifest(manifest: str | os.PathLike[str] | Mapping[str, Any], *, queue_size: int = 16) -> Pipeline:
        """Makes a pipeline from a manifest of version 1, a mapping or the path of a JSON or YAML file.

        Args:
            manifest: The mapping or the path.
            queue_size: As the pipeline's.

        Raises:
            ManifestError: If it is not one, with what is wrong and where; a ValueError.
            FileNotFoundError: If there is no such file.
        """
        content = read_manifest(manifest)
        pipeline = Pipeline(queue_size=queue_size)
        pipeline._graph = build_graph(content)
        pipeline._lifecycle = Lifecycle(pipeline._graph.nodes.values())
        pipeline.metadata = dict(content.get("metadata") or {})
        return pipeline

    def to_manifest(self) -> dict[str, Any]:
        """The manifest of this pipeline, with every argument of every node.

        Raises:
            ManifestError: If a node's class is not registered, or an argument has no form in JSON.
        """
        return describe_graph(self._graph, self.metadata)

    def serialize(self, format: Literal["json", "yaml"] = "json") -> str:  # noqa: A002 - the field's word
        """The manifest as text.

        Raises:
            ManifestError: As to_manifest.
            ValueError: If the format is unknown.
        """
        if format == "json":
            return json.dumps(self.to_manifest(), indent=2, ensure_ascii=False)
        if format == "yaml":
            yaml = import_package("yaml", needed_by="a manifest in YAML", install="pip install PyYAML")
            return str(yaml.safe_dump(self.to_manifest(), sort_keys=False, allow_unicode=True))
        raise ValueError(f'a manifest is written as "json" or "yaml", not {format!r}')

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes, in the order in which they were added."""
        return tuple(self._graph.nodes.values())

    def add_node(self, node: Node) -> Pipeline:
        """Adds a node at the end, after every node that nothing follows; returns the pipeline.

        Raises:
            RuntimeError: If the pipeline is initialised.
            ValueError: If the node, or another one given the same name, is in it.
            TypeError: If it is no node, or has nothing to process with.
        """
        if self._lifecycle.in_use:
            raise RuntimeError("the pipeline is initialised: add nodes before, or after cleanup")
        self._graph.append(node)
        return self

    def get_node(self, name: str) -> Node:
        """The node of that name.

        Raises:
            KeyError: If there is none; the message lists the names.
        """
        if name not in self._graph.nodes:
            raise KeyError(f"no node named {name!r}; there are {', '.join(self._graph.nodes) or 'none'}")
        return self._graph.nodes[name]

    async def initialize(self) -> None:
        """Initialises all nodes, at the same time, and keeps them so until cleanup. A second call does nothing.

        Raises:
            Exception: What initialize of a node raised. All nodes have been cleaned up then.
        """
        await self._lifecycle.acquire()
        if self._kept:
            await self._lifecycle.release()
        self._kept = True

    async def cleanup(self) -> None:
        """Ends what initialize began; nodes are cleaned up when no run uses them. A second call does nothing.

        Raises:
            Exception: The first that cleanup of a node raised. The others have been cleaned up all the same.
        """
        if self._kept:
            self._kept = False
            await self._lifecycle.release()

    @contextlib.asynccontextmanager
    async def managed_execution(self) -> AsyncIterator[Pipeline]:
        """Keeps the nodes initialised inside `async with`, for any number of runs."""
        async with self._lifecycle:
            yield self

    def process(self, stream: Any) -> AsyncGenerator[Any, None]:
        """Processes a stream. Nothing happens before the first result is asked for.

        Leaving the iterator early (aclose, break, a cancelled task) stops the nodes and the source. A call that a node
        is making in its thread is waited for.

        Args:
            stream: An iterable (iterated in a thread, as it may block) or async iterable of items. None is no item.

        Returns:
            An async generator of the results, in the order in which they come: within a session that of its items.

        Raises:
            TypeError: If stream is neither; everything else is raised by the iterator.
        """
        return self._process(checked_stream(stream))

    def run(self, items: Any) -> list[Any]:
        """Processes items and returns all results: `process` for programs without an event loop.

        Raises:
            RuntimeError: If an event loop is running in this thread; use process there.
        """
        stream = checked_stream(items)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._collect(stream))
        raise RuntimeError(
            "Pipeline.run cannot be used where an event loop is running: "
            "write `async for result in pipeline.process(items)` there"
        )

    async def _collect(self, stream: Stream) -> list[Any]:
        async with contextlib.aclosing(self._process(stream)) as results:
            return [result async for result in results]

    async def _process(self, stream: Stream) -> AsyncGenerator[Any, None]:
        run = Run(self._graph, stream, queue_size=self._queue_size, clock=self._clock)
        async with self._lifecycle, run:
            while (arrival := await run.next()) is not None:
                yield arrival.item
