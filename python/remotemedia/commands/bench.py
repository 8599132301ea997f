# SPDX-License-Identifier: Apache-2.0
"""`remotemedia bench`: how fast a worker answers, and how many."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from remotemedia._core import ModelSignature, TensorSpec, WorkerInfo
from remotemedia.commands.bench_report import TABLE_HEAD, batch_size, print_run, run_object
from remotemedia.commands.command_error import CommandError, ExitCode, named
from remotemedia.commands.command_parser import add_command
from remotemedia.commands.load_generator import Caller, Measured, generate
from remotemedia.commands.named_values import named_value
from remotemedia.commands.tensor_values import described
from remotemedia.commands.worker_connection import add_endpoint, connect, positive
from remotemedia.core.errors import RemoteMediaError
from remotemedia.worker.model_worker_client import ModelWorkerClient

_DEFAULT_SECONDS = 5.0
_DESCRIPTION = """\
Calls a worker from many clients, a connection and a thread each, and prints for each number of clients how long calls
took and how many were answered in a second. Inputs are zeros that lie in shared memory: nothing is copied.

Closed loop, unless --rate is given: each client calls again as soon as it is answered, and a call's time counts from
when it began. Open loop, with --rate: calls begin by the clock whatever the answers do, and a call's time counts from
when it should have begun, so that waiting behind a slow answer counts too.
"""
_EPILOG = """\
The columns: calls answered in a second; milliseconds within which 50, 90, 99 and 99.9 of 100 answered calls were
answered, and the longest; rows that the model ran at once, on average, which is right if all calls since the worker
began had as many rows; calls that failed.
All clients are threads of one Python process: where that is busy, the worker could do more than the table says.
Ctrl-C ends it, and what was measured is printed.

exit codes: 0 all calls were answered, 1 some failed or never began, 2 wrong arguments, 4 no worker there
"""


def add_to(commands: Any) -> None:
    """Its arguments."""
    parser = add_command(commands, "bench", _run, help="measure a worker", description=_DESCRIPTION, epilog=_EPILOG)
    add_endpoint(parser)
    parser.add_argument(
        "--shape",
        action="append",
        type=named_value,
        default=[],
        metavar="NAME=1,576",
        help="of an input, with the batch; the signature's unless given, with 1 where it leaves an extent open",
    )
    parser.add_argument(
        "--clients", type=_numbers, default=[1], metavar="N[,N...]", help="how many, one run for each N (default: 1)"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--duration", type=positive, metavar="SECONDS", help="of a run (default: 5)")
    length.add_argument("--calls", type=_number, metavar="N", help="of a run, all clients together")
    parser.add_argument(
        "--rate", type=positive, metavar="CALLS", help="open loop: calls that begin in a second, all clients together"
    )
    parser.add_argument(
        "--timeout", type=positive, default=60.0, metavar="SECONDS", help="after which a call fails (default: 60)"
    )
    parser.add_argument("--json", metavar="FILE", help="write the numbers there too")


def _run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:  # noqa: ARG001
    runs: list[dict[str, Any]] = []
    with connect(arguments) as client, _opened(arguments.json) as file:
        inputs = _inputs(client.signature(), arguments.shape)
        loop = "closed loop" if arguments.rate is None else f"open loop, {arguments.rate:g} calls/s"
        print(
            f"{_status(client).model_id} at {arguments.endpoint}, {loop}:",
            *(described(spec, batched=False) for spec in inputs),
        )
        print(TABLE_HEAD)
        for count in arguments.clients:
            try:
                with _callers(arguments, count, client.signature(), inputs) as callers:
                    measured, batch = _measure(arguments, client, callers, _rows(client.signature(), inputs))
            except KeyboardInterrupt:
                break
            runs.append(run_object(count, measured, batch))
            print_run(runs[-1])
            if measured.interrupted:
                break
        if len(runs) < len(arguments.clients) or runs[-1]["interrupted"]:
            print("interrupted")
        if file is not None:
            shapes = {spec.name: list(spec.shape) for spec in inputs}
            whole = {"endpoint": arguments.endpoint, "rate": arguments.rate, "shapes": shapes, "runs": runs}
            file.write(json.dumps(whole, indent=2) + "\n")
    return ExitCode.FAILED if any(run["errors"] or run["not_begun"] for run in runs) else ExitCode.DONE


def _measure(
    arguments: argparse.Namespace, client: ModelWorkerClient, callers: Sequence[Caller], rows: int
) -> tuple[Measured, float | None]:
    before = _status(client)
    duration = _DEFAULT_SECONDS if arguments.duration is None and arguments.calls is None else arguments.duration
    measured = generate(callers, duration=duration, calls=arguments.calls, rate=arguments.rate)
    try:
        return measured, batch_size(before, client.status(), rows)
    except RemoteMediaError:  # the worker has died meanwhile
        return measured, None


def _inputs(signature: ModelSignature, typed: Sequence[tuple[str, str]]) -> list[TensorSpec]:
    """What each call sends, with the shapes that were typed, the batch included."""
    shapes = {name: _shape(name, text) for name, text in typed}
    batch = [1] if signature.max_batch_size > 0 else []
    specs = {
        spec.name: TensorSpec(spec.name, spec.dtype, [*batch, *(1 if extent < 0 else extent for extent in spec.shape)])
        for spec in signature.inputs
    }
    if not specs:
        if not shapes:
            raise _wrong("the model declares no inputs: --shape NAME=EXTENTS says what to send, as float32")
        return [TensorSpec(name, "float32", shape) for name, shape in shapes.items()]
    for name, shape in shapes.items():
        if name not in specs:
            raise _wrong(f"--shape: the model has no input '{name}', but {', '.join(specs)}")
        specs[name] = TensorSpec(name, specs[name].dtype, shape)
    return list(specs.values())


def _rows(signature: ModelSignature, inputs: Sequence[TensorSpec]) -> int:
    """Of a call; 0 where the model has no batch."""
    return inputs[0].shape[0] if signature.max_batch_size > 0 and inputs[0].shape else 0


@contextlib.contextmanager
def _callers(
    arguments: argparse.Namespace, count: int, signature: ModelSignature, inputs: Sequence[TensorSpec]
) -> Iterator[list[Caller]]:
    """Connected, each with inputs of its own, and answered once."""
    with contextlib.ExitStack() as open_clients:
        callers = []
        for number in range(count):
            client = open_clients.enter_context(connect(arguments))
            try:
                tensors = {spec.name: client.allocate(spec.shape, spec.dtype) for spec in inputs}
                for tensor in tensors.values():
                    tensor.to_numpy()[...] = 0
                session = f"bench {number}" if signature.stateful else None
                callers.append(Caller(client, tensors, session, arguments.timeout))
                callers[-1].infer()
            except RemoteMediaError as error:
                raise CommandError(ExitCode.FAILED, f"the first call failed: {named(error)}") from error
        yield callers


def _opened(path: str | None) -> contextlib.AbstractContextManager[IO[str] | None]:
    if path is None:
        return contextlib.nullcontext()
    try:
        return Path(path).open("w", encoding="utf-8")
    except OSError as error:
        raise _wrong(f"--json: '{path}' cannot be written: {error.strerror}") from error


def _status(client: ModelWorkerClient) -> WorkerInfo:
    try:
        return client.status()
    except RemoteMediaError as error:
        raise CommandError(ExitCode.FAILED, named(error)) from error


def _number(word: str) -> int:
    if not word.isascii() or not word.isdigit() or int(word) == 0:
        raise argparse.ArgumentTypeError(f"'{word}' is not a number above 0")
    return int(word)


def _numbers(word: str) -> list[int]:
    return [_number(each) for each in word.split(",")]


def _shape(name: str, text: str) -> list[int]:
    try:
        extents = [int(extent) for extent in text.split(",")] if text else []
    except ValueError:
        extents = [-1]
    if any(extent < 0 for extent in extents):
        raise _wrong(f"--shape {name}={text}: extents are numbers with commas between them, such as 1,576")
    return extents


def _wrong(message: str) -> CommandError:
    return CommandError(ExitCode.WRONG_ARGUMENTS, message)
