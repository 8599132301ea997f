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


@pytest.fixture(scope="session")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where Doubler and Pair are served, for tests that only call them."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "models.py").write_text(MODELS)
    found = {name: f"unix:{folder}/{name}" for name in ("Doubler", "Pair")}
    started = [Command("serve", f"models:{name}", "--endpoint", at, folder=folder) for name, at in found.items()]
    for command in started:
        command.ready()
    yield found
    for command in started:
        command.process.kill()
        command.process.communicate()


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
