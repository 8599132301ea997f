# SPDX-License-Identifier: Apache-2.0
"""A model file is served by the program remotemedia-model-worker, which takes this one's place."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from remotemedia.commands.command_error import CommandError, ExitCode

PROGRAM = "remotemedia-model-worker"


def serve_file(path: str, options: Sequence[str], *, replace: bool = os.name != "nt") -> int:
    """Replaces this process, or runs the program as a child and returns its exit code.

    Args:
        path: The model's file.
        options: Of the program.
        replace: Whether the program takes this process's place, which Windows has not.

    Raises:
        CommandError: The program is not there, or does not start.
    """
    program = _find_program()
    if program is None:
        raise CommandError(
            ExitCode.LOAD_FAILED,
            f"'{path}' is served by {PROGRAM}, which is neither beside {sys.executable} nor on PATH: "
            "build it with -DREMOTEMEDIA_BUILD_PROGRAMS=ON, or serve a loader, package.module:loader",
        )
    command = [program, "--model-path", path, *options]
    try:
        if not replace:
            return _run_as_child(command)
        for inherited in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
            signal.signal(inherited, signal.SIG_DFL)
        os.execv(program, command)
    except OSError as error:
        raise CommandError(ExitCode.LOAD_FAILED, f"{program} does not start: {error.strerror}") from error


def _find_program() -> str | None:
    folders = [str(Path(sys.executable).parent), sysconfig.get_path("scripts")]
    return shutil.which(PROGRAM, path=os.pathsep.join(folders)) or shutil.which(PROGRAM)


def _run_as_child(command: Sequence[str]) -> int:
    with subprocess.Popen(command) as child:
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the child hears it too, and drains
                return child.wait()
