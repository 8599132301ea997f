# SPDX-License-Identifier: Apache-2.0
"""However a program ends: exit code 0, nothing on stderr, nothing leaked, and destructors have run."""

import pytest

from tests.python.core.program import Program, run

OWNERS = {
    "a global handle": "handle = registry.get_or_load('m', Model)",
    "a global handle and no registry": "handle = registry.get_or_load('m', Model); del registry",
    "nobody": "registry.get_or_load('m', Model).release()",
    "the shared registry": "handle = rm.get_or_load('m', Model)",
    "the shared registry alone": "rm.get_or_load('m', Model).release()",
    "a bare reference": "model = registry.get_or_load('m', Model).model",
    "a closure": "handle = (lambda held: lambda: held)(registry.get_or_load('m', Model))",
    "a default argument": "def use(handle=registry.get_or_load('m', Model)): pass",
    "a class": "class Owner: handle = registry.get_or_load('m', Model)",
    "another module": "import json; json.handle = registry.get_or_load('m', Model)",
    "a thread-local": "local = threading.local(); local.handle = registry.get_or_load('m', Model)",
    "a cycle": "cycle = [registry.get_or_load('m', Model)]; cycle.append(cycle)",
    "the model itself": "handle = registry.get_or_load('m', Model); handle.model.handle = handle",
    "the model, by its registry": "handle = registry.get_or_load('m', Model); handle.model.registry = registry",
    "another model": """
        class Outer:
            def __init__(self):
                self.needs = registry.get_or_load('m', Model)
        registry.get_or_load('outer', Outer).release()
    """,
    "a listener": """
        handle = registry.get_or_load('m', Model)
        registry.subscribe(lambda event: handle)
    """,
    "a pin": "registry.get_or_load('m', Model).release(); registry.pin('m')",
    "a handler at exit": """
        handle = registry.get_or_load('m', Model)
        atexit.register(lambda: handle.model.handle)
        handle.model.handle = None
    """,
    "a coroutine": """
        async def load():
            return Model()
        async def main():
            return await registry.get_or_load_async('m', load)
        handle = asyncio.run(main())
    """,
}


@pytest.mark.parametrize("owner", OWNERS)
def test_a_model_is_destroyed_that_is_held_by(owner: str) -> None:
    assert run("registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=None))\n", OWNERS[owner]) == ["destroyed"]


def test_sys_exit_in_a_loader_ends_the_program() -> None:
    assert run("handle = rm.get_or_load('held', Model)\nrm.get_or_load('m', lambda: sys.exit(0))") == ["destroyed"]


def test_sys_exit_in_a_coroutine_loader_ends_the_program() -> None:
    assert run("""
        async def load():
            sys.exit(0)
        handle = rm.get_or_load('held', Model)
        asyncio.run(rm.get_or_load_async('m', load))
    """) == ["destroyed"]


def test_an_error_ends_the_program_as_errors_do() -> None:
    program = Program("""
        handle = rm.get_or_load('held', Model)
        try:
            rm.get_or_load('m', lambda: open('/no/such/file'))
        except rm.LoadFailed as error:
            last = error
        sys.excepthook = lambda *error: say(error[0].__name__)
        raise last
    """)
    assert program.end(code=1) == ["LoadFailed", "destroyed"]


def test_an_exit_during_a_loader_that_computes() -> None:
    """Not one that waits: its thread wants the GIL again and again while the interpreter goes."""
    for _ in range(3):
        assert run(
            """
            began = threading.Event()
            def load(progress):
                began.set()
                while True:
                    progress(0.5, "busy")
            def listen(progress):
                sum(range(1000))
            rm.get_or_load('idle', Model).release()
            for ask in (
                lambda: rm.get_or_load('m', load, progress=listen),
                lambda: asyncio.run(rm.get_or_load_async('m', load, progress=listen)),
                lambda: rm.ModelRegistry().get_or_load('m', load, timeout=3600),
            ):
                threading.Thread(target=ask, daemon=True).start()
            began.wait()
            """,
            stuck=True,
        ) == ["destroyed"]


LOADS = {
    "in a daemon thread": "threading.Thread(target=lambda: rm.get_or_load('m', load), daemon=True).start()",
    "in a thread of its own": """
        try:
            rm.get_or_load('m', load, timeout=0.001)
        except rm.DeadlineExceeded:
            pass
    """,
    "for a coroutine": """
        async def main():
            task = asyncio.ensure_future(rm.get_or_load_async('m', load))
            await asyncio.to_thread(began.wait)
        asyncio.run(main())
    """,
    "with others waiting": """
        for _ in range(4):
            threading.Thread(target=lambda: rm.get_or_load('m', load), daemon=True).start()
            threading.Thread(target=lambda: rm.get_or_load('m', load, timeout=3600), daemon=True).start()
    """,
    "with others waiting for their turn": """
        for key in 'mnop':
            threading.Thread(target=lambda: rm.get_or_load(key, load), daemon=True).start()
    """,
}


@pytest.mark.parametrize("how", LOADS)
def test_an_exit_during_a_load(how: str) -> None:
    output = run(
        """
        began = threading.Event()
        def load():
            began.set()
            threading.Event().wait()
        rm.get_or_load('idle', Model).release()
        """,
        LOADS[how],
        "began.wait()",
        stuck=True,
    )
    assert output == ["destroyed"]


def test_an_exit_that_a_load_meets_on_its_way() -> None:
    """Daemon threads that load, hit, fail, evict and clear as fast as they can, while the interpreter goes."""
    work = """
        registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=0, max_concurrent_loads=4))
        began = threading.Barrier(9)
        def torn():
            raise OSError('torn')
        def forever(call):
            call()
            began.wait()
            while True:
                try:
                    call()
                except (rm.LoadFailed, rm.DeadlineExceeded):
                    pass
        async def load():
            return []
        for call in (
            lambda: registry.get_or_load('a', dict).release(),
            lambda: registry.get_or_load('b', list, keep_alive=1).release(),
            lambda: registry.get_or_load('c', torn),
            lambda: registry.get_or_load('d', dict, timeout=5).release(),
            lambda: registry.evict('b'),
            lambda: registry.clear(timeout=5),
            lambda: asyncio.run(registry.get_or_load_async('e', load)).release(),
            lambda: rm.ModelRegistry().get_or_load('f', dict).release(),
        ):
            def safe(call=call):
                try:
                    call()
                except (rm.LoadFailed, rm.DeadlineExceeded):
                    pass
            threading.Thread(target=forever, args=(safe,), daemon=True).start()
        sys.excepthook = threading.excepthook = lambda *_: None  # asyncio's own at its end
        sys.unraisablehook = lambda *_: None
        began.wait()
    """
    for _ in range(3):
        run(work, stuck=True)


def test_an_exit_waits_for_a_thread_that_a_load_is_starting() -> None:
    """CPython 3.11 crashes where the interpreter goes between a thread's start and its first step."""
    assert run(
        """
        starting = [rm._core.ThreadStart()]
        exits = threading.Event()
        atexit.register(exits.set)
        def started():
            exits.wait()
            time.sleep(0.1)
            say("started")
            starting.clear()
        threading.Thread(target=started, daemon=True).start()
        """,
        stuck=True,
    ) == ["started"]


def test_daemon_threads_that_ask_after_the_end_end_quietly() -> None:
    """They would be stopped a moment later anyway."""
    for _ in range(3):
        assert run(
            """
            began = threading.Barrier(4)
            rm.get_or_load('idle', Model).release()
            def hit():
                began.wait()
                while True:
                    rm.get_or_load('m', list).release()
            for _ in range(3):
                threading.Thread(target=hit, daemon=True).start()
            began.wait()
            """,
            stuck=True,
        ) == ["destroyed"]


def test_handlers_at_exit_that_were_registered_after_the_import_still_load() -> None:
    assert run("""
        def at_exit():
            with rm.get_or_load('m', lambda: 'loaded') as handle:
                say(handle.model)
        atexit.register(at_exit)
    """) == ["loaded"]


def test_handlers_at_exit_that_were_registered_before_the_import_are_refused() -> None:
    """They run after all registries were closed. What is held can still be used."""
    assert run("""
        import subprocess
        program = '''
        import atexit
        def at_exit():
            print(handle.model)
            for ask in (
                lambda: rm.get_or_load("m", list),
                lambda: rm.get_or_load("held", list),
                lambda: rm.ModelRegistry(),
                lambda: registry.get_or_load("m", list),
            ):
                try:
                    print(ask())
                except rm.Cancelled as error:
                    print("Cancelled")
            registry.clear()
            print(registry.list_models(), registry.get("held"), "held" in registry, registry.evict("held"))
            handle.release()
        atexit.register(at_exit)
        import remotemedia as rm
        registry = rm.registry()
        handle = registry.get_or_load("held", lambda: "model")
        '''
        import textwrap
        ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
        say(str(ended.returncode) + ended.stderr)
        say(ended.stdout.strip())
    """) == ["0", "model", "Cancelled", "Cancelled", "Cancelled", "Cancelled", "[] None False False"]


def test_a_thread_that_is_no_daemon_is_waited_for() -> None:
    assert run("""
        def work():
            main.join()
            with rm.get_or_load('m', Model):
                say("working")
        main = threading.main_thread()
        threading.Thread(target=work).start()
    """) == ["working", "destroyed"]


def test_os_exit_ends_at_once() -> None:
    assert run("handle = rm.get_or_load('m', Model)\nos._exit(0)") == []


def test_a_module_that_is_imported_and_not_used() -> None:
    assert run("") == []


def test_the_package_can_be_imported_in_a_thread() -> None:
    assert run("""
        import subprocess
        program = '''
        import threading
        def work():
            import remotemedia as rm
            rm.get_or_load("m", list).release()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        '''
        import textwrap
        ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
        say(str(ended.returncode) + ended.stderr)
    """) == ["0"]
