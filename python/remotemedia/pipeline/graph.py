# SPDX-License-Identifier: Apache-2.0
"""Graph: which nodes a pipeline has, and which follows which."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from remotemedia.nodes.node import Node


class Graph:
    """Nodes by name, and edges between them. Items go from a node to all that follow it.

    Attributes:
        nodes: By name, in the order in which they were added.
        edges: Pairs of names, from and to.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: list[tuple[str, str]] = []

    def add(self, node: Node) -> None:
        """Adds a node under its name, without edges.

        A second node that has only its class's name gets a number.

        Raises:
            TypeError: If it is no node, or has neither process nor process_stream.
            ValueError: If the node, or another of the same name, is there.
        """
        if not isinstance(node, Node):
            raise TypeError(f"a pipeline is made of Node objects, not {type(node).__name__}")
        if not hasattr(node, "process") and not hasattr(node, "process_stream"):
            raise TypeError(f"{type(node).__qualname__} has neither process nor process_stream")
        if any(node is known for known in self.nodes.values()):
            raise ValueError(f"{node!r} is in this pipeline already; make a second node")
        if node.name in self.nodes:
            if node.name != type(node).__name__:
                raise ValueError(f"this pipeline has a node named {node.name!r} already")
            number = 2
            while f"{node.name}-{number}" in self.nodes:
                number += 1
            node.name = f"{node.name}-{number}"
        self.nodes[node.name] = node

    def append(self, node: Node) -> None:
        """Adds a node after all nodes that nothing follows yet."""
        last = self.sinks()
        self.add(node)
        self.edges += [(name, node.name) for name in last]

    def connect(self, source: str, target: str) -> None:
        """Adds an edge.

        Raises:
            ValueError: If an end is unknown, or if the edge is there or closes a cycle.
        """
        for name in (source, target):
            if name not in self.nodes:
                raise ValueError(f"connection from {source!r} to {target!r}: there is no node {name!r}")
        if (source, target) in self.edges:
            raise ValueError(f"connection from {source!r} to {target!r} is there twice")
        self.edges.append((source, target))
        try:
            TopologicalSorter({name: self.predecessors(name) for name in self.nodes}).prepare()
        except CycleError as error:
            self.edges.pop()
            cycle = " → ".join(reversed(error.args[1]))
            raise ValueError(f"connection from {source!r} to {target!r} closes a cycle: {cycle}") from None

    def predecessors(self, name: str) -> list[str]:
        """The nodes whose results node `name` takes."""
        return [source for source, target in self.edges if target == name]

    def successors(self, name: str) -> list[str]:
        """The nodes that take the results of node `name`."""
        return [target for source, target in self.edges if source == name]

    def heads(self) -> list[str]:
        """The nodes that take the pipeline's stream."""
        return [name for name in self.nodes if not self.predecessors(name)]

    def sinks(self) -> list[str]:
        """The nodes whose results are the pipeline's."""
        return [name for name in self.nodes if not self.successors(name)]
