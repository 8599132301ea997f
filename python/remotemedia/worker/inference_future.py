# SPDX-License-Identifier: Apache-2.0
"""What infer_future() gives."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

from remotemedia import _core

_completing = threading.Lock()


def settle(future: Future[Any] | asyncio.Future[Any], call: _core.PendingCall) -> None:
    """Gives the answer of `call`, which is done and not cancelled, to `future`."""
    error = call.exception(0)
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(call.result(0))


class InferenceFuture(Future[Any]):
    """A concurrent.futures.Future whose call knows its answer; whoever waits for it receives it.

    What Future.__init__ makes takes as long as a call. It is made for those who do more than to wait, as
    concurrent.futures.wait(), add_done_callback() and asyncio.wrap_future() do.
    """

    _is_complete = False

    def __init__(self, call: _core.PendingCall) -> None:
        self._call = call

    def result(self, timeout: float | None = None) -> Any:
        """As Future.result(). The same outputs every time."""
        return self._call.result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As Future.exception()."""
        return self._call.exception(timeout)

    def done(self) -> bool:
        """Whether result() does not wait."""
        return self._call.done()

    def cancelled(self) -> bool:
        """Whether cancel() was in time."""
        return self._call.cancelled()

    def cancel(self) -> bool:
        """Cancels in the worker too. Whether it was in time."""
        return self._call.cancel()

    def _complete(self) -> None:
        with _completing:
            if self._is_complete:
                return
            super().__init__()
            self._is_complete = True
        self._call.when_done(self._settle)

    def _settle(self) -> None:
        if super().done():
            return
        if self._call.cancelled():
            super().cancel()
            self.set_running_or_notify_cancel()
        else:
            settle(self, self._call)


class _MadeLate:
    """An attribute of a Future, which is not there before somebody asks for it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, future: InferenceFuture | None, owner: type[InferenceFuture]) -> Any:
        if future is None:
            return self
        future._complete()
        return vars(future)[self._name]


for _name in vars(Future()):
    setattr(InferenceFuture, _name, _MadeLate(_name))
