# SPDX-License-Identifier: Apache-2.0
"""Manifests, version 1."""

import json
from pathlib import Path
from typing import Any

import pytest

from remotemedia import RemoteMediaError
from remotemedia.nodes import EchoNode, Node, SileroVADNode, register_node
from remotemedia.pipeline import ManifestError, Pipeline


@register_node("tests.Named")
class Named(EchoNode):
    """Takes arguments by its own names and by **config."""

    def __init__(
        self, name: str | None = None, *, rate: int, gain: float = 1.5, hint: str | None = None, **config: Any
    ):
        super().__init__(name, **config)
        self.rate = rate
        self.gain = gain
        self.hint = hint


@register_node("tests.Nameless")
class Nameless(EchoNode):
    def __init__(self, rate: int) -> None:
        self.rate = rate


def manifest(**changes: Any) -> dict[str, Any]:
    return {
        "version": "v1",
        "metadata": {"name": "two", "description": "two nodes"},
        "nodes": [
            {"id": "first", "node_type": "tests.Named", "params": {"rate": 8000, "gain": 2.0, "extra": [1, 2]}},
            {"id": "second", "node_type": "EchoNode"},
        ],
        "connections": [{"from": "first", "to": "second"}],
        **changes,
    }


def nodes(*entries: tuple[str, str]) -> list[dict[str, str]]:
    return [{"id": key, "node_type": kind} for key, kind in entries]


def test_a_manifest_makes_the_nodes_it_lists_with_their_arguments() -> None:
    pipeline = Pipeline.from_manifest(manifest())
    first = pipeline.get_node("first")
    assert isinstance(first, Named)
    assert (first.rate, first.gain, first.hint) == (8000, 2.0, None)
    assert pipeline.metadata == {"name": "two", "description": "two nodes"}
    assert pipeline.run(["a", "b"]) == ["a", "b"]


def test_what_is_written_makes_the_same_pipeline_with_every_argument() -> None:
    written = Pipeline([Named("n", rate=16000, extra=3), SileroVADNode("vad", threshold=0.7)]).to_manifest()
    assert written["nodes"][0] == {
        "id": "n",
        "node_type": "tests.Named",
        "params": {"rate": 16000, "gain": 1.5, "extra": 3},
    }
    assert written["nodes"][1]["params"]["threshold"] == 0.7
    assert written["connections"] == [{"from": "n", "to": "vad"}]
    assert Pipeline.from_manifest(written).to_manifest() == written


def test_a_manifest_comes_back_as_it_was() -> None:
    source = manifest()
    again = Pipeline.from_manifest(source).to_manifest()
    assert again["nodes"][1].pop("params") == {}
    assert again == source


@pytest.mark.parametrize(("suffix", "form"), [(".json", "json"), (".yaml", "yaml"), (".YML", "yaml"), ("", "json")])
def test_a_manifest_may_be_a_file(tmp_path: Path, suffix: str, form: Any) -> None:
    path = tmp_path / f"pipeline{suffix}"
    path.write_text(Pipeline.from_manifest(manifest()).serialize(form), encoding="utf-8")
    assert Pipeline.from_manifest(str(path)).to_manifest() == Pipeline.from_manifest(path).to_manifest()
    assert Pipeline.from_manifest(path).run([1]) == [1]


def test_without_connections_the_nodes_form_a_chain() -> None:
    source = manifest(nodes=nodes(("a", "EchoNode"), ("b", "EchoNode"), ("c", "EchoNode")))
    del source["connections"]
    written = Pipeline.from_manifest(source).to_manifest()
    assert written["connections"] == [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}]


def test_a_node_whose_constructor_takes_no_name_gets_the_id() -> None:
    source = manifest(nodes=[{"id": "x", "node_type": "tests.Nameless", "params": {"rate": 1}}], connections=[])
    pipeline = Pipeline.from_manifest(source)
    assert pipeline.get_node("x").name == "x"
    assert pipeline.to_manifest()["nodes"] == source["nodes"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "v2"}, "version 'v2', this program reads 'v1'"),
        ({"version": None}, "version None"),
        ({"nodes": []}, "needs a list of nodes, at least one"),
        ({"nodes": {"id": "a"}}, "needs a list of nodes"),
        ({"nodes": ["a"]}, r"nodes\[0\] must be a mapping, not str"),
        ({"nodes": [{"node_type": "EchoNode"}]}, r"nodes\[0\] needs id"),
        ({"nodes": [{"id": "a"}]}, r"nodes\[0\] needs node_type"),
        ({"nodes": [{"id": "a", "node_type": "EchoNode", "param": {}}]}, r"nodes\[0\] has 'param'; known are"),
        (
            {"nodes": nodes(("a", "EchoNode"), ("a", "EchoNode"))},
            r"nodes\[1\]: there is a node with the id 'a' already",
        ),
        (
            {"nodes": nodes(("a", "NoSuchNode"))},
            r"nodes\[0\] \('a'\): unknown node type 'NoSuchNode'; registered are .*EchoNode",
        ),
        (
            {"nodes": nodes(("a", "tests.Named"))},
            r"nodes\[0\] \('a'\): .*missing 1 required keyword-only argument: 'rate'",
        ),
        (
            {"nodes": [{"id": "v", "node_type": "SileroVADNode", "params": {"treshold": 0.4}}]},
            r"nodes\[0\] \('v'\): SileroVADNode has no argument treshold",
        ),
        ({"nodes": [{"id": "a", "node_type": "EchoNode", "params": {"name": "b"}}]}, "multiple values .* 'name'"),
        ({"nodes": [{"id": "a", "node_type": "EchoNode", "params": [1]}]}, r"params of nodes\[0\] must be a mapping"),
        ({"connections": {}}, "connections must be a list"),
        ({"connections": [{"from": "first"}]}, r"connections\[0\] needs from and to"),
        ({"connections": [{"from": "first", "to": "third"}]}, "there is no node 'third'"),
        ({"connections": [{"from": "first", "to": "second"}] * 2}, "is there twice"),
        ({"connections": [{"from": "first", "to": "first"}]}, "closes a cycle: first → first"),
        (
            {"connections": [{"from": "first", "to": "second"}, {"from": "second", "to": "first"}]},
            "connection from 'second' to 'first' closes a cycle",
        ),
        ({"edges": []}, "the manifest has 'edges'"),
    ],
)
def test_a_manifest_that_is_wrong_says_where_and_why(changes: dict[str, Any], message: str) -> None:
    for _ in range(2):
        with pytest.raises(ManifestError, match=message) as caught:
            Pipeline.from_manifest(manifest(**changes))
        assert isinstance(caught.value, (RemoteMediaError, ValueError))


def test_what_a_constructor_raised_is_the_cause() -> None:
    source = manifest(nodes=[{"id": "v", "node_type": "SileroVADNode", "params": {"threshold": 7}}], connections=[])
    with pytest.raises(ManifestError, match="threshold") as caught:
        Pipeline.from_manifest(source)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", "is not JSON"),
        ("a.yaml", "a: [", "is not YAML"),
        ("a.json", "[]", "must be a mapping, not list"),
    ],
)
def test_a_file_that_is_no_manifest_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ManifestError, match=message) as caught:
        Pipeline.from_manifest(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_a_file_that_is_missing_is_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Pipeline.from_manifest(str(tmp_path / "none.json"))


def test_yaml_cannot_make_python_objects(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text("version: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ManifestError, match="is not YAML"):
        Pipeline.from_manifest(path)


def test_what_has_no_form_in_a_manifest_is_refused_by_name() -> None:
    class Unregistered(Node):
        async def process(self, item: Any) -> Any:
            return item

    with pytest.raises(ManifestError, match=r"node 'u': .*decorate the class with @register_node"):
        Pipeline([Unregistered("u")]).to_manifest()
    with pytest.raises(ManifestError, match="argument of node 'n' has no form"):
        Pipeline([Named("n", rate=1, extra=object())]).to_manifest()
    with pytest.raises(ValueError, match='"json" or "yaml"'):
        Pipeline([EchoNode()]).serialize("xml")  # type: ignore[arg-type]


def test_paths_are_written_as_text() -> None:
    written = Pipeline([Named("n", rate=1, folder=Path("models/a"))]).serialize()
    assert json.loads(written)["nodes"][0]["params"]["folder"] == "models/a"
