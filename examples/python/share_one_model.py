# SPDX-License-Identifier: Apache-2.0
"""Eight threads ask for one model at the same time: it is loaded once, and goes when nobody holds it any more."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

import remotemedia as rm

Weights = npt.NDArray[np.float32]


def load() -> Weights:
    """Stands for minutes of reading weights."""
    print("loading")
    return np.ones((1000, 1000), dtype=np.float32)


models = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=0))


def ask(_: int) -> rm.ModelHandle[Weights]:
    """What each thread does."""
    return models.get_or_load("ones@cpu", load, memory_bytes=4_000_000)


with ThreadPoolExecutor(max_workers=8) as threads:
    handles = list(threads.map(ask, range(8)))

print("one object:", all(handle.model is handles[0].model for handle in handles))
(info,) = models.list_models()
print("holds:", info.reference_count, "bytes:", info.memory_bytes)

for handle in handles:
    handle.release()
models.clear(timeout=5)
metrics = models.metrics()
print("loads:", metrics.loads, "hits:", metrics.cache_hits, "models left:", metrics.total_models)
