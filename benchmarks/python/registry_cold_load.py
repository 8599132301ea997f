# SPDX-License-Identifier: Apache-2.0
"""64 threads, 64 coroutines, or both mixed, ask for one cold key: how many loads?"""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from remotemedia import ModelHandle, ModelRegistry

CALLERS = 64
ROUNDS = 30


class Model:
    """What is loaded."""


class SlowLoader:
    """A load that takes until everybody has come to ask, and a little longer."""

    def __init__(self) -> None:
        self.loads = 0
        self._arrived = 0
        self._lock = threading.Lock()
        self._everybody = threading.Event()

    def arrive(self) -> None:
        with self._lock:
            self._arrived += 1
            if self._arrived == CALLERS:
                self._everybody.set()

    def __call__(self) -> Model:
        with self._lock:
            self.loads += 1
        self._everybody.wait()
        time.sleep(0.002)
        return Model()


Handles = list[ModelHandle[Model]]


def ask_threads(models: ModelRegistry, key: str, loader: SlowLoader, callers: int = CALLERS) -> Handles:
    def ask(_: int) -> ModelHandle[Model]:
        loader.arrive()
        return models.get_or_load(key, loader)

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(ask, range(callers)))


async def _coroutines(models: ModelRegistry, key: str, loader: SlowLoader, callers: int) -> Handles:
    async def ask() -> ModelHandle[Model]:
        loader.arrive()
        return await models.get_or_load_async(key, loader)

    return list(await asyncio.gather(*(ask() for _ in range(callers))))


def ask_coroutines(models: ModelRegistry, key: str, loader: SlowLoader) -> Handles:
    return asyncio.run(_coroutines(models, key, loader, CALLERS))


def ask_mixed(models: ModelRegistry, key: str, loader: SlowLoader) -> Handles:
    async def both() -> Handles:
        threads: Awaitable[Handles] = asyncio.to_thread(ask_threads, models, key, loader, CALLERS // 2)
        halves = await asyncio.gather(threads, _coroutines(models, key, loader, CALLERS // 2))
        return [handle for half in halves for handle in half]

    return asyncio.run(both())


def measure(name: str, ask: Callable[[ModelRegistry, str, SlowLoader], Handles]) -> dict[str, object]:
    models = ModelRegistry()
    most_loads = most_models = 0
    for number in range(ROUNDS):
        loader = SlowLoader()
        handles = ask(models, f"model-{number}", loader)
        assert len(handles) == CALLERS
        most_loads = max(most_loads, loader.loads)
        most_models = max(most_models, len({id(handle.model) for handle in handles}))
    return {
        "name": name,
        "callers": CALLERS,
        "rounds": ROUNDS,
        "most_loads": most_loads,
        "most_models": most_models,
    }


if __name__ == "__main__":
    print(
        json.dumps(
            [
                measure("cold/python_threads", ask_threads),
                measure("cold/python_coroutines", ask_coroutines),
                measure("cold/python_mixed", ask_mixed),
            ]
        )
    )
