"""What the core asks of the world, as Protocols and the values that cross them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

import msgspec

Category = Literal["complaint", "desk", "duties"]
Now = Callable[[], datetime]
"""Reads the time: UTC, aware. The real one is ``datetime.now(UTC)``; tests move it by hand."""

GENESIS = bytes(32)
"""The previous hash of a stream's first event."""


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event to be appended, encoded: what is hashed is what is stored."""

    type: str
    schema_version: int = 1
    occurred_at: datetime
    data: bytes
    meta: bytes


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A value that may belong to one stream of the desk only; ``key`` is a keyed digest where the value is personal."""

    scope: str
    key: bytes


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """Another stream that must still be at the version the decision saw."""

    stream_id: UUID
    version: int


class Append(msgspec.Struct, frozen=True, kw_only=True):
    """All or nothing, at one stream."""

    stream_id: UUID
    category: Category
    desk: str
    expected_version: int
    previous_hash: bytes = GENESIS
    command_id: UUID
    fingerprint: bytes = b""  # digest of the request, so that a reused command id is told from a repeat
    events: tuple[NewEvent, ...]
    claims: tuple[Claim, ...] = ()
    releases: tuple[Claim, ...] = ()
    guards: tuple[Guard, ...] = ()


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """Where it stands now; of a repeated command the original place."""

    version: int  # of the stream after the append
    first_position: int
    last_position: int
    hash: bytes  # of the last event
    duplicate: bool = False


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the log."""

    position: int
    stream_id: UUID
    version: int
    category: Category
    desk: str
    type: str
    schema_version: int
    occurred_at: datetime
    recorded_at: datetime
    command_id: UUID
    data: bytes
    meta: bytes
    previous_hash: bytes
    hash: bytes


class EventStore(Protocol):
    """The log of all streams. ``append`` is the only way to write."""

    async def append(self, append: Append) -> Appended:
        """Appends at the expected version; a repeated command id answers with the original place.

        Raises: VersionConflict, Taken, CommandReused, StoreBusy, StoreUnavailable.
        """
        ...

    async def read(self, stream_id: UUID, *, after: int = 0, upto: int | None = None) -> Sequence[StoredEvent]:
        """The events of one stream with ``after < version <= upto``, in order; empty for an unknown stream."""
        ...

    async def read_all(
        self, *, after: int = 0, limit: int = 1000, desk: str | None = None, category: Category | None = None
    ) -> Sequence[StoredEvent]:
        """The log from a position on, in order of position."""
        ...

    async def streams(
        self, desk: str, category: Category, *, after: UUID | None = None, limit: int = 1000
    ) -> Sequence[UUID]:
        """The streams of a desk, in order of their ids, from one on."""
        ...

    async def head(self) -> int:
        """The last position; 0 for an empty log."""
        ...

    async def find_command(self, command_id: UUID) -> tuple[UUID, bytes, Appended] | None:
        """Stream, fingerprint and place of a command that was decided before."""
        ...

    def appended(self) -> AbstractAsyncContextManager[AsyncIterator[int]]:
        """A hint that the log has grown; may miss, may come twice, is never the delivery."""
        ...
