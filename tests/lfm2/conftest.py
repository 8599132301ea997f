# SPDX-License-Identifier: Apache-2.0
"""LFM2-Audio with the real library and a tiny, randomly initialised checkpoint: structure, sharing and streaming.

No test here says anything about quality: what the tiny model answers is noise.
"""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the hub's client is imported

import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from remotemedia import ModelRegistry
from remotemedia.nodes.ml.lfm2_audio import LFM2AudioNode
from remotemedia.nodes.ml.lfm2_checkpoint import Lfm2Checkpoint
from tests.lfm2.conversation import StepGate

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from liquid_audio import LFM2AudioModel

    from tests.lfm2.tiny_checkpoint import write_checkpoint

GREEDY: dict[str, Any] = {"audio_temperature": None, "max_new_tokens": 60}
"""The same question gives the same answer."""

NodeMaker = Callable[..., Awaitable[LFM2AudioNode]]
GateMaker = Callable[[], StepGate]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("lfm2") / "tiny")


@pytest.fixture
def registry() -> Iterator[ModelRegistry]:
    registry = ModelRegistry()
    yield registry
    registry.clear(timeout=30)


@pytest.fixture
async def make_node(checkpoint: Path, registry: ModelRegistry) -> AsyncIterator[NodeMaker]:
    """Makes initialised nodes on the tiny checkpoint; options as the node's, greedy unless given."""
    nodes: list[LFM2AudioNode] = []

    async def make(**options: Any) -> LFM2AudioNode:
        node = LFM2AudioNode(**{"repo": checkpoint, "registry": registry, **GREEDY, **options})
        nodes.append(node)
        await node.initialize()
        return node

    yield make
    for node in nodes:
        await node.cleanup()


@pytest.fixture
def network(checkpoint: Path, registry: ModelRegistry) -> Callable[[], LFM2AudioModel]:
    """Gives the network that the nodes have loaded."""

    def loaded() -> LFM2AudioModel:
        handle = registry.get(Lfm2Checkpoint.find(checkpoint).model_key)
        assert handle is not None, "no node has loaded the model"
        with handle:
            return handle.model.network

    return loaded


@pytest.fixture
def gate(network: Callable[[], LFM2AudioModel]) -> Iterator[GateMaker]:
    """Makes a gate on the network that the nodes have loaded."""
    gates: list[StepGate] = []

    def make() -> StepGate:
        gates.append(StepGate(network().lfm))
        return gates[-1]

    yield make
    for each in gates:
        each.remove()
