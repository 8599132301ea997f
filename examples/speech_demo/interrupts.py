# SPDX-License-Identifier: Apache-2.0
"""Signals that end the demo: they unwind it, so that no process is left, and never in the middle of making one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked the program to end.

    Not KeyboardInterrupt: CPython ends a program by the signal itself once that has passed through code that it
    compiled from text, as in the making of a dataclass, even when it was caught there.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


def unwind_on_signals() -> None:
    """From now on SIGINT, and SIGTERM and SIGHUP unless they are ignored, raise Interrupted in the main thread."""
    for number in _ENDING:
        if number is signal.SIGINT or signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _unwind)


def ignore_signals() -> None:
    """From now on nothing interrupts what is left to do."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def held_back() -> Iterator[None]:
    """Signals that arrive inside take effect at the end of the block. Main thread only."""
    arrived: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        arrived.append(number)

    before = {number: signal.signal(number, note) for number in _ENDING}
    try:
        yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)
        if arrived:
            signal.raise_signal(arrived[0])


def _unwind(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)
