# SPDX-License-Identifier: Apache-2.0
"""Clients that call without a pause: a thread each, which calls again as soon as it is answered."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

from benchmarks.python.disturbance import Disturbance
from benchmarks.python.models_served import Worker

SECONDS = 0.8
WARM_UP_SECONDS = 0.2

TURNS = 6
TURN_SECONDS = 0.2

Call = Callable[[], object]
"""Makes one call, of one stream after the other's answer."""


Row = dict[str, object]
"""What was measured of an arm."""


@dataclass(frozen=True)
class Way:
    """One of several that are compared, and where the thread runs that calls."""

    name: str
    cpu: int
    call: Call


@contextlib.contextmanager
def on_cpu(cpu: int) -> Iterator[None]:
    """Binds this thread, and what it starts, to one CPU."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


def measure_in_turns(ways: Sequence[Way], workers: Sequence[Worker]) -> list[Row]:
    """Takes each of `ways` again and again for a moment, then the next, and so on, all by this thread.

    A CPU's speed changes within seconds, and is another one's at no time, by more than the ways differ; one that has
    slept is slow for a while. `ns` is the median of the turns, each of which is the time of all calls by their number.

    Args:
        ways: Those of the same name are one arm.
        workers: That they call.
    """
    times: dict[str, list[int]] = {way.name: [] for way in ways}
    turns: dict[str, list[float]] = {way.name: [] for way in ways}
    disturbance = Disturbance([worker.process for worker in workers])
    for _ in range(TURNS):
        for way in ways:
            with on_cpu(way.cpu):
                _repeat(way.call, WARM_UP_SECONDS)
                spans = _repeat(way.call, TURN_SECONDS)
            turns[way.name].append(sum(spans) / len(spans))
            times[way.name] += spans
    others = disturbance.others()
    return [{"name": name, "ns": median(turns[name]), **_percentiles(times[name]), "others": others} for name in times]


def _repeat(call: Call, seconds: float) -> list[int]:
    spans = []
    now = time.perf_counter_ns()
    end = now + round(seconds * 1e9)
    while now < end:
        call()
        before, now = now, time.perf_counter_ns()
        spans.append(now - before)
    return spans


def _percentiles(times: Sequence[int]) -> Row:
    ordered = sorted(times)
    return {"p50_ns": ordered[len(ordered) // 2], "p99_ns": ordered[len(ordered) * 99 // 100]}


def measure(name: str, calls: Sequence[Call], worker: Worker | None = None, seconds: float = SECONDS) -> Row:
    """Lets each of `calls` be made again and again by a thread of its own.

    `ns` is the time of all by their number, `p50_ns` and `p99_ns` are of single calls.

    Args:
        name: What the arm is called.
        calls: One for each client.
        worker: That they call, and that nobody has called before.
    """
    clock = time.perf_counter_ns
    begin = clock() + round(WARM_UP_SECONDS * 1e9)
    end = begin + round(seconds * 1e9)

    def repeat(call: Call) -> list[tuple[int, int]]:
        spans = []
        now = clock()
        while now < end:
            call()
            before, now = now, clock()
            spans.append((before, now))
        return spans

    with ThreadPoolExecutor(len(calls)) as threads:
        repeated = [threads.submit(repeat, call) for call in calls]
        time.sleep(max(0.0, (begin - clock()) / 1e9))
        disturbance = Disturbance([worker.process] if worker is not None else [])
        time.sleep(max(0.0, (end - clock()) / 1e9))
        others = disturbance.others()
    spans = [span for of_client in repeated for span in of_client.result()]
    times = [answered - asked for asked, answered in spans if begin <= asked and answered <= end]
    row: Row = {"name": name, "ns": (end - begin) / len(times), **_percentiles(times), "others": others}
    if worker is not None:
        info = worker.info()
        if info.total_requests != len(spans) or info.failed_requests:
            raise RuntimeError(f"{len(spans)} calls were made, and the worker says: {info}")
        row["batch"] = info.average_batch_size
    return row
