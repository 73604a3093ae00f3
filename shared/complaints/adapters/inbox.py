"""What a consumer has seen of a topic: rows that change in the transaction that uses the records.

A topic delivers at least once; a record's effects and the place after it are committed together, so they happen once.
The place in PostgreSQL counts, the consumer group's offsets do not. Whoever holds a partition locks its row first: two
members that both think they hold it work one after the other, and the second finds the records used.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from complaints.adapters.records import Message
from complaints.errors import RedressError

C = TypeVar("C")

Transactions = Callable[[], AbstractAsyncContextManager[tuple[C, asyncpg.Connection]]]
"""Opens a transaction: the connection as a handler wants it, and the driver's own connection below it."""


class Poison(RedressError):
    """This record can never be handled; raised by a handler, like ``Undecodable`` by a decoder."""

    code = "poison"


def on_pool(pool: asyncpg.Pool) -> Transactions[asyncpg.Connection]:
    """Transactions for handlers that speak to asyncpg."""

    @asynccontextmanager
    async def transaction() -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Connection]]:
        async with pool.acquire() as connection, connection.transaction():
            yield connection, connection

    return transaction


def on_engine(engine: AsyncEngine) -> Transactions[AsyncConnection]:
    """Transactions for handlers that speak to SQLAlchemy."""

    @asynccontextmanager
    async def transaction() -> AsyncIterator[tuple[AsyncConnection, asyncpg.Connection]]:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("SELECT 1")  # SQLAlchemy begins at its first statement, not before
            raw = await connection.get_raw_connection()
            driver = raw.driver_connection
            if driver is None:
                raise ConnectionError("the connection was closed under the transaction")
            yield connection, driver

    return transaction


def tables(schema: str) -> tuple[str, ...]:
    """The statements that create a consumer's tables in its schema; for the service's own migration.

    Migrations have run with them, so they stay as they are: a change is another function and another revision.
    """
    return (
        f"""
        CREATE TABLE {schema}.inbox (
            topic text NOT NULL,
            partition int NOT NULL,
            next_offset bigint NOT NULL DEFAULT 0,
            last_position bigint NOT NULL DEFAULT 0,  -- the highest position seen: what is not higher is a duplicate
            last_id text NOT NULL DEFAULT '',         -- ce_id of the record before next_offset: is it the same topic?
            PRIMARY KEY (topic, partition)
        ) WITH (fillfactor = 50)
        """,
        f"""
        CREATE TABLE {schema}.stream_seen (
            topic text NOT NULL,
            key text NOT NULL,
            version int NOT NULL,
            PRIMARY KEY (topic, key)
        ) WITH (fillfactor = 80)
        """,
        *dead_letter_table(schema),
    )


def dead_letter_table(schema: str) -> tuple[str, ...]:
    """The statements that create the dead letters alone, for who keeps its place elsewhere."""
    return (
        f"""
        CREATE TABLE {schema}.dead_letter (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- within a key: the order of the topic
            consumer text NOT NULL,
            topic text NOT NULL,
            partition int NOT NULL,
            record_offset bigint NOT NULL,
            key text NOT NULL,
            position bigint,
            reason text NOT NULL,
            detail text NOT NULL,
            headers jsonb NOT NULL,
            value bytea NOT NULL,
            since timestamptz NOT NULL DEFAULT clock_timestamp(),
            attempts int NOT NULL DEFAULT 1,
            reinject_at timestamptz,
            settled_at timestamptz,
            discarded text                      -- why a person settled it without having it handled
        )
        """,
        f"CREATE INDEX dead_letter_open ON {schema}.dead_letter (consumer, topic, key, id) WHERE settled_at IS NULL",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a consumer stands in a partition."""

    next_offset: int = 0
    last_position: int = 0
    last_id: str = ""

    @property
    def fetch_from(self) -> int:
        """The offset to read from: one back, to see whether it is still the same topic."""
        return max(self.next_offset - 1, 0)

    def after(self, message: Message) -> Place:
        """The place once this message has been used, or passed over."""
        return Place(
            next_offset=message.offset + 1,
            last_position=max(self.last_position, message.position or 0),
            last_id=message.id,
        )

    def is_repeat(self, message: Message) -> bool:
        """Whether its position was seen before. A message without position is known by its offset alone."""
        return message.position is not None and message.position <= self.last_position


class Standing(Enum):
    """How what a partition delivers fits the place."""

    FITS = "fits"
    REPLACED = "replaced"  # another topic under the same name: read from its beginning, known positions are passed over
    MISSING = "missing"  # records that were never seen are gone


def standing(place: Place, first: Message) -> Standing:
    """What a message says that came where the one at ``place.fetch_from``, or the next, was asked for."""
    if first.offset == place.next_offset - 1:
        return Standing.FITS if first.id == place.last_id else Standing.REPLACED
    if first.offset < place.next_offset:
        return Standing.REPLACED
    # What is gone from the topic was used; or what follows repeats it, for every repeat begins below all that is new.
    return Standing.FITS if first.offset == place.next_offset or place.is_repeat(first) else Standing.MISSING


class InSchema:
    """Writes statements for the tables of one schema, which they name ``{}``."""

    def __init__(self, schema: str) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", schema):
            raise ValueError(f"not the name of a schema: {schema!r}")
        self._schema = schema

    def __call__(self, statement: str) -> str:
        return statement.replace("{}", self._schema)


class Inbox:
    """The rows of one consumer's topic. Every method runs in the caller's transaction, but ``open``."""

    def __init__(self, schema: str, topic: str) -> None:
        self._topic, self._sql = topic, InSchema(schema)

    async def open(self, connection: asyncpg.Connection, partitions: Iterable[int]) -> dict[int, Place]:
        """The places in these partitions; where there was none it is the beginning."""
        wanted = list(partitions)
        await connection.execute(
            self._sql("INSERT INTO {}.inbox (topic, partition) SELECT $1, unnest($2::int[]) ON CONFLICT DO NOTHING"),
            self._topic,
            wanted,
        )
        places = await self.places(connection)
        return {partition: places[partition] for partition in wanted}

    async def places(self, connection: asyncpg.Connection) -> dict[int, Place]:
        """The places in all partitions that any member has had."""
        rows = await connection.fetch(
            self._sql("SELECT partition, next_offset, last_position, last_id FROM {}.inbox WHERE topic = $1"),
            self._topic,
        )
        return {row["partition"]: _place(row) for row in rows}

    async def lock(self, connection: asyncpg.Connection, partition: int) -> Place:
        """The place; nobody else moves it before this transaction ends."""
        row = await connection.fetchrow(
            self._sql(
                "SELECT next_offset, last_position, last_id FROM {}.inbox "
                "WHERE topic = $1 AND partition = $2 FOR UPDATE"
            ),
            self._topic,
            partition,
        )
        return _place(row)

    async def move(self, connection: asyncpg.Connection, partition: int, place: Place) -> None:
        """The place from now on."""
        await connection.execute(
            self._sql(
                "UPDATE {}.inbox SET next_offset = $3, last_position = $4, last_id = $5 "
                "WHERE topic = $1 AND partition = $2"
            ),
            self._topic,
            partition,
            place.next_offset,
            place.last_position,
            place.last_id,
        )

    async def versions(self, connection: asyncpg.Connection, keys: Iterable[str]) -> dict[str, int]:
        """The last version seen of each of these streams; nothing for one that is new."""
        rows = await connection.fetch(
            self._sql("SELECT key, version FROM {}.stream_seen WHERE topic = $1 AND key = ANY($2::text[])"),
            self._topic,
            list(keys),
        )
        return {row["key"]: row["version"] for row in rows}

    async def saw(self, connection: asyncpg.Connection, versions: Mapping[str, int]) -> None:
        """Notes the last version of each of these streams."""
        await connection.execute(
            self._sql(
                "INSERT INTO {}.stream_seen (topic, key, version) SELECT $1, * FROM unnest($2::text[], $3::int[]) "
                "ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version"
            ),
            self._topic,
            list(versions),
            list(versions.values()),
        )


async def begin_after(
    connection: asyncpg.Connection, *, schema: str, topic: str, partitions: int, position: int
) -> None:
    """For a consumer that took the log up to ``position`` from the store: on the topic it passes that over."""
    await connection.execute(
        InSchema(schema)(
            "INSERT INTO {}.inbox (topic, partition, last_position) "
            "SELECT $1, n, $3 FROM generate_series(0, $2 - 1) n "
            "ON CONFLICT (topic, partition) DO UPDATE SET last_position = greatest(inbox.last_position, $3)"
        ),
        topic,
        partitions,
        position,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What of a delivery is new, and where the partition stands after all of it."""

    fresh: tuple[Message, ...]
    after: Place
    repeats: int = 0
    gap: Message | None = None  # the first message whose stream lacks versions before it; it and what follows wait


def new_in(
    place: Place,
    messages: Sequence[Message],
    versions: Mapping[str, int] | None = None,
    parked: Collection[str] = (),
) -> Batch:
    """Sorts a delivery. ``versions``: the last seen of each stream where gaps are watched for, never in parked ones."""
    fresh: list[Message] = []
    known = dict(versions or {})
    unwatched = set(parked)
    repeats = 0
    for message in messages:
        if message.offset < place.next_offset:
            continue
        repeated = place.is_repeat(message)
        if versions is not None and not repeated:
            if message.version is None:  # no event of ours: it will be refused, and its stream parked
                unwatched.add(message.key)
            else:
                last = known.get(message.key, 0)
                if message.version > last + 1 and message.key not in unwatched:
                    return Batch(fresh=tuple(fresh), after=place, repeats=repeats, gap=message)
                repeated = message.version <= last
                known[message.key] = max(last, message.version)
        if repeated:
            repeats += 1
        else:
            fresh.append(message)
        place = place.after(message)
    return Batch(fresh=tuple(fresh), after=place, repeats=repeats)


def _place(row: asyncpg.Record) -> Place:
    return Place(next_offset=row["next_offset"], last_position=row["last_position"], last_id=row["last_id"])
