# SPDX-License-Identifier: Apache-2.0
"""Sentences through MiniLM, tokens included: in this process, and in a worker for 1, 4 and 16 clients."""

import itertools
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.python.models_clients import Call, measure
from benchmarks.python.models_served import model_file, served
from benchmarks.sizes import BATCHES, CLIENTS
from remotemedia.nodes.ml.minilm_file import write_minilm
from remotemedia.nodes.ml.minilm_folder import minilm_folder
from remotemedia.nodes.ml.minilm_network import EmbeddingNetwork, MiniLMNetwork, ServedMiniLM
from remotemedia.nodes.ml.minilm_tokenizer import BUCKET, MiniLMTokenizer

SENTENCES = (
    "Somebody left an umbrella in the hall.",
    "The last train to the coast leaves at nine.",
    "Please turn the music down a little.",
    "Rain is expected in the afternoon.",
    "How long does the soup have to boil?",
    "Two parcels came while you were away.",
    "The meeting was moved to the large room.",
    "He forgot the key on the kitchen table.",
    "Bread is cheaper in the other shop.",
    "She plays the violin better than her brother.",
    "The bridge is closed for repairs until May.",
    "Which of these shoes are yours?",
    "A cat slept on the warm roof of the car.",
    "I would rather walk than wait for the bus.",
    "The printer has run out of paper again.",
    "They painted the door green last summer.",
)
"""All of them fit into one bucket of tokens, so any of them run as one batch."""


SECONDS = 1.6


class Sentences:
    """One after the other, from the first again after the last."""

    def __init__(self, tokenizer: MiniLMTokenizer) -> None:
        self._tokenizer = tokenizer
        if any(tokenizer.tokens(sentence).ids.shape != (1, BUCKET) for sentence in SENTENCES):
            raise RuntimeError(f"a sentence has more than {BUCKET} tokens")

    def into(self, network: EmbeddingNetwork) -> Call:
        """A client that embeds them."""
        again = itertools.cycle(SENTENCES)
        return lambda: network.embedding(self._tokenizer.tokens(next(again)))


def measure_worker(sentences: Sentences, path: Path, clients: int, max_batch_size: int) -> dict[str, object]:
    with served(model_file(path, max_batch_size)) as worker:
        calls = [sentences.into(ServedMiniLM(worker.endpoint, reconnect=False)) for _ in range(clients)]
        return measure(f"embeddings/{clients}/{max_batch_size}", calls, worker, SECONDS)


def check_that_both_say_the_same(tokenizer: MiniLMTokenizer, here: EmbeddingNetwork, path: Path) -> None:
    tokens = tokenizer.tokens(SENTENCES[0])
    with served(model_file(path, max(BATCHES))) as worker:
        there = ServedMiniLM(worker.endpoint, reconnect=False)
        np.testing.assert_allclose(there.embedding(tokens), here.embedding(tokens), atol=1e-4)


def main() -> None:
    tokenizer = MiniLMTokenizer(minilm_folder(None))
    sentences = Sentences(tokenizer)
    here = MiniLMNetwork(minilm_folder(None))
    with tempfile.TemporaryDirectory() as folder:
        path = write_minilm(Path(folder))
        check_that_both_say_the_same(tokenizer, here, path)
        rows = [measure("embeddings/openvino", [sentences.into(here)], seconds=SECONDS)]
        del here
        rows += [
            measure_worker(sentences, path, clients, size)
            for clients in CLIENTS
            for size in (min(BATCHES), max(BATCHES))
        ]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
