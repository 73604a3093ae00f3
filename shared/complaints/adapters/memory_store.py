"""The event store in memory, for tests and simulation: the same answers as the real one."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from complaints.adapters.append_batch import Prepared, conflict, prepare, reused
from complaints.adapters.hints import Hints
from complaints.errors import Taken
from complaints.ports import GENESIS, Append, Appended, Category, Now, StoredEvent


class MemoryEventStore:
    """`complaints.ports.EventStore` in one process. ``now`` gives recorded_at, which never goes backwards."""

    def __init__(self, *, now: Now = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._log: list[StoredEvent] = []
        self._streams: dict[UUID, list[StoredEvent]] = defaultdict(list)
        self._commands: dict[UUID, tuple[UUID, bytes, Appended]] = {}
        self._claims: dict[tuple[str, str, bytes], UUID] = {}
        self._listeners: set[Hints] = set()

    async def append(self, append: Append) -> Appended:
        """Appends at the expected version; a repeated command id answers with the original place.

        Raises: VersionConflict, Taken, CommandReused.
        """
        prepared = prepare(append)
        await asyncio.sleep(0)  # as at the real store, others may come first
        if (done := self._commands.get(append.command_id)) is not None:
            stream_id, fingerprint, place = done
            if (stream_id, fingerprint) != (append.stream_id, append.fingerprint):
                raise reused(append)
            return place
        self._check(append)
        return self._write(prepared)

    async def read(self, stream_id: UUID, *, after: int = 0, upto: int | None = None) -> Sequence[StoredEvent]:
        """The events of one stream with ``after < version <= upto``, in order; empty for an unknown stream."""
        return [
            event
            for event in self._streams.get(stream_id, ())
            if event.version > after and (upto is None or event.version <= upto)
        ]

    async def read_all(
        self, *, after: int = 0, limit: int = 1000, desk: str | None = None, category: Category | None = None
    ) -> Sequence[StoredEvent]:
        """The log from a position on, in order of position."""
        chosen = (
            event for event in self._log[after:] if desk in (None, event.desk) and category in (None, event.category)
        )
        return [event for event, _ in zip(chosen, range(limit), strict=False)]

    async def streams(
        self, desk: str, category: Category, *, after: UUID | None = None, limit: int = 1000
    ) -> Sequence[UUID]:
        """The streams of a desk, in order of their ids, from one on."""
        found = (
            stream
            for stream, events in self._streams.items()
            if events and (events[0].desk, events[0].category) == (desk, category)
        )
        return sorted(stream for stream in found if after is None or stream > after)[:limit]

    async def head(self) -> int:
        """The last position; 0 for an empty log."""
        return len(self._log)

    async def find_command(self, command_id: UUID) -> tuple[UUID, bytes, Appended] | None:
        """Stream, fingerprint and place of a command that was decided before."""
        return self._commands.get(command_id)

    @asynccontextmanager
    async def appended(self) -> AsyncIterator[AsyncIterator[int]]:
        """A hint that the log has grown: its last position."""
        hints = Hints()
        hints.put(len(self._log))
        self._listeners.add(hints)
        try:
            yield hints
        finally:
            self._listeners.discard(hints)

    def _check(self, append: Append) -> None:
        version, previous = self._stands(append.stream_id)
        if (version, previous) != (append.expected_version, append.previous_hash):
            raise conflict(append, append.stream_id, version)
        for guard in append.guards:
            actual, _ = self._stands(guard.stream_id)
            if actual != guard.version:
                raise conflict(append, guard.stream_id, actual)
        for claim in append.claims:
            holder = self._claims.get((append.desk, claim.scope, claim.key), append.stream_id)
            if holder != append.stream_id:
                raise Taken(claim.scope, holder)

    def _stands(self, stream_id: UUID) -> tuple[int, bytes]:
        events = self._streams.get(stream_id)
        return (events[-1].version, events[-1].hash) if events else (0, GENESIS)

    def _write(self, prepared: Prepared) -> Appended:
        append, before = prepared.append, len(self._log)
        recorded_at = max(self._now(), self._log[-1].recorded_at) if self._log else self._now()
        for version, event, previous, own in prepared.chained():
            stored = StoredEvent(
                position=len(self._log) + 1,
                stream_id=append.stream_id,
                version=version,
                category=append.category,
                desk=append.desk,
                type=event.type,
                schema_version=event.schema_version,
                occurred_at=event.occurred_at,
                recorded_at=recorded_at,
                command_id=append.command_id,
                data=event.data,
                meta=event.meta,
                previous_hash=previous,
                hash=own,
            )
            self._log.append(stored)
            self._streams[append.stream_id].append(stored)
        for claim in append.releases:
            key = (append.desk, claim.scope, claim.key)
            if self._claims.get(key) == append.stream_id:
                del self._claims[key]
        for claim in append.claims:
            self._claims[append.desk, claim.scope, claim.key] = append.stream_id
        place = Appended(
            version=prepared.versions[-1],
            first_position=before + 1,
            last_position=len(self._log),
            hash=prepared.hashes[-1],
        )
        self._commands[append.command_id] = (
            append.stream_id,
            append.fingerprint,
            msgspec.structs.replace(place, duplicate=True),
        )
        for hints in self._listeners:
            hints.put(len(self._log))
        return place
