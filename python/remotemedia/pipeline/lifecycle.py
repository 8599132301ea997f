# SPDX-License-Identifier: Apache-2.0
"""Lifecycle: initialises the nodes of a pipeline for whoever uses them first, and cleans up after the last."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future

from remotemedia.nodes.node import Node
from remotemedia.pipeline.calls import CallThread, call, overrides
from remotemedia.pipeline.failure import NodeFailure, add_note, name_failure
from remotemedia.pipeline.uncancelled import uncancelled

_log = logging.getLogger("remotemedia.pipeline")
_claims = threading.Lock()


class Lifecycle:
    """Counts who uses the nodes. Thread-safe: users may be on different event loops.

    Args:
        nodes: Read whenever they are initialised, so it may grow in between.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = nodes
        self._initialized: Sequence[Node] = ()
        self._lock = threading.Lock()
        self._users = 0
        self._change: Future[None] | None = None  # an initialisation or clean-up that is going on

    @property
    def in_use(self) -> bool:
        """Whether the nodes are initialised, or just being so."""
        with self._lock:
            return self._users > 0 or self._change is not None

    async def __aenter__(self) -> None:
        """Acquires."""
        await self.acquire()

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Releases. What cleanup raises when there is an error already is a note on that one."""
        try:
            await self.release()
        except Exception as cleanup_error:
            if error is None:
                raise
            add_note(error, f"and then cleanup failed: {cleanup_error!r}")
            _log.exception("cleanup failed after the run had failed")

    async def acquire(self) -> None:
        """Returns when the nodes are initialised; counts one user more.

        Raises:
            Exception: What initialize of a node raised; all are cleaned up then, and the next call tries again. Those
                who waited for the same initialisation get the same exception.
        """
        while True:
            with self._lock:
                change = self._change
                if change is None:
                    if self._users > 0:
                        self._users += 1
                        return
                    self._change = Future()
            if change is None:
                await self._initialize()
                return
            await asyncio.shield(asyncio.wrap_future(change))

    async def release(self) -> None:
        """One user less; after the last, all nodes are cleaned up, the last one first, even when cancelled.

        Raises:
            Exception: The first that a cleanup raised; the others are cleaned up all the same.
        """
        with self._lock:
            self._users -= 1
            if self._users > 0:
                return
            self._change = Future()
        try:
            await uncancelled(_cleanup_all(self._initialized))
        finally:
            self._let_go()
            self._changed(0)

    async def _initialize(self) -> None:
        error: Exception | None = None
        users = 0
        try:
            self._claim()
            await _initialize_all(self._initialized)
            users = 1
        except Exception as failure:
            error = failure
            raise
        finally:
            if users == 0:
                self._let_go()
            self._changed(users, error)

    def _claim(self) -> None:
        nodes = tuple(self._nodes)
        with _claims:
            for node in nodes:
                if node._in_use_by is not None:
                    raise RuntimeError(f"{node!r} is in use by another pipeline: make a node for each, or wait for it")
            for node in nodes:
                node._in_use_by = self
        self._initialized = nodes

    def _let_go(self) -> None:
        with _claims:
            for node in self._initialized:
                node._in_use_by = None
        self._initialized = ()

    def _changed(self, users: int, error: Exception | None = None) -> None:
        with self._lock:
            change, self._change, self._users = self._change, None, users
        assert change is not None
        if error is None:
            change.set_result(None)
        else:
            change.set_exception(error)


async def _initialize_all(nodes: Sequence[Node]) -> None:
    """Initialises all nodes at the same time. When one fails, or the caller is cancelled, cleans up all of them."""
    tasks = [asyncio.ensure_future(_initialize(node)) for node in nodes]
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
    except BaseException as error:
        await uncancelled(_give_up(tasks, nodes, error))
        raise


async def _give_up(tasks: Sequence[asyncio.Future[None]], nodes: Sequence[Node], reason: BaseException) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None and error is not reason:
            _log.warning("another node failed to initialize", exc_info=error)
    try:
        await _cleanup_all(nodes)
    except Exception as cleanup_error:  # noqa: BLE001 - initialize failed first, and that is raised
        add_note(reason, f"and then cleanup failed: {cleanup_error!r}")
        _log.exception("cleanup failed after initialize had failed")


async def _initialize(node: Node) -> None:
    if not overrides(node, Node, "initialize"):
        return
    thread = CallThread(node.name)
    try:
        await call(node.initialize, thread=thread)
    except Exception as error:
        name_failure(error, NodeFailure(node.name, type(node).__name__, "initialize"))
        raise
    finally:
        thread.close()


async def _cleanup_all(nodes: Sequence[Node]) -> None:
    errors: list[BaseException] = []
    for node in reversed(nodes):
        try:
            await _cleanup(node)
        except BaseException as error:  # noqa: BLE001 - raised below, after the other nodes
            errors.append(error)
    if not errors:
        return
    for other in errors[1:]:
        add_note(errors[0], f"and another cleanup failed: {other!r}")
        _log.error("another cleanup failed", exc_info=other)
    raise errors[0]


async def _cleanup(node: Node) -> None:
    if not overrides(node, Node, "cleanup"):
        return
    thread = CallThread(node.name)
    try:
        await call(node.cleanup, thread=thread)
    except Exception as error:
        name_failure(error, NodeFailure(node.name, type(node).__name__, "cleanup"))
        raise
    finally:
        thread.close()
