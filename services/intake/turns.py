"""Turns: in one process, commands to one case are decided one after the other, so that none is decided in vain.

Between processes the store alone decides who was first.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """A queue for each name that somebody is at."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def turn(self, name: str) -> Turn:
        """A context in which nobody else is at this name; entered when everybody who came before has left."""
        return Turn(self._waiting, name)


class Turn:
    """One's turn at a name."""

    __slots__ = ("_name", "_waiting")

    def __init__(self, waiting: dict[str, deque[asyncio.Future[None]]], name: str) -> None:
        self._waiting, self._name = waiting, name

    async def __aenter__(self) -> None:
        queue = self._waiting.get(self._name)
        if queue is None:
            self._waiting[self._name] = deque()
            return
        mine = asyncio.get_running_loop().create_future()
        queue.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if not mine.cancelled():  # it was called just as it gave up
                await self.__aexit__()
            elif mine in queue:
                queue.remove(mine)
            raise

    async def __aexit__(self, *_: object) -> None:
        queue = self._waiting[self._name]
        while queue:
            following = queue.popleft()
            if not following.done():  # else it gives up in this very moment
                following.set_result(None)
                return
        del self._waiting[self._name]
