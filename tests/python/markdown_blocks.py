# SPDX-License-Identifier: Apache-2.0
"""Programs in Markdown pages.

How a page is read: its python blocks, in their order, are one program, and so are its cpp blocks; a C++ block with a
`main` is a program of its own. An output block is what the blocks of that language before it printed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^```(\w*)")
INCLUDE = re.compile(r"^#include .*$", re.MULTILINE)


@dataclass
class Block:
    """A fenced block, the number of its first line, and for a program what it prints."""

    language: str
    line: int
    lines: list[str] = field(default_factory=list)
    printed: str = ""

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page, each output block joined to the block that printed it."""
    blocks: list[Block] = []
    current: Block | None = None
    for number, line in enumerate(page.splitlines(), start=1):
        fence = FENCE.match(line)
        if current is None:
            current = Block(fence.group(1), number + 1) if fence else None
        elif not fence:
            current.lines.append(line)
        elif current.language == "output":
            blocks[-1].printed += current.text
            current = None
        else:
            blocks.append(current)
            current = None
    if current is not None:
        raise ValueError(f"the block that begins at line {current.line} has no end")
    return blocks


def blocks_in(page: Path, language: str) -> list[Block]:
    """The blocks of one language."""
    return [block for block in blocks_of(page.read_text(encoding="utf-8")) if block.language == language]


def python_program(blocks: list[Block]) -> str:
    """The blocks on the lines on which they stand in the page, so that a traceback names these."""
    lines: list[str] = []
    for block in blocks:
        lines += [""] * (block.line - 1 - len(lines)) + block.lines
    return "".join(f"{line}\n" for line in lines)


def cpp_programs(blocks: list[Block]) -> Iterator[tuple[str, str]]:
    """Each program, and what it prints."""
    parts = [block for block in blocks if "int main(" not in block.text]
    if parts:
        includes = dict.fromkeys(include for block in parts for include in INCLUDE.findall(block.text))
        body = "".join(INCLUDE.sub("", block.text) for block in parts)
        yield "\n".join([*includes, "", "int main() {", body, "}", ""]), "".join(block.printed for block in parts)
    for block in blocks:
        if block not in parts:
            yield block.text, block.printed
