"""One call of ``es.append`` does what its appends do one by one in the store in memory, whatever they are."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from complaints.adapters.append_batch import CALL, answers, arguments, prepare, waves
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.memory_store import MemoryEventStore
from complaints.chain import verify_log
from complaints.errors import RedressError, Taken, VersionConflict
from complaints.ports import GENESIS, Append, Appended, Claim, EventStore, Guard, NewEvent
from tests import servers

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
STREAMS = [UUID(int=number) for number in range(1, 7)]
COMMANDS = [UUID(int=number) for number in range(101, 141)]
CLAIMS = [Claim(scope=scope, key=key) for scope in ("number", "slip") for key in (b"1", b"2")]


@pytest.fixture
def url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """A migrated, empty database for one test."""
    name = f"redress_test_{secrets.token_hex(4)}"
    try:
        yield servers.create_database(postgres_url, name, template=migrated_template)
    finally:
        servers.drop_database(postgres_url, name)


def some(chance: random.Random, pool: list[Any], most: int) -> list[Any]:
    return chance.sample(pool, chance.choice((0, 0, *range(1, most + 1))))


async def plausible(chance: random.Random, store: EventStore) -> Append:
    """An append as somebody might send it who knows more or less how the store stands."""
    stream_id = chance.choice(STREAMS)
    seen = await store.read(stream_id)
    lag = chance.choice((0, 0, 0, 0, 0, 1))
    last = seen[-1 - lag] if len(seen) > lag else None
    claims = some(chance, CLAIMS, 2)
    releases = [claim for claim in some(chance, CLAIMS, 2) if claim not in claims]
    guards = []
    for other in some(chance, [each for each in STREAMS if each != stream_id], 2):
        version = len(await store.read(other))
        guards.append(Guard(stream_id=other, version=max(0, version - chance.choice((0, 0, 0, 1)))))
    return Append(
        stream_id=stream_id,
        category="complaint",
        desk=chance.choice(("bank", "plain")),
        expected_version=last.version if last else 0,
        previous_hash=last.hash if last else GENESIS,
        command_id=chance.choice(COMMANDS),
        fingerprint=chance.choice((b"", b"", b"", b"", b"", b"other")),
        events=tuple(
            NewEvent(
                type=f"test.{number}",
                occurred_at=NINE + stream_id.int % 2 * number * timedelta(microseconds=1),
                data=chance.randbytes(4),
                meta=b"{}",
            )
            for number in range(chance.randint(1, 3))
        ),
        claims=tuple(claims),
        releases=tuple(releases),
        guards=tuple(guards),
    )


async def one_by_one(store: EventStore, append: Append) -> Appended | RedressError:
    try:
        return await store.append(append)
    except RedressError as error:
        return error


def told(answer: Appended | RedressError) -> tuple[Any, ...]:
    """An answer as something that compares: its kind first."""
    match answer:
        case Appended():
            return ("repeated" if answer.duplicate else "appended", answer)
        case VersionConflict():
            return ("conflict", answer.stream_id, answer.expected, answer.actual)
        case Taken():
            return ("taken", answer.scope, answer.holder)
        case _:
            return (answer.code, *answer.args)


@pytest.mark.parametrize("seed", range(12))
async def test_a_batch_does_what_its_appends_do_one_by_one(url: str, seed: int) -> None:
    chance, memory = random.Random(seed), MemoryEventStore()
    connection = await asyncpg.connect(url)
    outcomes: set[str] = set()
    try:
        for _ in range(40):
            batch = [await plausible(chance, memory) for _ in range(chance.choice((1, 1, 2, 5)))]
            order = waves(batch)
            prepared = [prepare(append) for append in batch]
            got = answers(prepared, await connection.fetch(CALL, *arguments(prepared)))
            for index in sorted(range(len(batch)), key=lambda index: (order[index], index)):
                expected = told(await one_by_one(memory, batch[index]))
                assert told(got[index]) == expected
                outcomes.add(expected[0])
        async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
            log = await PostgresEventStore(pool).read_all()
    finally:
        await connection.close()
    same = [msgspec.structs.replace(event, recorded_at=NINE) for event in log]
    assert same == [msgspec.structs.replace(event, recorded_at=NINE) for event in await memory.read_all()]
    assert verify_log(log).flaws == []
    assert outcomes == {"appended", "conflict", "taken", "idempotency-key-reused", "repeated"}  # some of each
