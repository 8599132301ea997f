# SPDX-License-Identifier: Apache-2.0
"""Programs that run, and something for them to serve."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.python.programs.model_worker_program import LINEAR_PLUGIN, ModelWorkerProgram, started_programs


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ModelWorkerProgram]]:
    with started_programs(tmp_path) as start:
        yield start


@pytest.fixture
def linear(tmp_path: Path) -> list[str | Path]:
    """Arguments that serve a matrix with the example plug-in: y = [x0 + x1, x0]."""
    file = tmp_path / "sums.linear"
    file.write_text("2 2  1 1  1 0")
    return ["--model-path", file, "--backend", LINEAR_PLUGIN]
