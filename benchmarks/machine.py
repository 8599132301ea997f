# SPDX-License-Identifier: Apache-2.0
"""The machine in general words: what a reader needs to compare figures, and nothing that names it."""

import os
import platform
import subprocess
from pathlib import Path


def describe_machine() -> dict[str, str | int]:
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return {
        "cpus": os.cpu_count() or 0,
        "architecture": platform.machine(),
        "virtual": "hypervisor" in cpu,
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "kernel": ".".join(platform.release().split(".")[:2]),
        "compiler": _first_line(["c++", "--version"]),
        "python": platform.python_version(),
    }


def _first_line(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[0]
