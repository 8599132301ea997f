# SPDX-License-Identifier: Apache-2.0
"""Node: one step of a pipeline."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

NodeT = TypeVar("NodeT", bound="Node")


class Node:
    """One step of a pipeline: subclass it and write `process`.

    `process(item)` or `process(item, session)` is one of

    * a function: it is called in a thread of the node's own, so it may block;
    * a coroutine function: it runs on the event loop;
    * a generator function: it is resumed in that thread, one result at a time, as fast as results are wanted;
    * an async generator function: it runs on the event loop, likewise.

    It gives one item, several (a list, a tuple of RuntimeData, an iterator, or what a generator yields) or None for
    nothing. An item that it gives without a session_id gets the session_id of the item it was made from.

    `finish(session)`, of the same kinds, may be added: it is called when a session's stream ends and gives what was
    held back. A node that has `process_stream(stream)` instead, an async generator over all items, takes the whole
    stream and keeps its own sessions.

    One item of a run is processed at a time. Runs of one pipeline may overlap, and then share the node: what belongs
    to a stream belongs into the session, what belongs to the node is made in `initialize`.

    Example:
        class Louder(Node):
            def process(self, item):
                return item.replace(payload=item.payload.to_numpy() * 2)

    Attributes:
        name: Names the node in errors and in `Pipeline.get_node`. The class's name unless given.
        config: Every argument of the constructor by name, also those that a subclass names in its own signature, with
            all defaults but None. A manifest is written from it.
        session_ttl: Seconds without an item after which a session ends: finish, then close_session. The next item
            opens a new one. None: never. Set it as a class attribute, on the object or as an argument.
    """

    name: str
    config: dict[str, Any]
    session_ttl: float | None = 3600.0
    _in_use_by: object | None = None
    if TYPE_CHECKING:
        process: Callable[..., Any]
        finish: Callable[..., Any]
        process_stream: Callable[..., Any]

    def __new__(cls: type[NodeT], *args: Any, **kwargs: Any) -> NodeT:
        """Remembers the arguments of the constructor, whichever subclass named them."""
        node = super().__new__(cls)
        node.config = _arguments(cls, node, args, kwargs)
        node.name = node.config.pop("name", None) or cls.__name__
        return node

    def __init__(self, name: str | None = None, **config: Any) -> None:
        if name is not None:
            self.name = name
        if "session_ttl" in config:
            self.session_ttl = config["session_ttl"]
        if self.session_ttl is not None and not self.session_ttl >= 0:
            raise ValueError(f"session_ttl must be a number of seconds or None, not {self.session_ttl!r}")

    def initialize(self) -> Awaitable[None] | None:
        """Prepares the node; a function (run in a thread) or a coroutine function.

        All nodes of a pipeline initialise at the same time. Take models here, by handle, and keep the handle.
        This one does nothing and need not be called.
        """
        return None

    def cleanup(self) -> Awaitable[None] | None:
        """Gives back what initialize took; a function (run in a thread) or a coroutine function.

        Always called after initialize was, also when that failed or did not finish, here or in another node.
        This one does nothing and need not be called.
        """
        return None

    def open_session(self, session_id: str) -> Any:
        """Makes a session's state, before its first item; a function or a coroutine function.

        Returns:
            The state, which `process`, `finish` and `close_session` are given. This one returns an empty dict.
        """
        del session_id
        return {}

    def close_session(self, session_id: str, session: Any) -> Awaitable[None] | None:
        """Ends a session's state; a function or a coroutine function.

        Always called once for each session that was opened: when its stream ended, when it was idle for session_ttl
        seconds (both after finish), and without finish when the run failed or was abandoned.
        """
        del session_id, session
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


def _arguments(cls: type[Node], node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    signature = inspect.signature(cls.__init__)
    try:
        bound = signature.bind(node, *args, **kwargs)
    except TypeError:
        return {}  # __init__ is called with the same arguments next, and raises the same; a copy restores its own
    given = set(bound.arguments)
    bound.apply_defaults()
    arguments: dict[str, Any] = {}
    for position, (name, value) in enumerate(bound.arguments.items()):
        if position == 0 or (value is None and name not in given):
            continue
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            arguments.update(value)
        else:
            arguments[name] = value
    return arguments
