# SPDX-License-Identifier: Apache-2.0
"""What will be run: decided by what was asked for and what is there."""

from dataclasses import dataclass

from examples.speech_demo.command_line import Options
from examples.speech_demo.prerequisites import FOR_PIPELINES, FOR_TABLES, FOR_TEXT, Missing
from examples.speech_demo.recordings import (
    DEFAULT_PROMPTS,
    Recording,
    RecordingMissing,
    find_prompts,
    one_for_each_pipeline,
    own_recording,
)
from examples.speech_demo.run.job import Job
from examples.speech_demo.words.transcripts import missing_transcripts, read_transcripts


class CannotRun(Exception):
    """Something is missing without which nothing can run; the message says what, and what to do."""

    def __init__(self, missing: list[Missing]) -> None:
        super().__init__("\n".join(str(each) for each in missing))


@dataclass(frozen=True)
class Plan:
    """A recording for each pipeline, whether speech becomes text, and what is done without."""

    recordings: list[Recording]
    speech_to_text: bool
    missing: list[Missing]

    @property
    def job(self) -> Job:
        """The plan for the process that runs it."""
        return Job(tuple(str(each.path.absolute()) for each in self.recordings), speech_to_text=self.speech_to_text)


def make_plan(options: Options) -> Plan:
    """Finds what is asked for.

    Raises:
        CannotRun: Something is missing without which nothing can run.
    """
    fatal = [entry for package in FOR_PIPELINES for entry in package.missing()]
    if not options.json:
        fatal += FOR_TABLES.missing(without="--json needs none of them")
    if fatal:
        raise CannotRun(fatal)

    missing: list[Missing] = []
    if not options.vad_only:
        missing += [entry for package in FOR_TEXT for entry in package.missing("speech is found and not transcribed")]
    speech_to_text = not options.vad_only and not missing
    try:
        if options.audio:
            recordings = [own_recording(path) for path in options.audio]
        else:
            transcripts = _transcripts(options, missing) if speech_to_text else {}
            recordings = find_prompts(options.prompts or DEFAULT_PROMPTS, options.sounds, transcripts)
    except RecordingMissing as error:
        raise CannotRun([error.missing]) from error
    return Plan(one_for_each_pipeline(recordings, options.pipelines), speech_to_text, missing)


def _transcripts(options: Options, missing: list[Missing]) -> dict[str, str]:
    try:
        return read_transcripts(options.transcripts)
    except OSError:
        missing.append(missing_transcripts(options.transcripts))
        return {}
