# SPDX-License-Identifier: Apache-2.0
"""KeyboardInterrupt and SystemExit: through in the thread that runs the loader, and at once where one waits."""

import asyncio
import contextlib
import signal
import threading
from functools import partial
from typing import Any

import pytest

import remotemedia as rm
from remotemedia import _core
from remotemedia.core import loading
from tests.python.core.gated_load import Background, GatedLoad, Model
from tests.python.core.program import Program

EXCEPTIONS = pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])


@EXCEPTIONS
def test_they_pass_through_in_the_thread_that_runs_the_loader(
    registry: rm.ModelRegistry, kind: type[BaseException]
) -> None:
    for _ in range(2):
        load = GatedLoad(partial(_throw, kind))
        leader = Background(partial(registry.get_or_load, "m@cpu", load.run, progress=load.heard))
        assert load.started.wait(60)
        waiters = [Background(partial(registry.get_or_load, "m@cpu", load.run, progress=load.heard)) for _ in range(4)]
        load.wait_for_callers(5)
        load.may_end.set()
        with pytest.raises(kind):
            leader.result()
        for waiter in waiters:
            with pytest.raises(rm.LoadFailed) as caught:
                waiter.result()
            assert caught.value.__cause__ is leader.error
    assert registry.metrics().failed_loads == 2
    assert registry.get_or_load("m@cpu", Model).model is not None


@EXCEPTIONS
def test_with_a_timeout_the_caller_gets_load_failed(registry: rm.ModelRegistry, kind: type[BaseException]) -> None:
    """The loader has a thread of its own then."""
    for _ in range(2):
        with pytest.raises(rm.LoadFailed) as caught:
            registry.get_or_load("m@cpu", partial(_throw, kind), timeout=60)
        assert isinstance(caught.value.__cause__, kind)


@EXCEPTIONS
async def test_a_coroutine_that_awaits_a_function_gets_load_failed(
    registry: rm.ModelRegistry, kind: type[BaseException]
) -> None:
    for _ in range(2):
        with pytest.raises(rm.LoadFailed) as caught:
            await registry.get_or_load_async("m@cpu", partial(_throw, kind))
        assert isinstance(caught.value.__cause__, kind)


@EXCEPTIONS
def test_they_end_the_event_loop_whose_coroutine_loads(registry: rm.ModelRegistry, kind: type[BaseException]) -> None:
    load = GatedLoad(partial(_throw, kind))

    async def main() -> None:
        leading = asyncio.create_task(registry.get_or_load_async("m@cpu", load.run_async, progress=load.heard))
        await load.started.passed()
        waiters.append(Background(partial(registry.get_or_load, "m@cpu", load.run, progress=load.heard)))
        await load.callers(2)
        load.may_end.set()
        with contextlib.suppress(rm.LoadFailed):
            await leading

    waiters: list[Background] = []
    with pytest.raises(kind):
        asyncio.run(main())
    with pytest.raises(rm.LoadFailed) as caught:
        waiters[0].result()
    assert isinstance(caught.value.__cause__, kind)
    assert registry.get_or_load("m@cpu", Model).model is not None


@pytest.mark.parametrize("inside", [False, True])
def test_an_interrupt_before_the_lead_is_taken_leaves_the_load_to_the_others(
    registry: rm.ModelRegistry, inside: bool
) -> None:
    """Between the place among those who wait and the lead that comes with it."""
    for key in "ab":
        answered = threading.Event()
        first, second = (loading.Request(key, Model).ask(registry, answered.set) for _ in range(2))
        if inside:
            with pytest.raises(KeyboardInterrupt), first:
                raise KeyboardInterrupt
        del first
        assert answered.is_set()
        assert second.take(_core.caller_label()) is None
        assert registry.get_or_load(key, Model, timeout=60).model is not None


def test_an_interrupt_while_the_leader_waits_for_its_turn_leaves_the_load_to_the_others(
    registry: rm.ModelRegistry,
) -> None:
    first, second = GatedLoad(), GatedLoad()
    running = Background(partial(registry.get_or_load, "a", first.run))
    assert first.started.wait(60)
    waiters: list[Background] = []

    def interrupt() -> None:
        while not any(info.key == "b" for info in registry.list_models()):
            threading.Event().wait(0.001)
        waiters.append(Background(partial(registry.get_or_load, "b", Model)))
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupting = Background(interrupt)
    with pytest.raises(KeyboardInterrupt):
        registry.get_or_load("b", second.run)
    interrupting.result()
    first.may_end.set()
    running.result()
    assert waiters[0].result().model is not None
    assert second.calls == 0


@pytest.mark.parametrize("key", ["a", "b"])
def test_an_interrupt_that_reached_another_thread_ends_the_waiting_too(registry: rm.ModelRegistry, key: str) -> None:
    """For the load that runs, and for the turn of another one."""
    load = GatedLoad()
    running = Background(partial(registry.get_or_load, "a", load.run, progress=load.heard))
    load.wait_for_callers(1)

    def interrupt() -> None:
        while len([info for info in registry.list_models() if info.state == "loading"]) < 1 + (key == "b"):
            threading.Event().wait(0.001)
        if key == "a":
            load.wait_for_callers(1)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    for _ in range(2):
        interrupting = Background(interrupt)
        with pytest.raises(KeyboardInterrupt):
            registry.get_or_load(key, load.run, progress=load.heard)
        interrupting.result()
    load.may_end.set()
    running.result()


def test_an_interrupt_during_clear_ends_the_waiting(registry: rm.ModelRegistry) -> None:
    dying, may_die = threading.Event(), threading.Event()

    class Slow:
        def __del__(self) -> None:
            dying.set()
            assert may_die.wait(60)

    registry.get_or_load("m@cpu", Slow).release()

    def interrupt() -> None:
        assert dying.wait(60)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupting = Background(interrupt)
    with pytest.raises(KeyboardInterrupt):
        registry.clear()
    interrupting.result()
    may_die.set()


def test_an_interrupt_in_a_progress_callback_reaches_the_loader(registry: rm.ModelRegistry) -> None:
    def heard(_: rm.LoadProgress) -> None:
        signal.raise_signal(signal.SIGINT)

    def load(progress: Any) -> Model:
        progress(0.5)
        for _ in range(10_000):  # an interrupt is raised between any two steps
            pass
        return Model()

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            registry.get_or_load("m@cpu", load, progress=heard)
    assert "m@cpu" not in registry


WAITING = {
    "another thread's load": """
        started = threading.Event()
        def load():
            started.set()
            threading.Event().wait()
        threading.Thread(target=lambda: registry.get_or_load("m", load), daemon=True).start()
        started.wait()
        wait = lambda: registry.get_or_load("m", load)
    """,
    "a load in a thread of its own": """
        started = threading.Event()
        def load():
            started.set()
            threading.Event().wait()
        wait = lambda: registry.get_or_load("m", load, timeout=3600)
    """,
    "its turn": """
        started = threading.Event()
        def load():
            started.set()
            threading.Event().wait()
        threading.Thread(target=lambda: registry.get_or_load("other", load), daemon=True).start()
        started.wait()
        wait = lambda: registry.get_or_load("m", load)
    """,
    "its own loader": """
        wait = lambda: registry.get_or_load("m", wait_forever)
    """,
    "a coroutine": """
        async def load():
            say("waiting")
            while True:  # before Python 3.11 a loop can fall asleep beside an interrupt until something else wakes it
                await asyncio.sleep(0.1)
        wait = lambda: asyncio.run(registry.get_or_load_async("m", load))
    """,
    "a load that a thread runs for a coroutine": """
        def load():
            say("waiting")
            threading.Event().wait()
        wait = lambda: asyncio.run(registry.get_or_load_async("m", load))
    """,
    "clear": """
        may_die = threading.Event()
        class Slow:
            def __del__(self):
                may_die.wait()
        registry.get_or_load("m", Slow).release()
        wait = registry.clear
        atexit.register(may_die.set)
    """,
}


@pytest.mark.parametrize("waits_for", WAITING)
def test_ctrl_c_interrupts_the_main_thread_that_waits_for(waits_for: str) -> None:
    """A real SIGINT, promptly and cleanly: nothing on stderr, exit code 0.

    Where an event loop runs it comes when the loop does, not while asyncio makes it.
    """
    program = Program(
        "registry = rm.ModelRegistry()",
        WAITING[waits_for],
        """
        try:
            if SAYS_WAITING:
                say("waiting")
            wait()
        except KeyboardInterrupt:
            say("interrupted")
        else:
            say("not interrupted")
        """.replace("SAYS_WAITING", str("coroutine" not in waits_for)),
        stuck=waits_for not in {"its own loader", "a coroutine", "clear"},
    )
    program.wait_for("waiting")
    program.interrupt()
    assert program.end() == ["waiting", "interrupted"]


def test_after_ctrl_c_the_key_is_loaded_by_whoever_asks() -> None:
    program = Program("""
        registry = rm.ModelRegistry()
        started = threading.Event()
        def load():
            say("waiting")
            wait_forever()
        for _ in range(2):
            try:
                registry.get_or_load("m", load)
            except KeyboardInterrupt:
                say("interrupted")
        handle = registry.get_or_load("m", list)
        say(str(handle.model))
    """)
    for _ in range(2):
        program.wait_for("waiting")
        program.interrupt()
        program.wait_for("interrupted")
    assert program.end()[-1] == "[]"


def test_many_interrupts_leave_no_caller_waiting_and_no_hold() -> None:
    """Wherever they come: in the leader's steps, the waiter's, the wake-ups between."""
    program = Program(
        """
        registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=0))
        over = threading.Event()
        armed = False
        interrupts = 0
        last = None  # an interactive interpreter keeps it too, with all frames

        def on_interrupt(*_):
            global armed, interrupts
            if armed:
                armed = False
                interrupts += 1
                raise KeyboardInterrupt
        signal.signal(signal.SIGALRM, on_interrupt)

        def report(unraisable, report=sys.unraisablehook):  # an interrupt inside a weakref's callback
            if unraisable.exc_type is not KeyboardInterrupt:
                report(unraisable)
        sys.unraisablehook = report
        signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)

        def load_too():
            while not over.is_set():
                with contextlib.suppress(rm.LoadFailed):  # the loader was interrupted
                    registry.get_or_load("m", Model).release()
        class Model:
            pass
        other = threading.Thread(target=load_too)
        other.start()

        def ask():
            registry.get_or_load("m", Model, keep_alive=0).release()
            registry.get_or_load("n", Model, timeout=60).release()

        while interrupts < 3000:
            armed = True
            try:
                ask()
            except KeyboardInterrupt as error:
                last = error
            armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        over.set()
        other.join()
        last = None
        gc.collect()
        for key in "mn":
            registry.get_or_load(key, Model, timeout=30).release()
        registry.clear(timeout=30)
        say(str(registry.list_models()))
        """,
        stuck=True,  # the thread of a load may still be at its last step
    )
    assert program.end() == ["[]"]


def _throw(kind: type[BaseException]) -> Any:
    raise kind
