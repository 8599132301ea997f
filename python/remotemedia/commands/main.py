# SPDX-License-Identifier: Apache-2.0
"""The program `remotemedia`: reads what was typed, and runs the command."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from remotemedia import _core
from remotemedia.commands import bench, infer, models, serve, status
from remotemedia.commands.command_error import CommandError, ExitCode, named


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with the code for wrong arguments."""
        self.exit(ExitCode.WRONG_ARGUMENTS, f"{self.prog}: {message}; see --help\n")


def main(words: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        words: What stands behind the program's name; None: this process's.

    Returns:
        The exit code.
    """
    parser = Parser(
        prog="remotemedia",
        description="One process loads a model, every process of this machine uses it.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"remotemedia {_core.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (serve, infer, status, models, bench):
        command.add_to(commands)
    arguments, rest = parser.parse_known_args(words)
    chosen: argparse.ArgumentParser = arguments.parser
    if rest and not arguments.takes_rest:
        chosen.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        code = int(arguments.run(arguments, rest))
        sys.stdout.flush()
        return code
    except CommandError as error:
        if error.code == ExitCode.WRONG_ARGUMENTS:
            chosen.error(str(error))
        print(f"{chosen.prog}: {error}", file=sys.stderr)
        return error.code
    except BrokenPipeError:  # nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.FAILED
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)  # whoever waits for this process sees what ended it
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001 - a line is what a program owes
        print(f"{chosen.prog}: {named(error)}", file=sys.stderr)
        return ExitCode.FAILED
