# SPDX-License-Identifier: Apache-2.0
"""remotemedia.registry(), get_or_load and get_or_load_async; names and errors of the package."""

import asyncio
import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import remotemedia as rm
import remotemedia.core.model_registry
from tests.python.core.gated_load import Model

NAMES = (
    "registry get_or_load get_or_load_async LoadProgress EvictionPolicy RegistryConfig ModelRegistry RegistryEvent "
    "ModelHandle ModelInfo RegistryMetrics EvictionResult EvictionPlan KeepAlive Scope __version__"
).split()


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    yield
    rm.registry().clear(timeout=60)


def test_the_shared_registry_is_one(registry: rm.ModelRegistry) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len({id(found) for found in threads.map(lambda _: rm.registry(), range(64))}) == 1
    assert rm.registry() is not registry


def test_get_or_load_asks_the_shared_registry() -> None:
    with rm.get_or_load("m@cpu", Model) as handle:
        assert rm.registry().get_or_load("m@cpu", Model).model is handle.model
        assert rm.get_or_load("m@cpu", Model, scope="process").model is handle.model


def test_get_or_load_passes_every_option_on() -> None:
    heard: list[Any] = []

    def load(size: int, progress: Any) -> list[int]:
        progress(1.0, "done")
        return [size]

    handle = rm.get_or_load(
        "m@cpu",
        load,
        arguments={"size": 3},
        memory_bytes=10,
        keep_alive="5m",
        timeout=60,
        progress=lambda progress: heard.append(progress.message),
    )
    assert handle.model == [3]
    assert heard == ["done"]
    handle.release()
    (info,) = rm.registry().list_models()
    assert info.memory_bytes == 10
    assert 290 < (info.expires_in or 0) <= 300


def test_get_or_load_async_asks_the_shared_registry() -> None:
    async def load(size: int) -> list[int]:
        return [size]

    async def main() -> None:
        handle = await rm.get_or_load_async("m@cpu", load, arguments={"size": 3}, memory_bytes=10)
        assert handle.model == [3]
        assert rm.get_or_load("m@cpu", lambda: [3]).model is handle.model
        assert (await rm.get_or_load_async("n@cpu", Model, scope="process")).model

    asyncio.run(main())


@pytest.mark.parametrize("scope", ["machine", "unix:/run/worker", "grpc://localhost:5000", "galaxy", ""])
def test_another_scope_is_refused_before_loading(scope: str) -> None:
    for _ in range(2):
        with pytest.raises(rm.PlatformNotSupported, match='use scope="process"') as caught:
            rm.get_or_load("m@cpu", Model, scope=scope)
        assert repr(scope) in str(caught.value)
        with pytest.raises(rm.PlatformNotSupported):
            asyncio.run(_ask(scope))
    assert "m@cpu" not in rm.registry()


async def _ask(scope: str) -> None:
    await rm.get_or_load_async("m@cpu", Model, scope=scope)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_contract_is_in_both_modules(name: str) -> None:
    assert hasattr(rm, name)
    if name != "__version__":
        assert getattr(remotemedia.core.model_registry, name) is getattr(rm, name)
        assert name in rm.__all__


def test_the_signature_can_be_read() -> None:
    parameters = inspect.signature(rm.ModelRegistry.get_or_load).parameters
    assert list(parameters) == ("self key loader arguments memory_bytes keep_alive device timeout progress".split())
    assert parameters["device"].default == "cpu"
    assert inspect.getdoc(rm.ModelRegistry.get_or_load)


ERRORS = {
    rm.ModelNotFound: KeyError,
    rm.OutOfMemory: MemoryError,
    rm.InvalidTensor: ValueError,
    rm.InvalidArgument: ValueError,
    rm.TypeMismatch: TypeError,
    rm.WorkerUnavailable: ConnectionError,
    rm.DeadlineExceeded: TimeoutError,
}


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_also_pythons_own(error: type[rm.RemoteMediaError]) -> None:
    assert issubclass(error, rm.RemoteMediaError)
    assert issubclass(error, ERRORS[error])
    assert str(error("what happened")) == "what happened"


def test_model_not_found_reads_well(registry: rm.ModelRegistry) -> None:
    for call in (registry.pin, registry.unpin):
        for _ in range(2):
            with pytest.raises(KeyError) as caught:
                call("m@cpu")
            assert isinstance(caught.value, rm.ModelNotFound)
            assert str(caught.value).startswith("model 'm@cpu' is not loaded")


@pytest.mark.parametrize("unit", ["bytes", "models"])
def test_out_of_memory_tells_what_is_in_the_way(unit: str) -> None:
    limits: dict[str, Any] = {"max_memory_bytes": 100} if unit == "bytes" else {"max_models": 1}
    registry = rm.ModelRegistry(rm.RegistryConfig(**limits))
    held = registry.get_or_load("held", Model, memory_bytes=60)
    for _ in range(2):
        with pytest.raises(MemoryError) as caught:
            registry.get_or_load("new", Model, memory_bytes=50)
        error = caught.value
        assert isinstance(error, rm.OutOfMemory)
        assert (error.unit, error.holders) == (unit, ["held"])
        assert (error.needed, error.available) == ((50, 40) if unit == "bytes" else (1, 0))
        assert "'held'" in str(error)
    held.release()
    assert registry.get_or_load("new", Model, memory_bytes=50).model
