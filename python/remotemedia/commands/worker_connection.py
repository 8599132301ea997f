# SPDX-License-Identifier: Apache-2.0
"""What the commands that call a worker have in common: where it is, and what it means that nobody is there."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any, TypeVar

from remotemedia.commands import wire_access
from remotemedia.commands.command_error import CommandError, ExitCode, first_line, named
from remotemedia.core.errors import InvalidArgument, RemoteMediaError, WorkerUnavailable
from remotemedia.worker.model_worker_client import ModelWorkerClient
from remotemedia.worker.remote_models import RemoteModels

T = TypeVar("T")


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    """Where the worker is."""
    _add_endpoint(parser, "unix:PATH, grpc://HOST:PORT[#MODEL] or grpc+unix:PATH[#MODEL]")
    parser.add_argument(
        "--transport",
        choices=("auto", "shared_memory", "grpc"),
        default="auto",
        help="auto takes shared memory where both sides share machine and user (default: auto)",
    )


def add_endpoint_of_models(parser: argparse.ArgumentParser) -> None:
    """Where models are."""
    _add_endpoint(parser, "grpc://HOST:PORT or grpc+unix:PATH")


def _add_endpoint(parser: argparse.ArgumentParser, endpoints: str) -> None:
    parser.add_argument("endpoint", metavar="ENDPOINT", help=f"where the worker serves: {endpoints}")
    parser.add_argument(
        "--connect-timeout",
        type=seconds,
        default=1.0,
        metavar="SECONDS",
        help="how long to wait for a worker there (default: 1)",
    )
    wire_access.add_to(parser, "at grpc:// endpoints that want it", ca_help="whom to trust")


def connect(arguments: argparse.Namespace) -> ModelWorkerClient:
    """A client of the worker.

    Raises:
        CommandError: There is none, or it refuses.
    """
    return _reached(arguments, ModelWorkerClient.connect, transport=arguments.transport)


def connect_models(arguments: argparse.Namespace) -> RemoteModels:
    """What lists the models there.

    Raises:
        CommandError: Nobody is there, or he refuses.
    """
    return _reached(arguments, RemoteModels.connect)


def _reached(arguments: argparse.Namespace, connect: Callable[..., T], **options: Any) -> T:
    try:
        return connect(
            arguments.endpoint,
            timeout=arguments.connect_timeout,
            tls=wire_access.tls_of(arguments),
            token=wire_access.token_of(arguments),
            **options,
        )
    except InvalidArgument as error:
        raise CommandError(ExitCode.WRONG_ARGUMENTS, first_line(error)) from error
    except (WorkerUnavailable, OSError) as error:
        raise CommandError(ExitCode.ENDPOINT_FAILED, named(error)) from error
    except RemoteMediaError as error:
        raise CommandError(ExitCode.FAILED, named(error)) from error


def seconds(word: str) -> float:
    """A typed number of seconds.

    Raises:
        ArgumentTypeError: It is none, or negative.
    """
    return _number(word, "a number of seconds", least=0.0)


def positive(word: str) -> float:
    """A typed number above zero.

    Raises:
        ArgumentTypeError: It is none.
    """
    return _number(word, "a number above 0", least=math.ulp(0.0))


def _number(word: str, meaning: str, *, least: float) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not least <= number < math.inf:
        raise argparse.ArgumentTypeError(f"'{word}' is not {meaning}")
    return number
