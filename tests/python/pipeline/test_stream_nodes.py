# SPDX-License-Identifier: Apache-2.0
"""Nodes that take the whole stream, and streams of every kind."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from remotemedia.nodes import EchoNode, Node, RuntimeData
from remotemedia.pipeline import Pipeline


class Pairs(Node):
    async def process_stream(self, stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
        held: list[Any] = []
        async for item in stream:
            held.append(item)
            if len(held) == 2:
                yield tuple(held)
                held.clear()
        if held:
            yield (held[0], None)


def test_a_node_may_take_the_whole_stream() -> None:
    assert Pipeline([EchoNode(), Pairs(), EchoNode()]).run([1, 2, 3]) == [(1, 2), (3, None)]


def test_process_stream_goes_before_process() -> None:
    class Both(Pairs):
        def process(self, item: Any) -> Any:
            raise AssertionError("not called")

    assert Pipeline([Both()]).run([1, 2]) == [(1, 2)]


def test_a_stream_node_may_give_items_when_nothing_came() -> None:
    class Hello(Node):
        async def process_stream(self, stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
            yield "hello"
            async for item in stream:
                yield item
            yield "goodbye"

    assert Pipeline([Hello()]).run([]) == ["hello", "goodbye"]


def test_a_process_stream_that_is_no_async_generator_is_refused() -> None:
    class Wrong(Node):
        def process_stream(self, stream: Any) -> list[Any]:
            return []

    for _ in range(2):
        with pytest.raises(TypeError, match="must be an async generator function"):
            Pipeline([Wrong()]).run([1])


def generated() -> Iterator[int]:
    yield from range(3)


async def generated_async() -> AsyncIterator[int]:
    for number in range(3):
        yield number


class Iterable:
    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


@pytest.mark.parametrize(
    "stream", [[0, 1, 2], (0, 1, 2), range(3), {0: "a", 1: "b", 2: "c"}, Iterable(), iter([0, 1, 2])]
)
def test_any_iterable_is_a_stream(stream: Any) -> None:
    assert Pipeline([EchoNode()]).run(stream) == [0, 1, 2]


def test_generators_and_async_generators_are_streams() -> None:
    assert Pipeline([EchoNode()]).run(generated()) == [0, 1, 2]
    assert Pipeline([EchoNode()]).run(generated_async()) == [0, 1, 2]


def test_one_item_is_a_stream() -> None:
    item = RuntimeData.text("a")
    assert Pipeline([EchoNode()]).run(item) == [item]


async def test_results_of_a_pipeline_are_a_stream_for_the_next() -> None:
    first, second = Pipeline([EchoNode()]), Pipeline([Pairs()])
    assert [item async for item in second.process(first.process(range(4)))] == [(0, 1), (2, 3)]
