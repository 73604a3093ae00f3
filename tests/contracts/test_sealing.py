"""Sealing over each keeper of keys: in memory, and in PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from complaints.adapters.database import pool
from complaints.adapters.master_key import load_master
from complaints.adapters.sealing import Sealing
from complaints.adapters.subject_keys import MemoryKeys, PostgresKeys, SubjectKeys, Wanted
from complaints.codec import Envelope, Recorded, decode, encode
from complaints.commands import SYSTEM, Sender
from complaints.errors import BeingErased, Undecodable
from complaints.events import (
    ComplaintReceived,
    Event,
    FactsRecorded,
    ReportProduced,
    SampleDrawn,
    StepOpened,
    WorkRecorded,
)
from complaints.personal import ERASED, Erased, Sealed
from complaints.ports import GENESIS, StoredEvent
from complaints.sealer import Unsealed

AT = datetime(2026, 3, 2, 1, 31, tzinfo=UTC)
MASTER = bytes(range(32))
FACTS = frozenset({"content", "amount"})
WU = Sender(person="wu", role="front")


@pytest.fixture(scope="module")
async def connections(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with await pool(database_url) as opened:
        yield opened


@pytest.fixture(params=["memory", "postgres"])
def new_keys(request: pytest.FixtureRequest) -> Callable[[], SubjectKeys]:
    """Each call gives another process's view of the same keys."""
    if request.param == "memory":
        keys = MemoryKeys(settled=0.0)
        return lambda: keys
    connections = request.getfixturevalue("connections")
    return lambda: PostgresKeys(connections, settled=0.0)


@pytest.fixture
def sealing(new_keys: Callable[[], SubjectKeys]) -> Sealing:
    return Sealing(new_keys(), MASTER)


def received(**fields: Any) -> ComplaintReceived:
    return ComplaintReceived(
        **{
            "at": AT,
            "channel": "phone",
            "receiver": "front",
            "person": "wu",
            "arrived_closed": False,
            "pack": "04",
            "pack_version": 1,
            "complainant": "王五",
            "contact": {"email": "wang@example.org"},
            "facts": {"content": "漏水", "major": True, "amount": 12.5},
            "inputs": {"content": "漏水", "major": True},
            **fields,
        }
    )


def as_stored(event: Event, by: Sender, *, stream: UUID, version: int) -> StoredEvent:
    meta = Envelope(desk="demo", complaint=str(stream), at=AT, by=by, command_id=UUID(int=1))
    new = encode(event, meta)
    return StoredEvent(
        position=1,
        stream_id=stream,
        version=version,
        category="complaint",
        desk="demo",
        type=new.type,
        schema_version=1,
        occurred_at=AT,
        recorded_at=AT,
        command_id=UUID(int=1),
        data=new.data,
        meta=new.meta,
        previous_hash=GENESIS,
        hash=GENESIS,
    )


async def through_the_log(
    sealing: Sealing, event: Event, *, stream: UUID, subject: UUID, by: Sender = WU, version: int = 1
) -> StoredEvent:
    (sealed,), who = await sealing.seal(stream, "demo", [Unsealed(event, version, subject)], facts=FACTS, by=by)
    return as_stored(sealed, who, stream=stream, version=version)


async def opened(sealing: Sealing, *rows: StoredEvent) -> list[Recorded]:
    return await sealing.unseal([decode(row) for row in rows])


async def test_what_was_sealed_opens_as_it_was(sealing: Sealing) -> None:
    stream, subject = uuid4(), uuid4()
    row = await through_the_log(sealing, received(), stream=stream, subject=subject)

    (recorded,) = await opened(sealing, row)

    assert recorded.event == received()
    assert recorded.sealed == {}
    assert recorded.meta.inputs == {"content": "漏水", "major": True}


async def test_no_personal_value_is_stored_in_the_clear_and_everything_else_is(sealing: Sealing) -> None:
    row = await through_the_log(sealing, received(), stream=uuid4(), subject=uuid4())

    stored = row.data.decode() + row.meta.decode()
    for personal in ("王五", "wang@example.org", "漏水", "12.5"):
        assert personal not in stored
    data = json.loads(row.data)
    assert (data["facts"]["major"], data["channel"], data["person"]) == (True, "phone", "wu")


async def test_the_name_of_a_customer_who_acts_is_sealed_once_for_all_events_of_his_command(sealing: Sealing) -> None:
    stream, subject = uuid4(), uuid4()
    wang = Sender(person="王五", role="customer")
    events = [received(person="王五"), StepOpened(at=AT, step="look", by="cm"), StepOpened(at=AT, step="act", by="cm")]
    items = [Unsealed(event, version, subject) for version, event in enumerate(events, 1)]

    sealed, by = await sealing.seal(stream, "demo", items, facts=FACTS, by=wang)
    rows = [as_stored(event, by, stream=stream, version=version) for version, event in enumerate(sealed, 1)]

    assert [record.meta.by for record in await opened(sealing, *rows)] == [wang] * 3
    assert len({json.loads(row.meta)["by"]["person"]["$sealed"] for row in rows}) == 1
    assert [json.loads(row.meta)["by"]["person"]["version"] for row in rows] == [1, 1, 1]
    with pytest.raises(Undecodable):
        await opened(sealing, msgspec.structs.replace(rows[1], stream_id=uuid4()))


async def test_a_name_that_was_sealed_for_one_event_alone_still_opens(sealing: Sealing) -> None:
    """So it was before a command's events shared it; then the marker names no version."""
    stream, wang = uuid4(), Sender(person="王五", role="customer")
    step = StepOpened(at=AT, step="look", by="cm")
    _, by = await sealing.seal(stream, "demo", [Unsealed(step, 4, uuid4())], facts=FACTS, by=wang)
    row = as_stored(step, by, stream=stream, version=4)
    older = row.meta.replace(b',"version":4', b"")
    assert older != row.meta

    (recorded,) = await opened(sealing, msgspec.structs.replace(row, meta=older))

    assert recorded.meta.by == wang


@pytest.mark.parametrize("version", [0, -1, 3, 2**40, True, "1"])
async def test_a_marker_that_says_another_version_than_it_can_is_none(sealing: Sealing, version: object) -> None:
    stream, wang = uuid4(), Sender(person="王五", role="customer")
    step = StepOpened(at=AT, step="look", by="cm")
    _, by = await sealing.seal(stream, "demo", [Unsealed(step, 2, uuid4())], facts=FACTS, by=wang)
    row = as_stored(step, by, stream=stream, version=2)
    meta = row.meta.replace(b',"version":2', f',"version":{json.dumps(version)}'.encode())
    assert meta != row.meta

    with pytest.raises(Undecodable):
        await opened(sealing, msgspec.structs.replace(row, meta=meta))


async def test_no_other_value_can_say_that_it_was_sealed_at_another_event(sealing: Sealing) -> None:
    stream, subject = uuid4(), uuid4()
    said = FactsRecorded(at=AT, facts={"content": "漏水"}, person="wu")
    row = await through_the_log(sealing, said, stream=stream, subject=subject, version=5)
    moved = msgspec.structs.replace(row, version=9, data=row.data.replace(b'"subject":', b'"version":5,"subject":'))
    assert moved.data != row.data

    with pytest.raises(Undecodable):
        await opened(sealing, moved)


async def test_reasons_and_the_names_of_customers_who_act_are_personal(sealing: Sealing) -> None:
    event = WorkRecorded(
        at=AT, step="sign", verb="do", outcome="done", over=True, person="王五", as_="customer", reason="同意王五的意见"
    )
    row = await through_the_log(
        sealing, event, stream=uuid4(), subject=uuid4(), by=Sender(person="王五", role="customer")
    )

    assert "王五" not in row.data.decode() + row.meta.decode()
    (recorded,) = await opened(sealing, row)
    assert recorded.event == event
    assert recorded.meta.by == Sender(person="王五", role="customer")


async def test_two_equal_values_do_not_look_equal(sealing: Sealing) -> None:
    stream, subject = uuid4(), uuid4()
    first = await through_the_log(sealing, received(), stream=stream, subject=subject)
    second = await through_the_log(sealing, received(), stream=stream, subject=subject)

    assert json.loads(first.data)["complainant"]["$sealed"] != json.loads(second.data)["complainant"]["$sealed"]


async def test_a_value_opens_only_in_the_field_the_version_and_the_stream_where_it_was_sealed(sealing: Sealing) -> None:
    stream, subject = uuid4(), uuid4()
    row = await through_the_log(sealing, received(), stream=stream, subject=subject)
    (_, other) = (
        await through_the_log(sealing, received(), stream=stream, subject=subject, version=2),
        await through_the_log(sealing, received(), stream=uuid4(), subject=subject),
    )
    moved = json.loads(row.data)
    moved["complainant"] = moved["facts"]["content"]

    for elsewhere in (
        as_stored(decode(row).event, WU, stream=stream, version=2),
        as_stored(decode(row).event, WU, stream=other.stream_id, version=1),
        as_stored(
            decode(StoredEvent(**{**_fields(row), "data": json.dumps(moved).encode()})).event,
            WU,
            stream=stream,
            version=1,
        ),
    ):
        with pytest.raises(Undecodable):
            await opened(sealing, elsewhere)


def _fields(row: StoredEvent) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


async def test_after_an_erasure_every_value_of_the_subject_reads_as_erased_everywhere(
    new_keys: Callable[[], SubjectKeys],
) -> None:
    here, elsewhere = Sealing(new_keys(), MASTER), Sealing(new_keys(), MASTER)
    wang, li = uuid4(), uuid4()
    rows = [
        await through_the_log(here, received(), stream=uuid4(), subject=wang),
        await through_the_log(here, received(), stream=uuid4(), subject=wang),
        await through_the_log(here, received(), stream=uuid4(), subject=li),
    ]
    await opened(elsewhere, *rows)  # it has the keys in memory now

    await here.erase(wang)
    elsewhere.forget(wang)

    for sealing in (here, elsewhere):
        first, second, other = await opened(sealing, *rows)
        for recorded in (first, second):
            assert isinstance(recorded.event, ComplaintReceived)
            assert recorded.event.complainant is ERASED
            assert isinstance(recorded.event.facts["content"], Erased)
            assert recorded.event.facts["major"] is True
            assert recorded.event.contact == {"email": ERASED}
        assert other.event == received()


async def test_a_process_that_was_not_told_of_an_erasure_finds_out_when_its_key_is_no_longer_fresh(
    new_keys: Callable[[], SubjectKeys],
) -> None:
    now = [0.0]
    here = Sealing(new_keys(), MASTER)
    elsewhere = Sealing(new_keys(), MASTER, fresh_for=60, clock=lambda: now[0])
    subject = uuid4()
    row = await through_the_log(here, received(), stream=uuid4(), subject=subject)
    await opened(elsewhere, row)
    await here.erase(subject)

    now[0] = 61.0
    (recorded,) = await opened(elsewhere, row)

    assert isinstance(recorded.event, ComplaintReceived)
    assert recorded.event.complainant is ERASED


async def test_a_subject_who_comes_again_after_an_erasure_gets_another_key_and_the_old_values_stay_shut(
    sealing: Sealing,
) -> None:
    subject, before, after = uuid4(), uuid4(), uuid4()
    old = await through_the_log(sealing, received(), stream=before, subject=subject)
    await sealing.erase(subject)

    new = await through_the_log(sealing, received(), stream=after, subject=subject)
    first, second = await opened(sealing, old, new)

    assert isinstance(first.event, ComplaintReceived)
    assert first.event.complainant is ERASED
    assert second.event == received()


async def test_what_happens_on_a_case_after_its_erasure_can_be_sealed_and_read(sealing: Sealing) -> None:
    stream, subject = uuid4(), uuid4()
    await through_the_log(sealing, received(), stream=stream, subject=subject)
    await sealing.erase(subject)

    said = FactsRecorded(at=AT, facts={"content": "又漏了"}, person="wu")
    row = await through_the_log(sealing, said, stream=stream, subject=subject, version=9)

    (recorded,) = await opened(sealing, row)
    assert recorded.event == said


async def test_a_value_that_is_erased_already_is_stored_as_erased(sealing: Sealing) -> None:
    said = FactsRecorded(at=AT, facts={"content": ERASED}, person="wu")
    row = await through_the_log(sealing, said, stream=uuid4(), subject=uuid4())

    assert json.loads(row.data)["facts"] == {"content": {"$erased": True}}
    (recorded,) = await opened(sealing, row)
    assert recorded.event == said


async def test_a_report_seals_what_it_shows_of_each_complaint_under_that_complaints_subject(sealing: Sealing) -> None:
    wang, li, duties = uuid4(), uuid4(), uuid4()
    of_wang, of_li = uuid4(), uuid4()
    await through_the_log(sealing, received(), stream=of_wang, subject=wang)
    await through_the_log(sealing, received(), stream=of_li, subject=li)
    report = ReportProduced(
        at=AT,
        owe="monthly",
        period="2026-04",
        figures=[
            {"count": "received", "is": 2},
            {
                "list": "received",
                "shows": ["content"],
                "is": [{"complaint": str(of_wang), "content": "漏水"}, {"complaint": str(of_li), "content": "噪音"}],
            },
        ],
    )
    row = await through_the_log(sealing, report, stream=duties, subject=duties, by=SYSTEM)
    assert "漏水" not in row.data.decode()
    (recorded,) = await opened(sealing, row)
    assert recorded.event == report

    await sealing.erase(wang)

    (recorded,) = await opened(sealing, row)
    assert isinstance(recorded.event, ReportProduced)
    shown = recorded.event.figures[1]["is"]
    assert [line["content"] for line in shown] == [ERASED, "噪音"]


async def test_who_was_drawn_for_a_sample_is_sealed_under_the_subject_of_that_name(sealing: Sealing) -> None:
    drawn = SampleDrawn(at=AT, owe="survey", size=2, seed=1, included=["王五"], drawn=["王五", "李四"])
    row = await through_the_log(sealing, drawn, stream=uuid4(), subject=uuid4(), by=SYSTEM)
    assert "王五" not in row.data.decode()
    (recorded,) = await opened(sealing, row)
    assert recorded.event == drawn

    await sealing.erase(sealing.pseudonym("demo", "王五"))

    (recorded,) = await opened(sealing, row)
    assert isinstance(recorded.event, SampleDrawn)
    assert recorded.event.drawn == [ERASED, "李四"]


async def test_while_a_subject_is_being_erased_no_new_case_may_use_its_key(sealing: Sealing) -> None:
    subject, stream, command = uuid4(), uuid4(), uuid4()
    await through_the_log(sealing, received(), stream=stream, subject=subject)

    links = await sealing.begin_erasing(subject, command)

    assert [link.stream for link in links] == [stream]
    assert (await sealing.erasing())[subject] == command
    with pytest.raises(BeingErased):
        await through_the_log(sealing, received(), stream=uuid4(), subject=subject)

    await sealing.abandon_erasing(subject, uuid4())  # another command's
    assert subject in await sealing.erasing()
    await sealing.abandon_erasing(subject, command)
    await through_the_log(sealing, received(), stream=uuid4(), subject=subject)
    assert subject not in await sealing.erasing()


async def test_keys_that_are_wanted_at_once_are_made_once(new_keys: Callable[[], SubjectKeys]) -> None:
    keys, subject = new_keys(), uuid4()
    others = [uuid4() for _ in range(20)]

    answers = await asyncio.gather(
        *(keys.ensure([Wanted(subject, "demo", uuid4(), os.urandom(60))]) for _ in range(20)),
        *(keys.ensure([Wanted(other, "demo", uuid4(), os.urandom(60))]) for other in others),
    )

    assert len({answer[subject].wrapped for answer in answers[:20]}) == 1
    assert len({answer[other].wrapped for answer, other in zip(answers[20:], others, strict=True)}) == 20
    assert len(await keys.links(subject)) == 20


async def test_a_sealed_value_that_was_carried_away_still_opens(sealing: Sealing) -> None:
    stream, subject = uuid4(), uuid4()
    row = await through_the_log(sealing, received(), stream=stream, subject=subject)
    event = decode(row).event
    assert isinstance(event, ComplaintReceived)
    assert isinstance(event.complainant, Sealed)

    assert await sealing.unseal_values([event.complainant]) == ["王五"]


async def test_a_key_wrapped_by_another_master_key_is_reported(new_keys: Callable[[], SubjectKeys]) -> None:
    row = await through_the_log(Sealing(new_keys(), MASTER), received(), stream=uuid4(), subject=uuid4())

    with pytest.raises(Undecodable, match="another master key"):
        await opened(Sealing(new_keys(), bytes(32)), row)


def test_a_pseudonym_is_the_same_for_the_same_name_in_the_same_desk_only() -> None:
    sealing = Sealing.in_memory(MASTER)

    assert sealing.pseudonym("demo", "王五") == Sealing.in_memory(MASTER).pseudonym("demo", "王五")
    assert sealing.pseudonym("demo", "王五") != sealing.pseudonym("other", "王五")
    assert sealing.pseudonym("demo", "王五") != Sealing.in_memory(bytes(32)).pseudonym("demo", "王五")
    assert sealing.pseudonym("demo", "王五").variant == "specified in RFC 4122"


def test_digests_keep_desk_scope_and_value_apart() -> None:
    digest = Sealing.in_memory(MASTER).digest

    assert len({digest("a", "b", b"c"), digest("a", "bc", b""), digest("ab", "", b"c"), digest("a", "b", b"d")}) == 4


def test_the_master_key_is_made_once_and_read_by_all(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "seal.key"

    key = load_master(file, create=True)

    assert len(key) == 32
    assert load_master(file, create=True) == key
    assert file.stat().st_mode & 0o077 == 0
    assert [found.name for found in file.parent.iterdir()] == ["seal.key"]


@pytest.mark.parametrize("content", [b"", b"c2hvcnQ=", b"not base64!"])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "seal.key"
    file.write_bytes(content)

    with pytest.raises(ValueError, match=r"seal\.key holds"):
        load_master(file)
