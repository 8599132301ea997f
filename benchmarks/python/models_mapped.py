# SPDX-License-Identifier: Apache-2.0
"""Silero VAD with weights that lie in a mapped file, whose pages all programs share: ONNX Runtime does not rearrange
them for itself.
"""

from pathlib import Path

import onnxruntime

from remotemedia.nodes.ml.silero_network import SileroNetwork, weights_path

FILE = "silero.onnx"
WEIGHTS = "silero.weights"


def write_mapped(folder: Path) -> None:
    """Writes the network, and its weights beside it."""
    options = _options()
    options.optimized_model_filepath = str(folder / FILE)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", WEIGHTS)
    options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    onnxruntime.InferenceSession(str(weights_path()), sess_options=options, providers=["CPUExecutionProvider"])


class MappedSilero(SileroNetwork):
    """From what write_mapped() wrote."""

    def __init__(self, folder: Path) -> None:
        self._session = onnxruntime.InferenceSession(
            str(folder / FILE), sess_options=_options(), providers=["CPUExecutionProvider"]
        )
        mapped = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
        if str(folder / WEIGHTS) not in mapped:
            raise RuntimeError(f"the weights in {folder} are not mapped")


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.disable_prepacking", "1")
    return options
