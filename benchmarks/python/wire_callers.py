# SPDX-License-Identifier: Apache-2.0
"""Callers at once by the wire, of a worker and of peers: each a thread and a connection, in up to eight processes."""

import itertools
import json
import math
import multiprocessing
import threading
import time
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.python.disturbance import Disturbance
from benchmarks.python.wire_peers import Array, Connect, Peer, peers
from benchmarks.sizes import CALLERS, WIRE_BYTES

SECONDS = 0.8
WARM_UP_SECONDS = 0.2
PROCESSES = 8
"""More threads of one interpreter wait for each other, and not for who answers."""

Row = dict[str, object]
Span = tuple[int, int]
"""Of a call: nanoseconds that all processes count from the same moment."""


def measure(name: str, connect: Connect, peer: Peer, callers: int, size: int) -> Row:
    """`ns` is the time of all calls by their number, `p50_ns` and `p99_ns` are of single calls.

    A caller makes a call that counts, however long it takes, and compares its first and last answers with its own
    numbers.
    """
    forked = multiprocessing.get_context("fork")
    threads = math.ceil(callers / PROCESSES)
    with ExitStack() as stack:
        pipes, ours = [], []
        for number in range(callers // threads):
            pipe, its_end = forked.Pipe()
            process = forked.Process(target=_call, args=(its_end, connect, threads, number, size))
            process.start()
            ours.append(process.pid or 0)
            its_end.close()
            stack.callback(process.join)
            stack.enter_context(pipe)
            pipes.append(pipe)
        for pipe in pipes:
            _received(pipe, name)
        begin = time.perf_counter_ns() + round(WARM_UP_SECONDS * 1e9)
        for pipe in pipes:
            pipe.send(begin)
        time.sleep(WARM_UP_SECONDS)
        disturbance = Disturbance([*descendants(peer.process), *ours])
        for pipe in pipes:
            pipe.poll(None)
        others = disturbance.others()
        spans = [span for pipe in pipes for span in _received(pipe, name)]
    passed = max(after for _, after in spans) - min(before for before, _ in spans)
    times = sorted(after - before for before, after in spans)
    return {
        "name": name,
        "ns": passed / len(times),
        "p50_ns": times[len(times) // 2],
        "p99_ns": times[math.ceil(len(times) * 0.99) - 1],
        "calls": len(times),
        "others": others,
    }


def _received(pipe: Connection, name: str) -> list[Span]:
    received = pipe.recv()
    if isinstance(received, str):
        raise RuntimeError(f"a caller of {name} failed: {received}")
    spans: list[Span] = received
    return spans


def _call(pipe: Connection, connect: Connect, callers: int, number: int, size: int) -> None:
    """In a process of its own: says that all have connected, is told when they begin, and says when they called."""
    clock = time.perf_counter_ns
    numbers = np.random.default_rng(number)
    arrays = [numbers.random(size // 4, dtype=np.float32) for _ in range(callers)]
    spans: list[Span] = []
    connected = threading.Barrier(callers + 1)
    begins: list[int] = []
    errors: list[BaseException] = []

    def repeat(array: Array) -> None:
        mine: list[Span] = []
        try:
            with ExitStack() as stack:
                call = connect(stack, array)
                _check(call(), array)
                connected.wait()
                connected.wait()
                (begin,) = begins
                now = clock()
                while now < begin + SECONDS * 1e9 or not mine:
                    answer = call()
                    before, now = now, clock()
                    if before >= begin:
                        mine.append((before, now))
                _check(answer, array)
        except BaseException as error:  # noqa: BLE001, who waits raises it
            errors.append(error)
            connected.abort()
        spans.extend(mine)

    threads = [threading.Thread(target=repeat, args=(array,)) for array in arrays]
    for thread in threads:
        thread.start()
    with suppress(threading.BrokenBarrierError):
        connected.wait()
        pipe.send([])
        begins.append(pipe.recv())
        connected.wait()
    for thread in threads:
        thread.join()
    failed = [error for error in errors if not isinstance(error, threading.BrokenBarrierError)]
    # Not every exception can be pickled and read again, or has its text in its repr().
    pipe.send(f"{type(failed[0]).__name__}: {failed[0]}" if failed else spans)


def _check(answer: Array, sent: Array) -> None:
    if not np.array_equal(answer.ravel(), sent):
        raise RuntimeError("an answer is not what was sent")


def descendants(process: int) -> list[int]:
    """It, and all that it and its descendants have started."""
    found = [process]
    for each in found:
        for task in Path(f"/proc/{each}/task").iterdir():
            children = (task / "children").read_text(encoding="ascii").split()
            found.extend(int(child) for child in children)
    return found


def main() -> None:
    rows = []
    for name, start in peers().items():
        with start() as peer:
            for (way, connect), size, callers in itertools.product(peer.ways.items(), WIRE_BYTES, CALLERS):
                arm = f"callers/{name}_{way}/{size}/{callers}"
                try:
                    rows.append(measure(arm, connect, peer, callers, size))
                except (OSError, RuntimeError) as error:  # also where its process is gone
                    if name.startswith("worker"):
                        raise
                    rows.append({"name": arm, "failed": str(error)})
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
