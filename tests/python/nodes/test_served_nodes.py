# SPDX-License-Identifier: Apache-2.0
"""What all nodes with a worker have in common."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from remotemedia import ModelRegistry, Node, WorkerUnavailable
from remotemedia.nodes import EmbeddingNode, LFM2AudioNode, SileroVADNode, WhisperNode
from remotemedia.pipeline import Pipeline


def test_a_worker_that_is_not_there_is_named_with_the_node(tmp_path: Path) -> None:
    endpoint = f"unix:{tmp_path}/nobody"
    nodes: list[Node] = [
        kind(f"my {kind.__name__}", worker=endpoint, registry=ModelRegistry())
        for kind in (EmbeddingNode, LFM2AudioNode, SileroVADNode, WhisperNode)
    ]

    def refused(node: Node) -> str:
        with pytest.raises(WorkerUnavailable, match=rf"nobody\nin initialize of node '{node.name}'") as error:
            Pipeline([node]).run([])
        return str(error.value)

    with ThreadPoolExecutor(len(nodes)) as at_once:  # each waits for a worker to come
        assert all(endpoint in text for text in at_once.map(refused, nodes))
