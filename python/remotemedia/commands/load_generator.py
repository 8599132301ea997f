# SPDX-License-Identifier: Apache-2.0
"""Calls a worker from many clients at once, and takes the time of each call.

Closed loop: a client calls again as soon as it is answered, so a slow worker is asked less. Open loop: calls begin by
the clock, whatever the answers do, and a call's time counts from when it should have begun, so that what waits behind a
slow answer is seen.
"""

from __future__ import annotations

import collections
import itertools
import math
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from remotemedia._core import TensorBuffer
from remotemedia.worker.model_worker_client import ModelWorkerClient

_LEAD_SECONDS = 0.01
"""For all threads to be there when the first call is due."""


@dataclass(frozen=True)
class Caller:
    """One client, and what it sends in each call."""

    client: ModelWorkerClient
    inputs: Mapping[str, TensorBuffer]
    session_id: str | None
    timeout: float

    def infer(self) -> object:
        """One call."""
        return self.client.infer(self.inputs, session_id=self.session_id, timeout=self.timeout)

    def infer_future(self) -> Future[Any]:
        """One call, without waiting."""
        return self.client.infer_future(self.inputs, session_id=self.session_id, timeout=self.timeout)


@dataclass
class Measured:
    """What came of the calls."""

    seconds: float = 0.0
    """From when the first call was due to the last answer."""
    latencies: list[float] = field(default_factory=list)
    """Seconds of each call that was answered, in ascending order."""
    errors: collections.Counter[str] = field(default_factory=collections.Counter)
    """Calls that failed, by the error's class."""
    not_begun: int = 0
    """Calls that were due in an open loop and that this process was too slow to make."""
    interrupted: bool = False

    def latency(self, share: float) -> float:
        """The smallest latency that this share of the answered calls did not exceed; nan without any."""
        if not self.latencies:
            return math.nan
        return self.latencies[max(0, math.ceil(share * len(self.latencies)) - 1)]


def generate(callers: Sequence[Caller], *, duration: float | None, calls: int | None, rate: float | None) -> Measured:
    """Calls from a thread for each caller, until the time or the calls are used up or Ctrl-C comes.

    Args:
        callers: With a connection each.
        duration: Seconds in which calls begin.
        calls: How many begin, of all callers together.
        rate: Calls that begin in a second, of all callers together; None: closed loop.
    """
    run = _Run(duration, calls)
    body = run.closed_loop if rate is None else lambda caller: run.open_loop(caller, rate)
    threads = [threading.Thread(target=body, args=(caller,), daemon=True) for caller in callers]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        run.interrupt()
        for caller in callers:
            caller.client.close()  # ends what is under way
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    return run.measured()


class _Run:
    def __init__(self, duration: float | None, calls: int | None) -> None:
        self._numbers = itertools.count()
        self._calls = math.inf if calls is None else calls
        self._begin = time.perf_counter() + _LEAD_SECONDS
        self._end = math.inf if duration is None else self._begin + duration
        self._interrupted = threading.Event()
        self._changed = threading.Condition()
        self._under_way = 0
        self._last = self._begin
        self._measured = Measured()

    def closed_loop(self, caller: Caller) -> None:
        self._wait_until(self._begin)
        while not self._interrupted.is_set() and next(self._numbers) < self._calls:
            begin = time.perf_counter()
            if begin >= self._end:
                return
            try:
                caller.infer()
            except Exception as error:  # noqa: BLE001 - counted
                self._count(begin, error)
            else:
                self._count(begin, None)

    def open_loop(self, caller: Caller, rate: float) -> None:
        """Takes the next number, waits until that call is due, and makes it; at the end waits for all answers."""
        while (number := next(self._numbers)) < self._calls:
            due = self._begin + number / rate
            if due >= self._end or not self._wait_until(due):
                break
            if time.perf_counter() >= self._end:
                with self._changed:
                    self._measured.not_begun += 1
                continue
            self._call(due, caller)
        with self._changed:
            self._changed.wait_for(lambda: self._under_way == 0)

    def interrupt(self) -> None:
        with self._changed:
            self._measured.interrupted = True
        self._interrupted.set()

    def measured(self) -> Measured:
        with self._changed:
            self._measured.seconds = self._last - self._begin
            self._measured.latencies.sort()
            return self._measured

    def _call(self, due: float, caller: Caller) -> None:
        def count(future: Future[Any]) -> None:
            self._count(due, future.exception())
            self._add_under_way(-1)

        self._add_under_way(1)
        try:
            future = caller.infer_future()
        except Exception as error:  # noqa: BLE001 - counted
            self._count(due, error)
            self._add_under_way(-1)
        else:
            future.add_done_callback(count)

    def _add_under_way(self, calls: int) -> None:
        with self._changed:
            self._under_way += calls
            self._changed.notify_all()

    def _wait_until(self, moment: float) -> bool:
        """False when the run was interrupted first."""
        return not self._interrupted.wait(max(0.0, moment - time.perf_counter()))

    def _count(self, begin: float, error: BaseException | None) -> None:
        now = time.perf_counter()
        with self._changed:
            if self._measured.interrupted:
                return
            self._last = max(self._last, now)
            if error is None:
                self._measured.latencies.append(now - begin)
            else:
                self._measured.errors[type(error).__name__] += 1
