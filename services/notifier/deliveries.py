"""Messages on their way: one row each, under its key, so that none is sent twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from complaints.codec import Recorded
from complaints.events import Clause
from notifier.messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message that is being sent. ``stream``, ``version``: the event that called for it."""

    key: UUID
    kind: str
    desk: str
    complaint: str
    stream: UUID
    version: int
    step: str | None
    clause: Clause
    recipient: str
    channel: str
    at: datetime
    context: dict[str, Any]
    attempts: int
    correlation_id: UUID | None
    delivered: bool | None = None  # of one whose result has not been reported yet
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A message, the event that calls for it, and when it may go at the earliest."""

    message: Message
    recorded: Recorded
    not_before: datetime


async def keep(connection: asyncpg.Connection, wanted: Iterable[Wanted]) -> None:
    """Keeps messages to be sent; those that are kept already stay as they are."""
    rows = [
        (
            one.message.key,
            one.message.kind,
            one.message.desk,
            one.message.complaint,
            one.recorded.stream_id,
            one.recorded.version,
            one.message.step,
            msgspec.json.encode(one.message.clause).decode(),
            one.message.recipient,
            one.message.channel,
            one.message.at,
            msgspec.json.encode(one.message.context).decode(),
            one.not_before,
            one.recorded.meta.correlation_id,
        )
        for one in wanted
    ]
    if rows:
        await connection.executemany(
            "INSERT INTO notifier.delivery (key, kind, desk, complaint, stream, version, step, clause, recipient, "
            "channel, at, context, not_before, correlation_id) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (key) DO NOTHING",
            rows,
        )


async def claim(connection: asyncpg.Pool, now: datetime, *, limit: int, lease: timedelta) -> list[Delivery]:
    """Takes messages that are due, nobody else's; also those that a sender took and never came back with."""
    rows = await connection.fetch(
        "UPDATE notifier.delivery d SET state = 'sending', attempts = attempts + 1, not_before = $2 "
        "FROM (SELECT key FROM notifier.delivery WHERE state IN ('waiting', 'sending') AND not_before <= $1 "
        "ORDER BY not_before, key LIMIT $3 FOR UPDATE SKIP LOCKED) due WHERE d.key = due.key RETURNING d.*",
        now,
        now + lease,
        limit,
    )
    return [_delivery(row) for row in rows]


async def done(connection: asyncpg.Pool, key: UUID, now: datetime, *, delivered: bool, reason: str | None) -> None:
    """It was taken, or refused for good; what remains is to report it."""
    await connection.execute(
        "UPDATE notifier.delivery SET state = $2, reason = $3, ended_at = $4 WHERE key = $1",
        key,
        "sent" if delivered else "failed",
        reason,
        now,
    )


async def again(connection: asyncpg.Pool, key: UUID, not_before: datetime, reason: str) -> None:
    """It is tried again, later."""
    await connection.execute(
        "UPDATE notifier.delivery SET state = 'waiting', not_before = $2, reason = $3 WHERE key = $1",
        key,
        not_before,
        reason,
    )


async def unreported(connection: asyncpg.Pool, *, limit: int) -> list[Delivery]:
    """Messages whose result nobody has been told of yet, the oldest first."""
    rows = await connection.fetch(
        "SELECT * FROM notifier.delivery WHERE state IN ('sent', 'failed') AND NOT reported "
        "ORDER BY ended_at, key LIMIT $1",
        limit,
    )
    return [_delivery(row) for row in rows]


async def reported(connection: asyncpg.Pool, keys: list[UUID]) -> None:
    """Their results are on the topic."""
    await connection.execute("UPDATE notifier.delivery SET reported = true WHERE key = ANY($1::uuid[])", keys)


async def waiting(connection: asyncpg.Pool, now: datetime) -> bool:
    """Whether something is due now or has not been reported."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM notifier.delivery WHERE state IN ('waiting', 'sending') AND not_before <= $1) "
        "OR EXISTS (SELECT FROM notifier.delivery WHERE state IN ('sent', 'failed') AND NOT reported)",
        now,
    )
    return found


async def next_at(connection: asyncpg.Pool) -> datetime | None:
    """When the next message may go."""
    found: datetime | None = await connection.fetchval(
        "SELECT min(not_before) FROM notifier.delivery WHERE state IN ('waiting', 'sending')"
    )
    return found


def _delivery(row: asyncpg.Record) -> Delivery:
    return Delivery(
        key=UUID(bytes=row["key"].bytes),
        kind=row["kind"],
        desk=row["desk"],
        complaint=row["complaint"],
        stream=UUID(bytes=row["stream"].bytes),
        version=row["version"],
        step=row["step"],
        clause=msgspec.json.decode(row["clause"]),
        recipient=row["recipient"],
        channel=row["channel"],
        at=row["at"],
        context=msgspec.json.decode(row["context"]),
        attempts=row["attempts"],
        correlation_id=row["correlation_id"] and UUID(bytes=row["correlation_id"].bytes),
        delivered={"sent": True, "failed": False}.get(row["state"]),
        reason=row["reason"],
    )
