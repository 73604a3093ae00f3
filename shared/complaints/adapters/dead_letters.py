"""Records that could not be handled: kept with their reason, and the later ones of the same stream behind them.

A stream with an open letter is parked for that consumer: what follows waits here too, in order, until somebody asks for
it to be handled again. Then its consumer takes the letters in order and the stream goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from complaints.adapters.inbox import InSchema
from complaints.adapters.kafka import Topics
from complaints.adapters.records import Message, Record
from complaints.errors import RedressError

BEHIND: Final = "parked"
"""The reason of a letter that has nothing wrong with it but the one before it."""

_LONGEST_DETAIL = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One record that waits."""

    id: int
    consumer: str
    message: Message
    reason: str
    detail: str
    since: datetime
    attempts: int
    reinject_at: datetime | None
    settled_at: datetime | None
    discarded: str | None  # why a person settled it without having it handled


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A message and why it cannot be handled."""

    message: Message
    reason: str
    detail: str = ""


def refusal(message: Message, error: RedressError) -> Refusal:
    """Why, in the error's own words."""
    return Refusal(message=message, reason=error.code, detail=error.why[:_LONGEST_DETAIL])


class DeadLetters:
    """The letters of one schema. Every method runs in the caller's transaction."""

    def __init__(self, schema: str) -> None:
        self._sql = InSchema(schema)

    async def store(self, connection: asyncpg.Connection, consumer: str, refusals: Sequence[Refusal]) -> None:
        """Keeps these, in order."""
        await connection.executemany(
            self._sql(
                "INSERT INTO {}.dead_letter (consumer, topic, partition, record_offset, key, position, reason, detail, "
                "headers, value) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10)"
            ),
            [
                (
                    consumer,
                    refused.message.topic,
                    refused.message.partition,
                    refused.message.offset,
                    refused.message.key,
                    refused.message.position,
                    refused.reason,
                    refused.detail,
                    msgspec.json.encode(dict(refused.message.headers)).decode(),
                    refused.message.value,
                )
                for refused in refusals
            ],
        )

    async def parked(
        self, connection: asyncpg.Connection, consumer: str, topic: str, keys: Collection[str]
    ) -> set[str]:
        """Which of these streams are parked."""
        rows = await connection.fetch(
            self._sql(
                "SELECT DISTINCT key FROM {}.dead_letter "
                "WHERE settled_at IS NULL AND consumer = $1 AND topic = $2 AND key = ANY($3::text[])"
            ),
            consumer,
            topic,
            [key for key in keys if key],
        )
        return {row["key"] for row in rows}

    async def open_count(self, connection: asyncpg.Connection, consumer: str, topic: str) -> int:
        """How many letters wait."""
        count: int = await connection.fetchval(
            self._sql("SELECT count(*) FROM {}.dead_letter WHERE settled_at IS NULL AND consumer = $1 AND topic = $2"),
            consumer,
            topic,
        )
        return count

    async def asked_for(
        self, connection: asyncpg.Connection, consumer: str, topic: str, partitions: Collection[int]
    ) -> list[tuple[int, str]]:
        """Partition and stream of the letters that somebody wants handled again."""
        rows = await connection.fetch(
            self._sql(
                "SELECT DISTINCT partition, key FROM {}.dead_letter "
                "WHERE settled_at IS NULL AND reinject_at IS NOT NULL AND consumer = $1 AND topic = $2 "
                "AND partition = ANY($3::int[]) ORDER BY partition, key"
            ),
            consumer,
            topic,
            list(partitions),
        )
        return [(row["partition"], row["key"]) for row in rows]

    async def of_stream(self, connection: asyncpg.Connection, consumer: str, topic: str, key: str) -> list[Letter]:
        """A stream's open letters in order, nobody else's until the transaction ends.

        Of records without a key, which are nobody's stream, only those asked for.
        """
        rows = await connection.fetch(
            self._sql(
                "SELECT * FROM {}.dead_letter WHERE settled_at IS NULL AND consumer = $1 AND topic = $2 AND key = $3 "
                "AND (key <> '' OR reinject_at IS NOT NULL) ORDER BY id FOR UPDATE"
            ),
            consumer,
            topic,
            key,
        )
        return [_letter(row) for row in rows]

    async def of_consumer(self, connection: asyncpg.Connection, consumer: str, topic: str) -> list[Letter]:
        """All letters that somebody wants handled again and no other member has in hand, in order."""
        rows = await connection.fetch(
            self._sql(
                "SELECT * FROM {}.dead_letter WHERE settled_at IS NULL AND reinject_at IS NOT NULL "
                "AND consumer = $1 AND topic = $2 ORDER BY id FOR UPDATE SKIP LOCKED"
            ),
            consumer,
            topic,
        )
        return [_letter(row) for row in rows]

    async def settle(self, connection: asyncpg.Connection, letters: Iterable[Letter]) -> None:
        """They have been handled."""
        await connection.execute(
            self._sql("UPDATE {}.dead_letter SET settled_at = clock_timestamp() WHERE id = ANY($1::bigint[])"),
            [letter.id for letter in letters],
        )

    async def keep(self, connection: asyncpg.Connection, letters: Sequence[Letter], why: Refusal) -> None:
        """The first of them failed again; all of them go on waiting until somebody asks again."""
        await connection.execute(
            self._sql("UPDATE {}.dead_letter SET reinject_at = NULL WHERE id = ANY($1::bigint[])"),
            [letter.id for letter in letters],
        )
        await connection.execute(
            self._sql("UPDATE {}.dead_letter SET attempts = attempts + 1, reason = $2, detail = $3 WHERE id = $1"),
            letters[0].id,
            why.reason,
            why.detail,
        )

    # --- for whoever looks after them --------------------------------------------------------------------------------
    async def find(
        self,
        connection: asyncpg.Connection,
        *,
        consumer: str | None = None,
        key: str | None = None,
        id: int | None = None,
    ) -> list[Letter]:
        """Letters that wait, in order; with an ``id`` that one, settled or not."""
        rows = await connection.fetch(
            self._sql(
                "SELECT * FROM {}.dead_letter "
                "WHERE ($1::text IS NULL OR consumer = $1) AND ($2::text IS NULL OR key = $2) "
                "AND ($3::bigint IS NULL AND settled_at IS NULL OR id = $3) ORDER BY id"
            ),
            consumer,
            key,
            id,
        )
        return [_letter(row) for row in rows]

    async def ask(
        self,
        connection: asyncpg.Connection,
        *,
        consumer: str | None = None,
        key: str | None = None,
        id: int | None = None,
    ) -> list[Letter]:
        """Asks for the open letters of these streams to be handled again; returns them."""
        rows = await connection.fetch(
            self._sql(
                "UPDATE {}.dead_letter SET reinject_at = clock_timestamp() "
                "WHERE settled_at IS NULL AND ($1::text IS NULL OR consumer = $1) AND ($2::text IS NULL OR key = $2) "
                "AND ($3::bigint IS NULL OR id = $3) RETURNING *"
            ),
            consumer,
            key,
            id,
        )
        return sorted(map(_letter, rows), key=lambda letter: letter.id)

    async def discard(self, connection: asyncpg.Connection, id: int, why: str) -> list[Letter]:
        """Settles a letter that will never be handled, and asks for what waits behind it; all of them, it first.

        Empty where no letter with this number waits.
        """
        rows = await connection.fetch(
            self._sql(
                "UPDATE {}.dead_letter SET settled_at = clock_timestamp(), discarded = $2 "
                "WHERE id = $1 AND settled_at IS NULL RETURNING *"
            ),
            id,
            why,
        )
        if not rows:
            return []
        (letter,) = map(_letter, rows)
        behind = letter.message.key and await self.ask(connection, consumer=letter.consumer, key=letter.message.key)
        return [letter, *(behind or ())]


async def schemas(connection: asyncpg.Connection) -> list[str]:
    """The schemas in which consumers keep letters."""
    rows = await connection.fetch(
        "SELECT table_schema FROM information_schema.columns "
        "WHERE table_name = 'dead_letter' AND column_name = 'reinject_at' ORDER BY table_schema"
    )
    return [row["table_schema"] for row in rows]


def dead_letter_record(consumer: str, refused: Refusal) -> Record:
    """The record on ``<topic>.dead-letters``: the message as it was, and beside it who refused it, where and why."""
    message = refused.message
    why = {
        "redress_consumer": consumer,
        "redress_reason": refused.reason,
        "redress_detail": refused.detail,
        "redress_topic": message.topic,
        "redress_partition": str(message.partition),
        "redress_offset": str(message.offset),
    }
    return Record(
        topic=Topics.dead_letters(message.topic),
        key=message.key.encode(),
        value=message.value,
        headers=[(name, text.encode()) for name, text in {**message.headers, **why}.items()],
    )


def _letter(row: asyncpg.Record) -> Letter:
    message = Message(
        topic=row["topic"],
        partition=row["partition"],
        offset=row["record_offset"],
        key=row["key"],
        value=row["value"],
        headers=msgspec.json.decode(row["headers"], type=dict[str, str]),
    )
    return Letter(
        id=row["id"],
        consumer=row["consumer"],
        message=message,
        reason=row["reason"],
        detail=row["detail"],
        since=row["since"],
        attempts=row["attempts"],
        reinject_at=row["reinject_at"],
        settled_at=row["settled_at"],
        discarded=row["discarded"],
    )
