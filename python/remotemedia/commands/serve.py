# SPDX-License-Identifier: Apache-2.0
"""`remotemedia serve`: serves a model to the processes of this machine."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from remotemedia.commands import log_output, model_file, systemd
from remotemedia.commands.command_error import CommandError, ExitCode, first_line, named
from remotemedia.commands.model_loader import is_loader, load_model, module_of
from remotemedia.commands.named_values import named_value, read_value
from remotemedia.core.errors import InvalidArgument, LoadFailed, RemoteMediaError
from remotemedia.worker.inference_model import InferenceModel
from remotemedia.worker.model_worker import ModelWorker
from remotemedia.worker.worker_config import WorkerConfig

_log = logging.getLogger("remotemedia")

_STOPPING_SECONDS = 0.1
"""How long systemd may not know yet that the worker drains."""

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


def add_to(commands: Any) -> None:
    """Its arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "serve",
        help="serve a model, from a loader or a file",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run, parser=parser, takes_rest=True)
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
        metavar="unix:PATH",
        help="where to serve it; may be given several times; a private one unless given",
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
    both.add_argument(
        "--systemd-notify", action="store_true", help="tell systemd, at $NOTIFY_SOCKET, when it is ready and stops"
    )
    loader = parser.add_argument_group("of a loader")
    loader.add_argument(
        "--arg",
        action="append",
        type=named_value,
        metavar="NAME=VALUE",
        help="an argument of the loader; JSON where it can be read as that, else text; may be given several times",
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
_OF_A_FILE = ("backend", "option", "device")
_OF_BOTH = ("model_id", "endpoint", *_LIMITS, "log_format", "log_level", "systemd_notify")


def _run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    if arguments.systemd_notify:
        systemd.check_notify_socket()
    if Path(arguments.target).is_file():
        if arguments.arg:
            raise _wrong("--arg is for loaders: an engine's options are --option NAME=VALUE")
        return model_file.serve_file(arguments.target, [*_words(arguments, (*_OF_BOTH, *_OF_A_FILE)), *rest])
    given = [f"--{name}" for name in _OF_A_FILE if getattr(arguments, name) is not None]
    if is_loader(arguments.target) and (given or rest):
        raise _wrong(f"not for a loader: {' '.join([*given, *rest])}")
    return _serve_loader(arguments)


def _words(arguments: argparse.Namespace, names: Sequence[str]) -> Iterator[str]:
    """The options that were given, as they are typed."""
    for name in names:
        value = getattr(arguments, name)
        option = f"--{name.replace('_', '-')}"
        if value is True:
            yield option
        elif value is not None and value is not False:
            for each in value if isinstance(value, list) else [value]:
                yield from (option, str(each))


def _serve_loader(arguments: argparse.Namespace) -> int:
    limits = {field: getattr(arguments, name) for name, field in _LIMITS.items()}
    try:
        config = WorkerConfig(**{field: value for field, value in limits.items() if value is not None})
    except InvalidArgument as error:
        raise _wrong(str(error)) from error
    log_output.start_log(arguments.log_format or "text", arguments.log_level or "info")
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stdout:
        os.dup2(2, 1)  # what the model prints
        try:
            return _serve(arguments, config, stdout)
        except CommandError as error:
            if error.code == ExitCode.WRONG_ARGUMENTS:
                raise
            _log.error("%s", error, exc_info=error.__cause__ if _log.isEnabledFor(logging.DEBUG) else None)
            return error.code


def _serve(arguments: argparse.Namespace, config: WorkerConfig, stdout: IO[str]) -> int:
    loader_arguments = {name: read_value(text) for name, text in arguments.arg or ()}
    model = _with_id(load_model(arguments.target, loader_arguments), arguments)
    try:
        worker = ModelWorker(model, config)
    except Exception as error:  # what the model's own signature() raised
        raise CommandError(
            ExitCode.LOAD_FAILED, f"what {arguments.target} returned cannot be served: {named(error)}"
        ) from error
    ready = _Ready(worker, stdout, arguments)
    try:
        finished = worker.serve(*arguments.endpoint or (), on_ready=ready)
    except LoadFailed as error:
        raise CommandError(ExitCode.LOAD_FAILED, first_line(error)) from error
    except (RemoteMediaError, OSError) as error:
        raise CommandError(ExitCode.ENDPOINT_FAILED, first_line(error)) from error
    finally:
        ready.end()
    _log.info("ended, all accepted requests answered" if finished else "ended, with requests cut off")
    return ExitCode.DONE if finished else ExitCode.CUT_OFF


def _with_id(model: InferenceModel | Callable[..., Any], arguments: argparse.Namespace) -> InferenceModel:
    if not isinstance(model, InferenceModel):
        own = getattr(model, "model_id", None) or module_of(arguments.target).rpartition(".")[2]
        return InferenceModel.from_callable(model, model_id=arguments.model_id or own)
    if arguments.model_id is not None:
        try:
            model.model_id = arguments.model_id
        except AttributeError as error:
            raise _wrong(f"--model-id: {type(model).__name__} has an id that cannot be set") from error
    return model


class _Ready:
    """Tells who started this that the model can be called, and systemd also when it drains."""

    def __init__(self, worker: ModelWorker, stdout: IO[str], arguments: argparse.Namespace) -> None:
        self._worker = worker
        self._stdout = stdout
        self._json = arguments.log_format == "json"
        self._ended = threading.Event()
        self._watching: threading.Thread | None = None
        self._notifies: bool = arguments.systemd_notify

    def __call__(self, endpoints: list[str]) -> None:
        line = f"ready {' '.join(endpoints)}"
        if self._json:
            event = {"event": "ready", "model": self._worker.status().model_id, "endpoints": endpoints}
            line = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        try:
            print(line, file=self._stdout, flush=True)
            if self._notifies:
                systemd.notify("READY=1")
        except OSError as error:
            raise CommandError(ExitCode.FAILED, f"cannot tell that it is ready: {error.strerror}") from error
        if self._notifies:
            self._watching = threading.Thread(target=self._tell_stopping, name="systemd", daemon=True)
            self._watching.start()

    def end(self) -> None:
        self._ended.set()
        if self._watching is not None:
            self._watching.join()

    def _tell_stopping(self) -> None:
        while not self._ended.wait(_STOPPING_SECONDS) and self._worker.status().status not in (
            "stopping",
            "terminated",
        ):
            pass
        try:
            systemd.notify("STOPPING=1")
        except OSError as error:
            _log.warning("systemd does not hear that the worker stops: %s", error.strerror)


def _wrong(message: str) -> CommandError:
    return CommandError(ExitCode.WRONG_ARGUMENTS, message)
