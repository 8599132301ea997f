# SPDX-License-Identifier: Apache-2.0
"""SileroNetwork: the Silero voice-activity network itself, which holds nothing of any stream.

The weights come with the package silero-vad. Its own code needs torch and is never imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from remotemedia.core.errors import LoadFailed
from remotemedia.nodes.optional_package import import_package, package_folder

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16_000
FRAME = 512
"""New samples in one step: 32 ms."""
CONTEXT = 64
"""Samples of the frame before that the network wants to see again, zeros at first."""
STATE_SHAPE = (2, 1, 128)

WEIGHTS = "silero_vad_openvino_16k.onnx"
MODEL_KEY = "silero-vad-16k@cpu"


def weights_path() -> Path:
    """The file of the weights.

    Raises:
        LoadFailed: If the package silero-vad is not installed, or has no such file.
    """
    folder = package_folder("silero_vad", needed_by="SileroVADNode", install="pip install --no-deps silero-vad==6.2.3")
    path = folder / "data" / WEIGHTS
    if not path.is_file():
        raise LoadFailed(f"the package silero-vad in {folder} has no file data/{WEIGHTS}; version 6.2.3 has it")
    return path


class SpeechNetwork(Protocol):
    """What gives the probability of speech, here or in a worker."""

    def step(self, frame: Samples, state: Samples) -> tuple[float, Samples]:
        """As SileroNetwork.step()."""


class SileroNetwork:
    """The network, run by onnxruntime on one thread.

    Thread-safe: state goes in and comes out.

    Args:
        path: The ONNX file; inputs `input` float32 [1, 576] and `state` float32 [2, 1, 128].

    Raises:
        LoadFailed: If onnxruntime is not installed.
    """

    def __init__(self, path: str) -> None:
        onnxruntime = import_package("onnxruntime", needed_by="SileroVADNode", install="pip install onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, sess_options=options, providers=["CPUExecutionProvider"])

    def step(self, frame: Samples, state: Samples) -> tuple[float, Samples]:
        """One step.

        Args:
            frame: [576]: 64 samples of context, then 512 new ones, at 16 kHz.
            state: [2, 1, 128], zeros at the start of a stream.

        Returns:
            The probability of speech in the 512 samples, and the state for the next step.
        """
        output, next_state = self._session.run(None, {"input": frame[None], "state": state})
        return float(output[0, 0]), cast("Samples", next_state)
