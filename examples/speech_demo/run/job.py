# SPDX-License-Identifier: Apache-2.0
"""What processes that run pipelines are asked to do."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

ArmName = Literal["workers", "private", "one_process"]
"""Programs that share workers, programs with copies of their own, and one program in which all pipelines are."""


@dataclass(frozen=True)
class Job:
    """One run of all pipelines.

    Attributes:
        files: The audio file of each pipeline.
        arm: Where the models are.
        speech_to_text: Speech is transcribed; otherwise it is only found.
    """

    files: tuple[str, ...]
    arm: ArmName = "workers"
    speech_to_text: bool = True

    @property
    def models(self) -> int:
        """How many each pipeline uses."""
        return 2 if self.speech_to_text else 1

    def to_argument(self) -> str:
        """The job as one argument of a command line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_argument(argument: str) -> "Job":
        """The job that `to_argument` wrote."""
        fields = json.loads(argument)
        return Job(tuple(fields["files"]), fields["arm"], fields["speech_to_text"])


@dataclass(frozen=True)
class ClientJob:
    """The part of one program.

    Attributes:
        files: The audio file of each of its pipelines, by the pipeline's number.
        speech_to_text: As Job.
        vad: Where a worker serves the voice detector; None: this program loads it.
        whisper: The same for Whisper.
    """

    files: dict[int, str]
    speech_to_text: bool
    vad: str | None = None
    whisper: str | None = None

    def to_argument(self) -> str:
        """The job as one argument of a command line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_argument(argument: str) -> "ClientJob":
        """The job that `to_argument` wrote."""
        fields = json.loads(argument)
        files = {int(number): file for number, file in fields.pop("files").items()}
        return ClientJob(files, **fields)
