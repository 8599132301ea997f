# SPDX-License-Identifier: Apache-2.0
"""WhisperNode with a worker: the model lives in a process of its own, and all give what it gives in theirs."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from remotemedia import InvalidTensor, ModelRegistry, ModelWorkerClient, WorkerUnavailable
from remotemedia.nodes import RuntimeData, WhisperNode
from remotemedia.pipeline import Pipeline
from tests.python.nodes.served_loader import serving

Samples = npt.NDArray[np.float32]
LOADER = "remotemedia.nodes.ml.whisper_worker:load"


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    endpoint = f"unix:{tmp_path_factory.mktemp('served')}/whisper"
    with serving(endpoint, LOADER):
        yield endpoint


@pytest.fixture(scope="module")
def models() -> ModelRegistry:
    return ModelRegistry()


def heard(node: WhisperNode, samples: Samples) -> tuple[str, dict[str, Any]]:
    audio = RuntimeData.audio(samples, 16000, metadata={"start": 1.5})
    (item,) = Pipeline([node]).run([audio])
    return item.payload, item.metadata


def test_text_words_times_and_probabilities_are_those_of_this_process(
    whisper: str, models: ModelRegistry, prompt: Callable[[str], Samples]
) -> None:
    cases: dict[str, dict[str, Any]] = {"vm-intro": {}, "demo-congrats": {"language": "en", "beam_size": 1}}
    for name, options in cases.items():
        samples = prompt(name)[: 16000 * 6]
        there = heard(WhisperNode(worker=whisper, registry=ModelRegistry(), **options), samples)
        assert there == heard(WhisperNode(registry=models, **options), samples)
        assert there[1]["words"][0]["start"] >= 1.5


async def test_nodes_that_call_at_the_same_time_hear_what_they_hear_alone(
    whisper: str, prompt: Callable[[str], Samples]
) -> None:
    node = WhisperNode(worker=whisper, registry=ModelRegistry())
    alone = await asyncio.to_thread(heard, node, prompt("vm-intro"))
    nodes = [WhisperNode(worker=whisper, registry=ModelRegistry()) for _ in range(3)]
    assert await asyncio.gather(*[asyncio.to_thread(heard, each, prompt("vm-intro")) for each in nodes]) == 3 * [alone]


def test_silence_and_nothing_are_heard_too(whisper: str) -> None:
    node = WhisperNode(worker=whisper, registry=ModelRegistry())
    assert heard(node, np.zeros(0, np.float32))[0] == ""


def test_a_pipeline_that_goes_away_cancels_its_call(whisper: str, prompt: Callable[[str], Samples]) -> None:
    script = """
import sys, numpy as np
from remotemedia.nodes import RuntimeData, WhisperNode
from remotemedia.pipeline import Pipeline
from tests.python.nodes.served_loader import serving
samples = np.load(sys.argv[2])
Pipeline([WhisperNode(worker=sys.argv[1])]).run([RuntimeData.audio(samples, 16000) for _ in range(50)])
"""
    recording = Path(whisper.removeprefix("unix:")).parent / "recording.npy"
    np.save(recording, prompt("vm-intro"))
    with ModelWorkerClient.connect(whisper) as client:
        before = client.status()
        with subprocess.Popen([sys.executable, "-c", script, whisper, str(recording)]) as process:
            while client.status().current_load == 0:
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
        while client.status().current_load > 0:
            pass
        after = client.status()
    assert after.cancelled_requests == before.cancelled_requests + 1
    assert after.queue_depth == 0


def test_a_worker_that_dies_ends_the_stream_or_the_next_one_goes_on(
    tmp_path: Path, prompt: Callable[[str], Samples]
) -> None:
    endpoint = f"unix:{tmp_path}/whisper"
    audio = RuntimeData.audio(prompt("vm-intro"), 16000)
    with ExitStack() as processes:
        first = processes.enter_context(serving(endpoint, LOADER))

        def items(restart: bool) -> Iterator[RuntimeData]:
            yield audio
            first.kill()
            first.wait()
            if restart:
                processes.enter_context(serving(endpoint, LOADER))
            yield audio

        node = WhisperNode(worker=endpoint, reconnect=True, registry=ModelRegistry())
        before, after = Pipeline([node]).run(items(restart=True))
        assert before.payload == after.payload
    with pytest.raises(WorkerUnavailable, match="node 'text'") as died:
        Pipeline([WhisperNode("text", worker=endpoint, registry=ModelRegistry())]).run([audio])
    assert endpoint in str(died.value)


def other() -> Callable[..., Any]:
    return lambda x: x


def test_a_worker_that_serves_something_else_is_refused(tmp_path: Path) -> None:
    endpoint = f"unix:{tmp_path}/other"
    with (
        serving(endpoint, "tests.python.nodes.test_served_whisper:other"),
        pytest.raises(InvalidTensor, match="no Whisper"),
    ):
        Pipeline([WhisperNode(worker=endpoint, registry=ModelRegistry())]).run([])
