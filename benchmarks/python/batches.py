# SPDX-License-Identifier: Apache-2.0
"""How long one of a batch of 256 takes, in one process that stays on one CPU."""

import time
from collections.abc import Callable

from benchmarks.python.disturbance import Disturbance

BATCH = 256
SECONDS = 0.2

Batch = Callable[[], None]


def measure(name: str, batch: Batch) -> dict[str, object]:
    """Runs `batch` for a while.

    Args:
        name: What the arm is called.
        batch: Does the thing 256 times.
    """
    for _ in range(20):
        batch()
    times: list[int] = []
    clock = time.perf_counter_ns
    disturbance = Disturbance()
    began = now = clock()
    while now - began < SECONDS * 1e9:
        batch()
        before, now = now, clock()
        times.append(now - before)
    others, off_cpu = disturbance.others(), disturbance.off_cpu()
    mean = (now - began) / len(times) / BATCH
    p99 = sorted(times)[len(times) * 99 // 100] / BATCH
    return {"name": name, "ns": mean, "p99_ns": p99, "others": others, "off_cpu": off_cpu}
