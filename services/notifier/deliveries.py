"""Messages on their way: one row each, under its key, so that none is sent twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg
import msgspec

from complaints.codec import Recorded
from complaints.events import Clause
from notifier.messages import EMAIL, WEBHOOK, Kind, Message

Outcome = Literal["sent", "failed", "withheld"]
"""What became of a message; withheld: what it would say was not true any more when it could go."""

LaneName = Literal["email", "webhook", "staff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message that is being sent. ``stream``, ``version``: the event that called for it."""

    key: UUID
    kind: Kind
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
    attempts: int  # this one counted
    correlation_id: UUID | None
    outcome: Outcome | None = None  # of one whose result has not been reported yet
    reason: str | None = None
    code: str | None = None
    ended_at: datetime | None = None

    @property
    def of_case(self) -> bool:
        """Whether it is about a case, not about what the desk owes without one."""
        return self.complaint == str(self.stream)


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


_IN_LANE: Final[dict[LaneName, str]] = {
    "email": f"channel = '{EMAIL}'",
    "webhook": f"channel = '{WEBHOOK}'",
    "staff": f"channel NOT IN ('{EMAIL}', '{WEBHOOK}')",
}


async def claim(
    pool: asyncpg.Pool,
    now: datetime,
    lane: LaneName,
    *,
    limit: int,
    lease: timedelta,
    but: Collection[UUID] = (),
    busy: Collection[str] = (),
) -> list[Delivery]:
    """Takes messages of a lane that are due, nobody else's; also those that a sender took and never came back with.

    ``but``: those that the caller has in hand; ``busy``: recipients (``desk/recipient``) that have enough for now.
    """
    rows = await pool.fetch(
        "UPDATE notifier.delivery d SET state = 'sending', attempts = attempts + 1, not_before = $2 "  # noqa: S608 - constant
        "FROM (SELECT key FROM notifier.delivery WHERE state IN ('waiting', 'sending') AND not_before <= $1 "
        f"AND {_IN_LANE[lane]} AND key <> ALL($4::uuid[]) AND desk || '/' || recipient <> ALL($5::text[]) "
        "ORDER BY not_before, key LIMIT $3 FOR UPDATE SKIP LOCKED) due WHERE d.key = due.key RETURNING d.*",
        now,
        now + lease,
        limit,
        list(but),
        list(busy),
    )
    return [_delivery(row) for row in rows]


async def ended(
    pool: asyncpg.Pool, delivery: Delivery, now: datetime, outcome: Outcome, *, reason: str | None, code: str | None
) -> None:
    """It was taken, refused for good, or withheld; what remains is to report it.

    Somebody who took it over in the meantime says what became of it.
    """
    await pool.execute(
        "UPDATE notifier.delivery SET state = $3, reason = $4, code = $5, ended_at = $6 "
        "WHERE key = $1 AND attempts = $2 AND state = 'sending'",
        delivery.key,
        delivery.attempts,
        outcome,
        reason,
        code,
        now,
    )


async def again(pool: asyncpg.Pool, delivery: Delivery, not_before: datetime, *, reason: str, code: str) -> None:
    """It is tried again, later."""
    await pool.execute(
        "UPDATE notifier.delivery SET state = 'waiting', not_before = $3, reason = $4, code = $5 "
        "WHERE key = $1 AND attempts = $2 AND state = 'sending'",
        delivery.key,
        delivery.attempts,
        not_before,
        reason,
        code,
    )


_UNREPORTED: Final = "state IN ('sent', 'failed', 'withheld') AND NOT reported"


async def unreported(pool: asyncpg.Pool, *, limit: int) -> list[Delivery]:
    """Messages whose result nobody has been told of yet, the oldest first."""
    rows = await pool.fetch(
        f"SELECT * FROM notifier.delivery WHERE {_UNREPORTED} ORDER BY ended_at, key LIMIT $1",  # noqa: S608 - constant
        limit,
    )
    return [_delivery(row) for row in rows]


async def reported(pool: asyncpg.Pool, keys: Collection[UUID]) -> None:
    """Their results are on the topics."""
    await pool.execute("UPDATE notifier.delivery SET reported = true WHERE key = ANY($1::uuid[])", list(keys))


async def any_due(pool: asyncpg.Pool, now: datetime, lane: LaneName) -> bool:
    """Whether something of a lane could go now."""
    found: bool = await pool.fetchval(
        "SELECT EXISTS (SELECT FROM notifier.delivery "  # noqa: S608 - constant
        f"WHERE state IN ('waiting', 'sending') AND not_before <= $1 AND {_IN_LANE[lane]})",
        now,
    )
    return found


async def any_unreported(pool: asyncpg.Pool) -> bool:
    """Whether some result has not been told."""
    found: bool = await pool.fetchval(
        f"SELECT EXISTS (SELECT FROM notifier.delivery WHERE {_UNREPORTED})"  # noqa: S608 - constant
    )
    return found


def _delivery(row: asyncpg.Record) -> Delivery:
    state = row["state"]
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
        outcome=None if state in {"waiting", "sending"} else state,
        reason=row["reason"],
        code=row["code"],
        ended_at=row["ended_at"],
    )
