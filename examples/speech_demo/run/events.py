# SPDX-License-Identifier: Apache-2.0
"""What a process that runs the pipelines tells the process that shows them: one event, one line of JSON."""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

_FOLDERS = re.compile(r"/(?:[^/:@]+/)+")


@dataclass(frozen=True)
class Loading:
    """A pipeline asks for its models."""

    pipeline: int


@dataclass(frozen=True)
class Ready:
    """A pipeline holds its models, so many seconds after the first pipeline asked for one."""

    pipeline: int
    seconds: float


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
    seconds: float


@dataclass(frozen=True)
class ModelCounted:
    """A model as its registry lists it, while every pipeline holds what it uses.

    Attributes:
        registry: Which registry, counted from 0.
        key: The model's key.
        state: The registry's word for it, "ready" when it can be used.
        loads: How often it was loaded.
        calls: How often it was asked for.
        holders: One label for each hold.
    """

    registry: int
    key: str
    state: str
    loads: int
    calls: int
    holders: tuple[str, ...]

    @property
    def name(self) -> str:
        """The key without the folders of a path in it, for people."""
        return _FOLDERS.sub("", self.key)


@dataclass(frozen=True)
class Measured:
    """What a run took, told when everything has been used and nothing released.

    Attributes:
        start_up_seconds: From the first call for a model until every pipeline held its models.
        listening_seconds: From then until the last pipeline came to its end.
        memory_before_bytes: PSS of the process with every library imported and no model loaded.
        memory_loaded_bytes: PSS with every model loaded and none used.
        memory_bytes: PSS with every model loaded and used, and still held.
        loads: Loads in all registries.
        hits: Calls served without starting a load, in all registries.
    """

    start_up_seconds: float
    listening_seconds: float
    memory_before_bytes: int
    memory_loaded_bytes: int
    memory_bytes: int
    loads: int
    hits: int


@dataclass(frozen=True)
class Failed:
    """The run ended with this error."""

    message: str


Event = Loading | Ready | Heard | Speech | Text | Done | ModelCounted | Measured | Failed
_TYPES: dict[str, Any] = {
    kind.__name__: kind for kind in (Loading, Ready, Heard, Speech, Text, Done, ModelCounted, Measured, Failed)
}


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
