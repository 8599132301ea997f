# SPDX-License-Identifier: Apache-2.0
"""The network of all-MiniLM-L6-v2, in this process or in a worker."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from remotemedia.core.errors import InvalidTensor
from remotemedia.nodes.ml.minilm_folder import WIDTH
from remotemedia.nodes.ml.minilm_graph import build_minilm, import_openvino
from remotemedia.nodes.ml.minilm_tokenizer import Tokens
from remotemedia.nodes.ml.served_model import ServedModel

Embedding = npt.NDArray[np.float32]

SIGNATURE = {"input_ids": ("int64", -1), "attention_mask": ("int64", -1), "embedding": ("float32", WIDTH)}
"""What a worker takes and gives: types, and last extents."""


class EmbeddingNetwork(Protocol):
    """What embeds tokens, here or in a worker."""

    def embedding(self, tokens: Tokens) -> Embedding:
        """[384], of length 1."""


class MiniLMNetwork:
    """Run by OpenVINO on one thread, in float32 also where the CPU has less. Thread-safe: each thread has its request.

    Args:
        folder: As minilm_folder() gave it.

    Raises:
        LoadFailed: If a package is missing, with the command that installs it.
    """

    def __init__(self, folder: Path) -> None:
        settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        self._compiled = import_openvino().Core().compile_model(build_minilm(folder), "CPU", settings)
        self._of_thread = threading.local()

    def embedding(self, tokens: Tokens) -> Embedding:
        """As EmbeddingNetwork.embedding()."""
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._compiled.create_infer_request()
        answer = request.infer({"input_ids": tokens.ids, "attention_mask": tokens.mask})
        return cast("Embedding", answer["embedding"][0].copy())


class ServedMiniLM(ServedModel):
    """Called as MiniLMNetwork is. Texts of alike length, of this process and of others, run as one batch.

    Args:
        endpoint: Where the network is served: inputs `input_ids` and `attention_mask` int64 [1, tokens], output
            `embedding` float32 [1, 384].
        reconnect: As ServedModel.

    Raises:
        WorkerUnavailable: No worker is there.
        InvalidTensor: It serves another network.
    """

    def __init__(self, endpoint: str, reconnect: bool) -> None:
        super().__init__(endpoint, reconnect)
        signature = self.signature()
        specs = (*signature.inputs, *signature.outputs)
        found = {spec.name: (str(spec.dtype), *list(spec.shape)[-1:]) for spec in specs}
        if found != SIGNATURE:
            raise InvalidTensor(f"the worker at {endpoint} serves no MiniLM network: it has {found}, not {SIGNATURE}")

    def embedding(self, tokens: Tokens) -> Embedding:
        """As EmbeddingNetwork.embedding().

        Raises:
            WorkerUnavailable: The worker has died; the message names its endpoint.
        """
        answer = self.infer({"input_ids": tokens.ids, "attention_mask": tokens.mask})
        return cast("Embedding", answer["embedding"].to_numpy()[0])
