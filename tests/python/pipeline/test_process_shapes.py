# SPDX-License-Identifier: Apache-2.0
"""What `process` may be, and what it may give."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any

import pytest

from remotemedia.nodes import EchoNode, Node, RuntimeData
from remotemedia.pipeline import Pipeline


class Function(Node):
    def process(self, item: int) -> int:
        self.thread = threading.get_ident()
        return item + 1


class Coroutine(Node):
    async def process(self, item: int) -> int:
        self.thread = threading.get_ident()
        await asyncio.sleep(0)
        return item + 1


class Generator(Node):
    def process(self, item: int) -> Iterator[int]:
        self.thread = threading.get_ident()
        yield item
        yield item + 1


class AsyncGenerator(Node):
    async def process(self, item: int) -> AsyncIterator[int]:
        self.thread = threading.get_ident()
        yield item
        await asyncio.sleep(0)
        yield item + 1


class FunctionThatGivesAnAwaitable(Node):
    def process(self, item: int) -> Awaitable[int]:
        async def later() -> int:
            return item + 1

        return later()


class FunctionThatGivesAnIterator(Node):
    def process(self, item: int) -> Iterator[int]:
        return iter([item, item + 1])


@pytest.mark.parametrize(
    ("node_class", "expected"),
    [
        (Function, [1, 2]),
        (Coroutine, [1, 2]),
        (Generator, [0, 1, 1, 2]),
        (AsyncGenerator, [0, 1, 1, 2]),
        (FunctionThatGivesAnAwaitable, [1, 2]),
        (FunctionThatGivesAnIterator, [0, 1, 1, 2]),
    ],
)
def test_every_shape_of_process_gives_its_results_in_order(node_class: type[Node], expected: list[int]) -> None:
    assert Pipeline([node_class()]).run([0, 1]) == expected


@pytest.mark.parametrize(
    ("node", "on_the_loop"),
    [(Function(), False), (Generator(), False), (Coroutine(), True), (AsyncGenerator(), True)],
)
async def test_functions_and_generators_run_in_a_thread_and_coroutines_on_the_loop(
    node: Any, on_the_loop: bool
) -> None:
    _ = [result async for result in Pipeline([node]).process([1])]
    assert (node.thread == threading.get_ident()) is on_the_loop


async def test_a_blocking_function_does_not_block_the_event_loop() -> None:
    release = threading.Event()

    class Blocking(Node):
        def process(self, item: int) -> int:
            assert release.wait(60)
            return item

    async def let_go() -> None:
        release.set()

    task = asyncio.create_task(anext(Pipeline([Blocking()]).process([1])))
    await asyncio.create_task(let_go())
    assert await task == 1


def test_none_is_no_item() -> None:
    class Even(Node):
        def process(self, item: int) -> int | None:
            return item if item % 2 == 0 else None

    class Holes(Node):
        async def process(self, item: int) -> AsyncIterator[int | None]:
            yield None
            yield item

    assert Pipeline([Even(), Holes()]).run([0, None, 1, 2]) == [0, 2]


def test_a_list_and_a_tuple_of_runtime_data_are_several_and_any_other_tuple_is_one() -> None:
    class Give(Node):
        def process(self, item: Any) -> Any:
            return item()

    first, second = RuntimeData.text("a"), RuntimeData.text("b")
    results = Pipeline([Give()]).run([lambda: [1, 2], lambda: (first, second), lambda: (1, "a"), list, tuple])
    assert results == [1, 2, first, second, (1, "a"), ()]


def test_a_result_without_a_session_gets_that_of_its_item() -> None:
    class Shout(Node):
        def process(self, item: RuntimeData) -> Iterator[RuntimeData]:
            yield RuntimeData.text(item.payload.upper())
            yield RuntimeData.text(item.payload, session_id="other")

    results = Pipeline([Shout()]).run([RuntimeData.text("a", session_id="s"), RuntimeData.text("b")])
    assert [(item.payload, item.session_id) for item in results] == [
        ("A", "s"),
        ("a", "other"),
        ("B", None),
        ("b", "other"),
    ]


def test_items_reach_the_next_node_as_the_same_objects() -> None:
    items = [RuntimeData.text("a", session_id="s"), object(), RuntimeData.text("b")]
    results = Pipeline([EchoNode(), EchoNode()]).run(items)
    assert all(result is item for result, item in zip(results, items, strict=True))


def test_a_generator_is_resumed_only_when_its_last_result_was_taken() -> None:
    made: list[int] = []

    class Many(Node):
        def process(self, item: int) -> Iterator[int]:
            for number in range(item):
                made.append(number)
                yield number

    async def first_results() -> None:
        pipeline = Pipeline([Many()], queue_size=1)
        results = pipeline.process([1000])
        assert await anext(results) == 0
        assert await anext(results) == 1
        await results.aclose()

    asyncio.run(first_results())
    assert len(made) <= 5


def test_an_open_generator_is_closed_in_its_thread_when_the_run_ends() -> None:
    closed_in: list[int] = []

    class Many(Node):
        def process(self, item: int) -> Iterator[int]:
            try:
                while True:
                    yield item
            finally:
                closed_in.append(threading.get_ident())

    async def one_result() -> None:
        results = Pipeline([Many()], queue_size=1).process([7])
        assert await anext(results) == 7
        await results.aclose()
        assert len(closed_in) == 1

    asyncio.run(one_result())
    assert closed_in[0] != threading.get_ident()


def test_calls_of_a_node_see_the_context_of_their_run() -> None:
    import contextvars

    request = contextvars.ContextVar("request", default="none")

    class Read(Node):
        def process(self, item: int) -> str:
            return request.get()

    async def in_context() -> list[Any]:
        request.set("mine")
        return [result async for result in Pipeline([Read()]).process([1])]

    assert asyncio.run(in_context()) == ["mine"]


def test_a_node_that_never_called_its_base_constructor_works() -> None:
    class Forgetful(Node):
        def __init__(self, by: int) -> None:
            self.by = by

        def process(self, item: int) -> int:
            return item * self.by

    node = Forgetful(3)
    pipeline = Pipeline([node])
    assert pipeline.run([5]) == [15]
    assert pipeline.run([5]) == [15]
    assert (node.name, node.config) == ("Forgetful", {"by": 3})


def test_a_node_with_nothing_to_process_with_is_refused() -> None:
    class Empty(Node):
        pass

    with pytest.raises(TypeError, match="Empty has neither process nor process_stream"):
        Pipeline([Empty()])
    with pytest.raises(TypeError, match="Node objects, not str"):
        Pipeline(["EchoNode"])  # type: ignore[list-item]


def test_a_pipeline_without_nodes_gives_back_what_comes() -> None:
    assert Pipeline().run([1, 2]) == [1, 2]
