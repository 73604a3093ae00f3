"""The relay on a real log and a real broker: every event at least once, in order, whoever dies when."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from complaints.adapters import database
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.kafka import Topics, create_topics, open_producer
from complaints.adapters.ordered_publisher import PRODUCER_OPTIONS
from complaints.adapters.records import Message, message_of, stored_event
from complaints.adapters.service import settled
from complaints.adapters.settings import Database, Files, Http, Kafka, Settings
from complaints.ports import GENESIS, Append, NewEvent, StoredEvent
from intake.publishing import LeadLost, Place, Publication
from intake.relay import Relay, build
from intake.rewind import rewind
from tests import servers
from tests.contracts.bus import Bench, delete_topic, everything_on, running, until

CLAUSE = "19:第十七条(二)"
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.fixture
async def kafka(kafka_bootstrap_servers: str, topic_prefix: str) -> Kafka:
    prefix = f"{topic_prefix}{secrets.token_hex(3)}."
    kafka = Kafka(bootstrap_servers=kafka_bootstrap_servers, topic_prefix=prefix, partitions=3)
    await create_topics(kafka)
    return kafka


@pytest.fixture
def log_url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """A database for one test: a test may spoil its log."""
    name = f"redress_relay_{secrets.token_hex(4)}"
    yield servers.create_database(postgres_url, name, template=migrated_template)
    servers.drop_database(postgres_url, name)


@pytest.fixture
async def pool(log_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await database.pool(log_url, application="test_relay", max_size=12)
    yield pool
    await pool.close()


class Log:
    """A log that grows by what a test appends."""

    def __init__(self, store: PostgresEventStore) -> None:
        self.store = store
        self._heads: dict[UUID, tuple[int, bytes]] = {}

    async def append(self, stream: UUID, count: int = 1, *, type: str = "work.recorded") -> None:
        """One command's events."""
        version, head = self._heads.get(stream, (0, GENESIS))
        meta = {
            "desk": "acme",
            "complaint": str(stream),
            "at": AT,
            "clause": "19:第十七条(二)",
            "correlation_id": str(stream),
        }
        events = tuple(
            NewEvent(
                type=type,
                occurred_at=AT,
                data=msgspec.json.encode({"step": f"s{version + n}", "facts": {"内容": {"$sealed": "xyz"}}}),
                meta=msgspec.json.encode(meta),
            )
            for n in range(count)
        )
        done = await self.store.append(
            Append(
                stream_id=stream,
                category="complaint",
                desk="acme",
                expected_version=version,
                previous_hash=head,
                command_id=uuid4(),
                events=events,
            )
        )
        self._heads[stream] = (done.version, done.hash)


@pytest.fixture
async def log(pool: asyncpg.Pool) -> AsyncIterator[Log]:
    async with PostgresEventStore(pool) as store:
        yield Log(store)


def relay(pool: asyncpg.Pool, kafka: Kafka, **options: int) -> Relay:
    """A relay for which an event that escalates needs a person."""

    def escalation_of(event: StoredEvent) -> bytes | None:
        return b'{"what":"look"}' if event.type == "complaint.escalated" else None

    return Relay(pool=pool, kafka=kafka, escalation_of=escalation_of, **options)


async def published(kafka: Kafka) -> list[Message]:
    """The messages on the event topic, partition by partition."""
    return [message_of(record) for record in await everything_on(kafka, Topics(kafka.topic_prefix).events)]


def in_order(messages: list[Message]) -> bool:
    """Whether within each partition nothing came after what follows it, but as a repeat from below."""
    last: dict[int, int] = {}
    known: set[int] = set()
    for message in messages:
        position = message.position or 0
        if position not in known and position < last.get(message.partition, 0):
            return False
        known.add(position)
        last[message.partition] = max(position, last.get(message.partition, 0))
    return True


async def test_the_topic_has_every_event_of_the_log_byte_for_byte_and_in_order(
    log: Log, pool: asyncpg.Pool, kafka: Kafka
) -> None:
    streams = [uuid4() for _ in range(7)]
    for _ in range(5):
        for stream in streams:
            await log.append(stream, 2)
    one = relay(pool, kafka, batch=9)
    async with running(one.run()):
        await until(one.caught_up)
        await log.append(streams[0])
        await until(one.caught_up)
    messages = await published(kafka)
    stored = await log.store.read_all()
    assert sorted((stored_event(m) for m in messages), key=lambda e: e.position) == list(stored)
    assert in_order(messages)
    for stream in streams:
        of_one = [m for m in messages if m.key == str(stream)]
        assert [m.version for m in of_one] == list(range(1, len(of_one) + 1))
        assert len({m.partition for m in of_one}) == 1


async def test_a_record_says_in_its_headers_what_a_router_needs(log: Log, pool: asyncpg.Pool, kafka: Kafka) -> None:
    stream = uuid4()
    await log.append(stream)
    one = relay(pool, kafka)
    async with running(one.run()):
        await until(one.caught_up)
    (message,) = await published(kafka)
    headers = message.headers
    assert headers["ce_specversion"] == "1.0"
    assert headers["ce_type"] == "work.recorded"
    assert headers["ce_source"] == "/desks/acme"
    assert headers["ce_subject"] == str(stream)
    assert headers["ce_time"] == "2026-03-02T09:30:00+00:00"
    assert headers["ce_clause"] == CLAUSE
    assert headers["ce_correlationid"] == str(stream)
    assert (headers["ce_sequence"], headers["ce_streamversion"], headers["ce_desk"]) == ("1", "1", "acme")
    assert headers["content-type"] == "application/json"
    value = msgspec.json.decode(message.value)
    assert value["event"] == "work.recorded"
    assert value["data"] == {"step": "s0", "facts": {"内容": {"$sealed": "xyz"}}}
    assert value["clause"] == CLAUSE


async def test_what_was_sent_and_not_noted_is_sent_again_and_used_once(
    log: Log, pool: asyncpg.Pool, kafka: Kafka, log_url: str
) -> None:
    stream = uuid4()
    await log.append(stream, 3)
    one = relay(pool, kafka)
    holder = await asyncpg.connect(log_url)
    async with running(one.run()):
        await until(one.caught_up)
        async with holder.transaction():  # the place cannot move while we hold it
            await holder.execute("SELECT * FROM es.relay WHERE shard = 0 FOR UPDATE")
            await log.append(stream, 4)

            async def sent() -> bool:
                return len(await published(kafka)) == 7

            await until(sent)
            await holder.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1",
                database.Lock.RELAY,
            )
        await until(one.caught_up)
    await holder.close()
    messages = await published(kafka)
    assert [m.position for m in messages] == [1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7]
    async with open_producer(kafka, client="test") as producer:
        assert await used(pool, kafka, producer) == [1, 2, 3, 4, 5, 6, 7]


async def used(pool: asyncpg.Pool, kafka: Kafka, producer: AIOKafkaProducer) -> list[int]:
    """The positions that a consumer of the event topic has used, in their order."""
    bench = await Bench.over(kafka, pool, producer, Topics(kafka.topic_prefix).events)
    consumer = bench.consumer(check_versions=True)
    async with running(consumer.run()):
        await until(consumer.caught_up)
        assert consumer.why_not_ready() is None
    return await bench.effects()


async def test_one_of_two_relays_leads_and_the_other_takes_over(log: Log, pool: asyncpg.Pool, kafka: Kafka) -> None:
    first, second = relay(pool, kafka), relay(pool, kafka)
    stream = uuid4()
    async with running(second.run()):
        async with running(first.run()):
            await log.append(stream, 3)
            await until(first.caught_up)
            assert [first.leading, second.leading].count(True) == 1
            assert (first.why_not_ready(), second.why_not_ready()) == (None, None)
        await log.append(stream, 3)
        await until(second.caught_up)
        assert second.leading
    assert [m.position for m in await published(kafka)] == [1, 2, 3, 4, 5, 6]


async def test_a_leader_whose_epoch_has_passed_moves_nothing(log: Log, pool: asyncpg.Pool, kafka: Kafka) -> None:
    await log.append(uuid4(), 2)
    late = Place(position=0, epoch=6, checkpoint_size=0)
    await pool.execute("UPDATE es.relay SET epoch = 7")  # another one has taken the lead since
    async with open_producer(kafka, client="late", **PRODUCER_OPTIONS) as producer, pool.acquire() as connection:
        publication = Publication(
            connection=connection,
            producer=producer,
            topics=Topics(kafka.topic_prefix),
            escalation_of=lambda _: None,
            shard=0,
            place=late,
            batch=10,
        )
        with pytest.raises(LeadLost):
            await publication.go_on()
        await connection.reset()  # it listened
    assert await pool.fetchval("SELECT pos FROM es.relay") == 0


async def test_nothing_behind_a_missing_position_is_published(log: Log, pool: asyncpg.Pool, kafka: Kafka) -> None:
    await log.append(uuid4(), 6)
    await pool.execute("ALTER TABLE es.event DISABLE TRIGGER USER")
    await pool.execute("DELETE FROM es.event WHERE pos = 4")
    one = relay(pool, kafka)
    async with running(one.run()):

        async def stopped() -> bool:
            return one.why_not_ready() == "the log lacks position 4"

        await until(stopped)

        async def noted() -> bool:
            return bool(await pool.fetchval("SELECT pos FROM es.relay") == 3)

        await until(noted)
    assert [m.position for m in await published(kafka)] == [1, 2, 3]


async def test_what_needs_a_person_is_on_the_escalation_topic_too(log: Log, pool: asyncpg.Pool, kafka: Kafka) -> None:
    stream = uuid4()
    await log.append(stream, 2)
    await log.append(stream, 1, type="complaint.escalated")
    one = relay(pool, kafka)
    async with running(one.run()):
        await until(one.caught_up)
    (record,) = await everything_on(kafka, Topics(kafka.topic_prefix).escalations)
    message = message_of(record)
    assert message.value == b'{"what":"look"}'
    assert (message.position, message.version, message.key) == (3, 3, str(stream))
    assert message.headers["ce_type"] == "escalation"


async def test_checkpoints_are_published_once_and_after_what_they_cover(
    log: Log, pool: asyncpg.Pool, kafka: Kafka
) -> None:
    await log.append(uuid4(), 5)
    for size in (3, 5, 9):  # the last covers what is not there yet
        await pool.execute(
            "INSERT INTO es.checkpoint (size, root, frontier, issued_at, note) VALUES ($1, $2, '', $3, $4)",
            size,
            bytes([size]) * 32,
            AT,
            f"redress.example/log\n{size}\n",
        )
    one = relay(pool, kafka)

    async def both_noted() -> bool:
        return bool(await pool.fetchval("SELECT checkpoint_size FROM es.relay") == 5)

    for _ in range(2):  # the second leader has nothing to add
        async with running(one.run()):
            await until(both_noted)
    values = [msgspec.json.decode(r.value) for r in await everything_on(kafka, Topics(kafka.topic_prefix).checkpoints)]
    assert [(value["size"], value["note"]) for value in values] == [
        (3, "redress.example/log\n3\n"),
        (5, "redress.example/log\n5\n"),
    ]
    assert values[0]["root"] == "03" * 32


async def test_a_relay_process_killed_again_and_again_loses_nothing(
    log: Log, pool: asyncpg.Pool, kafka: Kafka, log_url: str
) -> None:
    environment = {
        **os.environ,
        "REDRESS_DATABASE_URL": log_url,
        "REDRESS_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "REDRESS_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "REDRESS_RELAY_PORT": "0",
        "REDRESS_LOG_LEVEL": "ERROR",
    }
    streams = [uuid4() for _ in range(20)]

    async def process() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(sys.executable, "-m", "intake.relay", env=environment)

    def moved_past(position: int) -> Callable[[], Awaitable[bool]]:
        async def moved() -> bool:
            return bool(await pool.fetchval("SELECT pos >= $1 FROM es.relay", position))

        return moved

    async def write() -> None:
        for n in range(60):
            for stream in streams:
                await log.append(stream, 1 + n % 3)

    writing = asyncio.create_task(write())
    for kill in range(1, 4):
        child = await process()
        await until(moved_past(kill * 300))
        child.send_signal(signal.SIGKILL)
        await child.wait()
    await writing
    child = await process()
    head = await log.store.head()
    await until(moved_past(head))
    child.send_signal(signal.SIGTERM)
    assert await child.wait() == 0
    messages = await published(kafka)
    assert {m.position for m in messages} == set(range(1, head + 1))
    assert in_order(messages)
    async with open_producer(kafka, client="test") as producer:
        assert sorted(await used(pool, kafka, producer)) == list(range(1, head + 1))


async def test_lost_topics_are_filled_again_from_the_log_and_nothing_is_used_twice(
    log: Log, pool: asyncpg.Pool, kafka: Kafka
) -> None:
    streams = [uuid4() for _ in range(5)]
    for stream in streams:
        await log.append(stream, 4)
    topics = Topics(kafka.topic_prefix)
    one = relay(pool, kafka)
    async with open_producer(kafka, client="test") as producer, running(one.run()):
        bench = await Bench.over(kafka, pool, producer, topics.events)
        await until(one.caught_up)
        before = bench.consumer(check_versions=True)
        async with running(before.run()):
            await until(before.caught_up)
        await delete_topic(kafka, topics.events)

        async def created_again() -> bool:  # the cluster forgets the old one in its own time
            return topics.events in await create_topics(kafka)

        await until(created_again)
        assert await rewind(pool, 0)
        assert not await rewind(pool, 10**9)
        await until(one.caught_up)
        await log.append(streams[0], 2)
        await until(one.caught_up)
        after = bench.consumer(check_versions=True)
        async with running(after.run()):
            await until(after.caught_up)
            assert after.why_not_ready() is None
        assert sorted(await bench.effects()) == list(range(1, 23))


async def test_the_relay_service_starts_shows_its_health_and_stops(
    log: Log, log_url: str, kafka: Kafka, tmp_path: Path
) -> None:
    settings = Settings(
        database=Database(url=log_url), kafka=kafka, http=Http(relay_port=0), files=Files(data_dir=tmp_path)
    )
    async with build(settings) as service:
        await log.append(uuid4(), 2)
        await settled(service)
        assert service.health.failing() == {}
    assert [m.position for m in await published(kafka)] == [1, 2]


async def test_the_relay_issues_the_checkpoints_that_it_publishes(
    log: Log, log_url: str, kafka: Kafka, tmp_path: Path
) -> None:
    settings = Settings(
        database=Database(url=log_url), kafka=kafka, http=Http(relay_port=0), files=Files(data_dir=tmp_path)
    )
    await log.append(uuid4(), 1001)
    topic = Topics(kafka.topic_prefix).checkpoints

    async def on_the_topic() -> bool:
        return bool(await everything_on(kafka, topic))

    async with build(settings):
        await until(on_the_topic)
    checkpoints = await everything_on(kafka, topic)
    assert msgspec.json.decode(checkpoints[0].value)["size"] == 1000
    assert (tmp_path / "checkpoint.key").stat().st_mode & 0o777 == 0o600
