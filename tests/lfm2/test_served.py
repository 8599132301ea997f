# SPDX-License-Identifier: Apache-2.0
"""A worker's LFM2-Audio says what that of this process says, for many sessions at a time, and stops when it may."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, aclosing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from remotemedia import InferenceFailed, ModelRegistry, ModelWorker, ModelWorkerClient, WorkerConfig, WorkerUnavailable
from remotemedia.nodes import RuntimeData
from remotemedia.nodes.ml.lfm2_audio import LFM2AudioNode
from remotemedia.nodes.ml.lfm2_worker import Lfm2Service, load
from remotemedia.pipeline import Pipeline
from tests.lfm2.conftest import GREEDY, NodeMaker
from tests.lfm2.conversation import StepGate, ask, info_of, same, sound_of, speech
from tests.python.nodes import served_loader

TELL = RuntimeData.text("tell me")
ENDLESS = {**GREEDY, "max_new_tokens": 100_000}


class Worker(NamedTuple):
    endpoint: str
    service: Lfm2Service

    def client(self) -> ModelWorkerClient:
        return ModelWorkerClient.connect(self.endpoint)


@pytest.fixture(scope="module")
def worker(checkpoint: Path) -> Iterator[Worker]:
    service = load(repo=str(checkpoint))
    with ModelWorker(service, WorkerConfig(concurrent_streams=4, stream_window=1)) as running:
        (endpoint,) = running.start()
        yield Worker(endpoint, service)


@pytest.fixture
def make_served(worker: Worker, make_node: NodeMaker) -> NodeMaker:
    """As make_node, each with a connection of its own to the worker."""
    return lambda **options: make_node(worker=worker.endpoint, registry=ModelRegistry(), **options)


@pytest.fixture
def steps(worker: Worker) -> Iterator[StepGate]:
    gate = StepGate(worker.service._parts.model.network.lfm)
    yield gate
    gate.remove()


def until_idle(client: ModelWorkerClient) -> None:
    while client.status().current_load > 0:
        pass


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"interleaved": False},
        {"text_only": True},
        {"audio_frames_per_item": 3, "system_prompt": "", "max_new_tokens": 20},
    ],
    ids=str,
)
async def test_its_items_are_those_of_this_process(
    make_node: NodeMaker, make_served: NodeMaker, options: dict[str, Any]
) -> None:
    here, there = await make_node(**options), await make_served(**options)
    sessions = here.open_session("a"), there.open_session("a")
    for question in (RuntimeData.text("what?"), speech(), speech(0.7, 44_100, seed=2)):
        expected = await ask(here, sessions[0], question)
        assert expected
        assert same(await ask(there, sessions[1], question), expected)
        assert info_of(there, "a") == info_of(here, "a")


async def test_sessions_at_the_same_time_give_what_they_give_alone(
    make_node: NodeMaker, make_served: NodeMaker
) -> None:
    here, there = await make_node(), [await make_served() for _ in range(2)]
    questions = [speech(0.3 + 0.1 * number, seed=number) for number in range(4)]
    alone = [await ask(here, here.open_session(str(number)), each) for number, each in enumerate(questions)]
    together = await asyncio.gather(
        *(ask(there[n % 2], there[n % 2].open_session(str(n)), each) for n, each in enumerate(questions))
    )
    assert all(map(same, together, alone))


async def test_what_was_interrupted_is_remembered_and_the_next_question_is_answered(
    worker: Worker, make_served: NodeMaker
) -> None:
    node = await make_served()
    session = node.open_session("a")
    stream = node.process(TELL, session)
    await anext(stream)
    assert node.interrupt("a")
    assert [item async for item in stream] == []
    assert await ask(node, session, "what?")
    assert info_of(node, "a").exchanges == 2


async def test_an_answer_that_is_left_in_the_middle_of_a_step_stops_before_the_next_token(
    worker: Worker, make_served: NodeMaker, steps: StepGate
) -> None:
    node = await make_served(**ENDLESS)
    session = node.open_session("a")
    with worker.client() as client:
        for _ in range(2):
            steps.steps, steps.hold_at = 0, 8  # in the middle of frames
            steps.reached.clear()
            steps.released.clear()
            before = client.status().cancelled_requests
            asking = asyncio.create_task(ask(node, session, TELL))
            assert await asyncio.to_thread(steps.reached.wait, 60)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            while client.status().cancelled_requests == before:
                pass
            steps.released.set()
            await asyncio.to_thread(until_idle, client)
            assert steps.steps == 8
    assert await ask(await make_served(), session, "what?")


async def test_a_pipeline_that_is_left_stops_the_answer_and_closes_the_session(worker: Worker, steps: StepGate) -> None:
    with worker.client() as client:
        for _ in range(2):
            node = LFM2AudioNode(worker=worker.endpoint, registry=ModelRegistry(), **ENDLESS)
            async with aclosing(Pipeline([node]).process([TELL])) as results:
                async for _item in results:
                    break
            await asyncio.to_thread(until_idle, client)
            done = steps.steps
            while client.status().sessions > 0:
                pass
            assert steps.steps == done


async def test_a_question_that_fails_leaves_the_conversation_as_it_was(
    make_node: NodeMaker, make_served: NodeMaker
) -> None:
    here, there = await make_node(), await make_served()
    failing = await make_served(audio_temperature=1.0, audio_top_k=5000)
    sessions = here.open_session("a"), there.open_session("a")
    assert same(await ask(here, sessions[0], "hello"), await ask(there, sessions[1], "hello"))
    for _ in range(2):
        there._generation, before = failing._generation, there._generation
        with pytest.raises(InferenceFailed, match="out of range"):
            await ask(there, sessions[1], "again")
        there._generation = before
    assert same(await ask(here, sessions[0], "what?"), await ask(there, sessions[1], "what?"))


def serving(endpoint: str, checkpoint: Path) -> AbstractContextManager[subprocess.Popen[str]]:
    words = ("--arg", f"repo={checkpoint}", "--concurrent-streams", "4", "--stream-window", "1")
    return served_loader.serving(endpoint, "remotemedia.nodes.ml.lfm2_worker:load", *words)


async def test_a_process_that_dies_in_an_answer_ends_it_and_the_next_one_begins_a_conversation(
    checkpoint: Path, tmp_path: Path, make_node: NodeMaker
) -> None:
    endpoint = f"unix:{tmp_path}/lfm2"
    here = await make_node()
    expected = await ask(here, here.open_session("a"), speech())
    node = LFM2AudioNode(worker=endpoint, reconnect=True, registry=ModelRegistry(), **GREEDY)
    with serving(endpoint, checkpoint) as first:
        await node.initialize()
        session = node.open_session("a")
        assert same(await ask(node, session, speech()), expected)
        stream = node.process(TELL, session)
        await anext(stream)
        first.kill()
        first.wait()
        with pytest.raises(WorkerUnavailable, match=endpoint):
            [item async for item in stream]
    with serving(endpoint, checkpoint):
        answer = await ask(node, session, speech())
        assert same(answer, expected), "as in a new conversation"
        assert [item.metadata for item in answer] == [{"session_lost": True}, *[{}] * (len(answer) - 1)]
        assert sound_of(answer).size
        await node.cleanup()
