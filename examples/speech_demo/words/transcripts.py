# SPDX-License-Identifier: Apache-2.0
"""What the prompts of Debian's asterisk-core-sounds-en say."""

import gzip
import re
from pathlib import Path

from examples.speech_demo.prerequisites import Missing

TRANSCRIPTS_FILE = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
TRANSCRIPTS_PACKAGE = "asterisk-core-sounds-en"

_ENTRY = re.compile(r"(?P<name>[^\s;:][^\s:]*):\s*(?P<text>.*)")


def parse_transcripts(text: str) -> dict[str, str]:
    """Prompt names to what is said, from lines `name: text`; empty lines and comments (`;`) are passed over."""
    entries = (_ENTRY.fullmatch(line.strip()) for line in text.splitlines())
    return {entry["name"]: " ".join(entry["text"].split()) for entry in entries if entry}


def read_transcripts(path: Path) -> dict[str, str]:
    """The transcripts in a file, compressed by gzip or not.

    Raises:
        OSError: It cannot be read.
    """
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return parse_transcripts(data.decode("utf-8", errors="replace"))


def missing_transcripts(path: Path) -> Missing:
    """What to say when they cannot be read."""
    return Missing(
        f"the file {path}, transcripts from the Debian package {TRANSCRIPTS_PACKAGE}",
        "apt-get install --reinstall "
        f"-o Dpkg::Options::=--path-include='{TRANSCRIPTS_FILE.parent}/*' {TRANSCRIPTS_PACKAGE} "
        "(systems made for containers leave out documentation)",
        "texts are shown with nothing to compare them with",
    )
