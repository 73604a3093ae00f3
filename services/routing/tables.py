"""Routing's own tables: cases, who acts in them, and how much work each person has. All in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from routing.cases import INITIAL, Case
from routing.choosing import Load


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a case. ``owes``: role to person, as they are counted in the person's load."""

    case: Case = INITIAL
    owes: Mapping[str, str] = {}
    correlation_id: UUID | None = None


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
    look_at: datetime | None = None

    @property
    def reassigned(self) -> bool:
        """Whether who acts, or who owes, is not as it was."""
        old, new = self.before.case, self.case
        return (old.assignees, old.lacking, self.before.owes) != (new.assignees, new.lacking, self.owes)


_decoder: Final = msgspec.json.Decoder(Kept)


# --- cases ---
async def files(connection: asyncpg.Connection, complaints: Mapping[UUID, str]) -> dict[UUID, File]:
    """These cases (id to desk), locked; those that routing has not seen yet are new."""
    rows = await connection.fetch(
        "SELECT complaint, desk, body FROM routing.case_file WHERE complaint = ANY($1::uuid[]) "
        "ORDER BY complaint FOR UPDATE",
        list(complaints),
    )
    known = [_file(row) for row in rows]
    found = {file.complaint: file for file in known}
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
    )


async def save(connection: asyncpg.Connection, saved: Sequence[File]) -> None:
    """Keeps the cases as they are now."""
    if not saved:
        return
    bodies = [
        msgspec.json.encode(Kept(case=file.case, owes=file.owes, correlation_id=file.correlation_id)).decode()
        for file in saved
    ]
    await connection.execute(
        "INSERT INTO routing.case_file (complaint, desk, open, body, look_at) "
        "SELECT * FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::jsonb[], $5::timestamptz[]) "
        "ON CONFLICT (complaint) DO UPDATE SET open = excluded.open, body = excluded.body, look_at = excluded.look_at",
        [file.complaint for file in saved],
        [file.desk for file in saved],
        [not file.case.closed for file in saved],
        bodies,
        [file.look_at for file in saved],
    )


# --- who acts ---
async def assign(connection: asyncpg.Connection, changed: Sequence[File], now: datetime) -> None:
    """Keeps who acts and who owes in these cases, and everybody's load with it."""
    if not changed:
        return
    await connection.execute(
        "DELETE FROM routing.assignment WHERE complaint = ANY($1::uuid[])", [file.complaint for file in changed]
    )
    rows = [row for file in changed for row in _assignments(file)]
    await connection.executemany(
        "INSERT INTO routing.assignment (complaint, role, desk, person, owes) VALUES ($1, $2, $3, $4, $5)", rows
    )
    await _weigh(connection, changed, now)


def _assignments(file: File) -> Iterable[tuple[UUID, str, str, str | None, bool]]:
    if file.case.closed and not file.owes:  # what comes after closing may yet owe something
        return
    for role, person in file.case.assignees.items():
        yield file.complaint, role, file.desk, person, role in file.owes
    for role in file.case.lacking:
        yield file.complaint, role, file.desk, None, True


async def _weigh(connection: asyncpg.Connection, changed: Iterable[File], now: datetime) -> None:
    """Everybody's load by what has changed; in one order for all, so that nobody waits for one who waits."""
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
    await connection.execute(
        "INSERT INTO routing.load AS l (desk, person, open, named_at) "
        "SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[]) "
        "ON CONFLICT (desk, person) DO UPDATE SET open = l.open + excluded.open, "
        "named_at = greatest(l.named_at, excluded.named_at)",
        [desk for desk, _ in people],
        [person for _, person in people],
        [more.get(person, 0) for person in people],
        [now if person in named else None for person in people],
    )


async def loads(connection: asyncpg.Connection, desk: str) -> dict[str, Load]:
    """Everybody's load at a desk."""
    rows = await connection.fetch("SELECT person, open, named_at FROM routing.load WHERE desk = $1", desk)
    return {row["person"]: Load(row["open"], row["named_at"]) for row in rows}


# --- looking again because the desk has changed ---
async def review(connection: asyncpg.Connection, desk: str, whom: str, person: str | None = None) -> None:
    """Asks for a look at cases of a desk.

    ``whom``: ``person``, those in which this person acts; ``lacking``, those that wait for somebody; ``everybody``, all
    open ones; ``matters``, all, for what counting knows of them.
    """
    await connection.execute("INSERT INTO routing.review (desk, whom, person) VALUES ($1, $2, $3)", desk, whom, person)
