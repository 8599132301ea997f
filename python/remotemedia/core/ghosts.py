# SPDX-License-Identifier: Apache-2.0
"""Models that were evicted but are still alive with somebody: found again instead of loaded twice."""

import gc
import weakref
from typing import Any

from remotemedia import _core


class Ghosts:
    """What a registry has loaded, by weak references. A model that can have none is not remembered."""

    def __init__(self) -> None:
        self._by_key: dict[str, tuple[weakref.ref[Any], _core.Origin]] = {}

    def remember(self, key: str, model: Any, origin: _core.Origin) -> None:
        """Keeps a weak reference until the model is gone."""
        by_key = self._by_key

        def forget(reference: weakref.ref[Any]) -> None:
            if key in by_key and by_key[key][0] is reference:
                del by_key[key]

        try:
            by_key[key] = weakref.ref(model, forget), origin
        except TypeError:
            by_key.pop(key, None)

    def find(self, key: str) -> tuple[list[Any], _core.Origin] | None:
        """The model, in a list for whoever takes it out, and its origin; None if it is gone."""
        reference, origin = self._by_key.get(key, (None, None))
        if reference is None or origin is None:
            return None
        model = [reference()]
        # What its destructor has seen is no model any more, though somebody brought it back to life.
        return None if model[0] is None or gc.is_finalized(model[0]) else (model, origin)
