# SPDX-License-Identifier: Apache-2.0
"""The conversation of one session with LFM2-Audio: what was asked and answered, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from remotemedia.core.tensor_bridge import TensorBuffer

if TYPE_CHECKING:
    import torch
    from liquid_audio import ChatState


class Question(NamedTuple):
    """What the user says in one turn: a text, or float32 samples [frames] with their rate in Hz."""

    content: str | npt.NDArray[np.float32]
    sample_rate: int = 0


class _Lengths(NamedTuple):
    """How long each tensor of a ChatState is: a place in the conversation."""

    text: int
    audio_in: int
    audio_in_lens: int
    audio_out: int
    modality_flag: int


class Chat:
    """A ChatState that knows where each exchange begins. Not thread-safe.

    Args:
        state: An empty one, which is the chat's from now on.
        system_prompt: First turn of the conversation; empty for none.
        max_history_tokens: After an answer the oldest exchanges go until what is left has at most so many positions.
            A position is a text token or 80 ms of sound.
    """

    def __init__(self, state: ChatState, system_prompt: str, max_history_tokens: int) -> None:
        self.state = state
        if system_prompt:
            self.state.new_turn("system")
            self.state.add_text(system_prompt)
            self.state.end_turn()
        self._limit = max_history_tokens
        self._starts = [_lengths(self.state)]
        self._before: dict[str, torch.Tensor] | None = None

    @property
    def exchanges(self) -> int:
        """Questions with their answers that are remembered."""
        return len(self._starts) - 1

    @property
    def tokens(self) -> int:
        """Positions of the remembered conversation, the system prompt included."""
        return self._starts[-1].modality_flag

    def ask(self, question: Question) -> None:
        """Adds the user's turn and opens the answer's, until `answer` or `withdraw`."""
        self._before = dict(self.state)
        self.state.new_turn("user")
        if isinstance(question.content, str):
            self.state.add_text(question.content)
        else:
            wave = TensorBuffer.from_numpy(question.content).to_torch(allow_readonly=True)  # which is only read
            self.state.add_audio(wave[None], question.sample_rate)
        self.state.end_turn()
        self.state.new_turn("assistant")

    def answer(self, tokens: Sequence[torch.Tensor]) -> None:
        """Adds what was generated, texts ([1]) and frames ([8]) in order, maybe none, and ends the exchange."""
        import torch
        from liquid_audio import LFMModality

        text = [token for token in tokens if token.numel() == 1]
        frames = [token for token in tokens if token.numel() > 1]
        kinds = [LFMModality.TEXT if token.numel() == 1 else LFMModality.AUDIO_OUT for token in tokens]
        state = self.state
        state.append(
            text=torch.stack(text, 1) if text else state.text[:, :0],
            audio_out=torch.stack(frames, 1) if frames else state.audio_out[:, :0],
            modality_flag=state.modality_flag.new_tensor([kinds]),
        )
        state.end_turn()
        self._before = None
        self._starts.append(_lengths(state))
        while len(self._starts) > 1 and self.tokens > self._limit:
            self._forget_oldest()

    def withdraw(self) -> None:
        """Takes an unanswered question back."""
        if self._before is not None:
            vars(self.state).update(self._before)
            self._before = None

    def _forget_oldest(self) -> None:
        import torch

        start, end = self._starts[0], self._starts[1]
        for name, begin, stop in zip(_Lengths._fields, start, end, strict=True):
            tensor = getattr(self.state, name)
            setattr(self.state, name, torch.cat([tensor[..., :begin], tensor[..., stop:]], -1))
        gone = [stop - begin for begin, stop in zip(start, end, strict=True)]
        self._starts = [start] + [_Lengths(*(a - b for a, b in zip(at, gone, strict=True))) for at in self._starts[2:]]


def _lengths(state: ChatState) -> _Lengths:
    return _Lengths(*(state[name].shape[-1] for name in _Lengths._fields))
