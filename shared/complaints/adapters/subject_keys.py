"""Where the keys of data subjects are kept, wrapped: in PostgreSQL, or in memory for tests and simulation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from msgspec.structs import replace

from complaints.adapters.event_store import patiently
from complaints.errors import BeingErased

PATIENCE = 15.0
"""Seconds to wait for a database that does not answer."""

SETTLED = 60.0
"""Seconds after which nobody is in the middle of anything: the first event of a stream has followed the link to its
subject, if it comes at all, and whoever began an erasure and has not ended it never will."""


class WrappedKey(msgspec.Struct, frozen=True):
    """A subject's key as it is kept; ``wrapped`` is None once it has been destroyed."""

    subject: UUID
    generation: int
    wrapped: bytes | None


class Wanted(msgspec.Struct, frozen=True):
    """A key that is about to be used in a stream. ``wrapped`` becomes it where the subject has none."""

    subject: UUID
    desk: str
    stream: UUID
    wrapped: bytes


class Link(msgspec.Struct, frozen=True):
    """A stream that holds values of a subject. ``fresh``: its first event may still be on the way."""

    stream: UUID
    fresh: bool


class SubjectKeys(Protocol):
    """Keeps wrapped keys. What has been answered is durable."""

    async def fetch(self, subjects: Collection[UUID]) -> Mapping[UUID, WrappedKey]:
        """The keys of these subjects, as far as they ever had one."""
        ...

    async def ensure(self, wanted: Sequence[Wanted]) -> Mapping[UUID, WrappedKey]:
        """The keys in force; links each to its stream. One that was destroyed is followed by the next generation.

        Raises: BeingErased while an erasure of the subject is under way.
        """
        ...

    async def links(self, subject: UUID) -> Sequence[Link]:
        """Every stream that holds values of the subject."""
        ...

    async def subjects(self, streams: Collection[UUID]) -> Mapping[UUID, UUID]:
        """Stream to its subject."""
        ...

    async def begin_erasing(self, subject: UUID, command_id: UUID) -> None:
        """Notes that the command is about to destroy the key; nobody gets it for a new stream from now on."""
        ...

    async def abandon_erasing(self, subject: UUID, command_id: UUID) -> None:
        """Takes the command's note back."""
        ...

    async def erasing(self) -> Mapping[UUID, UUID]:
        """Subject to the command whose erasure has begun, longer ago than it takes, and not ended."""
        ...

    async def destroy(self, subject: UUID) -> None:
        """Destroys the key for good. Once done, does nothing."""
        ...


class MemoryKeys:
    """`SubjectKeys` in one process. ``settled``: seconds after which nobody is in the middle of anything."""

    def __init__(self, *, settled: float = SETTLED) -> None:
        self._settled = settled
        self._keys: dict[UUID, WrappedKey] = {}
        self._links: dict[UUID, dict[UUID, float]] = {}
        self._erasing: dict[UUID, tuple[UUID, float]] = {}

    async def fetch(self, subjects: Collection[UUID]) -> Mapping[UUID, WrappedKey]:
        """The keys of these subjects, as far as they ever had one."""
        return {subject: self._keys[subject] for subject in subjects if subject in self._keys}

    async def ensure(self, wanted: Sequence[Wanted]) -> Mapping[UUID, WrappedKey]:
        """The keys in force."""
        for want in wanted:
            if want.subject in self._erasing:
                raise BeingErased(want.subject)
        for want in wanted:
            key = self._keys.get(want.subject)
            if key is None:
                self._keys[want.subject] = WrappedKey(want.subject, 1, want.wrapped)
            elif key.wrapped is None:
                self._keys[want.subject] = WrappedKey(want.subject, key.generation + 1, want.wrapped)
            self._links.setdefault(want.subject, {}).setdefault(want.stream, time.monotonic())
        return {want.subject: self._keys[want.subject] for want in wanted}

    async def links(self, subject: UUID) -> Sequence[Link]:
        """Every stream that holds values of the subject."""
        since = time.monotonic() - self._settled
        return [Link(stream, linked_at > since) for stream, linked_at in self._links.get(subject, {}).items()]

    async def subjects(self, streams: Collection[UUID]) -> Mapping[UUID, UUID]:
        """Stream to its subject."""
        return {stream: subject for subject, linked in self._links.items() for stream in linked if stream in streams}

    async def begin_erasing(self, subject: UUID, command_id: UUID) -> None:
        """Notes that the command is about to destroy the key."""
        if subject in self._keys:
            self._erasing.setdefault(subject, (command_id, time.monotonic()))

    async def abandon_erasing(self, subject: UUID, command_id: UUID) -> None:
        """Takes the command's note back."""
        if subject in self._erasing and self._erasing[subject][0] == command_id:
            del self._erasing[subject]

    async def erasing(self) -> Mapping[UUID, UUID]:
        """Subject to the command whose erasure has begun, longer ago than it takes, and not ended."""
        since = time.monotonic() - self._settled
        return {subject: command for subject, (command, begun_at) in self._erasing.items() if begun_at <= since}

    async def destroy(self, subject: UUID) -> None:
        """Destroys the key for good."""
        self._erasing.pop(subject, None)
        if subject in self._keys:
            self._keys[subject] = replace(self._keys[subject], wrapped=None)


class PostgresKeys:
    """`SubjectKeys` in ``es.subject_key``. Calls that come while one is under way go together in the next.

    ``settled``: seconds after which nobody is in the middle of anything.
    """

    def __init__(self, pool: asyncpg.Pool, *, settled: float = SETTLED) -> None:
        self._pool, self._settled = pool, settled
        self._fetching = Together(self._fetch)
        self._ensuring = Together(self._ensure)

    async def fetch(self, subjects: Collection[UUID]) -> Mapping[UUID, WrappedKey]:
        """The keys of these subjects, as far as they ever had one."""
        return await self._fetching(list(subjects))

    async def ensure(self, wanted: Sequence[Wanted]) -> Mapping[UUID, WrappedKey]:
        """The keys in force."""
        keys = await self._ensuring(list(wanted))
        for want in wanted:
            if want.subject not in keys:
                raise BeingErased(want.subject)
        return keys

    async def links(self, subject: UUID) -> Sequence[Link]:
        """Every stream that holds values of the subject."""
        rows = await self._query(
            "SELECT stream_id, linked_at > now() - make_interval(secs => $2) FROM es.subject_stream WHERE subject = $1",
            subject,
            self._settled,
        )
        return [Link(_standard(stream), fresh) for stream, fresh in rows]

    async def subjects(self, streams: Collection[UUID]) -> Mapping[UUID, UUID]:
        """Stream to its subject."""
        query = "SELECT stream_id, subject FROM es.subject_stream WHERE stream_id = ANY($1::uuid[])"
        return {_standard(stream): _standard(subject) for stream, subject in await self._query(query, list(streams))}

    async def begin_erasing(self, subject: UUID, command_id: UUID) -> None:
        """Notes that the command is about to destroy the key."""
        await self._query(
            "UPDATE es.subject_key SET erasing = $2, erasing_since = now() WHERE subject = $1 AND erasing IS NULL",
            subject,
            command_id,
        )

    async def abandon_erasing(self, subject: UUID, command_id: UUID) -> None:
        """Takes the command's note back."""
        await self._query(
            "UPDATE es.subject_key SET erasing = NULL WHERE subject = $1 AND erasing = $2", subject, command_id
        )

    async def erasing(self) -> Mapping[UUID, UUID]:
        """Subject to the command whose erasure has begun, longer ago than it takes, and not ended."""
        rows = await self._query(
            "SELECT subject, erasing FROM es.subject_key"
            " WHERE erasing IS NOT NULL AND erasing_since <= now() - make_interval(secs => $1)",
            self._settled,
        )
        return {_standard(subject): _standard(command) for subject, command in rows}

    async def destroy(self, subject: UUID) -> None:
        """Destroys the key for good."""
        await self._query(
            "UPDATE es.subject_key SET key = NULL, erasing = NULL, destroyed_at = now()"
            " WHERE subject = $1 AND (key IS NOT NULL OR erasing IS NOT NULL)",
            subject,
        )

    async def _fetch(self, subjects: Sequence[UUID]) -> Mapping[UUID, WrappedKey]:
        query = "SELECT subject, generation, key FROM es.subject_key WHERE subject = ANY($1::uuid[])"
        return {key.subject: key for key in map(_key, await self._query(query, list(set(subjects))))}

    async def _ensure(self, wanted: Sequence[Wanted]) -> Mapping[UUID, WrappedKey]:
        """One statement; rows in the order of subjects, so that two processes never wait for each other.

        The update locks a row even where it changes nothing: whoever begins an erasure comes before it and is seen, or
        comes after it and sees the link. Told are only the subjects who have not got their first key just now.
        """
        first = {want.subject: want for want in sorted(wanted, key=lambda want: want.subject)}
        links = sorted({(want.subject, want.stream) for want in wanted})
        rows = await self._query(
            """
            WITH wanted AS (
                SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[]) AS w (subject, desk, key)),
            kept AS (
                INSERT INTO es.subject_key AS k (subject, desk, key)
                SELECT subject, desk, key FROM wanted
                ON CONFLICT (subject) DO UPDATE
                   SET key = coalesce(k.key, excluded.key),
                       generation = k.generation + CASE WHEN k.key IS NULL THEN 1 ELSE 0 END
                 WHERE k.erasing IS NULL
                RETURNING subject, generation, key),
            linked AS (
                INSERT INTO es.subject_stream (subject, stream_id)
                SELECT l.subject, l.stream_id FROM unnest($4::uuid[], $5::uuid[]) AS l (subject, stream_id)
                  JOIN kept USING (subject)
                ON CONFLICT DO NOTHING)
            SELECT w.subject, k.generation, k.key FROM wanted w LEFT JOIN kept k USING (subject)
             WHERE k.key IS DISTINCT FROM w.key OR k.generation <> 1
            """,
            list(first),
            [want.desk for want in first.values()],
            [want.wrapped for want in first.values()],
            [subject for subject, _ in links],
            [stream for _, stream in links],
        )
        keys = {want.subject: WrappedKey(want.subject, 1, want.wrapped) for want in first.values()}
        for row in rows:
            if row["key"] is None:  # is being erased
                del keys[_standard(row["subject"])]
            else:
                keys[_standard(row["subject"])] = _key(row)
        return keys

    async def _query(self, query: str, *arguments: object) -> Sequence[Any]:
        """Tried again while the server cannot be reached: every statement here may be repeated."""
        rows: Sequence[Any] = await patiently(lambda: self._pool.fetch(query, *arguments), PATIENCE)
        return rows


def _standard(value: UUID) -> UUID:
    """Asyncpg's own kind of UUID as the standard one."""
    return UUID(bytes=value.bytes)


def _key(row: Any) -> WrappedKey:
    return WrappedKey(_standard(row["subject"]), row["generation"], row["key"])


Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Together(Generic[Item, Answer]):
    """Calls that come while one is under way are done together in the next, and share its answer or its error."""

    def __init__(self, work: Callable[[Sequence[Item]], Awaitable[Answer]]) -> None:
        self._work = work
        self._waiting: list[tuple[Sequence[Item], asyncio.Future[Answer]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, items: Sequence[Item]) -> Answer:
        """The answer to a call that these items took part in."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((items, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._drain(), name="keys")
        return await answer

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    answer = await self._work([item for items, _ in batch for item in items])
                except Exception as error:  # noqa: BLE001 - given to those who wait
                    for _, waiting in batch:
                        if not waiting.done():
                            waiting.set_exception(error)
                else:
                    for _, waiting in batch:
                        if not waiting.done():
                            waiting.set_result(answer)
        finally:
            self._task = None
