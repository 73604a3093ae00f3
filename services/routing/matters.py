"""Counts over other cases: what counting knows of each complaint, and the counts of those whose matter has changed.

Nobody else counts the cases of a matter meanwhile. Two processes may yet send two counts in the wrong order; a case
that had the last count and then says another is sent the last one again.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from complaints.adapters.cloudevents import event_id
from complaints.adapters.database import Lock
from complaints.adapters.records import CommandRecord
from complaints.codec import Recorded, decode
from complaints.commands import RecordCount, data_of, name_of
from complaints.counting import Counted, counts_of, shared_facts
from complaints.events import (
    ComplaintClosed,
    ComplaintCounted,
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
from routing import sheets
from routing.answering import Grounds
from routing.commands import record_count
from routing.sheets import Change, Matter, Sheet

Digest = Callable[[str, Sealed], Awaitable[str | None]]
"""What stands for a personal value at a desk, so that the same values can be told; None once it is erased."""

RELEVANT: Final = (ComplaintReceived, FactsRecorded, Record, PackChanged, SubjectErased, ComplaintCounted)
"""Events that may change what counting knows."""


class Matters:
    """Keeps what counting knows, and sends the counts that have become others."""

    def __init__(self, store: EventStore, digest: Digest) -> None:
        self._store, self._digest = store, digest

    async def note(
        self, connection: asyncpg.Connection, grounds: Grounds, records: Sequence[Recorded], at: datetime
    ) -> list[CommandRecord]:
        """Takes in events of complaints, in order; the counts that have to be sent for it.

        Raises: Poison, Transient.
        """
        relevant = [
            record
            for record in records
            if isinstance(record.event, RELEVANT) and await _facts(grounds, record.desk, record.meta.desk_version)
        ]
        if not relevant:
            return []
        known = await sheets.sheets(connection, {record.stream_id for record in relevant})
        changes: dict[UUID, Change] = {}
        again: list[CommandRecord] = []
        for record in relevant:
            stream = record.stream_id
            sheet = changes[stream].after if stream in changes else known.get(stream)
            again += overtaken(sheet, record, at)
            after = await self._after(grounds, sheet, record)
            if after is not None and after != sheet:
                changes[stream] = Change(known.get(stream), after, record)
        return [*again, *await self._counted(connection, grounds, list(changes.values()), at)]

    async def read_again(
        self, connection: asyncpg.Connection, grounds: Grounds, upto: Mapping[UUID, int], at: datetime
    ) -> list[CommandRecord]:
        """Takes these complaints from the log, up to a version of each: another procedure tells matters apart.

        Raises: Poison, Transient.
        """
        known = await sheets.sheets(connection, upto)
        changes = []
        for stream, version in upto.items():
            after, cause = await self._from_log(grounds, stream, version)
            before = known.get(stream)
            if after is not None and cause is not None:
                after = _with_counts_of(before, after)
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
            return found and _with_counts_of(sheet, found)
        if isinstance(event, ComplaintReceived) and event.case == "complaint":
            sheet = Sheet(desk=record.desk, desk_version=event.desk_version, counted=_received(record, event))
        if sheet is None:
            return None
        if isinstance(event, ComplaintCounted):
            return replace(sheet, heard={**sheet.heard, event.count: event.value})
        if isinstance(event, PackChanged):
            sheet = replace(sheet, desk_version=event.desk_version or sheet.desk_version)
        facts = await _facts(grounds, sheet.desk, sheet.desk_version)
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
    ) -> list[CommandRecord]:
        if not changes:
            return []
        matters = sorted({matter for change in changes for matter in _touched(change)})
        for key in sorted({zlib.crc32("\n".join(matter).encode()) - 2**31 for matter in matters}):
            await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", Lock.ROUTING_MATTER, key)
        await sheets.keep(connection, changes)
        causes = {matter: change.cause for change in changes for matter in _touched(change)}
        requests: list[CommandRecord] = []
        for matter in matters:
            requests += await _recounted(connection, grounds, matter, causes[matter], at)
        return requests


async def _recounted(
    connection: asyncpg.Connection, grounds: Grounds, matter: Matter, cause: Recorded, at: datetime
) -> list[CommandRecord]:
    """The counts of all open complaints of a matter that are not as they were sent."""
    desk, fact, _ = matter
    same = await sheets.of_matter(connection, matter)
    cases = [sheet.counted for sheet in same.values()]
    found: dict[UUID, dict[str, int]] = {}
    for version in sorted({sheet.desk_version for sheet in same.values() if sheet.counted.closed_at is None}):
        procedure, calendar = await grounds.procedure(desk, version), (await grounds.desk(desk)).calendar
        for (complaint, count), value in counts_of(cases, procedure, calendar, fact=fact).items():
            stream = UUID(complaint)
            if same[stream].desk_version == version and same[stream].sent.get(count) != value:
                found.setdefault(stream, {})[count] = value
    await sheets.sent(connection, {stream: {**same[stream].sent, **new} for stream, new in found.items()})
    return [
        _outgoing(desk, record_count(str(stream), count, value, cause.position, at), cause)
        for stream, new in found.items()
        for count, value in new.items()
    ]


def _outgoing(desk: str, command: RecordCount, cause: Recorded) -> CommandRecord:
    return CommandRecord(
        id=command.id,
        desk=desk,
        complaint=command.complaint,
        command=name_of(command),
        by=command.by,
        data=data_of(command),
        correlation_id=cause.meta.correlation_id,
        causation_id=event_id(cause.stream_id, cause.version),
        traceparent=cause.meta.traceparent,
    )


async def _facts(grounds: Grounds, desk: str, version: int) -> frozenset[str]:
    """Those of the procedure that a case goes by, and those of the one in force, under which others come."""
    own = await grounds.procedure(desk, version)
    current = await grounds.procedure(desk, (await grounds.desk(desk)).version)
    return shared_facts(own) | shared_facts(current)


def overtaken(sheet: Sheet | None, record: Recorded, at: datetime) -> list[CommandRecord]:
    """The last count again, where an older one has come after it."""
    event = record.event
    if sheet is None or not isinstance(event, ComplaintCounted):
        return []
    last = sheet.sent.get(event.count)
    if last is None or event.value == last or sheet.heard.get(event.count) != last:
        return []
    command = record_count(str(record.stream_id), event.count, last, record.position, at)
    return [_outgoing(sheet.desk, command, record)]


def _with_counts_of(old: Sheet | None, new: Sheet) -> Sheet:
    return new if old is None else replace(new, sent=old.sent, heard=old.heard)


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
