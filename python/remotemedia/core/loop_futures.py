# SPDX-License-Identifier: Apache-2.0
"""Futures of event loops that only say that something has come."""

from __future__ import annotations

import asyncio


def set_unless_done(future: asyncio.Future[None]) -> None:
    """On its loop. Who waited for it may have given up."""
    if not future.done():
        future.set_result(None)
