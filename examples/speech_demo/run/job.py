# SPDX-License-Identifier: Apache-2.0
"""What a process that runs the pipelines is asked to do."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Job:
    """One run of all pipelines.

    Attributes:
        files: The audio file of each pipeline.
        sharing: All pipelines use one registry; otherwise each has its own, and so its own copy of every model.
        speech_to_text: Speech is transcribed; otherwise it is only found.
    """

    files: tuple[str, ...]
    sharing: bool = True
    speech_to_text: bool = True

    def to_argument(self) -> str:
        """The job as one argument of a command line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_argument(argument: str) -> "Job":
        """The job that `to_argument` wrote."""
        fields = json.loads(argument)
        return Job(tuple(fields["files"]), fields["sharing"], fields["speech_to_text"])
