# SPDX-License-Identifier: Apache-2.0
"""A model file is served by the program remotemedia-model-worker, which takes this one's place.

The package brings it along, and the backends that it finds, where the machine that built it had what they need.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from remotemedia import _core
from remotemedia.commands.command_error import CommandError, ExitCode

PROGRAM = "remotemedia-model-worker"
_BACKENDS = "REMOTEMEDIA_BACKEND_PATH"
_PACKAGE = Path(_core.__file__).parent


def serve_file(path: str, options: Sequence[str], *, replace: bool = os.name != "nt") -> int:
    """Replaces this process, or runs the program as a child and returns its exit code.

    Args:
        path: The model's file.
        options: Of the program.
        replace: Whether the program takes this process's place, which Windows has not.

    Raises:
        CommandError: The program is not there, or does not start.
    """
    program = own_program() or shutil.which(PROGRAM)
    if program is None:
        raise CommandError(
            ExitCode.LOAD_FAILED,
            f"'{path}' is served by {PROGRAM}, which is neither in this package nor on PATH: "
            "build it with -DREMOTEMEDIA_BUILD_PROGRAMS=ON, or serve a loader, package.module:loader",
        )
    return _run(program, ["--model-path", path, *options], replace=replace)


def main() -> int:
    """The program of this package, with the words of this process."""
    program = own_program()
    if program is None:
        print(f"{PROGRAM}: this package was built without it: it needs CLI11 and spdlog", file=sys.stderr)
        return ExitCode.FAILED
    try:
        return _run(program, sys.argv[1:], replace=os.name != "nt")
    except CommandError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return ExitCode.FAILED


def own_program() -> str | None:
    """The one that this package has."""
    return shutil.which(PROGRAM, path=str(_PACKAGE / "bin"))


def _run(program: str, words: Sequence[str], *, replace: bool) -> int:
    folders = [os.environ.get(_BACKENDS, ""), str(_PACKAGE / "backends")]
    environment = {**os.environ, _BACKENDS: os.pathsep.join(folder for folder in folders if folder)}
    command = [program, *words]
    try:
        if not replace:
            return _run_as_child(command, environment)
        for inherited in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
            signal.signal(inherited, signal.SIG_DFL)
        os.execve(program, command, environment)
    except OSError as error:
        raise CommandError(ExitCode.LOAD_FAILED, f"{program} does not start: {error.strerror}") from error


def _run_as_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    with subprocess.Popen(command, env=environment) as child:
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the child hears it too, and drains
                return child.wait()
