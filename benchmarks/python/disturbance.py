# SPDX-License-Identifier: Apache-2.0
"""Who else used the CPU while something was measured, so that disturbed measurements can be thrown away."""

import os
import time
from collections.abc import Sequence
from pathlib import Path


class Disturbance:
    """Watches the CPUs that this process may use, from its construction on.

    The kernel counts in ticks of 10 ms, so over 0.3 s `others` is right to about 0.05.

    Args:
        children: Processes that take part in what is measured. Those that begin later may be added to it meanwhile.
    """

    def __init__(self, children: Sequence[int] = ()) -> None:
        self._children = children
        self._began = time.perf_counter()
        self._machine = _busy_seconds()
        self._ours = self._our_seconds()
        self._thread = time.thread_time()

    def others(self) -> float:
        """How many of these CPUs other processes and the hypervisor (steal) took on average."""
        ours = self._our_seconds() - self._ours
        everybody = _busy_seconds() - self._machine
        return max(0.0, everybody - ours) / (time.perf_counter() - self._began)

    def off_cpu(self) -> float:
        """The part of the time that this thread did not run."""
        return max(0.0, 1 - (time.thread_time() - self._thread) / (time.perf_counter() - self._began))

    def _our_seconds(self) -> float:
        return time.process_time() + sum(time.clock_gettime(cpu_clock_of(child)) for child in self._children)


def cpu_clock_of(process: int) -> int:
    """What clock_getcpuclockid gives on Linux."""
    return ~process << 3 | 2


def _busy_seconds() -> float:
    ours = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    ticks = 0
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *columns = line.split()
        if name in ours:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, columns[:8])
            ticks += user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK")
