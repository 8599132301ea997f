# SPDX-License-Identifier: Apache-2.0
"""A conversation with LFM2-Audio, wherever the model is: what a session has of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from remotemedia.nodes.ml.lfm2_chat import Chat, Question
from remotemedia.nodes.ml.lfm2_turn import Generation, Parts, Turn
from remotemedia.nodes.ml.lfm2_vocoder import Samples


class Answer(Protocol):
    """The answer to one question. Thread-safe; one `next_item` at a time."""

    def next_item(self) -> str | Samples | None:
        """Waits for the next text or samples (24 kHz). None: the answer is complete, or stopped."""

    def stop(self) -> None:
        """Ends it before its next token. Never waits."""

    def close(self) -> None:
        """Stops it and lets go of what generates. Idempotent."""

    def take_session_lost(self) -> bool:
        """Whether what was said before this question was lost with a worker; True once."""


class Conversation(Protocol):
    """What was asked and answered."""

    @property
    def exchanges(self) -> int:
        """Questions with their answers that are remembered."""

    @property
    def tokens(self) -> int:
        """Positions of the remembered conversation."""

    def begin(self, question: Question, generation: Generation) -> Answer:
        """The answer to `question`, not yet generated; the one before is closed."""

    def forget(self) -> None:
        """No question follows. Never waits."""


class LocalConversation(Chat):
    """A conversation with the model of this process.

    Args:
        parts: The model.
        system_prompt: As Chat.
        max_history_tokens: As Chat.
    """

    def __init__(self, parts: Parts, system_prompt: str, max_history_tokens: int) -> None:
        from liquid_audio import ChatState

        network = parts.model.network
        state = ChatState(parts.processor, codebooks=network.codebooks, dtype=next(network.parameters()).dtype)
        super().__init__(state, system_prompt, max_history_tokens)
        self._parts = parts

    def begin(self, question: Question, generation: Generation, cancelled: Callable[[], bool] = lambda: False) -> Turn:
        """As Conversation; `cancelled`, asked before each token, stops the answer."""
        return Turn(self, question, self._parts, generation, cancelled)

    def forget(self) -> None:
        """It goes with the object."""
