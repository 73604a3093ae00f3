"""Complaints as they are counted: the tables behind ``matters``. All in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from complaints.codec import Recorded
from complaints.counting import Counted
from complaints.events import FactValue

Matter = tuple[str, str, str]
"""Desk, fact, value as JSON."""


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A complaint as it is counted. ``sent``: the counts that it was sent last; ``heard``: those that it has."""

    desk: str
    desk_version: int
    counted: Counted
    sent: Mapping[str, int] = {}
    heard: Mapping[str, int] = {}

    @property
    def matters(self) -> set[Matter]:
        """The matters that it is of."""
        return {(self.desk, fact, _json(value)) for fact, value in self.counted.shared.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """A complaint before and after some events; ``cause`` is the last of them."""

    before: Sheet | None
    after: Sheet
    cause: Recorded


def _json(value: FactValue) -> str:
    return msgspec.json.encode(value).decode()


_counts: Final = msgspec.json.Decoder(dict[str, int])
_SHEET: Final = (
    "SELECT complaint, desk, desk_version, received_at, complainant, closed_at, first_closed_at, shared, sent, heard "
    "FROM routing.counted"
)


async def sheets(connection: asyncpg.Connection, complaints: Iterable[UUID]) -> dict[UUID, Sheet]:
    """Those of these complaints that are counted."""
    rows = await connection.fetch(f"{_SHEET} WHERE complaint = ANY($1::uuid[])", list(complaints))
    return dict(map(_sheet, rows))


async def of_matter(connection: asyncpg.Connection, matter: Matter) -> dict[UUID, Sheet]:
    """All complaints of a matter."""
    rows = await connection.fetch(
        f"{_SHEET} JOIN routing.matter USING (complaint, desk) WHERE desk = $1 AND fact = $2 AND value = $3", *matter
    )
    return dict(map(_sheet, rows))


def _sheet(row: asyncpg.Record) -> tuple[UUID, Sheet]:
    complaint = UUID(bytes=row["complaint"].bytes)
    counted = Counted(
        complaint=str(complaint),
        received_at=row["received_at"],
        complainant=row["complainant"],
        closed_at=row["closed_at"],
        first_closed_at=row["first_closed_at"],
        shared=msgspec.json.decode(row["shared"]),
    )
    return complaint, Sheet(
        desk=row["desk"],
        desk_version=row["desk_version"],
        counted=counted,
        sent=_counts.decode(row["sent"]),
        heard=_counts.decode(row["heard"]),
    )


async def keep(connection: asyncpg.Connection, changes: Sequence[Change]) -> None:
    """Keeps these complaints, and of which matters they are."""
    await connection.executemany(
        "INSERT INTO routing.counted AS c (complaint, desk, desk_version, received_at, complainant, closed_at, "
        "first_closed_at, shared, heard, sent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '{}') "
        "ON CONFLICT (complaint) DO UPDATE SET desk_version = excluded.desk_version, closed_at = excluded.closed_at, "
        "first_closed_at = excluded.first_closed_at, shared = excluded.shared, heard = excluded.heard",
        [_row(change.after) for change in changes],
    )
    gone = [
        (*matter, UUID(change.after.counted.complaint))
        for change in changes
        if change.before is not None
        for matter in change.before.matters - change.after.matters
    ]
    new = [
        (*matter, UUID(change.after.counted.complaint))
        for change in changes
        for matter in change.after.matters - (change.before.matters if change.before is not None else set())
    ]
    await connection.executemany(
        "DELETE FROM routing.matter WHERE desk = $1 AND fact = $2 AND value = $3 AND complaint = $4", gone
    )
    await connection.executemany(
        "INSERT INTO routing.matter (desk, fact, value, complaint) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", new
    )


def _row(sheet: Sheet) -> tuple[object, ...]:
    counted = sheet.counted
    return (
        UUID(counted.complaint),
        sheet.desk,
        sheet.desk_version,
        counted.received_at,
        counted.complainant,
        counted.closed_at,
        counted.first_closed_at,
        msgspec.json.encode(counted.shared).decode(),
        msgspec.json.encode(sheet.heard).decode(),
    )


async def sent(connection: asyncpg.Connection, sent: Mapping[UUID, Mapping[str, int]]) -> None:
    """Notes the counts that complaints are sent."""
    await connection.executemany(
        "UPDATE routing.counted SET sent = $2 WHERE complaint = $1",
        [(complaint, msgspec.json.encode(counts).decode()) for complaint, counts in sent.items()],
    )
