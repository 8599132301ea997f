# SPDX-License-Identifier: Apache-2.0
"""Packages that only some nodes need, imported when they are needed."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from remotemedia.core.errors import LoadFailed


def import_package(module: str, *, needed_by: str, install: str) -> Any:
    """Imports module.

    Args:
        module: Its import name.
        needed_by: Who asks, for the message.
        install: The command that brings it, for the message.

    Raises:
        LoadFailed: If it is not installed; its cause is the ModuleNotFoundError.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(module, needed_by, install) from error


def package_folder(module: str, *, needed_by: str, install: str) -> Path:
    """The folder of a package, found without importing it.

    Raises:
        LoadFailed: If it is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(module, needed_by, install)
    return Path(next(iter(spec.submodule_search_locations)))


def _missing(module: str, needed_by: str, install: str) -> LoadFailed:
    return LoadFailed(f"{needed_by} needs the package {module}, which cannot be imported here; install it: {install}")
