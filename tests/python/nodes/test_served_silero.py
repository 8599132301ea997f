# SPDX-License-Identifier: Apache-2.0
"""SileroVADNode with a worker: the network lives in another program, on another engine, and is shared by all."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from remotemedia import InvalidTensor, ModelRegistry, ModelWorkerClient, WorkerUnavailable
from remotemedia.nodes import RuntimeData, SileroVADNode
from remotemedia.nodes.ml.silero_network import weights_path
from remotemedia.pipeline import Pipeline
from tests.python.programs.model_worker_program import LINEAR_PLUGIN, ModelWorkerProgram, started_programs

Samples = npt.NDArray[np.float32]
Prompt = Callable[[str], Samples]
Start = Callable[..., ModelWorkerProgram]

BATCH = ["--option", "batch_axis.state=1", "--option", "batch_axis.stateN=1", "--max-batch-size", "16"]
PROMPTS = ["demo-congrats", "basic-pbx-ivr-main", "vm-intro"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with started_programs(tmp_path) as start:
        yield start


@pytest.fixture
def vad(start: Start) -> ModelWorkerProgram:
    return start("--model-path", weights_path(), *BATCH)


def chunks(samples: Samples, session_id: str = "s") -> list[RuntimeData]:
    return [
        RuntimeData.audio(samples[at : at + 1600], 16000, session_id=session_id) for at in range(0, len(samples), 1600)
    ]


def probabilities(node: SileroVADNode, samples: Samples) -> Samples:
    return np.concatenate([item.payload.to_numpy() for item in Pipeline([node]).run(chunks(samples))])


def served(vad: ModelWorkerProgram, **options: Any) -> SileroVADNode:
    return SileroVADNode(worker=vad.endpoint, registry=ModelRegistry(), **options)


@pytest.mark.parametrize("name", PROMPTS)
def test_probabilities_are_those_of_the_network_in_this_process(
    vad: ModelWorkerProgram, prompt: Prompt, name: str
) -> None:
    there = probabilities(served(vad, emit="probabilities"), prompt(name))
    here = probabilities(SileroVADNode(emit="probabilities"), prompt(name))
    np.testing.assert_allclose(there, here, atol=1e-5)


def test_segments_are_those_of_the_network_in_this_process(vad: ModelWorkerProgram, prompt: Prompt) -> None:
    there = Pipeline([served(vad)]).run(chunks(prompt("basic-pbx-ivr-main")))
    here = Pipeline([SileroVADNode()]).run(chunks(prompt("basic-pbx-ivr-main")))
    assert [item.metadata for item in there] == [item.metadata for item in here]
    for ours, theirs in zip(there, here, strict=True):
        np.testing.assert_array_equal(ours.payload.to_numpy(), theirs.payload.to_numpy())


def test_it_is_served_without_a_batch_too(start: Start, prompt: Prompt) -> None:
    alone = start("--model-path", weights_path(), "--max-batch-size", "0")
    there = probabilities(served(alone, emit="probabilities"), prompt("vm-intro"))
    here = probabilities(SileroVADNode(emit="probabilities"), prompt("vm-intro"))
    np.testing.assert_allclose(there, here, atol=1e-5)


async def test_streams_at_the_same_time_give_what_they_give_alone(vad: ModelWorkerProgram, prompt: Prompt) -> None:
    async def stream(name: str) -> Samples:
        node = served(vad, emit="probabilities")
        given = [item.payload.to_numpy() async for item in Pipeline([node]).process(chunks(prompt(name), name))]
        return np.concatenate(given)

    together = await asyncio.gather(*[stream(name) for name in PROMPTS for _ in range(2)])
    for index, name in enumerate([name for name in PROMPTS for _ in range(2)]):
        alone = await asyncio.to_thread(probabilities, SileroVADNode(emit="probabilities"), prompt(name))
        np.testing.assert_allclose(together[index], alone, atol=1e-5)
    with ModelWorkerClient.connect(vad.endpoint) as client:
        status = client.status()
    assert status.total_requests == sum(len(prompt(name)) // 512 for name in PROMPTS) * 2
    assert status.failed_requests == 0


def test_a_worker_that_dies_ends_the_stream_with_its_endpoint(vad: ModelWorkerProgram, prompt: Prompt) -> None:
    def items() -> Iterator[RuntimeData]:
        for index, item in enumerate(chunks(prompt("vm-intro"))):
            if index == 20:
                vad.process.kill()
                vad.process.wait()
            yield item

    with pytest.raises(WorkerUnavailable, match="node 'vad'") as died:
        Pipeline([served(vad, name="vad")]).run(items())
    assert vad.endpoint in str(died.value)


def test_with_reconnect_a_stream_goes_on_with_the_next_worker(start: Start, prompt: Prompt) -> None:
    first = start("--model-path", weights_path(), *BATCH)

    def items() -> Iterator[RuntimeData]:
        for index, item in enumerate(chunks(prompt("vm-intro"))):
            if index == 20:
                first.process.kill()
                first.process.wait()
                start("--model-path", weights_path(), *BATCH, "--endpoint", first.endpoint)
            yield item

    node = served(first, emit="probabilities", reconnect=True)
    there = np.concatenate([item.payload.to_numpy() for item in Pipeline([node]).run(items())])
    here = probabilities(SileroVADNode(emit="probabilities"), prompt("vm-intro"))
    np.testing.assert_allclose(there, here, atol=1e-5)


def test_a_worker_that_serves_something_else_is_named(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "a.linear"
    file.write_text("1 1 1")
    other = start("--model-path", file, "--backend", LINEAR_PLUGIN)
    with pytest.raises(InvalidTensor, match="no Silero network"):
        Pipeline([served(other)]).run([])
