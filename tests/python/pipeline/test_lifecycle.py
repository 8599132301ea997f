# SPDX-License-Identifier: Apache-2.0
"""initialize and cleanup: in parallel, in reverse, always."""

import asyncio
import threading
from collections.abc import Awaitable
from typing import Any

import pytest

from remotemedia.nodes import EchoNode, Node
from remotemedia.pipeline import NodeFailure, Pipeline


class Recorded(EchoNode):
    """Writes what happens to it into a list."""

    def __init__(self, name: str, log: list[str], *, fail_in: str = "") -> None:
        super().__init__(name)
        self.log = log
        self.fail_in = fail_in

    def initialize(self) -> Awaitable[None] | None:
        self._record("initialize")
        return None

    def cleanup(self) -> Awaitable[None] | None:
        self._record("cleanup")
        return None

    def _record(self, what: str) -> None:
        self.log.append(f"{what} {self.name}")
        if what == self.fail_in:
            raise OSError(f"{what} of {self.name}")


class RecordedAsync(Recorded):
    async def initialize(self) -> None:
        await asyncio.sleep(0)
        self._record("initialize")

    async def cleanup(self) -> None:
        await asyncio.sleep(0)
        self._record("cleanup")


@pytest.mark.parametrize("node_class", [Recorded, RecordedAsync])
def test_nodes_are_initialised_before_the_first_item_and_cleaned_up_in_reverse_after_the_last(
    node_class: type[Recorded],
) -> None:
    log: list[str] = []
    pipeline = Pipeline([node_class(name, log) for name in "abc"])
    for _ in range(2):
        log.clear()
        assert pipeline.run([1]) == [1]
        assert sorted(log[:3]) == ["initialize a", "initialize b", "initialize c"]
        assert log[3:] == ["cleanup c", "cleanup b", "cleanup a"]


def test_functions_that_initialise_run_off_the_loop_and_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=60)

    class Meet(EchoNode):
        def initialize(self) -> None:
            together.wait()

    async def meet() -> list[Any]:
        return [item async for item in Pipeline([Meet("a"), Meet("b"), Meet("c")]).process([1])]

    assert asyncio.run(meet()) == [1]


@pytest.mark.parametrize("node_class", [Recorded, RecordedAsync])
def test_when_initialize_fails_every_node_is_cleaned_up_and_the_next_run_tries_again(
    node_class: type[Recorded],
) -> None:
    log: list[str] = []
    failing = node_class("b", log, fail_in="initialize")
    pipeline = Pipeline([node_class("a", log), failing, node_class("c", log)])
    for _ in range(2):
        log.clear()
        with pytest.raises(OSError, match="initialize of b") as caught:
            pipeline.run([1])
        assert log[-3:] == ["cleanup c", "cleanup b", "cleanup a"]
        where = caught.value.node_failure  # type: ignore[attr-defined]
        assert isinstance(where, NodeFailure)
        assert (where.node, where.phase) == ("b", "initialize")
    failing.fail_in = ""
    assert pipeline.run([1]) == [1]


async def test_when_initialize_fails_the_others_are_cancelled_first() -> None:
    log: list[str] = []
    started = asyncio.Event()

    class Slow(EchoNode):
        async def initialize(self) -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                log.append("cancelled")

        def cleanup(self) -> None:
            log.append("cleanup")

    class Fail(EchoNode):
        async def initialize(self) -> None:
            await started.wait()
            raise OSError("no disk")

    pipeline = Pipeline([Slow(), Fail()])
    for _ in range(2):
        log.clear()
        started.clear()
        with pytest.raises(OSError, match="no disk"):
            await pipeline.initialize()
        assert log == ["cancelled", "cleanup"]


async def test_a_run_cancelled_while_nodes_initialise_cleans_up() -> None:
    log: list[str] = []
    started = asyncio.Event()

    class Slow(Recorded):
        async def initialize(self) -> None:
            started.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(anext(Pipeline([Slow("a", log)]).process([1])))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["cleanup a"]


def test_a_cleanup_that_fails_is_raised_after_the_others_ran() -> None:
    log: list[str] = []
    pipeline = Pipeline([Recorded("a", log), Recorded("b", log, fail_in="cleanup"), Recorded("c", log)])
    for _ in range(2):
        log.clear()
        with pytest.raises(OSError, match="cleanup of b") as caught:
            pipeline.run([1])
        assert log[-3:] == ["cleanup c", "cleanup b", "cleanup a"]
        assert caught.value.node_failure.phase == "cleanup"  # type: ignore[attr-defined]


def test_a_cleanup_that_fails_after_the_run_did_is_a_note_on_its_error() -> None:
    class Fail(Node):
        def process(self, item: Any) -> Any:
            raise ValueError("first")

        def cleanup(self) -> None:
            raise OSError("second")

    with pytest.raises(ValueError, match="first") as caught:
        Pipeline([Fail()]).run([1])
    assert any("cleanup failed: OSError('second')" in note for note in caught.value.__notes__)


async def test_managed_execution_initialises_once_for_many_runs() -> None:
    log: list[str] = []
    pipeline = Pipeline([Recorded("a", log)])
    async with pipeline.managed_execution() as managed:
        assert managed is pipeline
        for _ in range(3):
            assert [item async for item in pipeline.process([1, 2])] == [1, 2]
        assert log == ["initialize a"]
    assert log == ["initialize a", "cleanup a"]


async def test_managed_execution_cleans_up_when_its_body_raises() -> None:
    log: list[str] = []
    pipeline = Pipeline([Recorded("a", log)])

    async def body() -> None:
        async with pipeline.managed_execution():
            raise ValueError("body")

    with pytest.raises(ValueError, match="body"):
        await body()
    assert log == ["initialize a", "cleanup a"]


async def test_initialize_and_cleanup_may_be_called_by_hand_and_twice() -> None:
    log: list[str] = []
    pipeline = Pipeline([Recorded("a", log)])
    await pipeline.cleanup()
    await asyncio.gather(pipeline.initialize(), pipeline.initialize())
    assert [item async for item in pipeline.process([1])] == [1]
    assert log == ["initialize a"]
    await pipeline.cleanup()
    await pipeline.cleanup()
    assert log == ["initialize a", "cleanup a"]


async def test_runs_at_the_same_time_share_one_initialisation() -> None:
    log: list[str] = []
    pipeline = Pipeline([RecordedAsync("a", log)])

    async def run() -> list[Any]:
        return [item async for item in pipeline.process([1, 2])]

    assert await asyncio.gather(*(run() for _ in range(5))) == [[1, 2]] * 5
    assert log == ["initialize a", "cleanup a"]


async def test_those_who_wait_for_an_initialisation_that_fails_get_its_error() -> None:
    log: list[str] = []
    pipeline = Pipeline([RecordedAsync("a", log, fail_in="initialize")])
    outcomes = await asyncio.gather(*(anext(pipeline.process([1])) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, OSError) for outcome in outcomes)
    assert log.count("initialize a") == log.count("cleanup a") == 1


def test_event_loops_of_several_threads_share_one_pipeline() -> None:
    log: list[str] = []
    pipeline = Pipeline([Recorded("a", log)])
    together = threading.Barrier(4, timeout=60)
    results: list[list[Any]] = []

    def source() -> Any:
        together.wait()
        yield from range(3)

    threads = [threading.Thread(target=lambda: results.append(pipeline.run(source()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[0, 1, 2]] * 4
    assert log == ["initialize a", "cleanup a"]


async def test_a_node_is_in_one_initialised_pipeline_at_a_time() -> None:
    node = EchoNode()
    first, second = Pipeline([node]), Pipeline([node])
    async with first.managed_execution():
        for _ in range(2):
            with pytest.raises(RuntimeError, match="in use by another pipeline"):
                await second.initialize()
    assert [item async for item in second.process([1])] == [1]
    assert [item async for item in first.process([1])] == [1]


async def test_nodes_cannot_be_added_while_the_pipeline_is_initialised() -> None:
    pipeline = Pipeline([EchoNode("a")])
    async with pipeline.managed_execution():
        with pytest.raises(RuntimeError, match="add nodes before"):
            pipeline.add_node(EchoNode("b"))
    assert pipeline.add_node(EchoNode("b")) is pipeline
    assert [node.name for node in pipeline.nodes] == ["a", "b"]
    assert [item async for item in pipeline.process([1])] == [1]


def test_nodes_are_found_by_name_and_names_are_unique() -> None:
    pipeline = Pipeline([EchoNode(), EchoNode(), EchoNode("x"), EchoNode()])
    assert [node.name for node in pipeline.nodes] == ["EchoNode", "EchoNode-2", "x", "EchoNode-3"]
    assert pipeline.get_node("EchoNode-2") is pipeline.nodes[1]
    with pytest.raises(KeyError, match="no node named 'y'"):
        pipeline.get_node("y")
    with pytest.raises(ValueError, match="a node named 'x' already"):
        pipeline.add_node(EchoNode("x"))
    with pytest.raises(ValueError, match="is in this pipeline already"):
        pipeline.add_node(pipeline.nodes[0])


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "many"])
def test_a_queue_size_that_is_no_positive_number_is_refused(size: Any) -> None:
    with pytest.raises(ValueError, match="queue_size"):
        Pipeline([], queue_size=size)
