# SPDX-License-Identifier: Apache-2.0
"""Which room may use which, and what the sources really use.

`violations(root)` reads every include, every add_room and every import below `root` and names what points up.
"""

import ast
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

ROOMS: dict[str, set[str]] = {
    "base": set(),
    "platform": {"base"},
    "memory": {"base", "platform"},
    "registry": {"base", "platform"},
    "tensor": {"base", "platform", "memory"},
    "worker": {"base", "platform", "memory", "tensor", "registry"},
    "backends": {"base", "platform", "memory", "tensor", "registry", "worker"},
    "channel": {"base", "platform", "memory", "tensor", "worker"},
    "oip": {"base", "platform", "tensor", "registry", "worker"},
    "grpc": {"base", "platform", "memory", "tensor", "registry", "worker", "oip"},
    "http": {"base", "platform", "memory", "registry", "tensor", "worker", "oip"},
    "transports": {"base", "platform", "worker", "channel", "grpc", "http"},
}
"""Rooms of cpp/remotemedia and what each may include beside itself."""

PACKAGES: dict[str, set[str]] = {
    "_core": set(),
    "commands": {"_core", "core", "worker"},
    "core": {"_core"},
    "nodes": {"core", "worker"},
    "pipeline": {"core", "nodes"},
    "worker": {"_core", "core"},
}
"""Parts of python/remotemedia and what each may import beside itself. The package's own files may import all."""

EXPORTING = {"base/export.h", "backends/backend_abi.h"}
"""Headers that ask for the operating system to say how it marks what a library exports."""

NAMES_THAT_SAY_NOTHING = ("util", "helper", "common", "misc", "manager")
SOURCE_FOLDERS = ("cpp", "python", "tests", "benchmarks", "examples", "scripts", "cmake")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
SYSTEM_HEADER = re.compile(
    r"(sys|linux|mach|net|netinet|arpa|asm)/.*|(unistd|fcntl|pthread|sched|poll|dlfcn|dirent|semaphore|spawn|termios"
    r"|syscall|pwd|grp|signal|time|windows|winsock2|io|process)\.h"
)
SYSTEM_MACRO = re.compile(r"^\s*#\s*(?:el)?if.*\b(_WIN32|__APPLE__|__linux__|__unix__|_MSC_VER)\b", re.MULTILINE)
PYTHON_HEADER = re.compile(r"Python\.h|(nanobind|pybind11|numpy)/.*")
ADD_ROOM = re.compile(r"add_room\s*\(([^)]*)\)")


def violations(root: Path) -> list[str]:
    """What below `root` breaks the tables above, one sentence each; empty when nothing does."""
    return [*_rooms(root), *_bindings(root), *_packages(root), *_names(root)]


def _rooms(root: Path) -> Iterator[str]:
    for folder in sorted(path for path in (root / "cpp/remotemedia").glob("*") if path.is_dir()):
        room = folder.name
        if room not in ROOMS:
            yield f"cpp/remotemedia/{room}: has no row in tests/layering/layers.py"
            continue
        linked = _linked_rooms(folder / "CMakeLists.txt")
        for other in sorted(linked - ROOMS[room]):
            yield f"cpp/remotemedia/{room}/CMakeLists.txt: {room} may not use {other}"
        for path in _sources(folder):
            text, name = path.read_text(), path.relative_to(root)
            for mark, header in INCLUDE.findall(text):
                yield from (f"{name}: {fault}" for fault in _include_faults(room, mark, header, linked))
            if SYSTEM_MACRO.search(text) and str(path.relative_to(folder.parent)) not in EXPORTING:
                yield f"{name}: asks for the operating system; the build chooses platform files"


def _include_faults(room: str, mark: str, header: str, linked: set[str]) -> Iterator[str]:
    if header.startswith("remotemedia/"):
        other = header.split("/")[1]
        if other not in {room, *ROOMS[room]}:
            yield f"{room} may not include {header}"
        elif other not in {room, *linked}:
            yield f"includes {header}, but {room} does not name {other} in USES"
    elif SYSTEM_HEADER.fullmatch(header) and room != "platform":
        yield f"only platform may include <{header}>"
    elif PYTHON_HEADER.fullmatch(header):
        yield f"only python/src may include <{header}>"
    elif mark == '"':
        yield f"includes {header} without its path remotemedia/<room>/"


def _linked_rooms(lists: Path) -> set[str]:
    linked: set[str] = set()
    for call in ADD_ROOM.findall(lists.read_text()) if lists.exists() else []:  # one for each kind of build
        words = call.split()
        if "USES" in words:
            linked.update(takewhile(lambda word: word != "LINKS", words[words.index("USES") + 1 :]))
    return linked


def _bindings(root: Path) -> Iterator[str]:
    for path in _sources(root / "python/src"):
        for _, header in INCLUDE.findall(path.read_text()):
            if SYSTEM_HEADER.fullmatch(header):
                yield f"{path.relative_to(root)}: only platform may include <{header}>"


def _packages(root: Path) -> Iterator[str]:
    package = root / "python/remotemedia"
    for path in sorted(package.rglob("*.py")):
        module = path.relative_to(package.parent).with_suffix("").parts
        part = module[1]
        if len(module) == 2 and part.startswith("__"):  # the package's own files
            continue
        name = path.relative_to(root)
        if part not in PACKAGES:
            yield f"{name}: remotemedia.{part} has no row in tests/layering/layers.py"
            continue
        for other, line in _imported_parts(path, module):
            if other not in {part, *PACKAGES[part]}:
                yield f"{name}:{line}: remotemedia.{part} may not import remotemedia{'.' if other else ''}{other}"


def _imported_parts(path: Path, module: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Each part of remotemedia that a file imports, "" for the package itself, with the line."""
    package = module[:-1]
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = list(package[: len(package) - node.level + 1]) if node.level else []
            base = above + (node.module.split(".") if node.module else [])
            names = [[*base, alias.name] if base == ["remotemedia"] else base for alias in node.names]
        else:
            continue
        for parts in names:
            if parts[0] == "remotemedia":
                part = parts[1] if len(parts) > 1 else ""
                yield part if part in PACKAGES else "", node.lineno


def _names(root: Path) -> Iterator[str]:
    for folder in SOURCE_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if "__pycache__" not in path.parts and any(word in path.name.lower() for word in NAMES_THAT_SAY_NOTHING):
                yield f"{path.relative_to(root)}: the name does not say what the thing is"


def _sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in {".h", ".cpp"})
