# SPDX-License-Identifier: Apache-2.0
"""`remotemedia status`: what a worker says of itself."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from remotemedia.commands.command_error import CommandError, ExitCode, named
from remotemedia.commands.command_parser import add_command
from remotemedia.commands.tensor_values import described, signature_object
from remotemedia.commands.worker_connection import add_endpoint, connect
from remotemedia.core.errors import RemoteMediaError

_FIELDS = (
    "model_id",
    "worker_id",
    "pid",
    "status",
    "reason",
    "uptime_seconds",
    "current_load",
    "queue_depth",
    "max_batch_size",
    "average_batch_size",
    "average_latency_ms",
    "p50_latency_ms",
    "p99_latency_ms",
    "total_requests",
    "failed_requests",
    "cancelled_requests",
    "expired_requests",
    "rejected_requests",
    "sessions",
    "shared_memory_bytes",
)
"""Of WorkerInfo."""


def add_to(commands: Any) -> None:
    """Its arguments."""
    parser = add_command(
        commands,
        "status",
        _run,
        help="what a worker serves, and how it is",
        description="Prints what a worker says of itself: state, counts, what its model takes and gives.",
        epilog="exit codes: 0 healthy, 1 not healthy or no answer, 2 wrong arguments, 4 no worker there",
    )
    add_endpoint(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="(default: text)")


def _run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:  # noqa: ARG001
    with connect(arguments) as client:
        try:
            info = client.status()
            healthy = client.health_check()
            signature = client.signature()
        except RemoteMediaError as error:
            raise CommandError(ExitCode.FAILED, named(error)) from error
    fields: dict[str, Any] = {"healthy": healthy, **{name: getattr(info, name) for name in _FIELDS}}
    if arguments.format == "json":
        print(json.dumps({**fields, "signature": signature_object(signature)}, ensure_ascii=False))
    else:
        batched = signature.max_batch_size > 0
        inputs = [described(spec, batched=batched) for spec in signature.inputs]
        outputs = [described(spec, batched=batched) for spec in signature.outputs]
        lines = {**fields, "inputs": inputs, "outputs": outputs, "stateful": signature.stateful}
        for name, value in lines.items():
            print(f"{name:<21}{_text(value)}".rstrip())
    return ExitCode.DONE if healthy else ExitCode.FAILED


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value) or "whatever it is given"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
