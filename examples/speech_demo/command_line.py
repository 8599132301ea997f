# SPDX-License-Identifier: Apache-2.0
"""The command line of the demo."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from examples.speech_demo.recordings import DEFAULT_PROMPTS, PROMPTS_FOLDER, PROMPTS_PACKAGE
from examples.speech_demo.words.transcripts import TRANSCRIPTS_FILE

DEFAULT_PIPELINES = 4

_DESCRIPTION = """\
Programs that run at once, each with a pipeline over a real recording:
audio file -> Silero VAD -> Whisper.

Two workers have the only copy of each network, and all programs call them.
Shows what they hear beside what was said, how the workers were called, that
nothing is left at the end, and what sharing saves against a private copy for
each program."""

_EPILOG = f"""\
recordings:
  Without --prompts or --audio {", ".join(DEFAULT_PROMPTS[:3])}
  and others, spoken by a person, from Debian's {PROMPTS_PACKAGE}.
  With more pipelines than recordings, recordings are heard more than once.

exit status:
  0    every pipeline came to its end; also without Whisper, when speech was
       found and not transcribed
  1    a pipeline failed, and stderr says which and why; or nobody reads stdout
  2    the command line is wrong
  3    nothing can run without what is missing; stderr says what that is, how
       to get it and how to do without
  130  ended by Ctrl-C; by SIGHUP 129, by SIGTERM 143"""


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    pipelines: int
    prompts: tuple[str, ...]
    audio: tuple[Path, ...]
    sounds: Path
    transcripts: Path
    vad_only: bool
    compare: bool
    rounds: int
    json: bool


def parse(arguments: Sequence[str]) -> Options:
    """Reads the command line; exits with status 2 and a message when it is wrong, with 0 after --help."""
    parser = argparse.ArgumentParser(
        prog="speech_demo",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--pipelines",
        type=_at_least_one,
        metavar="N",
        help=f"how many run at once (default: one for each recording named, else {DEFAULT_PIPELINES})",
    )
    recordings = parser.add_mutually_exclusive_group()
    recordings.add_argument("--prompts", nargs="+", default=[], metavar="NAME", help="Debian's prompts of these names")
    recordings.add_argument(
        "--audio", nargs="+", default=[], type=Path, metavar="FILE", help="audio files of your own, of any format"
    )
    parser.add_argument(
        "--sounds",
        type=Path,
        default=PROMPTS_FOLDER,
        metavar="FOLDER",
        help="where the prompts are (default: %(default)s)",
    )
    parser.add_argument(
        "--transcripts",
        type=Path,
        default=TRANSCRIPTS_FILE,
        metavar="FILE",
        help="what the prompts say, lines of NAME: TEXT (default: %(default)s)",
    )
    parser.add_argument("--vad-only", action="store_true", help="find speech and leave out Whisper")
    parser.add_argument(
        "--no-compare", dest="compare", action="store_false", help="leave out the comparison with other ways"
    )
    parser.add_argument(
        "--rounds", type=_at_least_one, default=3, metavar="N", help="rounds of the comparison (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout; progress goes to stderr")
    given = parser.parse_args(arguments)
    named = len(given.prompts) or len(given.audio)
    return Options(
        pipelines=given.pipelines or named or DEFAULT_PIPELINES,
        prompts=tuple(given.prompts),
        audio=tuple(given.audio),
        sounds=given.sounds,
        transcripts=given.transcripts,
        vad_only=given.vad_only,
        compare=given.compare,
        rounds=given.rounds,
        json=given.json,
    )


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number
