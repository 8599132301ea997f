# SPDX-License-Identifier: Apache-2.0
"""LFM2-Audio as a node: speech or text in, text and speech out, the weights loaded once for all nodes and sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remotemedia.core.errors import InvalidTensor
from remotemedia.core.model_registry import ModelRegistry
from remotemedia.core.model_registry import registry as process_registry
from remotemedia.nodes.ml.lfm2_chat import Question
from remotemedia.nodes.ml.lfm2_checkpoint import Lfm2Checkpoint
from remotemedia.nodes.ml.lfm2_conversation import Conversation, LocalConversation
from remotemedia.nodes.ml.lfm2_session import Session, SessionInfo
from remotemedia.nodes.ml.lfm2_turn import Generation, Parts
from remotemedia.nodes.ml.lfm2_vocoder import SAMPLE_RATE
from remotemedia.nodes.ml.served_lfm2 import ServedLfm2
from remotemedia.nodes.ml.served_model import take_served
from remotemedia.nodes.mono_audio import mono_samples
from remotemedia.nodes.node import Node
from remotemedia.nodes.node_types import register_node
from remotemedia.nodes.runtime_data import RuntimeData

if TYPE_CHECKING:
    import torch


@register_node("LFM2AudioNode")
class LFM2AudioNode(Node):
    """Answers each audio or text item, a whole user turn, with text items and 24 kHz audio items as they are generated.

    Model, processor and vocoder are held from `initialize` to `cleanup` through the process's registry: nodes with the
    same checkpoint, dtype and device share them, whatever their other options. Each session has a conversation of its
    own. Its questions are answered in order; sessions run side by side. An answer is generated only as fast as its
    items are taken, and no further once its stream is abandoned. What fails raises and leaves the conversation as it
    was before the question. Audio without samples and blank text have no answer.

    With `worker`, model and conversations are a worker's, and the items are the same. A worker that dies in the middle
    of an answer ends it with WorkerUnavailable, and its conversations are lost. The first item that comes after a loss,
    from the worker that was started anew, has `session_lost` (True) in its metadata.

    Args:
        name: Of the node.
        repo: "owner/name" on the Hugging Face hub, or a local folder.
        revision: Branch, tag or commit on the hub.
        dtype: Of the weights: a torch dtype or its name. None is bfloat16 on CUDA, float32 elsewhere.
        device: None is the first CUDA device where there is one, else "cpu".
        system_prompt: Opens each conversation; empty for none.
        interleaved: Text and speech take turns in an answer (conversation); False lets the model decide when to speak
            (speech recognition, speech synthesis, by the system prompt).
        text_only: No speech, and nothing loaded to make it.
        max_new_tokens: Of an answer at most: text tokens and 80 ms pieces of speech.
        text_temperature: None or 0 takes the likeliest token.
        text_top_k: Samples from so many likeliest tokens; None from all.
        audio_temperature: As for text.
        audio_top_k: As for text.
        audio_frames_per_item: 80 ms pieces that an audio item has at most; fewer sound sooner and cost more calls.
        max_history_tokens: The oldest exchanges are forgotten above this, counted as in `max_new_tokens`.
        session_ttl: Seconds after which an idle session is forgotten.
        keep_alive: How long the weights stay after the last node's cleanup; None is the registry's default.
        registry: Where the weights are taken from; the registry of the process unless given.
        worker: An endpoint that serves the model ("unix:/path"; nodes/ml/lfm2_worker.py says how); None loads it in
            this process. repo, revision, dtype, device and keep_alive are the worker's then.
        reconnect: A question of whose answer nothing has come when the worker dies goes to the one that comes after it
            within 30 seconds.

    Raises:
        ValueError: A number that makes no sense.

    Threads: `interrupt`, `reset` and `sessions` may be called from any thread, the rest from the event loop.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        repo: str | Path = "LiquidAI/LFM2-Audio-1.5B",
        revision: str | None = None,
        dtype: str | torch.dtype | None = None,
        device: str | torch.device | None = None,
        system_prompt: str = "Respond with interleaved text and audio.",
        interleaved: bool = True,
        text_only: bool = False,
        max_new_tokens: int = 1024,
        text_temperature: float | None = None,
        text_top_k: int | None = None,
        audio_temperature: float | None = 1.0,
        audio_top_k: int | None = 4,
        audio_frames_per_item: int = 5,
        max_history_tokens: int = 8192,
        session_ttl: float = 1800.0,
        keep_alive: float | str | None = None,
        registry: ModelRegistry | None = None,
        worker: str | None = None,
        reconnect: bool = False,
    ) -> None:
        super().__init__(name, session_ttl=session_ttl)
        self._worker = worker
        self._reconnect = reconnect
        self._registry = registry
        self._source = (repo, revision, dtype, device)
        self._keep_alive = keep_alive
        self._system_prompt = system_prompt
        self._max_history_tokens = _at_least(1, max_history_tokens=max_history_tokens)
        self._generation = Generation(
            interleaved=interleaved,
            text_only=text_only,
            max_new_tokens=_at_least(1, max_new_tokens=max_new_tokens),
            text_temperature=_temperature(text_temperature=text_temperature),
            text_top_k=None if text_top_k is None else _at_least(1, text_top_k=text_top_k),
            audio_temperature=_temperature(audio_temperature=audio_temperature),
            audio_top_k=None if audio_top_k is None else _at_least(1, audio_top_k=audio_top_k),
            audio_frames_per_item=_at_least(1, audio_frames_per_item=audio_frames_per_item),
        )
        self._holds = ExitStack()
        self._parts: Parts | None = None
        self._served: ServedLfm2 | None = None
        self._sessions: set[Session] = set()

    async def initialize(self) -> None:
        """Finds the checkpoint and takes hold of its parts, or of the worker, off the event loop.

        Raises:
            LoadFailed: liquid_audio is not there (says what to install), there is no such checkpoint, or a part of it
                does not load; `__cause__` is why.
            ValueError: `dtype`, `device` or `revision` does not fit.
            WorkerUnavailable: No worker is there.
            InvalidTensor: The worker serves something else, or text alone.
        """
        if self._parts is not None or self._served is not None:
            return
        registry = self._registry or process_registry()
        if self._worker is not None:
            await self._take_worker(registry, self._worker)
            return
        repo, revision, dtype, device = self._source
        checkpoint = await asyncio.to_thread(Lfm2Checkpoint.find, repo, revision=revision, dtype=dtype, device=device)
        wanted: list[tuple[str, Callable[[], Any], int | None]] = [
            (checkpoint.model_key, checkpoint.load_model, checkpoint.model_bytes),
            (checkpoint.processor_key, checkpoint.load_processor, None),
        ]
        if not self._generation.text_only:
            wanted.append((checkpoint.vocoder_key, checkpoint.load_vocoder, checkpoint.vocoder_bytes))
        with ExitStack() as holds:
            parts = []
            for key, load, memory_bytes in wanted:
                handle = await registry.get_or_load_async(
                    key, load, device=checkpoint.device, memory_bytes=memory_bytes, keep_alive=self._keep_alive
                )
                parts.append(holds.enter_context(handle).model)
            self._parts = Parts(*parts)
            self._holds = holds.pop_all()

    async def _take_worker(self, registry: ModelRegistry, endpoint: str) -> None:
        with ExitStack() as holds:
            handle = holds.enter_context(await take_served(registry, ServedLfm2, endpoint, self._reconnect))
            served: ServedLfm2 = handle.model
            if not self._generation.text_only:
                served.check_speaks()
            self._served = served
            self._holds = holds.pop_all()

    async def cleanup(self) -> None:
        """Ends running answers before their next token, forgets the conversations and lets go of the model."""
        sessions, self._sessions = self._sessions, set()
        self._parts = self._served = None
        for session in sessions:
            session.reset()
        try:
            for session in sessions:
                await asyncio.to_thread(session.close)
        finally:
            self._holds.close()

    def open_session(self, session_id: str) -> Session:
        """A conversation that has not begun."""
        session = Session(session_id, self._new_chat)
        self._sessions.add(session)
        return session

    def close_session(self, session_id: str, session: Session) -> None:
        """Ends the running answer and forgets the conversation."""
        del session_id
        self._sessions.discard(session)
        session.reset()

    async def process(self, item: RuntimeData, session: Session) -> AsyncGenerator[RuntimeData, None]:
        """Yields the answer's items, with the item's metadata."""
        question = _question(item)
        if question is None:
            return
        async with session.order:
            turn = await asyncio.to_thread(session.begin, question, self._generation)
            try:
                while (said := await asyncio.to_thread(turn.next_item)) is not None:
                    answer = RuntimeData.text(said) if isinstance(said, str) else RuntimeData.audio(said, SAMPLE_RATE)
                    lost = {"session_lost": True} if turn.take_session_lost() else {}
                    yield answer.replace(session_id=item.session_id, metadata={**item.metadata, **lost})
            finally:
                turn.stop()
                await asyncio.shield(asyncio.to_thread(session.end, turn))

    def interrupt(self, session_id: str) -> bool:
        """Ends the session's running answer before its next token, without waiting in any queue (barge-in).

        The conversation remembers what was given out of it. Questions that wait are answered next.

        Returns:
            Whether an answer was running.
        """
        return sum(session.interrupt() for session in self._named(session_id)) > 0

    def reset(self, session_id: str) -> bool:
        """Ends the session's running answer and forgets its conversation.

        Returns:
            Whether there is such a session.
        """
        sessions = self._named(session_id)
        for session in sessions:
            session.reset()
        return bool(sessions)

    def sessions(self) -> list[SessionInfo]:
        """What each open session has at the moment."""
        return [session.info() for session in list(self._sessions)]

    def _named(self, session_id: str) -> list[Session]:
        return [session for session in list(self._sessions) if session.session_id == session_id]

    def _new_chat(self) -> Conversation:
        if self._served is not None:
            return self._served.new_conversation(self._system_prompt, self._max_history_tokens)
        if self._parts is not None:
            return LocalConversation(self._parts, self._system_prompt, self._max_history_tokens)
        raise RuntimeError(f"{self.name}: initialize() comes before process()")


def _question(item: RuntimeData) -> Question | None:
    if item.kind == "text":
        return Question(item.payload) if item.payload.strip() else None
    if item.kind != "audio":
        raise InvalidTensor(f"LFM2AudioNode takes audio and text items, not {item.kind!r}")
    samples, sample_rate = mono_samples(item, needed_by="LFM2AudioNode")
    return Question(samples, sample_rate) if samples.size else None


def _at_least(least: int, **option: int) -> int:
    ((name, value),) = option.items()
    if value < least:
        raise ValueError(f"{name}={value}: at least {least}")
    return int(value)


def _temperature(**option: float | None) -> float | None:
    ((name, value),) = option.items()
    if value is not None and not value >= 0:
        raise ValueError(f"{name}={value}: 0 or more, or None")
    return None if value is None else float(value)
