"""Whatever fails in the middle of work: nothing that was acknowledged is lost, and nothing happens twice."""

from __future__ import annotations

import asyncio
import json
from typing import Final
from uuid import UUID

import httpx

from complaints.adapters.kafka import Topics, open_producer
from complaints.identity import command_id
from local_stack.ports import LOOPBACK
from tests.contracts.bus import everything_on, until
from tests.failures.checks import check
from tests.failures.conftest import Town
from tests.failures.load import CUSTOMER, DESK, under_load
from tests.failures.processes import MODULES, System

BROKER_AWAY: Final = 20.0
"""Seconds: longer than a member's session, so that groups fall apart and form again."""
DATABASE_AWAY: Final = 5.0


async def test_every_process_may_be_killed_in_the_middle_of_work(town: Town) -> None:
    system = town.system
    async with under_load(system, town.key, "killed") as load:
        for name in sorted(MODULES, key=lambda name: name != "notifier"):  # what it had in hand waits the longest
            await system.kill(name)
            if name != "intake":
                await load.reached(3)  # the others go on
            await system.start(name)
            await load.reached(3)
    await check(system, load, mails_again=True)


async def test_the_broker_may_be_away(town: Town) -> None:
    system = town.system
    async with under_load(system, town.key, "no-broker") as load:
        await asyncio.to_thread(system.broker.stop)
        await load.reached(10)  # whoever complains does not wait for Kafka
        await asyncio.sleep(BROKER_AWAY)
        await load.reached(5)
        await asyncio.to_thread(system.broker.start)
    await check(system, load)


async def test_the_database_may_be_away(town: Town) -> None:
    system = town.system
    async with under_load(system, town.key, "no-database") as load:
        await asyncio.to_thread(system.postgres.stop)
        acknowledged = len(load.acknowledged)
        await asyncio.sleep(DATABASE_AWAY)
        assert len(load.acknowledged) <= acknowledged + 1  # one answer may have been on its way
        await asyncio.to_thread(system.postgres.start)
    await check(system, load)


async def test_an_acknowledgement_that_is_lost_after_the_commit_is_given_again(town: Town) -> None:
    system, once = town.system, "lost-acknowledgement"
    data = {"channel": "web", "contact": {"email": CUSTOMER}, "facts": {"content": "heard twice"}}
    body = {"by": {"person": "ann", "role": "agent"}, "data": data}
    request = _request(town, once, json.dumps(body).encode())
    reader, writer = await asyncio.open_connection(LOOPBACK, system.ports["intake"])
    writer.write(request)
    await writer.drain()
    known = command_id(DESK, "load", once)
    await until(lambda: _is_committed(system, known))
    writer.transport.abort()  # nobody has read the answer
    del reader
    headers = {"Authorization": f"Bearer {town.key}", "Idempotency-Key": once}
    async with httpx.AsyncClient(base_url=system.url, headers=headers, trust_env=False) as http:
        answers = [await http.post(f"/v1/desks/{DESK}/complaints", json=body) for _ in range(2)]
        history = await http.get(f"/v1/complaints/{answers[0].json()['id']}/events?limit=1000")
    place = await system.pool.fetchrow(
        "SELECT version, first_pos, last_pos FROM es.command WHERE command_id = $1", known
    )
    for answer in answers:
        said = answer.json()
        assert answer.headers["Idempotent-Replayed"] == "true"
        assert (said["version"], said["first_position"], said["last_position"]) == tuple(place)
    names = [event["event"] for event in history.json()["events"]]
    assert names.count("complaint.received") == 1


async def test_records_may_come_twice_and_late(town: Town) -> None:
    system = town.system
    topics = Topics(system.kafka.topic_prefix)
    async with under_load(system, town.key, "doubled") as load:
        await load.reached(10)
        for topic in (topics.events, topics.commands):
            await _say_again(system, topic)
        await load.reached(10)
        for topic in (topics.commands, topics.events):
            await _say_again(system, topic)
    await check(system, load)


async def _say_again(system: System, topic: str) -> None:
    """Everything that was ever on a topic comes again, after all that is there now."""
    records = await everything_on(system.kafka, topic)
    async with open_producer(system.kafka, client="echo") as producer:
        for record in records:
            await producer.send(
                topic, record.value, key=record.key, partition=record.partition, headers=list(record.headers)
            )
        await producer.flush()


async def _is_committed(system: System, command: UUID) -> bool:
    return bool(await system.pool.fetchval("SELECT EXISTS (SELECT FROM es.command WHERE command_id = $1)", command))


def _request(town: Town, once: str, body: bytes) -> bytes:
    head = (
        f"POST /v1/desks/{DESK}/complaints HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {town.key}\r\n"
        f"Idempotency-Key: {once}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
