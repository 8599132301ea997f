# SPDX-License-Identifier: Apache-2.0
"""The same key with another loader or other arguments: the first wins while the model lives, the second is warned."""

import asyncio
import gc
import logging
import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import remotemedia as rm
from tests.python.core.gated_load import Background, GatedLoad, Model

Warnings = Callable[[], list[str]]


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Warnings:
    """What was logged since it was asked last."""
    caplog.set_level(logging.DEBUG, "remotemedia")

    def read() -> list[str]:
        assert all((record.name, record.levelname) == ("remotemedia", "WARNING") for record in caplog.records)
        messages = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return messages

    return read


def small() -> str:
    return "small"


def large() -> str:
    return "large"


def sized(size: str = "small", **options: Any) -> str:
    return size


def closure_over(size: str) -> Callable[[], str]:
    return lambda: size


class Factory:
    def __init__(self, size: str = "small") -> None:
        self.size = size

    def load(self) -> str:
        return self.size

    def load_again(self) -> str:
        return self.size

    def __call__(self) -> str:
        return self.size

    @classmethod
    def of_class(cls) -> str:
        return cls.__name__


class Other(Factory):
    pass


def test_another_loader_gets_the_first_ones_model_and_a_warning(registry: rm.ModelRegistry, warnings: Warnings) -> None:
    first = registry.get_or_load("m@cpu", small)
    assert warnings() == []
    with registry.get_or_load("m@cpu", large) as second:
        assert second.model is first.model
    (warning,) = warnings()
    assert "'m@cpu'" in warning
    assert "test_other_loaders.py:small" in warning
    assert "test_other_loaders.py:large" in warning


def test_other_arguments_get_the_first_ones_model_and_a_warning(registry: rm.ModelRegistry, warnings: Warnings) -> None:
    first = registry.get_or_load("m@cpu", sized, arguments={"size": "small"})
    with registry.get_or_load("m@cpu", sized, arguments={"size": "large"}) as second:
        assert second.model is first.model
    (warning,) = warnings()
    assert "'m@cpu'" in warning
    assert "arguments" in warning
    registry.get_or_load("m@cpu", sized).release()
    assert len(warnings()) == 1


Case = tuple[Callable[..., Any], dict[str, Any] | None, Callable[..., Any], dict[str, Any] | None]

SAME: dict[str, Case] = {
    "function": (small, None, small, None),
    "no arguments": (small, None, small, {}),
    "equal arguments": (sized, {"size": "a", "n": 1}, sized, {"n": 1, "size": "".join(["a"])}),
    "equal objects": (sized, {"options": [1, 2]}, sized, {"options": [1, 2]}),
    "class": (Factory, None, Factory, None),
    "method": (Factory("a").load, None, Factory("b").load, None),
    "class method": (Factory.of_class, None, Factory.of_class, None),
    "partial": (partial(sized, size="a"), None, partial(sized, size="a"), None),
    "partial and arguments": (partial(sized, size="a"), None, sized, {"size": "a"}),
    "callable": (Factory("a"), None, Factory("b"), None),
    "builtin": (dict, None, dict, None),
    "bound builtin": ("a".upper, None, "b".upper, None),
}


@pytest.mark.parametrize("case", SAME)
def test_who_asks_with_the_same_is_not_warned(registry: rm.ModelRegistry, warnings: Warnings, case: str) -> None:
    loader, arguments, again, arguments_again = SAME[case]
    registry.get_or_load("m@cpu", loader, arguments=arguments).release()
    for _ in range(2):
        registry.get_or_load("m@cpu", again, arguments=arguments_again).release()
        registry.get_or_load("m@cpu", again, arguments=arguments_again, keep_alive=-1).release()
    assert warnings() == []


def test_closures_of_one_place_are_the_same(registry: rm.ModelRegistry, warnings: Warnings) -> None:
    """Every node of a kind loads by a lambda of its own: that is the usual case, and no mistake."""
    for size in ("a", "b"):
        registry.get_or_load("m@cpu", lambda size=size: sized(size)).release()
        registry.get_or_load("n@cpu", closure_over(size)).release()
    assert warnings() == []


DIFFERENT: dict[str, Case] = {
    "function": (small, None, large, None),
    "lambda": (lambda: 1, None, lambda: 2, None),
    "class": (Factory, None, Other, None),
    "method": (Factory().load, None, Factory().load_again, None),
    "class method": (Factory.of_class, None, Other.of_class, None),
    "partial": (partial(sized, "a"), None, partial(sized, "b"), None),
    "partial by name": (partial(sized, size="a"), None, partial(sized, size="b"), None),
    "value": (sized, {"n": 1}, sized, {"n": 2}),
    "type": (sized, {"n": 1}, sized, {"n": "1"}),
    "name": (sized, {"n": 1}, sized, {"m": 1}),
    "none": (sized, None, sized, {"size": "a"}),
    "class of an object": (sized, {"n": Factory()}, sized, {"n": Other()}),
    "class itself": (sized, {"n": Factory}, sized, {"n": Other}),
    "builtin": (dict, None, list, None),
    "bound builtin": ("a".upper, None, "a".lower, None),
    "callable": (Factory(), None, Model, None),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_who_asks_with_something_else_is_warned(registry: rm.ModelRegistry, warnings: Warnings, case: str) -> None:
    loader, arguments, other, other_arguments = DIFFERENT[case]
    registry.get_or_load("m@cpu", loader, arguments=arguments).release()
    registry.get_or_load("m@cpu", other, arguments=other_arguments).release()
    assert len(warnings()) == 1


def test_each_other_loader_is_told_once(registry: rm.ModelRegistry, warnings: Warnings) -> None:
    registry.get_or_load("m@cpu", small).release()
    for _ in range(100):
        registry.get_or_load("m@cpu", large).release()
        registry.get_or_load("m@cpu", large, keep_alive=-1).release()
        registry.get_or_load("m@cpu", sized, arguments={"size": "a"}).release()
        registry.get_or_load("m@cpu", small).release()
    assert len(warnings()) == 2


def test_loaders_without_end_are_not_told_without_end(registry: rm.ModelRegistry, warnings: Warnings) -> None:
    registry.get_or_load("m@cpu", sized).release()
    for number in range(1000):
        registry.get_or_load("m@cpu", sized, arguments={"n": number}).release()
    assert 1 <= len(warnings()) < 100


def test_when_the_model_is_gone_the_next_loader_is_the_first(registry: rm.ModelRegistry, warnings: Warnings) -> None:
    registry.get_or_load("m@cpu", small).release()
    registry.clear(timeout=60)
    with registry.get_or_load("m@cpu", large) as handle:
        assert handle.model == "large"
    assert warnings() == []
    registry.get_or_load("m@cpu", small).release()
    assert len(warnings()) == 1


def test_a_model_that_is_found_again_keeps_its_loader(registry: rm.ModelRegistry, warnings: Warnings) -> None:
    with registry.get_or_load("m@cpu", Model) as handle:
        model = handle.model
    assert registry.evict("m@cpu")
    registry.get_or_load("m@cpu", Model).release()
    assert warnings() == []
    assert registry.evict("m@cpu")
    registry.clear(timeout=60)
    other: Callable[[], Any] = Factory
    with registry.get_or_load("m@cpu", other) as again:
        assert again.model is model
    assert len(warnings()) == 1


async def test_coroutines_are_warned_too(registry: rm.ModelRegistry, warnings: Warnings) -> None:
    async def first() -> Model:
        return Model()

    async def second() -> Model:
        return Model()

    model = (await registry.get_or_load_async("m@cpu", first)).model
    assert (await registry.get_or_load_async("m@cpu", first)).model is model
    assert warnings() == []
    assert (await registry.get_or_load_async("m@cpu", second)).model is model
    (warning,) = warnings()
    # A coroutine's code knows no more than its bare name before CPython 3.11.
    name = "test_coroutines_are_warned_too.<locals>.second" if sys.version_info >= (3, 11) else "second"
    assert f":{name}" in warning


async def test_who_joins_a_load_with_another_loader_is_warned(registry: rm.ModelRegistry, warnings: Warnings) -> None:
    load = GatedLoad()
    leader = Background(partial(registry.get_or_load, "m@cpu", load.run, progress=load.heard))
    await load.started.passed()
    joined = asyncio.create_task(registry.get_or_load_async("m@cpu", small, progress=load.heard))
    thread = Background(partial(registry.get_or_load, "m@cpu", large, progress=load.heard))
    await load.callers(3)
    load.may_end.set()
    assert (await joined).model is leader.result().model is thread.result().model
    assert len(warnings()) == 2


def test_nothing_that_a_loader_or_its_arguments_hold_is_kept(registry: rm.ModelRegistry) -> None:
    class Held:
        def load(self, **options: Any) -> str:
            return "model"

    held = Held()
    reference = weakref.ref(held)
    registry.get_or_load("a", held.load).release()
    registry.get_or_load("b", partial(held.load, option=held)).release()
    registry.get_or_load("c", sized, arguments={"option": held}).release()
    registry.get_or_load("d", lambda owner=[held]: str(len(owner))).release()
    handle = registry.get_or_load("d", partial(held.load, other=held))
    del handle
    registry.clear(timeout=60)
    registry.get_or_load("d", partial(held.load, other=held)).release()
    del held
    gc.collect()
    assert reference() is None
