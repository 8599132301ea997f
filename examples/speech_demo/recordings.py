# SPDX-License-Identifier: Apache-2.0
"""What the pipelines listen to: the prompts of Debian's asterisk-core-sounds-en-g722, or the user's own files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from examples.speech_demo.prerequisites import Missing

PROMPTS_FOLDER = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
PROMPTS_PACKAGE = "asterisk-core-sounds-en-g722"

DEFAULT_PROMPTS = (
    "demo-congrats",
    "basic-pbx-ivr-main",
    "vm-intro",
    "demo-echotest",
    "tt-allbusy",
    "demo-moreinfo",
    "vm-options",
    "demo-nogo",
)
"""Sentences spoken by a person, 5 to 31 s each, and written down as they are spoken."""

_G722_BYTES_PER_SECOND = 8_000


@dataclass(frozen=True)
class Recording:
    """An audio file, its transcript where one is known, and its length in seconds where that is cheap to know."""

    name: str
    path: Path
    transcript: str | None = None
    seconds: float | None = None


class RecordingMissing(Exception):
    """A recording is not there; `missing` says which and what to do."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(str(missing))
        self.missing = missing


def find_prompts(names: Sequence[str], folder: Path, transcripts: Mapping[str, str]) -> list[Recording]:
    """The recordings of Debian's prompts of these names.

    Raises:
        RecordingMissing: The folder is not there, or has no prompt of a name.
    """
    if not folder.is_dir():
        raise RecordingMissing(
            Missing(
                f"the folder {folder}, recorded prompts from the Debian package {PROMPTS_PACKAGE}",
                f"apt-get install {PROMPTS_PACKAGE}",
                "--audio FILE... listens to files of your own, --sounds FOLDER takes the prompts from elsewhere",
            )
        )
    return [_find_prompt(name, folder, transcripts) for name in names]


def own_recording(path: Path) -> Recording:
    """A file of the user's, of which nothing else is known.

    Raises:
        RecordingMissing: There is no such file.
    """
    if not path.is_file():
        raise RecordingMissing(Missing(f"the audio file {path}", "name a file that exists after --audio"))
    return Recording(path.name, path)


def one_for_each_pipeline(recordings: Sequence[Recording], pipelines: int) -> list[Recording]:
    """As many recordings as pipelines, from the beginning again when there are fewer."""
    return list(islice(cycle(recordings), pipelines))


def _find_prompt(name: str, folder: Path, transcripts: Mapping[str, str]) -> Recording:
    path = folder / f"{name}.g722"
    if not path.is_file():
        raise RecordingMissing(
            Missing(f"the prompt {path}", f"name another after --prompts; ls {folder} lists what there is")
        )
    return Recording(name, path, transcripts.get(name), path.stat().st_size / _G722_BYTES_PER_SECOND)
