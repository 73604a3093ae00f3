"""The live board: every listener gets every escalation once and in order, however slow it or another is."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from complaints.adapters import database
from complaints.adapters.event_store import PostgresEventStore
from complaints.codec import Envelope, encode
from complaints.commands import Sender
from complaints.events import ComplaintEscalated, FactsAsked
from complaints.ports import Append
from ledger.board import Board
from tests import servers
from tests.contracts.bus import running, until

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
BY = Sender(person="an", role="agent")


@pytest.fixture
def log_url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    name = f"redress_board_{secrets.token_hex(4)}"
    yield servers.create_database(postgres_url, name, template=migrated_template)
    servers.drop_database(postgres_url, name)


@pytest.fixture
async def store(log_url: str) -> AsyncIterator[PostgresEventStore]:
    pool = await database.pool(log_url, application="test_board", max_size=8)
    async with PostgresEventStore(pool) as store:
        store.pool = pool  # type: ignore[attr-defined]  # for the board of a test
        yield store
    await pool.close()


def board_of(store: PostgresEventStore, *, recent: int = 3) -> Board:
    pool: asyncpg.Pool = store.pool  # type: ignore[attr-defined]
    return Board(pool, store, public_url="http://ledger", recent=recent)


async def happens(store: PostgresEventStore, *, desk: str = "acme", needs_a_person: bool = True) -> int:
    """Something happens in a case of its own; its position."""
    stream: UUID = uuid4()
    command = uuid4()
    meta = Envelope(desk=desk, complaint=str(stream), at=AT, by=BY, command_id=command)
    raised = ComplaintEscalated(
        at=AT, step="raise", verb="pass", outcome="passed", over=True, person="an", as_="holder", to="head"
    )
    event = raised if needs_a_person else FactsAsked(at=AT, facts=["a"])
    done = await store.append(
        Append(
            stream_id=stream,
            category="complaint",
            desk=desk,
            expected_version=0,
            command_id=command,
            fingerprint=msgspec.json.encode(stream),
            events=(encode(event, meta),),
        )
    )
    return done.last_position


async def heard(board: Board, after: int, count: int, *, desk: str | None = "acme") -> list[int]:
    """The positions of the first escalations after one."""
    found: list[int] = []
    async with aclosing(board.listen(desk, after, pause=0.05)) as pages:  # type: ignore[type-var]  # a generator
        async for page in pages:
            found += [one.position for one in page]
            if len(found) >= count:
                break
    return found


async def test_a_listener_begins_anywhere_in_the_log_and_sees_its_own_desk_only(store: PostgresEventStore) -> None:
    positions = [await happens(store) for _ in range(4)]
    await happens(store, needs_a_person=False)
    await happens(store, desk="other")
    board = board_of(store)
    await board.start()
    async with running(board.run()):
        positions += [await happens(store) for _ in range(6)]  # more than is kept in memory
        await until(board.caught_up)
        for number, after in enumerate([0, *positions[:-1]]):
            assert await heard(board, after, len(positions) - number) == positions[number:]
        assert len(await heard(board, 0, 11, desk=None)) == 11


async def test_a_slow_listener_keeps_nobody_waiting_and_misses_nothing(store: PostgresEventStore) -> None:
    board = board_of(store)
    await board.start()
    async with running(board.run()):
        slow = board.listen("acme", 0, pause=0.05)
        first = await happens(store)
        assert [one.position for one in await anext(slow)] in ([first], [])
        positions = [await happens(store) for _ in range(10)]
        assert await heard(board, first, 10) == positions  # while the slow one takes nothing
        late: list[int] = []
        while len(late) < 10:
            late += [one.position for one in await anext(slow) if one.position > first]
        assert late == positions


async def test_a_quiet_board_gives_signs_of_life_and_lets_go_when_it_closes(store: PostgresEventStore) -> None:
    board = board_of(store)
    await board.start()
    async with running(board.run()):
        listener = board.listen("acme", board.upto, pause=0.01)
        assert await anext(listener) == []
        waiting = asyncio.ensure_future(anext(board.listen("acme", board.upto, pause=60), None))
        await asyncio.sleep(0)
        board.close()
        assert await waiting is None
        assert await anext(listener, None) is None
