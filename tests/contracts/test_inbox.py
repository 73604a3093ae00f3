"""A consumer on a real broker and a real database: effects once, in order, whatever is delivered how often."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from complaints.adapters import database
from complaints.adapters.consuming import Consumer
from complaints.adapters.dead_letters import DeadLetters
from complaints.adapters.inbox import InSchema, begin_after, on_engine
from complaints.adapters.kafka import Topics, open_producer
from complaints.adapters.records import Message, Record, message_of
from complaints.adapters.settings import Kafka
from complaints.errors import StoreUnavailable
from tests.contracts.bus import Bench, decoded, delete_topic, everything_on, new_topic, record, running, stream, until


@pytest.fixture(scope="module")
def kafka(kafka_bootstrap_servers: str, topic_prefix: str) -> Kafka:
    return Kafka(bootstrap_servers=kafka_bootstrap_servers, topic_prefix=topic_prefix)


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await database.pool(database_url, application="test_inbox")
    yield pool
    await pool.close()


@pytest.fixture(scope="module")
async def producer(kafka: Kafka) -> AsyncIterator[AIOKafkaProducer]:
    async with open_producer(kafka, client="test_inbox") as producer:
        yield producer


@pytest.fixture
async def bench(kafka: Kafka, pool: asyncpg.Pool, producer: AIOKafkaProducer) -> Bench:
    return await Bench.lay(kafka, pool, producer)


async def test_each_record_has_its_effect_once_and_in_the_order_of_its_stream(bench: Bench) -> None:
    for version in range(1, 6):
        await bench.happened("a", version, 2 * version - 1)
        await bench.happened("b", version, 2 * version)
    consumer = bench.consumer()
    async with running(consumer.run()):
        await until(consumer.caught_up)
    assert await bench.effects("a") == [1, 3, 5, 7, 9]
    assert await bench.effects("b") == [2, 4, 6, 8, 10]


async def test_records_that_come_again_and_late_have_no_second_effect(bench: Bench) -> None:
    consumer = bench.consumer()
    async with running(consumer.run()):
        for version in (1, 2, 3):
            await bench.happened("a", version, version)
        await until(consumer.caught_up)
        for version in (2, 3, 1, 2, 3, 4):  # as after a relay that died between sending and noting that it sent
            await bench.happened("a", version, version)
        await until(consumer.caught_up)
    assert await bench.effects() == [1, 2, 3, 4]


async def test_a_member_that_starts_again_reads_on_where_its_database_stands(bench: Bench) -> None:
    for version in (1, 2):
        await bench.happened("a", version, version)
    first = bench.consumer()
    async with running(first.run()):
        await until(first.caught_up)
    await bench.happened("a", 3, 3)
    second = bench.consumer()
    async with running(second.run()):
        await until(second.caught_up)
    assert await bench.effects() == [1, 2, 3]


async def test_effects_and_place_are_undone_together_when_a_server_fails_and_then_done_once(bench: Bench) -> None:
    failures = iter([StoreUnavailable("gone"), asyncpg.DeadlockDetectedError("deadlock"), ConnectionResetError()])

    async def handle(connection: asyncpg.Connection, messages: Sequence[Message]) -> None:
        await bench.note(connection, messages)
        if failure := next(failures, None):
            raise failure

    for version in (1, 2, 3):
        await bench.happened("a", version, version)
    consumer = bench.consumer(handle)
    async with running(consumer.run()):
        await until(consumer.caught_up)
        assert consumer.why_not_ready() is None
    assert await bench.effects() == [1, 2, 3]


async def test_a_bug_ends_the_consumer_and_leaves_the_record_for_the_next_one(bench: Bench) -> None:
    async def handle(connection: asyncpg.Connection, messages: Sequence[Message]) -> None:
        await bench.note(connection, messages)
        raise ZeroDivisionError

    await bench.happened("a", 1, 1)
    with pytest.raises(ZeroDivisionError):
        await bench.consumer(handle).run()
    assert await bench.effects() == []
    repaired = bench.consumer()
    async with running(repaired.run()):
        await until(repaired.caught_up)
    assert await bench.effects() == [1]


async def test_partitions_that_are_used_side_by_side_keep_the_order_of_each_stream(bench: Bench) -> None:
    labels = [f"s{n}" for n in range(8)]
    for version in range(1, 6):
        for place, label in enumerate(labels):
            await bench.happened(label, version, version * 10 + place)
    consumer = bench.consumer(side_by_side=True)
    async with running(consumer.run()):
        await until(consumer.caught_up)
    for place, label in enumerate(labels):
        assert await bench.effects(label) == [version * 10 + place for version in range(1, 6)]


async def test_a_bug_in_one_of_two_partitions_that_are_used_side_by_side_ends_the_consumer(bench: Bench) -> None:
    async def stumble(connection: asyncpg.Connection, messages: Sequence[Message]) -> None:
        raise ZeroDivisionError

    for place, label in enumerate("abcdefgh", 1):
        await bench.happened(label, 1, place)
    with pytest.raises(ZeroDivisionError):
        await bench.consumer(stumble, side_by_side=True).run()


async def test_two_members_share_the_partitions_and_each_record_has_one_effect(
    kafka: Kafka, pool: asyncpg.Pool, producer: AIOKafkaProducer
) -> None:
    bench = await Bench.lay(kafka, pool, producer, partitions=6)
    first, second = bench.consumer(), bench.consumer()
    labels = [f"s{n}" for n in range(30)]
    position = 0

    async def write(version: int) -> None:
        nonlocal position
        for label in labels:
            position += 1
            await bench.happened(label, version, position)

    async with running(first.run()):
        await write(1)
        async with running(second.run()):
            for version in range(2, 5):
                await write(version)
            await until(second.caught_up)

            async def shared() -> bool:
                return [len(each._read) for each in (first, second)] == [3, 3]

            await until(shared)
            await write(5)
            await until(second.caught_up)
        await write(6)  # the second has left: the first takes its partitions over
        await until(first.caught_up)
    assert sorted(await bench.effects()) == list(range(1, position + 1))
    for label in labels:
        of_one = await bench.effects(label)
        assert of_one == sorted(of_one)


async def test_two_members_that_both_think_they_hold_a_partition_use_a_record_once(bench: Bench) -> None:
    await bench.happened("a", 1, 1)
    first, second = bench.consumer(), bench.consumer()
    async with running(first.run()):
        await until(first.caught_up)
    messages = [decoded(m) for m in [await _only_message(bench)]]
    for member in (first, second):
        await member._effects.take(messages[0].partition, messages)
    assert await bench.effects() == [1]


async def _only_message(bench: Bench) -> Message:
    (found,) = await everything_on(bench.kafka, bench.topic)
    return message_of(found)


async def test_what_cannot_be_read_is_set_aside_and_its_neighbours_go_on(bench: Bench) -> None:
    await bench.happened("a", 1, 1)
    await bench.happened("b", 1, 2)
    await bench.send(record(bench.topic, "a", 2, 3, value=b"\xff\xfe no JSON"))
    await bench.happened("b", 2, 4)
    await bench.happened("a", 3, 5)
    consumer = bench.consumer()
    async with running(consumer.run()):
        await until(consumer.caught_up)
        await bench.happened("a", 4, 6)
        await bench.happened("b", 3, 7)
        await until(consumer.caught_up)
    assert await bench.effects("a") == [1]
    assert await bench.effects("b") == [2, 4, 7]
    assert await bench.letters() == [(3, "undecodable"), (5, "parked"), (6, "parked")]
    copies = await everything_on(bench.kafka, Topics.dead_letters(bench.topic))
    assert [dict(copy.headers)["redress_reason"] for copy in copies] == [b"undecodable", b"parked", b"parked"]
    assert copies[0].value == b"\xff\xfe no JSON"
    assert copies[0].key == stream("a").encode()


async def test_what_the_handler_refuses_undoes_its_own_effects_only(bench: Bench) -> None:
    bench.poisonous = {3}
    for position in range(1, 7):
        await bench.happened("a" if position % 2 else "b", (position + 1) // 2, position)
    consumer = bench.consumer()
    async with running(consumer.run()):
        await until(consumer.caught_up)
    assert await bench.effects("a") == [1]
    assert await bench.effects("b") == [2, 4, 6]
    assert await bench.letters() == [(3, "undecodable"), (5, "parked")]


async def test_a_parked_stream_goes_on_in_order_once_somebody_asks_for_it(bench: Bench, pool: asyncpg.Pool) -> None:
    bench.poisonous = {2}
    for version in (1, 2, 3):
        await bench.happened("a", version, version)
    consumer = bench.consumer()
    letters = DeadLetters(bench.schema)
    async with running(consumer.run()):
        await until(consumer.caught_up)
        await bench.happened("a", 4, 4)
        await until(consumer.caught_up)
        assert await bench.effects() == [1]
        await letters.ask(pool, key=stream("a"))

        async def tried_again() -> bool:
            return any(letter.attempts == 2 for letter in await letters.find(pool))

        await until(tried_again)
        assert await bench.effects() == [1]  # still poisonous: nothing behind it has overtaken it
        bench.poisonous = set()
        asked = await letters.ask(pool, key=stream("a"))
        assert [letter.message.position for letter in asked] == [2, 3, 4]

        async def unparked() -> bool:
            return not await bench.letters()

        await until(unparked)
        await bench.happened("a", 5, 5)
        await until(consumer.caught_up)
    assert await bench.effects() == [1, 2, 3, 4, 5]


async def test_a_record_of_no_stream_parks_nobody(bench: Bench) -> None:
    await bench.send(Record(topic=bench.topic, key=b"", value=b"", headers=[("ce_id", b"\x00\xff")]))
    await bench.happened("a", 1, 1)
    consumer = bench.consumer()
    async with running(consumer.run()):
        await until(consumer.caught_up)
    assert await bench.effects() == [1]
    assert await bench.letters() == [(None, "undecodable")]


async def test_a_stream_that_lacks_a_version_stops_its_partition_and_says_so(bench: Bench) -> None:
    await bench.happened("a", 1, 1)
    consumer = bench.consumer(check_versions=True)
    async with running(consumer.run()):
        await until(consumer.caught_up)
        await bench.happened("a", 3, 3)  # version 2 never came

        async def stopped() -> bool:
            return "stands" in (consumer.why_not_ready() or "")

        await until(stopped)
        await bench.happened("a", 4, 4)
    assert await bench.effects() == [1]


async def test_versions_are_watched_per_stream_however_many_share_a_partition(
    kafka: Kafka, pool: asyncpg.Pool, producer: AIOKafkaProducer
) -> None:
    bench = await Bench.lay(kafka, pool, producer, partitions=1)
    consumer = bench.consumer(check_versions=True)
    async with running(consumer.run()):
        for position, (label, version) in enumerate(
            [("a", 1), ("b", 1), ("a", 2), ("c", 1), ("b", 2), ("a", 3)], start=1
        ):
            await bench.happened(label, version, position)
        await until(consumer.caught_up)
        await bench.send(record(bench.topic, "b", 3, 7, value=b"?"))
        await bench.happened("b", 4, 8)  # parked, not a gap
        await bench.happened("a", 4, 9)
        await until(consumer.caught_up)
        assert consumer.why_not_ready() is None
    assert await bench.effects() == [1, 2, 3, 4, 5, 6, 9]


async def test_a_topic_that_was_emptied_and_filled_again_is_read_from_its_start_and_repeats_are_known(
    bench: Bench, kafka: Kafka
) -> None:
    for version in (1, 2, 3):
        await bench.happened("a", version, version)
    await bench.happened("a", 3, 3)  # so that the new topic is shorter
    before = bench.consumer()
    async with running(before.run()):
        await until(before.caught_up)
    await delete_topic(kafka, bench.topic)

    async def created_again() -> bool:  # the cluster forgets the old one in its own time
        await new_topic(kafka, bench.topic.removeprefix(kafka.topic_prefix), partitions=2)
        return await _partitions(kafka, bench.topic) == 2

    await until(created_again)
    for version in range(1, 8):  # longer than before, so that the old offset exists in it
        await bench.happened("a", version, version)
    after = bench.consumer()
    async with running(after.run()):
        await until(after.caught_up)

        async def all_there() -> bool:
            return await bench.effects() == [1, 2, 3, 4, 5, 6, 7]

        await until(all_there)


async def _partitions(kafka: Kafka, topic: str) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic])
        return len(described["partitions"])
    finally:
        await admin.close()


async def test_records_that_are_gone_before_anybody_used_them_stop_the_partition(
    kafka: Kafka, pool: asyncpg.Pool, producer: AIOKafkaProducer
) -> None:
    bench = await Bench.lay(kafka, pool, producer, partitions=1)
    for version in range(1, 6):
        await bench.happened("a", version, version)
    await forget(kafka, bench.topic, before=3)
    consumer = bench.consumer()
    async with running(consumer.run()):

        async def stopped() -> bool:
            return "offsets 0 to 2 are gone, unread" in (consumer.why_not_ready() or "")

        await until(stopped)
    assert await bench.effects() == []


async def test_records_that_are_gone_after_they_were_used_are_not_missed(
    kafka: Kafka, pool: asyncpg.Pool, producer: AIOKafkaProducer
) -> None:
    bench = await Bench.lay(kafka, pool, producer, partitions=1)
    for version in (1, 2, 3):
        await bench.happened("a", version, version)
    before = bench.consumer()
    async with running(before.run()):
        await until(before.caught_up)
    await forget(kafka, bench.topic, before=3)
    await bench.happened("a", 4, 4)
    after = bench.consumer()
    async with running(after.run()):
        await until(after.caught_up)
        assert after.why_not_ready() is None
    assert await bench.effects() == [1, 2, 3, 4]


async def forget(kafka: Kafka, topic: str, *, before: int) -> None:
    """Takes the records below an offset from the topic, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()


async def test_a_rebuilt_read_model_passes_over_what_it_took_from_the_store(bench: Bench, pool: asyncpg.Pool) -> None:
    for version in (1, 2, 3, 4):
        await bench.happened("a", version, version)
    await begin_after(pool, schema=bench.schema, topic=bench.topic, partitions=2, position=3)
    consumer = bench.consumer()
    async with running(consumer.run()):
        await until(consumer.caught_up)
    assert await bench.effects() == [4]


async def test_a_handler_may_speak_to_the_database_through_sqlalchemy(bench: Bench, database_url: str) -> None:
    engine = database.engine(database_url)
    fail = [True]

    async def handle(connection: AsyncConnection, messages: Sequence[Message]) -> None:
        for message in messages:
            await connection.execute(
                text(InSchema(bench.schema)("INSERT INTO {}.effect (key, position) VALUES (:key, :position)")),
                {"key": message.key, "position": message.position},
            )
        if fail:
            fail.clear()
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    consumer: Consumer[Message, AsyncConnection] = Consumer(
        name=bench.schema,
        topic=bench.topic,
        kafka=bench.kafka,
        schema=bench.schema,
        transactions=on_engine(engine),
        decode=decoded,
        handle=handle,
        producer=bench.producer,
    )
    await bench.happened("a", 1, 1)
    async with running(consumer.run()):
        await until(consumer.caught_up)
    await engine.dispose()
    assert await bench.effects() == [1]


async def test_a_consumer_waits_for_a_topic_that_nobody_has_created_yet(
    kafka: Kafka, pool: asyncpg.Pool, producer: AIOKafkaProducer
) -> None:
    bench = await Bench.over(kafka, pool, producer, f"{kafka.topic_prefix}later")
    consumer = bench.consumer()
    async with running(consumer.run()):

        async def waits() -> bool:
            return consumer.why_not_ready() == "waits: TopicMissing"

        await until(waits)
        await new_topic(kafka, "later", partitions=1)
        await bench.happened("a", 1, 1)
        await until(consumer.caught_up)
        assert consumer.why_not_ready() is None
    assert await bench.effects() == [1]


async def test_what_was_committed_is_told_after_the_commit(bench: Bench) -> None:
    told: list[int | None] = []

    def committed(messages: Sequence[Message]) -> None:
        told.extend(message.position for message in messages)

    await bench.happened("a", 1, 1)
    consumer = bench.consumer(committed=committed)
    async with running(consumer.run()):

        async def heard() -> bool:
            return told == await bench.effects() == [1]

        await until(heard)
