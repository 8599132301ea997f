# SPDX-License-Identifier: Apache-2.0
"""`remotemedia serve`: serves a model to the processes of this machine."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from remotemedia.commands import log_output, model_file, systemd
from remotemedia.commands.command_error import CommandError, ExitCode, first_line, named
from remotemedia.commands.model_loader import is_loader, load_model, module_of
from remotemedia.commands.named_values import read_value
from remotemedia.commands.serve_arguments import add_parser, of_a_file, of_a_loader, words_of, worker_config
from remotemedia.core.errors import InvalidArgument, LoadFailed, RemoteMediaError
from remotemedia.worker.inference_model import InferenceModel
from remotemedia.worker.model_worker import ModelWorker
from remotemedia.worker.worker_config import WorkerConfig

_log = logging.getLogger("remotemedia")


def add_to(commands: Any) -> None:
    """Its arguments."""
    add_parser(commands, _run)


def _run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    if arguments.systemd_notify:
        systemd.check_notify_socket()
    if Path(arguments.target).is_file():
        if loaders := of_a_loader(arguments):
            raise _wrong(
                f"for loaders, not for files: {' '.join(loaders)}; an engine's options are --option NAME=VALUE"
            )
        return model_file.serve_file(arguments.target, [*words_of(arguments), *rest])
    strange = [*of_a_file(arguments), *rest]
    if is_loader(arguments.target) and strange:
        raise _wrong(f"not for a loader: {' '.join(strange)}")
    return _serve_loader(arguments)


def _serve_loader(arguments: argparse.Namespace) -> int:
    try:
        config = worker_config(arguments)
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
    try:
        finished = worker.serve(*arguments.endpoint or (), on_ready=_Ready(worker, stdout, arguments))
    except LoadFailed as error:
        raise CommandError(ExitCode.LOAD_FAILED, first_line(error)) from error
    except (RemoteMediaError, OSError) as error:
        raise CommandError(ExitCode.ENDPOINT_FAILED, first_line(error)) from error
    accepted = f"{worker.status().total_requests} accepted requests"
    _log.info(f"ended, all {accepted} answered" if finished else f"ended, some of {accepted} cut off")
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
    """Tells who started this that the model can be called, and systemd."""

    def __init__(self, worker: ModelWorker, stdout: IO[str], arguments: argparse.Namespace) -> None:
        self._worker = worker
        self._stdout = stdout
        self._json = arguments.log_format == "json"
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


def _wrong(message: str) -> CommandError:
    return CommandError(ExitCode.WRONG_ARGUMENTS, message)
