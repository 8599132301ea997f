# SPDX-License-Identifier: Apache-2.0
"""The node in a pipeline: side by side with another, from a manifest, failing by name, interrupted and abandoned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from remotemedia import ModelRegistry
from remotemedia.nodes import RuntimeData
from remotemedia.nodes.ml.lfm2_audio import LFM2AudioNode
from remotemedia.pipeline import Pipeline
from tests.lfm2.conftest import GREEDY
from tests.lfm2.conversation import same, sound_of, speech, text_of

SHORT = {**GREEDY, "max_new_tokens": 20}


@pytest.fixture
def node(checkpoint: Path, registry: ModelRegistry) -> LFM2AudioNode:
    return LFM2AudioNode(repo=checkpoint, registry=registry, **SHORT)


def answers(items: list[RuntimeData], session_id: str | None) -> list[RuntimeData]:
    return [item for item in items if item.session_id == session_id]


def test_two_nodes_of_one_pipeline_load_the_model_once(checkpoint: Path, registry: ModelRegistry) -> None:
    listener = LFM2AudioNode("listener", repo=checkpoint, registry=registry, **{**SHORT, "text_only": True})
    speaker = LFM2AudioNode("speaker", repo=checkpoint, registry=registry, **{**SHORT, "max_new_tokens": 8})
    results = Pipeline([listener, speaker]).run([speech(0.5)])
    assert text_of(results)
    assert sound_of(results).size
    metrics = registry.metrics()
    assert (metrics.loads, metrics.cache_hits) == (3, 2)
    assert all(model.reference_count == 0 for model in registry.list_models())


def test_sessions_of_one_run_have_a_conversation_each(node: LFM2AudioNode) -> None:
    def question(session_id: str, number: int) -> RuntimeData:
        return speech(0.5, seed=number).replace(session_id=session_id)

    pipeline = Pipeline([node])
    alone = {name: pipeline.run([question(name, number) for number in (0, 1)]) for name in ("a", "b")}
    together = pipeline.run([question(name, number) for number in (0, 1) for name in ("a", "b")])
    for name in ("a", "b"):
        assert same(answers(together, name), alone[name])
    assert same(alone["a"], [item.replace(session_id="a") for item in alone["b"]])
    assert node.sessions() == []


def test_an_error_ends_the_run_twice_and_names_node_and_item(checkpoint: Path, registry: ModelRegistry) -> None:
    node = LFM2AudioNode(
        "talker", repo=checkpoint, registry=registry, **{**SHORT, "audio_temperature": 1.0, "audio_top_k": 5000}
    )
    pipeline = Pipeline([node])
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of range") as failure:
            pipeline.run([RuntimeData.text("hello"), RuntimeData.text("again")])
        assert failure.value.node_failure.node == "talker"  # type: ignore[attr-defined]
        assert failure.value.node_failure.index == 0  # type: ignore[attr-defined]
        assert all(model.reference_count == 0 for model in registry.list_models())


async def test_an_interrupt_ends_the_answer_and_the_next_question_of_the_run_is_answered(
    checkpoint: Path, registry: ModelRegistry
) -> None:
    node = LFM2AudioNode(repo=checkpoint, registry=registry, **{**GREEDY, "max_new_tokens": 2000})
    ask_next = asyncio.Event()

    async def questions() -> AsyncIterator[RuntimeData]:
        yield RuntimeData.text("tell me", metadata={"number": 1})
        await ask_next.wait()
        node.interrupt("default")
        yield RuntimeData.text("1 2 3", metadata={"number": 2})

    heard = []
    async with aclosing(Pipeline([node], queue_size=1).process(questions())) as results:
        async for item in results:
            heard.append(item.metadata["number"])
            if heard.count(1) == 3:
                ask_next.set()
            if heard.count(2) == 3:
                break
    assert heard == sorted(heard)
    assert heard.count(1) < 20, "of an answer of hundreds of items"


async def test_leaving_the_results_stops_the_answer_and_lets_go_of_the_model(
    checkpoint: Path, registry: ModelRegistry
) -> None:
    node = LFM2AudioNode(repo=checkpoint, registry=registry, **{**GREEDY, "max_new_tokens": 100_000})
    for _ in range(2):
        async with aclosing(Pipeline([node]).process([RuntimeData.text("tell me")])) as results:
            async for _item in results:
                break
        assert node.sessions() == []
        assert all(model.reference_count == 0 for model in registry.list_models())


def test_a_manifest_names_the_node_and_keeps_its_options(checkpoint: Path) -> None:
    manifest = {
        "version": "v1",
        "nodes": [
            {
                "id": "lfm2",
                "node_type": "LFM2AudioNode",
                "params": {"repo": str(checkpoint), **SHORT, "text_only": True},
            }
        ],
        "connections": [],
    }
    pipeline = Pipeline.from_manifest(manifest)
    assert text_of(pipeline.run([RuntimeData.text("hello")]))
    (node,) = pipeline.to_manifest()["nodes"]
    assert node["node_type"] == "LFM2AudioNode"
    assert node["params"]["max_new_tokens"] == 20
    assert Pipeline.from_manifest(pipeline.to_manifest()).nodes[0].config == pipeline.nodes[0].config
