# SPDX-License-Identifier: Apache-2.0
"""The whole demo, once, through the real networks, over two prompts with four pipelines."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.python.examples.demo_process import run_demo

pytestmark = pytest.mark.timeout(300)

PIPELINES = 4
ARMS = ("workers", "private", "one_process")
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
    assert document["format"] == "remotemedia-speech-demo/2"
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


def test_a_worker_has_each_model_and_all_programs_call_it(document: dict[str, Any]) -> None:
    vad, whisper = document["workers"]
    assert (vad["model"], whisper["model"]) == ("silero-vad", "whisper")
    assert vad["process"] != whisper["process"]
    frames = sum(int(pipeline["seconds"] * 16000) // 512 for pipeline in document["pipelines"])
    assert vad["requests"] >= frames
    assert vad["average_batch_size"] >= 1
    assert whisper["requests"] == sum(len(pipeline["segments"]) for pipeline in document["pipelines"])
    for worker in (vad, whisper):
        assert 0 < worker["p50_latency_ms"] <= worker["p99_latency_ms"]
        assert worker["memory_bytes"] > 10_000_000


def test_nothing_is_left_behind(document: dict[str, Any]) -> None:
    assert document["left_behind"] == {"processes": [], "sockets": [], "shared_memory": []}
    for worker in document["workers"]:
        assert not Path(f"/proc/{worker['process']}").exists()


def test_private_copies_are_loaded_by_each_program(document: dict[str, Any]) -> None:
    comparison = document["comparison"]
    assert comparison["rounds"] == 1
    loads = {arm: comparison[arm]["loads"] for arm in ARMS}
    assert loads == {"workers": 2, "private": 2 * PIPELINES, "one_process": 2}


def test_sharing_takes_less_than_two_thirds_of_the_memory_of_private_copies(document: dict[str, Any]) -> None:
    workers, private = document["comparison"]["workers"], document["comparison"]["private"]
    assert 0 < workers["models_memory"]["median"] < private["models_memory"]["median"]
    assert workers["memory"]["median"] < private["memory"]["median"] * 2 / 3


def test_the_parts_of_the_memory_make_up_the_whole(document: dict[str, Any]) -> None:
    for arm in ARMS:
        figures = document["comparison"][arm]
        parts = sum(figures[part]["median"] for part in ("memory_before", "models_memory", "working_memory"))
        assert parts == figures["memory"]["median"]
