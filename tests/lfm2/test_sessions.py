# SPDX-License-Identifier: Apache-2.0
"""Sessions share the weights and nothing else; each can be stopped, abandoned, reset and closed alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest
from liquid_audio import LFM2AudioModel

from remotemedia.nodes import RuntimeData
from remotemedia.nodes.ml.lfm2_conversation import LocalConversation
from remotemedia.nodes.ml.lfm2_session import Session
from remotemedia.nodes.ml.lfm2_turn import Turn
from tests.lfm2.conftest import GateMaker, NodeMaker
from tests.lfm2.conversation import ask, info_of, same, sound_of, speech

HELLO = RuntimeData.text("hello")


async def until_stopped(session: Session) -> None:
    turn = session._turn
    assert isinstance(turn, Turn)
    assert await asyncio.to_thread(turn._stop.wait, 60)


async def test_two_sessions_that_take_turns_give_what_they_give_alone(make_node: NodeMaker) -> None:
    node = await make_node()
    questions = {"a": [HELLO, speech(1.0, seed=1)], "b": [speech(0.7, seed=2), RuntimeData.text("what?")]}
    alone = {}
    for name, asked in questions.items():
        session = node.open_session(f"{name} alone")
        alone[name] = [await ask(node, session, question) for question in asked]

    sessions = {name: node.open_session(name) for name in questions}
    for turn in range(2):
        streams = {name: node.process(questions[name][turn], sessions[name]) for name in questions}
        together: dict[str, list[RuntimeData]] = {name: [] for name in questions}
        while streams:
            for name in list(streams):
                try:
                    together[name].append(await anext(streams[name]))
                except StopAsyncIteration:
                    del streams[name]
        for name, answer in together.items():
            assert same(answer, alone[name][turn]), name


async def test_eight_sessions_at_the_same_time_give_what_they_give_alone(make_node: NodeMaker) -> None:
    node = await make_node(max_new_tokens=40)
    questions = [speech(0.3 + 0.1 * number, seed=number) for number in range(8)]
    alone = [await ask(node, node.open_session(f"{number} alone"), each) for number, each in enumerate(questions)]
    together = await asyncio.gather(
        *(ask(node, node.open_session(str(number)), each) for number, each in enumerate(questions))
    )
    for one, other in zip(alone, together, strict=True):
        assert same(one, other)


async def test_prompts_are_encoded_one_at_a_time_since_long_ones_replace_the_encoder_s_positions(
    make_node: NodeMaker, network: Callable[[], LFM2AudioModel]
) -> None:
    node = await make_node(max_new_tokens=4)
    questions = [speech(5.5 + number, seed=number) for number in range(4)]  # the checkpoint is made for 5 s
    inside: list[int] = []
    most: list[int] = []

    def enter(*_: object) -> None:
        inside.append(1)
        most.append(len(inside))

    encoder = network().conformer
    encoder.register_forward_pre_hook(enter)
    encoder.register_forward_hook(lambda *_: inside.clear())
    together = await asyncio.gather(
        *(ask(node, node.open_session(str(number)), each) for number, each in enumerate(questions))
    )
    assert most == [1] * len(questions)
    for number, question in enumerate(questions):
        assert same(together[number], await ask(node, node.open_session(f"{number} alone"), question))


async def test_questions_of_one_session_are_answered_one_after_the_other(make_node: NodeMaker) -> None:
    node = await make_node(max_new_tokens=20)
    alone = node.open_session("alone")
    expected = [await ask(node, alone, HELLO), await ask(node, alone, "what?")]
    session = node.open_session("a")
    answers = await asyncio.gather(ask(node, session, HELLO), ask(node, session, "what?"))
    assert all(map(same, answers, expected))
    assert info_of(node, "a").exchanges == 2


async def test_a_slow_consumer_holds_the_generation_back_for_its_own_session_only(
    make_node: NodeMaker, gate: GateMaker
) -> None:
    node = await make_node()
    steps = gate()
    async with aclosing(node.process(HELLO, node.open_session("slow"))) as slow:
        await anext(slow)
        await anext(slow)
        assert steps.steps == 2
        assert await ask(node, node.open_session("quick"), "what?")
        assert steps.steps == 62
        await anext(slow)
        assert steps.steps == 63


async def test_an_abandoned_stream_ends_its_turn_and_what_was_given_out_is_remembered(
    make_node: NodeMaker, gate: GateMaker
) -> None:
    node = await make_node(audio_frames_per_item=3)
    steps = gate()
    session = node.open_session("a")
    given = []
    async with aclosing(node.process(HELLO, session)) as stream:
        async for item in stream:
            given.append(item)
            if len(given) == 7:  # six texts, one item of three frames
                break
    assert steps.steps == 9
    assert info_of(node, "a").answering is False
    assert info_of(node, "a").exchanges == 1
    assert isinstance(session._chat, LocalConversation)
    assert session._chat.state.audio_out.shape[1] == 3
    assert await ask(node, session, "what?")
    assert info_of(node, "a").exchanges == 2


async def test_cancelling_the_consumer_in_the_middle_of_a_step_stops_before_the_next_token(
    make_node: NodeMaker, gate: GateMaker
) -> None:
    node = await make_node()
    steps = gate()
    session = node.open_session("a")
    for _ in range(2):
        steps.steps, steps.hold_at = 0, 8
        steps.reached.clear()
        steps.released.clear()
        asking = asyncio.create_task(ask(node, session, HELLO))
        assert await asyncio.to_thread(steps.reached.wait, 60)
        asking.cancel()
        await until_stopped(session)
        steps.released.set()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert steps.steps == 8
        assert info_of(node, "a").answering is False
    steps.hold_at = 0
    assert await ask(node, session, HELLO)


async def test_an_interrupt_ends_the_running_answer_of_its_session_without_waiting(
    make_node: NodeMaker, gate: GateMaker
) -> None:
    node = await make_node()
    steps = gate()
    sessions = {name: node.open_session(name) for name in ("a", "b")}
    assert node.interrupt("a") is False, "nothing runs"
    assert node.interrupt("nobody") is False

    async with aclosing(node.process(RuntimeData.text("what?"), sessions["b"])) as other:
        await anext(other)
        steps.hold_at = steps.steps + 20  # in the middle of frames, after the first item of sound
        answering = asyncio.create_task(ask(node, sessions["a"], HELLO))
        assert await asyncio.to_thread(steps.reached.wait, 60)
        waiting = asyncio.create_task(ask(node, sessions["a"], "tell me"))
        assert node.interrupt("a") is True, "although a step is running and does not end"
        steps.hold_at = 0
        steps.released.set()
        interrupted = await answering
        assert interrupted
        assert await waiting, "the next question is answered"
        assert info_of(node, "a").exchanges == 2
        rest = [item async for item in other]
        assert sound_of(rest).size > 0, "the other session speaks on"
    assert node.interrupt("a") is False


async def test_an_interrupt_while_the_consumer_has_the_last_item_gives_out_no_other(
    make_node: NodeMaker, gate: GateMaker
) -> None:
    node = await make_node()
    steps = gate()
    async with aclosing(node.process(HELLO, node.open_session("a"))) as stream:
        await anext(stream)
        assert node.interrupt("a") is True
        assert [item async for item in stream] == []
    assert steps.steps == 1


async def test_reset_forgets_the_conversation_and_ends_the_running_answer(make_node: NodeMaker) -> None:
    node = await make_node()
    session = node.open_session("a")
    first = await ask(node, session, HELLO)
    assert not same(first, await ask(node, session, HELLO))
    async with aclosing(node.process(HELLO, session)) as stream:
        await anext(stream)
        assert node.reset("a") is True
        assert [item async for item in stream] == []
    assert info_of(node, "a").exchanges == 0
    assert same(first, await ask(node, session, HELLO)), "as in a new conversation"
    assert node.reset("nobody") is False


async def test_closing_a_session_ends_its_answer_and_leaves_the_others(make_node: NodeMaker) -> None:
    node = await make_node()
    closing, staying = node.open_session("closing"), node.open_session("staying")
    async with aclosing(node.process(HELLO, closing)) as stream:
        await anext(stream)
        node.close_session("closing", closing)
        assert [item async for item in stream] == []
    assert [info.session_id for info in node.sessions()] == ["staying"]
    assert await ask(node, staying, HELLO)


async def test_cleanup_in_the_middle_of_a_step_stops_before_the_next_token(
    make_node: NodeMaker, gate: GateMaker
) -> None:
    node = await make_node()
    steps = gate()
    steps.hold_at = 8
    session = node.open_session("a")
    answering = asyncio.create_task(ask(node, session, HELLO))
    assert await asyncio.to_thread(steps.reached.wait, 60)
    cleaning = asyncio.create_task(node.cleanup())
    await until_stopped(session)
    assert not cleaning.done(), "it waits for the step that is held"
    steps.released.set()
    await cleaning
    assert steps.steps == 8
    assert [item.kind for item in await answering] == ["text"] * 6
    assert node.sessions() == []
    await node.cleanup()


async def test_sessions_of_one_name_in_two_runs_are_two_and_are_interrupted_together(make_node: NodeMaker) -> None:
    node = await make_node()
    sessions = [node.open_session("a"), node.open_session("a")]
    streams = [node.process(HELLO, session) for session in sessions]
    for stream in streams:
        await anext(stream)
    assert node.interrupt("a") is True
    assert [[item async for item in stream] for stream in streams] == [[], []]
    node.close_session("a", sessions[0])
    assert len(node.sessions()) == 1


async def test_the_event_loop_runs_while_a_token_is_generated(make_node: NodeMaker, gate: GateMaker) -> None:
    node = await make_node()
    steps = gate()
    steps.hold_at = 3
    answering = asyncio.create_task(ask(node, node.open_session("a"), HELLO))
    assert await asyncio.to_thread(steps.reached.wait, 60)
    assert not answering.done(), "the step is held, and this coroutine runs"
    steps.released.set()
    assert await answering
