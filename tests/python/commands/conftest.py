# SPDX-License-Identifier: Apache-2.0
"""Served models, each in a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.python.commands.command import MODELS, Command, Serve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the module `models`."""
    (tmp_path / "models.py").write_text(MODELS)
    return tmp_path


@pytest.fixture
def serve(folder: Path) -> Iterator[Serve]:
    started: list[Command] = []

    def start(*words: str | Path, environment: dict[str, str] | None = None) -> tuple[Command, str]:
        endpoint = f"unix:{folder}/{len(started)}.sock"
        started.append(Command("serve", *words, "--endpoint", endpoint, folder=folder, environment=environment))
        line = started[-1].ready()
        assert endpoint in line
        return started[-1], endpoint

    yield start
    for command in started:
        command.process.kill()
        command.process.communicate()
