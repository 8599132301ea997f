# SPDX-License-Identifier: Apache-2.0
"""What a user writes: it runs with the installed package, and mypy --strict accepts it and sees the model's type."""

import threading
from dataclasses import dataclass

import remotemedia as rm


@dataclass
class Vocabulary:
    """A model of three words."""

    words: tuple[str, ...] = ("one", "two", "three")


loads = 0


def load() -> Vocabulary:
    """Counts itself."""
    global loads  # noqa: PLW0603
    loads += 1
    return Vocabulary()


async def load_soon() -> Vocabulary:
    """The same from a coroutine."""
    return load()


async def first_word(registry: rm.ModelRegistry) -> str:
    """The type of the model comes through the coroutine."""
    with await registry.get_or_load_async("vocabulary@cpu", load_soon) as handle:
        word: str = handle.model.words[0]
        return word


def main() -> None:
    """Many threads, one load, one hold each."""
    registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=0.0, max_models=2, eviction_policy="lru"))
    handles: list[rm.ModelHandle[Vocabulary]] = []
    threads = [
        threading.Thread(target=lambda: handles.append(registry.get_or_load("vocabulary@cpu", load))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count: int = sum(len(handle.model.words) for handle in handles)
    if (count, loads) != (24, 1):
        raise SystemExit(f"{count} words, {loads} loads")

    holders: list[str] = registry.list_models()[0].holders
    rate: float = registry.metrics().hit_rate
    print(f"{len(holders)} holders, hit rate {rate:.2f}")
    for handle in handles:
        handle.release()
    try:
        registry.get_or_load("broken@cpu", lambda: Vocabulary(words=tuple(open("/no/such/file"))))  # noqa: PTH123, SIM115
    except rm.LoadFailed as error:
        print(f"told: {error.__cause__!r}")
    else:
        raise SystemExit("a failed load must raise")
    print("user program: ok")


if __name__ == "__main__":
    main()
