# SPDX-License-Identifier: Apache-2.0
"""`remotemedia serve` with a loader, as a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serving(endpoint: str, loader: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """From when it can be called; it is killed at the end of the block."""
    command = [sys.executable, "-m", "remotemedia", "serve", loader, "--endpoint", endpoint, "--log-level", "error"]
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"ready {endpoint}\n"
            yield process
        finally:
            process.kill()
