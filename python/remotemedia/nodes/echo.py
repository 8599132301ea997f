# SPDX-License-Identifier: Apache-2.0
"""EchoNode: the smallest complete node."""

from __future__ import annotations

from typing import TypeVar

from remotemedia.nodes.node import Node
from remotemedia.nodes.node_types import register_node

Item = TypeVar("Item")


@register_node("EchoNode")
class EchoNode(Node):
    """Gives every item back as it is."""

    async def process(self, item: Item) -> Item:
        """The item itself."""
        return item
