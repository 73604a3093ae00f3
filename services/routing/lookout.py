"""Cases to be looked at although nothing has happened to them: their time has come, or the desk has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.lane import Lane
from complaints.ports import Now
from routing import tables
from routing.answering import Grounds, answer
from routing.matters import Matters
from routing.tables import Outgoing

_PORTION: Final = 200


class Lookout(Lane):
    """Looks at cases in portions, each a transaction of its own; several processes share them."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        views: LoggedViews,
        matters: Matters,
        now: Now,
        send: Callable[[Outgoing], None],
    ) -> None:
        super().__init__("routing.lookout")
        self._pool, self._views, self._matters, self._now, self._send = pool, views, matters, now, send

    async def caught_up(self) -> bool:
        """Whether there is nothing to look at now."""
        if waits := await self._pool.fetchval(_ANYTHING, self._now()):
            self.wake()
        return not waits

    async def _work(self) -> None:
        if not await self._pool.fetchval(_ANYTHING, self._now()):
            return
        while (found := await self._review() or await self._look_at_those_due()) is not None:
            self._send(found)

    async def _look_at_those_due(self) -> Outgoing | None:
        now = self._now()
        async with self._pool.acquire() as connection, connection.transaction():
            files = await tables.files_to_look_at(connection, now, _PORTION)
            if not files:
                return None
            grounds = await Grounds.of(connection, self._views, files)
            return await answer(connection, grounds, files, now)

    async def _review(self) -> Outgoing | None:
        """A portion of the cases that a change of a desk asks to be looked at."""
        async with self._pool.acquire() as connection, connection.transaction():
            asked = await connection.fetchrow(
                "SELECT id, desk, whom, person, after FROM routing.review ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
            )
            if asked is None:
                return None
            rows = await connection.fetch(_WHICH[asked["whom"]], *_arguments(asked), _PORTION)
            complaints = {UUID(bytes=row["complaint"].bytes): asked["desk"] for row in rows}
            if not complaints:
                await connection.execute("DELETE FROM routing.review WHERE id = $1", asked["id"])
                return Outgoing((), ())
            last = max(complaints)
            await connection.execute("UPDATE routing.review SET after = $2 WHERE id = $1", asked["id"], last)
            return await self._look_at(connection, complaints, matters=asked["whom"] == "matters")

    async def _look_at(self, connection: asyncpg.Connection, complaints: dict[UUID, str], *, matters: bool) -> Outgoing:
        now = self._now()
        files = await tables.files(connection, complaints)
        grounds = await Grounds.of(connection, self._views, files.values())
        if not matters:
            return await answer(connection, grounds, list(files.values()), now)
        upto = {stream: file.case.version for stream, file in files.items()}
        counts = await self._matters.read_again(connection, grounds, upto, now)
        return await tables.keep(connection, (), [msgspec.json.encode(each) for each in counts], now)


_ANYTHING: Final = (
    "SELECT EXISTS (SELECT FROM routing.case_file WHERE look_at <= $1) OR EXISTS (SELECT FROM routing.review)"
)
_WHICH: Final = {
    "person": "SELECT DISTINCT complaint FROM routing.assignment WHERE desk = $1 AND person = $2 AND complaint > $3 "
    "ORDER BY complaint LIMIT $4",
    "lacking": "SELECT DISTINCT complaint FROM routing.assignment WHERE desk = $1 AND person IS NULL "
    "AND complaint > $2 ORDER BY complaint LIMIT $3",
    "everybody": "SELECT complaint FROM routing.case_file WHERE open AND desk = $1 AND complaint > $2 "
    "ORDER BY complaint LIMIT $3",
    "matters": "SELECT complaint FROM routing.case_file WHERE desk = $1 AND complaint > $2 ORDER BY complaint LIMIT $3",
}


def _arguments(asked: asyncpg.Record) -> tuple[object, ...]:
    if asked["whom"] == "person":
        return asked["desk"], asked["person"], asked["after"]
    return asked["desk"], asked["after"]
