# SPDX-License-Identifier: Apache-2.0
"""One answer of LFM2-Audio while it is generated: tokens in, text and sound out, stopped between two tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remotemedia.nodes.ml.lfm2_chat import Chat, Question
from remotemedia.nodes.ml.lfm2_checkpoint import SharedModel
from remotemedia.nodes.ml.lfm2_vocoder import Samples, SpeechStream, Vocoder

if TYPE_CHECKING:
    import torch
    from liquid_audio import LFM2AudioProcessor
    from transformers import PreTrainedTokenizer

# liquid_audio's generators compare with these numbers, whatever the tokenizer.
TURN_END = 7
AUDIO_START = 128
TEXT_END = 130
AUDIO_END = 2048


@dataclass(frozen=True)
class Generation:
    """How answers are generated; none of it makes another model. Temperature None or 0 takes the likeliest token."""

    interleaved: bool
    text_only: bool
    max_new_tokens: int
    text_temperature: float | None
    text_top_k: int | None
    audio_temperature: float | None
    audio_top_k: int | None
    audio_frames_per_item: int


@dataclass(frozen=True)
class Parts:
    """What answers are generated with, shared by all sessions. No vocoder where only text is wanted."""

    model: SharedModel
    processor: LFM2AudioProcessor
    vocoder: Vocoder | None = None


class Turn:
    """The answer to one question.

    When it ends, also early, the chat remembers what was given out; when it fails, the chat is as before the question.
    `cancelled`, asked before each token, stops it too.

    Threads: thread-safe; what generates runs one call at a time.
    """

    def __init__(
        self,
        chat: Chat,
        question: Question,
        parts: Parts,
        generation: Generation,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._generation = generation
        self._cancelled = cancelled
        self._stop = threading.Event()
        self._generating = threading.Lock()
        self._said: list[torch.Tensor] = []
        self._frames: list[torch.Tensor] = []
        self._speech: SpeechStream | None = None
        self._items = self._answer(chat, question, parts)

    def stop(self) -> None:
        """Ends the turn before its next token. Never waits."""
        self._stop.set()

    def next_item(self) -> str | Samples | None:
        """Generates up to the next text or samples (24 kHz). None: the answer is complete, or stopped."""
        with self._generating:
            if self._stop.is_set():
                self._items.close()
            return next(self._items, None)

    def close(self) -> None:
        """Stops, waits for a `next_item` that another thread is in, and lets go of what generates. Idempotent."""
        self._stop.set()
        with self._generating:
            self._items.close()

    def take_session_lost(self) -> bool:
        """False: the conversation lies here."""
        return False

    def _answer(self, chat: Chat, question: Question, parts: Parts) -> Generator[str | Samples, None, None]:
        try:
            chat.ask(question)
            yield from self._speak(chat, parts)
        except GeneratorExit:
            chat.answer(self._said)
            raise
        except BaseException:
            chat.withdraw()
            raise
        chat.answer(self._said)

    def _speak(self, chat: Chat, parts: Parts) -> Iterator[str | Samples]:
        generation = self._generation
        text = TextPieces(parts.processor.text)
        with closing(self._tokens(chat, parts.model)) as tokens:
            for token in tokens:
                if self._stop.is_set() or self._cancelled():
                    return
                kind = int(token[0])
                if token.numel() > 1:
                    self._frames.append(token)
                    if kind == AUDIO_END or len(self._frames) == generation.audio_frames_per_item:
                        yield from self._sound(parts.vocoder, ends=kind == AUDIO_END)
                    continue
                yield from self._sound(parts.vocoder)
                if kind == TURN_END or (kind == AUDIO_START and generation.text_only):
                    break
                self._said.append(token)
                if kind not in (AUDIO_START, TEXT_END) and (piece := text.add(kind)):
                    yield piece
        yield from self._sound(parts.vocoder, ends=True)
        if piece := text.flush():
            yield piece

    def _tokens(self, chat: Chat, model: SharedModel) -> Generator[torch.Tensor, None, None]:
        generation = self._generation
        interleaved = generation.interleaved and not generation.text_only
        generate = model.network.generate_interleaved if interleaved else model.network.generate_sequential
        tokens = generate(
            **chat.state,
            max_new_tokens=generation.max_new_tokens,
            text_temperature=generation.text_temperature,
            text_top_k=generation.text_top_k,
            audio_temperature=generation.audio_temperature,
            audio_top_k=generation.audio_top_k,
        )
        with closing(tokens):
            with model.encoding:
                first = next(tokens, None)
            if first is not None:
                yield first
                yield from tokens

    def _sound(self, vocoder: Vocoder | None, *, ends: bool = False) -> Iterator[Samples]:
        """The frames collected so far. Those with an end-of-audio token are remembered and never decoded."""
        frames, self._frames = self._frames, []
        self._said += frames
        audible = [frame for frame in frames if not bool((frame == AUDIO_END).any())]
        if self._speech is None and audible and vocoder is not None:
            self._speech = vocoder.open()
        if self._speech is None:
            return
        samples = self._speech.decode(audible, last=ends)
        if ends:
            self._speech = None
        if samples.size:
            yield samples


class TextPieces:
    """Tokens to text, a character at the earliest when all its bytes are there."""

    _MOST_TOKENS = 4
    """That a character is cut into: one for each byte of UTF-8."""

    def __init__(self, tokenizer: PreTrainedTokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []

    def add(self, token: int) -> str:
        """The text that `token` completes, often empty."""
        self._tokens.append(token)
        text = self._decode()
        if text.endswith("\ufffd") and len(self._tokens) < self._MOST_TOKENS:
            return ""
        self._tokens.clear()
        return text

    def flush(self) -> str:
        """What is left at the end."""
        text = self._decode()
        self._tokens.clear()
        return text

    def _decode(self) -> str:
        text: str = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
        return text
