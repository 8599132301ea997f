# SPDX-License-Identifier: Apache-2.0
"""The network of all-MiniLM-L6-v2, in this process or in a worker."""

from __future__ import annotations

import threading
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from remotemedia.nodes.ml.minilm_graph import build_minilm, import_openvino
from remotemedia.nodes.ml.minilm_tokenizer import Tokens
from remotemedia.nodes.ml.served_model import ServedModel

Embedding = npt.NDArray[np.float32]

MODEL_KEY = "all-MiniLM-L6-v2@cpu"
MEMORY_BYTES = 90_852_096


class EmbeddingNetwork(Protocol):
    """What embeds tokens, here or in a worker."""

    def embedding(self, tokens: Tokens) -> Embedding:
        """[384], of length 1."""


class MiniLMNetwork:
    """Run by OpenVINO on one thread. Thread-safe: each thread has a request of its own.

    Raises:
        LoadFailed: If a package is missing, with the command that installs it.
    """

    def __init__(self) -> None:
        settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
        self._compiled = import_openvino().Core().compile_model(build_minilm(), "CPU", settings)
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
        self.check_names({"input_ids", "attention_mask"}, {"embedding"}, "MiniLM network")

    def embedding(self, tokens: Tokens) -> Embedding:
        """As EmbeddingNetwork.embedding().

        Raises:
            WorkerUnavailable: The worker has died; the message names its endpoint.
        """
        answer = self.infer({"input_ids": tokens.ids, "attention_mask": tokens.mask})
        return cast("Embedding", answer["embedding"].to_numpy()[0])
