# SPDX-License-Identifier: Apache-2.0
"""Clock: where a pipeline takes the time from. Only the idle time of sessions depends on it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that never go back."""

    def now(self) -> float:
        """The time."""
        ...

    async def sleep_until(self, time: float) -> None:
        """Returns when now() has reached time."""
        ...


class MonotonicClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic()

    async def sleep_until(self, time: float) -> None:
        """Sleeps on the event loop."""
        await asyncio.sleep(max(0.0, time - self.now()))
