# SPDX-License-Identifier: Apache-2.0
"""How a command ends when it does not end well."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """Documented in docs/programs.md."""

    DONE = 0
    FAILED = 1
    WRONG_ARGUMENTS = 2
    LOAD_FAILED = 3
    ENDPOINT_FAILED = 4
    CUT_OFF = 5


class CommandError(Exception):
    """One line for whoever typed the command, and the exit code."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def first_line(error: BaseException) -> str:
    """What an error says, without the traceback that follows in some."""
    return str(error).partition("\n")[0]


def named(error: BaseException) -> str:
    """The same with the error's class in front."""
    return f"{type(error).__name__}: {first_line(error)}" if str(error) else type(error).__name__
