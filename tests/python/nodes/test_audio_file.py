# SPDX-License-Identifier: Apache-2.0
"""AudioFileSource: files as streams."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from remotemedia.nodes import AudioFileSource, RuntimeData


def write_wave(path: Path, samples: np.ndarray, rate: int) -> None:
    """samples: [channels, frames] in -1…1."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples.T * 32767).round().astype("<i2").tobytes())


def test_a_prompt_is_mono_at_16_khz_and_as_long_as_it_is(prompt_path: Callable[[str], Path]) -> None:
    items = list(AudioFileSource(prompt_path("demo-congrats")))
    assert {(item.kind, item.sample_rate, item.payload.ndim) for item in items} == {("audio", 16000, 1)}
    assert sum(len(item.payload) for item in items) == 484_428
    assert {len(item.payload) for item in items[:-1]} == {1600}


@pytest.mark.parametrize(("channels", "rate"), [(1, 8000), (2, 44100), (6, 48000)])
def test_a_file_keeps_its_rate_its_channels_and_its_samples(tmp_path: Path, channels: int, rate: int) -> None:
    samples = np.random.default_rng(3).uniform(-0.9, 0.9, (channels, rate // 3 + 7))
    write_wave(tmp_path / "a.wav", samples, rate)
    items = list(AudioFileSource(tmp_path / "a.wav"))
    joined = np.concatenate([item.payload.to_numpy() for item in items], axis=-1)
    assert {item.sample_rate for item in items} == {rate}
    assert joined.shape == (samples.shape if channels > 1 else samples.shape[1:])
    assert np.abs(joined - samples.reshape(joined.shape)).max() < 1e-4


@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.1, 60.0])
def test_the_length_of_the_chunks_changes_only_the_chunks(seconds: float, prompt_path: Callable[[str], Path]) -> None:
    reference = np.concatenate([item.payload.to_numpy() for item in AudioFileSource(prompt_path("beep"))])
    items = list(AudioFileSource(prompt_path("beep"), chunk_seconds=seconds))
    assert np.array_equal(np.concatenate([item.payload.to_numpy() for item in items]), reference)
    assert all(len(item.payload) == round(seconds * 16000) for item in items[:-1])
    assert [item.timestamp for item in items] == [index * round(seconds * 16000) / 16000 for index in range(len(items))]


def test_a_chunk_of_one_decoded_piece_is_a_view_of_it_and_of_several_one_copy(tmp_path: Path) -> None:
    write_wave(tmp_path / "a.wav", np.zeros((1, 1)), 8000)
    pieces = [np.full((2, length), number, np.float32) for number, length in enumerate((250, 30, 0, 130))]
    items = list(AudioFileSource(tmp_path / "a.wav")._chunks(iter(pieces), 1000))
    chunks = [item.payload.to_numpy() for item in items]
    assert [chunk.shape for chunk in chunks] == [(2, 100), (2, 100), (2, 100), (2, 100), (2, 10)]
    assert np.array_equal(np.concatenate(chunks, axis=1), np.concatenate(pieces, axis=1))
    lent = [[np.shares_memory(chunk, piece) for piece in pieces] for chunk in chunks]
    assert [[number for number, lends in enumerate(row) if lends] for row in lent] == [[0], [0], [], [3], [3]]


def test_it_can_be_read_again() -> None:
    source = AudioFileSource("/usr/share/asterisk/sounds/en/beep.g722", session_id="s", metadata={"file": "beep"})
    first, second = list(source), list(source)
    assert len(first) == len(second) > 1
    assert {item.session_id for item in first} == {"s"}
    first[0].metadata["file"] = "changed"
    assert second[0].metadata == first[1].metadata == {"file": "beep"}
    assert isinstance(first[0], RuntimeData)


def test_a_file_that_is_missing_is_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.wav"):
        AudioFileSource(tmp_path / "none.wav")


def test_a_file_that_is_no_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"this is no audio")
    source = AudioFileSource(tmp_path / "a.wav")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"a\.wav' cannot be decoded"):
            list(source)


def test_a_chunk_length_that_is_not_positive_is_refused(prompt_path: Callable[[str], Path]) -> None:
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="chunk_seconds must be positive"):
            AudioFileSource(prompt_path("beep"), chunk_seconds=seconds)
