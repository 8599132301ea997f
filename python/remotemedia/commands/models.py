# SPDX-License-Identifier: Apache-2.0
"""`remotemedia models`: what an endpoint of gRPC serves, and who holds it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

from remotemedia.commands.command_error import CommandError, ExitCode, named
from remotemedia.commands.command_parser import add_command
from remotemedia.commands.tensor_values import signature_object
from remotemedia.commands.worker_connection import add_endpoint_of_models, connect_models
from remotemedia.core.errors import RemoteMediaError
from remotemedia.worker.remote_models import RemoteModel

_FIELDS = ("state", "serving", "memory_bytes", "leases", "load_seconds", "last_used")
"""Of RemoteModel."""
_NUMBERS = ("memory_bytes", "leases", "load_seconds")
"""Of these, what stands to the right."""


def add_to(commands: Any) -> None:
    """Its arguments."""
    parser = add_command(
        commands,
        "models",
        _run,
        help="the models of an endpoint, and who holds them",
        description="Lists what an endpoint of gRPC serves: each model's state, bytes and leases.",
        epilog="exit codes: 0 done, 1 no answer, 2 wrong arguments, 4 no worker there",
    )
    add_endpoint_of_models(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="(default: text)")


def _run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:  # noqa: ARG001
    try:
        models = connect_models(arguments).list_models()
    except RemoteMediaError as error:
        raise CommandError(ExitCode.FAILED, named(error)) from error
    if arguments.format == "json":
        print(json.dumps([_object(model) for model in models], ensure_ascii=False))
    else:
        rows = [("model", *_FIELDS), *((model.name, *(_text(model, name) for name in _FIELDS)) for model in models)]
        for line in _aligned(rows):
            print(line)
    return ExitCode.DONE


def _object(model: RemoteModel) -> dict[str, Any]:
    fields = {name: getattr(model, name) for name in ("name", "device", *_FIELDS)}
    return {**fields, "signature": signature_object(model.signature)}


def _text(model: RemoteModel, name: str) -> str:
    value = getattr(model, name)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "last_used":
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    names = rows[0]
    widths = [max(len(row[column]) for row in rows) for column in range(len(names))]
    lines = []
    for row in rows:
        words = zip(names, row, widths, strict=True)
        lines.append(
            "  ".join(w.rjust(width) if name in _NUMBERS else w.ljust(width) for name, w, width in words).rstrip()
        )
    return lines
