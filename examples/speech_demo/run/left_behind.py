# SPDX-License-Identifier: Apache-2.0
"""What a run has left: processes of its session, sockets in its folder, names of shared memory."""

import os
from pathlib import Path

from examples.speech_demo.run.events import LeftBehind

_SHARED_MEMORY = Path("/dev/shm")
_SESSION_FIELD = 3
"""Of /proc/PID/stat, counted from the state, which follows the name."""


def shared_memory_names() -> set[str]:
    """Those of this machine."""
    return {path.name for path in _SHARED_MEMORY.iterdir()} if _SHARED_MEMORY.is_dir() else set()


def look_for_what_is_left(folder: Path, shared_memory_before: set[str]) -> LeftBehind:
    """What there is beside this process, which leads its session. Memory without a name goes with its processes."""
    session = os.getsid(0)
    processes = [process for process in _processes() if process != os.getpid() and _session_of(process) == session]
    sockets = sorted(str(path) for path in folder.rglob("*") if path.is_socket())
    new = sorted(shared_memory_names() - shared_memory_before)
    return LeftBehind(tuple(processes), tuple(sockets), tuple(new))


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _session_of(process: int) -> int | None:
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:  # it has ended
        return None
    return int(stat.rpartition(")")[2].split()[_SESSION_FIELD])
