# SPDX-License-Identifier: Apache-2.0
"""The network of all-MiniLM-L6-v2 for OpenVINO, from its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from remotemedia.nodes.ml.minilm_folder import HEADS, LAYERS, NEEDED_BY, WEIGHTS, WIDTH
from remotemedia.nodes.optional_package import import_package

EPSILON = 1e-12
MASKED = 1e9
"""Taken from the score of what is padding, so that it has no weight."""

Weights = dict[str, npt.NDArray[Any]]


def import_openvino() -> Any:
    """The package.

    Raises:
        LoadFailed: It is not installed; the message says how.
    """
    return import_package("openvino", needed_by=NEEDED_BY, install="pip install openvino==2026.4.1")


def build_minilm(folder: Path) -> Any:
    """The network of folder, as minilm_folder() gave it, as an openvino.Model: float32.

    Inputs are `input_ids` and `attention_mask`, int64 [rows, tokens]; the output is `embedding`, float32 [rows, 384] of
    length 1: the mean of what the unmasked tokens became.

    Raises:
        LoadFailed: If a package is missing, with the command that installs it.
    """
    openvino = import_openvino()
    safetensors = import_package("safetensors.numpy", needed_by=NEEDED_BY, install="pip install safetensors")
    ops = openvino.opset13
    graph = _Graph(ops, safetensors.load_file(folder / WEIGHTS))
    ids = ops.parameter([-1, -1], np.int64, name="input_ids")
    mask = ops.parameter([-1, -1], np.int64, name="attention_mask")
    kept = ops.convert(mask, np.float32)
    tokens = graph.encoded(ids, kept)
    embedding = graph.pooled(tokens, kept)
    for node, name in [(ids, "input_ids"), (mask, "attention_mask"), (embedding, "embedding")]:
        node.output(0).get_tensor().set_names({name})
    return openvino.Model([embedding], [ids, mask], "all-MiniLM-L6-v2")


class _Graph:
    def __init__(self, ops: Any, weights: Weights) -> None:
        self._ops = ops
        self._weights = weights

    def encoded(self, ids: Any, kept: Any) -> Any:
        """What the tokens become: [rows, tokens, 384]."""
        ops = self._ops
        axis = ops.constant(0, np.int64)
        words = ops.gather(self._constant("embeddings.word_embeddings.weight"), ids, axis)
        count = ops.gather(ops.shape_of(ids), ops.constant(1, np.int64), axis)
        places = ops.range(ops.constant(0, np.int64), count, ops.constant(1, np.int64), "i64")
        positions = ops.gather(self._constant("embeddings.position_embeddings.weight"), places, axis)
        kind = ops.constant(self._weights["embeddings.token_type_embeddings.weight"][0])
        x = self._normalized(ops.add(ops.add(words, positions), kind), "embeddings.LayerNorm")
        hidden = ops.multiply(ops.subtract(kept, ops.constant(np.float32(1))), ops.constant(np.float32(MASKED)))
        masked = ops.unsqueeze(hidden, ops.constant([1, 2], np.int64))
        for layer in range(LAYERS):
            x = self._layer(x, masked, f"encoder.layer.{layer}")
        return x

    def pooled(self, tokens: Any, kept: Any) -> Any:
        ops = self._ops
        weights = ops.unsqueeze(kept, ops.constant(2, np.int64))
        total = ops.reduce_sum(ops.multiply(tokens, weights), ops.constant(1, np.int64), keep_dims=False)
        count = ops.reduce_sum(kept, ops.constant(1, np.int64), keep_dims=True)
        mean = ops.divide(total, ops.maximum(count, ops.constant(np.float32(1e-9))))
        return ops.normalize_l2(mean, ops.constant([1], np.int64), EPSILON, "max")

    def _layer(self, x: Any, masked: Any, name: str) -> Any:
        ops = self._ops
        query, key, value = (self._heads(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
        scores = ops.matmul(query, key, transpose_a=False, transpose_b=True)
        scaled = ops.multiply(scores, ops.constant(np.float32((WIDTH // HEADS) ** -0.5)))
        chosen = ops.matmul(ops.softmax(ops.add(scaled, masked), 3), value, False, False)
        joined = ops.reshape(ops.transpose(chosen, [0, 2, 1, 3]), [0, 0, WIDTH], special_zero=True)
        attended = self._dense(joined, f"{name}.attention.output.dense")
        x = self._normalized(ops.add(attended, x), f"{name}.attention.output.LayerNorm")
        inner = ops.gelu(self._dense(x, f"{name}.intermediate.dense"), "erf")
        return self._normalized(ops.add(self._dense(inner, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")

    def _heads(self, x: Any, name: str) -> Any:
        split = self._ops.reshape(self._dense(x, name), [0, 0, HEADS, WIDTH // HEADS], special_zero=True)
        return self._ops.transpose(split, [0, 2, 1, 3])

    def _dense(self, x: Any, name: str) -> Any:
        product = self._ops.matmul(x, self._constant(f"{name}.weight"), transpose_a=False, transpose_b=True)
        return self._ops.add(product, self._constant(f"{name}.bias"))

    def _normalized(self, x: Any, name: str) -> Any:
        ops = self._ops
        normal = ops.mvn(x, [2], True, EPSILON, "inside_sqrt")
        return ops.add(ops.multiply(normal, self._constant(f"{name}.weight")), self._constant(f"{name}.bias"))

    def _constant(self, name: str) -> Any:
        return self._ops.constant(self._weights[name])
