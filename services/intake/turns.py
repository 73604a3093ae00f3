"""Turns: in one process, commands to one case are decided one after the other, so that none is decided in vain.

Between processes the store alone decides who was first.
"""

from __future__ import annotations

import asyncio


class Turns:
    """A queue for each name that somebody is at."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Future[None]] = {}

    def turn(self, name: str) -> Turn:
        """A context in which nobody else is at this name; entered when everybody who came before has left."""
        return Turn(self._last, name)


class Turn:
    """One place in a queue."""

    __slots__ = ("_before", "_last", "_mine", "_name")

    def __init__(self, last: dict[str, asyncio.Future[None]], name: str) -> None:
        self._last, self._name = last, name

    async def __aenter__(self) -> None:
        self._before = self._last.get(self._name)
        self._mine = self._last[self._name] = asyncio.get_running_loop().create_future()
        if self._before is not None:
            try:
                await asyncio.shield(self._before)
            except BaseException:
                await self.__aexit__()
                raise

    async def __aexit__(self, *_: object) -> None:
        if self._before is None or self._before.done():
            self._leave()
        else:  # given up while waiting: whoever waits for us now waits for the one before
            self._before.add_done_callback(lambda _: self._leave())

    def _leave(self) -> None:
        self._mine.set_result(None)
        if self._last.get(self._name) is self._mine:
            del self._last[self._name]
