"""Proves that nothing due is unfired. It trusts neither the topic nor the timers: it reads the log and asks the engine.

Every due instant that any event of the log names is noted, whatever has become of it since. When it has passed, the
stream is replayed and the engine says what is due. So a timer that was never armed, armed wrongly, or lost is found, as
is a command that had no effect. What stands so at two looks is counted, alarmed, and armed at once.

A decision settles everything that was due before it. So an instant with a later event in its stream is settled, and so
is one at which something ran out; only the others are replayed, once each. The cost grows with what falls due, and the
auditor rests longer than it works.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID

import asyncpg
import msgspec
from prometheus_client import Counter, Gauge

from complaints.adapters.event_store import SHARD
from complaints.adapters.patience import Patience
from complaints.codec import Recorded, decode
from complaints.complaint import replay
from complaints.deciding import next_due
from complaints.duties import next_due as next_missed
from complaints.duties import replay_duties
from complaints.events import CaseEvent, DutyEvent
from complaints.ports import EventStore, Now
from sla_monitor import timers
from sla_monitor.timers import SETTLING, Timer

logger = logging.getLogger(__name__)

UNFIRED: Final = Gauge("redress_sla_monitor_unfired", "Due instants that have passed and of which nothing has come.")
OLDEST: Final = Gauge("redress_sla_monitor_unfired_seconds", "How long ago the oldest of them was due.")
POSITION: Final = Gauge("redress_sla_monitor_audited_position", "The position up to which the log has been audited.")
AUDITED: Final = Counter("redress_sla_monitor_audited", "Streams that were replayed because an instant had passed.")

TOLERANCE: Final = timedelta(seconds=30)
"""How long after its due instant something may take to be fired, decided and recorded."""
_LOOK_EVERY: Final = 10.0
_SECOND_LOOK: Final = timedelta(seconds=10)
_PAGE: Final = 5000
_PORTION: Final = 100
_REST: Final = 4.0
"""How long it rests after a portion of its work, by the time that took: it shares a processor with the timers."""

NAMES_INSTANTS: Final = (
    "clock.started", "clock.recomputed", "clock.extended", "clock.resumed", "step.scheduled", "duty.opened",
)  # fmt: skip

RAN_OUT: Final = ("clock.breached", "clock.expired", "clock.warned", "duty.breached", "duty.lapsed")
"""What happens at a due instant and, dated so, only because it was due."""


class Instants(msgspec.Struct):
    """The instants that an event names, whatever it is."""

    due_at: datetime | None = None
    opens_at: datetime | None = None
    warn_at: list[datetime] = []

    def __iter__(self) -> Iterator[datetime]:
        yield from self.warn_at
        yield from (at for at in (self.due_at, self.opens_at) if at is not None)


_instants: Final = msgspec.json.Decoder(Instants)


@dataclass(frozen=True, slots=True)
class Finding:
    """How a stream stands by the engine's word: what is due next."""

    next_at: datetime | None
    version: int
    imported: bool
    desk: str


class Auditor:
    """One auditor; several processes share the work, and each sees all that is unfired."""

    def __init__(self, *, pool: asyncpg.Pool, store: EventStore, now: Now, tolerance: timedelta = TOLERANCE) -> None:
        self._pool, self._store, self._now, self._tolerance = pool, store, now, tolerance
        self._patience = Patience("sla_monitor.auditor")
        self._unfired = 0

    async def run(self) -> None:
        """Audits until it is cancelled."""
        while True:
            await self._patience.until_done(lambda: self._audit(rest=_REST))
            await asyncio.sleep(_LOOK_EVERY)

    def why_not_ready(self) -> str | None:
        """None while nothing due is unfired."""
        return f"{self._unfired} due and not fired" if self._unfired else self._patience.trouble

    async def audit(self) -> int:
        """Reads on in the log and looks at what has passed; answers how many due instants are unfired."""
        await self._audit()
        return self._unfired

    async def _audit(self, rest: float = 0.0) -> None:
        for work in (self._note, self._check):
            began = time.monotonic()
            while await work():
                await asyncio.sleep(rest * (time.monotonic() - began))
                began = time.monotonic()
        row = await self._pool.fetchrow("SELECT count(*) AS n, min(due_at) AS oldest FROM sla.audit WHERE unfired")
        self._unfired = row["n"]
        UNFIRED.set(self._unfired)
        OLDEST.set((self._now() - row["oldest"]).total_seconds() if row["oldest"] is not None else 0)

    async def _note(self) -> bool:
        """Notes the instants that the next page of the log names; False at its end."""
        async with self._pool.acquire() as connection, connection.transaction():
            after = await connection.fetchval("SELECT position FROM sla.audit_place FOR UPDATE SKIP LOCKED")
            if after is None:  # another process is reading
                return False
            head = await connection.fetchval("SELECT max(pos) FROM es.event WHERE shard = $1", SHARD) or 0
            upto = min(head, after + _PAGE)
            rows = await connection.fetch(
                "SELECT stream_id, category, desk, data FROM es.event "
                "WHERE shard = $1 AND pos > $2 AND pos <= $3 AND type = ANY($4::text[])",
                SHARD,
                after,
                upto,
                list(NAMES_INSTANTS),
            )
            await connection.executemany(
                "INSERT INTO sla.audit (stream, due_at, category, desk, check_at) VALUES ($1, $2, $3, $4, $5) "
                "ON CONFLICT DO NOTHING",
                [
                    (row["stream_id"], at, row["category"], row["desk"], at + self._tolerance)
                    for row in rows
                    for at in _instants.decode(row["data"])
                ],
            )
            await connection.execute("UPDATE sla.audit_place SET position = $1", upto)
        POSITION.set(upto)
        return bool(upto < head)

    async def _check(self) -> bool:
        """Looks at a portion of the instants that have passed; False when there is none."""
        now = self._now()
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                "SELECT stream, due_at, category, version, unfired FROM sla.audit WHERE check_at <= $1 "
                "ORDER BY check_at LIMIT $2 FOR UPDATE SKIP LOCKED",
                now,
                _PORTION,
            )
            settled = await _settled(connection, rows)
            for stream, of_stream in _by_stream(row for row in rows if _key(row) not in settled).items():
                await self._check_stream(connection, stream, of_stream, now)
        return len(rows) == _PORTION

    async def _check_stream(
        self, connection: asyncpg.Connection, stream: UUID, rows: list[asyncpg.Record], now: datetime
    ) -> None:
        AUDITED.inc()
        found = await self._found(stream, rows[0]["category"])
        await connection.execute(
            "DELETE FROM sla.audit WHERE stream = $1 AND due_at = ANY($2::timestamptz[])",
            stream,
            [row["due_at"] for row in rows],
        )
        if found.next_at is None:
            return
        overdue = found.next_at + self._tolerance <= now
        stands = found.version == max(row["version"] for row in rows)
        unfired = overdue and stands and not await _fired_in_vain(connection, stream, found.next_at)
        pause = SETTLING + self._tolerance if found.imported else _SECOND_LOOK
        again_at = now + pause if overdue else found.next_at + self._tolerance
        await connection.execute(
            "INSERT INTO sla.audit (stream, due_at, category, desk, check_at, version, unfired) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (stream, due_at) DO UPDATE "
            "SET check_at = excluded.check_at, version = excluded.version, unfired = excluded.unfired",
            stream,
            found.next_at,
            rows[0]["category"],
            found.desk,
            again_at,
            found.version,
            unfired,
        )
        if unfired:
            due_at = found.next_at.isoformat()
            logger.critical("timer.unfired", extra={"complaint": str(stream), "desk": found.desk, "due_at": due_at})
            if rows[0]["category"] == "complaint":
                await timers.arm(connection, [_rescue(stream, found)], [now])

    async def _found(self, stream: UUID, category: str) -> Finding:
        records = [decode(row) for row in await self._store.read(stream)]
        if category == "duties":
            next_at = next_missed(replay_duties(cast("DutyEvent", record.event) for record in records))
        else:
            next_at = next_due(replay(cast("CaseEvent", record.event) for record in records))
        last: Recorded = records[-1]
        return Finding(next_at, last.version, records[0].meta.imported, last.desk)


def _key(row: asyncpg.Record) -> tuple[UUID, datetime]:
    return UUID(bytes=row["stream"].bytes), row["due_at"]


async def _settled(connection: asyncpg.Connection, rows: Sequence[asyncpg.Record]) -> set[tuple[UUID, datetime]]:
    """Forgets the instants that the log itself shows to be settled; answers which."""
    gone = await connection.fetch(
        "DELETE FROM sla.audit a USING unnest($1::uuid[], $2::timestamptz[]) d(stream, due_at) "
        "WHERE a.stream = d.stream AND a.due_at = d.due_at AND EXISTS ("
        "SELECT FROM es.event e WHERE e.stream_id = d.stream AND (e.occurred_at > d.due_at "
        "OR (e.occurred_at = d.due_at AND e.type = ANY($3::text[])))) RETURNING a.stream, a.due_at",
        [row["stream"] for row in rows],
        [row["due_at"] for row in rows],
        list(RAN_OUT),
    )
    return set(map(_key, gone))


def _by_stream(rows: Iterable[asyncpg.Record]) -> Mapping[UUID, list[asyncpg.Record]]:
    found: dict[UUID, list[asyncpg.Record]] = {}
    for row in rows:
        found.setdefault(UUID(bytes=row["stream"].bytes), []).append(row)
    return found


async def _fired_in_vain(connection: asyncpg.Connection, stream: UUID, at: datetime) -> bool:
    """Whether it is the opening of a step that was fired, and decided nothing since the step does not apply now."""
    claims = await connection.fetchval(
        "SELECT claims FROM sla.timer WHERE stream = $1 AND kind = 'step' AND due_at = $2", stream, at
    )
    return bool(claims)


def _rescue(stream: UUID, found: Finding) -> Timer:
    assert found.next_at is not None  # noqa: S101 - it is what is unfired
    return Timer(
        stream=stream,
        kind="audit",
        name="audit",
        due_at=found.next_at,
        desk=found.desk,
        generation=found.version,
    )
