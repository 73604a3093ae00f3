"""The live board: escalations in the order of the log, to any number of listeners.

They come from the log and not from the topic, because only the log has one order: a listener that names the last
position it has seen misses nothing and gets nothing twice. Each listener reads at its own pace, from memory while it
keeps up and from the log where it does not; nothing is ever queued for it, so a slow one is nobody's burden.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final

import asyncpg
from prometheus_client import Gauge

from complaints.adapters.event_store import COLUMNS, SHARD, PostgresEventStore, stored
from complaints.adapters.patience import Patience
from complaints.codec import decode
from complaints.errors import Undecodable
from complaints.escalations import NEEDS_A_PERSON, Escalation, escalation_of
from complaints.events import tag_of

logger = logging.getLogger(__name__)

LISTENERS = Gauge("redress_ledger_board_listeners", "Listeners of the live board.")

TYPES: Final = sorted(
    {tag_of(kind) for kind in NEEDS_A_PERSON}
    | {tag_of(kind).replace("complaint.", "case.", 1) for kind in NEEDS_A_PERSON}
)
RECENT: Final = 1000
"""Escalations kept in memory, of all desks."""
PAGE: Final = 500
_LOOK_EVERY: Final = 0.25


class Board:
    """One for each process; ``run`` follows the log, ``listen`` serves one listener."""

    def __init__(self, pool: asyncpg.Pool, store: PostgresEventStore, *, public_url: str, recent: int = RECENT) -> None:
        self._pool, self._store, self._public_url = pool, store, public_url
        self._recent: deque[Escalation] = deque()
        self._most = recent
        self._from = 0  # everything after this position and up to `upto` is in memory
        self.upto = 0
        self._news = asyncio.Event()
        self._closed = False
        self._patience = Patience("ledger.board")

    async def start(self) -> None:
        """Begins at the end of the log. Raises StoreUnavailable."""
        self._from = self.upto = await self._store.head()

    async def run(self) -> None:
        """Follows the log until cancelled. LISTEN is a hint beside a poll."""
        async with self._store.appended() as hints, aclosing(_paced(hints)) as looks:
            async for _ in looks:
                await self._patience.until_done(self._look)

    async def caught_up(self) -> bool:
        """Whether everything in the log now has been looked at."""
        return self.upto >= await self._store.head()

    def why_not_ready(self) -> str | None:
        """None while it follows the log."""
        return self._patience.trouble

    def close(self) -> None:
        """Lets every listener go."""
        self._closed = True
        self._tell()

    async def listen(self, desk: str | None, after: int, *, pause: float) -> AsyncIterator[list[Escalation]]:
        """The escalations of a desk (None: of all) after a position, as they come; an empty list after ``pause`` s."""
        LISTENERS.inc()
        try:
            position = after
            while not self._closed:
                news = self._news
                upto = self.upto
                if position < upto:
                    found, position = await self._between(desk, position, upto)
                    if found:
                        yield found
                    continue
                try:
                    async with asyncio.timeout(pause):
                        await news.wait()
                except TimeoutError:
                    yield []
        finally:
            LISTENERS.dec()

    async def _between(self, desk: str | None, after: int, upto: int) -> tuple[list[Escalation], int]:
        """Some escalations in ``(after, upto]``, and how far that went."""
        if after < self._from:
            found = await self._read(after, upto, desk)
            last = found[-1].position if len(found) == PAGE else upto
            return found, last
        recent = [one for one in self._recent if after < one.position <= upto and desk in (None, one.desk)]
        return recent, upto

    async def _look(self) -> None:
        """Takes in what the log has that is new."""
        head = await self._store.head()
        while self.upto < head:
            found = await self._read(self.upto, head, None)
            last = found[-1].position if len(found) == PAGE else head
            self._recent.extend(found)
            while len(self._recent) > self._most:
                self._from = self._recent.popleft().position
            self.upto = last
            self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _read(self, after: int, upto: int, desk: str | None) -> list[Escalation]:
        """Events that may need a person; of what an imported case brings from the past nothing is told."""
        found: list[Escalation] = []
        position = after
        while position < upto and len(found) < PAGE:
            rows = await self._pool.fetch(
                f"SELECT {COLUMNS} FROM es.event WHERE shard = $1 AND pos > $2 AND pos <= $3 "  # noqa: S608
                "AND type = ANY($4::text[]) AND ($5::text IS NULL OR desk = $5) ORDER BY pos LIMIT $6",
                SHARD,
                position,
                upto,
                TYPES,
                desk,
                PAGE - len(found),
            )
            found += [escalation for row in rows if (escalation := self._escalation(row)) is not None]
            if not rows:
                break
            position = rows[-1]["pos"]
        return found

    def _escalation(self, row: Any) -> Escalation | None:
        """What an event asks for. One that no version of the vocabulary explains is told to whoever runs this."""
        try:
            return escalation_of(decode(stored(row)), public_url=self._public_url)
        except Undecodable:
            logger.exception("board.undecodable", extra={"position": row["pos"]})
            return None


async def _paced(hints: AsyncIterator[int]) -> AsyncGenerator[None, None]:
    """One look at a hint, and one now and then without."""
    waiting = asyncio.ensure_future(anext(hints))
    try:
        while True:
            yield
            done, _ = await asyncio.wait({waiting}, timeout=_LOOK_EVERY)
            if done:
                waiting = asyncio.ensure_future(anext(hints))
    finally:
        waiting.cancel()
