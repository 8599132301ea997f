# SPDX-License-Identifier: Apache-2.0
"""Sound made frame by frame is the sound of all frames at once, and streams over shared weights do not mix."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from liquid_audio.moshi.models.loaders import MIMI_NAME
from liquid_audio.moshi.utils import compile as liquid_compile

from remotemedia import ModelRegistry
from remotemedia.nodes.ml.lfm2_audio import LFM2AudioNode
from remotemedia.nodes.ml.lfm2_checkpoint import Lfm2Checkpoint
from remotemedia.nodes.ml.lfm2_vocoder import FRAME_SAMPLES, DetokenizerVocoder, MimiVocoder, SpeechStream, Vocoder
from tests.lfm2.conftest import GREEDY
from tests.lfm2.conversation import ask, same, sound_of, speech
from tests.lfm2.tiny_checkpoint import write_checkpoint

FRAMES = 60


@pytest.fixture(scope="module")
def mimi_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = write_checkpoint(tmp_path_factory.mktemp("lfm2") / "mimi", mimi=True)
    yield folder
    (folder / MIMI_NAME).unlink()  # 385 MB


@pytest.fixture(scope="module", params=["detokenizer", "mimi"])
def vocoder(request: pytest.FixtureRequest) -> Vocoder:
    if request.param == "mimi":
        return Lfm2Checkpoint.find(request.getfixturevalue("mimi_checkpoint")).load_vocoder()
    return Lfm2Checkpoint.find(request.getfixturevalue("checkpoint")).load_vocoder()


def some_frames(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, 2048, (8,), generator=generator) for _ in range(FRAMES)]


def at_once(vocoder: Vocoder, frames: list[torch.Tensor]) -> npt.NDArray[np.float32]:
    codes = torch.stack(frames, 1)[None]
    with torch.no_grad():
        if isinstance(vocoder, MimiVocoder):
            sound = vocoder._mimi.decode(codes)[0, 0]
        else:
            assert isinstance(vocoder, DetokenizerVocoder)
            sound = vocoder._detokenizer(codes)[0]
    samples: npt.NDArray[np.float32] = sound.clamp(-1, 1).numpy()
    return samples


def by_pieces(stream: SpeechStream, frames: list[torch.Tensor], size: int) -> Iterator[npt.NDArray[np.float32]]:
    for start in range(0, len(frames), size):
        yield stream.decode(frames[start : start + size], last=start + size >= len(frames))


@pytest.mark.parametrize("size", [1, 4, 7, FRAMES])
def test_pieces_of_any_size_give_the_sound_of_the_whole(vocoder: Vocoder, size: int) -> None:
    frames = some_frames(1)
    whole = at_once(vocoder, frames)
    pieces = np.concatenate(list(by_pieces(vocoder.open(), frames, size)))
    assert pieces.size == whole.size == FRAMES * FRAME_SAMPLES
    np.testing.assert_allclose(pieces, whole, atol=1e-5)
    assert np.abs(whole).max() > 1e-2


def test_streams_that_take_turns_do_not_mix(vocoder: Vocoder) -> None:
    tracks = [some_frames(seed) for seed in (1, 2, 3)]
    streams = [vocoder.open() for _ in tracks]
    together = list(zip(*(by_pieces(s, f, 5) for s, f in zip(streams, tracks, strict=True)), strict=True))
    for number, frames in enumerate(tracks):
        sound = np.concatenate([pieces[number] for pieces in together])
        np.testing.assert_allclose(sound, at_once(vocoder, frames), atol=1e-5)


def test_a_stream_that_ends_without_new_frames_gives_what_it_held_back(vocoder: Vocoder) -> None:
    frames = some_frames(1)[:3]
    stream = vocoder.open()
    sound = np.concatenate([stream.decode(frames, last=False), stream.decode([], last=True)])
    np.testing.assert_allclose(sound, at_once(vocoder, frames), atol=1e-5)


def test_a_stream_that_ends_before_it_began_is_silent(vocoder: Vocoder) -> None:
    assert vocoder.open().decode([], last=True).size == 0


def test_mimi_decodes_for_one_thread_at_a_time_since_it_switches_compilation_for_all(mimi_checkpoint: Path) -> None:
    vocoder = Lfm2Checkpoint.find(mimi_checkpoint).load_vocoder()
    tracks = [some_frames(seed)[:10] for seed in range(4)]
    inside: list[int] = []
    most: list[int] = []

    def enter(*_: object) -> None:
        assert liquid_compile._compile_disabled
        inside.append(1)
        most.append(len(inside))

    def leave(*_: object) -> None:
        assert liquid_compile._compile_disabled
        inside.pop()

    def sound(frames: list[torch.Tensor]) -> npt.NDArray[np.float32]:
        stream = vocoder.open()
        transformer = stream._mimi.decoder_transformer  # type: ignore[attr-defined]
        transformer.register_forward_pre_hook(enter)
        transformer.register_forward_hook(leave)
        return np.concatenate(list(by_pieces(stream, frames, 1)))

    with ThreadPoolExecutor(4) as threads:
        sounds = list(threads.map(sound, tracks))
    assert max(most) == 1
    assert not liquid_compile._compile_disabled
    for frames, given in zip(tracks, sounds, strict=True):
        np.testing.assert_allclose(given, at_once(vocoder, frames), atol=1e-5)


def test_mimi_streams_share_every_weight(mimi_checkpoint: Path) -> None:
    vocoder = Lfm2Checkpoint.find(mimi_checkpoint).load_vocoder()
    assert isinstance(vocoder, MimiVocoder)
    stream = vocoder.open()
    shared = {tensor.data_ptr() for tensor in vocoder._mimi.state_dict().values()}
    assert {tensor.data_ptr() for tensor in stream._mimi.state_dict().values()} == shared  # type: ignore[attr-defined]
    assert vocoder._mimi.is_streaming is False


async def test_a_node_speaks_with_mimi_and_its_sessions_do_not_mix(
    mimi_checkpoint: Path, registry: ModelRegistry
) -> None:
    node = LFM2AudioNode(repo=mimi_checkpoint, registry=registry, **{**GREEDY, "max_new_tokens": 30})
    await node.initialize()
    alone = [await ask(node, node.open_session(f"{seed} alone"), speech(0.5, seed=seed)) for seed in (1, 2)]
    together = await asyncio.gather(
        *(ask(node, node.open_session(str(seed)), speech(0.5, seed=seed)) for seed in (1, 2))
    )
    assert all(map(same, alone, together))
    assert all(sound_of(answer).size for answer in alone)
    await node.cleanup()
