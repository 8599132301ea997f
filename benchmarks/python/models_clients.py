# SPDX-License-Identifier: Apache-2.0
"""Clients that call without a pause: a thread each, which calls again as soon as it is answered."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.python.disturbance import Disturbance
from benchmarks.python.models_served import Worker

SECONDS = 0.8
WARM_UP_SECONDS = 0.2

Call = Callable[[], object]
"""Makes one call, of one stream after the other's answer."""


def measure(
    name: str, calls: Sequence[Call], worker: Worker | None = None, seconds: float = SECONDS
) -> dict[str, object]:
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
    times = sorted(answered - asked for asked, answered in spans if begin <= asked and answered <= end)
    row: dict[str, object] = {
        "name": name,
        "ns": (end - begin) / len(times),
        "p50_ns": times[len(times) // 2],
        "p99_ns": times[len(times) * 99 // 100],
        "others": others,
    }
    if worker is not None:
        info = worker.info()
        if info.total_requests != len(spans) or info.failed_requests:
            raise RuntimeError(f"{len(spans)} calls were made, and the worker says: {info}")
        row["batch"] = info.average_batch_size
    return row
