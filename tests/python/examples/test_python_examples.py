# SPDX-License-Identifier: Apache-2.0
"""The programs in examples/python run without a warning and print what they should."""

import re
import subprocess
import sys
from pathlib import Path

from examples.speech_demo.recordings import PROMPTS_FOLDER
from tests.python.examples.demo_process import ROOT

EXAMPLES = ROOT / "examples/python"


def printed(program: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / program, *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_one_model_is_shared_by_threads() -> None:
    assert printed("share_one_model.py") == (
        "loading\n"
        "one object: True\n"
        "holds: 8 bytes: 4000000\n"
        "loads: 1 hits: 7 models left: 0\n"
    )  # fmt: skip


def test_a_custom_node_keeps_its_sessions_apart() -> None:
    first, *results = printed("custom_node.py").splitlines()
    assert first == "loading the dictionary"
    for session, texts in {
        "anna": ["one two", "two three", "unknown words: 0"],
        "bert": ["three ?", "unknown words: 1"],
    }.items():
        assert [line.removeprefix(f"{session}: ") for line in results if line.startswith(session)] == texts


def test_files_are_transcribed_with_one_load_of_each_model() -> None:
    files = [PROMPTS_FOLDER / "vm-intro.g722", PROMPTS_FOLDER / "conf-full.g722"]
    lines = printed("transcribe.py", *files).splitlines()
    assert [line for line in lines if line in map(str, files)] == [str(file) for file in files]
    text = " ".join(match[1] for line in lines if (match := re.fullmatch(r" +[\d.]+ +[\d.]+  (.*)", line)))
    assert "leave your message" in text
    assert "conference" in text
    assert lines[-1] == "loads: 2"


def test_every_example_is_tested_here() -> None:
    tests = Path(__file__).read_text()
    assert [path.name for path in EXAMPLES.glob("*.py") if f'printed("{path.name}"' not in tests] == []
