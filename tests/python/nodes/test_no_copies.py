# SPDX-License-Identifier: Apache-2.0
"""From its source to the model, 16 kHz mono audio is where it was."""

from collections.abc import Callable, Iterator
from typing import Any

import faster_whisper
import numpy as np
import numpy.typing as npt
import pytest

from remotemedia import ModelRegistry, RegistryConfig, SharedMemoryAllocator, TensorBuffer
from remotemedia.nodes import EchoNode, Node, RuntimeData, SileroVADNode, WhisperNode
from remotemedia.nodes.ml.silero_network import CONTEXT, FRAME, MODEL_KEY, SileroNetwork, weights_path
from remotemedia.nodes.mono_audio import mono_samples
from remotemedia.pipeline import Pipeline

Samples = npt.NDArray[np.float32]
Prompt = Callable[[str], Samples]


class HearingNetwork(SileroNetwork):
    """The real network, which remembers the arrays that onnxruntime is given."""

    def __init__(self) -> None:
        super().__init__(str(weights_path()))
        self.heard: list[Samples] = []
        self._run = self._session.run
        self._session = self

    def run(self, outputs: Any, inputs: dict[str, Samples]) -> Any:
        self.heard.append(inputs["input"])
        return self._run(outputs, inputs)


@pytest.fixture
def network() -> HearingNetwork:
    return HearingNetwork()


@pytest.fixture
def registry(network: HearingNetwork) -> Iterator[ModelRegistry]:
    registry = ModelRegistry(RegistryConfig(ttl_seconds=None))
    with registry.get_or_load(MODEL_KEY, lambda: network):
        yield registry
    registry.clear(timeout=30)


@pytest.fixture
def transcribed(monkeypatch: pytest.MonkeyPatch) -> list[Samples]:
    """The arrays that Whisper is given."""
    heard: list[Samples] = []
    transcribe = faster_whisper.WhisperModel.transcribe

    def hearing(model: Any, audio: Samples, **options: Any) -> Any:
        heard.append(audio)
        return transcribe(model, audio, **options)

    monkeypatch.setattr(faster_whisper.WhisperModel, "transcribe", hearing)
    return heard


@pytest.fixture
def speech(prompt: Prompt) -> TensorBuffer:
    """A prompt in shared memory."""
    samples = prompt("vm-intro")
    tensor = SharedMemoryAllocator().allocate_tensor(samples.shape, "float32")
    tensor.to_numpy()[:] = samples
    return tensor


@pytest.mark.parametrize("size", [160, 512, 1600, 4000, 1_000_000])
def test_the_network_is_given_the_source_s_memory(
    size: int, prompt: Prompt, network: HearingNetwork, registry: ModelRegistry
) -> None:
    samples = prompt("vm-intro").copy()
    samples.flags.writeable = False
    items = [RuntimeData.audio(samples[start : start + size], 16000) for start in range(0, len(samples), size)]
    Pipeline([EchoNode(), SileroVADNode(emit="probabilities", registry=registry)]).run(items)
    assert len(network.heard) == len(samples) // FRAME
    for number, heard in enumerate(network.heard):
        start = number * FRAME - CONTEXT
        in_one_item = start >= 0 and start // size == (start + CONTEXT + FRAME - 1) // size
        assert np.shares_memory(heard, samples) == in_one_item
        if in_one_item:
            assert heard.ctypes.data == samples[start:].ctypes.data


def test_two_channels_are_averaged_and_one_is_not_touched() -> None:
    stereo = np.array([[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]], np.float32)
    assert mono_samples(RuntimeData.audio(stereo, 8000), needed_by="it")[0].tolist() == [0.5, 0.5, 0.5]
    for one in (stereo[0], stereo[:1], stereo.T[:, 0], stereo[1:, ::2]):
        samples, rate = mono_samples(RuntimeData.audio(one, 8000), needed_by="it")
        assert (samples.shape, rate) == ((one.shape[-1],), 8000)
        assert np.shares_memory(samples, one)


def test_whisper_is_given_the_source_s_memory(prompt: Prompt, transcribed: list[Samples]) -> None:
    samples = prompt("vm-goodbye").copy()
    samples.flags.writeable = False
    (text,) = Pipeline([EchoNode(), WhisperNode()]).run([RuntimeData.audio(samples, 16000)])
    assert "bye" in text.payload.lower()
    (heard,) = transcribed
    assert np.shares_memory(heard, samples)
    assert (heard.ctypes.data, heard.shape) == (samples.ctypes.data, samples.shape)


def test_segments_of_shared_memory_are_parts_of_it_up_to_whisper(
    speech: TensorBuffer, registry: ModelRegistry, transcribed: list[Samples]
) -> None:
    segments: list[RuntimeData] = []

    class Listening(Node):
        def process(self, item: RuntimeData) -> RuntimeData:
            segments.append(item)
            return item

    texts = Pipeline([SileroVADNode(registry=registry), Listening(), WhisperNode()]).run(
        RuntimeData.audio(speech, 16000)
    )
    assert len(texts) == len(segments) == len(transcribed) == 2
    for segment, heard in zip(segments, transcribed, strict=True):
        start, end = (round(segment.metadata[key] * 16000) for key in ("start", "end"))
        assert segment.payload.storage == "shared_memory"
        assert segment.payload.data_ptr == speech[start:].data_ptr == heard.ctypes.data
        assert segment.payload.shape == heard.shape == (end - start,)


@pytest.mark.parametrize("make", [RuntimeData.tensor, lambda payload: RuntimeData.audio(payload, 16000)])
def test_a_tensor_in_shared_memory_goes_through_a_pipeline_as_it_is(
    make: Callable[[TensorBuffer], RuntimeData], speech: TensorBuffer
) -> None:
    class Generator(Node):
        def process(self, item: RuntimeData) -> Iterator[RuntimeData]:
            yield item.replace(session_id="another")

    class Coroutine(Node):
        async def process(self, item: RuntimeData) -> list[RuntimeData]:
            return [item, item.replace(payload=item.payload[::2])]

    whole, part = Pipeline([EchoNode(), Generator(), Coroutine()]).run([make(speech)])
    assert whole.payload is speech
    assert part.payload.data_ptr == speech.data_ptr
    assert whole.payload.storage == part.payload.storage == "shared_memory"
