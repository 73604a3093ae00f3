"""The event store on PostgreSQL: appends by group commit through ``es.append``, reads from its table."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import asyncpg

from complaints.adapters.append_batch import CALL, Prepared, answers, arguments, prepare
from complaints.adapters.database import Backoff, passing
from complaints.adapters.group_commit import GroupCommit, Limits
from complaints.adapters.hints import Hints
from complaints.errors import RedressError, StoreUnavailable
from complaints.ports import Append, Appended, Category, StoredEvent

logger = logging.getLogger(__name__)

SHARD = 0
"""The one shard there is; the tables and ``es.append`` know of more."""
CHANNEL = "es_event"
COLUMNS = (
    "pos, stream_id, version, category, desk, type, schema_version, occurred_at, recorded_at, command_id, data, meta, "
    "prev_hash, hash"
)

T = TypeVar("T")


class PostgresEventStore:
    """`complaints.ports.EventStore` on a database that is migrated.

    The pool stays the caller's. The store holds one of its connections for writing and one for each ``appended()``, so
    that no reader can keep a writer waiting. A context manager, or ``start`` and ``stop``; reading needs neither.
    A server that is stopped and started again is waited for: up to ``limits.patience`` seconds a request.
    """

    def __init__(self, pool: asyncpg.Pool, *, limits: Limits | None = None) -> None:
        self._pool, self._limits = pool, limits or Limits()
        self._commits = GroupCommit(self._write, self._limits)
        self._writer: Any = None

    async def start(self) -> None:
        """Begins to take appends."""
        self._commits.start()

    async def stop(self) -> None:
        """Takes no more; those who still wait are told StoreUnavailable."""
        await self._commits.stop()
        await self._give_back_writer()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def append(self, append: Append) -> Appended:
        """Appends at the expected version; returns when that is durable. A repeat answers with the original place.

        After StoreUnavailable the outcome may be unknown: send the same command id again.

        Raises: VersionConflict, Taken, CommandReused, StoreBusy, StoreUnavailable.
        """
        return await self._commits.append(prepare(append))

    async def read(self, stream_id: UUID, *, after: int = 0, upto: int | None = None) -> Sequence[StoredEvent]:
        """The events of one stream with ``after < version <= upto``, in order; empty for an unknown stream."""
        rows = await self._fetch(
            f"SELECT {COLUMNS} FROM es.event WHERE stream_id = $1 AND version > $2 AND version <= $3 ORDER BY version",  # noqa: S608
            stream_id,
            after,
            _LAST_VERSION if upto is None else upto,
        )
        return [stored(row) for row in rows]

    async def read_all(
        self, *, after: int = 0, limit: int = 1000, desk: str | None = None, category: Category | None = None
    ) -> Sequence[StoredEvent]:
        """The log from a position on, in order of position.

        ``desk``, and ``category`` "complaint", are looked for along the log: a page costs what it passes over. The
        other categories have an index.
        """
        chosen = "" if category is None else f" AND category = {CATEGORY_LITERALS[category]}"
        if desk is not None:
            chosen += " AND desk = $4"
        rows = await self._fetch(
            f"SELECT {COLUMNS} FROM es.event WHERE shard = $1 AND pos > $2{chosen} ORDER BY pos LIMIT $3",  # noqa: S608
            SHARD,
            after,
            limit,
            *(() if desk is None else (desk,)),
        )
        return [stored(row) for row in rows]

    async def streams(
        self, desk: str, category: Category, *, after: UUID | None = None, limit: int = 1000
    ) -> Sequence[UUID]:
        """The streams of a desk, in order of their ids, from one on."""
        rows = await self._fetch(
            "SELECT stream_id FROM es.stream WHERE category = $1 AND desk = $2 AND ($3::uuid IS NULL OR stream_id > $3)"
            " ORDER BY stream_id LIMIT $4",
            category,
            desk,
            after,
            limit,
        )
        return [UUID(bytes=row["stream_id"].bytes) for row in rows]

    async def head(self) -> int:
        """The last position; 0 for an empty log."""
        rows = await self._fetch("SELECT pos FROM es.event WHERE shard = $1 ORDER BY pos DESC LIMIT 1", SHARD)
        return rows[0]["pos"] if rows else 0

    async def find_command(self, command_id: UUID) -> tuple[UUID, bytes, Appended] | None:
        """Stream, fingerprint and place of a command that was decided before."""
        rows = await self._fetch(
            "SELECT c.*, e.hash FROM es.command c JOIN es.event e USING (stream_id, version) WHERE c.command_id = $1",
            command_id,
        )
        if not rows:
            return None
        row = rows[0]
        place = Appended(
            version=row["version"],
            first_position=row["first_pos"],
            last_position=row["last_pos"],
            hash=row["hash"],
            duplicate=True,
        )
        return UUID(bytes=row["stream_id"].bytes), row["fingerprint"], place

    @asynccontextmanager
    async def appended(self) -> AsyncIterator[AsyncIterator[int]]:
        """A hint that the log has grown: its last position. May miss, may come twice, is never the delivery."""
        hints = Hints()
        task = asyncio.create_task(self._listen(hints), name="appended")
        try:
            yield hints
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _write(self, batch: Sequence[Prepared]) -> Sequence[Appended | RedressError]:
        values = arguments(batch, shard=SHARD)
        if self._writer is None:
            self._writer = await self._pool.acquire()
        try:
            rows = await self._writer.fetch(CALL, *values, timeout=self._limits.patience)
        except BaseException as error:
            if passing(error) or not isinstance(error, Exception):  # what goes on over there is no longer known
                with suppress(asyncpg.InterfaceError):  # the connection is lost already
                    self._writer.terminate()
                await self._give_back_writer()
            raise
        return answers(batch, rows)

    async def _give_back_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await self._pool.release(writer)

    async def _fetch(self, query: str, *values: Any) -> Any:
        async def fetch() -> Any:
            return await self._pool.fetch(query, *values)

        return await patiently(fetch, self._limits.patience)

    async def _listen(self, hints: Hints) -> None:
        """Keeps one connection listening, a new one when it is lost."""
        backoff = Backoff()
        while True:
            lost = asyncio.Event()
            try:
                async with self._pool.acquire() as connection:
                    connection.add_termination_listener(lambda _connection, lost=lost: lost.set())
                    await connection.add_listener(
                        CHANNEL, lambda _connection, _pid, _channel, position: hints.put(int(position))
                    )
                    hints.put(await self.head())  # something may have come while nobody listened
                    backoff.reset()
                    try:
                        await lost.wait()
                    finally:
                        await connection.reset()
            except Exception as error:
                if not passing(error):
                    raise
                logger.warning("store.listener-lost", extra={"error": repr(error)})
            await backoff.wait()


async def patiently(attempt: Callable[[], Awaitable[T]], patience: float) -> T:
    """What ``attempt`` returns, tried again with back-off while the server cannot be reached.

    Raises: StoreUnavailable after ``patience`` seconds; any other error at once.
    """
    backoff = Backoff(patience)
    while True:
        try:
            return await attempt()
        except Exception as error:
            if not passing(error):
                raise
            logger.warning("store.unreachable", extra={"error": repr(error)})
            if not await backoff.wait():
                raise StoreUnavailable(f"the store did not answer within {patience:g} s") from error


def stored(row: Any) -> StoredEvent:
    """A row of COLUMNS as a value; asyncpg's own kind of UUID becomes the standard one."""
    return StoredEvent(
        position=row["pos"],
        stream_id=UUID(bytes=row["stream_id"].bytes),
        version=row["version"],
        category=row["category"],
        desk=row["desk"],
        type=row["type"],
        schema_version=row["schema_version"],
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        command_id=UUID(bytes=row["command_id"].bytes),
        data=row["data"],
        meta=row["meta"],
        previous_hash=row["prev_hash"],
        hash=row["hash"],
    )


_LAST_VERSION = 2**31 - 1
CATEGORY_LITERALS: dict[Category, str] = {"complaint": "'complaint'", "desk": "'desk'", "duties": "'duties'"}
"""As literals, not parameters, so that the planner sees that the partial index will do."""
