# SPDX-License-Identifier: Apache-2.0
"""Threads that do not keep the process alive."""

import threading
from collections.abc import Callable

from remotemedia import _core


def start_daemon_thread(target: Callable[[], object], *, name: str) -> None:
    """Runs target() in a daemon thread. The interpreter's end waits until that has begun.

    Raises:
        Cancelled: The interpreter exits.
    """
    starting = _core.ThreadStart()
    threading.Thread(target=target, name=name, daemon=True).start()
    del starting
