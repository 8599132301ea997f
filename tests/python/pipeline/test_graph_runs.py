# SPDX-License-Identifier: Apache-2.0
"""Graphs: an item goes to all that follow, and is merged with others as they come."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from remotemedia.nodes import EchoNode, Node, register_node
from remotemedia.pipeline import Pipeline


@register_node("tests.Add")
class Add(Node):
    def __init__(self, name: str | None = None, *, amount: int = 0, **config: Any) -> None:
        super().__init__(name, **config)
        self.amount = amount

    async def process(self, item: int) -> int:
        return item + self.amount


@register_node("tests.Sum")
class Sum(Node):
    def process(self, item: int, session: dict[str, int]) -> None:
        session["sum"] = session.get("sum", 0) + item

    def finish(self, session: dict[str, int]) -> int:
        return session["sum"]


@register_node("tests.TakeOne")
class TakeOne(Node):
    async def process_stream(self, stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for item in stream:
            yield item
            return


@register_node("tests.FailAt")
class FailAt(Node):
    def __init__(self, name: str | None = None, *, bad: int) -> None:
        super().__init__(name)
        self.bad = bad

    async def process(self, item: int) -> int:
        if item == self.bad:
            raise ValueError(item)
        return item


def graph(nodes: dict[str, tuple[str, dict[str, Any]]], *edges: str, queue_size: int = 16) -> Pipeline:
    return Pipeline.from_manifest(
        {
            "version": "v1",
            "nodes": [{"id": key, "node_type": kind, "params": params} for key, (kind, params) in nodes.items()],
            "connections": [dict(zip(("from", "to"), edge.split(">"), strict=True)) for edge in edges],
        },
        queue_size=queue_size,
    )


def add(amount: int) -> tuple[str, dict[str, Any]]:
    return ("tests.Add", {"amount": amount})


def test_an_item_goes_to_all_that_follow_and_results_merge_as_they_come() -> None:
    diamond = graph({"in": add(0), "a": add(1000), "b": add(2000), "out": add(0)}, "in>a", "in>b", "a>out", "b>out")
    results = diamond.run(range(50))
    assert Counter(results) == Counter([*range(1000, 1050), *range(2000, 2050)])
    assert [result for result in results if result < 2000] == list(range(1000, 1050)), "each branch in its order"
    assert [result for result in results if result >= 2000] == list(range(2000, 2050))


def test_a_node_ends_when_all_that_lead_to_it_have_ended() -> None:
    merged = graph({"a": add(0), "b": add(1000), "sum": ("tests.Sum", {})}, "a>sum", "b>sum")
    assert merged.run([1, 2, 3]) == [6 + 3006]


def test_all_nodes_that_nothing_follows_give_results() -> None:
    fan = graph({"in": add(0), "a": add(10), "b": add(20)}, "in>a", "in>b")
    assert sorted(fan.run([1, 2])) == [11, 12, 21, 22]


def test_nodes_without_connections_stand_side_by_side() -> None:
    pipeline = Pipeline.from_manifest(
        {
            "version": "v1",
            "nodes": [
                {"id": "a", "node_type": "tests.Add", "params": {"amount": 1}},
                {"id": "b", "node_type": "tests.Add", "params": {"amount": 2}},
            ],
            "connections": [],
        }
    )
    assert sorted(pipeline.run([0])) == [1, 2]


def test_a_branch_that_has_enough_does_not_end_the_others() -> None:
    fan = graph({"in": add(0), "one": ("tests.TakeOne", {}), "all": add(10)}, "in>one", "in>all")
    assert sorted(fan.run(range(40))) == [0, *range(10, 50)]


def test_a_failure_in_one_branch_ends_all() -> None:
    fan = graph({"in": add(0), "bad": ("tests.FailAt", {"bad": 3}), "all": add(10)}, "in>bad", "in>all")
    for _ in range(2):
        with pytest.raises(ValueError, match="3") as caught:
            fan.run(range(1000))
        assert caught.value.node_failure.node == "bad"  # type: ignore[attr-defined]


async def test_the_slowest_branch_sets_the_pace() -> None:
    drawn = 0
    turn = asyncio.Semaphore(0)

    class Slow(EchoNode):
        async def process(self, item: Any) -> Any:
            await turn.acquire()

    async def source() -> AsyncIterator[int]:
        nonlocal drawn
        for number in range(1000):
            drawn += 1
            yield number

    register_node(f"tests.Slow{id(Slow)}")(Slow)
    fan = graph(
        {"in": add(0), "slow": (f"tests.Slow{id(Slow)}", {}), "fast": add(10)}, "in>slow", "in>fast", queue_size=2
    )
    results = fan.process(source())
    for taken in range(30):
        turn.release()
        assert await anext(results) == taken + 10
        assert drawn <= taken + 4 * 2 + 4
    await results.aclose()


def test_add_node_goes_after_every_end() -> None:
    fan = graph({"in": add(0), "a": add(10), "b": add(20)}, "in>a", "in>b")
    fan.add_node(Sum("sum"))
    assert fan.run([1, 2]) == [11 + 12 + 21 + 22]
