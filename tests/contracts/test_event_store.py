"""What every event store promises: run against the one in memory and against PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from complaints.adapters.database import pool
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.memory_store import MemoryEventStore
from complaints.chain import hash_of, hashes, verify_log, verify_stream
from complaints.errors import CommandReused, Taken, VersionConflict
from complaints.ports import GENESIS, Append, Appended, Category, Claim, EventStore, Guard, NewEvent, StoredEvent

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[EventStore]:
    if request.param == "memory":
        yield MemoryEventStore()
        return
    async with (
        await pool(request.getfixturevalue("database_url"), max_size=4) as connections,
        PostgresEventStore(connections) as postgres,
    ):
        yield postgres


def events(*names: str) -> tuple[NewEvent, ...]:
    return tuple(
        NewEvent(type=f"test.{name}", occurred_at=NINE, data=b'{"name":"%b"}' % name.encode(), meta=b"{}")
        for name in names
    )


def append(*names: str, after: Appended | None = None, **fields: Any) -> Append:
    """An append of events with these names; to a new stream, or ``to`` the one that stands at ``after``."""
    given: dict[str, Any] = {
        "stream_id": fields.pop("to", None) or uuid4(),
        "category": "complaint",
        "desk": "plain",
        "expected_version": after.version if after else 0,
        "previous_hash": after.hash if after else GENESIS,
        "command_id": uuid4(),
        "events": events(*(names or ("received",))),
    }
    return Append(**(given | fields))


async def test_the_streams_of_a_desk_are_told_page_by_page_in_order(store: EventStore) -> None:
    mine = sorted(uuid4() for _ in range(5))
    for stream in reversed(mine):
        await store.append(append(to=stream))
    await store.append(append(desk="other"))
    await store.append(append(category="duties"))
    first = await store.streams("plain", "complaint", limit=3)
    assert [*first, *await store.streams("plain", "complaint", after=first[-1])] == mine
    assert await store.streams("nowhere", "complaint") == []


async def log_of(store: EventStore, after: int = 0) -> list[StoredEvent]:
    """Every event after a position, page by page."""
    log: list[StoredEvent] = []
    while page := await store.read_all(after=log[-1].position if log else after, limit=100):
        log += page
    return log


async def test_what_is_appended_is_read_back_as_it_was_given(store: EventStore) -> None:
    before = await store.head()
    one = append("received", "graded", desk="bank", category="duties")
    place = await store.append(one)
    stored = await store.read(one.stream_id)
    assert place == Appended(
        version=2, first_position=before + 1, last_position=before + 2, hash=stored[-1].hash, duplicate=False
    )
    assert [
        NewEvent(
            type=event.type,
            schema_version=event.schema_version,
            occurred_at=event.occurred_at,
            data=event.data,
            meta=event.meta,
        )
        for event in stored
    ] == list(one.events)
    assert {(e.stream_id, e.category, e.desk, e.command_id) for e in stored} == {
        (one.stream_id, "duties", "bank", one.command_id)
    }
    assert [event.version for event in stored] == [1, 2]
    assert [event.position for event in stored] == [before + 1, before + 2]
    assert await store.head() == before + 2


async def test_any_bytes_come_back_unchanged(store: EventStore) -> None:
    event = NewEvent(
        type="投诉.received", schema_version=32767, occurred_at=NINE, data=bytes(range(256)) * 4096, meta=b""
    )
    one = append(desk="台账", events=(event,), fingerprint=b"\x00\xff")
    await store.append(one)
    (stored,) = await store.read(one.stream_id)
    assert (stored.type, stored.schema_version, stored.desk) == ("投诉.received", 32767, "台账")
    assert (stored.data, stored.meta) == (event.data, b"")


async def test_instants_keep_their_microseconds_and_come_back_in_utc(store: EventStore) -> None:
    instant = datetime.fromisoformat("2026-03-02T17:00:00.000001+08:00")
    one = append(events=(NewEvent(type="t", occurred_at=instant, data=b"", meta=b""),))
    await store.append(one)
    (stored,) = await store.read(one.stream_id)
    assert stored.occurred_at == instant
    assert stored.recorded_at.utcoffset() == timedelta(0)
    assert hash_of(stored) == stored.hash


async def test_events_are_chained_by_their_hashes(store: EventStore) -> None:
    one = append("received", "graded")
    place = await store.append(one)
    more = append("closed", to=one.stream_id, after=place)
    await store.append(more)
    stored = await store.read(one.stream_id)
    assert [event.hash for event in stored] == hashes(one) + hashes(more)
    assert [event.previous_hash for event in stored] == [GENESIS, stored[0].hash, stored[1].hash]
    assert verify_stream(stored) == []


async def test_a_stream_is_read_between_versions(store: EventStore) -> None:
    one = append("a", "b", "c", "d")
    await store.append(one)

    async def names(**bounds: int) -> list[str]:
        return [event.type for event in await store.read(one.stream_id, **bounds)]

    assert await names(after=2) == ["test.c", "test.d"]
    assert await names(upto=2) == ["test.a", "test.b"]
    assert await names(after=1, upto=3) == ["test.b", "test.c"]
    assert await names(after=4) == []
    assert await store.read(uuid4()) == []


async def test_the_log_is_read_in_pages_and_by_desk_and_category(store: EventStore) -> None:
    start = await store.head()
    desk: str = f"desk-{uuid4().hex}"
    shape: list[tuple[str, Category]] = [
        (desk, "complaint"),
        ("other", "complaint"),
        (desk, "desk"),
        (desk, "duties"),
        ("other", "desk"),
    ]
    for owner, category in shape:
        await store.append(append("x", "y", desk=owner, category=category))
    log = await store.read_all(after=start)
    assert [event.position for event in log] == list(range(start + 1, start + 11))
    assert await store.read_all(after=start + 3, limit=4) == log[3:7]
    assert await store.read_all(after=start, desk=desk) == [event for event in log if event.desk == desk]
    for category in ("complaint", "desk", "duties"):
        of_category = [event for event in log if event.category == category]
        assert await store.read_all(after=start, category=category) == of_category
        both = [event for event in of_category if event.desk == desk]
        assert await store.read_all(after=start, category=category, desk=desk, limit=1) == both[:1]
    assert await store.read_all(after=start + 10) == []


async def test_the_wrong_version_is_a_conflict_that_names_the_right_one_and_writes_nothing(store: EventStore) -> None:
    one = append("a", "b")
    place = await store.append(one)
    head = await store.head()
    for expected in (0, 1, 3):
        late = append("c", to=one.stream_id, expected_version=expected, previous_hash=place.hash)
        with pytest.raises(VersionConflict) as conflict:
            await store.append(late)
        assert (conflict.value.stream_id, conflict.value.expected, conflict.value.actual) == (
            one.stream_id,
            expected,
            2,
        )
        assert await store.find_command(late.command_id) is None
    with pytest.raises(VersionConflict) as conflict:
        await store.append(append("c", expected_version=2, previous_hash=place.hash))
    assert conflict.value.actual == 0
    assert await store.head() == head


async def test_the_right_version_over_another_history_is_a_conflict(store: EventStore) -> None:
    one = append("a")
    await store.append(one)
    with pytest.raises(VersionConflict):
        await store.append(append("b", to=one.stream_id, expected_version=1, previous_hash=bytes(range(32))))
    with pytest.raises(VersionConflict):
        await store.append(append("a", previous_hash=bytes(range(32))))
    assert len(await store.read(one.stream_id)) == 1


async def test_a_repeated_command_answers_with_its_original_place_whatever_has_happened_since(
    store: EventStore,
) -> None:
    one = append("a", "b", fingerprint=b"request")
    place = await store.append(one)
    await store.append(append("c", to=one.stream_id, after=place))
    original = msgspec.structs.replace(place, duplicate=True)
    assert await store.append(one) == original
    decided_otherwise = msgspec.structs.replace(one, expected_version=3, events=events("x", "y", "z"))
    assert await store.append(decided_otherwise) == original
    assert len(await store.read(one.stream_id)) == 3
    assert await store.find_command(one.command_id) == (one.stream_id, b"request", original)


async def test_a_command_id_with_another_request_or_stream_is_told_apart(store: EventStore) -> None:
    one = append("a", fingerprint=b"request")
    place = await store.append(one)
    for other in (
        msgspec.structs.replace(one, fingerprint=b"another"),
        msgspec.structs.replace(one, fingerprint=b""),
        msgspec.structs.replace(one, stream_id=uuid4()),
        append("b", to=one.stream_id, after=place, command_id=one.command_id),
    ):
        with pytest.raises(CommandReused):
            await store.append(other)
    assert await store.head() == place.last_position


async def test_an_unknown_command_is_not_found(store: EventStore) -> None:
    assert await store.find_command(uuid4()) is None


async def test_a_claimed_value_belongs_to_one_stream_of_the_desk(store: EventStore) -> None:
    number = Claim(scope="number", key=uuid4().bytes)
    one = append("a", claims=(number,))
    place = await store.append(one)
    spare = Claim(scope="number", key=uuid4().bytes)
    refused = append("a", claims=(spare, number))
    with pytest.raises(Taken) as taken:
        await store.append(refused)
    assert (taken.value.scope, taken.value.holder) == ("number", one.stream_id)
    assert await store.read(refused.stream_id) == []
    assert await store.find_command(refused.command_id) is None
    await store.append(append("a", claims=(spare,)))  # the refused append has kept nothing
    await store.append(append("a", claims=(number,), desk="other"))
    await store.append(append("a", claims=(Claim(scope="slip", key=number.key),)))
    await store.append(append("b", to=one.stream_id, after=place, claims=(number, number)))


async def test_a_released_value_may_be_claimed_by_another_but_only_its_holder_can_release_it(
    store: EventStore,
) -> None:
    number = Claim(scope="number", key=uuid4().bytes)
    one = append("a", claims=(number,))
    place = await store.append(one)
    await store.append(append("a", releases=(number,)))
    with pytest.raises(Taken):
        await store.append(append("a", claims=(number,)))
    await store.append(append("b", to=one.stream_id, after=place, releases=(number,)))
    two = append("a", claims=(number,))
    await store.append(two)
    with pytest.raises(Taken) as taken:
        await store.append(append("a", claims=(number,)))
    assert taken.value.holder == two.stream_id


async def test_a_guard_holds_only_while_the_other_stream_stands_where_the_decision_saw_it(store: EventStore) -> None:
    old = append("a")
    place = await store.append(old)
    unknown = uuid4()
    guards = (Guard(stream_id=old.stream_id, version=1), Guard(stream_id=unknown, version=0))
    await store.append(append("linked", guards=guards))
    await store.append(append("b", to=old.stream_id, after=place))
    late = append("linked", guards=guards)
    with pytest.raises(VersionConflict) as conflict:
        await store.append(late)
    assert (conflict.value.stream_id, conflict.value.expected, conflict.value.actual) == (old.stream_id, 1, 2)
    assert await store.read(late.stream_id) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"events": ()},
        {"expected_version": -1},
        {"expected_version": 2**31},
        {"category": "nonsense"},
        {"events": (NewEvent(type="a", schema_version=0, occurred_at=NINE, data=b"", meta=b""),)},
        {"events": (NewEvent(type="a", schema_version=2**15, occurred_at=NINE, data=b"", meta=b""),)},
        {"previous_hash": b"short"},
        {"desk": "a\0b"},
        {"claims": (Claim(scope="n", key=b"1"),), "releases": (Claim(scope="n", key=b"1"),)},
        {"events": (NewEvent(type="a", occurred_at=NINE.replace(tzinfo=None), data=b"", meta=b""),)},
    ],
)
async def test_an_append_that_no_decision_makes_is_the_callers_bug(store: EventStore, broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        await store.append(append(**broken))


async def test_of_sixteen_writers_to_one_stream_one_wins_and_the_others_decide_again(store: EventStore) -> None:
    start, stream_id = await store.head(), uuid4()
    conflicts: Counter[int] = Counter()

    async def write(writer: int) -> Appended:
        while True:
            seen = await store.read(stream_id)
            after = seen[-1] if seen else None
            try:
                return await store.append(
                    append(
                        f"by-{writer}",
                        to=stream_id,
                        expected_version=after.version if after else 0,
                        previous_hash=after.hash if after else GENESIS,
                    )
                )
            except VersionConflict:
                conflicts[writer] += 1

    places = await asyncio.gather(*(write(writer) for writer in range(16)))
    stored = await store.read(stream_id)
    assert sorted(place.version for place in places) == list(range(1, 17))
    assert {event.type for event in stored} == {f"test.by-{writer}" for writer in range(16)}
    assert conflicts.total() >= 15  # all sixteen had read the empty stream
    assert [event.position for event in stored] == list(range(start + 1, start + 17))
    assert verify_stream(stored) == []


async def test_many_writers_leave_no_gap_and_every_acknowledged_event_once(store: EventStore) -> None:
    start = await store.head()
    acknowledged: list[tuple[UUID, Appended]] = []

    async def write(writer: int) -> None:
        for turn in range(20):
            one = append(*("a", "b", "c")[: 1 + (writer + turn) % 3])
            acknowledged.append((one.stream_id, await store.append(one)))

    await asyncio.gather(*(write(writer) for writer in range(16)))
    log = await log_of(store, start)
    assert [event.position for event in log] == list(range(start + 1, start + 1 + len(log)))
    assert all(one.recorded_at <= two.recorded_at for one, two in pairwise(log))
    by_stream = {
        stream_id: list(range(place.first_position, place.last_position + 1)) for stream_id, place in acknowledged
    }
    assert len(by_stream) == 320
    assert by_stream == {
        stream_id: [event.position for event in log if event.stream_id == stream_id] for stream_id in by_stream
    }


async def test_one_command_sent_many_times_at_once_is_done_once(store: EventStore) -> None:
    one = append("a")
    places = await asyncio.gather(*(store.append(one) for _ in range(16)))
    assert Counter(place.duplicate for place in places) == {False: 1, True: 15}
    assert len({(place.version, place.first_position, place.last_position, place.hash) for place in places}) == 1
    assert len(await store.read(one.stream_id)) == 1


async def test_of_streams_that_race_for_one_value_exactly_one_gets_it(store: EventStore) -> None:
    number = Claim(scope="number", key=uuid4().bytes)
    racers = [append("a", claims=(number,)) for _ in range(16)]
    answers = await asyncio.gather(*(store.append(racer) for racer in racers), return_exceptions=True)
    winners = [racer for racer, answer in zip(racers, answers, strict=True) if isinstance(answer, Appended)]
    assert len(winners) == 1
    assert {answer.holder for answer in answers if isinstance(answer, Taken)} == {winners[0].stream_id}
    assert [len(await store.read(racer.stream_id)) for racer in racers].count(0) == 15


async def test_two_decisions_that_each_rely_on_the_other_stream_are_not_both_taken(store: EventStore) -> None:
    one, two = uuid4(), uuid4()
    answers = await asyncio.gather(
        store.append(append("a", to=one, guards=(Guard(stream_id=two, version=0),))),
        store.append(append("a", to=two, guards=(Guard(stream_id=one, version=0),))),
        return_exceptions=True,
    )
    assert {type(answer) for answer in answers} == {Appended, VersionConflict}


async def test_appends_that_follow_one_another_may_be_sent_together(store: EventStore) -> None:
    first = append("a", "b")
    second = append("c", to=first.stream_id, expected_version=2, previous_hash=hashes(first)[-1])
    third = append("d", to=first.stream_id, expected_version=3, previous_hash=hashes(second)[-1])
    places = await asyncio.gather(*(store.append(one) for one in (first, second, third)))
    assert [place.version for place in places] == [2, 3, 4]
    assert verify_stream(await store.read(first.stream_id)) == []


async def test_whoever_stops_waiting_spoils_nothing_for_the_others(store: EventStore) -> None:
    start = await store.head()
    wanted = [append(str(number)) for number in range(40)]
    tasks = [asyncio.create_task(store.append(one)) for one in wanted]
    await asyncio.sleep(0)
    for task in tasks[::4]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    for number, answer in enumerate(answers):
        assert isinstance(answer, Appended) or (isinstance(answer, asyncio.CancelledError) and number % 4 == 0)
    log = await log_of(store, start)
    assert [event.position for event in log] == list(range(start + 1, start + 1 + len(log)))
    written = {event.stream_id for event in log}
    assert {one.stream_id for number, one in enumerate(wanted) if number % 4} <= written
    for one in wanted[::4]:  # sent again, each is there once, whether it had been written or not
        place = await store.append(one)
        assert place.duplicate == (one.stream_id in written)


async def test_listeners_are_told_that_the_log_has_grown(store: EventStore) -> None:
    async with store.appended() as hints:
        await anext(hints)  # where the log stands when one begins to listen
        place = await store.append(append("a"))
        async with asyncio.timeout(10):
            while await anext(hints) < place.last_position:
                pass


async def test_the_whole_log_verifies(store: EventStore) -> None:
    with suppress(VersionConflict):
        await store.append(append("a", previous_hash=bytes(range(32))))
    await store.append(append("a", "b"))
    log: Sequence[StoredEvent] = await log_of(store)
    verdict = verify_log(log)
    assert verdict.flaws == []
    assert verdict.size == await store.head() == len(log)
