# SPDX-License-Identifier: Apache-2.0
"""SileroVADNode on real weights and real speech."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from remotemedia import InvalidTensor, LoadFailed, ModelRegistry, RegistryConfig
from remotemedia.nodes import AudioFileSource, RuntimeData, SileroVADNode
from remotemedia.nodes.ml.silero_network import SileroNetwork, weights_path
from remotemedia.nodes.ml.silero_stream import SileroStream
from remotemedia.nodes.resampler import StreamingResampler
from remotemedia.pipeline import Pipeline

Samples = npt.NDArray[np.float32]
Prompt = Callable[[str], Samples]

EXPECTED = {
    "demo-congrats": [(0.26, 7.20), (7.33, 15.77), (15.87, 19.36), (19.52, 25.89), (26.11, 30.14)],
    "basic-pbx-ivr-main": [
        (0.10, 6.43),
        (6.63, 13.63),
        (13.73, 16.48),
        (16.64, 19.93),
        (20.10, 22.62),
        (22.82, 23.93),
        (24.03, 25.12),
    ],
    "vm-intro": [(0.10, 3.74), (3.84, 5.53)],
}
"""Segments that silero-vad's own get_speech_timestamps finds with its defaults, in seconds."""


def chunks(samples: Samples, size: int, rate: int = 16000, **fields: Any) -> Iterator[RuntimeData]:
    for start in range(0, samples.shape[-1], size):
        yield RuntimeData.audio(samples[..., start : start + size], rate, **fields)


def times(segments: list[Any]) -> list[tuple[float, float]]:
    return [(segment.metadata["start"], segment.metadata["end"]) for segment in segments]


def frame_by_frame(samples: Samples) -> Samples:
    """The network as its makers describe it: 512 samples after the 64 before, state handed on."""
    network = SileroNetwork(str(weights_path()))
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32)
    probabilities = []
    for start in range(0, len(samples) - 511, 512):
        frame = samples[start : start + 512]
        probability, state = network.step(np.concatenate([context, frame]), state)
        context = frame[-64:]
        probabilities.append(probability)
    return np.array(probabilities, np.float32)


@pytest.fixture(scope="module")
def network() -> SileroNetwork:
    return SileroNetwork(str(weights_path()))


@pytest.mark.parametrize("name", EXPECTED)
def test_segments_are_those_of_the_library(name: str, prompt_path: Callable[[str], Path]) -> None:
    segments = Pipeline([SileroVADNode()]).run(AudioFileSource(prompt_path(name)))
    found = times(segments)
    assert len(found) == len(EXPECTED[name])
    assert np.abs(np.array(found) - EXPECTED[name]).max() <= 0.005 + 1e-9


def test_a_segment_is_the_audio_between_its_times(prompt: Prompt) -> None:
    samples = prompt("vm-intro")
    segments = Pipeline([SileroVADNode()]).run(chunks(samples, 1600))
    for segment in segments:
        start, end = (round(segment.metadata[key] * 16000) for key in ("start", "end"))
        assert (segment.kind, segment.sample_rate) == ("audio", 16000)
        assert np.array_equal(segment.payload.to_numpy(), samples[start:end])


@pytest.mark.parametrize("size", [160, 512, 4096, 500_000])
def test_chunk_boundaries_change_nothing(size: int, prompt: Prompt) -> None:
    samples = prompt("demo-congrats")
    expected = frame_by_frame(samples)
    tensors = Pipeline([SileroVADNode(emit="probabilities")]).run(chunks(samples, size))
    assert len(tensors) == -(-len(samples) // size), "one tensor for each audio item"
    assert all(tensor.kind == "tensor" and tensor.payload.dtype == np.float32 for tensor in tensors)
    assert np.array_equal(np.concatenate([tensor.payload.to_numpy() for tensor in tensors]), expected)
    assert len(expected) == 946
    assert int((expected >= 0.5).sum()) == 881
    segments = Pipeline([SileroVADNode()]).run(chunks(samples, size))
    assert [tuple(round(time, 2) for time in pair) for pair in times(segments)] == EXPECTED["demo-congrats"]


def test_sessions_that_take_turns_give_bit_for_bit_what_they_give_alone(prompt: Prompt) -> None:
    names = list(EXPECTED)
    streams = {name: list(chunks(prompt(name), 700, session_id=name)) for name in names}
    turns = [
        streams[name][index] for index in range(max(map(len, streams.values()))) for name in names
        if index < len(streams[name])
    ]  # fmt: skip
    together = Pipeline([SileroVADNode(emit="probabilities")]).run(turns)
    for name in names:
        alone = Pipeline([SileroVADNode(emit="probabilities")]).run(streams[name])
        ours = [tensor.payload.to_numpy() for tensor in together if tensor.session_id == name]
        assert np.array_equal(np.concatenate(ours), np.concatenate([tensor.payload.to_numpy() for tensor in alone]))
    segments = Pipeline([SileroVADNode()]).run(turns)
    for name in names:
        ours_in_time = times([segment for segment in segments if segment.session_id == name])
        assert [tuple(round(time, 2) for time in pair) for pair in ours_in_time] == EXPECTED[name]


async def test_runs_at_the_same_time_share_the_network_and_nothing_else(prompt: Prompt) -> None:
    pipeline = Pipeline([SileroVADNode()])

    async def run(name: str) -> list[Any]:
        return [segment async for segment in pipeline.process(chunks(prompt(name), 1600))]

    found = await asyncio.gather(*(run(name) for name in EXPECTED))
    assert [[tuple(round(time, 2) for time in pair) for pair in times(segments)] for segments in found] == [
        *EXPECTED.values()
    ]


def test_context_and_state_matter(prompt: Prompt, network: SileroNetwork) -> None:
    samples = prompt("demo-congrats")
    expected = frame_by_frame(samples)

    def without_context() -> Samples:
        state, probabilities = np.zeros((2, 1, 128), np.float32), []
        for start in range(0, len(samples) - 511, 512):
            frame = np.concatenate([np.zeros(64, np.float32), samples[start : start + 512]])
            probability, state = network.step(frame, state)
            probabilities.append(probability)
        return np.array(probabilities)

    def without_state() -> Samples:
        return np.concatenate([
            SileroStream(network).push(samples[start : start + 512]) for start in range(0, len(samples) - 511, 512)
        ])  # fmt: skip

    assert np.abs(without_context() - expected).max() > 0.25
    assert (without_state() >= 0.5).sum() < 0.6 * (expected >= 0.5).sum()


@pytest.mark.parametrize(("kind", "highest"), [("silence", 0.02), ("noise", 0.06), ("tone", 0.01), ("beep", 0.05)])
def test_what_is_no_speech_is_none(kind: str, highest: float, prompt: Prompt) -> None:
    rng = np.random.default_rng(0)
    samples = {
        "silence": np.zeros(64_000, np.float32),
        "noise": (0.1 * rng.standard_normal(64_000)).astype(np.float32),
        "tone": (0.5 * np.sin(2 * np.pi * 440 * np.arange(64_000) / 16000)).astype(np.float32),
        "beep": prompt("beep"),
    }[kind]
    tensors = Pipeline([SileroVADNode(emit="probabilities")]).run(chunks(samples, 1600))
    assert np.concatenate([tensor.payload.to_numpy() for tensor in tensors]).max() < highest
    assert Pipeline([SileroVADNode()]).run(chunks(samples, 1600)) == []


def at_rate(samples: Samples, rate: int) -> Samples:
    resampler = StreamingResampler(16000, rate)
    return np.concatenate([resampler.push(samples), resampler.finish()])


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_audio_of_any_rate_and_channels_gives_the_same_segments(rate: int, channels: int, prompt: Prompt) -> None:
    samples = at_rate(prompt("vm-intro"), rate)
    stream = samples if channels == 1 else np.stack([samples * 0.5, samples * 1.5])
    segments = Pipeline([SileroVADNode()]).run(chunks(stream, rate // 10, rate))
    found = np.array(times(segments))
    assert found.shape == np.array(EXPECTED["vm-intro"]).shape
    assert np.abs(found - EXPECTED["vm-intro"]).max() <= 0.005 + 1e-9
    assert all(segment.payload.ndim == 1 and segment.sample_rate == 16000 for segment in segments)


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_resampling_moves_probabilities_little(rate: int, prompt: Prompt) -> None:
    samples = prompt("demo-congrats")
    tensors = Pipeline([SileroVADNode(emit="probabilities")]).run(chunks(at_rate(samples, rate), 1000, rate))
    found = np.concatenate([tensor.payload.to_numpy() for tensor in tensors])
    distance = np.abs(found - frame_by_frame(samples))
    assert distance.max() < 0.1
    assert distance.mean() < 0.002


def test_frames_that_resampling_held_back_come_at_the_end() -> None:
    samples = np.zeros(48000 * 32 // 1000 * 10, np.float32)  # 10 frames
    tensors = Pipeline([SileroVADNode(emit="probabilities")]).run(chunks(samples, 1536 * 5, 48000))
    assert [len(tensor.payload) for tensor in tensors] == [4, 5, 1]


def test_segments_carry_session_metadata_and_timestamp(prompt: Prompt) -> None:
    stream = chunks(prompt("vm-intro"), 1600, session_id="call 7", timestamp=100.0, metadata={"file": "vm-intro"})
    for segment in Pipeline([SileroVADNode()]).run(stream):
        assert segment.session_id == "call 7"
        assert segment.metadata["file"] == "vm-intro"
        assert segment.timestamp == 100.0 + segment.metadata["start"]


def test_speech_at_the_very_end_is_a_segment_up_to_the_end(prompt: Prompt) -> None:
    samples = prompt("demo-congrats")[: 5 * 16000 + 100]
    (segment,) = Pipeline([SileroVADNode()]).run(chunks(samples, 1600))
    assert segment.metadata["end"] == len(samples) / 16000


def test_a_segment_comes_while_the_stream_goes_on(prompt: Prompt) -> None:
    samples = prompt("vm-intro")
    drawn = 0

    async def source() -> AsyncIterator[RuntimeData]:
        nonlocal drawn
        for item in chunks(samples, 160):
            drawn += 1
            yield item

    async def first() -> float:
        results = Pipeline([SileroVADNode()], queue_size=1).process(source())
        segment = await anext(results)
        at = drawn * 0.01
        await results.aclose()
        return at - float(segment.metadata["end"])

    assert asyncio.run(first()) < 0.2, "100 ms of silence, a frame and what the queues hold"


@pytest.mark.parametrize("empty", [[], [RuntimeData.audio(np.zeros(0, np.float32), 16000)]])
def test_a_stream_with_nothing_in_it_has_no_speech(empty: list[RuntimeData]) -> None:
    assert Pipeline([SileroVADNode()]).run(empty) == []


def test_a_higher_threshold_finds_less(prompt: Prompt) -> None:
    samples = prompt("demo-congrats")

    def seconds(threshold: float) -> float:
        found = times(Pipeline([SileroVADNode(threshold=threshold)]).run(chunks(samples, 1600)))
        return sum(end - start for start, end in found)

    assert seconds(0.95) < seconds(0.5) < seconds(0.1)


def test_items_that_are_no_audio_are_refused() -> None:
    pipeline = Pipeline([SileroVADNode()])
    for wrong in (RuntimeData.text("hello"), 5, RuntimeData.tensor([1.0])):
        with pytest.raises(InvalidTensor, match=r"SileroVADNode takes RuntimeData\.audio"):
            pipeline.run([wrong])


def test_the_sample_rate_of_a_session_may_not_change() -> None:
    items = [RuntimeData.audio([0.0], 16000), RuntimeData.audio([0.0], 8000)]
    with pytest.raises(InvalidTensor, match="the session's audio is at 16000 Hz, this item at 8000 Hz") as caught:
        Pipeline([SileroVADNode()]).run(items)
    assert caught.value.node_failure.index == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"emit": "words"}, ValueError, 'emit must be "segments" or "probabilities"'),
        ({"threshold": 2.0}, ValueError, "threshold must be"),
        ({"treshold": 0.5}, TypeError, "SileroVADNode has no argument treshold"),
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SileroVADNode(**wrong)


def test_torch_is_not_needed() -> None:
    program = """
import sys
sys.modules["torch"] = None  # importing it fails
from remotemedia import Pipeline, RuntimeData, SileroVADNode
(tensor,) = Pipeline([SileroVADNode(emit="probabilities")]).run([RuntimeData.audio([0.0] * 512, 16000)])
assert tensor.payload.shape == (1,)
assert "silero_vad" not in sys.modules, "its files are found without importing it"
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


@pytest.mark.parametrize("missing", ["silero_vad", "onnxruntime"])
def test_a_missing_package_is_named_with_what_installs_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    pipeline = Pipeline([SileroVADNode(registry=ModelRegistry(RegistryConfig(ttl_seconds=0)))])
    for _ in range(2):
        with pytest.raises(LoadFailed, match=rf"needs the package {missing}.*pip install.*{missing.replace('_', '-')}"):
            pipeline.run([RuntimeData.audio([0.0], 16000)])
