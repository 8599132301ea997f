# SPDX-License-Identifier: Apache-2.0
"""What systemd is told of a service of Type=notify."""

from __future__ import annotations

import os
import socket

from remotemedia.commands.command_error import CommandError, ExitCode


def check_notify_socket() -> None:
    """Whether somebody listens.

    Raises:
        CommandError: The environment names no socket.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        raise CommandError(
            ExitCode.WRONG_ARGUMENTS,
            "--systemd-notify needs NOTIFY_SOCKET in the environment, which systemd sets for Type=notify",
        )
    if address[0] not in "/@":
        raise CommandError(ExitCode.WRONG_ARGUMENTS, f"NOTIFY_SOCKET is '{address}': neither a path nor @NAME")


def notify(state: str) -> None:
    """Sends one state, such as "READY=1".

    Raises:
        OSError: Nobody takes it.
    """
    address = os.environ["NOTIFY_SOCKET"]
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(state.encode(), address)
