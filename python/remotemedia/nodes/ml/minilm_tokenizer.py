# SPDX-License-Identifier: Apache-2.0
"""MiniLMTokenizer: text as the numbers that MiniLM takes, padded so that texts of alike length share a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from remotemedia.nodes.ml.minilm_folder import NEEDED_BY, VOCABULARY
from remotemedia.nodes.optional_package import import_package

MOST_TOKENS = 256
BUCKET = 16
"""Lengths are multiples of it: calls run together when their shapes are equal."""


@dataclass(frozen=True)
class Tokens:
    """One text: `ids` and `mask` are int64 [1, a multiple of 16], the mask 0 where there is nothing."""

    ids: npt.NDArray[np.int64]
    mask: npt.NDArray[np.int64]
    truncated: bool


class MiniLMTokenizer:
    """Thread-safe.

    Args:
        folder: As minilm_folder() gave it.

    Raises:
        LoadFailed: If the package tokenizers is missing, with the command that installs it.
    """

    def __init__(self, folder: Path) -> None:
        tokenizers = import_package("tokenizers", needed_by=NEEDED_BY, install="pip install tokenizers")
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / VOCABULARY))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MOST_TOKENS)

    def tokens(self, text: str) -> Tokens:
        """Those of text, at most 256; the rest of a longer one is left out."""
        encoded = self._tokenizer.encode(text)
        count = len(encoded.ids)
        length = -(-count // BUCKET) * BUCKET
        ids = np.zeros((1, length), np.int64)
        mask = np.zeros((1, length), np.int64)
        ids[0, :count] = encoded.ids
        mask[0, :count] = 1
        return Tokens(ids, mask, bool(encoded.overflowing))
