# SPDX-License-Identifier: Apache-2.0
"""Node and the names of node types."""

import copy
import pickle
from typing import Any

import pytest

from remotemedia.nodes import (
    EchoNode,
    EmbeddingNode,
    Node,
    SileroVADNode,
    WhisperNode,
    get_node_class,
    list_registered_nodes,
    register_node,
)


class Configured(Node):
    def __init__(self, name: str | None = None, *, rate: int = 8000, path: str | None = None, **config: Any) -> None:
        super().__init__(name, **config)


def test_config_has_every_argument_by_name() -> None:
    node = Configured("n", path="p", session_ttl=5, other=1)
    assert node.config == {"rate": 8000, "path": "p", "session_ttl": 5, "other": 1}
    assert (node.name, node.session_ttl) == ("n", 5)


def test_a_default_of_none_that_was_not_given_is_left_out() -> None:
    assert Configured().config == {"rate": 8000}
    assert Configured(path=None).config == {"rate": 8000, "path": None}


def test_the_name_is_the_class_unless_given() -> None:
    assert Configured().name == "Configured"
    assert repr(Configured("x")) == "Configured('x')"


def test_wrong_arguments_are_a_type_error_of_the_constructor() -> None:
    class Strict(Node):
        def __init__(self, rate: int) -> None:
            super().__init__()

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'rate'"):
        Strict()  # type: ignore[call-arg]


def test_nodes_can_be_copied_and_pickled() -> None:
    node = EchoNode("e", session_ttl=3)
    for other in (copy.copy(node), pickle.loads(pickle.dumps(node))):
        assert (other.name, other.config, other.session_ttl) == ("e", {"session_ttl": 3}, 3)


def test_the_nodes_of_the_package_are_registered() -> None:
    assert get_node_class("EchoNode") is EchoNode
    assert get_node_class("SileroVADNode") is SileroVADNode
    assert get_node_class("WhisperNode") is WhisperNode
    assert get_node_class("EmbeddingNode") is EmbeddingNode
    assert {"EchoNode", "SileroVADNode", "WhisperNode", "EmbeddingNode"} <= set(list_registered_nodes())


def test_an_unknown_type_lists_the_known() -> None:
    for _ in range(2):
        with pytest.raises(KeyError, match=r"unknown node type 'Ekko'; registered are .*EchoNode"):
            get_node_class("Ekko")


def test_a_type_belongs_to_one_class() -> None:
    first = register_node("tests.Once")(type("First", (Node,), {}))
    assert register_node("tests.Once")(first) is first, "the same class may come again"
    for _ in range(2):
        with pytest.raises(ValueError, match=r"node type 'tests.Once' is .*First already"):
            register_node("tests.Once")(type("Second", (Node,), {}))
    assert get_node_class("tests.Once") is first


def test_only_nodes_can_be_registered_and_only_under_a_name() -> None:
    with pytest.raises(TypeError, match="must be a subclass of Node"):
        register_node("tests.NoNode")(int)
    assert "tests.NoNode" not in list_registered_nodes()
    for empty in ("", None):
        with pytest.raises(ValueError, match="non-empty str"):
            register_node(empty)  # type: ignore[arg-type]
