"""A lane: a loop that does what there is to do, sleeps until it is woken or some time has passed, and does so again.

What is in the way and passes is waited out; what does not pass ends the loop.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from complaints.adapters.patience import Patience

LOOK_EVERY = 0.5
"""Seconds after which a lane looks by itself: nobody may have known that there was something to do."""


class Lane(ABC):
    """One worker of a lane; several processes share the work."""

    def __init__(self, name: str) -> None:
        self._news = asyncio.Event()
        self._patience = Patience(name)

    @abstractmethod
    async def _work(self) -> None:
        """Does all there is to do now."""

    def wake(self) -> None:
        """There may be something to do."""
        self._news.set()

    async def run(self) -> None:
        """Works until it is cancelled."""
        while True:
            self._news.clear()
            await self._patience.until_done(self._work)
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._news.wait()
            except TimeoutError:
                continue

    def why_not_ready(self) -> str | None:
        """None while it works."""
        return self._patience.trouble
