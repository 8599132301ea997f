# SPDX-License-Identifier: Apache-2.0
"""Manifests, version 1: pipelines as JSON or YAML.

    version: v1
    metadata: {name: transcribe}
    nodes:
      - {id: vad, node_type: SileroVADNode, params: {threshold: 0.6}}
      - {id: text, node_type: WhisperNode}
    connections:
      - {from: vad, to: text}

Items go from a node to all that follow it; a node that several lead to takes their items as they come. Nodes that
nothing leads to take the pipeline's stream, the results of nodes that nothing follows are the pipeline's. Without
`connections` the nodes form a chain in their order.
"""

from __future__ import annotations

import inspect
import itertools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import remotemedia.nodes  # noqa: F401 - registers the node types that come with the package
from remotemedia.core.errors import RemoteMediaError
from remotemedia.nodes.node import Node
from remotemedia.nodes.node_types import get_node_class, node_type_of
from remotemedia.nodes.optional_package import import_package
from remotemedia.pipeline.graph import Graph

VERSION = "v1"


class ManifestError(RemoteMediaError, ValueError):
    """A manifest that cannot be read, or a pipeline that cannot be written as one; says where and why."""


def read_manifest(manifest: str | os.PathLike[str] | Mapping[str, Any]) -> Mapping[str, Any]:
    """The content of a manifest.

    Args:
        manifest: The content itself, or the path of a file: YAML if it ends in .yaml or .yml (needs the package
            PyYAML), else JSON.

    Raises:
        FileNotFoundError: If there is no such file.
        ManifestError: If it cannot be parsed.
        LoadFailed: If PyYAML is needed and not installed.
    """
    if isinstance(manifest, Mapping):
        return manifest
    path = Path(manifest)
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() in (".yaml", ".yml"):
        yaml = import_package("yaml", needed_by="a manifest in YAML", install="pip install PyYAML")
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ManifestError(f"{path} is not YAML: {error}") from error
    else:
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ManifestError(f"{path} is not JSON: {error}") from error
    return _mapping(content, str(path))


def build_graph(manifest: Mapping[str, Any]) -> Graph:
    """Makes the nodes that a manifest lists, and connects them.

    Raises:
        ManifestError: If anything in it is unknown, missing, there twice or contradictory; its cause is what the
            constructor of a node raised, if that was it.
    """
    _only(manifest, {"version", "metadata", "nodes", "connections"}, "the manifest")
    if manifest.get("version") != VERSION:
        raise ManifestError(f"the manifest has version {manifest.get('version')!r}, this program reads {VERSION!r}")
    entries = manifest.get("nodes")
    if not isinstance(entries, list) or not entries:
        raise ManifestError(f"the manifest needs a list of nodes, at least one, not {entries!r:.100}")
    graph = Graph()
    for index, entry in enumerate(entries):
        node = _node(_mapping(entry, f"nodes[{index}]"), f"nodes[{index}]")
        if node.name in graph.nodes:
            raise ManifestError(f"nodes[{index}]: there is a node with the id {node.name!r} already")
        graph.add(node)
    for source, target in _connections(manifest, list(graph.nodes)):
        try:
            graph.connect(source, target)
        except ValueError as error:
            raise ManifestError(str(error)) from None
    return graph


def describe_graph(graph: Graph, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest that build_graph would make this graph from.

    Raises:
        ManifestError: If a node's class is not registered, or an argument has no form in JSON.
    """
    return {
        "version": VERSION,
        "metadata": dict(metadata),
        "nodes": [_describe_node(name, node) for name, node in graph.nodes.items()],
        "connections": [{"from": source, "to": target} for source, target in graph.edges],
    }


def _node(entry: Mapping[str, Any], where: str) -> Node:
    _only(entry, {"id", "node_type", "params"}, where)
    for key in ("id", "node_type"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            raise ManifestError(f"{where} needs {key}, a non-empty str, not {entry.get(key)!r}")
    params = _mapping(entry.get("params") or {}, f"params of {where}")
    try:
        node_class = get_node_class(entry["node_type"])
        named = {"name": entry["id"]} if "name" in inspect.signature(node_class.__init__).parameters else {}
        node = node_class(**named, **params)
    except Exception as error:
        reason = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise ManifestError(f"{where} ({entry['id']!r}): {reason}") from error
    node.name = entry["id"]
    return node


def _connections(manifest: Mapping[str, Any], names: list[str]) -> list[tuple[str, str]]:
    if manifest.get("connections") is None:
        return list(itertools.pairwise(names))
    entries = manifest["connections"]
    if not isinstance(entries, list):
        raise ManifestError(f"connections must be a list, not {entries!r:.100}")
    pairs = []
    for index, entry in enumerate(entries):
        connection = _mapping(entry, f"connections[{index}]")
        _only(connection, {"from", "to"}, f"connections[{index}]")
        if not isinstance(connection.get("from"), str) or not isinstance(connection.get("to"), str):
            raise ManifestError(f"connections[{index}] needs from and to, ids of nodes, not {dict(connection)!r:.100}")
        pairs.append((connection["from"], connection["to"]))
    return pairs


def _describe_node(name: str, node: Node) -> dict[str, Any]:
    try:
        params = json.loads(json.dumps(node.config, default=_plain, allow_nan=False))
        return {"id": name, "node_type": node_type_of(node), "params": params}
    except (TypeError, ValueError) as error:
        raise ManifestError(f"an argument of node {name!r} has no form in a manifest: {error}") from error
    except KeyError as error:
        raise ManifestError(f"node {name!r}: {error.args[0]}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{value!r:.100} is a {type(value).__name__}")


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ManifestError(f"{where} must be a mapping, not {type(value).__name__}")
    return value


def _only(entry: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := entry.keys() - known:
        raise ManifestError(
            f"{where} has {', '.join(sorted(map(repr, unknown)))}; known are {', '.join(sorted(known))}"
        )
