# SPDX-License-Identifier: Apache-2.0
"""Page faults of conversions, and whether what they give is the memory that they were given."""

import json
import resource
from typing import Any

import numpy as np

from benchmarks.python.batches import BATCH
from benchmarks.python.tensor_conversions import Conversion, conversions
from benchmarks.sizes import SENT

BATCHES = 400


def array_of(viewed: Any) -> Any:
    return np.frombuffer(viewed, np.float32) if isinstance(viewed, bytes) else np.asarray(viewed)


def page_faults() -> int:
    """Of this thread: the allocator's own makes the next segment meanwhile, and touches all of it."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt


def count(conversion: Conversion) -> dict[str, object]:
    for _ in range(20):
        conversion.batch()
    before = page_faults()
    for _ in range(BATCHES):
        conversion.batch()
    calls, faults = BATCHES * BATCH, page_faults() - before
    row: dict[str, object] = {"name": conversion.name, "calls": calls, "faults": faults}
    if conversion.name != "allocate":  # which is given no memory
        given = array_of(conversion.given)
        row["shares_memory"] = bool(np.shares_memory(array_of(conversion.convert(conversion.given)), given))
    return row


if __name__ == "__main__":
    print(json.dumps([count(conversion) for conversion in conversions(SENT)]))
