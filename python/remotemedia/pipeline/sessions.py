# SPDX-License-Identifier: Apache-2.0
"""SessionTable: the open sessions of one node in one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DEFAULT_SESSION = "default"
"""The session of items that name none."""


@dataclass
class OpenSession:
    """A session and its state.

    Attributes:
        key: Its id, DEFAULT_SESSION when its first item had none.
        session_id: As its first item had it.
        state: What open_session returned.
        used: When its last item was done.
        number: Of those opened, counted from 0.
    """

    key: str
    session_id: str | None
    state: Any
    used: float
    number: int = 0


class SessionTable:
    """Sessions in the order of their last use.

    Args:
        ttl: Seconds without an item after which a session expires; None: never.
    """

    def __init__(self, ttl: float | None) -> None:
        self._ttl = ttl
        self._sessions: dict[str, OpenSession] = {}
        self._opened = 0

    def get(self, key: str) -> OpenSession | None:
        """The open session, if it is open."""
        return self._sessions.get(key)

    def add(self, session: OpenSession) -> None:
        """Opens a session."""
        session.number = self._opened
        self._opened += 1
        self._sessions[session.key] = session

    def remove(self, session: OpenSession) -> None:
        """Takes a session out."""
        del self._sessions[session.key]

    def used(self, session: OpenSession, now: float) -> None:
        """An item of session is done."""
        session.used = now
        self._sessions[session.key] = self._sessions.pop(session.key)

    def expired(self, now: float) -> OpenSession | None:
        """The session idle longest, if it has expired."""
        expiry = self.next_expiry()
        return next(iter(self._sessions.values())) if expiry is not None and expiry <= now else None

    def all(self) -> list[OpenSession]:
        """All sessions, in the order in which they were opened."""
        return sorted(self._sessions.values(), key=lambda session: session.number)

    def next_expiry(self) -> float | None:
        """When the next session expires, if nothing comes for it."""
        if self._ttl is None or not self._sessions:
            return None
        return next(iter(self._sessions.values())).used + self._ttl
