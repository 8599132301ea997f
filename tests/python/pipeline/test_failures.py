# SPDX-License-Identifier: Apache-2.0
"""An exception anywhere ends the run with that exception, and says where it came from."""

import asyncio
import gc
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from remotemedia import Cancelled
from remotemedia.nodes import EchoNode, Node, RuntimeData
from remotemedia.pipeline import NodeFailure, Pipeline


class OutOfPaper(Exception):
    def __init__(self, tray: int) -> None:
        super().__init__(f"tray {tray} is empty")
        self.tray = tray


def notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def failure(error: BaseException) -> NodeFailure:
    found = getattr(error, "node_failure", None)
    assert isinstance(found, NodeFailure)
    return found


def raise_at(bad: Any) -> list[Node]:
    class Function(Node):
        def process(self, item: Any) -> Any:
            if item == bad:
                raise OutOfPaper(item)
            return item

    class Coroutine(Node):
        async def process(self, item: Any) -> Any:
            if item == bad:
                raise OutOfPaper(item)
            return item

    class Generator(Node):
        def process(self, item: Any) -> Iterator[Any]:
            yield item
            if item == bad:
                raise OutOfPaper(item)

    class AsyncGenerator(Node):
        async def process(self, item: Any) -> AsyncIterator[Any]:
            yield item
            if item == bad:
                raise OutOfPaper(item)

    class Stream(Node):
        async def process_stream(self, stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
            async for item in stream:
                if item == bad:
                    raise OutOfPaper(item)
                yield item

    return [Function("bad"), Coroutine("bad"), Generator("bad"), AsyncGenerator("bad"), Stream("bad")]


@pytest.mark.parametrize("kind", range(5))
def test_an_exception_in_a_node_ends_the_run_naming_node_and_item(kind: int) -> None:
    node = raise_at(2)[kind]
    pipeline = Pipeline([EchoNode(), node, EchoNode()])
    for _ in range(2):
        with pytest.raises(OutOfPaper) as caught:
            pipeline.run([0, 1, 2, 3])
        assert caught.value.tray == 2
        where = failure(caught.value)
        assert (where.node, where.node_type, where.index, where.item) == ("bad", type(node).__name__, 2, 2)
        phase = "process_stream" if kind == 4 else "process"
        assert notes(caught.value) == [f"in {phase} of node 'bad' ({type(node).__name__}), item 2: 2"]
    assert pipeline.run([0, 1])[-1] == 1, "the pipeline can run again"


def test_the_item_is_named_with_its_session_and_not_in_full() -> None:
    class Refuse(Node):
        def process(self, item: RuntimeData) -> None:
            raise KeyError(item.kind)

    with pytest.raises(KeyError) as caught:
        Pipeline([Refuse()]).run([RuntimeData.text("x" * 1000, session_id="s7")])
    (note,) = notes(caught.value)
    assert "item 0: RuntimeData(text, 'xxxx" in note
    assert "session 's7'" in note
    assert len(note) < 300
    assert failure(caught.value).session_id == "s7"


def test_results_made_before_the_failure_come_first() -> None:
    async def collect() -> list[int]:
        results = []
        with pytest.raises(OutOfPaper):
            async for result in Pipeline(raise_at(3)[:1]).process(range(10)):
                results.append(result)
        return results

    assert asyncio.run(collect()) == [0, 1, 2]


def test_nothing_is_finished_after_a_failure() -> None:
    class Sum(Node):
        closed = 0

        def process(self, item: int, session: dict[str, int]) -> None:
            session["sum"] = session.get("sum", 0) + item

        def finish(self, session: dict[str, int]) -> int:
            raise AssertionError("a stream that broke off has no end")

        def close_session(self, session_id: str, session: dict[str, int]) -> None:
            self.closed += 1

    before, after = Sum(), EchoNode()

    class Fail(Node):
        async def process(self, item: int) -> int:
            raise OutOfPaper(item)

    class Tee(Node):
        async def process(self, item: int) -> int:
            return item

    with pytest.raises(OutOfPaper):
        Pipeline([Tee(), Fail(), before, after]).run([1])
    assert before.closed == 0

    class FailLate(Node):
        def open_session(self, session_id: str) -> None:
            raise OutOfPaper(9)

        def process(self, item: int, session: None) -> int:
            return item

    with pytest.raises(OutOfPaper) as caught:
        Pipeline([FailLate()]).run([1])
    assert failure(caught.value).phase == "open_session"


@pytest.mark.parametrize("phase", ["finish", "close_session"])
def test_failures_at_the_end_of_a_session_name_it(phase: str) -> None:
    class Fail(Node):
        def process(self, item: RuntimeData) -> RuntimeData:
            return item

        def finish(self, session: Any) -> None:
            if phase == "finish":
                raise OutOfPaper(1)

        def close_session(self, session_id: str, session: Any) -> None:
            if phase == "close_session":
                raise OutOfPaper(1)

    pipeline = Pipeline([Fail()])
    for _ in range(2):
        with pytest.raises(OutOfPaper) as caught:
            pipeline.run([RuntimeData.text("a", session_id="s")])
        assert notes(caught.value) == [f"in {phase} of node 'Fail' (Fail), session 's'"]


def test_stop_iteration_from_a_function_is_an_error_and_not_the_end() -> None:
    class Next(Node):
        def process(self, item: Any) -> Any:
            return next(iter(()))

    for _ in range(2):
        with pytest.raises(RuntimeError, match="StopIteration") as caught:
            Pipeline([Next()]).run([1])
        assert isinstance(caught.value.__cause__, StopIteration)
        assert failure(caught.value).index == 0


def test_an_item_whose_repr_raises_is_named_by_its_type() -> None:
    class Shy:
        def __repr__(self) -> str:
            raise OSError("no")

    class Fail(Node):
        async def process(self, item: Any) -> Any:
            raise OutOfPaper(1)

    with pytest.raises(OutOfPaper) as caught:
        Pipeline([Fail()]).run([Shy()])
    assert "a Shy whose repr raises OSError" in notes(caught.value)[0]


def test_a_node_that_cancels_itself_is_an_error() -> None:
    class GiveUp(Node):
        async def process(self, item: Any) -> Any:
            raise asyncio.CancelledError

    for _ in range(2):
        with pytest.raises(Cancelled, match="node 'GiveUp' was cancelled, and not by its pipeline"):
            Pipeline([GiveUp()]).run([1])


@pytest.mark.parametrize("exit_class", [SystemExit, KeyboardInterrupt])
def test_exits_pass_through_after_cleanup(exit_class: type[BaseException]) -> None:
    class Exit(Node):
        cleaned = 0

        def process(self, item: Any) -> Any:
            raise exit_class

        def cleanup(self) -> None:
            self.cleaned += 1

    node = Exit()
    with pytest.raises(exit_class):
        Pipeline([node]).run([1])
    assert node.cleaned == 1


async def test_other_nodes_are_cancelled_and_cleaned_up_before_the_error_is_raised() -> None:
    events: list[str] = []
    waiting = asyncio.Event()

    class Wait(Node):
        async def process(self, item: int) -> int:
            waiting.set()
            try:
                await asyncio.Event().wait()
            finally:
                events.append("cancelled")
            return item

        def cleanup(self) -> None:
            events.append("cleaned up")

    class FailSecond(Node):
        async def process(self, item: int) -> int:
            if item == 1:
                await waiting.wait()
                raise OutOfPaper(item)
            return item

    pipeline = Pipeline([FailSecond(), Wait(), EchoNode()])
    for _ in range(2):
        waiting.clear()
        events.clear()
        with pytest.raises(OutOfPaper):
            _ = [item async for item in pipeline.process([0, 1, 2])]
        assert events == ["cancelled", "cleaned up"]


def sources(fail_after: int) -> dict[str, Callable[[], Any]]:
    def generator() -> Iterator[int]:
        yield from range(fail_after)
        raise OutOfPaper(fail_after)

    async def async_generator() -> AsyncIterator[int]:
        for number in range(fail_after):
            yield number
        raise OutOfPaper(fail_after)

    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise OutOfPaper(0)

    return {"generator": generator, "async_generator": async_generator, "Broken": Broken}


@pytest.mark.parametrize(("kind", "index"), [("generator", 2), ("async_generator", 2), ("Broken", 0)])
def test_an_exception_in_the_source_ends_the_run_naming_the_item_it_should_have_given(kind: str, index: int) -> None:
    pipeline = Pipeline([EchoNode()])
    for _ in range(2):
        with pytest.raises(OutOfPaper) as caught:
            pipeline.run(sources(2)[kind]())
        assert notes(caught.value) == [f"in the source of the pipeline ({kind}), item {index}"]
        assert failure(caught.value).node == "source"


async def test_a_failure_that_nobody_waits_for_any_more_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    failed = asyncio.Event()

    class FailAtOne(Node):
        async def process(self, item: int) -> int:
            if item == 1:
                failed.set()
                raise OutOfPaper(1)
            return item

    results = Pipeline([FailAtOne()]).process([0, 1])
    assert await anext(results) == 0
    await failed.wait()
    await results.aclose()
    assert "no longer asked for" in caplog.text
    assert "tray 1 is empty" in caplog.text


async def test_what_a_thread_raises_after_the_run_was_stopped_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    import threading

    in_call, stop = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class FailLate(Node):
        def process(self, item: int) -> int:
            loop.call_soon_threadsafe(in_call.set)
            assert stop.wait(60)
            raise OutOfPaper(5)

    with caplog.at_level(logging.WARNING):
        task = asyncio.ensure_future(anext(Pipeline([FailLate()]).process([1])))
        await in_call.wait()
        task.cancel()
        stop.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert "failed after its run had been stopped" in caplog.text


async def test_a_failed_run_keeps_nothing_alive_but_its_exception() -> None:
    class State:
        pass

    states: list[weakref.ref[State]] = []
    gone = threading.Event()

    class Fail(Node):
        def open_session(self, session_id: str) -> State:
            state = State()
            states.append(weakref.ref(state, lambda _: gone.set()))
            return state

        def process(self, item: int, session: State) -> int:
            raise OutOfPaper(item)

    pipeline = Pipeline([Fail()])
    gc.collect()
    gc.disable()
    try:
        try:
            await anext(pipeline.process([1]))
        except OutOfPaper:
            assert states[0]() is not None
        assert gone.wait(10), "no ring that only the garbage collector finds"
    finally:
        gc.enable()
