# SPDX-License-Identifier: Apache-2.0
"""One user of an LFM2-Audio node: a conversation and at most one running answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import NamedTuple

from remotemedia.nodes.ml.lfm2_chat import Question
from remotemedia.nodes.ml.lfm2_conversation import Answer, Conversation
from remotemedia.nodes.ml.lfm2_turn import Generation


class SessionInfo(NamedTuple):
    """What a session has at the moment."""

    session_id: str
    exchanges: int
    """Questions with their answers that are remembered."""
    history_tokens: int
    """Positions of the remembered conversation: text tokens and 80 ms pieces of sound."""
    answering: bool


class Session:
    """Weights are in no session; the conversation and the running answer are in no other.

    Threads: thread-safe.

    Attributes:
        session_id: Names it; runs of a pipeline that overlap may each have a session of one name.
        order: Held while an answer is given out, so that questions are answered in the order in which they came.
    """

    def __init__(self, session_id: str, make_chat: Callable[[], Conversation]) -> None:
        self.session_id = session_id
        self.order = asyncio.Lock()
        self._make_chat = make_chat
        self._lock = threading.Lock()
        self._chat: Conversation | None = None
        self._turn: Answer | None = None

    def begin(self, question: Question, generation: Generation) -> Answer:
        """The answer to `question`, not yet generated; an answer that nobody ended is ended."""
        if self._turn is not None:
            self.end(self._turn)
        with self._lock:
            if self._chat is None:
                self._chat = self._make_chat()
            self._turn = self._chat.begin(question, generation)
            return self._turn

    def end(self, turn: Answer) -> None:
        """Closes a turn; waits for the token that is being generated."""
        turn.close()
        with self._lock:
            if self._turn is turn:
                self._turn = None

    def interrupt(self) -> bool:
        """Stops the running answer before its next token, without waiting. False when there was none."""
        with self._lock:
            if self._turn is None:
                return False
            self._turn.stop()
            return True

    def reset(self) -> None:
        """Stops the running answer and forgets the conversation, without waiting."""
        with self._lock:
            chat, self._chat = self._chat, None
            if self._turn is not None:
                self._turn.stop()
            if chat is not None:
                chat.forget()

    def close(self) -> None:
        """As `reset`, and waits until nothing is generated any more."""
        self.reset()
        if (turn := self._turn) is not None:
            self.end(turn)

    def info(self) -> SessionInfo:
        """A snapshot."""
        with self._lock:
            chat = self._chat
            return SessionInfo(
                session_id=self.session_id,
                exchanges=chat.exchanges if chat else 0,
                history_tokens=chat.tokens if chat else 0,
                answering=self._turn is not None,
            )
