# SPDX-License-Identifier: Apache-2.0
"""Node types: the names under which manifests know node classes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from remotemedia.nodes.node import Node

NodeClass = TypeVar("NodeClass", bound=type)

_lock = threading.Lock()
_classes: dict[str, type[Node]] = {}


def register_node(node_type: str) -> Callable[[NodeClass], NodeClass]:
    """Registers the decorated class, so that manifests can name it.

    Args:
        node_type: The name, unique in this process.

    Raises:
        ValueError: If node_type is empty or another class has it. The same class may come again.
        TypeError: If what is decorated is no subclass of Node.

    Example:
        @register_node("Louder")
        class Louder(Node): ...
    """
    if not isinstance(node_type, str) or not node_type:
        raise ValueError(f"a node type is a non-empty str, not {node_type!r}")

    def register(node_class: NodeClass) -> NodeClass:
        if not (isinstance(node_class, type) and issubclass(node_class, Node)):
            raise TypeError(f"node type {node_type!r} must be a subclass of Node, not {node_class!r}")
        with _lock:
            known = _classes.setdefault(node_type, node_class)
        if known is not node_class:
            raise ValueError(
                f"node type {node_type!r} is {known.__module__}.{known.__qualname__} already; "
                f"choose another name for {node_class.__module__}.{node_class.__qualname__}"
            )
        return node_class

    return register


def get_node_class(node_type: str) -> type[Node]:
    """The class registered under node_type.

    Raises:
        KeyError: If there is none; the message lists what there is.
    """
    with _lock:
        known = _classes.get(node_type)
    if known is None:
        raise KeyError(
            f"unknown node type {node_type!r}; registered are {', '.join(list_registered_nodes())} "
            "(import the module that registers it first)"
        )
    return known


def node_type_of(node: Node) -> str:
    """The first name under which the class of node was registered.

    Raises:
        KeyError: If it was not; the message says how to.
    """
    with _lock:
        for node_type, node_class in _classes.items():
            if node_class is type(node):
                return node_type
    raise KeyError(f"{type(node).__qualname__} has no node type: decorate the class with @register_node(...)")


def list_registered_nodes() -> list[str]:
    """All registered node types, sorted."""
    with _lock:
        return sorted(_classes)
