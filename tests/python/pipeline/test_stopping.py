# SPDX-License-Identifier: Apache-2.0
"""Leaving a run early stops the nodes and the source; nothing hangs."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from remotemedia.nodes import EchoNode, Node
from remotemedia.pipeline import Pipeline


class Source:
    """Endless; knows how many items were drawn, and when it was closed."""

    def __init__(self) -> None:
        self.drawn = 0
        self.closed = threading.Event()

    def sync(self) -> Iterator[int]:
        try:
            while True:
                self.drawn += 1
                yield self.drawn
        finally:
            self.closed.set()

    async def asynchronous(self) -> AsyncIterator[int]:
        try:
            while True:
                await asyncio.sleep(0)
                self.drawn += 1
                yield self.drawn
        finally:
            self.closed.set()


class Cleaned(EchoNode):
    cleaned = 0

    def cleanup(self) -> None:
        self.cleaned += 1


@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
async def test_closing_the_iterator_stops_nodes_and_source(kind: str) -> None:
    source, node = Source(), Cleaned()
    pipeline = Pipeline([node, EchoNode()])
    for runs in (1, 2):
        results = pipeline.process(getattr(source, kind)())
        start = source.drawn
        assert [await anext(results) for _ in range(3)] == [start + 1, start + 2, start + 3]
        await results.aclose()
        assert source.closed.is_set()
        assert node.cleaned == runs
        assert [task for task in asyncio.all_tasks() if task.get_name().startswith("remotemedia")] == []
        source.closed.clear()


async def test_breaking_out_of_the_loop_stops_nodes_and_source() -> None:
    source = Source()
    cleaned = asyncio.Event()

    class Watched(EchoNode):
        async def cleanup(self) -> None:
            cleaned.set()

    async for _ in Pipeline([Watched()]).process(source.asynchronous()):
        break
    await cleaned.wait()
    assert source.closed.is_set()


@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
@pytest.mark.parametrize("held", [False, True])
def test_a_run_left_behind_when_the_loop_ends_is_stopped_quietly(
    kind: str, held: bool, caplog: pytest.LogCaptureFixture
) -> None:
    source, node = Source(), Cleaned()
    left: list[Any] = []

    async def leave() -> None:
        results = Pipeline([node, EchoNode()]).process(getattr(source, kind)())
        if held:
            left.append(results)
        async for _ in results:
            break

    asyncio.run(leave())
    assert source.closed.is_set()
    assert node.cleaned == 1
    assert caplog.records == []


async def test_cancelling_the_task_that_iterates_stops_nodes_and_source() -> None:
    source, node = Source(), Cleaned()
    first = asyncio.Event()

    async def consume() -> None:
        async for _ in Pipeline([node]).process(source.asynchronous()):
            first.set()

    task = asyncio.create_task(consume())
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed.is_set()
    assert node.cleaned == 1


async def test_cleanup_runs_to_its_end_however_often_the_task_is_cancelled() -> None:
    in_cleanup, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Slow(EchoNode):
        async def cleanup(self) -> None:
            in_cleanup.set()
            await go_on.wait()
            done.set()

    async def consume() -> None:
        async for _ in Pipeline([Slow()]).process([1]):
            pass

    task = asyncio.create_task(consume())
    await in_cleanup.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


async def test_cleanup_waits_for_a_call_that_a_thread_is_making() -> None:
    loop = asyncio.get_running_loop()
    in_call, leave = asyncio.Event(), threading.Event()
    log: list[str] = []

    class Busy(Node):
        def process(self, item: int) -> int:
            loop.call_soon_threadsafe(in_call.set)
            assert leave.wait(60)
            log.append("process returned")
            return item

        def cleanup(self) -> None:
            log.append("cleanup")

    task = asyncio.ensure_future(anext(Pipeline([Busy()]).process([1])))
    await in_call.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert log == []
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["process returned", "cleanup"]


async def test_a_source_that_blocks_for_ever_does_not_keep_a_failed_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remotemedia.pipeline.source_thread.GRACE_SECONDS", 0.0)
    never = threading.Event()
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            yield 1
            never.wait()
        finally:
            closed.set()

    class Fail(Node):
        async def process(self, item: int) -> int:
            raise ValueError(item)

    for _ in range(2):
        with pytest.raises(ValueError, match="1"):
            _ = [item async for item in Pipeline([Fail()]).process(source())]
    never.set()
    assert closed.wait(60), "its thread ends when it comes back"


class Take(Node):
    def __init__(self, count: int) -> None:
        self.count = count

    async def process_stream(self, stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
        taken = 0
        async for item in stream:
            yield item
            taken += 1
            if taken == self.count:
                return


@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
def test_a_node_that_has_enough_ends_the_run_of_an_endless_source(kind: str) -> None:
    source = Source()
    assert Pipeline([EchoNode(), Take(3), EchoNode()]).run(getattr(source, kind)()) == [1, 2, 3]
    assert source.closed.is_set()


def test_a_file_like_source_is_not_closed(tmp_path: Any) -> None:
    path = tmp_path / "lines"
    path.write_text("a\nb\nc\n")
    with path.open() as lines:
        assert Pipeline([Take(1)]).run(lines) == ["a\n"]
        assert not lines.closed


def test_what_is_no_stream_is_refused() -> None:
    for wrong in (5, None, "text", b"bytes"):
        with pytest.raises(TypeError, match="iterable or async iterable"):
            Pipeline([EchoNode()]).run(wrong)


async def test_run_inside_an_event_loop_says_to_use_process() -> None:
    pipeline = Pipeline([EchoNode()])
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"async for result in pipeline\.process"):
            pipeline.run([1])
    assert [item async for item in pipeline.process([1])] == [1]


INTERRUPTED = """
import sys, threading
from remotemedia.nodes import Node
from remotemedia.pipeline import Pipeline

class Work(Node):
    def process(self, item):
        if item == 3:
            print("working", flush=True)
        return item
    def cleanup(self):
        print("cleaned up", flush=True)

def endless():
    number = 0
    while True:
        number += 1
        yield number

try:
    Pipeline([Work()]).run(endless())
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


def test_ctrl_c_cleans_up_and_raises_keyboard_interrupt() -> None:
    program = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline() == "working\n"
    os.kill(program.pid, signal.SIGINT)
    output, _ = program.communicate(timeout=60)
    assert output == "cleaned up\ninterrupted\n"
    assert program.returncode == 130
