"""Turns: in one process, commands to one case are decided one after the other, so that none is decided in vain.

Between processes the store alone decides who was first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A queue for each name that somebody is at."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Waits until everybody who came before has left."""
        before = self._last.get(name)
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        mine.add_done_callback(lambda _: self._forget(name, mine))
        self._last[name] = mine
        try:
            if before is not None:
                await asyncio.shield(before)
            yield
        finally:
            if before is None or before.done():
                mine.set_result(None)
            else:  # given up while waiting: whoever waits for us now waits for the one before
                before.add_done_callback(lambda _: mine.set_result(None))

    def _forget(self, name: str, mine: asyncio.Future[None]) -> None:
        if self._last.get(name) is mine:
            del self._last[name]
