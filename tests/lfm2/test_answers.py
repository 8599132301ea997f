# SPDX-License-Identifier: Apache-2.0
"""An answer is what the library generates, given out item by item, remembered in the conversation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from liquid_audio import ChatState, LFM2AudioModel, LFM2AudioProcessor

from remotemedia import InvalidTensor, TensorBuffer
from remotemedia.nodes import RuntimeData
from remotemedia.nodes.ml.lfm2_audio import LFM2AudioNode
from remotemedia.nodes.ml.lfm2_chat import Chat, Question
from remotemedia.nodes.ml.lfm2_conversation import LocalConversation
from remotemedia.nodes.ml.lfm2_turn import AUDIO_END, AUDIO_START, TEXT_END, TextPieces
from tests.lfm2.conftest import GateMaker, NodeMaker
from tests.lfm2.conversation import ask, info_of, same, sound_of, speech, text_of

QUESTIONS = ("hello", "what?", "a", "tell me", "1 2 3", "xyz", "Good morning to you", "b", "c", "d", "e", "f")
FRAME_SAMPLES = 1920


@pytest.fixture(scope="module")
def library(checkpoint: Path) -> Library:
    return Library(checkpoint)


class Library:
    """Asks the library directly, as its own example does."""

    def __init__(self, checkpoint: Path) -> None:
        self.processor = LFM2AudioProcessor.from_pretrained(checkpoint, device="cpu").eval()
        self.model = LFM2AudioModel.from_pretrained(checkpoint, device="cpu", dtype=torch.float32).eval()

    def state(self, system_prompt: str) -> ChatState:
        state = ChatState(self.processor, dtype=torch.float32)
        state.new_turn("system")
        state.add_text(system_prompt)
        state.end_turn()
        return state

    def answer(self, question: RuntimeData, *, interleaved: bool = True, tokens: int = 60) -> list[torch.Tensor]:
        state = self.state("Respond with interleaved text and audio.")
        state.new_turn("user")
        if question.kind == "text":
            state.add_text(question.payload)
        else:
            state.add_audio(torch.tensor(question.payload.to_numpy())[None], question.sample_rate)
        state.end_turn()
        state.new_turn("assistant")
        generate = self.model.generate_interleaved if interleaved else self.model.generate_sequential
        return list(generate(**state, max_new_tokens=tokens))

    def text(self, tokens: list[torch.Tensor]) -> str:
        words = [int(token) for token in tokens if token.numel() == 1]
        text: str = self.processor.text.decode(words, skip_special_tokens=True)
        return text


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("question", [*map(RuntimeData.text, QUESTIONS[:7]), speech(), speech(2.5, 44_100)], ids=str)
async def test_an_answer_has_the_text_and_the_sound_that_the_library_generates(
    library: Library, make_node: NodeMaker, question: RuntimeData, interleaved: bool
) -> None:
    node = await make_node(interleaved=interleaved)
    answer = await ask(node, node.open_session("a"), question)
    tokens = library.answer(question, interleaved=interleaved)
    assert text_of(answer) == library.text(tokens)
    audible = [token for token in tokens if token.numel() == 8 and not (token == AUDIO_END).any()]
    sound = sound_of(answer)
    assert sound.size == FRAME_SAMPLES * len(audible)
    assert sound.dtype == np.float32
    assert np.abs(sound).max(initial=0) <= 1


@pytest.mark.parametrize("size", [1, 4, 100])
async def test_each_item_is_given_out_in_order_and_before_the_next_token_is_generated(
    library: Library, make_node: NodeMaker, gate: GateMaker, size: int
) -> None:
    node = await make_node(audio_frames_per_item=size)
    steps = gate()
    seen = []
    async for item in node.process(RuntimeData.text("what?"), node.open_session("a")):
        seen.append((item.kind, steps.steps))
    assert seen == expected_items(library.answer(RuntimeData.text("what?")), size)
    assert {kind for kind, _ in seen} == {"text", "audio"}


def expected_items(tokens: list[torch.Tensor], size: int) -> list[tuple[str, int]]:
    """Kind of each item, and the step of the network after which it is there."""
    items: list[tuple[str, int]] = []
    frames: list[bool] = []
    begun = False
    for step, token in enumerate(tokens, start=1):
        ends = token.numel() > 1 and int(token[0]) == AUDIO_END
        if token.numel() > 1:
            frames.append(not (token == AUDIO_END).any())
        if token.numel() == 1 or ends or len(frames) == size:
            if any(frames) or (ends and begun):
                items.append(("audio", step))
            begun = (begun or any(frames)) and not ends
            frames = []
        if token.numel() == 1 and int(token) not in (AUDIO_START, TEXT_END):
            items.append(("text", step))
    return items + [("audio", len(tokens))] * (begun or any(frames))


async def test_end_of_audio_frames_are_remembered_and_never_decoded(make_node: NodeMaker) -> None:
    ended = 0
    node = await make_node(max_new_tokens=120)
    for number, question in enumerate(QUESTIONS):
        session = node.open_session(str(number))
        answer = await ask(node, session, question)
        assert isinstance(session._chat, LocalConversation)
        frames = session._chat.state.audio_out
        silent = (frames == AUDIO_END).any(0)
        ended += int((frames[0] == AUDIO_END).sum())
        assert sound_of(answer).size == FRAME_SAMPLES * int((~silent).sum())
        if ended:
            break
    assert ended > 0, "no answer had its sound ended: the checkpoint is not what it was"


async def test_marks_of_the_model_are_no_text(make_node: NodeMaker) -> None:
    node = await make_node(max_new_tokens=120, interleaved=False)
    marks = set()
    for number, question in enumerate(QUESTIONS):
        session = node.open_session(str(number))
        answer = await ask(node, session, question)
        assert "<|" not in text_of(answer)
        assert all(item.payload for item in answer if item.kind == "text")
        assert isinstance(session._chat, LocalConversation)
        marks |= set(session._chat.state.text[0].tolist())
        if {AUDIO_START, TEXT_END} <= marks:
            break
    assert {AUDIO_START, TEXT_END} <= marks, "the checkpoint is not what it was"


async def test_an_answer_of_text_alone_ends_where_the_model_would_speak(
    library: Library, make_node: NodeMaker, gate: GateMaker
) -> None:
    node = await make_node(max_new_tokens=120, text_only=True)
    steps = gate()
    cut = False
    for number, question in enumerate(QUESTIONS):
        steps.steps = 0
        answer = await ask(node, node.open_session(str(number)), question)
        assert {item.kind for item in answer} == {"text"}
        tokens = library.answer(RuntimeData.text(question), interleaved=False, tokens=120)
        numbers = [int(token[0]) if token.numel() == 1 else AUDIO_START for token in tokens]
        end = numbers.index(AUDIO_START) if AUDIO_START in numbers else len(numbers)
        cut = end < len(numbers)
        assert steps.steps == end + cut
        assert text_of(answer) == library.text(tokens[:end])
        if cut:
            break
    assert cut, "the model never spoke: the checkpoint is not what it was"


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
async def test_speech_of_any_rate_and_channels_is_a_question_and_is_never_given_back(
    library: Library, make_node: NodeMaker, rate: int
) -> None:
    node = await make_node(max_new_tokens=20)
    mono = speech(0.5, rate)
    stereo = RuntimeData.audio(np.stack([mono.payload.to_numpy()] * 2), rate)
    answer = await ask(node, node.open_session("mono"), mono)
    assert same(answer, await ask(node, node.open_session("stereo"), stereo))
    assert text_of(answer) == library.text(library.answer(mono, tokens=20))
    assert all(item.sample_rate == 24_000 for item in answer if item.kind == "audio")
    assert all(isinstance(item.payload, TensorBuffer) for item in answer if item.kind == "audio")


def test_the_library_is_given_the_samples_of_the_question_where_they_are(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []
    add_audio = ChatState.add_audio

    def hearing(state: ChatState, wave: torch.Tensor, rate: int) -> None:
        heard.append((wave.data_ptr(), tuple(wave.shape)))
        add_audio(state, wave, rate)

    monkeypatch.setattr(ChatState, "add_audio", hearing)
    samples = speech(0.5).payload.to_numpy()
    before = samples.copy()
    samples.flags.writeable = False
    Chat(library.state("Respond."), "", 10_000).ask(Question(samples, 16_000))
    assert heard == [(samples.ctypes.data, (1, 8000))]
    assert np.array_equal(samples, before), "and it only reads them"


async def test_a_very_short_sound_is_a_question_and_silence_without_samples_is_none(make_node: NodeMaker) -> None:
    node = await make_node(max_new_tokens=8)
    session = node.open_session("a")
    for nothing in (RuntimeData.audio(np.zeros(0, np.float32), 16_000), RuntimeData.text(" \n")):
        assert await ask(node, session, nothing) == []
    assert info_of(node, "a").exchanges == 0
    assert await ask(node, session, RuntimeData.audio(np.zeros(1, np.float32), 16_000))
    assert info_of(node, "a").exchanges == 1


async def test_what_is_neither_sound_nor_text_is_refused_twice(make_node: NodeMaker) -> None:
    node = await make_node()
    session = node.open_session("a")
    for _ in range(2):
        with pytest.raises(InvalidTensor, match="tensor"):
            await ask(node, session, RuntimeData.tensor([1.0, 2.0]))


async def test_an_item_s_session_and_metadata_are_on_all_of_its_answer(make_node: NodeMaker) -> None:
    node = await make_node(max_new_tokens=20)
    question = RuntimeData.text("hello", session_id="a", metadata={"request": 7})
    answer = await ask(node, node.open_session("a"), question)
    assert {item.kind for item in answer} == {"text", "audio"}
    assert all(item.session_id == "a" and item.metadata == {"request": 7} for item in answer)


async def test_an_error_in_the_middle_of_an_answer_is_raised_twice_and_forgotten(make_node: NodeMaker) -> None:
    node = await make_node(audio_temperature=1.0, audio_top_k=5000)
    session = node.open_session("a")
    for _ in range(2):
        answer = []
        with pytest.raises(RuntimeError, match="out of range"):
            async for item in node.process(RuntimeData.text("hello"), session):
                answer.append(item)
        assert [item.kind for item in answer] == ["text"] * 6, "nothing but what the model said"
        info = info_of(node, "a")
        assert (info.exchanges, info.answering) == (0, False)
        assert isinstance(session._chat, LocalConversation)
        assert session._chat.state.modality_flag.shape[1] == info.history_tokens, "the question is taken back"


async def test_the_conversation_is_remembered(library: Library, make_node: NodeMaker) -> None:
    node = await make_node()
    session = node.open_session("a")
    first = await ask(node, session, "hello")
    second = await ask(node, session, "hello")
    assert not same(first, second), "the second answer knows of the first"
    info = info_of(node, "a")
    assert info.exchanges == 2
    assert info.history_tokens > 120


@pytest.mark.parametrize("kinds", ["", "t", "a", "ta", "aatt"])
def test_an_answer_of_any_make_up_is_remembered_and_can_be_followed_up(library: Library, kinds: str) -> None:
    chat = Chat(library.state("Respond."), "", 10_000)
    tokens = [torch.tensor([65]) if kind == "t" else torch.arange(8) for kind in kinds]
    for _ in range(2):
        chat.ask(Question("hello"))
        chat.answer(tokens)
    assert chat.exchanges == 2
    assert chat.tokens == chat.state.modality_flag.shape[1] == chat.state.text.shape[1] + chat.state.audio_out.shape[1]
    chat.ask(Question(speech(0.3).payload.to_numpy(), 16_000))
    assert next(library.model.generate_interleaved(**chat.state, max_new_tokens=1)).numel() == 1


def test_the_oldest_exchanges_are_forgotten_and_the_rest_is_as_if_they_had_never_been(library: Library) -> None:
    exchanges: list[tuple[Question, list[torch.Tensor]]] = [
        (Question("first"), [torch.tensor([65]), torch.arange(8)]),
        (Question(speech(0.7).payload.to_numpy(), 16_000), [torch.arange(8), torch.tensor([66]), torch.arange(8) * 2]),
        (Question(speech(0.3, 8_000).payload.to_numpy(), 8_000), []),
        (Question("last"), [torch.tensor([67])] * 3),
    ]

    def told(chosen: list[tuple[Question, list[torch.Tensor]]], limit: int) -> Chat:
        chat = Chat(ChatState(library.processor, dtype=torch.float32), "Respond.", limit)
        for question, answer in chosen:
            chat.ask(question)
            chat.answer(answer)
        return chat

    for kept in range(len(exchanges) + 1):
        rest = told(exchanges[len(exchanges) - kept :], 10_000)
        bounded = told(exchanges, rest.tokens)
        assert bounded.exchanges == kept
        assert bounded.tokens == rest.tokens
        for name in rest.state:
            assert torch.equal(bounded.state[name], rest.state[name]), name


async def test_a_long_conversation_stays_within_its_bound(make_node: NodeMaker) -> None:
    node = await make_node(max_new_tokens=40, max_history_tokens=150)
    session = node.open_session("a")
    for number in range(6):
        assert await ask(node, session, speech(0.4, seed=number) if number % 2 else "hello")
        assert info_of(node, "a").history_tokens <= 150
    assert 1 <= info_of(node, "a").exchanges < 6


@pytest.mark.parametrize("text", ["plain", "héllo wörld", "世界 🎧🎵!", "é" * 9, "🎧"])
def test_text_comes_a_character_at_a_time_and_never_in_halves(library: Library, text: str) -> None:
    pieces = TextPieces(library.processor.text)
    given = [pieces.add(token) for token in library.processor.text.encode(text, add_special_tokens=False)]
    assert "".join(given) == text
    assert len([piece for piece in given if piece]) == len(text)
    assert pieces.flush() == ""


def test_a_character_that_is_never_completed_is_not_waited_for(library: Library) -> None:
    pieces = TextPieces(library.processor.text)
    half = library.processor.text.encode("🎧", add_special_tokens=False)[:3]
    assert [pieces.add(token) for token in half] == ["", "", ""]
    assert "\ufffd" in pieces.add(half[0])
    pieces.add(half[0])
    assert pieces.flush() == "\ufffd"


async def test_sampled_answers_have_the_same_form(make_node: NodeMaker) -> None:
    torch.manual_seed(0)
    options: dict[str, Any] = {"audio_temperature": 1, "audio_top_k": 4, "text_temperature": 0.8, "text_top_k": 10}
    node: LFM2AudioNode = await make_node(**options)
    answer = await ask(node, node.open_session("a"), "hello")
    assert {item.kind for item in answer} == {"text", "audio"}
