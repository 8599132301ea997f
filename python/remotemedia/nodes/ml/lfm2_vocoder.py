# SPDX-License-Identifier: Apache-2.0
"""LFM2-Audio's audio tokens to sound, frame by frame and without seams, over shared weights."""

from __future__ import annotations

import copy
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch
    from liquid_audio import LFM2AudioDetokenizer
    from liquid_audio.moshi.models.compression import MimiModel

SAMPLE_RATE = 24_000
FRAME_SAMPLES = 1_920
"""Samples of one frame of eight audio tokens: 80 ms."""

_mimi_decoding = threading.Lock()
"""Mimi switches compilation off and on again for the whole process while it decodes: two at a time would mix that up,
and one of them would compile in the middle of an answer."""

Samples = npt.NDArray[np.float32]


class SpeechStream(ABC):
    """The sound of one answer. Not thread-safe; its streams share nothing that changes."""

    @abstractmethod
    def decode(self, frames: Sequence[torch.Tensor], *, last: bool) -> Samples:
        """Samples in -1 to 1 of these and earlier frames that no later frame changes.

        Args:
            frames: Of [8] tokens each, 0 to 2047; may be none.
            last: No more follow: nothing is held back.
        """


class Vocoder(ABC):
    """Weights that turn audio tokens into sound. Thread-safe."""

    @abstractmethod
    def open(self) -> SpeechStream:
        """A stream with a state of its own."""


class MimiVocoder(Vocoder):
    """The Mimi codec."""

    def __init__(self, mimi: MimiModel) -> None:
        self._mimi = mimi

    @classmethod
    def load(cls, file: Path, device: str) -> MimiVocoder:
        """Reads the codec's weights from `file`."""
        from liquid_audio.moshi.models.loaders import get_mimi

        return cls(get_mimi(file, device=device))

    def open(self) -> SpeechStream:
        """Costs some 40 ms: the modules are copied (their streaming state lies in them), the weights are not."""
        weights = {id(tensor): tensor for tensor in chain(self._mimi.parameters(), self._mimi.buffers())}
        return MimiStream(copy.deepcopy(self._mimi, weights))


class MimiStream(SpeechStream):
    """One answer's copy of Mimi's modules over the shared weights."""

    def __init__(self, mimi: MimiModel) -> None:
        from liquid_audio.moshi.utils.compile import CUDAGraphed

        self._mimi = mimi
        mimi.streaming_forever(1)
        # Recording a CUDA graph fails while another thread uses the device, and sessions are threads.
        for state in mimi.get_streaming_state().values():
            for part in vars(state).values():
                if isinstance(part, CUDAGraphed):
                    part.disable = True

    def decode(self, frames: Sequence[torch.Tensor], *, last: bool) -> Samples:  # noqa: ARG002
        """All samples of `frames`: nothing is held back."""
        import torch
        from liquid_audio.moshi.utils.compile import no_compile

        if not frames:
            return np.empty(0, np.float32)
        with _mimi_decoding, no_compile(), torch.no_grad():
            return _samples(self._mimi.decode(torch.stack(list(frames), 1)[None])[0, 0])


class DetokenizerVocoder(Vocoder):
    """The LFM audio detokenizer."""

    def __init__(self, detokenizer: LFM2AudioDetokenizer) -> None:
        self._detokenizer = detokenizer

    @classmethod
    def load(cls, file: Path, device: str) -> DetokenizerVocoder:
        """Reads weights from `file` and the configuration beside it. liquid_audio's own loader knows CUDA only."""
        from liquid_audio import LFM2AudioDetokenizer
        from safetensors.torch import load_file
        from transformers import Lfm2Config

        config = Lfm2Config.from_pretrained(file.parent)
        # The detokenizer makes the sliding window's mask itself; transformers has no such layer in LFM2.
        config.layer_types = ["conv" if kind == "conv" else "full_attention" for kind in config.layer_types]
        detokenizer = LFM2AudioDetokenizer(config)
        detokenizer.load_state_dict(load_file(file))
        return cls(detokenizer.to(device).eval())

    def open(self) -> SpeechStream:
        """A stream over the network, which keeps no state itself."""
        return DetokenizerStream(self._detokenizer)


class DetokenizerStream(SpeechStream):
    """Decodes a window: the new frames and as many before them as reach into their sound.

    The network is causal with a bounded reach, so each sample is what decoding the whole answer at once gives. Only
    the last 20 ms, into which the overlapping windows of frames to come would sound, wait for those.
    """

    _HOP = 320
    _TAIL = 480
    """Samples at the end that later frames change: (window - hop) / 2."""
    _LEAD = 960
    """Samples at a window's start that frames before it would change."""

    def __init__(self, detokenizer: LFM2AudioDetokenizer) -> None:
        self._detokenizer = detokenizer
        config, window = detokenizer.lfm.config, detokenizer.sliding_window_size
        steps = sum(config.conv_L_cache - 1 if kind == "conv" else window - 1 for kind in config.layer_types)
        self._reach = steps * self._HOP + self._LEAD
        self._window: list[torch.Tensor] = []
        self._sent = 0
        """Samples of the window that are out."""

    def decode(self, frames: Sequence[torch.Tensor], *, last: bool) -> Samples:
        """Holds the last 480 samples back until more frames, or none, follow."""
        import torch

        self._window += frames
        end = len(self._window) * FRAME_SAMPLES - (0 if last else self._TAIL)
        if end <= self._sent:
            return np.empty(0, np.float32)
        with torch.no_grad():
            sound = self._detokenizer(torch.stack(self._window, 1)[None])[0]
        samples = _samples(sound[self._sent : end])
        past = max(0, (end - self._reach) // FRAME_SAMPLES)
        del self._window[:past]
        self._sent = end - past * FRAME_SAMPLES
        return samples


def _samples(sound: torch.Tensor) -> Samples:
    array: Samples = sound.float().clamp(-1.0, 1.0).cpu().numpy()
    return array
