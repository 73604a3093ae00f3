"""What tests of the bus share: a topic and a schema of their own, records on it, consumers that are stopped again."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid5

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from complaints.adapters import cloudevents
from complaints.adapters.consuming import Consumer
from complaints.adapters.inbox import InSchema, on_pool, tables
from complaints.adapters.kafka import Topics, client_options, publish
from complaints.adapters.records import Message, Record
from complaints.adapters.settings import Kafka
from complaints.errors import Undecodable

STREAMS = UUID("6f0c8a2e-1d0b-4c8e-9a6b-0f7d4f3f6f11")


def stream(label: str) -> str:
    """The key of the stream that a test calls by this label."""
    return str(uuid5(STREAMS, label))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Returns when the condition holds; what never comes true ends the test."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - what changes is in other processes
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs these beside the test; raises what one of them crashed with."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome


async def new_topic(kafka: Kafka, name: str, *, partitions: int) -> str:
    """A topic of its own, with its dead letters."""
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        topic = f"{kafka.topic_prefix}{name}"
        await admin.create_topics([NewTopic(topic, partitions, 1), NewTopic(Topics.dead_letters(topic), 1, 1)])
    finally:
        await admin.close()
    return topic


async def delete_topic(kafka: Kafka, topic: str) -> None:
    """The topic and all that is on it."""
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        await admin.delete_topics([topic])
    finally:
        await admin.close()


async def everything_on(kafka: Kafka, topic: str) -> list[ConsumerRecord]:
    """All records of a topic, partition by partition."""
    consumer = AIOKafkaConsumer(**client_options(kafka), enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = await consumer._client._wait_on_metadata(topic)
        ats = [TopicPartition(topic, partition) for partition in sorted(partitions)]
        consumer.assign(ats)
        ends = await consumer.end_offsets(ats)
        found: list[ConsumerRecord] = []
        for at in ats:
            consumer.seek(at, 0)
        while len(found) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()


def record(topic: str, label: str, version: int | None, position: int | None, value: bytes | None = None) -> Record:
    """A record like an event's, its value a number that tests know it by."""
    attributes = {
        "id": f"{label}-{version}",
        "source": "/desks/test",
        "type": "thing.happened",
        "sequence": position,
        "streamversion": version,
    }
    return Record(
        topic=topic,
        key=stream(label).encode(),
        value=json.dumps({"position": position}).encode() if value is None else value,
        headers=cloudevents.encode(attributes),
    )


def decoded(message: Message) -> Message:
    """The message itself, if it can be read. Raises: Undecodable."""
    try:
        json.loads(message.value)
    except ValueError as error:
        raise Undecodable("no JSON") from error
    return message


class Bench:
    """One consumer's world: a topic, and a schema with its inbox and a table of effects."""

    def __init__(self, kafka: Kafka, pool: asyncpg.Pool, producer: AIOKafkaProducer, topic: str, schema: str) -> None:
        self.kafka, self.pool, self.producer, self.topic, self.schema = kafka, pool, producer, topic, schema
        self.sql = InSchema(schema)
        self.poisonous: set[int | None] = set()  # positions that the handler refuses

    @classmethod
    async def lay(cls, kafka: Kafka, pool: asyncpg.Pool, producer: AIOKafkaProducer, *, partitions: int = 2) -> Bench:
        """A new one on a topic of its own."""
        topic = await new_topic(kafka, f"t{secrets.token_hex(4)}", partitions=partitions)
        return await cls.over(kafka, pool, producer, topic)

    @classmethod
    async def over(cls, kafka: Kafka, pool: asyncpg.Pool, producer: AIOKafkaProducer, topic: str) -> Bench:
        """A new one on a topic that is there."""
        name = f"t{secrets.token_hex(4)}"
        effect = "CREATE TABLE {}.effect (n bigint GENERATED ALWAYS AS IDENTITY, key text, position bigint)"
        for statement in (f"CREATE SCHEMA {name}", *tables(name), InSchema(name)(effect)):
            await pool.execute(statement)
        return cls(kafka, pool, producer, topic, name)

    async def send(self, *records: Record) -> None:
        """Puts records on the topic; returns when they are there."""
        await publish(self.producer, *records)

    async def happened(self, label: str, version: int, position: int) -> None:
        """One event of a stream."""
        await self.send(record(self.topic, label, version, position))

    def consumer(
        self, handle: Callable[[asyncpg.Connection, Sequence[Message]], Awaitable[None]] | None = None, **options: Any
    ) -> Consumer[Message, asyncpg.Connection]:
        """A member that notes each message as an effect."""
        return Consumer(
            name=self.schema,
            topic=self.topic,
            kafka=self.kafka,
            schema=self.schema,
            transactions=on_pool(self.pool),
            decode=decoded,
            handle=handle or self.note,
            producer=self.producer,
            **options,
        )

    async def note(self, connection: asyncpg.Connection, messages: Sequence[Message]) -> None:
        """The handler: an effect for each message."""
        for message in messages:
            await connection.execute(
                self.sql("INSERT INTO {}.effect (key, position) VALUES ($1, $2)"), message.key, message.position
            )
            if message.position in self.poisonous:
                raise Undecodable(f"position {message.position} means nothing to us")

    async def effects(self, label: str | None = None) -> list[int]:
        """Positions in the order of their effects, of one stream or all."""
        rows = await self.pool.fetch(
            self.sql("SELECT position FROM {}.effect WHERE $1::text IS NULL OR key = $1 ORDER BY n"),
            stream(label) if label else None,
        )
        return [row["position"] for row in rows]

    async def effects_of(self, stream_id: UUID) -> list[int]:
        """Positions of one real stream in the order of their effects."""
        rows = await self.pool.fetch(
            self.sql("SELECT position FROM {}.effect WHERE key = $1 ORDER BY n"), str(stream_id)
        )
        return [row["position"] for row in rows]

    async def letters(self) -> list[tuple[int | None, str]]:
        """Position and reason of the open dead letters, in order."""
        rows = await self.pool.fetch(
            self.sql("SELECT position, reason FROM {}.dead_letter WHERE settled_at IS NULL ORDER BY id")
        )
        return [(row["position"], row["reason"]) for row in rows]
