# SPDX-License-Identifier: Apache-2.0
"""What a registry holds, and how often it loaded each model."""

import threading
from collections import Counter

from examples.speech_demo.run.events import ModelCounted
from remotemedia import ModelRegistry, RegistryEvent

_PATIENCE_SECONDS = 10.0


class RegistryCount:
    """Counts the loads of each key in one registry, from the moment it is made."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._loads: Counter[str] = Counter()
        self._changed = threading.Condition()
        registry.subscribe(self._take)

    def models(self, number: int) -> list[ModelCounted]:
        """The models that the registry lists now; number is the registry's among several.

        Raises:
            RuntimeError: The registry told of fewer loads than its metrics have.
        """
        loads = self._registry.metrics().loads
        with self._changed:
            if not self._changed.wait_for(lambda: sum(self._loads.values()) >= loads, _PATIENCE_SECONDS):
                raise RuntimeError(f"the registry's metrics have {loads} loads, its events {dict(self._loads)}")
        return [
            ModelCounted(number, each.key, each.state, self._loads[each.key], each.access_count, tuple(each.holders))
            for each in self._registry.list_models()
        ]

    def _take(self, event: RegistryEvent) -> None:
        if event.kind == "loaded":
            with self._changed:
                self._loads[event.key] += 1
                self._changed.notify_all()
