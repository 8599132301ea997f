# SPDX-License-Identifier: Apache-2.0
"""Real speech: prompts of Debian's asterisk-core-sounds-en-g722, 16 kHz."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from remotemedia.nodes import AudioFileSource
from remotemedia.nodes.ml.silero_network import CONTEXT, FRAME

SOUNDS = Path("/usr/share/asterisk/sounds/en")

Samples = npt.NDArray[np.float32]


def recording(name: str) -> Samples:
    """Its samples."""
    return np.concatenate([item.payload.to_numpy() for item in AudioFileSource(SOUNDS / f"{name}.g722")])


def frames(name: str) -> Samples:
    """What Silero VAD sees of a recording, one after the other: [frames, 576], 64 samples of context before 512 new."""
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), recording(name)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + FRAME)[::FRAME]
    return np.ascontiguousarray(windows)
