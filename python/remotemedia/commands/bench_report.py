# SPDX-License-Identifier: Apache-2.0
"""What is told of a benchmark's runs."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from remotemedia._core import WorkerInfo
from remotemedia.commands.load_generator import Measured

_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}

TABLE_HEAD = "clients    calls/s     p50 ms     p90 ms     p99 ms   p99.9 ms     max ms   batch  failed"


def batch_size(before: WorkerInfo, after: WorkerInfo, rows: int) -> float | None:
    """Rows of a run between two moments, if every call until then had as many; None if that cannot be."""

    def rows_and_runs(info: WorkerInfo) -> tuple[float, float]:
        ran = rows * (info.total_requests - info.cancelled_requests - info.expired_requests)
        return ran, ran / info.average_batch_size if info.average_batch_size > 0 else 0

    rows_before, runs_before = rows_and_runs(before)
    rows_after, runs_after = rows_and_runs(after)
    if rows == 0 or runs_after <= runs_before:
        return None
    batch = (rows_after - rows_before) / (runs_after - runs_before)
    return batch if rows - 0.01 < batch < after.max_batch_size + 0.01 else None


def run_object(clients: int, measured: Measured, batch: float | None) -> dict[str, Any]:
    """A run for JSON."""
    answered = len(measured.latencies)
    milliseconds = {name: 1000 * measured.latency(share) for name, share in _SHARES.items()}
    return {
        "clients": clients,
        "seconds": measured.seconds,
        "answered": answered,
        "calls_per_second": answered / measured.seconds if answered else 0.0,
        "latency_ms": milliseconds if answered else None,
        "average_batch_size": batch,
        "errors": dict(measured.errors),
        "not_begun": measured.not_begun,
        "interrupted": measured.interrupted,
    }


def print_run(run: Mapping[str, Any]) -> None:
    """The same as a line of the table, and what went wrong below it."""
    latencies = run["latency_ms"] or dict.fromkeys(_SHARES, math.nan)
    batch = "-" if run["average_batch_size"] is None else f"{run['average_batch_size']:.2f}"
    columns = " ".join(f"{latencies[name]:>10.3f}" for name in _SHARES)
    failed = sum(run["errors"].values())
    print(f"{run['clients']:>7} {run['calls_per_second']:>10.1f} {columns} {batch:>7} {failed:>7}")
    for name, times in run["errors"].items():
        print(f"        {name}: {times}")
    if run["not_begun"]:
        print(f"        never begun, for this program was too slow: {run['not_begun']}")
    sys.stdout.flush()
