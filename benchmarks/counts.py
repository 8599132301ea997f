# SPDX-License-Identifier: Apache-2.0
"""Counts that hold on every machine of an architecture: instructions and system calls of a hit."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

KINDS = ("model_key", "string", "handle_copy", "model_key_with_label")


def count_hits(program: str) -> dict[str, dict[str, float]]:
    """By kind of hit: instructions of one, and system calls of a million.

    The instructions are without those that read the clock: valgrind replaces the vDSO by a system call.

    Args:
        program: Path of registry_hits.

    Raises:
        FileNotFoundError: valgrind or strace is not installed.
    """
    for tool in ("valgrind", "strace"):
        if shutil.which(tool) is None:
            raise FileNotFoundError(f"counting needs {tool} (Debian package {tool})")
    return {
        kind: {
            "instructions": (_instructions(program, kind, 20_000) - _instructions(program, kind, 10_000)) / 10_000,
            "system_calls_per_million": max(
                0, _system_calls(program, kind, 2_000_000) - _system_calls(program, kind, 1_000_000)
            ),
        }
        for kind in KINDS
    }


def _instructions(program: str, kind: str, hits: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, kind, str(hits)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    found = re.search(r"Collected : (\d+)", said)
    if found is None:
        raise RuntimeError(f"callgrind says no count: {said}")
    return int(found.group(1))


def _system_calls(program: str, kind: str, hits: int) -> int:
    with tempfile.NamedTemporaryFile() as log:
        calls = []
        for _ in range(3):  # the end of the registry's thread takes one or two, as it happens
            subprocess.run(["strace", "-o", log.name, program, kind, str(hits)], check=True)
            calls.append(sum("(" in line for line in Path(log.name).read_text(encoding="utf-8").splitlines()))
        return min(calls)
