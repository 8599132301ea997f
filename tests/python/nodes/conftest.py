# SPDX-License-Identifier: Apache-2.0
"""Real speech: prompts of Debian's asterisk-core-sounds-en-g722 (16 kHz, mono), and what is said in them."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from remotemedia.nodes import AudioFileSource

SOUNDS = Path("/usr/share/asterisk/sounds/en")
TRANSCRIPTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")

Samples = npt.NDArray[np.float32]


@pytest.fixture(scope="session")
def prompt_path() -> Callable[[str], Path]:
    def path(name: str) -> Path:
        file = SOUNDS / f"{name}.g722"
        assert file.is_file(), f"{file} is missing: it comes with the Debian package asterisk-core-sounds-en-g722"
        return file

    return path


@pytest.fixture(scope="session")
def prompt(prompt_path: Callable[[str], Path]) -> Callable[[str], Samples]:
    """The samples of a prompt, [frames] at 16 kHz."""
    decoded: dict[str, Samples] = {}

    def samples(name: str) -> Samples:
        if name not in decoded:
            decoded[name] = np.concatenate([item.payload.to_numpy() for item in AudioFileSource(prompt_path(name))])
        return decoded[name]

    return samples


@pytest.fixture(scope="session")
def transcript() -> Callable[[str], str]:
    lines = gzip.decompress(TRANSCRIPTS.read_bytes()).decode("utf-8", "replace").splitlines()
    texts = {match[1]: match[2] for line in lines if (match := re.match(r"([\w/-]+):\s+(.*)", line))}
    return texts.__getitem__
