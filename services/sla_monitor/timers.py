"""The armed timers: projected from the topic, claimed by whoever fires them.

A timer is claimed by moving its ``fire_at`` to when the claim ends, so that looking for what is due costs what is due.
Two monitors never claim the same one; what a dead one has claimed is due again when its claim ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID

import asyncpg

from complaints.codec import Recorded
from sla_monitor.arming import Arm, Change, Disarm, Kind, changes

SETTLING: Final = timedelta(seconds=60)
"""How long nothing must have been told of an imported case's past before what was due in it is fired."""

ARMED: Final = "sla_armed"
"""Notified when a timer was armed that is due sooner than monitors look by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """Something to be fired. ``claims``: how often it has been claimed, this time included."""

    stream: UUID
    kind: Kind
    name: str
    due_at: datetime
    desk: str
    generation: int
    claims: int = 0
    ends_at: datetime | None = None
    imported: bool = False


Key = tuple[UUID, Kind, str]


# --- projecting ---
@dataclass(frozen=True, slots=True, kw_only=True)
class Projected:
    """What a batch of events comes to: what is gone, and what is armed."""

    gone: Sequence[Key]
    warned: Mapping[tuple[UUID, str], datetime]  # warnings up to then are gone
    armed: Sequence[Timer]


def projected(records: Iterable[Recorded]) -> Projected:
    """The timers after these events, in order. Pure."""
    last: dict[Key, tuple[Arm | Disarm, Recorded]] = {}
    warned: dict[tuple[UUID, str], datetime] = {}
    for record in records:
        for change in changes(record.event):
            if isinstance(change, Disarm) and change.upto is not None:
                warned[record.stream_id, change.name] = change.upto
                continue
            last[record.stream_id, change.kind, change.name] = change, record
            warned.pop((record.stream_id, change.name), None)
    armed = [timer for change, record in last.values() for timer in _armed(change, record, warned)]
    return Projected(gone=[key for held in last for key in _with_warnings(held)], warned=warned, armed=armed)


def _with_warnings(key: Key) -> Iterable[Key]:
    stream, kind, name = key
    yield key
    if kind == "clock":
        yield stream, "warning", name


def _armed(change: Change, record: Recorded, warned: Mapping[tuple[UUID, str], datetime]) -> Iterable[Timer]:
    if not isinstance(change, Arm):
        return
    upto = warned.get((record.stream_id, change.name))
    instants: list[tuple[Kind, datetime]] = [(change.kind, change.due_at)]
    instants += [("warning", at) for at in change.warnings if upto is None or at > upto]
    for kind, at in instants:
        yield Timer(
            stream=record.stream_id,
            kind=kind,
            name=change.name,
            due_at=at,
            desk=record.desk,
            generation=record.version,
            imported=record.meta.imported,
        )


async def project(connection: asyncpg.Connection, records: Sequence[Recorded], now: datetime) -> datetime | None:
    """Takes in events; the earliest instant at which something that they armed fires."""
    found = projected(records)
    if found.gone:
        await connection.execute(
            "DELETE FROM sla.timer t USING unnest($1::uuid[], $2::text[], $3::text[]) g(stream, kind, name) "
            "WHERE t.stream = g.stream AND t.kind = g.kind AND t.name = g.name",
            *map(list, zip(*found.gone, strict=True)),
        )
    if found.warned:
        rows = [(stream, name, upto) for (stream, name), upto in found.warned.items()]
        await connection.executemany(
            "DELETE FROM sla.timer WHERE stream = $1 AND kind = 'warning' AND name = $2 AND due_at <= $3", rows
        )
    hold = now + SETTLING
    settling = _settling(records, now)
    fire_at = [hold if t.stream in settling and t.due_at < hold else t.due_at for t in found.armed]
    await arm(connection, found.armed, fire_at)
    if settling:
        await connection.execute(
            "UPDATE sla.timer SET fire_at = $2 WHERE stream = ANY($1::uuid[]) AND fire_at < $2", list(settling), hold
        )
    return min(fire_at, default=None)


def _settling(records: Iterable[Recorded], now: datetime) -> set[UUID]:
    """Imported cases of whose past something was told just now: more may come."""
    return {record.stream_id for record in records if record.meta.imported and record.event.at < now - SETTLING}


async def arm(connection: asyncpg.Connection, timers: Sequence[Timer], fire_at: Sequence[datetime]) -> None:
    """Arms timers; one that is armed already stays as it is."""
    if timers:
        await connection.execute(
            "INSERT INTO sla.timer (stream, kind, name, due_at, desk, generation, fire_at, ends_at, imported) "
            "SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::int[], "
            "$7::timestamptz[], $8::timestamptz[], $9::boolean[]) ON CONFLICT DO NOTHING",
            [timer.stream for timer in timers],
            [timer.kind for timer in timers],
            [timer.name for timer in timers],
            [timer.due_at for timer in timers],
            [timer.desk for timer in timers],
            [timer.generation for timer in timers],
            list(fire_at),
            [timer.ends_at for timer in timers],
            [timer.imported for timer in timers],
        )


# --- firing ---
async def claim(connection: asyncpg.Connection, now: datetime, until: datetime, limit: int) -> list[Timer]:
    """Claims what is due at ``now``, the earliest first; nobody else gets it before ``until``."""
    rows = await connection.fetch(
        "WITH due AS (SELECT ctid AS at FROM sla.timer WHERE fire_at <= $1 ORDER BY fire_at LIMIT $3 "
        "FOR UPDATE SKIP LOCKED) "
        "UPDATE sla.timer t SET fire_at = $2, claims = claims + 1 FROM due WHERE t.ctid = due.at "
        "RETURNING t.stream, t.kind, t.name, t.due_at, t.desk, t.generation, t.claims, t.ends_at, t.imported",
        now,
        until,
        limit,
    )
    return [Timer(**{**row, "stream": UUID(bytes=row["stream"].bytes)}) for row in rows]


async def sent(connection: asyncpg.Connection, timers: Sequence[tuple[Timer, datetime]]) -> None:
    """These have been fired; each is due again, should nothing have come of it, at the instant beside it.

    One that was armed anew meanwhile, or is just being taken away, is left alone: nobody waits here for whoever follows
    the topic. One that the auditor asked for is done with.
    """
    await connection.execute(
        "WITH ours AS (SELECT t.ctid AS at, s.again_at FROM sla.timer t JOIN "
        "unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::int[], $6::timestamptz[]) "
        "s(stream, kind, name, due_at, generation, again_at) USING (stream, kind, name, due_at, generation) "
        "FOR UPDATE OF t SKIP LOCKED) "
        "UPDATE sla.timer t SET fire_at = ours.again_at FROM ours WHERE t.ctid = ours.at",
        [timer.stream for timer, _ in timers],
        [timer.kind for timer, _ in timers],
        [timer.name for timer, _ in timers],
        [timer.due_at for timer, _ in timers],
        [timer.generation for timer, _ in timers],
        [again_at for _, again_at in timers],
    )
    if audited := [timer.stream for timer, _ in timers if timer.kind == "audit"]:
        await connection.execute("DELETE FROM sla.timer WHERE kind = 'audit' AND stream = ANY($1::uuid[])", audited)


async def next_at(connection: asyncpg.Connection) -> datetime | None:
    """When the next timer is due; None while none is armed."""
    return cast("datetime | None", await connection.fetchval("SELECT min(fire_at) FROM sla.timer"))
