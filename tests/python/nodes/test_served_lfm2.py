# SPDX-License-Identifier: Apache-2.0
"""LFM2AudioNode with a worker: what it sends, tells and survives, beside a model that only repeats.

The real model is in tests/lfm2, which needs liquid-audio; the process that calls a worker needs none of it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remotemedia import (
    InferenceFailed,
    InferenceModel,
    InvalidTensor,
    ModelRegistry,
    ModelSignature,
    ModelWorkerClient,
    TensorSpec,
    WorkerUnavailable,
)
from remotemedia.nodes import LFM2AudioNode, RuntimeData
from remotemedia.pipeline import Pipeline
from tests.python.nodes import served_loader

ENDLESS = RuntimeData.text("endless")


class Repeating(InferenceModel):
    """Says the words of the conversation so far and then as many samples.

    "endless" never ends and is remembered as the number of its items, "fails" raises, "file PATH" waits for one.
    """

    model_id = "repeating"

    def __init__(self, speaks: bool) -> None:
        self._speaks = speaks

    def signature(self) -> ModelSignature:
        text, samples = TensorSpec("text", "uint8", [-1]), TensorSpec("samples", "float32", [-1])
        counts = [TensorSpec(name, "int64", []) for name in ("asked", "exchanges", "history_tokens")]
        return ModelSignature([text, samples], [text, *([samples] if self._speaks else []), *counts], stateful=True)

    def open_session(self, session_id: str) -> list[str]:
        return []

    def infer_stream(self, inputs: dict[str, Any], context: Any) -> Iterator[dict[str, Any]]:
        (request,) = context.requests
        words: list[str] = request.state
        asked = len(words)

        def piece(text: str = "", samples: int = 0) -> dict[str, Any]:
            sound = {"samples": np.ones(samples, np.float32)} if self._speaks else {}
            counts = {"asked": asked, "exchanges": asked, "history_tokens": 10 * asked}
            return {"text": np.frombuffer(text.encode(), np.uint8), **sound, **counts}

        samples = inputs["samples"]
        words.append(
            f"{samples.size}@{request.parameters['sample_rate']}" if samples.size else bytes(inputs["text"]).decode()
        )
        if words[-1] == "options":
            words[-1] = json.dumps(dict(request.parameters))
        if words[-1] == "fails":
            raise ValueError("no words")
        while words[-1].startswith("file ") and not Path(words[-1][5:]).exists() and not request.cancelled:
            time.sleep(0.001)
        if words[-1] == "endless":
            for words[-1] in map(str, itertools.count(1)):
                yield piece("again")
        for word in words:
            yield piece(word)
        yield piece(samples=len(words))
        yield piece()


def repeating(speaks: bool = True) -> InferenceModel:
    return Repeating(speaks)


def other() -> Any:
    return lambda x: x


def serving(endpoint: str, loader: str = "repeating", *words: str) -> AbstractContextManager[subprocess.Popen[str]]:
    streams = ("--concurrent-streams", "8", "--stream-window", "1")
    return served_loader.serving(endpoint, f"{__name__}:{loader}", *streams, *words)


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    endpoint = f"unix:{tmp_path_factory.mktemp('served')}/lfm2"
    with serving(endpoint):
        yield endpoint


@pytest.fixture
def registry() -> ModelRegistry:
    return ModelRegistry()


async def ask(node: LFM2AudioNode, session: Any, question: str | RuntimeData) -> list[RuntimeData]:
    item = RuntimeData.text(question) if isinstance(question, str) else question
    return [answer async for answer in node.process(item, session)]


def texts(items: list[RuntimeData]) -> list[str]:
    return [item.payload for item in items if item.kind == "text"]


async def until_idle(endpoint: str) -> None:
    with ModelWorkerClient.connect(endpoint) as client:
        while client.status().current_load > 0:
            pass


def until_busy(client: ModelWorkerClient) -> None:
    while client.status().current_load == 0:
        pass


def test_questions_answers_sessions_and_metadata_go_through_a_pipeline(worker: str, registry: ModelRegistry) -> None:
    node = LFM2AudioNode(worker=worker, registry=registry)
    items = [
        RuntimeData.text("one", session_id="a", metadata={"number": 1}),
        RuntimeData.audio(np.zeros(8, np.float32), 8000, session_id="b"),
        RuntimeData.text("  ", session_id="a"),
        RuntimeData.text("two", session_id="a", metadata={"number": 2}),
    ]
    for _ in range(2):
        answers = Pipeline([node]).run(items)
        mine = [item for item in answers if item.session_id == "a"]
        assert texts(mine) == ["one", "one", "two"]
        assert [item.metadata for item in mine] == [{"number": 1}] * 2 + [{"number": 2}] * 3
        sounds = [item for item in mine if item.kind == "audio"]
        assert [(item.payload.shape, item.sample_rate) for item in sounds] == [((1,), 24_000), ((2,), 24_000)]
        assert texts([item for item in answers if item.session_id == "b"]) == ["8@8000"]
        assert node.sessions() == []
    with ModelWorkerClient.connect(worker) as client:
        while client.status().sessions > 0:
            pass


async def test_options_of_the_node_are_parameters_of_the_question(worker: str, registry: ModelRegistry) -> None:
    node = LFM2AudioNode(
        worker=worker, registry=registry, system_prompt="Sing.", audio_temperature=None, max_new_tokens=7
    )
    await node.initialize()
    (sent,) = texts(await ask(node, node.open_session("a"), "options"))
    assert json.loads(sent) == {
        "audio_frames_per_item": 5,
        "audio_top_k": 4,
        "interleaved": True,
        "max_history_tokens": 8192,
        "max_new_tokens": 7,
        "sample_rate": 0,
        "system_prompt": "Sing.",
        "text_only": False,
    }
    await node.cleanup()


async def test_a_reset_begins_a_conversation_and_nothing_is_called_lost(worker: str, registry: ModelRegistry) -> None:
    node = LFM2AudioNode(worker=worker, registry=registry)
    await node.initialize()
    session = node.open_session("a")
    for _ in range(2):
        assert texts(await ask(node, session, "one")) == ["one"]
        answer = await ask(node, session, "two")
        assert texts(answer) == ["one", "two"]
        assert node.sessions()[0][1:] == (1, 10, False)
        assert all("session_lost" not in item.metadata for item in answer)
        assert node.reset("a")
        assert node.sessions()[0].exchanges == 0
    await node.cleanup()


async def test_what_nobody_listens_to_is_cancelled_in_the_worker(worker: str, registry: ModelRegistry) -> None:
    node = LFM2AudioNode(worker=worker, registry=registry)
    await node.initialize()
    session = node.open_session("a")
    with ModelWorkerClient.connect(worker) as client:
        for end in ("abandoned", "interrupted", "reset"):
            before = client.status().cancelled_requests
            async with aclosing(node.process(ENDLESS, session)) as stream:
                await anext(stream)
                if end == "interrupted":
                    assert node.interrupt("a")
                    assert [item async for item in stream] == []
                if end == "reset":
                    assert node.reset("a")
                    assert [item async for item in stream] == []
            await until_idle(worker)
            assert client.status().cancelled_requests == before + 1, end
            *given, on = texts(await ask(node, session, "on"))
            assert on == "on"
            assert len(given) == (end != "reset")
            assert all(int(items) <= 2 for items in given), "one that was taken and one that waited"
            node.reset("a")
    await node.cleanup()


async def test_an_answer_that_is_not_taken_holds_no_other_session_up(worker: str, registry: ModelRegistry) -> None:
    node = LFM2AudioNode(worker=worker, registry=registry)
    await node.initialize()
    async with aclosing(node.process(ENDLESS, node.open_session("a"))) as stream:
        await anext(stream)
        assert texts(await ask(node, node.open_session("b"), "one")) == ["one"]
        assert (await anext(stream)).payload == "again"
    await node.cleanup()


def test_a_process_that_goes_away_cancels_its_answer(worker: str) -> None:
    script = """
import sys
from remotemedia.nodes import LFM2AudioNode, RuntimeData
from remotemedia.pipeline import Pipeline
for item in Pipeline([LFM2AudioNode(worker=sys.argv[1])]).run([RuntimeData.text("endless")]):
    pass
"""
    with ModelWorkerClient.connect(worker) as client:
        before = client.status()
        with subprocess.Popen([sys.executable, "-c", script, worker]) as process:
            while client.status().current_load == 0:
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
        while client.status().current_load > 0 or client.status().sessions > before.sessions:
            pass
        assert client.status().cancelled_requests == before.cancelled_requests + 1


async def test_a_question_that_fails_leaves_the_session_usable_twice(worker: str, registry: ModelRegistry) -> None:
    node = LFM2AudioNode(worker=worker, registry=registry)
    await node.initialize()
    session = node.open_session("a")
    for _ in range(2):
        with pytest.raises(InferenceFailed, match="no words"):
            await ask(node, session, "fails")
    assert texts(await ask(node, session, "on"))[-1] == "on"
    await node.cleanup()


async def test_a_worker_that_dies_in_an_answer_ends_it_and_the_next_one_tells_that_the_session_was_lost(
    tmp_path: Path, registry: ModelRegistry
) -> None:
    endpoint = f"unix:{tmp_path}/lfm2"
    node = LFM2AudioNode(worker=endpoint, reconnect=True, registry=registry)
    with serving(endpoint) as first:
        await node.initialize()
        session, quiet = node.open_session("a"), node.open_session("quiet")
        await ask(node, session, "one")
        stream = node.process(ENDLESS, session)
        await anext(stream)
        first.kill()
        first.wait()
        with pytest.raises(WorkerUnavailable, match=endpoint):
            [item async for item in stream]
    with serving(endpoint) as second:
        answer = await ask(node, session, RuntimeData.text("two", metadata={"number": 2}))
        assert texts(answer) == ["two"]
        assert [item.metadata for item in answer] == [{"number": 2, "session_lost": True}, {"number": 2}]
        second.kill()
        second.wait()
    with serving(endpoint):  # the second worker died between two questions: nothing is raised
        assert [item.metadata for item in await ask(node, session, "three")] == [{"session_lost": True}, {}]
        assert [item.metadata for item in await ask(node, session, "four")] == [{}, {}, {}]
        assert [item.metadata for item in await ask(node, quiet, "one")] == [{}, {}], "it had nothing to lose"
    await node.cleanup()


async def test_a_question_of_whose_answer_nothing_came_goes_to_the_next_worker(
    tmp_path: Path, registry: ModelRegistry
) -> None:
    endpoint = f"unix:{tmp_path}/lfm2"
    question = f"file {tmp_path / 'there'}"
    node = LFM2AudioNode(worker=endpoint, reconnect=True, registry=registry)
    with serving(endpoint) as first, ModelWorkerClient.connect(endpoint) as client:
        await node.initialize()
        session = node.open_session("a")
        await ask(node, session, "one")
        asking = asyncio.create_task(ask(node, session, question))
        await asyncio.to_thread(until_busy, client)
        first.kill()
        first.wait()
    (tmp_path / "there").touch()
    with serving(endpoint):
        answer = await asking
        assert texts(answer) == [question]
        assert [item.metadata for item in answer] == [{"session_lost": True}, {}]
    await node.cleanup()


def test_a_worker_that_is_gone_is_named_with_the_node(tmp_path: Path) -> None:
    endpoint = f"unix:{tmp_path}/lfm2"
    with serving(endpoint) as process:

        def questions() -> Iterator[RuntimeData]:
            yield RuntimeData.text("one")
            process.kill()
            process.wait()
            yield RuntimeData.text("two")

        node = LFM2AudioNode("talker", worker=endpoint, registry=ModelRegistry())
        with pytest.raises(WorkerUnavailable, match="node 'talker'") as died:
            Pipeline([node]).run(questions())
        assert endpoint in str(died.value)
    with pytest.raises(WorkerUnavailable, match="node 'talker'"):
        Pipeline([node]).run(questions())


async def test_a_session_that_the_worker_found_idle_is_told_as_lost(tmp_path: Path, registry: ModelRegistry) -> None:
    endpoint = f"unix:{tmp_path}/lfm2"
    with serving(endpoint, "repeating", "--session-idle", "0.01"), ModelWorkerClient.connect(endpoint) as client:
        node = LFM2AudioNode(worker=endpoint, registry=registry)
        await node.initialize()
        session = node.open_session("a")
        await ask(node, session, "one")
        while client.status().sessions > 0:
            pass
        assert [item.metadata for item in await ask(node, session, "two")] == [{"session_lost": True}, {}]
        await node.cleanup()


async def test_a_worker_of_text_alone_serves_nodes_of_text_alone(tmp_path: Path, registry: ModelRegistry) -> None:
    endpoint = f"unix:{tmp_path}/lfm2"
    with serving(endpoint, "repeating", "--arg", "speaks=false"):
        for _ in range(2):
            with pytest.raises(InvalidTensor, match="without speech"):
                await LFM2AudioNode(worker=endpoint, registry=registry).initialize()
        node = LFM2AudioNode(worker=endpoint, registry=registry, text_only=True)
        await node.initialize()
        assert [item.payload for item in await ask(node, node.open_session("a"), "one")] == ["one"]
        await node.cleanup()


async def test_a_worker_that_serves_something_else_is_refused(tmp_path: Path) -> None:
    endpoint = f"unix:{tmp_path}/other"
    with serving(endpoint, "other"), pytest.raises(InvalidTensor, match="no LFM2-Audio"):
        await LFM2AudioNode(worker=endpoint, registry=ModelRegistry()).initialize()


def test_a_worker_without_the_library_ends_and_says_what_it_needs(tmp_path: Path) -> None:
    loader = "remotemedia.nodes.ml.lfm2_worker:load"
    command = [sys.executable, "-m", "remotemedia", "serve", loader, "--arg", f"repo={tmp_path}"]
    ended = subprocess.run([*command, "--log-level", "error"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "LoadFailed: LFM2AudioNode needs" in ended.stderr
