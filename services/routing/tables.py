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
from msgspec.structs import replace

from complaints.identity import desk_stream
from routing.cases import INITIAL, Case
from routing.choosing import Load


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a case. ``owes``: role to person, as they are counted in the person's load."""

    case: Case = INITIAL
    owes: Mapping[str, str] = {}
    correlation_id: UUID | None = None
    settles_at: datetime | None = None  # until then more may be told of its past
    waits: bool = False  # events that had happened when it was last looked at have not come yet


@dataclass(slots=True, kw_only=True)
class File:
    """A case that is being worked on; ``before`` is how it was read, ``seen`` the last version that has come now."""

    complaint: UUID
    desk: str
    before: Kept
    case: Case
    was_to_be_looked_at: datetime | None = None
    seen: int = 0
    waits: bool = False
    owes: Mapping[str, str] = field(default_factory=dict)
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    traceparent: str | None = None
    settles_at: datetime | None = None
    look_at: datetime | None = None

    @property
    def kept(self) -> Kept:
        """What is to be kept of it."""
        return Kept(
            case=self.case,
            owes=self.owes,
            correlation_id=self.correlation_id,
            settles_at=self.settles_at,
            waits=self.waits,
        )

    @property
    def changed(self) -> bool:
        """Is it otherwise than it was read, but for the version?"""
        case = replace(self.case, version=self.before.case.version)
        return replace(self.kept, case=case) != self.before or self.look_at != self.was_to_be_looked_at


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
        "SELECT complaint, desk, body, look_at FROM routing.case_file WHERE complaint = ANY($1::uuid[]) "
        "ORDER BY complaint FOR UPDATE",
        list(complaints),
    )
    found = {file.complaint: file for file in map(_file, rows)}
    return {
        complaint: found.get(complaint) or File(complaint=complaint, desk=desk, before=Kept(), case=INITIAL)
        for complaint, desk in complaints.items()
    }


async def files_to_look_at(connection: asyncpg.Connection, at: datetime, limit: int) -> list[File]:
    """Cases that time has made worth a look, locked; nobody else's."""
    rows = await connection.fetch(
        "SELECT complaint, desk, body, look_at FROM routing.case_file WHERE look_at <= $1 ORDER BY look_at LIMIT $2 "
        "FOR UPDATE SKIP LOCKED",
        at,
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
        waits=kept.waits,
        was_to_be_looked_at=row["look_at"],
        look_at=row["look_at"],
    )


@dataclass(frozen=True, slots=True)
class Now:
    """How the log and everybody's load stand. ``desks``, ``streams``: to the version that the log has."""

    desks: Mapping[str, int]
    streams: Mapping[UUID, int]
    loads: Mapping[str, dict[str, Load]]


async def now(connection: asyncpg.Connection, desks: Iterable[str], streams: Iterable[UUID]) -> Now:
    """What the log has of these desks and streams at this moment, and everybody's load at the desks."""
    named = {desk_stream(desk): desk for desk in desks}
    rows = await connection.fetch(
        "SELECT stream_id AS stream, version, NULL AS desk, NULL AS person, NULL::int AS open, "
        "NULL::timestamptz AS named_at FROM es.stream WHERE stream_id = ANY($1::uuid[]) "
        "UNION ALL SELECT NULL, NULL, desk, person, open, named_at FROM routing.load WHERE desk = ANY($2::text[])",
        [*named, *streams],
        list(named.values()),
    )
    versions = {UUID(bytes=row["stream"].bytes): row["version"] for row in rows if row["stream"] is not None}
    loads: dict[str, dict[str, Load]] = {desk: {} for desk in named.values()}
    for row in rows:
        if row["desk"] is not None:
            loads[row["desk"]][row["person"]] = Load(row["open"], row["named_at"])
    return Now({desk: versions.get(stream, 0) for stream, desk in named.items()}, versions, loads)


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
    connection: asyncpg.Connection, saved: Sequence[File], records: Sequence[bytes], at: datetime
) -> Outgoing:
    """Keeps these cases as they are now, who acts in them, everybody's load with it, and commands that are to go out.

    Loads change in one order for all, so that nobody waits for one who waits.
    """
    if not saved and not records:
        return Outgoing((), ())
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
        [msgspec.json.encode(file.kept).decode() for file in saved],
        [file.look_at for file in saved],
        *_columns(gone, 2),
        *_columns(assigned, 5),
        *_columns(_weights(saved, at), 4),
        records,
    )
    return Outgoing([row["id"] for row in rows], records)


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


def _weights(changed: Iterable[File], at: datetime) -> list[tuple[str, str, int, datetime | None]]:
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
    return [(*person, more.get(person, 0), at if person in named else None) for person in people]


# --- looking again because the desk has changed ---
async def review(connection: asyncpg.Connection, desk: str, whom: str, person: str | None = None) -> None:
    """Asks for a look at cases of a desk.

    ``whom``: ``person``, those in which this person acts; ``lacking``, those that wait for somebody; ``everybody``, all
    open ones; ``matters``, all, for what counting knows of them.
    """
    await connection.execute("INSERT INTO routing.review (desk, whom, person) VALUES ($1, $2, $3)", desk, whom, person)
