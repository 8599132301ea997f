# SPDX-License-Identifier: Apache-2.0
"""From the release of the last hold (ttl 0) until the Python model is gone and its bytes count no more."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from benchmarks.python.disturbance import Disturbance
from remotemedia import ModelRegistry, RegistryConfig

ROUNDS = 300
BYTES = 1 << 20


class LargeModel:
    """Says when it is gone."""

    def __init__(self, gone: threading.Event) -> None:
        self._gone = gone
        self._bytes = bytearray(BYTES)

    def memory_usage(self) -> int:
        return len(self._bytes)

    def __del__(self) -> None:
        self._gone.set()


class BusyThread:
    """Another thread that computes in Python without a pause, so that the GIL is never free for long."""

    def __init__(self) -> None:
        self._stop = False
        self._thread = threading.Thread(target=self._compute)

    def _compute(self) -> None:
        number = 0
        while not self._stop:
            number = (number + 1) % 1_000_003

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop = True
        self._thread.join()


def round_trip(models: ModelRegistry) -> float:
    """Microseconds from release() until the bytes are back."""
    gone = threading.Event()
    handle = models.get_or_load("large", lambda: LargeModel(gone))
    assert models.metrics().total_memory_bytes == BYTES
    began = time.perf_counter_ns()
    handle.release()
    gone.wait()
    while models.metrics().total_memory_bytes != 0:
        time.sleep(0)
    return (time.perf_counter_ns() - began) / 1000


def measure(name: str, company: Callable[[], AbstractContextManager[None]]) -> dict[str, object]:
    models = ModelRegistry(RegistryConfig(ttl_seconds=0))
    round_trip(models)
    disturbance = Disturbance()
    with company():
        times = sorted(round_trip(models) for _ in range(ROUNDS))
    return {
        "name": name,
        "rounds": ROUNDS,
        "others": disturbance.others(),
        "uncounted_p50_us": times[ROUNDS // 2],
        "uncounted_p99_us": times[ROUNDS * 99 // 100],
        "uncounted_max_us": times[-1],
    }


if __name__ == "__main__":
    print(json.dumps([measure("release/python", nullcontext), measure("release/python_busy_thread", BusyThread)]))
