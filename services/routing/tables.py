"""Routing's own tables: cases, who acts in them, how much work each person has, commands that go out.

Few statements: a batch of events is one read of its cases, one of its desks, and one write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from complaints.identity import desk_stream
from routing.cases import INITIAL, Case
from routing.choosing import Load


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a case. ``owes``: role to person, as they are counted in the person's load."""

    case: Case = INITIAL
    owes: Mapping[str, str] = {}
    correlation_id: UUID | None = None
    settles_at: datetime | None = None  # until then more may be told of its past


@dataclass(slots=True, kw_only=True)
class File:
    """A case that is being worked on; ``before`` is how it was read."""

    complaint: UUID
    desk: str
    before: Kept
    case: Case
    owes: Mapping[str, str] = field(default_factory=dict)
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    traceparent: str | None = None
    settles_at: datetime | None = None
    look_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Commands as they lie in the outbox."""

    ids: Sequence[int]
    records: Sequence[bytes]


_decoder: Final = msgspec.json.Decoder(Kept)


# --- reading ---
async def files(connection: asyncpg.Connection, complaints: Mapping[UUID, str]) -> dict[UUID, File]:
    """These cases (id to desk), locked; those that routing has not seen yet are new."""
    rows = await connection.fetch(
        "SELECT complaint, desk, body FROM routing.case_file WHERE complaint = ANY($1::uuid[]) "
        "ORDER BY complaint FOR UPDATE",
        list(complaints),
    )
    found = {file.complaint: file for file in map(_file, rows)}
    return {
        complaint: found.get(complaint) or File(complaint=complaint, desk=desk, before=Kept(), case=INITIAL)
        for complaint, desk in complaints.items()
    }


async def files_to_look_at(connection: asyncpg.Connection, now: datetime, limit: int) -> list[File]:
    """Cases that time has made worth a look, locked; nobody else's."""
    rows = await connection.fetch(
        "SELECT complaint, desk, body FROM routing.case_file WHERE look_at <= $1 ORDER BY look_at LIMIT $2 "
        "FOR UPDATE SKIP LOCKED",
        now,
        limit,
    )
    return [_file(row) for row in rows]


def _file(row: asyncpg.Record) -> File:
    kept = _decoder.decode(row["body"])
    return File(
        complaint=UUID(bytes=row["complaint"].bytes),
        desk=row["desk"],
        before=kept,
        case=kept.case,
        owes=kept.owes,
        correlation_id=kept.correlation_id,
        settles_at=kept.settles_at,
    )


async def desks(connection: asyncpg.Connection, names: Iterable[str]) -> dict[str, tuple[int, dict[str, Load]]]:
    """The version of each of these desks that the log has now, and everybody's load there."""
    wanted = list(dict.fromkeys(names))
    rows = await connection.fetch(
        "SELECT d.desk, (SELECT s.version FROM es.stream s WHERE s.stream_id = d.stream) AS version, "
        "l.person, l.open, l.named_at "
        "FROM unnest($1::text[], $2::uuid[]) d(desk, stream) LEFT JOIN routing.load l ON l.desk = d.desk",
        wanted,
        [desk_stream(name) for name in wanted],
    )
    found: dict[str, tuple[int, dict[str, Load]]] = {}
    for row in rows:
        _, loads = found.setdefault(row["desk"], (row["version"] or 0, {}))
        if row["person"] is not None:
            loads[row["person"]] = Load(row["open"], row["named_at"])
    return found


# --- writing ---
_KEEP: Final = """
WITH kept AS (
    INSERT INTO routing.case_file (complaint, desk, open, body, look_at)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::jsonb[], $5::timestamptz[])
    ON CONFLICT (complaint) DO UPDATE SET open = excluded.open, body = excluded.body, look_at = excluded.look_at
), gone AS (
    DELETE FROM routing.assignment a USING unnest($6::uuid[], $7::text[]) g(complaint, role)
    WHERE a.complaint = g.complaint AND a.role = g.role
), assigned AS (
    INSERT INTO routing.assignment (complaint, role, desk, person, owes)
    SELECT * FROM unnest($8::uuid[], $9::text[], $10::text[], $11::text[], $12::boolean[])
    ON CONFLICT (complaint, role) DO UPDATE SET person = excluded.person, owes = excluded.owes
), weighed AS (
    INSERT INTO routing.load AS l (desk, person, open, named_at)
    SELECT * FROM unnest($13::text[], $14::text[], $15::int[], $16::timestamptz[])
    ON CONFLICT (desk, person) DO UPDATE
    SET open = l.open + excluded.open, named_at = greatest(l.named_at, excluded.named_at)
)
INSERT INTO routing.outbox (record) SELECT unnest($17::bytea[]) RETURNING id
"""

_Row = tuple[UUID, str, str, str | None, bool]
"""Complaint, role, desk, person, owes."""


async def keep(
    connection: asyncpg.Connection, saved: Sequence[File], records: Sequence[bytes], now: datetime
) -> Outgoing:
    """Keeps these cases as they are now, who acts in them, everybody's load with it, and commands that are to go out.

    Loads change in one order for all, so that nobody waits for one who waits.
    """
    gone: list[tuple[UUID, str]] = []
    assigned: list[_Row] = []
    for file in saved:
        old = set(_assignments(file, file.before.case, file.before.owes))
        new = set(_assignments(file, file.case, file.owes))
        roles = {row[1] for row in new}
        gone += [(row[0], row[1]) for row in old if row[1] not in roles]
        assigned += new - old
    rows = await connection.fetch(
        _KEEP,
        [file.complaint for file in saved],
        [file.desk for file in saved],
        [not file.case.closed for file in saved],
        [_body(file) for file in saved],
        [file.look_at for file in saved],
        *_columns(gone, 2),
        *_columns(assigned, 5),
        *_columns(_weights(saved, now), 4),
        records,
    )
    return Outgoing([row["id"] for row in rows], records)


def _body(file: File) -> str:
    kept = Kept(case=file.case, owes=file.owes, correlation_id=file.correlation_id, settles_at=file.settles_at)
    return msgspec.json.encode(kept).decode()


def _columns(rows: Sequence[tuple[object, ...]], number: int) -> list[list[object]]:
    return [[row[place] for row in rows] for place in range(number)]


def _assignments(file: File, case: Case, owes: Mapping[str, str]) -> Iterable[_Row]:
    """Who acts in the case. Of a closed one only what comes after its closing may yet owe something."""
    if case.closed and not owes:
        return
    for role, person in case.assignees.items():
        yield file.complaint, role, file.desk, person, role in owes
    for role in case.lacking:
        yield file.complaint, role, file.desk, None, True


def _weights(changed: Iterable[File], now: datetime) -> list[tuple[str, str, int, datetime | None]]:
    """What each person has more or less to do, and whether a role was given to them; in the order of their names."""
    more: dict[tuple[str, str], int] = {}
    named: set[tuple[str, str]] = set()
    for file in changed:
        for person in file.before.owes.values():
            more[file.desk, person] = more.get((file.desk, person), 0) - 1
        for person in file.owes.values():
            more[file.desk, person] = more.get((file.desk, person), 0) + 1
        before = file.before.case.assignees
        named |= {(file.desk, who) for role, who in file.case.assignees.items() if before.get(role) != who}
    people = sorted(person for person in more.keys() | named if more.get(person) or person in named)
    return [(*person, more.get(person, 0), now if person in named else None) for person in people]


# --- looking again because the desk has changed ---
async def review(connection: asyncpg.Connection, desk: str, whom: str, person: str | None = None) -> None:
    """Asks for a look at cases of a desk.

    ``whom``: ``person``, those in which this person acts; ``lacking``, those that wait for somebody; ``everybody``, all
    open ones; ``matters``, all, for what counting knows of them.
    """
    await connection.execute("INSERT INTO routing.review (desk, whom, person) VALUES ($1, $2, $3)", desk, whom, person)
