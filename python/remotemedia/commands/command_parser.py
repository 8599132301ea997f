# SPDX-License-Identifier: Apache-2.0
"""The parser of one command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

Run = Callable[[argparse.Namespace, Sequence[str]], int]
"""Runs a command with its arguments and the words that it knows nothing of, and gives the exit code."""


def add_command(
    commands: Any,
    name: str,
    run: Run,
    *,
    help: str,  # noqa: A002
    description: str,
    epilog: str,
    takes_rest: bool = False,
) -> argparse.ArgumentParser:
    """A command, as yet without arguments; description and epilog are printed as they are.

    Args:
        commands: Of the program.
        name: Of the command.
        run: What it does.
        help: What the program's help says of it.
        description: Above its arguments.
        epilog: Below them.
        takes_rest: Whether there may be words that it knows nothing of.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, parser=parser, takes_rest=takes_rest)
    return parser
