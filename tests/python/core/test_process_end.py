# SPDX-License-Identifier: Apache-2.0
"""Interpreters that exit, and processes that fork, with models alive."""

import os
import subprocess
import sys
import textwrap

import pytest

from tests.python.core.program import LEAK_CHECK

HEAD = """
import atexit, os, sys, threading
import remotemedia as rm
class Model:
    def __del__(self, write=os.write): write(1, b"destroyed\\n")
"""


def run(program: str, *, daemons: bool = False) -> str:
    """What the program prints; it must exit with 0.

    It must say nothing on stderr, of leaked objects neither, unless daemon threads are cut off in the middle.
    """
    environment = {**os.environ, **({} if daemons else LEAK_CHECK)}
    ended = subprocess.run(
        # CPython 3.12 warns of each fork() beside threads.
        [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", HEAD + textwrap.dedent(program)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr if not daemons else "") == (0, "")
    return ended.stdout


@pytest.mark.parametrize(
    "program",
    [
        "handle = rm.registry().get_or_load('a', Model)",
        "registry = rm.ModelRegistry(); handle = registry.get_or_load('a', Model)",
        "rm.registry().get_or_load('a', Model).release()",
        "registry = rm.ModelRegistry(); handle = registry.get_or_load('a', Model); del registry",
        "handle = rm.get_or_load('a', Model); handle.model.handle = handle",
        "rm.get_or_load('a', Model); sys.exit(0)",
        """
        handle = rm.get_or_load('a', Model)
        atexit.register(lambda: handle.model)
        """,
    ],
    ids=["held", "own", "idle", "orphan", "cycle", "exit", "atexit"],
)
def test_a_model_is_destroyed_when_the_interpreter_exits(program: str) -> None:
    assert run(program) == "destroyed\n"


def test_an_exit_while_a_thread_loads_does_not_hang() -> None:
    program = """
    began = threading.Event()
    def load():
        began.set()
        threading.Event().wait()
    threading.Thread(target=lambda: rm.get_or_load('a', load), daemon=True).start()
    began.wait()
    """
    assert run(program, daemons=True) == ""


def test_an_exit_while_threads_hit_does_not_crash() -> None:
    program = """
    began = threading.Barrier(3)
    handle = rm.get_or_load('a', dict)
    def hit():
        began.wait()
        while True:
            rm.get_or_load('a', dict)
    for _ in range(2):
        threading.Thread(target=hit, daemon=True).start()
    began.wait()
    """
    assert run(program, daemons=True) == ""


FORKED = """
child = os.fork()
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    registry.clear(timeout=30)
    print("parent", handle.model["is"], registry.metrics().total_models)
else:
    print("child", handle.model["is"], registry.get_or_load("a", load).model is handle.model, flush=True)
    with registry.get_or_load("new", lambda: [1]):
        pass
    handle.release()
    registry.clear(timeout=30)
    print("child", registry.list_models(), flush=True)
"""


def test_a_forked_child_uses_what_it_inherited_and_loads_and_clears() -> None:
    program = f"""
    registry = rm.ModelRegistry(rm.RegistryConfig(ttl_seconds=0))
    load = lambda: {{"is": "shared"}}
    handle = registry.get_or_load("a", load)
    {textwrap.indent(FORKED, "    ").strip()}
    """
    output = run(program)
    assert output.splitlines() == ["child shared True", "child []", "parent shared 1"]


def test_a_fork_while_another_thread_loads_leaves_the_child_free_to_load() -> None:
    program = """
    registry = rm.ModelRegistry()
    began, may_end = threading.Event(), threading.Event()
    def load():
        began.set()
        may_end.wait()
        return ["parent"]
    def child_load():
        return ["child"]
    thread = threading.Thread(target=lambda: registry.get_or_load("a", load))
    thread.start()
    began.wait()
    child = os.fork()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        may_end.set()
        thread.join()
        print(registry.get_or_load("a", load).model)
    else:
        print(registry.get_or_load("a", child_load).model, flush=True)
        os._exit(0)
    """
    assert run(program).splitlines() == ["['child']", "['parent']"]
