# SPDX-License-Identifier: Apache-2.0
"""Where an LFM2-Audio checkpoint lies, which options make another model of it, and how its parts are loaded."""

from __future__ import annotations

import json
import struct
import sys
import threading
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remotemedia.core.errors import LoadFailed
from remotemedia.nodes.ml.lfm2_vocoder import DetokenizerVocoder, MimiVocoder, Vocoder
from remotemedia.nodes.optional_package import import_package

if TYPE_CHECKING:
    import torch
    from liquid_audio import LFM2AudioModel, LFM2AudioProcessor

INSTALL = 'pip install "remotemedia[lfm2]" (Python 3.12 or later; gigabytes, with torch)'

# Where liquid_audio looks for them, too.
_DETOKENIZER = "audio_detokenizer/model.safetensors"
_MIMI = "tokenizer-e351c8d8-checkpoint125.safetensors"


@dataclass(frozen=True)
class SharedModel:
    """The weights that all sessions generate with.

    Threads: sessions generate at the same time. `encoding` is held while a prompt is encoded: the audio encoder
    replaces its table of positions there when a prompt is longer than any before.
    """

    network: LFM2AudioModel
    encoding: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Lfm2Checkpoint:
    """A checkpoint on disk with the options that make another model of it, in canonical form.

    Attributes:
        folder: The checkpoint, absolute and without links.
        device: As torch names it, with an index for CUDA: "cpu", "cuda:0".
        dtype: Name of a floating-point type of torch: "bfloat16".
    """

    folder: Path
    device: str
    dtype: str

    @classmethod
    def find(
        cls,
        repo: str | Path,
        *,
        revision: str | None = None,
        dtype: str | torch.dtype | None = None,
        device: str | torch.device | None = None,
    ) -> Lfm2Checkpoint:
        """Finds a local folder, or else takes a snapshot of a repository of the Hugging Face hub (a download).

        Args:
            repo: A folder, or "owner/name" on the hub.
            revision: Branch, tag or commit on the hub.
            dtype: None is bfloat16 on CUDA and float32 elsewhere.
            device: None is "cuda:0" where there is one, else "cpu".

        Raises:
            LoadFailed: liquid_audio is not there (says what to install), or no checkpoint is found.
            ValueError: An option that does not parse, or a revision of a local folder.
        """
        python = tuple(sys.version_info[:2])
        if python < (3, 12):
            found = ".".join(map(str, python))
            raise LoadFailed(f"LFM2AudioNode needs Python 3.12 or later, as liquid-audio does; this is Python {found}")
        import_package("liquid_audio", needed_by="LFM2AudioNode", install=INSTALL)
        on = canonical_device(device)
        return cls(_find_folder(repo, revision), on, canonical_dtype(dtype, on))

    @property
    def model_key(self) -> str:
        """The registry's key of the weights."""
        return f"lfm2-audio:model:{self.dtype}:{self.folder}@{self.device}"

    @property
    def processor_key(self) -> str:
        """The registry's key of the tokenizer and the audio features, which are the same for every dtype."""
        return f"lfm2-audio:processor:{self.folder}@{self.device}"

    @property
    def vocoder_key(self) -> str:
        """The registry's key of what turns audio tokens into sound, always float32."""
        return f"lfm2-audio:vocoder:{self.folder}@{self.device}"

    @property
    def model_bytes(self) -> int:
        """Bytes of the weights in `dtype`, from the headers of the files."""
        import torch

        elements = sum(_elements(file) for file in self.folder.glob("model*.safetensors"))
        return elements * int(torch.tensor([], dtype=getattr(torch, self.dtype)).element_size())

    @property
    def vocoder_bytes(self) -> int:
        """Bytes of the vocoder's weights; 0 where the checkpoint has none."""
        file = self._vocoder_file
        return file.stat().st_size if file is not None else 0

    def load_model(self) -> SharedModel:
        """Reads the weights. Takes seconds: not for the event loop."""
        import torch
        from liquid_audio import LFM2AudioModel

        dtype = getattr(torch, self.dtype)
        return SharedModel(LFM2AudioModel.from_pretrained(self.folder, dtype=dtype, device=self.device).eval())

    def load_processor(self) -> LFM2AudioProcessor:
        """Reads the tokenizer."""
        from liquid_audio import LFM2AudioProcessor

        return LFM2AudioProcessor.from_pretrained(self.folder, device=self.device).eval()

    def load_vocoder(self) -> Vocoder:
        """Reads the LFM audio detokenizer where the checkpoint has one, otherwise the Mimi codec.

        Raises:
            LoadFailed: The checkpoint has neither.
        """
        file = self._vocoder_file
        if file is None:
            raise LoadFailed(
                f"{self.folder} has neither {_DETOKENIZER} nor {_MIMI}, so its audio tokens cannot become sound; "
                "take a complete checkpoint, or text_only=True"
            )
        if file.name == _MIMI:
            return MimiVocoder.load(file, self.device)
        return DetokenizerVocoder.load(file, self.device)

    @property
    def _vocoder_file(self) -> Path | None:
        files = (self.folder / name for name in (_DETOKENIZER, _MIMI))
        return next((file for file in files if file.is_file()), None)


def canonical_device(device: str | torch.device | None) -> str:
    """The one name of a torch device: "cuda" is "cuda:0". None is the first CUDA device, or "cpu" where none is.

    Raises:
        ValueError: torch knows no such device.
    """
    import torch

    if device is None:
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device={device!r}: torch knows no such device; for example 'cpu', 'cuda:0'") from error
    return f"cuda:{found.index or 0}" if found.type == "cuda" else found.type


def canonical_dtype(dtype: str | torch.dtype | None, device: str) -> str:
    """The one name of a floating-point dtype of torch. None is bfloat16 on CUDA and float32 elsewhere.

    Raises:
        ValueError: No floating-point dtype of that name.
    """
    import torch

    if dtype is None:
        return "bfloat16" if device.startswith("cuda") else "float32"
    found = dtype if isinstance(dtype, torch.dtype) else getattr(torch, str(dtype).removeprefix("torch."), None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ValueError(f"dtype={dtype!r} is no floating-point type of torch; for example 'bfloat16', 'float32'")
    return str(found).removeprefix("torch.")


def _find_folder(repo: str | Path, revision: str | None) -> Path:
    folder = Path(repo).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise ValueError(f"revision={revision!r}: {folder} is a local folder, which has no revisions")
    elif isinstance(repo, Path) or repo.startswith((".", "~", "/")) or repo.count("/") != 1:
        raise LoadFailed(f"repo={str(repo)!r} is neither a folder nor 'owner/name' of a repository on the hub")
    else:
        folder = _download(repo, revision)
    if not (folder / "config.json").is_file():
        raise LoadFailed(f"{folder} is no LFM2-Audio checkpoint: it has no config.json")
    return folder.resolve()


def _download(repo: str, revision: str | None) -> Path:
    from liquid_audio.utils import get_model_dir

    try:
        snapshot: Path = get_model_dir(repo, revision=revision)
    except (OSError, ValueError) as error:  # what the hub's client raises, all of it
        at = f" at {revision}" if revision else ""
        raise LoadFailed(f"{repo}{at} is neither in the hub's cache on this machine nor to be downloaded") from error
    return snapshot


def _elements(file: Path) -> int:
    with file.open("rb") as stream:
        (size,) = struct.unpack("<Q", stream.read(8))
        header: dict[str, Any] = json.loads(stream.read(size))
    return sum(prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
