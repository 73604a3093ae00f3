"""Checkpoints on a real server: when they are issued, what they cover, and what they give away."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from complaints.adapters.checkpoints import (
    Checkpointer,
    Issued,
    RecordDamaged,
    read_notes,
    stored_checkpoints,
)
from complaints.adapters.database import pool
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.signed_notes import Signer
from complaints.chain import leaf_of, verify_log
from complaints.merkle import MerkleTree, verify_consistency
from complaints.ports import Append, NewEvent
from tests import servers

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
SIGNER = Signer.generate("redress.example/log")
SOON = timedelta(seconds=1)


@pytest.fixture
def url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """A migrated, empty database for one test."""
    name = f"redress_test_{secrets.token_hex(4)}"
    try:
        yield servers.create_database(postgres_url, name, template=migrated_template)
    finally:
        servers.drop_database(postgres_url, name)


@pytest.fixture
async def connections(url: str) -> AsyncIterator[Any]:
    async with await pool(url, max_size=6) as opened:
        yield opened


@pytest.fixture
async def store(connections: Any) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(connections) as opened:
        yield opened


async def fill(store: PostgresEventStore, events: int) -> None:
    while events:
        some = min(events, 100)
        await store.append(
            Append(
                stream_id=uuid4(),
                category="complaint",
                desk="plain",
                expected_version=0,
                command_id=uuid4(),
                events=(NewEvent(type="test.noted", occurred_at=NINE, data=b"{}", meta=b"{}"),) * some,
            )
        )
        events -= some


def checkpointer(connections: Any, *, later: timedelta = timedelta(0), **options: Any) -> Checkpointer:
    """One whose clock is ahead by ``later``."""
    return Checkpointer(connections, SIGNER, now=lambda: datetime.now(UTC) + later, **options)


async def tamper(connections: Any, statement: str) -> None:
    """As somebody would who owns the database."""
    async with connections.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(statement)


async def test_nothing_is_issued_for_an_empty_log_nor_before_anything_is_due(
    store: PostgresEventStore, connections: Any
) -> None:
    assert await checkpointer(connections, later=timedelta(days=1)).issue_due() == []
    await fill(store, 99)
    assert await checkpointer(connections, every=100).issue_due() == []


async def test_one_is_issued_at_every_multiple_that_the_log_has_passed(
    store: PostgresEventStore, connections: Any
) -> None:
    await fill(store, 250)
    issued = await checkpointer(connections, every=100).issue_due()
    assert [one.size for one in issued] == [100, 200]
    assert await checkpointer(connections, every=100).issue_due() == []


async def test_what_has_waited_long_enough_is_covered_and_the_multiples_stay_where_they_are(
    store: PostgresEventStore, connections: Any
) -> None:
    await fill(store, 130)
    minute = timedelta(seconds=60)
    issued = await checkpointer(connections, every=100, longest=minute, later=minute + SOON).issue_due()
    assert [one.size for one in issued] == [100, 130]
    await fill(store, 75)
    issued = await checkpointer(connections, every=100, longest=minute).issue_due()
    assert [one.size for one in issued] == [200]


async def test_a_checkpoint_is_signed_over_the_root_of_the_positions_and_stored_as_it_was_told(
    store: PostgresEventStore, connections: Any
) -> None:
    await fill(store, 37)
    told: list[Issued] = []

    async def note(one: Issued) -> None:
        told.append(one)

    one = checkpointer(connections, every=10, issued=note)
    await one.issue_due()
    await fill(store, 20)
    await one.issue_due()
    assert list(await stored_checkpoints(connections)) == told
    assert [each.size for each in told] == [10, 20, 30, 40, 50]
    assert [each.size for each in await stored_checkpoints(connections, after=20, limit=2)] == [30, 40]
    tree = MerkleTree(leaf_of(event) for event in await store.read_all())
    assert [each.root for each in told] == [tree.root(each.size) for each in told]
    checkpoints, flaws = read_notes([each.note for each in told], [SIGNER.verifier])
    assert flaws == []
    verdict = verify_log(await store.read_all(), checkpoints)
    assert (verdict.holds, verdict.checkpoints) == (True, 5)
    assert verify_consistency(20, 50, told[1].root, told[4].root, tree.consistency(20, 50))


async def test_several_issuers_issue_each_checkpoint_once(store: PostgresEventStore, connections: Any) -> None:
    await fill(store, 95)
    rounds = await asyncio.gather(*(checkpointer(connections, every=10).issue_due() for _ in range(4)))
    await checkpointer(connections, every=10).issue_due()
    sizes = [one.size for one in await stored_checkpoints(connections)]
    assert sizes == list(range(10, 100, 10))
    assert sum(len(issued) for issued in rounds) <= 9


async def test_a_running_issuer_follows_the_log_until_it_is_cancelled(
    store: PostgresEventStore, connections: Any
) -> None:
    issued: asyncio.Queue[Issued] = asyncio.Queue()
    task = asyncio.create_task(checkpointer(connections, every=10, issued=issued.put).run(pause=0.01))
    for size in (10, 20):
        await fill(store, 10)
        assert (await asyncio.wait_for(issued.get(), 30)).size == size
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE es.checkpoint SET root = sha256('x') WHERE size = 20", "not what was signed"),
        ("UPDATE es.checkpoint SET frontier = sha256('x') || sha256('y') WHERE size = 20", "not what was signed"),
        ("UPDATE es.checkpoint SET frontier = 'x' WHERE size = 20", "cannot be read"),
        ("UPDATE es.checkpoint SET note = 'x' WHERE size = 20", "cannot be read"),
        ("UPDATE es.checkpoint c SET note = e.note FROM es.checkpoint e WHERE e.size = 10", "not what was signed"),
        ("DELETE FROM es.event WHERE pos = 25", "position 25 is missing"),
    ],
)
async def test_nothing_more_is_signed_over_a_record_that_contradicts_itself(
    store: PostgresEventStore, connections: Any, statement: str, why: str
) -> None:
    await fill(store, 20)
    await checkpointer(connections, every=10).issue_due()
    await fill(store, 20)
    await tamper(connections, statement)
    with pytest.raises(RecordDamaged, match=why):
        await checkpointer(connections, every=10).run()
    assert [one.size for one in await stored_checkpoints(connections)] == [10, 20]


async def test_whoever_cuts_off_the_end_of_the_log_is_found_out_by_the_checkpoints(
    store: PostgresEventStore, connections: Any
) -> None:
    await fill(store, 30)
    issued = await checkpointer(connections, every=10).issue_due()
    await tamper(connections, "DELETE FROM es.event WHERE pos > 25")
    checkpoints, _ = read_notes([one.note for one in issued], [SIGNER.verifier])
    assert [flaw.code for flaw in verify_log(await store.read_all()).flaws] == []
    assert [(flaw.position, flaw.code) for flaw in verify_log(await store.read_all(), checkpoints).flaws] == [
        (30, "cut-off")
    ]


def test_a_note_of_another_key_or_for_another_log_is_not_taken_for_ours() -> None:
    stranger = Signer.generate(SIGNER.name)
    text = "redress.example/log\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    notes = [
        SIGNER.sign(text),
        stranger.sign(text),
        SIGNER.sign(text.replace("example/log", "example/other")),
        SIGNER.sign("no checkpoint\n"),
        "no note",
    ]
    checkpoints, flaws = read_notes(notes, [SIGNER.verifier])
    assert [checkpoint.size for checkpoint in checkpoints] == [1]
    assert [(flaw.position, flaw.code) for flaw in flaws] == [
        (1, "unsigned"),
        (1, "unsigned"),
        (0, "unsigned"),
        (0, "unsigned"),
    ]
