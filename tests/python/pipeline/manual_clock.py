# SPDX-License-Identifier: Apache-2.0
"""A clock that tests set."""

import asyncio


class ManualClock:
    """Time stands still until advance is called on the event loop that sleeps by it."""

    def __init__(self) -> None:
        self._now = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep_until(self, time: float) -> None:
        if time > self._now:
            sleeper = asyncio.get_running_loop().create_future()
            self._sleepers.append((time, sleeper))
            await sleeper

    def advance(self, seconds: float) -> None:
        self._now += seconds
        for time, sleeper in self._sleepers:
            if time <= self._now and not sleeper.done():
                sleeper.set_result(None)
        self._sleepers = [(time, sleeper) for time, sleeper in self._sleepers if not sleeper.done()]
