"""Counts over other cases: what counting knows of each complaint, and the counts of those whose matter has changed.

Nobody else counts the cases of a matter meanwhile, so a count that is sent is never older than one sent before it.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec.structs import replace

from complaints.adapters.cloudevents import event_id
from complaints.adapters.database import Lock
from complaints.adapters.kafka import CommandRequest
from complaints.codec import Recorded, decode
from complaints.counting import Counted, counts_of, shared_facts
from complaints.events import (
    ComplaintClosed,
    ComplaintReceived,
    ComplaintReopened,
    Event,
    Facts,
    FactsRecorded,
    FactValue,
    PackChanged,
    Record,
    SubjectErased,
)
from complaints.personal import Erased, Sealed
from complaints.ports import EventStore
from routing.answering import Grounds
from routing.commands import record_count

Digest = Callable[[str, Sealed], Awaitable[str | None]]
"""What stands for a personal value at a desk, so that the same values can be told; None once it is erased."""

RELEVANT: Final = (ComplaintReceived, FactsRecorded, Record, PackChanged, SubjectErased)
"""Events that may change what counting knows."""

Matter = tuple[str, str, str]
"""Desk, fact, value as JSON."""


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A complaint as it is counted. ``sent``: the counts that it was sent."""

    desk: str
    desk_version: int
    counted: Counted
    sent: Mapping[str, int] = {}

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


class Matters:
    """Keeps what counting knows, and sends the counts that have become others."""

    def __init__(self, store: EventStore, digest: Digest) -> None:
        self._store, self._digest = store, digest

    async def note(
        self, connection: asyncpg.Connection, grounds: Grounds, records: Sequence[Recorded], at: datetime
    ) -> list[CommandRequest]:
        """Takes in events of complaints, in order; the counts that have to be sent for it.

        Raises: Poison, Transient.
        """
        relevant = [record for record in records if isinstance(record.event, RELEVANT)]
        if not relevant:
            return []
        sheets = await _sheets(connection, {record.stream_id for record in relevant})
        changes: dict[UUID, Change] = {}
        for record in relevant:
            stream = record.stream_id
            sheet = changes[stream].after if stream in changes else sheets.get(stream)
            after = await self._after(grounds, sheet, record)
            if after is not None and after != sheet:
                changes[stream] = Change(sheets.get(stream), after, record)
        return await self._counted(connection, grounds, list(changes.values()), at)

    async def read_again(
        self, connection: asyncpg.Connection, grounds: Grounds, upto: Mapping[UUID, int], at: datetime
    ) -> list[CommandRequest]:
        """Takes these complaints from the log, up to a version of each: another procedure tells matters apart.

        Raises: Poison, Transient.
        """
        sheets = await _sheets(connection, upto)
        changes = []
        for stream, version in upto.items():
            after, cause = await self._from_log(grounds, stream, version)
            before = sheets.get(stream)
            if after is not None and cause is not None:
                after = replace(after, sent=before.sent if before is not None else {})
                if after != before:
                    changes.append(Change(before, after, cause))
        return await self._counted(connection, grounds, changes, at)

    # --- one complaint ---
    async def _from_log(self, grounds: Grounds, stream: UUID, upto: int) -> tuple[Sheet | None, Recorded | None]:
        sheet, record = None, None
        for record in map(decode, await self._store.read(stream, upto=upto)):
            sheet = await self._after(grounds, sheet, record, again=True)
        return sheet, record

    async def _after(
        self, grounds: Grounds, sheet: Sheet | None, record: Recorded, *, again: bool = False
    ) -> Sheet | None:
        """The complaint after an event. Where the desk tells no matters apart, none is kept until it does."""
        event = record.event
        if isinstance(event, PackChanged) and not again:
            found, _ = await self._from_log(grounds, record.stream_id, record.version)
            return found and replace(found, sent=sheet.sent if sheet is not None else {})
        if isinstance(event, ComplaintReceived) and event.case == "complaint":
            sheet = Sheet(desk=record.desk, desk_version=event.desk_version, counted=_received(record, event))
        if sheet is None:
            return None
        if isinstance(event, PackChanged):
            sheet = replace(sheet, desk_version=event.desk_version or sheet.desk_version)
        facts = await _facts(grounds, sheet)
        if not facts:
            return None if isinstance(event, ComplaintReceived) else sheet
        shared = await self._shared(sheet, facts, _said(event))
        if isinstance(event, SubjectErased):
            personal = (await grounds.procedure(sheet.desk, sheet.desk_version)).personal
            shared = {fact: value for fact, value in shared.items() if fact not in personal}
        return replace(sheet, counted=_closing(replace(sheet.counted, shared=shared), event))

    async def _shared(self, sheet: Sheet, facts: frozenset[str], said: Facts) -> Mapping[str, FactValue]:
        """The facts by which matters are told apart, with what was said now."""
        shared = {fact: value for fact, value in sheet.counted.shared.items() if fact in facts}
        for fact in facts & said.keys():
            value = said[fact]
            if isinstance(value, Sealed):
                value = await self._digest(sheet.desk, value)
            if value is None or isinstance(value, Erased):
                shared.pop(fact, None)
            else:
                shared[fact] = value
        return shared

    # --- all of a matter ---
    async def _counted(
        self, connection: asyncpg.Connection, grounds: Grounds, changes: Sequence[Change], at: datetime
    ) -> list[CommandRequest]:
        matters = sorted({matter for change in changes for matter in _touched(change)})
        for key in sorted({zlib.crc32("\n".join(matter).encode()) - 2**31 for matter in matters}):
            await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", Lock.ROUTING_MATTER, key)
        await _keep(connection, changes)
        causes = {matter: change.cause for change in changes for matter in _touched(change)}
        requests: list[CommandRequest] = []
        for matter in matters:
            requests += await _recounted(connection, grounds, matter, causes[matter], at)
        return requests


async def _recounted(
    connection: asyncpg.Connection, grounds: Grounds, matter: Matter, cause: Recorded, at: datetime
) -> list[CommandRequest]:
    """The counts of all open complaints of a matter that are not as they were sent."""
    desk, fact, _ = matter
    sheets = await _of_matter(connection, matter)
    cases = [sheet.counted for sheet in sheets.values()]
    found: dict[UUID, dict[str, int]] = {}
    for version in sorted({sheet.desk_version for sheet in sheets.values() if sheet.counted.closed_at is None}):
        procedure, calendar = await grounds.procedure(desk, version), (await grounds.desk(desk)).calendar
        for (complaint, count), value in counts_of(cases, procedure, calendar, fact=fact).items():
            stream = UUID(complaint)
            if sheets[stream].desk_version == version and sheets[stream].sent.get(count) != value:
                found.setdefault(stream, {})[count] = value
    await _sent(connection, {stream: {**sheets[stream].sent, **new} for stream, new in found.items()})
    return [
        CommandRequest(
            desk=desk,
            command=record_count(str(stream), count, value, cause.position, at),
            correlation_id=cause.meta.correlation_id,
            causation_id=event_id(cause.stream_id, cause.version),
            traceparent=cause.meta.traceparent,
        )
        for stream, new in found.items()
        for count, value in new.items()
    ]


async def _facts(grounds: Grounds, sheet: Sheet) -> frozenset[str]:
    """Those of the procedure that the case goes by, and those of the one in force, under which others come."""
    own = await grounds.procedure(sheet.desk, sheet.desk_version)
    current = await grounds.procedure(sheet.desk, (await grounds.desk(sheet.desk)).version)
    return shared_facts(own) | shared_facts(current)


def _touched(change: Change) -> Iterable[Matter]:
    return change.after.matters | (change.before.matters if change.before is not None else set())


def _received(record: Recorded, event: ComplaintReceived) -> Counted:
    return Counted(
        complaint=str(record.stream_id), received_at=event.occurred_at or event.at, complainant=event.subject
    )


def _said(event: Event) -> Facts:
    match event:
        case ComplaintReceived() | Record() | FactsRecorded(item=None):
            return event.facts
        case _:
            return {}


def _closing(counted: Counted, event: Event) -> Counted:
    match event:
        case ComplaintClosed():
            closed_at = event.done_at or event.at
            return replace(counted, closed_at=closed_at, first_closed_at=counted.first_closed_at or closed_at)
        case ComplaintReopened():
            return replace(counted, closed_at=None)
        case _:
            return counted


def _json(value: FactValue) -> str:
    return msgspec.json.encode(value).decode()


# --- tables ---
_SHEET: Final = (
    "SELECT complaint, desk, desk_version, received_at, complainant, closed_at, first_closed_at, shared, sent "
    "FROM routing.counted"
)


async def _sheets(connection: asyncpg.Connection, complaints: Iterable[UUID]) -> dict[UUID, Sheet]:
    rows = await connection.fetch(f"{_SHEET} WHERE complaint = ANY($1::uuid[])", list(complaints))
    return dict(map(_sheet, rows))


async def _of_matter(connection: asyncpg.Connection, matter: Matter) -> dict[UUID, Sheet]:
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
    sent = msgspec.json.decode(row["sent"], type=dict[str, int])
    return complaint, Sheet(desk=row["desk"], desk_version=row["desk_version"], counted=counted, sent=sent)


async def _keep(connection: asyncpg.Connection, changes: Sequence[Change]) -> None:
    await connection.executemany(
        "INSERT INTO routing.counted AS c (complaint, desk, desk_version, received_at, complainant, closed_at, "
        "first_closed_at, shared, sent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '{}') "
        "ON CONFLICT (complaint) DO UPDATE SET desk_version = excluded.desk_version, closed_at = excluded.closed_at, "
        "first_closed_at = excluded.first_closed_at, shared = excluded.shared",
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
    )


async def _sent(connection: asyncpg.Connection, sent: Mapping[UUID, Mapping[str, int]]) -> None:
    await connection.executemany(
        "UPDATE routing.counted SET sent = $2 WHERE complaint = $1",
        [(complaint, msgspec.json.encode(counts).decode()) for complaint, counts in sent.items()],
    )
