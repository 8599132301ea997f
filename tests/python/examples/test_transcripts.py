# SPDX-License-Identifier: Apache-2.0
"""Transcripts of Debian's prompts."""

from pathlib import Path

import pytest

from examples.speech_demo.recordings import DEFAULT_PROMPTS, PROMPTS_FOLDER, find_prompts
from examples.speech_demo.words.transcripts import TRANSCRIPTS_FILE, parse_transcripts, read_transcripts


def test_a_line_is_a_name_and_a_text() -> None:
    assert parse_transcripts("beep: [a beep]\nvm/intro:  Leave  your: message.\n") == {
        "beep": "[a beep]",
        "vm/intro": "Leave your: message.",
    }


def test_comments_empty_lines_and_lines_without_a_name_are_passed_over() -> None:
    assert parse_transcripts("; Core: sounds\n\nno name here\n: nothing\na: b") == {"a": "b"}


def test_the_file_of_the_debian_package_is_read_whole() -> None:
    transcripts = read_transcripts(TRANSCRIPTS_FILE)
    assert len(transcripts) > 500
    assert transcripts["vm-intro"] == (
        "Please leave your message after the tone. When done hang up or press the pound key. (simple tone sound plays)"
    )


def test_a_file_that_is_not_compressed_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "transcripts.txt"
    file.write_text("a: b\n")
    assert read_transcripts(file) == {"a": "b"}


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_transcripts(tmp_path / "none")


def test_every_prompt_of_the_demo_is_there_with_its_transcript_and_of_the_length_it_is_said_to_have() -> None:
    for recording in find_prompts(DEFAULT_PROMPTS, PROMPTS_FOLDER, read_transcripts(TRANSCRIPTS_FILE)):
        assert recording.transcript
        assert recording.seconds is not None
        assert 5 <= recording.seconds <= 31
