# SPDX-License-Identifier: Apache-2.0
"""Processes that end with the one that started them, whatever ends that."""

import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Any


def start_child(words: Sequence[str], **options: Any) -> "subprocess.Popen[str]":
    """Starts `python -m WORDS...`, with a pipe for its stdout. Called by a thread that lives as long as the child."""
    dies_with_parent = ["setpriv", "--pdeathsig", "KILL"]
    return subprocess.Popen(
        [*dies_with_parent, sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True, **options
    )


def pipe(end: IO[str] | None) -> IO[str]:
    """An end of a pipe that was asked for."""
    assert end is not None
    return end
