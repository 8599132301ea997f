# SPDX-License-Identifier: Apache-2.0
"""Shared memory as Triton's clients make it: under a name, by which others open it."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np


@contextlib.contextmanager
def counting_memory() -> Iterator[str]:
    """The key of 4096 bytes, which count up as floats."""
    key = f"remotemedia-{uuid.uuid4().hex}"
    path = Path("/dev/shm") / key
    path.write_bytes(np.arange(1024, dtype=np.float32).tobytes())
    yield key
    path.unlink(missing_ok=True)
