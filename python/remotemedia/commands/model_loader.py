# SPDX-License-Identifier: Apache-2.0
"""Models that a function of the user's loads."""

from __future__ import annotations

import importlib
import inspect
import logging
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from remotemedia.commands.command_error import CommandError, ExitCode, named
from remotemedia.core.loading import takes_progress
from remotemedia.worker.inference_model import InferenceModel

_log = logging.getLogger("remotemedia")

_TARGET = re.compile(r"(?P<module>\w+(\.\w+)*):(?P<loader>\w+(\.\w+)*)")
_PROGRESS_SECONDS = 1.0
"""Between two lines about the same stage."""


def is_loader(target: str) -> bool:
    """Whether a target is written as package.module:loader."""
    return _TARGET.fullmatch(target) is not None


def module_of(target: str) -> str:
    """The module of package.module:loader."""
    return target.partition(":")[0]


def load_model(target: str, arguments: Mapping[str, Any]) -> InferenceModel | Callable[..., Any]:
    """Calls the loader, with something to report its progress to if it has a parameter `progress`.

    The current folder is importable.

    Args:
        target: package.module:loader.
        arguments: Of the loader, by name.

    Raises:
        CommandError: There is no such loader, it does not take the arguments, it raised, or what it returned is no
            model.
    """
    loader = _find_loader(target)
    reporting = "progress" not in arguments and takes_progress(loader)
    called = {**arguments, "progress": _ProgressLines(target)} if reporting else dict(arguments)
    _check_arguments(target, loader, called)
    begin = time.monotonic()
    try:
        model: Any = loader(**called)
    except (Exception, SystemExit) as error:
        raise _load_failed(f"{target} failed: {named(error)}") from error
    if inspect.iscoroutine(model):
        model.close()
        raise _load_failed(f"{target} is a coroutine function: a plain one is called")
    if not isinstance(model, InferenceModel) and not callable(model):
        raise _load_failed(f"{target} returned {type(model).__name__}: a model is an InferenceModel or a callable")
    if isinstance(model, type):
        raise _load_failed(f"{target} returned the class {model.__name__}: a model is an object, so call the class")
    _log.info("%s returned the model after %.3g s", target, time.monotonic() - begin)
    return model  # type: ignore[no-any-return]


def _find_loader(target: str) -> Callable[..., Any]:
    parts = _TARGET.fullmatch(target)
    if parts is None:
        raise _load_failed(f"'{target}' is neither a file nor package.module:loader")
    found: Any = _import(parts["module"])
    for name in parts["loader"].split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise _load_failed(f"{parts['module']} has no '{parts['loader']}'{_offered(found)}") from error
    if not callable(found):
        raise _load_failed(f"{target} is no loader, a function or a class, but {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def _import(module: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise _load_failed(f"no module '{error.name}', in {here} or where Python looks") from error
        raise _load_failed(f"module '{module}' cannot be imported: {named(error)}") from error
    except (Exception, SystemExit) as error:
        raise _load_failed(f"module '{module}' cannot be imported: {named(error)}") from error


def _offered(module: Any) -> str:
    """The functions and classes that a module makes itself."""
    if not isinstance(module, ModuleType):
        return ""
    own = [
        name
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    ]
    return f": it has {', '.join(own[:10])}" if own else ""


def _check_arguments(target: str, loader: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(loader)
    except ValueError:  # of C, without a signature
        return
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise CommandError(
            ExitCode.WRONG_ARGUMENTS, f"{target} takes {signature}: {error}; --arg NAME=VALUE gives it one"
        ) from error


def _load_failed(message: str) -> CommandError:
    return CommandError(ExitCode.LOAD_FAILED, message)


class _ProgressLines:
    """What a loader gets as `progress`: a line for each stage, and one a second within it."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._stage: str | None = None
        self._next = 0.0

    def __call__(self, fraction: float | None, message: str = "") -> None:
        now = time.monotonic()
        if message == self._stage and now < self._next:
            return
        self._stage, self._next = message, now + _PROGRESS_SECONDS
        share = [] if fraction is None else [f"{fraction:.0%}"]
        _log.info("%s: %s", self._target, ", ".join([message or "loading", *share]))
