# SPDX-License-Identifier: Apache-2.0
"""The whole demo, once, through the real networks, over two prompts with four pipelines."""

import json
import subprocess
from typing import Any

import pytest

from tests.python.examples.demo_process import run_demo

pytestmark = pytest.mark.timeout(300)

PIPELINES = 4
PROMPTS = ("vm-intro", "tt-allbusy")
VM_INTRO_SPEECH = [(0.10, 3.74), (3.84, 5.53)]


@pytest.fixture(scope="module")
def ended() -> "subprocess.CompletedProcess[str]":
    return run_demo("--json", "--pipelines", str(PIPELINES), "--rounds", "1", "--prompts", *PROMPTS)


@pytest.fixture(scope="module")
def document(ended: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert ended.returncode == 0, ended.stderr
    read: dict[str, Any] = json.loads(ended.stdout)
    return read


def test_stdout_is_one_document_and_progress_is_on_stderr(
    ended: "subprocess.CompletedProcess[str]", document: dict[str, Any]
) -> None:
    assert document["format"] == "remotemedia-speech-demo/1"
    assert document["missing"] == []
    for number in range(1, PIPELINES + 1):
        assert f"[{number}] " in ended.stderr


def test_each_pipeline_hears_its_recording_to_the_end(document: dict[str, Any]) -> None:
    heard = [(each["recording"], round(each["seconds"], 2)) for each in document["pipelines"]]
    assert heard == [("vm-intro", 5.65), ("tt-allbusy", 8.97)] * 2


def test_segments_are_where_the_speech_is(document: dict[str, Any]) -> None:
    for pipeline in document["pipelines"][::2]:
        segments = [(each["start"], each["end"]) for each in pipeline["segments"]]
        assert segments == [pytest.approx(each, abs=0.05) for each in VM_INTRO_SPEECH]


def test_nine_words_of_ten_are_right(document: dict[str, Any]) -> None:
    for pipeline in document["pipelines"]:
        accuracy = pipeline["word_accuracy"]
        assert accuracy["words"] == {"vm-intro": 16, "tt-allbusy": 24}[pipeline["recording"]]
        assert accuracy["accuracy"] >= 0.9, pipeline["text"]


def test_pipelines_over_the_same_recording_hear_the_same(document: dict[str, Any]) -> None:
    first, second = document["pipelines"][:2], document["pipelines"][2:]
    assert [each["text"] for each in first] == [each["text"] for each in second]


def test_each_model_is_loaded_once_and_held_by_every_pipeline(document: dict[str, Any]) -> None:
    models = document["models"]
    assert sorted(model["key"].partition(":")[0] for model in models) == ["silero-vad-16k@cpu", "whisper"]
    for model in models:
        assert (model["state"], model["loads"], model["calls"]) == ("ready", 1, PIPELINES)
        assert model["holders"] == len(model["held_by"]) == PIPELINES


def test_every_call_but_the_first_for_a_model_is_a_hit(document: dict[str, Any]) -> None:
    assert document["run"]["loads"] == 2
    assert document["run"]["hits"] == 2 * PIPELINES - 2


def test_private_copies_are_loaded_by_each_pipeline(document: dict[str, Any]) -> None:
    comparison = document["comparison"]
    assert comparison["rounds"] == 1
    assert comparison["sharing"]["loads"] == 2
    assert comparison["private"]["loads"] == 2 * PIPELINES


def test_sharing_takes_less_than_half_the_memory_of_private_copies_for_models(document: dict[str, Any]) -> None:
    sharing, private = document["comparison"]["sharing"], document["comparison"]["private"]
    assert 0 < sharing["models_memory"]["median"] < private["models_memory"]["median"] / 2
    assert sharing["memory"]["median"] < private["memory"]["median"]


def test_the_parts_of_the_memory_make_up_the_whole(document: dict[str, Any]) -> None:
    for arm in (document["comparison"]["sharing"], document["comparison"]["private"]):
        parts = sum(arm[part]["median"] for part in ("memory_before", "models_memory", "working_memory"))
        assert parts == arm["memory"]["median"]
