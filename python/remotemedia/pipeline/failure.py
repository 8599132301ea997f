# SPDX-License-Identifier: Apache-2.0
"""NodeFailure: where in a pipeline an exception came from, kept on the exception itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Phase = Literal[
    "initialize", "open_session", "process", "process_stream", "finish", "close_session", "cleanup", "source"
]


@dataclass(frozen=True)
class NodeFailure:
    """Where an exception was raised.

    Attributes:
        node: Name of the node, or "source" for the stream that the pipeline was given.
        node_type: Name of its class.
        phase: What the node was doing.
        index: Which item it was working on, counted from 0 at this node (of a source: which it should have given).
        item: That item.
        session_id: Its session.
    """

    node: str
    node_type: str
    phase: Phase
    index: int | None = None
    item: Any = None
    session_id: str | None = None

    def __str__(self) -> str:
        text = f"in {self.phase} of node {self.node!r} ({self.node_type})"
        if self.phase == "source":
            text = f"in the source of the pipeline ({self.node_type})"
        if self.index is not None:
            text += f", item {self.index}"
        if self.item is not None:
            text += f": {_short(self.item)}"
        if self.session_id is not None:
            text += f", session {self.session_id!r}"
        return text


def name_failure(error: BaseException, failure: NodeFailure) -> None:
    """Writes on error where it came from: as a note, which tracebacks print, and as the attribute node_failure."""
    error.node_failure = failure  # type: ignore[attr-defined]
    add_note(error, str(failure))


def add_note(error: BaseException, note: str) -> None:
    """As BaseException.add_note, which Python 3.10 lacks."""
    error.__notes__ = [*getattr(error, "__notes__", ()), note]


def _short(item: Any, length: int = 120) -> str:
    try:
        text = repr(item)
    except Exception as error:  # noqa: BLE001 - the failure that is being named matters more
        return f"a {type(item).__name__} whose repr raises {type(error).__name__}"
    return text if len(text) <= length else text[:length] + "…"
