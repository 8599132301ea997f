# SPDX-License-Identifier: Apache-2.0
"""What a loader reports, everybody hears who waits for it."""

import asyncio
import functools
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import remotemedia as rm
from tests.python.core.gated_load import Background, GatedLoad, Model

Report = Callable[..., None]


def two_steps(progress: Report) -> Model:
    progress(0.25, "reading")
    progress(None)
    return Model()


def heard_from(registry: rm.ModelRegistry, loader: Callable[..., Any], **options: Any) -> list[tuple[Any, ...]]:
    """What a loader of m@cpu reports."""
    heard: list[tuple[Any, ...]] = []

    def listen(progress: rm.LoadProgress) -> None:
        heard.append((progress.key, progress.fraction, progress.message))

    registry.get_or_load("m@cpu", loader, progress=listen, **options).release()
    return heard


TWO_STEPS = [("m@cpu", 0.25, "reading"), ("m@cpu", None, "")]


class FromClass:
    def __init__(self, progress: Report) -> None:
        two_steps(progress)


class Callback:
    def __call__(self, progress: Report) -> Model:
        return two_steps(progress)

    def method(self, *, progress: Report) -> Model:
        return two_steps(progress)

    @staticmethod
    def static(progress: Report) -> Model:
        return two_steps(progress)

    @classmethod
    def of_class(cls, progress: Report) -> Model:
        return two_steps(progress)


@functools.wraps(two_steps)
def wrapped(**options: Any) -> Model:
    return two_steps(**options)


def with_more(size: int, progress: Report, *rest: object, **options: object) -> Model:
    assert size == 3
    return two_steps(progress)


@pytest.mark.parametrize(
    "loader",
    [
        two_steps,
        lambda progress, other=5: two_steps(progress),
        FromClass,
        Callback(),
        Callback().method,
        Callback.static,
        Callback.of_class,
        partial(with_more, 3),
        partial(partial(with_more, size=3)),
        wrapped,
    ],
)
def test_a_parameter_named_progress_gets_a_function_to_report_with(
    registry: rm.ModelRegistry, loader: Callable[..., Any]
) -> None:
    assert heard_from(registry, loader) == TWO_STEPS


def test_arguments_stand_beside_it(registry: rm.ModelRegistry) -> None:
    assert heard_from(registry, with_more, arguments={"size": 3}) == TWO_STEPS


def test_a_report_takes_fraction_and_message_by_name_too(registry: rm.ModelRegistry) -> None:
    def load(progress: Report) -> Model:
        progress(fraction=1, message="done")
        progress(0.5)
        return Model()

    assert heard_from(registry, load) == [("m@cpu", 1.0, "done"), ("m@cpu", 0.5, "")]


def test_what_is_no_report_is_the_loaders_error(registry: rm.ModelRegistry) -> None:
    def load(progress: Report) -> Model:
        progress("half")
        return Model()

    for _ in range(2):
        with pytest.raises(rm.LoadFailed) as caught:
            registry.get_or_load("m@cpu", load)
        assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize(
    "loader", [dict, object, list, partial(dict, a=1), Model, lambda: 5, lambda **options: options]
)
def test_a_loader_without_the_parameter_is_not_given_it(registry: rm.ModelRegistry, loader: Callable[..., Any]) -> None:
    assert heard_from(registry, loader) == []
    handle = registry.get_or_load("m@cpu", loader)
    assert handle.model in ({}, [], {"a": 1}, 5) or type(handle.model) in (object, Model)


def test_a_builtin_without_a_signature_is_called_as_it_is(registry: rm.ModelRegistry) -> None:
    assert heard_from(registry, partial(map, str, [1])) == []
    assert list(registry.get_or_load("m@cpu", dict).model) == ["1"]


def test_progress_among_the_arguments_is_the_callers(registry: rm.ModelRegistry) -> None:
    given: list[Any] = []

    def load(progress: Any) -> Model:
        given.append(progress)
        return Model()

    assert heard_from(registry, load, arguments={"progress": "mine"}) == []
    registry.clear(timeout=60)
    assert heard_from(registry, partial(load, progress="bound")) == []
    assert given == ["mine", "bound"]


def test_a_parameter_that_cannot_be_named_is_not_given_it(registry: rm.ModelRegistry) -> None:
    def load(progress: Any = None, /) -> Model:
        assert progress is None
        return Model()

    assert heard_from(registry, load) == []


async def test_every_waiter_hears_every_report_whoevers_loader_it_is(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()
    heard: dict[str, list[str]] = {}

    def listener(name: str) -> Callable[[rm.LoadProgress], None]:
        def listen(progress: rm.LoadProgress) -> None:
            heard.setdefault(name, []).append(progress.message)
            load.heard(progress)

        return listen

    def lead(progress: Report) -> Model:
        load.run(progress)
        progress(1.0, "ended")
        return Model()

    threads = [
        Background(partial(registry.get_or_load, "m@cpu", lead, progress=listener(f"thread {index}")))
        for index in range(4)
    ]
    await load.started.passed()
    calls = [
        asyncio.create_task(registry.get_or_load_async("m@cpu", Model, progress=listener(f"coroutine {index}")))
        for index in range(4)
    ]
    await load.callers(8)
    load.may_end.set()
    await asyncio.gather(*calls)
    for thread in threads:
        thread.result()
    assert len(heard) == 8
    assert all(messages == ["begun", "ended"] for messages in heard.values())


def test_who_joins_late_hears_what_was_reported_last(registry: rm.ModelRegistry) -> None:
    load = GatedLoad()

    def lead(progress: Report) -> Model:
        progress(0.1, "first")
        progress(0.2, "second")
        load.run(progress)
        return Model()

    leader = Background(partial(registry.get_or_load, "m@cpu", lead))
    assert load.started.wait(60)
    heard: list[str] = []

    def listen(progress: rm.LoadProgress) -> None:
        heard.append(progress.message)
        load.may_end.set()

    registry.get_or_load("m@cpu", Model, progress=listen).release()
    leader.result()
    assert heard == ["begun"]


def test_a_hit_has_nothing_to_hear(registry: rm.ModelRegistry) -> None:
    assert heard_from(registry, two_steps) == TWO_STEPS
    assert heard_from(registry, two_steps) == []
    assert heard_from(registry, two_steps, keep_alive=5) == []


def test_a_report_after_the_load_is_heard_by_nobody(registry: rm.ModelRegistry) -> None:
    kept: list[Report] = []

    def load(progress: Report) -> Model:
        kept.append(progress)
        progress(1.0, "ended")
        return Model()

    heard = heard_from(registry, load)
    kept[0](0.5, "late")
    assert heard == [("m@cpu", 1.0, "ended")]


async def test_a_coroutine_reports_too(registry: rm.ModelRegistry) -> None:
    heard: list[float | None] = []

    async def load(progress: Report) -> Model:
        progress(0.5)
        await asyncio.sleep(0)
        progress(1.0)
        return Model()

    await registry.get_or_load_async("m@cpu", load, progress=lambda progress: heard.append(progress.fraction))
    assert heard == [0.5, 1.0]


def test_a_callback_that_raises_is_logged_and_hurts_nobody(
    registry: rm.ModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    def torn(progress: rm.LoadProgress) -> None:
        raise OSError("no screen")

    with caplog.at_level(logging.WARNING, "remotemedia"):
        registry.get_or_load("m@cpu", two_steps, progress=torn).release()
    assert [record.name for record in caplog.records] == ["remotemedia"] * 2
    assert "no screen" in caplog.text
    assert "'m@cpu'" in caplog.text


def test_a_callback_that_raises_when_it_joins_leaves_no_hold(
    registry: rm.ModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    load = GatedLoad()
    leader = Background(partial(registry.get_or_load, "m@cpu", load.run))
    assert load.started.wait(60)

    def torn(progress: rm.LoadProgress) -> None:
        load.may_end.set()
        raise OSError("no screen")

    with caplog.at_level(logging.WARNING, "remotemedia"):
        registry.get_or_load("m@cpu", load.run, progress=torn).release()
    leader.result().release()
    assert "no screen" in caplog.text
    assert registry.list_models()[0].reference_count == 0


def test_a_callback_may_use_the_registry(registry: rm.ModelRegistry) -> None:
    states: list[str] = []

    def look(progress: rm.LoadProgress) -> None:
        states.extend(info.state for info in registry.list_models())
        registry.get_or_load(f"other {len(states)}", Model, timeout=None).release()

    registry = rm.ModelRegistry(rm.RegistryConfig(max_concurrent_loads=2))
    registry.get_or_load("m@cpu", two_steps, progress=look).release()
    assert states[0] == "loading"
