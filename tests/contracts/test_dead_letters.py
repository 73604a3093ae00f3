"""`redress dead-letters` beside a running consumer: what a person sees, and what happens when they ask."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from complaints.adapters import database
from complaints.adapters.kafka import open_producer
from complaints.adapters.settings import Kafka
from tests.contracts.bus import Bench, record, running, stream, until


@pytest.fixture
async def bench(kafka_bootstrap_servers: str, topic_prefix: str, database_url: str) -> AsyncIterator[Bench]:
    kafka = Kafka(bootstrap_servers=kafka_bootstrap_servers, topic_prefix=topic_prefix)
    pool: asyncpg.Pool = await database.pool(database_url, application="test_dead_letters")
    async with open_producer(kafka, client="test_dead_letters") as producer:
        bench = await Bench.lay(kafka, pool, producer, partitions=1)
        yield bench
        await pool.execute(bench.sql("DROP SCHEMA {} CASCADE"))
    await pool.close()


async def redress(database_url: str, *arguments: str, exits: int = 0) -> str:
    """What the command prints."""
    command = [sys.executable, "-m", "redress", "dead-letters", *arguments, "--database", database_url]
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await child.communicate()
    assert child.returncode == exits, output.decode()
    return output.decode()


async def rows(database_url: str, *arguments: str) -> list[dict[str, Any]]:
    """The same with --json, read."""
    return [json.loads(line) for line in (await redress(database_url, *arguments, "--json")).splitlines()]


async def test_a_letter_that_can_never_be_handled_is_discarded_and_its_stream_goes_on(
    bench: Bench, database_url: str
) -> None:
    await bench.happened("a", 1, 1)
    await bench.send(record(bench.topic, "a", 2, 2, value=b"\xff"))
    await bench.happened("a", 3, 3)
    consumer = bench.consumer()
    async with running(consumer.run()):
        await until(consumer.caught_up)
        first, behind = await rows(database_url, "list", "--service", bench.schema)
        assert "must say why" in await redress(database_url, "discard", first["letter"], "--because", " ", exits=1)
        gone = await rows(database_url, "discard", first["letter"], "--because", "written by hand, never an event")
        assert [(row["letter"], row["discarded"]) for row in gone] == [
            (first["letter"], "written by hand, never an event"),
            (behind["letter"], None),
        ]

        async def handled() -> bool:
            return await bench.effects("a") == [1, 3]

        await until(handled)
    assert await bench.letters() == []
    again = await redress(database_url, "discard", first["letter"], "--because", "twice", exits=1)
    assert "no letter called" in again


async def test_a_person_lists_looks_and_has_a_stream_handled_again(bench: Bench, database_url: str) -> None:
    bench.poisonous = {2}
    for version in (1, 2, 3):
        await bench.happened("a", version, version)
    await bench.send(record(bench.topic, "b", 1, 4, value=b"\xff"))
    consumer = bench.consumer()
    async with running(consumer.run()):
        await until(consumer.caught_up)
        listed = await rows(database_url, "list", "--service", bench.schema)
        assert [(row["position"], row["reason"], row["complaint"]) for row in listed] == [
            (2, "undecodable", stream("a")),
            (3, "parked", stream("a")),
            (4, "undecodable", stream("b")),
        ]
        assert await rows(database_url, "list", "--service", "somebody-else") == []
        (shown,) = await rows(database_url, "show", listed[0]["letter"])
        assert shown["value"] == {"position": 2}
        assert shown["headers"]["ce_type"] == "thing.happened"
        assert shown["detail"] == "position 2 means nothing to us"
        assert "3 letters" in await redress(database_url, "list", "--service", bench.schema)

        bench.poisonous = set()
        asked = await rows(database_url, "reinject", "--service", bench.schema, "--complaint", stream("a"))
        assert [row["position"] for row in asked] == [2, 3]

        async def handled() -> bool:
            return await bench.effects("a") == [1, 2, 3]

        await until(handled)
    assert await bench.letters() == [(4, "undecodable")]
    (settled,) = await rows(database_url, "show", listed[0]["letter"])
    assert settled["settled_at"] is not None


async def test_a_letter_that_is_none_is_said_to_be_none(bench: Bench, database_url: str) -> None:
    assert "no-such-letter" in await redress(database_url, "show", f"{bench.schema}/999", exits=1)
    assert "a letter is called like" in await redress(database_url, "show", "seventeen", exits=1)
