"""The broker, then the database, is stopped under a working relay and its consumers, and started again.

The servers are this module's own: nobody else's work stands still.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from complaints.adapters import database
from complaints.adapters.command_consumer import CommandConsumer
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.group_commit import Limits
from complaints.adapters.kafka import CommandSender, Topics, create_topics, open_producer
from complaints.adapters.records import CommandRecord
from complaints.adapters.settings import Kafka
from local_stack.kafka import LocalKafka
from local_stack.ports import free_ports
from local_stack.postgres import LocalPostgres
from tests.contracts.bus import Bench, running, until
from tests.contracts.test_kafka import fire
from tests.contracts.test_relay import Log, relay

BROKER_AWAY = 20.0
"""Seconds: longer than a member's session, so that the group falls apart and forms again."""
DATABASE_AWAY = 3.0


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[LocalPostgres, LocalKafka]]:
    ports = free_ports(2)
    postgres = LocalPostgres(tmp_path_factory.mktemp("postgres"), ports[0])
    broker = LocalKafka(tmp_path_factory.mktemp("kafka"), ports[1])
    try:
        await asyncio.gather(asyncio.to_thread(postgres.start), asyncio.to_thread(broker.start))
        await database.migrate(postgres.url)
        yield postgres, broker
    finally:
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(postgres.stop)


async def test_everything_goes_on_where_it_was_after_the_broker_and_then_the_database_were_away(
    servers: tuple[LocalPostgres, LocalKafka],
) -> None:
    postgres, broker = servers
    kafka = Kafka(bootstrap_servers=broker.bootstrap_servers, partitions=2)
    await create_topics(kafka)
    topics = Topics()
    pool: asyncpg.Pool = await database.pool(postgres.url, application="test_outages", max_size=20)
    decided: list[str] = []

    async def decide(record: CommandRecord) -> None:
        await pool.execute("SELECT 1")  # a decision needs the database
        decided.append(str(record.id))

    async with (
        open_producer(kafka, client="test") as producer,
        PostgresEventStore(pool, limits=Limits(patience=60.0)) as store,
    ):
        log, streams, commands = (
            Log(store),
            [uuid4() for _ in range(10)],
            CommandSender(producer, topics, source="test"),
        )
        bench = await Bench.over(kafka, pool, producer, topics.events)
        consumer = bench.consumer(check_versions=True)
        one = relay(pool, kafka)
        intake = CommandConsumer(name="intake", kafka=kafka, pool=pool, producer=producer, handle=decide)
        asked: list[str] = []

        async def happen() -> None:
            for stream in streams:
                await log.append(stream, 3)

        async def ask() -> None:
            for stream in streams:
                command = fire(str(stream), f"c{len(asked)}")
                asked.append(str(command.id))
                await commands.send("acme", command)

        async def all_done() -> bool:
            head = await store.head()
            return (
                await one.caught_up()
                and await consumer.caught_up()
                and await intake.caught_up()
                and len(await bench.effects()) == head
            )

        async with running(one.run(), one.watch(), consumer.run(), intake.run()):
            await happen()
            await ask()
            await until(all_done)

            await asyncio.to_thread(broker.stop)
            await happen()  # appending does not wait for Kafka
            asking = asyncio.create_task(ask())
            await asyncio.sleep(BROKER_AWAY)
            assert consumer.why_not_ready() is not None
            await happen()
            await asyncio.to_thread(broker.start)
            await asking
            await until(all_done)
            assert (one.why_not_ready(), consumer.why_not_ready(), intake.why_not_ready()) == (None, None, None)

            await asyncio.to_thread(postgres.stop)
            appending = asyncio.create_task(happen())
            await ask()  # Kafka takes them; they are decided later
            await asyncio.sleep(DATABASE_AWAY)
            await asyncio.to_thread(postgres.start)
            await appending
            await until(all_done)

        assert sorted(await bench.effects()) == list(range(1, await store.head() + 1))
        for stream in streams:
            versions = [event.version for event in await store.read(stream)]
            assert versions == list(range(1, len(versions) + 1))
            assert await bench.effects_of(stream) == [event.position for event in await store.read(stream)]
        assert set(decided) == set(asked)
    await pool.close()
