# SPDX-License-Identifier: Apache-2.0
"""Each hold is named for the function that asked."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import remotemedia as rm
from tests.python.core.gated_load import Background, Model
from tests.python.core.program import Program

HERE = Path(__file__).name


def labels(registry: rm.ModelRegistry, key: str = "m@cpu") -> list[str]:
    (found,) = [info.holders for info in registry.list_models() if info.key == key]
    assert all(label.startswith(f"{HERE}:") for label in found), found
    return [label.removeprefix(f"{HERE}:").rpartition(".")[2] for label in found]


async def load() -> Model:
    return Model()


def test_of_a_load_a_hit_and_a_get(registry: rm.ModelRegistry) -> None:
    def loads() -> Any:
        return registry.get_or_load("m@cpu", Model)

    def hits() -> Any:
        return registry.get_or_load("m@cpu", Model)

    def hits_with_options() -> Any:
        return registry.get_or_load("m@cpu", Model, keep_alive=5, timeout=60)

    def gets() -> Any:
        return registry.get("m@cpu")

    held = [loads(), hits(), hits_with_options(), gets()]
    assert labels(registry) == ["loads", "hits", "hits_with_options", "gets"]
    held.pop(1).release()
    assert labels(registry) == ["loads", "hits_with_options", "gets"]


def test_of_a_load_in_a_thread_of_its_own(registry: rm.ModelRegistry) -> None:
    def asks() -> Any:
        return registry.get_or_load("m@cpu", Model, timeout=60)

    held = asks()
    assert labels(registry) == ["asks"]
    held.release()


async def test_of_coroutines_awaited_gathered_and_made_tasks(registry: rm.ModelRegistry) -> None:
    async def awaits() -> Any:
        return await registry.get_or_load_async("m@cpu", load)

    async def gathers() -> Any:
        return await asyncio.gather(registry.get_or_load_async("m@cpu", load))

    async def makes_a_task() -> Any:
        return await asyncio.create_task(registry.get_or_load_async("m@cpu", Model))

    async def waits() -> Any:
        return await asyncio.wait_for(registry.get_or_load_async("m@cpu", load), 60)

    held = [await awaits(), await gathers(), await makes_a_task(), await waits()]
    assert labels(registry) == ["awaits", "gathers", "makes_a_task", "waits"]
    held.clear()


async def test_of_a_nested_load_it_is_the_loader(registry: rm.ModelRegistry) -> None:
    kept: list[Any] = []

    def loader() -> Model:
        kept.append(registry.get_or_load("m@cpu", Model))
        return Model()

    async def coroutine_loader() -> Model:
        kept.append(await registry.get_or_load_async("m@cpu", load))
        return Model()

    kept.append(registry.get_or_load("outer", loader))
    kept.append(await registry.get_or_load_async("outer async", coroutine_loader))
    assert labels(registry) == ["loader", "coroutine_loader"]
    kept.clear()


def test_of_another_thread_it_is_the_threads_function(registry: rm.ModelRegistry) -> None:
    def asks() -> Any:
        return registry.get_or_load("m@cpu", Model)

    held = Background(asks).result()
    assert labels(registry) == ["asks"]
    held.release()


def test_of_a_function_of_the_package_it_is_its_caller() -> None:
    def asks() -> Any:
        return rm.get_or_load("m@cpu", Model)

    async def asks_async() -> Any:
        return await rm.get_or_load_async("m@cpu", load)

    held = [asks(), asyncio.run(asks_async())]
    assert labels(rm.registry()) == ["asks", "asks_async"]
    held.clear()
    rm.registry().clear(timeout=60)


def test_where_no_python_function_asks_the_hold_still_has_a_label(registry: rm.ModelRegistry) -> None:
    held = Background(partial(registry.get_or_load, "m@cpu", Model)).result()
    (info,) = registry.list_models()
    assert len(info.holders) == info.reference_count == 1
    held.release()


def test_a_folder_that_is_called_like_the_package_is_nothing_special(tmp_path: Path) -> None:
    folder = tmp_path / "remotemedia" / "core"
    folder.mkdir(parents=True)
    (folder / "application.py").write_text(
        "import remotemedia as rm\ndef asks():\n    return rm.get_or_load('m', list)\n", encoding="utf-8"
    )
    program = Program(f"""
        sys.path.insert(0, {str(folder)!r})
        import application
        handle = application.asks()
        say(rm.registry().list_models()[0].holders[0])
    """)
    assert program.end() == ["application.py:asks"]
