"""Where changes of desks are recorded: through the library's application, or straight into a store, as in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from complaints.adapters.desk_aggregate import DeskApplication
from complaints.codec import Envelope, encode
from complaints.desk_events import DeskEvent
from complaints.identity import desk_stream
from complaints.ports import GENESIS, Append, EventStore


@dataclass(frozen=True, slots=True)
class Place:
    """The version of a desk after its changes, and the position of the last of them."""

    version: int
    position: int


class DeskLog(Protocol):
    """Records changes of desks."""

    async def record(
        self, desk: str, changes: Sequence[tuple[DeskEvent, Envelope]], *, expected_version: int, fingerprint: bytes
    ) -> Place:
        """Records changes that were decided on a version of the desk, all or none.

        Raises: VersionConflict, CommandReused, StoreUnavailable.
        """
        ...

    async def close(self) -> None:
        """Gives back what it holds; nothing is recorded after it."""
        ...


class ApplicationLog:
    """``DeskLog`` on the library's application, which is synchronous and so runs on threads."""

    def __init__(self, application: DeskApplication) -> None:
        self._application = application

    @classmethod
    async def on(cls, database_url: str) -> ApplicationLog:
        """On a migrated database."""
        return cls(await asyncio.to_thread(DeskApplication, {"REDRESS_DATABASE_URL": database_url}))

    async def record(
        self, desk: str, changes: Sequence[tuple[DeskEvent, Envelope]], *, expected_version: int, fingerprint: bytes
    ) -> Place:
        """Records changes."""
        version, position = await asyncio.to_thread(
            self._application.record, desk, changes, expected_version=expected_version, fingerprint=fingerprint
        )
        return Place(version, position)

    async def close(self) -> None:
        """Closes the application's connections."""
        await asyncio.to_thread(self._application.close)


class StoreLog:
    """``DeskLog`` on an event store."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def record(
        self, desk: str, changes: Sequence[tuple[DeskEvent, Envelope]], *, expected_version: int, fingerprint: bytes
    ) -> Place:
        """Records changes."""
        stream = desk_stream(desk)
        last = await self._store.read(stream, after=expected_version - 1, upto=expected_version)
        appended = await self._store.append(
            Append(
                stream_id=stream,
                category="desk",
                desk=desk,
                expected_version=expected_version,
                previous_hash=last[0].hash if last else GENESIS,
                command_id=changes[0][1].command_id,
                fingerprint=fingerprint,
                events=tuple(encode(change, envelope) for change, envelope in changes),
            )
        )
        return Place(appended.version, appended.last_position)

    async def close(self) -> None:
        """Nothing is held."""
