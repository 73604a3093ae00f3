"""Topics, records, and the services' commands on a real broker."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from complaints.adapters import database
from complaints.adapters.cloudevents import event_id
from complaints.adapters.command_consumer import CommandConsumer
from complaints.adapters.dead_letters import DeadLetters
from complaints.adapters.kafka import (
    CommandRequest,
    CommandSender,
    Topics,
    TopicsDiffer,
    create_topics,
    open_producer,
    publish,
)
from complaints.adapters.ordered_publisher import FULL, PRODUCER_OPTIONS, OrderedPublisher
from complaints.adapters.records import CommandRecord, Record, command_of, message_of
from complaints.adapters.settings import Kafka
from complaints.commands import FireTimer, Sender
from complaints.errors import Rejected, StoreUnavailable, Unknown
from tests.contracts.bus import everything_on, running, until

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
BREACH = event_id(UUID(int=7), 3)


@pytest.fixture
async def kafka(kafka_bootstrap_servers: str, topic_prefix: str) -> Kafka:
    prefix = f"{topic_prefix}{secrets.token_hex(3)}."
    return Kafka(bootstrap_servers=kafka_bootstrap_servers, topic_prefix=prefix, partitions=2)


@pytest.fixture
async def topics(kafka: Kafka) -> Topics:
    await create_topics(kafka)
    return Topics(kafka.topic_prefix)


@pytest.fixture
async def producer(kafka: Kafka) -> AsyncIterator[AIOKafkaProducer]:
    async with open_producer(kafka, client="test_kafka") as producer:
        yield producer


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await database.pool(database_url, application="test_kafka")
    yield pool
    await pool.execute("DELETE FROM es.dead_letter")
    await pool.close()


def fire(complaint: str, clock: str = "answer") -> FireTimer:
    """A service's command; its id says what it is about."""
    return FireTimer(id=uuid5(UUID(complaint), clock), complaint=complaint, at=NOW, clock=clock, due_at=NOW)


# --- topics ----------------------------------------------------------------------------------------------------------
async def test_topics_have_the_partitions_copies_and_retention_that_the_settings_say_and_are_created_once(
    kafka: Kafka,
) -> None:
    created = await create_topics(kafka)
    topics = Topics(kafka.topic_prefix)
    assert set(created) == {name for topic in topics.all for name in (topic, topics.dead_letters(topic))}
    assert await create_topics(kafka) == []
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        described = {d["topic"]: len(d["partitions"]) for d in await admin.describe_topics(list(topics.all))}
        configs = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topics.commands)])
    finally:
        await admin.close()
    assert described == {topic: 2 if topic in (topics.events, topics.commands) else 1 for topic in topics.all}
    kept = {name: value for *_, entries in configs[0].resources for name, value, *_ in entries}
    assert kept["retention.ms"] == str(30 * 86_400_000)


async def test_a_topic_with_other_partitions_is_refused_since_keys_would_move(kafka: Kafka, topics: Topics) -> None:
    with pytest.raises(TopicsDiffer, match="has 2 partitions, the settings say 5"):
        await create_topics(kafka.model_copy(update={"partitions": 5}))


# --- what services send ----------------------------------------------------------------------------------------------
async def test_a_command_travels_with_its_cause_and_without_an_instant(
    kafka: Kafka, topics: Topics, producer: AIOKafkaProducer
) -> None:
    complaint, correlation = str(uuid4()), uuid4()
    sender = CommandSender(producer, topics, source="sla_monitor")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    command = fire(complaint)
    await sender.send("acme", command, correlation_id=correlation, causation_id=BREACH, traceparent=trace)
    (message,) = [message_of(record) for record in await everything_on(kafka, topics.commands)]
    record = command_of(message)
    assert record.to_command(NOW) == command
    assert (record.desk, record.correlation_id, record.causation_id) == ("acme", correlation, BREACH)
    assert "at" not in json.loads(message.value)
    assert message.key == complaint
    assert message.headers["ce_id"] == str(command.id)
    assert message.headers["ce_type"] == "fire-timer"
    assert message.headers["ce_source"] == "/services/sla_monitor"
    assert message.traceparent == trace


async def test_a_complaint_s_commands_stay_in_order(kafka: Kafka, topics: Topics, producer: AIOKafkaProducer) -> None:
    sender, complaint = CommandSender(producer, topics, source="test"), str(uuid4())
    clocks = [f"c{n:03}" for n in range(200)]
    await sender.send_all(CommandRequest(desk="acme", command=fire(complaint, clock)) for clock in clocks)
    found = [command_of(message_of(record)).data["clock"] for record in await everything_on(kafka, topics.commands)]
    assert found == clocks


async def test_a_round_takes_what_fits_and_leaves_the_rest_for_the_next(kafka: Kafka, topics: Topics) -> None:
    def group(size: int) -> list[Record]:
        return [Record(topic=topics.escalations, key=b"k", value=b"x" * size, headers=[])]

    async with open_producer(kafka, client="rounds", **PRODUCER_OPTIONS) as producer:
        publisher = OrderedPublisher(producer)
        groups = [group(FULL // 2), group(FULL // 3), group(FULL // 3), group(3 * FULL), group(1)]
        rounds = []
        while groups:
            taken, answer = await publisher.send(groups)
            await answer
            rounds.append(taken)
            groups = groups[taken:]
    assert rounds == [2, 1, 1, 1]  # a record larger than a batch has one of its own
    sizes = [len(record.value or b"") for record in await everything_on(kafka, topics.escalations)]
    assert sizes == [FULL // 2, FULL // 3, FULL // 3, 3 * FULL, 1]


# --- commands at intake ----------------------------------------------------------------------------------------------
async def test_commands_for_one_complaint_are_done_in_order_and_others_meanwhile(
    kafka: Kafka, topics: Topics, producer: AIOKafkaProducer, pool: asyncpg.Pool
) -> None:
    slow, quick = str(uuid4()), str(uuid4())
    held, done = asyncio.Event(), list[tuple[str, str]]()

    async def handle(record: CommandRecord) -> None:
        if (record.complaint, record.data["clock"]) == (slow, "c1"):
            await held.wait()
        done.append((record.complaint, record.data["clock"]))

    sender = CommandSender(producer, topics, source="test")
    await sender.send_all(
        CommandRequest(desk="acme", command=fire(complaint, clock))
        for clock in ("c1", "c2")
        for complaint in (slow, quick)
    )
    consumer = CommandConsumer(name="intake", kafka=kafka, pool=pool, producer=producer, handle=handle)
    async with running(consumer.run()):

        async def quick_done() -> bool:
            return [clock for complaint, clock in done if complaint == quick] == ["c1", "c2"]

        await until(quick_done)
        assert not [clock for complaint, clock in done if complaint == slow]
        held.set()
        await until(consumer.caught_up)
    assert [clock for complaint, clock in done if complaint == slow] == ["c1", "c2"]


async def test_a_command_waits_out_a_store_that_is_away_and_a_rule_s_refusal_is_the_end_of_it(
    kafka: Kafka, topics: Topics, producer: AIOKafkaProducer, pool: asyncpg.Pool
) -> None:
    complaint, tries = str(uuid4()), list[str]()

    async def handle(record: CommandRecord) -> None:
        tries.append(record.data["clock"])
        if tries.count("c1") < 3:
            raise StoreUnavailable("away")
        if record.data["clock"] == "c2":
            raise Rejected("nothing-due", None, "it was stopped before")

    sender = CommandSender(producer, topics, source="test")
    await sender.send_all(CommandRequest(desk="acme", command=fire(complaint, clock)) for clock in ("c1", "c2", "c3"))
    consumer = CommandConsumer(name="intake", kafka=kafka, pool=pool, producer=producer, handle=handle)
    async with running(consumer.run()):
        await until(consumer.caught_up)
        assert consumer.why_not_ready() is None
    assert tries == ["c1", "c1", "c1", "c2", "c3"]
    assert await DeadLetters("es").find(pool) == []


async def test_commands_that_nobody_can_decide_are_set_aside_and_done_again_when_asked(
    kafka: Kafka, topics: Topics, producer: AIOKafkaProducer, pool: asyncpg.Pool
) -> None:
    known, unknown, done = str(uuid4()), str(uuid4()), list[str]()
    missing = {unknown}

    async def handle(record: CommandRecord) -> None:
        if record.complaint in missing:
            raise Unknown("no-such-complaint", "nobody knows it")
        record.to_command(NOW)
        done.append(record.complaint)

    sender = CommandSender(producer, topics, source="test")
    await sender.send("acme", fire(unknown))
    odd = CommandRecord(
        id=uuid4(),
        desk="acme",
        complaint=known,
        command="fire-timer",
        by=Sender(person="p", role="r"),
        data={"clok": "x"},
    )
    value = json.dumps({"id": str(odd.id), "desk": "acme", "complaint": known, "command": "fire-timer"}).encode()
    await publish(
        producer,
        Record(topic=topics.commands, key=known.encode(), value=b"\x00\xff", headers=[]),
        Record(topic=topics.commands, key=known.encode(), value=value, headers=[]),
        Record(topic=topics.commands, key=known.encode(), value=msgspec.json.encode(odd), headers=[]),
    )
    await sender.send("acme", fire(known))
    consumer = CommandConsumer(name="intake", kafka=kafka, pool=pool, producer=producer, handle=handle)
    letters = DeadLetters("es")
    async with running(consumer.run()):
        await until(consumer.caught_up)
        assert done == [known]
        waiting = await letters.find(pool, consumer="intake")
        assert sorted(letter.reason for letter in waiting) == [
            "malformed",
            "no-such-complaint",
            "undecodable",
            "undecodable",
        ]
        assert len(await everything_on(kafka, Topics.dead_letters(topics.commands))) == 4
        missing.clear()
        await letters.ask(pool, key=unknown)

        async def settled() -> bool:
            return len(await letters.find(pool, consumer="intake")) == 3

        await until(settled)
    assert done == [known, unknown]


async def test_offsets_are_committed_after_the_work_so_a_killed_member_s_commands_are_done(
    kafka: Kafka, topics: Topics, producer: AIOKafkaProducer, pool: asyncpg.Pool
) -> None:
    started, complaint, done = asyncio.Event(), str(uuid4()), list[str]()

    async def dies(_: CommandRecord) -> None:
        started.set()
        await asyncio.Event().wait()

    async def handle(record: CommandRecord) -> None:
        done.append(record.data["clock"])

    sender = CommandSender(producer, topics, source="test")
    await sender.send("acme", fire(complaint))
    first = CommandConsumer(name="intake", kafka=kafka, pool=pool, producer=producer, handle=dies)
    async with running(first.run()):
        await started.wait()
    second = CommandConsumer(name="intake", kafka=kafka, pool=pool, producer=producer, handle=handle)
    async with running(second.run()):
        await until(second.caught_up)
    assert done == ["answer"]


async def test_a_bug_in_the_decider_ends_the_consumer(
    kafka: Kafka, topics: Topics, producer: AIOKafkaProducer, pool: asyncpg.Pool
) -> None:
    async def handle(_: CommandRecord) -> None:
        raise ZeroDivisionError

    await CommandSender(producer, topics, source="test").send("acme", fire(str(uuid4())))
    consumer = CommandConsumer(name="intake", kafka=kafka, pool=pool, producer=producer, handle=handle)
    with pytest.raises(ExceptionGroup) as caught:
        await consumer.run()
    assert caught.group_contains(ZeroDivisionError)
