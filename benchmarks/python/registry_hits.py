# SPDX-License-Identifier: Apache-2.0
"""Hits from Python, beside what one would use instead. One process, one arm after the other."""

import functools
import json
import os
import threading
from collections.abc import Callable
from itertools import repeat

import remotemedia
from benchmarks.python.batches import BATCH, Batch, measure
from remotemedia import ModelRegistry, RegistryConfig

KEY = "acme/embedder-000000-int8@cpu:0"


class Model:
    """What is shared."""


def load() -> Model:
    return Model()


def arms() -> dict[str, Batch]:
    models = ModelRegistry(RegistryConfig(ttl_seconds=3600))
    kept = models.get_or_load(KEY, load)
    shared = remotemedia.get_or_load(KEY, load, keep_alive=3600)
    plain = {KEY: Model()}
    lock = threading.Lock()
    cached = functools.lru_cache(maxsize=None)(lambda _key: Model())
    cached(KEY)

    def get_or_load() -> None:
        for _ in repeat(None, BATCH):
            models.get_or_load(KEY, load)

    def get_or_load_in_a_with_block() -> None:
        for _ in repeat(None, BATCH):
            with models.get_or_load(KEY, load) as handle:
                handle.model  # noqa: B018 - what is measured

    def get() -> None:
        for _ in repeat(None, BATCH):
            models.get(KEY)

    def module_get_or_load() -> None:
        for _ in repeat(None, BATCH):
            remotemedia.get_or_load(KEY, load)

    def kept_handle() -> None:
        for _ in repeat(None, BATCH):
            kept.model  # noqa: B018 - what is measured

    def dict_under_a_lock() -> None:
        for _ in repeat(None, BATCH):
            with lock:
                plain[KEY]

    def dict_get_or_load() -> None:
        for _ in repeat(None, BATCH):
            dict_hit(KEY, load)

    def dict_hit(key: str, loader: Callable[[], Model]) -> Model:
        with lock:
            model = plain.get(key)
            if model is None:
                model = plain[key] = loader()
            return model

    def bare_dict() -> None:
        for _ in repeat(None, BATCH):
            plain[KEY]

    def lru_cache() -> None:
        for _ in repeat(None, BATCH):
            cached(KEY)

    def empty_loop() -> None:
        for _ in repeat(None, BATCH):
            pass

    batches = [
        get_or_load,
        dict_under_a_lock,
        dict_get_or_load,
        bare_dict,
        lru_cache,
        get_or_load_in_a_with_block,
        get,
        module_get_or_load,
        kept_handle,
        empty_loop,
    ]
    assert kept.model is not shared.model
    return {f"python/{batch.__name__}": batch for batch in batches}


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(json.dumps([measure(name, batch) for name, batch in arms().items()]))
