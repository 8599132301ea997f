# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over the sources of build/clang, each at most once for what it says.

    clang_tidy.py FOLDERS [ARGUMENT...]

FOLDERS: a regular expression of paths below the repository. What passed is remembered in the user's cache by what
clang makes of the source, its headers and comments included, and by the rules; another checkout of the same asks
nothing anew.
"""

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent.resolve()
BUILD = ROOT / "build/clang"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "remotemedia/clang-tidy"
TIDY = "clang-tidy-14"
KEPT_FOR = 30 * 24 * 3600  # seconds without being asked for
NOISE = re.compile(r"^\d+ warnings?( and \d+ errors?)? (generated|treated as errors?).*\n?", re.MULTILINE)


def output_of(*command: str | Path) -> bytes:
    """What it prints, run in the build folder."""
    return subprocess.run(command, check=True, capture_output=True, cwd=BUILD).stdout


def mark_of(entry: dict[str, str], rules: bytes) -> Path:
    """Where it is remembered that a source passed."""
    command = shlex.split(entry["command"])
    del command[command.index("-o") : command.index("-o") + 2]
    command.remove("-c")
    source = output_of(*command, "-E", "-C", "-dD").replace(bytes(ROOT), b"")
    flags = shlex.join(command).replace(str(ROOT), "").encode()
    folders = [folder / ".clang-tidy" for folder in Path(entry["file"]).parents if folder.is_relative_to(ROOT)]
    own_rules = [file.read_bytes() for file in folders if file.exists()]
    return CACHE / hashlib.sha256(b"\0".join((rules, *own_rules, flags, source))).hexdigest()


def complaints(entry: dict[str, str], arguments: list[str], rules: bytes) -> str:
    """Empty: none."""
    try:
        mark = mark_of(entry, rules)
    except subprocess.CalledProcessError as error:
        return str(error.stderr.decode())
    if mark.exists():
        mark.touch()
        return ""
    checked = subprocess.run(
        [TIDY, "-quiet", "-p", BUILD, *arguments, entry["file"]], capture_output=True, text=True, check=False
    )
    if checked.returncode == 0:
        mark.touch()
        return ""
    return (
        NOISE.sub("", checked.stdout + checked.stderr) or f"{entry['file']}: {TIDY} ended with {checked.returncode}\n"
    )


def main(folders: str, *arguments: str) -> int:
    """0: no source has a complaint."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for mark in CACHE.iterdir():
        if mark.stat().st_mtime < time.time() - KEPT_FOR:
            mark.unlink(missing_ok=True)
    rules = b"\0".join((output_of(TIDY, "--version"), *map(str.encode, arguments)))
    wanted = re.compile(rf"{re.escape(str(ROOT))}/({folders})/")
    entries = [
        each for each in json.loads((BUILD / "compile_commands.json").read_bytes()) if wanted.match(each["file"])
    ]
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for told in threads.map(lambda entry: complaints(entry, list(arguments), rules), entries):
            print(told, end="", flush=True)
            failed += bool(told)
    print(f"{len(entries)} sources, {failed} with complaints")
    return 1 if failed or not entries else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
