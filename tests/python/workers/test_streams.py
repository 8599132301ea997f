# SPDX-License-Identifier: Apache-2.0
"""Many answers to one request, pulled by whoever reads them."""

import asyncio

import pytest

import remotemedia as rm
from tests.python.workers.served import served

COUNTING = """
class Counting(Doubler):
    def infer_stream(self, inputs, context):
        last = int(inputs["x"].max())
        try:
            for i in range(last):
                y = context.allocate((1, 1))
                y.to_numpy()[:] = i
                yield {"y": y}
            if last == 3:
                raise ValueError("three")
        except GeneratorExit:
            say("closed" + (" cancelled" if context.cancelled else ""))
            raise
        finally:
            say("over")
config = rm.WorkerConfig(stream_window=4, concurrent_streams=8)
rm.ModelWorker(Counting(), config).serve(ENDPOINT)
"""


def number(answer: rm.TensorBuffer) -> int:
    return int(answer.to_numpy()[0, 0])


def test_a_generator_is_a_stream() -> None:
    with served(COUNTING) as (worker, client):
        for count in (0, 1, 5, 100):
            stream = client.infer_stream([[count]])
            assert [number(answer) for answer in stream] == list(range(count))
            worker.program.wait_for("over")
            with pytest.raises(StopIteration):
                next(stream)


def test_a_model_without_a_stream_answers_once() -> None:
    with served("rm.ModelWorker(Doubler()).serve(ENDPOINT)") as (_, client):
        assert [number(answer) for answer in client.infer_stream([[4]])] == [8]


def test_an_error_ends_a_stream_after_its_answers() -> None:
    with served(COUNTING) as (_, client):
        for _ in range(2):
            stream = client.infer_stream([[3]])
            assert [number(next(stream)) for _ in range(3)] == [0, 1, 2]
            with pytest.raises(rm.InferenceFailed, match="ValueError: three"):
                next(stream)
            with pytest.raises(StopIteration):
                next(stream)


def test_closing_a_stream_closes_the_generator() -> None:
    with served(COUNTING) as (worker, client):
        for _ in range(2):
            stream = client.infer_stream([[1_000_000]])
            assert number(next(stream)) == 0
            stream.close()  # type: ignore[attr-defined]
            worker.program.wait_for("closed cancelled")
            with pytest.raises(StopIteration):
                next(stream)
        assert number(client.infer([[1]])) == 2


def test_dropping_a_stream_closes_the_generator() -> None:
    with served(COUNTING) as (worker, client):
        for answer in client.infer_stream([[1_000_000]]):
            assert number(answer) == 0
            break
        worker.program.wait_for("closed cancelled")


def test_the_end_of_the_client_closes_the_generator() -> None:
    with served(COUNTING) as (worker, client):
        stream = client.infer_stream([[1_000_000]])
        assert number(next(stream)) == 0
        client.close()
        worker.program.wait_for("closed cancelled")
        with pytest.raises(rm.WorkerUnavailable):
            list(stream)


def test_a_stream_that_nobody_reads_is_not_resumed() -> None:
    with served("""
        class Talking(Doubler):
            def infer_stream(self, inputs):
                for i in range(100):
                    say(str(i))
                    yield {"y": [[i]]}
        rm.ModelWorker(Talking(), rm.WorkerConfig(stream_window=4, concurrent_streams=2)).serve(ENDPOINT)
    """) as (worker, client):
        stream = client.infer_stream([[0]])
        worker.program.wait_for("3")
        for i in range(20):
            assert number(client.infer([[i]])) == 2 * i  # the model has time for others
        assert worker.program.lines[-1] == "3"
        assert [number(answer) for answer in stream] == list(range(100))
        worker.program.wait_for("99")


async def test_a_stream_on_an_event_loop() -> None:
    with served(COUNTING) as (worker, client):

        async def read(count: int) -> list[int]:
            return [number(answer) async for answer in client.infer_stream_async([[count]])]

        assert await asyncio.gather(*(read(i) for i in (5, 0, 7, 50))) == [list(range(i)) for i in (5, 0, 7, 50)]
        with pytest.raises(rm.InferenceFailed, match="three"):
            await read(3)
        stream = client.infer_stream_async([[1_000_000]])
        assert number(await stream.__anext__()) == 0
        await stream.aclose()  # type: ignore[attr-defined]
        await asyncio.to_thread(worker.program.wait_for, "closed cancelled")
        with pytest.raises(StopAsyncIteration):
            await stream.__anext__()


async def test_a_cancelled_task_closes_its_stream() -> None:
    with served("""
        class Slow(Doubler):
            def infer_stream(self, inputs):
                try:
                    yield {"y": [[0]]}
                    gates["go"].wait()
                    yield {"y": [[1]]}
                finally:
                    say("over")
        rm.ModelWorker(Slow()).serve(ENDPOINT)
    """) as (worker, client):
        got = asyncio.Event()

        async def read() -> None:
            async for _ in client.infer_stream_async([[0]]):
                got.set()

        task = asyncio.ensure_future(read())
        await got.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        worker.program.tell("go")
        await asyncio.to_thread(worker.program.wait_for, "over")
