"""Streams as the read models see them, folded from their events and kept in memory.

A file is a fact of the log: the stream as it stood at a version. So one in memory is never wrong, only perhaps old.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, cast
from uuid import UUID

import msgspec
from msgspec.structs import replace

from complaints.codec import Recorded, decode
from complaints.complaint import INITIAL, Complaint, evolve
from complaints.events import CaseEvent, ComplaintReceived, DutyEvent, PackChanged, SubjectErased
from complaints.ports import Category, EventStore
from ledger.alarms import Alarm, alarmed
from ledger.duties import Duty, noted

CACHED: Final = 20_000


class Opener(Protocol):
    """Opens what is sealed; `complaints.adapters.sealing` is one."""

    async def unseal(self, records: Sequence[Recorded]) -> list[Recorded]: ...
    def forget(self, subject: UUID) -> None: ...


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A stream at a version. ``under``: the version of its desk whose procedure a case goes by."""

    stream: UUID
    desk: str
    category: Category
    version: int = 0
    position: int = 0
    under: int = 0
    state: Complaint = INITIAL
    alarms: tuple[Alarm, ...] = ()
    duties: Mapping[tuple[str, str], Duty] = {}


def empty(record: Recorded) -> File:
    """The stream of an event before its first."""
    return File(stream=record.stream_id, desk=record.desk, category=record.category)


def folded(file: File, record: Recorded) -> File:
    """The file after one more event."""
    changes: dict[str, Any] = {"version": record.version, "position": record.position}
    if record.category == "complaint":
        changes["state"] = evolve(file.state, cast("CaseEvent", record.event))
        if isinstance(record.event, ComplaintReceived | PackChanged):
            changes["under"] = record.event.desk_version
    elif record.category == "duties":
        changes["duties"] = noted(file.duties, cast("DutyEvent", record.event), record.version)
    return replace(file, alarms=alarmed(file.alarms, record), **changes)


class Files:
    """Files by stream, from the store and from memory."""

    def __init__(self, store: EventStore, opener: Opener, *, cached: int = CACHED) -> None:
        self._store, self._opener, self._size = store, opener, cached
        self._cached: OrderedDict[UUID, File] = OrderedDict()

    async def upto(self, records: Sequence[Recorded]) -> list[File]:
        """The streams of these events, each at its last one here or later. Raises: Undecodable, StoreUnavailable."""
        of_stream: dict[UUID, list[Recorded]] = {}
        for record in records:
            if record.category != "desk":
                of_stream.setdefault(record.stream_id, []).append(record)
        self._forget_erased(records)
        opened = await self._opener.unseal([record for some in of_stream.values() for record in some])
        by_place = {(record.stream_id, record.version): record for record in opened}
        return [
            await self._brought(stream, [by_place[stream, record.version] for record in some])
            for stream, some in of_stream.items()
        ]

    async def load(self, stream: UUID) -> File | None:
        """A stream as the log has it now; None where there is none. Raises: Undecodable, StoreUnavailable."""
        file = self._cached.get(stream)
        rows = await self._store.read(stream, after=file.version if file is not None else 0)
        records = [decode(row) for row in rows]
        if file is not None and any(isinstance(record.event, SubjectErased) for record in records):
            self._forget_erased(records)
            return await self.load(stream)
        for record in await self._opener.unseal(records):
            file = folded(file or empty(record), record)
        return None if file is None else self._keep(file)

    async def _brought(self, stream: UUID, records: Sequence[Recorded]) -> File:
        file = self._cached.get(stream) or empty(records[0])
        new = [record for record in records if record.version > file.version]
        if new and new[0].version != file.version + 1:  # what lies between was handled by another process, or long ago
            loaded = await self.load(stream)
            return loaded if loaded is not None else file
        for record in new:
            file = folded(file, record)
        return self._keep(file)

    def _forget_erased(self, records: Iterable[Recorded]) -> None:
        """What is in memory was read with a key that is destroyed."""
        for record in records:
            if isinstance(record.event, SubjectErased):
                self._opener.forget(UUID(record.event.subject))
                self._cached.pop(record.stream_id, None)

    def _keep(self, file: File) -> File:
        self._cached[file.stream] = file
        self._cached.move_to_end(file.stream)
        if len(self._cached) > self._size:
            self._cached.popitem(last=False)
        return file
