# SPDX-License-Identifier: Apache-2.0
"""What a process that runs the pipelines tells the process that shows them: one event, one line of JSON."""

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Imported:
    """A program with pipelines has its libraries and no model."""


@dataclass(frozen=True)
class Loading:
    """A pipeline asks for its models."""

    pipeline: int


@dataclass(frozen=True)
class Ready:
    """A pipeline holds its models, so many seconds after the first program was told to load."""

    pipeline: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Heard:
    """A pipeline has taken in so many seconds of its recording."""

    pipeline: int
    seconds: float


@dataclass(frozen=True)
class Speech:
    """A pipeline found a segment of speech, in seconds of its recording."""

    pipeline: int
    start: float
    end: float


@dataclass(frozen=True)
class Text:
    """A pipeline understood the segment that starts there."""

    pipeline: int
    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Done:
    """A pipeline came to the end of its recording, so many seconds after all of them started to listen."""

    pipeline: int
    seconds: float = 0.0


@dataclass(frozen=True)
class WorkerSeen:
    """A worker, by what it says of itself.

    Attributes:
        model: What it serves.
        process: Its number.
        start_up_seconds: From its start until it could be called.
        memory_bytes: PSS of its process: the only copy of its model.
        requests: Answered so far.
        average_batch_size: Rows that ran at once.
        p50_latency_ms: Of the requests, from acceptance to answer: half of them took no longer.
        p99_latency_ms: 99 of 100.
    """

    model: str
    process: int
    start_up_seconds: float
    memory_bytes: int
    requests: int
    average_batch_size: float
    p50_latency_ms: float
    p99_latency_ms: float


@dataclass(frozen=True)
class LeftBehind:
    """What is still there when everything has ended: processes, sockets and names of shared memory."""

    processes: tuple[int, ...]
    sockets: tuple[str, ...]
    shared_memory: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether all of it is gone."""
        return not (self.processes or self.sockets or self.shared_memory)


@dataclass(frozen=True)
class Measured:
    """What a run took, told when everything has been used and nothing released.

    Attributes:
        start_up_seconds: From the first call for a model until every pipeline held its models; workers included.
        listening_seconds: From then until the last pipeline came to its end.
        memory_before_bytes: PSS of all programs with their libraries and without a model.
        memory_loaded_bytes: PSS of all programs and workers with every model loaded and none used.
        memory_bytes: The same with every model used, and still held.
        loads: How often a model was loaded.
    """

    start_up_seconds: float
    listening_seconds: float
    memory_before_bytes: int
    memory_loaded_bytes: int
    memory_bytes: int
    loads: int


@dataclass(frozen=True)
class Failed:
    """The run ended with this error."""

    message: str


Event = Imported | Loading | Ready | Heard | Speech | Text | Done | WorkerSeen | LeftBehind | Measured | Failed
_TYPES: dict[str, Any] = {kind.__name__: kind for kind in Event.__args__}


def encode(event: Event) -> str:
    """One line, without its end."""
    return json.dumps({"event": type(event).__name__, **asdict(event)})


def decode(line: str) -> Event:
    """The event of a line.

    Raises:
        ValueError: The line is no event.
    """
    try:
        fields = json.loads(line)
        kind = _TYPES[fields.pop("event")]
        fields = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        event: Event = kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an event: {line!r}") from error
    return event
