# SPDX-License-Identifier: Apache-2.0
"""ServedLfm2: the LFM2-Audio of a worker, which has the conversations too."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from remotemedia.core.errors import InvalidTensor, WorkerUnavailable
from remotemedia.core.tensor_bridge import TensorBuffer
from remotemedia.nodes.ml.lfm2_chat import Question
from remotemedia.nodes.ml.lfm2_turn import Generation
from remotemedia.nodes.ml.lfm2_vocoder import Samples
from remotemedia.nodes.ml.served_model import ServedModel

_TAKEN = {"text", "samples"}
_GIVEN = {"text", "asked", "exchanges", "history_tokens"}


class ServedLfm2(ServedModel):
    """Thread-safe.

    Args:
        endpoint: Where a Lfm2Service is served.
        reconnect: As ServedModel, for an answer of which nothing has come.

    Raises:
        WorkerUnavailable: No worker is there.
        InvalidTensor: It serves something else.
    """

    def __init__(self, endpoint: str, reconnect: bool) -> None:
        super().__init__(endpoint, reconnect)
        self._speaks = any(spec.name == "samples" for spec in self.signature().outputs)
        self.check_names(_TAKEN, _GIVEN | ({"samples"} if self._speaks else set()), "LFM2-Audio")

    def check_speaks(self) -> None:
        """Raises InvalidTensor if the worker gives text alone."""
        if not self._speaks:
            raise InvalidTensor(
                f"the worker at {self.endpoint} serves LFM2-Audio without speech: take text_only=True, or load it "
                "there without text_only"
            )

    def new_conversation(self, system_prompt: str, max_history_tokens: int) -> ServedConversation:
        """One that has not begun."""
        return ServedConversation(self, {"system_prompt": system_prompt, "max_history_tokens": max_history_tokens})


class ServedConversation:
    """A conversation that the worker remembers, as a session of its own.

    An answer that ends early is remembered as far as the worker has generated it: up to its stream_window of items
    more than were taken.

    Attributes:
        exchanges: As the worker told with the answer's last item that has come.
        tokens: Likewise.
    """

    def __init__(self, served: ServedLfm2, options: Mapping[str, Any]) -> None:
        self.exchanges = 0
        self.tokens = 0
        self._served = served
        self._options = options
        self._session_id = uuid.uuid4().hex
        self._begun = False
        self._lost = False

    @property
    def reconnects(self) -> bool:
        """Whether another worker is asked when one dies before its answer."""
        return self._served.reconnect

    def begin(self, question: Question, generation: Generation) -> ServedAnswer:
        """The answer, not yet asked for."""
        return ServedAnswer(self, question, generation)

    def forget(self) -> None:
        """The worker forgets it, after the answer that it is giving."""
        self._served.close_session(self._session_id)

    def ask(self, question: Question, generation: Generation) -> Any:
        """The worker's stream."""
        content, is_text = question.content, isinstance(question.content, str)
        inputs = {
            "text": np.frombuffer(content.encode() if isinstance(content, str) else b"", np.uint8),
            "samples": np.zeros(0, np.float32) if is_text else content,
        }
        parameters = {name: value for name, value in asdict(generation).items() if value is not None}
        return self._served.infer_stream(
            inputs,
            parameters={**parameters, **self._options, "sample_rate": question.sample_rate},
            session_id=self._session_id,
        )

    def hear(self, piece: Mapping[str, TensorBuffer], *, first: bool) -> None:
        """Takes what the worker tells of the conversation; `first` of an answer."""
        if first:
            self._lost = self._lost or (self._begun and int(piece["asked"].to_numpy()) == 0)
            self._begun = True
        self.exchanges = int(piece["exchanges"].to_numpy())
        self.tokens = int(piece["history_tokens"].to_numpy())

    def take_lost(self) -> bool:
        """Whether it was lost, and began anew; True once."""
        lost, self._lost = self._lost, False
        return lost


class ServedAnswer:
    """An answer of the worker. Asked for with the first `next_item`."""

    def __init__(self, conversation: ServedConversation, question: Question, generation: Generation) -> None:
        self._conversation = conversation
        self._question = question
        self._generation = generation
        self._lock = threading.Lock()
        self._stream: Any = None
        self._stopped = False
        self._heard = False

    def next_item(self) -> str | Samples | None:
        """As Answer.

        Raises:
            WorkerUnavailable: The worker has died; the message names its endpoint.
            InferenceFailed: The model raised.
        """
        while (piece := self._next_piece()) is not None:
            self._conversation.hear(piece, first=not self._heard)
            self._heard = True
            if text := bytes(piece["text"].to_numpy()):
                return text.decode()
            if "samples" in piece and (samples := piece["samples"].to_numpy()).size:
                return samples
        return None

    def stop(self) -> None:
        """Cancels it in the worker."""
        with self._lock:
            self._stopped = True
            if self._stream is not None:
                self._stream.close()

    def close(self) -> None:
        """As `stop`: nothing is generated here."""
        self.stop()

    def take_session_lost(self) -> bool:
        """As Answer."""
        return self._conversation.take_lost()

    def _next_piece(self) -> Mapping[str, TensorBuffer] | None:
        try:
            return self._pull()
        except WorkerUnavailable:
            if self._stopped:
                return None
            if self._heard or not self._conversation.reconnects:
                raise
        self._stream = None
        return self._pull()

    def _pull(self) -> Mapping[str, TensorBuffer] | None:
        if self._stream is None:
            stream = self._conversation.ask(self._question, self._generation)
            with self._lock:
                self._stream = stream
                if self._stopped:
                    stream.close()
        piece: Mapping[str, TensorBuffer] | None = next(self._stream, None)
        return piece
