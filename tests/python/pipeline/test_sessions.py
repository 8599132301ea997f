# SPDX-License-Identifier: Apache-2.0
"""Sessions: state for each stream within the stream."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from remotemedia.nodes import EchoNode, Node, RuntimeData
from remotemedia.pipeline import Pipeline

from .manual_clock import ManualClock


def text(payload: str, session_id: str | None = None) -> RuntimeData:
    return RuntimeData.text(payload, session_id=session_id)


class Count(Node):
    """Gives for each item how many its session has had, and at the end "sum=n"."""

    def __init__(self, name: str | None = None, **config: Any) -> None:
        super().__init__(name, **config)
        self.opened: list[str] = []
        self.closed: list[tuple[str, int]] = []

    def open_session(self, session_id: str) -> dict[str, int]:
        self.opened.append(session_id)
        return {"count": 0}

    def process(self, item: RuntimeData, session: dict[str, int]) -> RuntimeData:
        session["count"] += 1
        return RuntimeData.text(f"{item.payload}{session['count']}")

    def finish(self, session: dict[str, int]) -> RuntimeData:
        return RuntimeData.text(f"sum={session['count']}")

    def close_session(self, session_id: str, session: dict[str, int]) -> None:
        self.closed.append((session_id, session["count"]))


def test_sessions_that_take_turns_keep_their_own_state_and_order() -> None:
    node = Count()
    results = Pipeline([node]).run([text("a", "1"), text("b", "2"), text("c", "1"), text("d", "2"), text("e", "1")])
    assert [item.payload for item in results[5:]] == ["sum=3", "sum=2"], "sessions end in the order of their opening"
    of_session = {key: [item.payload for item in results if item.session_id == key] for key in ("1", "2")}
    assert of_session == {"1": ["a1", "c2", "e3", "sum=3"], "2": ["b1", "d2", "sum=2"]}
    assert node.opened == ["1", "2"]
    assert sorted(node.closed) == [("1", 3), ("2", 2)]


def test_items_without_a_session_share_the_default_one() -> None:
    node = Count()
    results = Pipeline([node]).run([text("a"), text("b"), text("c", "x")])
    assert [(item.payload, item.session_id) for item in results[:3]] == [("a1", None), ("b2", None), ("c1", "x")]
    assert node.opened == ["default", "x"]
    assert {(item.payload, item.session_id) for item in results[3:]} == {("sum=2", None), ("sum=1", "x")}


def test_plain_objects_belong_to_the_default_session() -> None:
    class Collect(Node):
        def open_session(self, session_id: str) -> list[int]:
            return []

        def process(self, item: int, session: list[int]) -> None:
            session.append(item)

        def finish(self, session: list[int]) -> list[int]:
            return [sum(session)]

    assert Pipeline([Collect()]).run([1, 2, 3]) == [6]


def test_each_run_has_its_own_sessions() -> None:
    pipeline = Pipeline([Count()])
    assert [item.payload for item in pipeline.run([text("a", "s")])] == ["a1", "sum=1"]
    assert [item.payload for item in pipeline.run([text("a", "s")])] == ["a1", "sum=1"]


async def test_runs_of_one_pipeline_at_the_same_time_do_not_mix_sessions() -> None:
    pipeline = Pipeline([Count(), EchoNode()])
    gates = [asyncio.Event(), asyncio.Event()]

    async def source(mine: asyncio.Event, other: asyncio.Event) -> AsyncIterator[RuntimeData]:
        yield text("a", "s")
        other.set()
        await mine.wait()
        yield text("b", "s")

    async def run(mine: int) -> list[str]:
        return [item.payload async for item in pipeline.process(source(gates[mine], gates[1 - mine]))]

    first, second = await asyncio.gather(run(0), run(1))
    assert first == second == ["a1", "b2", "sum=2"]


@pytest.mark.parametrize("kind", ["function", "coroutine", "generator", "async generator"])
def test_finish_may_be_of_any_kind(kind: str) -> None:
    class Base(Node):
        async def process(self, item: int, session: dict[str, int]) -> None:
            session["sum"] = session.get("sum", 0) + item

    class Function(Base):
        def finish(self, session: dict[str, int]) -> int:
            return session["sum"]

    class Coroutine(Base):
        async def finish(self, session: dict[str, int]) -> int:
            return session["sum"]

    class Generator(Base):
        def finish(self, session: dict[str, int]) -> Iterator[int]:
            yield session["sum"]

    class AsyncGenerator(Base):
        async def finish(self, session: dict[str, int]) -> AsyncIterator[int]:
            yield session["sum"]

    classes = {"function": Function, "coroutine": Coroutine, "generator": Generator, "async generator": AsyncGenerator}
    assert Pipeline([classes[kind](), EchoNode()]).run([1, 2, 3]) == [6]


def test_sessions_may_be_opened_and_closed_by_coroutines() -> None:
    closed: list[tuple[str, str]] = []

    class Async(Node):
        async def open_session(self, session_id: str) -> str:
            await asyncio.sleep(0)
            return f"state of {session_id}"

        def process(self, item: RuntimeData, session: str) -> str:
            return session

        async def close_session(self, session_id: str, session: str) -> None:
            await asyncio.sleep(0)
            closed.append((session_id, session))

    assert Pipeline([Async()]).run([text("a", "s")]) == ["state of s"]
    assert closed == [("s", "state of s")]


class Feed:
    """A source that gives what the test puts, and ends with None."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[RuntimeData | None] = asyncio.Queue()

    async def __aiter__(self) -> AsyncIterator[RuntimeData]:
        while (item := await self.queue.get()) is not None:
            yield item


class Watched(Count):
    """Says when a session was closed."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.session_closed = asyncio.Event()

    async def close_session(self, session_id: str, session: dict[str, int]) -> None:  # type: ignore[override]
        super().close_session(session_id, session)
        self.session_closed.set()


async def test_a_session_without_an_item_for_its_ttl_is_finished_and_closed_while_nothing_comes() -> None:
    clock, feed, node = ManualClock(), Feed(), Watched(session_ttl=60)
    results = Pipeline([node], clock=clock).process(feed)
    feed.queue.put_nowait(text("a", "s"))
    assert (await anext(results)).payload == "a1"
    waiting = asyncio.ensure_future(anext(results))
    clock.advance(59.9)
    feed.queue.put_nowait(text("b", "t"))
    assert (await waiting).payload == "b1"
    assert node.closed == []
    waiting = asyncio.ensure_future(anext(results))
    await asyncio.sleep(0)
    clock.advance(0.1)
    expired = await waiting
    await node.session_closed.wait()
    assert (expired.payload, expired.session_id) == ("sum=1", "s")
    assert node.closed == [("s", 1)]
    feed.queue.put_nowait(text("c", "s"))
    feed.queue.put_nowait(text("d", "t"))
    feed.queue.put_nowait(None)
    rest = [(item.session_id, item.payload) async for item in results]
    assert rest == [("s", "c1"), ("t", "d2"), ("t", "sum=2"), ("s", "sum=1")]
    assert node.opened == ["s", "t", "s"]


async def test_an_item_that_comes_after_the_ttl_finds_a_new_session() -> None:
    clock, feed, node = ManualClock(), Feed(), Count(session_ttl=10)
    results = Pipeline([node], clock=clock).process(feed)
    feed.queue.put_nowait(text("a", "s"))
    assert (await anext(results)).payload == "a1"
    clock.advance(10)
    feed.queue.put_nowait(text("b", "s"))
    assert [(await anext(results)).payload for _ in range(2)] == ["sum=1", "b1"]
    feed.queue.put_nowait(None)
    assert [item.payload async for item in results] == ["sum=1"]
    assert node.closed == [("s", 1), ("s", 1)]


async def test_time_that_another_session_takes_is_not_idle_time_of_one_whose_item_waits() -> None:
    clock, feed = ManualClock(), Feed()

    class Slow(Count):
        async def process(self, item: RuntimeData, session: dict[str, int]) -> RuntimeData:  # type: ignore[override]
            if item.payload == "slow":
                feed.queue.put_nowait(text("b", "s"))
                await fed.wait()
                clock.advance(100)
            return super().process(item, session)

    fed = asyncio.Event()

    async def source() -> AsyncIterator[RuntimeData]:
        async for item in feed:
            yield item
            if item.payload == "b":
                fed.set()

    node = Slow(session_ttl=10)
    results = Pipeline([node], clock=clock).process(source())
    feed.queue.put_nowait(text("a", "s"))
    feed.queue.put_nowait(text("slow", "t"))
    payloads = [(await anext(results)).payload for _ in range(3)]
    feed.queue.put_nowait(None)
    assert payloads == ["a1", "slow1", "b2"]
    _ = [item async for item in results]


async def test_without_a_ttl_a_session_never_expires() -> None:
    clock, feed, node = ManualClock(), Feed(), Count(session_ttl=None)
    results = Pipeline([node], clock=clock).process(feed)
    feed.queue.put_nowait(text("a", "s"))
    await anext(results)
    clock.advance(1e9)
    feed.queue.put_nowait(text("b", "s"))
    assert (await anext(results)).payload == "b2"
    feed.queue.put_nowait(None)
    assert [item.payload async for item in results] == ["sum=2"]


@pytest.mark.parametrize("ttl", [-1, float("nan")])
def test_a_ttl_that_is_no_time_is_refused(ttl: float) -> None:
    with pytest.raises(ValueError, match="session_ttl"):
        Count(session_ttl=ttl)


async def test_an_abandoned_run_closes_its_sessions_without_finishing_them() -> None:
    node = Count()
    results = Pipeline([node]).process([text("a", "s"), text("b", "s")])
    assert (await anext(results)).payload == "a1"
    await results.aclose()
    assert [key for key, _ in node.closed] == ["s"]


def test_a_session_that_cannot_be_closed_when_the_run_has_failed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Count):
        def process(self, item: RuntimeData, session: dict[str, int]) -> RuntimeData:
            raise ValueError("process")

        def close_session(self, session_id: str, session: dict[str, int]) -> None:
            raise OSError("close")

    for _ in range(2):
        caplog.clear()
        with pytest.raises(ValueError, match="process"):
            Pipeline([Broken()]).run([text("a", "s")])
        assert "close_session('s') of node 'Broken' failed" in caplog.text
