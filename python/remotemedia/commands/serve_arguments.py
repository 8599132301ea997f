# SPDX-License-Identifier: Apache-2.0
"""The arguments of `remotemedia serve`, for a loader and for a file."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import Any

from remotemedia.commands import log_output, wire_access
from remotemedia.commands.command_parser import Run, add_command
from remotemedia.commands.named_values import named_value
from remotemedia.worker.worker_config import WorkerConfig

_DESCRIPTION = """\
Serves a model to the processes of this machine, until SIGTERM or SIGINT.

TARGET is one of
  package.module:loader  a function or a class, called with --arg as its keyword arguments, that gives an
                         InferenceModel or a callable over arrays; the current folder is importable
  FILE                   a model file, which remotemedia-model-worker serves: it takes this program's place, with
                         these options and any of its own
"""
_EPILOG = """\
One line goes to standard output when the model can be called: "ready ENDPOINT...", or with --log-format json
{"event":"ready","model":ID,"endpoints":[...]}. The log goes to standard error, and with it what the model prints.

The first SIGTERM or SIGINT drains: what was accepted is answered, what is new is rejected. A second one ends the
waiting, a third the process.

exit codes: 0 ended as asked, 1 anything else, 2 wrong arguments, 3 the model cannot be loaded, 4 it cannot listen,
5 ended as asked, requests were cut off
"""


def add_parser(commands: Any, run: Run) -> None:
    """What can be typed."""
    parser = add_command(
        commands,
        "serve",
        run,
        help="serve a model, from a loader or a file",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        takes_rest=True,
    )
    parser.add_argument("target", metavar="TARGET")
    both = parser.add_argument_group("options")
    both.add_argument(
        "--model-id",
        metavar="ID",
        help="what status and errors call it; the model's own, or the module's or file's name, unless given",
    )
    both.add_argument(
        "--endpoint",
        action="append",
        metavar="ENDPOINT",
        help="where to serve it: unix:PATH, grpc://HOST:PORT, grpc+unix:PATH or http://HOST:PORT; may be given "
        "several times; a private one unless given",
    )
    both.add_argument("--max-batch-size", type=int, metavar="N", help="rows that run together (default: 8)")
    both.add_argument(
        "--batch-delay-us", type=int, metavar="N", help="how long a batch that is not full waits for more (default: 0)"
    )
    both.add_argument(
        "--instances",
        type=int,
        metavar="N",
        help="batches that run at once; more than 1 needs a thread-safe model (default: 1)",
    )
    both.add_argument(
        "--max-queue", type=int, metavar="N", help="requests that wait; beyond, they are rejected (default: 1024)"
    )
    both.add_argument(
        "--max-concurrent-requests",
        type=int,
        metavar="N",
        help="unanswered requests of one client; beyond, they are rejected (default: 100)",
    )
    both.add_argument(
        "--drain-timeout",
        type=float,
        metavar="SECONDS",
        help="for accepted requests after SIGTERM or SIGINT (default: 30)",
    )
    both.add_argument("--log-format", choices=log_output.FORMATS, help="(default: text)")
    both.add_argument("--log-level", choices=log_output.LEVELS, help="(default: info)")
    both.add_argument("--systemd-notify", action="store_true", help="tell systemd, at $NOTIFY_SOCKET, when it is ready")
    wire_access.add_to(
        parser, "who may call at grpc:// and http:// endpoints", ca_help="serve only clients with a certificate of it"
    )
    parser.add_argument("--insecure", action="store_true", help="listen beyond this machine without TLS or a token")
    parser.add_argument(
        "--allow-client-shared-memory",
        action="store_true",
        help="take inputs from, and give outputs to, shared memory of this user that clients name",
    )
    loader = parser.add_argument_group("of a loader")
    loader.add_argument(
        "--arg",
        action="append",
        type=named_value,
        metavar="NAME=VALUE",
        help="an argument of the loader; JSON where it can be read as that, else text; may be given several times",
    )
    loader.add_argument(
        "--concurrent-streams",
        type=int,
        metavar="N",
        help="streams open at once, resumed in turn; more than 1 needs a model that allows it (default: 1)",
    )
    loader.add_argument(
        "--stream-window",
        type=int,
        metavar="N",
        help="unread answers of a stream, after which it is not resumed (default: 16)",
    )
    loader.add_argument(
        "--session-idle", type=float, metavar="SECONDS", help="after which an idle session is closed (default: 300)"
    )
    file = parser.add_argument_group("of a file; remotemedia-model-worker --help says more")
    file.add_argument("--backend", metavar="NAME|PATH", help="the engine")
    file.add_argument("--option", action="append", metavar="NAME=VALUE", help="one of the engine's own options")
    file.add_argument("--device", metavar="DEVICE", help="where it runs (default: cpu)")


_LIMITS = {
    "max_batch_size": "max_batch_size",
    "batch_delay_us": "batch_delay_us",
    "instances": "instances",
    "max_queue": "max_queue",
    "max_concurrent_requests": "max_concurrent_requests",
    "drain_timeout": "drain_timeout_seconds",
}
"""Arguments, and the fields of WorkerConfig that they are."""
_LIMITS_OF_A_LOADER = {
    "concurrent_streams": "concurrent_streams",
    "stream_window": "stream_window",
    "session_idle": "session_idle_seconds",
}
_OF_A_FILE = ("backend", "option", "device")
_OF_BOTH = (
    "model_id",
    "endpoint",
    *_LIMITS,
    *wire_access.NAMES,
    "insecure",
    "allow_client_shared_memory",
    "log_format",
    "log_level",
    "systemd_notify",
)


def worker_config(arguments: argparse.Namespace) -> WorkerConfig:
    """The limits that were given.

    Raises:
        InvalidArgument: One makes no sense.
    """
    limits = {field: getattr(arguments, name) for name, field in {**_LIMITS, **_LIMITS_OF_A_LOADER}.items()}
    return WorkerConfig(
        tls=wire_access.tls_of(arguments),
        token=wire_access.token_of(arguments),
        insecure=arguments.insecure,
        allow_client_shared_memory=arguments.allow_client_shared_memory,
        **{field: value for field, value in limits.items() if value is not None},
    )


def of_a_file(arguments: argparse.Namespace) -> list[str]:
    """The options that were given and that are only for files."""
    return _given(arguments, _OF_A_FILE)


def of_a_loader(arguments: argparse.Namespace) -> list[str]:
    """The options that were given and that are only for loaders."""
    return _given(arguments, ("arg", *_LIMITS_OF_A_LOADER))


def _given(arguments: argparse.Namespace, names: Iterable[str]) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name in names if getattr(arguments, name) is not None]


def words_of(arguments: argparse.Namespace) -> Iterator[str]:
    """The options for a file that were given, as they are typed."""
    for name in (*_OF_BOTH, *_OF_A_FILE):
        value = getattr(arguments, name)
        option = f"--{name.replace('_', '-')}"
        if value is True:
            yield option
        elif value is not None and value is not False:
            for each in value if isinstance(value, list) else [value]:
                yield from (option, str(each))
