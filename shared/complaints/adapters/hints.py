"""Hints that the log has grown, the latest only: whoever looks late sees one, not a backlog."""

from __future__ import annotations

import asyncio


class Hints:
    """An endless async iterator over positions; positions put between two looks become one, the last."""

    def __init__(self) -> None:
        self._position = 0
        self._news = asyncio.Event()

    def put(self, position: int) -> None:
        """Leaves a hint. On the loop's own thread."""
        self._position = position
        self._news.set()

    def __aiter__(self) -> Hints:
        return self

    async def __anext__(self) -> int:
        await self._news.wait()
        self._news.clear()
        return self._position
