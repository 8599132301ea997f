# SPDX-License-Identifier: Apache-2.0
"""Memory of a process as PSS: its private pages and its share of those that other processes map too."""

from pathlib import Path


def parse_pss(smaps_rollup: str) -> int:
    """Bytes of PSS in the text of a `smaps_rollup` file.

    Raises:
        ValueError: It states none.
    """
    for line in smaps_rollup.splitlines():
        name, _, value = line.partition(":")
        if name == "Pss":
            return int(value.split()[0]) * 1024
    raise ValueError("no line 'Pss:' in smaps_rollup")


def pss_bytes(process: int | str = "self") -> int:
    """PSS of a process now, in bytes.

    Raises:
        OSError: There is no such process, or the system has no such file (Linux has, since 4.14).
    """
    return parse_pss(Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii"))
