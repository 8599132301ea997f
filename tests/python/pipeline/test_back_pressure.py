# SPDX-License-Identifier: Apache-2.0
"""Queues are bounded: a fast source is held back by a slow node, counted and not timed."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from remotemedia.nodes import EchoNode, Node
from remotemedia.pipeline import Pipeline

NODES = 3


class Counted:
    def __init__(self, length: int) -> None:
        self.length = length
        self.drawn = 0

    def sync(self) -> Iterator[int]:
        for number in range(self.length):
            self.drawn += 1
            yield number

    async def asynchronous(self) -> AsyncIterator[int]:
        for number in range(self.length):
            self.drawn += 1
            yield number


@pytest.mark.parametrize("queue_size", [1, 4])
@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
async def test_a_source_is_never_ahead_by_more_than_the_queues_hold(kind: str, queue_size: int) -> None:
    source = Counted(200)
    pipeline = Pipeline([EchoNode() for _ in range(NODES)], queue_size=queue_size)
    at_most = (NODES + 1) * queue_size + NODES + 1
    taken = 0
    async for result in pipeline.process(getattr(source, kind)()):
        assert result == taken
        taken += 1
        for _ in range(20):
            await asyncio.sleep(0)
        assert source.drawn - taken <= at_most
    assert taken == source.drawn == 200


async def test_a_slow_node_holds_back_the_source() -> None:
    source = Counted(100)
    turn = asyncio.Semaphore(0)

    class Slow(Node):
        async def process(self, item: int) -> int:
            await turn.acquire()
            return item

    results = Pipeline([EchoNode(), Slow()], queue_size=2).process(source.asynchronous())
    for taken in range(1, 30):
        turn.release()
        assert await anext(results) == taken - 1
        assert source.drawn <= taken + 2 * 3 + 3
    await results.aclose()


async def test_nothing_is_drawn_before_the_first_result_is_asked_for() -> None:
    source = Counted(10)
    results = Pipeline([EchoNode()]).process(source.sync())
    await asyncio.sleep(0)
    assert source.drawn == 0
    assert await anext(results) == 0
    await results.aclose()


async def test_nodes_work_at_the_same_time() -> None:
    second_has_begun = asyncio.Event()

    class First(Node):
        async def process(self, item: int) -> int:
            if item == 1:
                await second_has_begun.wait()
            return item

    class Second(Node):
        async def process(self, item: int) -> int:
            second_has_begun.set()
            return item

    assert [item async for item in Pipeline([First(), Second()]).process([0, 1])] == [0, 1]
