# SPDX-License-Identifier: Apache-2.0
"""SileroVADNode: finds the speech in audio with the Silero network, which all such nodes of a process share."""

from __future__ import annotations

from typing import Any, Literal

from remotemedia.core.model_registry import ModelHandle, ModelRegistry
from remotemedia.core.model_registry import registry as process_registry
from remotemedia.nodes.ml.served_model import take_served
from remotemedia.nodes.ml.served_silero import ServedSilero
from remotemedia.nodes.ml.silero_network import MODEL_KEY, SileroNetwork, SpeechNetwork, weights_path
from remotemedia.nodes.ml.speech_segmenter import SegmentRule
from remotemedia.nodes.ml.speech_session import SpeechSession
from remotemedia.nodes.node import Node
from remotemedia.nodes.node_types import register_node
from remotemedia.nodes.runtime_data import RuntimeData


@register_node("SileroVADNode")
class SileroVADNode(Node):
    """Finds speech in audio of any rate and any number of channels.

    The network is loaded once for all nodes of the process, which needs the packages onnxruntime and silero-vad
    (installed with --no-deps; torch is not needed), or by a worker for all processes of the machine. Its recurrent
    state belongs to the session, so sessions that take turns give bit for bit what they give alone.

    Args:
        name: Names the node.
        threshold: Speech begins with a frame (32 ms) of at least this probability.
        emit: "segments": each finished segment as mono audio at 16 kHz, with `start` and `end` in its metadata, in
            seconds of its session, beside the metadata of the session's first item. "probabilities": for each audio
            item a float32 tensor [frames], of the frames that it completed. Frames that resampling held back follow
            at the end of the session; one only begun there is not given.
        worker: An endpoint that serves the network, "unix:/path"; None loads it in this process.
        reconnect: When the worker dies, the streams go on with the one that comes after it within 30 seconds. Otherwise
            they end with WorkerUnavailable.
        neg_threshold: Speech may end with a frame below this one. None: 0.15 less than threshold, at least 0.01.
        min_speech_ms: Only longer speech counts.
        min_silence_ms: Speech ends when it has been silent for so long.
        speech_pad_ms: Added on both sides of a segment.
        registry: Where the network is taken from; the registry of the process unless given.
        **config: session_ttl.

    Raises:
        ValueError: If a number or emit is out of range.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        threshold: float = 0.5,
        emit: Literal["segments", "probabilities"] = "segments",
        worker: str | None = None,
        reconnect: bool = False,
        neg_threshold: float | None = None,
        min_speech_ms: float = 250.0,
        min_silence_ms: float = 100.0,
        speech_pad_ms: float = 30.0,
        registry: ModelRegistry | None = None,
        **config: Any,
    ) -> None:
        if unknown := config.keys() - {"session_ttl"}:
            raise TypeError(f"SileroVADNode has no argument {', '.join(sorted(unknown))}")
        super().__init__(name, **config)
        if emit not in ("segments", "probabilities"):
            raise ValueError(f'emit must be "segments" or "probabilities", not {emit!r}')
        self._emits_segments = emit == "segments"
        self._rule = SegmentRule(threshold, neg_threshold, min_speech_ms, min_silence_ms, speech_pad_ms)
        self._registry = registry
        self._worker = worker
        self._reconnect = reconnect
        self._handle: ModelHandle[SpeechNetwork] | None = None

    async def initialize(self) -> None:
        """Takes the network.

        Raises:
            LoadFailed: If a package is missing, with the command that installs it.
            WorkerUnavailable: If no worker is there.
            InvalidTensor: If the worker serves another network.
        """
        registry = self._registry or process_registry()
        if self._worker is not None:
            self._handle = await take_served(registry, ServedSilero, self._worker, self._reconnect)
            return
        path = weights_path()
        self._handle = await registry.get_or_load_async(
            MODEL_KEY, SileroNetwork, arguments={"path": str(path)}, memory_bytes=path.stat().st_size
        )

    def cleanup(self) -> None:
        """Gives the network back."""
        if self._handle is not None:
            self._handle.release()
            self._handle = None

    def open_session(self, session_id: str) -> SpeechSession:
        """Makes the resampler, the recurrent state and the segmenter of one stream."""
        if self._handle is None:
            raise RuntimeError(f"{self!r} is not initialised, so session {session_id!r} has no network")
        return SpeechSession(self._handle.model, self._rule)

    def process(self, item: RuntimeData, session: SpeechSession) -> list[RuntimeData]:
        """The segments that are final with item, or the probabilities of the frames that it completes.

        Raises:
            InvalidTensor: If item is not audio, or of another sample rate than its session so far.
        """
        if self._emits_segments:
            return session.segments(item)
        probabilities = session.probabilities(item)
        return [RuntimeData.tensor(probabilities, timestamp=item.timestamp, metadata=dict(item.metadata))]

    def finish(self, session: SpeechSession) -> list[RuntimeData]:
        """What the end of the stream completes."""
        if self._emits_segments:
            return session.last_segments()
        rest = session.last_probabilities()
        return [RuntimeData.tensor(rest)] if len(rest) else []
