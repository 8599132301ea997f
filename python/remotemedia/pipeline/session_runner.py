# SPDX-License-Identifier: Apache-2.0
"""SessionRunner: at work with a node that keeps a state for each session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from remotemedia.nodes.node import Node
from remotemedia.pipeline.calls import call, overrides, takes
from remotemedia.pipeline.clock import Clock
from remotemedia.pipeline.failure import NodeFailure, Phase, name_failure
from remotemedia.pipeline.inbox import Arrival, Inbox, Stopped
from remotemedia.pipeline.node_runner import NodeRunner, session_id_of
from remotemedia.pipeline.sessions import DEFAULT_SESSION, OpenSession, SessionTable

_log = logging.getLogger("remotemedia.pipeline")


def keeps_sessions(node: Node) -> bool:
    """Whether node has anything to do with sessions."""
    return (
        takes(node.process, "session", position=1)
        or hasattr(node, "finish")
        or overrides(node, Node, "open_session")
        or overrides(node, Node, "close_session")
    )


class SessionRunner(NodeRunner):
    """For a node with sessions: opens one with its first item, ends it with the stream or when it is idle."""

    def __init__(self, node: Node, inbox: Inbox, outputs: Sequence[Inbox], clock: Clock) -> None:
        super().__init__(node, inbox, outputs, clock)
        self._sessions = SessionTable(node.session_ttl)
        self._finish = getattr(node, "finish", None)
        self._process_takes_session = takes(node.process, "session", position=1)

    async def _work(self) -> None:
        try:
            while (arrival := await self._next()) is not None:
                await self._end_expired(arrival.time)
                self._begin(arrival.item)
                await self._process(arrival.item)
            for session in self._sessions.all():
                await self._end(session)
        finally:
            for session in self._sessions.all():
                await self._abandon(session)

    async def _next(self) -> Arrival | None:
        """The next item. While there is none, sessions that have been idle for too long are ended."""
        while not self._inbox.ready:
            expiry = self._sessions.next_expiry()
            if expiry is None:
                await self._inbox.changed()
            elif expiry <= self._clock.now():
                await self._end_expired(self._clock.now())
            else:
                await self._inbox_changed_or(expiry)
        return await self._inbox.get()

    async def _inbox_changed_or(self, time: float) -> None:
        timer = asyncio.ensure_future(self._clock.sleep_until(time))
        timer.add_done_callback(lambda _: self._inbox.wake())
        try:
            await self._inbox.changed()
        finally:
            timer.cancel()
            await asyncio.wait({timer})
        if not timer.cancelled():
            timer.result()

    async def _process(self, item: Any) -> None:
        session_id = session_id_of(item)
        key = DEFAULT_SESSION if session_id is None else session_id
        session = self._sessions.get(key)
        if session is None:
            with self._named("open_session"):
                state = await call(self._node.open_session, key, thread=self._thread)
            session = OpenSession(key, session_id, state, self._clock.now())
            self._sessions.add(session)
        arguments = (item, session.state) if self._process_takes_session else (item,)
        with self._named("process"):
            await self._deliver(self._node.process, *arguments, session_id=session_id)
        self._sessions.used(session, self._clock.now())

    async def _end_expired(self, now: float) -> None:
        while (session := self._sessions.expired(now)) is not None:
            await self._end(session)

    async def _end(self, session: OpenSession) -> None:
        self._sessions.remove(session)
        try:
            if self._finish is not None:
                arguments = (session.state,) if takes(self._finish, "session", position=0) else ()
                await self._deliver(self._finish, *arguments, session_id=session.session_id)
        except BaseException as error:
            if not isinstance(error, (Stopped, asyncio.CancelledError)):
                self._name(error, "finish", session)
            await self._abandon(session)
            raise
        try:
            await call(self._node.close_session, session.key, session.state, thread=self._thread)
        except Exception as error:
            self._name(error, "close_session", session)
            raise

    async def _abandon(self, session: OpenSession) -> None:
        """Closes a session whose run ends early. That has its reason already, so what goes wrong here is logged."""
        try:
            await call(self._node.close_session, session.key, session.state, thread=self._thread)
        except Exception:  # noqa: BLE001 - why the run ends is raised
            _log.exception("close_session(%r) of node %r failed", session.key, self._node.name)

    def _name(self, error: BaseException, phase: Phase, session: OpenSession) -> None:
        name_failure(error, NodeFailure(self._node.name, type(self._node).__name__, phase, session_id=session.key))
