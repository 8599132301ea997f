# What the stub generator leaves out.
_core.__suffix__:
    __version__: str

# A method of CPython's own kind has no types.
_core.ModelRegistry.get_or_load:
    \from collections.abc import Callable, Mapping
    \from typing import Any
    def get_or_load(self, key: str, loader: Callable[..., T], *, arguments: Mapping[str, Any] | None = None, memory_bytes: int | None = None, keep_alive: float | str | None = None, device: str = 'cpu', timeout: float | None = None, progress: Callable[[LoadProgress], None] | None = None) -> ModelHandle[T]:
        \doc

# The buffer protocol, which Python has no word for before 3.12 and type checkers have.
_core.TensorBuffer.__len__:
    def __len__(self) -> int: ...

    def __buffer__(self, flags: int, /) -> memoryview: ...
