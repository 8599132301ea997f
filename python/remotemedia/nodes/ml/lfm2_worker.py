# SPDX-License-Identifier: Apache-2.0
"""LFM2-Audio for a worker: the weights once for all processes, a conversation for each session.

    remotemedia serve remotemedia.nodes.ml.lfm2_worker:load --concurrent-streams 8 --stream-window 1 \
        --session-idle 1800 --endpoint unix:/run/user/1000/lfm2

serves it; LFM2AudioNode(worker="unix:/run/user/1000/lfm2") calls it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from remotemedia.nodes.ml.lfm2_chat import Question
from remotemedia.nodes.ml.lfm2_checkpoint import Lfm2Checkpoint
from remotemedia.nodes.ml.lfm2_conversation import LocalConversation
from remotemedia.nodes.ml.lfm2_turn import Generation, Parts
from remotemedia.nodes.ml.lfm2_vocoder import Samples
from remotemedia.worker.inference_model import InferenceContext, InferenceModel, ModelSignature, RequestInfo, TensorSpec

Arrays = dict[str, npt.NDArray[Any]]


class _State:
    """Of a session."""

    conversation: LocalConversation | None = None
    asked = 0


class Lfm2Service(InferenceModel):
    """A stream for each question, of `text` uint8 [bytes], or of `samples` float32 [frames] when that is not empty.

    Its parameters are the fields of Generation, those that are None left out; `sample_rate` in Hz with samples; and
    `system_prompt` and `max_history_tokens`, which count where the conversation begins. Each answer of the stream has
    `text`, or `samples` at 24 kHz, the last one neither; `asked`, the questions of its session before this one; and
    `exchanges` and `history_tokens`, what the conversation remembers at that moment. A service of text alone takes
    samples and gives none. Without a session each question is a conversation of its own.

    Streams may be resumed in turn, and instances run at the same time. A stream whose caller has gone generates no
    further token.

    Args:
        parts: The model.
        memory_bytes: What it takes.
        device: As torch names it.
    """

    model_id = "lfm2-audio"

    def __init__(self, parts: Parts, memory_bytes: int, device: str) -> None:
        self._parts = parts
        self._memory_bytes = memory_bytes
        self.device = device

    def signature(self) -> ModelSignature:
        """A question in, pieces of its answer out."""
        text, samples = TensorSpec("text", "uint8", [-1]), TensorSpec("samples", "float32", [-1])
        counts = [TensorSpec(name, "int64", []) for name in ("asked", "exchanges", "history_tokens")]
        spoken = [] if self._parts.vocoder is None else [samples]
        return ModelSignature([text, samples], [text, *spoken, *counts], stateful=True)

    def memory_usage(self) -> int:
        """Bytes of the weights."""
        return self._memory_bytes

    def open_session(self, session_id: str) -> _State:  # noqa: ARG002
        """A conversation that has not begun."""
        return _State()

    def infer_stream(self, inputs: Arrays, context: InferenceContext) -> Iterator[Mapping[str, Any]]:
        """Generates up to the next text or sound, each time."""
        (request,) = context.requests
        state = _State() if request.state is None else request.state
        if state.conversation is None:
            state.conversation = _begun(self._parts, request)
        conversation, asked = state.conversation, state.asked
        state.asked += 1
        question = _question(inputs, request)
        with closing(conversation.begin(question, _generation(request), lambda: request.cancelled)) as turn:
            while (said := turn.next_item()) is not None:
                yield self._piece(said, conversation, asked)
        yield self._piece("", conversation, asked)

    def _piece(self, said: str | Samples, conversation: LocalConversation, asked: int) -> dict[str, Any]:
        text, samples = (said, np.zeros(0, np.float32)) if isinstance(said, str) else ("", said)
        return {
            "text": np.frombuffer(text.encode(), np.uint8),
            **({} if self._parts.vocoder is None else {"samples": samples}),
            "asked": asked,
            "exchanges": conversation.exchanges,
            "history_tokens": conversation.tokens,
        }


def load(
    repo: str = "LiquidAI/LFM2-Audio-1.5B",
    revision: str | None = None,
    dtype: str | None = None,
    device: str | None = None,
    text_only: bool = False,
) -> Lfm2Service:
    """Loads LFM2-Audio for a worker.

    Args:
        repo: As LFM2AudioNode.
        revision: As LFM2AudioNode.
        dtype: As LFM2AudioNode.
        device: As LFM2AudioNode.
        text_only: Loads nothing that makes speech; nodes with text_only=True are served.

    Raises:
        LoadFailed: liquid_audio is not there (says what to install), or there is no such checkpoint.
        ValueError: `dtype`, `device` or `revision` does not fit.
    """
    checkpoint = Lfm2Checkpoint.find(repo, revision=revision, dtype=dtype, device=device)
    vocoder = None if text_only else checkpoint.load_vocoder()
    parts = Parts(checkpoint.load_model(), checkpoint.load_processor(), vocoder)
    memory_bytes = checkpoint.model_bytes + (0 if text_only else checkpoint.vocoder_bytes)
    return Lfm2Service(parts, memory_bytes, checkpoint.device)


def _begun(parts: Parts, request: RequestInfo) -> LocalConversation:
    parameters = request.parameters
    return LocalConversation(
        parts, str(parameters.get("system_prompt", "")), int(parameters.get("max_history_tokens", 8192))
    )


def _question(inputs: Arrays, request: RequestInfo) -> Question:
    if inputs["samples"].size:
        return Question(inputs["samples"], int(request.parameters["sample_rate"]))
    return Question(bytes(inputs["text"]).decode())


def _generation(request: RequestInfo) -> Generation:
    options: dict[str, Any] = {field.name: request.parameters.get(field.name) for field in fields(Generation)}
    return Generation(**options)
