"""Signed checkpoints of the log: issued by one process at a time, stored beside it, checked against it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NoReturn

import asyncpg
import msgspec

from complaints.adapters.database import Backoff, Lock, passing
from complaints.adapters.event_store import SHARD
from complaints.adapters.signed_notes import NotSigned, Signer, Verifier, open_note
from complaints.chain import Checkpoint, Flaw, leaf
from complaints.merkle import Frontier
from complaints.ports import Now

logger = logging.getLogger(__name__)

_PAGE = 10_000


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint as it is stored; ``note`` is what is published."""

    shard: int
    size: int
    root: bytes
    issued_at: datetime
    note: str


class RecordDamaged(RuntimeError):
    """The stored record contradicts itself: nothing more may be signed before somebody has looked."""


class Checkpointer:
    """Issues a checkpoint at every multiple of ``every`` positions, and over whatever has waited for ``longest``.

    Several may run: an advisory lock lets one at a time look. A checkpoint costs what was appended since the last one.
    ``issued`` is told of each after it is stored; whoever must not miss one reads ``stored_checkpoints``.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        signer: Signer,
        *,
        now: Now,
        every: int = 1000,
        longest: timedelta = timedelta(seconds=60),
        issued: Callable[[Issued], Awaitable[None]] | None = None,
    ) -> None:
        self._pool, self._signer, self._now = pool, signer, now
        self._every, self._longest, self._issued = every, longest, issued

    async def run(self, *, pause: float = 1.0) -> None:
        """Issues what is due, then looks again after ``pause`` seconds, until cancelled.

        Raises: RecordDamaged.
        """
        backoff = Backoff(longest=30.0)
        while True:
            try:
                await self.issue_due()
            except Exception as error:
                if not passing(error):
                    raise
                logger.warning("checkpoints.wait", extra={"error": repr(error)})
                await backoff.wait()
            else:
                backoff.reset()
                await asyncio.sleep(pause)

    async def issue_due(self) -> list[Issued]:
        """Issues the checkpoints that are due now; none where another process is at it.

        Raises: RecordDamaged.
        """
        issued = []
        async with self._pool.acquire() as connection:
            while one := await self._issue_next(connection):
                issued.append(one)
                logger.info("checkpoint.issued", extra={"size": one.size, "root": one.root.hex()})
                if self._issued is not None:
                    await self._issued(one)
        return issued

    async def _issue_next(self, connection: Any) -> Issued | None:
        async with connection.transaction():
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1, $2)", Lock.CHECKPOINT, SHARD):
                return None
            frontier = await self._resume(connection)
            size = await self._next_size(connection, frontier.size)
            if size is None:
                return None
            await _extend(connection, frontier, size)
            root = frontier.root()
            one = Issued(
                shard=SHARD,
                size=size,
                root=root,
                issued_at=self._now(),
                note=self._signer.sign(Checkpoint(self._signer.name, size, root).text()),
            )
            await connection.execute(
                "INSERT INTO es.checkpoint (shard, size, root, frontier, issued_at, note)"
                " VALUES ($1, $2, $3, $4, $5, $6)",
                SHARD,
                size,
                root,
                bytes(frontier),
                one.issued_at,
                one.note,
            )
            return one

    async def _next_size(self, connection: Any, covered: int) -> int | None:
        """What the next checkpoint covers, if one is due."""
        head = await connection.fetchrow("SELECT pos FROM es.event WHERE shard = $1 ORDER BY pos DESC LIMIT 1", SHARD)
        if head is None or head["pos"] <= covered:
            return None
        full = (covered // self._every + 1) * self._every
        if full <= head["pos"]:
            return full
        waits_since = await connection.fetchval(
            "SELECT recorded_at FROM es.event WHERE shard = $1 AND pos = $2", SHARD, covered + 1
        )
        return int(head["pos"]) if waits_since is None or self._now() - waits_since >= self._longest else None

    async def _resume(self, connection: Any) -> Frontier:
        """The frontier of the last checkpoint, which must be what was signed."""
        last = await connection.fetchrow(
            "SELECT size, root, frontier, note FROM es.checkpoint WHERE shard = $1 ORDER BY size DESC LIMIT 1", SHARD
        )
        if last is None:
            return Frontier()
        try:
            frontier = Frontier.from_bytes(last["size"], last["frontier"])
            signed = Checkpoint.parse(last["note"].rpartition("\n\n")[0] + "\n")
        except ValueError as error:
            _damaged(f"the checkpoint over {last['size']} positions cannot be read: {error}")
        if not last["root"] == frontier.root() == signed.root or signed.size != frontier.size:
            _damaged(f"the checkpoint over {last['size']} positions is not what was signed")
        return frontier


async def _extend(connection: Any, frontier: Frontier, size: int) -> None:
    """Adds the leaves up to ``size``."""
    while frontier.size < size:
        rows = await connection.fetch(
            "SELECT pos, recorded_at, hash FROM es.event"
            " WHERE shard = $1 AND pos > $2 AND pos <= $3 ORDER BY pos LIMIT $4",
            SHARD,
            frontier.size,
            size,
            _PAGE,
        )
        for row in rows:
            if row["pos"] != frontier.size + 1:
                _damaged(f"position {frontier.size + 1} is missing")
            frontier.add(leaf(row["pos"], row["recorded_at"], row["hash"]))
        if not rows:
            _damaged(f"position {frontier.size + 1} is missing")


def _damaged(why: str) -> NoReturn:
    logger.error("record.damaged", extra={"why": why})
    raise RecordDamaged(why)


async def stored_checkpoints(pool: asyncpg.Pool, *, after: int = 0, limit: int = 1000) -> Sequence[Issued]:
    """The checkpoints over more than ``after`` positions, smallest first."""
    rows = await pool.fetch(
        "SELECT shard, size, root, issued_at, note FROM es.checkpoint"
        " WHERE shard = $1 AND size > $2 ORDER BY size LIMIT $3",
        SHARD,
        after,
        limit,
    )
    return [Issued(**row) for row in rows]


def read_notes(notes: Iterable[str], verifiers: Iterable[Verifier]) -> tuple[list[Checkpoint], list[Flaw]]:
    """The checkpoints that are signed by one of the keys for its own log, and a flaw for each note that is not.

    A flaw's code is ``unsigned``; its position is the size that the note claims, 0 where none can be read.
    """
    verifiers = list(verifiers)
    origins = {verifier.name for verifier in verifiers}
    checkpoints, flaws = [], []
    for note in notes:
        try:
            checkpoint = Checkpoint.parse(open_note(note, verifiers))
            if checkpoint.origin not in origins:
                raise NotSigned(f"signed for another log, {checkpoint.origin}")
        except ValueError as error:
            flaws.append(Flaw(_claimed_size(note), "unsigned", str(error)))
        else:
            checkpoints.append(checkpoint)
    return checkpoints, flaws


def _claimed_size(note: str) -> int:
    try:
        return Checkpoint.parse(note.rpartition("\n\n")[0] + "\n").size
    except ValueError:
        return 0
