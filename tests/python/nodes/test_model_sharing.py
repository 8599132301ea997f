# SPDX-License-Identifier: Apache-2.0
"""Nodes take their models by handle: one load for all of them, held from initialize to cleanup."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remotemedia import ModelRegistry, RegistryConfig
from remotemedia.nodes import AudioFileSource, Node, RuntimeData, SileroVADNode
from remotemedia.nodes.ml.silero_network import MODEL_KEY
from remotemedia.pipeline import Pipeline


@pytest.fixture
def models() -> ModelRegistry:
    return ModelRegistry(RegistryConfig(ttl_seconds=None))


def audio(length: int = 1600) -> RuntimeData:
    return RuntimeData.audio(np.zeros(length, np.float32), 16000)


async def test_two_nodes_of_one_pipeline_that_initialise_together_load_once(models: ModelRegistry) -> None:
    pipeline = Pipeline([SileroVADNode("one", registry=models), SileroVADNode("two", registry=models)])
    async with pipeline.managed_execution():
        (info,) = models.list_models()
        assert (info.key, info.reference_count) == (MODEL_KEY, 2)
    metrics = models.metrics()
    assert (metrics.loads, metrics.cache_misses, metrics.cache_hits) == (1, 1, 1)
    assert models.list_models()[0].reference_count == 0


async def test_pipelines_that_run_at_the_same_time_share_one_load(
    models: ModelRegistry, prompt_path: Callable[[str], Path]
) -> None:
    async def run(name: str) -> list[Any]:
        pipeline = Pipeline([SileroVADNode(registry=models)])
        return [item async for item in pipeline.process(AudioFileSource(prompt_path(name)))]

    found = await asyncio.gather(*map(run, ["vm-intro", "demo-congrats", "vm-intro", "basic-pbx-ivr-main"]))
    assert [len(segments) for segments in found] == [2, 5, 2, 7]
    assert models.metrics().loads == 1


def test_pipelines_in_threads_share_one_load(models: ModelRegistry) -> None:
    together = threading.Barrier(8, timeout=60)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            together.wait()
            Pipeline([SileroVADNode(registry=models)]).run([audio()])
        except BaseException as error:  # noqa: BLE001 - the test shows it
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert models.metrics().loads == 1


def test_without_a_registry_the_one_of_the_process_is_used() -> None:
    import remotemedia

    Pipeline([SileroVADNode()]).run([audio()])
    assert MODEL_KEY in remotemedia.registry()


async def test_the_model_cannot_be_evicted_while_a_pipeline_holds_it(models: ModelRegistry) -> None:
    pipeline = Pipeline([SileroVADNode(registry=models)])
    async with pipeline.managed_execution():
        assert not models.evict(MODEL_KEY)
        assert [len(item.payload) async for item in pipeline.process([audio()])] == []
    assert models.evict(MODEL_KEY)


def test_a_released_model_is_freed() -> None:
    models = ModelRegistry(RegistryConfig(ttl_seconds=None))
    Pipeline([SileroVADNode(registry=models)]).run([audio()])
    with models.get_or_load(MODEL_KEY, lambda: None) as handle:
        ghost = weakref.ref(handle.model)
    assert models.metrics().loads == 1
    gc.collect()
    models.clear(timeout=10)
    assert ghost() is None


class FailOnItem(Node):
    async def process(self, item: Any) -> Any:
        raise ValueError("no")


class FailToInitialize(Node):
    def initialize(self) -> None:
        raise OSError("no")

    async def process(self, item: Any) -> Any:
        return item


@pytest.mark.parametrize("failing", [FailOnItem, FailToInitialize])
def test_a_failed_run_gives_the_model_back(models: ModelRegistry, failing: type[Node]) -> None:
    pipeline = Pipeline([SileroVADNode(registry=models, emit="probabilities"), failing()])
    for _ in range(2):
        with pytest.raises((ValueError, OSError), match="no"):
            pipeline.run([audio()])
        assert all(info.reference_count == 0 for info in models.list_models())
