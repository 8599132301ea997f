# SPDX-License-Identifier: Apache-2.0
"""Waiting for something that must come to its end, whoever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def settled(future: asyncio.Future[Any]) -> None:
    """Returns when future is done. A cancellation that comes meanwhile is raised after that."""
    cancellation: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation


async def uncancelled(work: Coroutine[Any, Any, T]) -> T:
    """Runs work to its end and gives its result.

    A cancellation of the caller does not reach it and is raised when it has ended; an exception of work goes first.
    """
    task = asyncio.ensure_future(work)
    try:
        await settled(task)
    except asyncio.CancelledError:
        task.result()
        raise
    try:
        return task.result()
    finally:
        del task  # it holds the error, whose traceback holds this frame
