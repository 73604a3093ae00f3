"""What only a real server can do to the event store: lose answers and connections, stop, refuse, be tampered with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from complaints.adapters.append_batch import CALL, arguments, prepare
from complaints.adapters.database import asyncpg_url, metadata, migrate, pool, sqlalchemy_url
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.group_commit import Limits
from complaints.adapters.migrations.versions import es_0001, es_0002
from complaints.chain import verify_log
from complaints.errors import StoreBusy, StoreUnavailable, VersionConflict
from complaints.ports import Append, Appended, Claim, NewEvent
from local_stack.ports import free_port
from local_stack.postgres import LocalPostgres

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
APPEND_LOCK = "SELECT pg_advisory_lock(7301, 0)"
APPEND_UNLOCK = "SELECT pg_advisory_unlock(7301, 0)"


def append(**fields: Any) -> Append:
    given: dict[str, Any] = {
        "stream_id": uuid4(),
        "category": "complaint",
        "desk": "plain",
        "expected_version": 0,
        "command_id": uuid4(),
        "events": (NewEvent(type="test.received", occurred_at=NINE, data=b"{}", meta=b"{}"),),
    }
    return Append(**(given | fields))


@asynccontextmanager
async def store_at(
    url: str, *, limits: Limits | None = None, name: str = "redress"
) -> AsyncIterator[PostgresEventStore]:
    async with (
        await pool(url, max_size=4, application=name) as connections,
        PostgresEventStore(connections, limits=limits) as store,
    ):
        yield store


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresEventStore]:
    async with store_at(database_url) as opened:
        yield opened


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    opened = await asyncpg.connect(database_url)
    yield opened
    await opened.close()


class Line:
    """A TCP line to a server that can lose the server's next answer, and is cut with it."""

    def __init__(self, url: str) -> None:
        self._server = urlsplit(url)
        self._loses = False
        self.lost = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """The URL of this end of the line."""
        listener = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        credentials = self._server.netloc.rpartition("@")[0]
        async with listener:
            yield self._server._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl()

    def lose_the_next_answer(self) -> None:
        self._loses = True

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._server.hostname is not None
        there, back = await asyncio.open_connection(self._server.hostname, self._server.port)

        async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answers: bool) -> None:
            while data := await source.read(65536):
                if answers and self._loses:
                    self._loses = False
                    self.lost += 1
                    break
                target.write(data)
                await target.drain()
            writer.close()
            back.close()

        await asyncio.gather(
            carry(reader, back, answers=False), carry(there, writer, answers=True), return_exceptions=True
        )


async def until(connection: Any, query: str) -> Any:
    """The first value that the query gives."""
    while (value := await connection.fetchval(query)) is None:  # noqa: ASYNC110 - the other side is a server
        await asyncio.sleep(0.01)
    return value


async def test_when_the_acknowledgement_is_lost_after_the_commit_the_command_is_answered_with_its_original_place(
    database_url: str,
) -> None:
    line = Line(database_url)
    async with line.open() as url, store_at(url) as store:
        before = await store.append(append())
        line.lose_the_next_answer()
        one = append()
        place = await store.append(one)
        assert line.lost == 1
        assert place.duplicate  # it had been written when the answer was lost
        assert place.first_position == before.last_position + 1
        assert len(await store.read(one.stream_id)) == 1
        assert await store.head() == place.last_position


async def test_when_many_acknowledgements_are_lost_every_command_is_there_once(database_url: str) -> None:
    line = Line(database_url)
    async with line.open() as url, store_at(url) as store:
        start = (await store.append(append())).last_position
        wanted = [append() for _ in range(60)]

        async def send(number: int, one: Append) -> Appended:
            await asyncio.sleep(number % 7 / 100)
            if number % 20 == 10:
                line.lose_the_next_answer()
            return await store.append(one)

        places = await asyncio.gather(*(send(number, one) for number, one in enumerate(wanted)))
        assert line.lost >= 1
        log = await store.read_all(after=start)
        assert [event.position for event in log] == list(range(start + 1, start + 61))
        assert {event.command_id: event.position for event in log} == {
            one.command_id: place.last_position for one, place in zip(wanted, places, strict=True)
        }


async def test_a_backend_that_is_terminated_before_it_commits_has_written_nothing_and_the_append_is_done_once(
    database_url: str, connection: Any
) -> None:
    async with store_at(database_url, name="doomed") as store:
        start = (await store.append(append())).last_position
        await connection.execute(APPEND_LOCK)
        one = append()
        waiting = asyncio.create_task(store.append(one))
        doomed = "SELECT pid FROM pg_stat_activity WHERE application_name = 'doomed' AND wait_event = 'advisory'"
        first = await until(connection, doomed)
        assert await connection.fetchval("SELECT pg_terminate_backend($1)", first)
        assert await until(connection, f"{doomed} AND pid <> {first}")  # another backend waits in its place
        await connection.execute(APPEND_UNLOCK)
        place = await waiting
        assert (place.duplicate, place.first_position) == (False, start + 1)
        assert len(await store.read(one.stream_id)) == 1


async def test_a_database_that_is_stopped_and_started_is_waited_for(tmp_path: Path) -> None:
    server = LocalPostgres(tmp_path / "postgres", free_port())
    await asyncio.to_thread(server.start)
    try:
        await migrate(server.url)
        async with store_at(server.url, limits=Limits(patience=60)) as store, store.appended() as hints:
            await anext(hints)
            one = append()
            await store.append(one)
            await asyncio.to_thread(server.stop)
            wanted = [append() for _ in range(8)]
            appends = [asyncio.create_task(store.append(each)) for each in wanted]
            reading = asyncio.create_task(store.read(one.stream_id))
            await asyncio.sleep(0.3)
            assert not any(task.done() for task in [*appends, reading])
            await asyncio.to_thread(server.start)
            places = await asyncio.gather(*appends)
            assert sorted(place.first_position for place in places) == list(range(2, 10))
            assert len(await reading) == 1
            async with asyncio.timeout(30):
                while await anext(hints) < 9:
                    pass
            await asyncio.to_thread(server.kill)
            last = asyncio.create_task(store.append(append()))
            await asyncio.to_thread(server.start)
            assert (await last).last_position == 10
            assert verify_log(await store.read_all()).flaws == []
    finally:
        await asyncio.to_thread(server.stop)


async def test_without_a_database_a_request_ends_with_a_clear_error_that_may_be_retried(tmp_path: Path) -> None:
    server = LocalPostgres(tmp_path / "postgres", free_port())
    await asyncio.to_thread(server.start)
    try:
        await migrate(server.url)
        async with store_at(server.url, limits=Limits(patience=0.4)) as store:
            await asyncio.to_thread(server.stop)
            one = append()
            with pytest.raises(StoreUnavailable, match="same command may be sent again"):
                await store.append(one)
            with pytest.raises(StoreUnavailable):
                await store.read(one.stream_id)
            await asyncio.to_thread(server.start)
            async with asyncio.timeout(30):
                while True:
                    try:
                        place = await store.append(one)
                    except StoreUnavailable:
                        continue
                    break
            assert place.last_position == 1
    finally:
        await asyncio.to_thread(server.stop)
    with pytest.raises(StoreUnavailable):
        await pool(server.url, patience=0.2)


async def test_when_the_queue_stays_full_the_next_is_told_that_the_store_is_busy(
    database_url: str, connection: Any
) -> None:
    async with store_at(database_url, limits=Limits(queue=2, appends=1, busy_after=0.1)) as store:
        await store.append(append())
        await connection.execute(APPEND_LOCK)
        accepted = [asyncio.create_task(store.append(append())) for _ in range(3)]  # one under way, two in the queue
        await asyncio.sleep(0.05)
        with pytest.raises(StoreBusy):
            await store.append(append())
        await connection.execute(APPEND_UNLOCK)
        assert all(isinstance(place, Appended) for place in await asyncio.gather(*accepted))


async def test_an_append_that_the_server_refuses_does_not_harm_its_neighbours(
    store: PostgresEventStore, connection: Any
) -> None:
    await connection.execute("ALTER TABLE es.event ADD CONSTRAINT refused CHECK (type <> 'test.refused')")
    await connection.execute(APPEND_LOCK)  # so that all of them meet in one batch
    first = asyncio.create_task(store.append(append()))
    await asyncio.sleep(0.05)
    wanted = [append() for _ in range(20)]
    for number in (7, 13):
        wanted[number] = append(events=(NewEvent(type="test.refused", occurred_at=NINE, data=b"", meta=b""),))
    tasks = [asyncio.create_task(store.append(one)) for one in wanted]
    await asyncio.sleep(0.05)
    await connection.execute(APPEND_UNLOCK)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    for number, answer in enumerate(answers):
        assert isinstance(answer, asyncpg.CheckViolationError if number in (7, 13) else Appended)
    start = (await first).last_position
    log = await store.read_all(after=start)
    assert [event.position for event in log] == list(range(start + 1, start + 19))


async def test_two_processes_that_append_leave_no_gap_and_share_one_truth(database_url: str) -> None:
    async with store_at(database_url) as one, store_at(database_url) as two:
        start = await one.head()
        shared = append()
        answers = await asyncio.gather(
            one.append(shared),
            two.append(shared),
            *(store.append(append()) for store in (one, two) * 40),
        )
        assert {answer.duplicate for answer in answers[:2]} == {True, False}
        log = await two.read_all(after=start)
        assert [event.position for event in log] == list(range(start + 1, start + 82))
        with pytest.raises(VersionConflict):
            await two.append(append(stream_id=shared.stream_id))


async def test_what_is_recorded_cannot_be_rewritten_deleted_or_truncated(
    store: PostgresEventStore, connection: Any
) -> None:
    await store.append(append())
    await connection.execute("INSERT INTO es.checkpoint VALUES (0, 1, $1, ''::bytea, now(), '')", bytes(32))
    for table, column in (("event", "desk"), ("command", "version"), ("checkpoint", "note")):
        for rewrite in ("UPDATE es.{0} SET {1} = {1}", "DELETE FROM es.{0}", "TRUNCATE es.{0}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await connection.execute(rewrite.format(table, column))


async def test_an_append_under_a_snapshot_older_than_the_lock_is_refused(connection: Any) -> None:
    with pytest.raises(asyncpg.PostgresError, match="read committed"):
        async with connection.transaction(isolation="repeatable_read"):
            await connection.execute(CALL, *arguments([prepare(append())]))


async def test_the_time_of_record_never_goes_backwards_even_when_the_clock_does(
    store: PostgresEventStore, connection: Any
) -> None:
    head = await store.head()
    ahead = datetime(2999, 1, 1, tzinfo=UTC)  # as if the clock had been ahead and was then put right
    await connection.execute(
        "INSERT INTO es.event VALUES ($1, $2, $2, $3, $3, 1, 0, 1, 'complaint', 'd', 't', $4, $4, '', '')",
        head + 1,
        ahead,
        uuid4(),
        bytes(32),
    )
    one = append()
    place = await store.append(one)
    assert place.first_position == head + 2
    assert (await store.read(one.stream_id))[0].recorded_at == ahead


async def test_appends_and_reads_only_probe_indexes_also_under_plans_made_while_the_tables_were_empty(
    database_url: str, connection: Any
) -> None:
    async with store_at(database_url) as store:
        scans = "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE schemaname = 'es'"
        before = await _settled(connection, scans)
        number = Claim(scope="number", key=uuid4().bytes)
        for _ in range(8):  # the plans of a session are cached long before this
            await store.append(append())
            one = append(claims=(number,))
            place = await store.append(one)
            await store.append(
                append(
                    stream_id=one.stream_id,
                    expected_version=place.version,
                    previous_hash=place.hash,
                    releases=(number,),
                )
            )
            await asyncio.gather(*(store.append(append(claims=(number,))) for _ in range(4)), return_exceptions=True)
            number = Claim(scope="number", key=uuid4().bytes)
    assert await _settled(connection, scans) == before


async def test_desks_and_duties_are_found_without_reading_the_complaints(
    store: PostgresEventStore, connection: Any
) -> None:
    await store.append(append())
    async with connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            "EXPLAIN SELECT * FROM es.event WHERE shard = 0 AND pos > 0 AND category = 'desk' ORDER BY pos LIMIT 9"
        )
    assert "event_configuration" in "\n".join(row[0] for row in plan)


async def test_migrations_run_once_whoever_comes_first(empty_database_url: str) -> None:
    await asyncio.gather(*(migrate(empty_database_url) for _ in range(3)))
    await migrate(sqlalchemy_url(empty_database_url))
    async with store_at(empty_database_url) as store:
        assert (await store.append(append())).first_position == 1


async def test_a_database_of_before_is_upgraded_with_what_it_holds(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    one = append()
    async with store_at(empty_database_url) as store:
        first = await store.append(one)
        before = await store.read_all()
    await rolled_back_to_es_0001(empty_database_url)

    await migrate(empty_database_url)

    async with store_at(empty_database_url) as store:
        assert (await store.append(one)).duplicate
        next_one = append(
            stream_id=one.stream_id, expected_version=first.version, previous_hash=first.hash, command_id=uuid4()
        )
        assert (await store.append(next_one)).first_position == first.last_position + 1
        log = await store.read_all()
        assert log[: len(before)] == before
        assert verify_log(log).holds


async def rolled_back_to_es_0001(url: str) -> None:
    """The function of es_0001 in place of the present one, and the mark of it."""
    script = Path(es_0001.__file__).with_suffix(".sql").read_text(encoding="utf-8")
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("DROP FUNCTION es.append; DROP TYPE es.new_append; DROP TYPE es.new_event;")
        await connection.execute(script[script.index("CREATE FUNCTION es.append") :])
        assert await connection.execute("DELETE FROM redress_revision WHERE version_num = 'es_0002'") == "DELETE 1"
    finally:
        await connection.close()


def test_no_program_drops_the_record() -> None:
    with pytest.raises(RuntimeError, match="not dropped"):
        es_0001.downgrade()
    with pytest.raises(RuntimeError, match="not put back"):
        es_0002.downgrade()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
def test_a_url_is_understood_in_every_form(scheme: str) -> None:
    url = f"{scheme}://user:p%40ss@host:5432/name?ssl=require&application_name=a"
    rest = "user:p%40ss@host:5432/name?sslmode=require&application_name=a"
    assert asyncpg_url(url) == f"postgresql://{rest}"
    assert sqlalchemy_url(url) == f"postgresql+asyncpg://{rest}"
    assert asyncpg_url(f"{scheme}:///name?host=/run") == "postgresql:///name?host=%2Frun"
    with pytest.raises(ValueError, match="not the URL"):
        asyncpg_url("mysql://host/name")


def test_a_services_tables_are_in_its_schema() -> None:
    assert metadata("routing").schema == "routing"


async def _settled(connection: Any, query: str) -> int:
    """A figure of the statistics when it no longer changes: backends report theirs when they end or fall idle."""
    figure = -1
    while True:
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        now = int(await connection.fetchval(query))
        if now == figure:
            return now
        figure = now
        await asyncio.sleep(0.5)
