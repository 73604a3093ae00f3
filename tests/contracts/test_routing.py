"""Routing on real PostgreSQL and Kafka: everybody named once, work shared, nothing lost or doubled by a crash."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from uuid import UUID

import msgspec
import pytest

from complaints.adapters.desk_views import LeftSealed, LoggedViews
from complaints.adapters.pack_store import PostgresPacks
from complaints.adapters.records import CommandRecord
from complaints.adapters.service import utc_now
from complaints.commands import SYSTEM
from intake.__main__ import build as intake
from intake.relay import build as relay
from routing.__main__ import build as routing
from routing.consumer import Routing
from routing.matters import Matters
from routing.tables import Outgoing
from tests.contracts.bus import running
from tests.contracts.town import Town, people, until

STAFF = [*people(("an", "agent"), ("bo", "agent"), ("cy", "agent"), ("di", "agent"), ("lei", "desk_lead"))]


@pytest.fixture(scope="module")
async def town(
    database_url: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """With intake, relay and two routing processes in one loop, which share the work."""
    data = tmp_path_factory.mktemp("town")
    async with (
        Town.laid_out(database_url, kafka_bootstrap_servers, topic_prefix, data) as town,
        town.running(intake, relay, routing, routing),
    ):
        yield town


async def loads_are_what_is_assigned(town: Town) -> None:
    """The counters of work agree with the rows that they count."""
    counted = await town.pool.fetch(
        "SELECT desk, person, count(*) AS n FROM routing.assignment WHERE owes AND person IS NOT NULL GROUP BY 1, 2"
    )
    kept = await town.pool.fetch("SELECT desk, person, open AS n FROM routing.load WHERE open <> 0")
    assert {tuple(row.values()) for row in kept} == {tuple(row.values()) for row in counted}


async def test_a_complaint_is_handed_over_and_somebody_is_named(town: Town) -> None:
    await town.open_desk("one", people=STAFF)
    complaint = await town.receive("one", "a", "an/agent")
    await town.settle()
    (assigned,) = await town.happened(complaint, "complaint.assigned")
    (named,) = await town.happened(complaint, "assignee.named")
    assert (assigned.person, assigned.holder, assigned.clause) == ("system", "agent", ["第八条", "第二十条"])
    assert (named.role, named.person) == ("agent", "an")
    assert named.because.startswith("by-name: ")


async def test_commands_say_what_led_to_them(town: Town) -> None:
    await town.open_desk("why", people=STAFF)
    complaint = await town.receive("why", "a", "an/agent")
    await town.settle()
    history = await town.history(complaint)
    first, assigned = history[0], next(record for record in history if record.type == "complaint.assigned")
    assert assigned.meta.correlation_id == first.meta.correlation_id
    assert assigned.meta.causation_id is not None
    assert assigned.meta.by.role == "system"


async def test_a_burst_is_shared_though_two_processes_name_at_once_and_evens_out(town: Town) -> None:
    """Those who name at one moment do not see one another, so each may have given to the same person."""
    await town.open_desk("burst", people=STAFF)

    async def loads() -> list[int]:
        await town.settle()
        return [row["open"] for row in await town.pool.fetch("SELECT open FROM routing.load WHERE desk = 'burst'")]

    await asyncio.gather(*(town.receive("burst", f"c{n}", "an/agent") for n in range(40)))
    open_now = await loads()
    assert (len(open_now), sum(open_now)) == (4, 40)
    assert min(open_now) >= 5
    more = 0
    while max(open_now) - min(open_now) > 1:
        await town.receive("burst", f"later{more}", "an/agent")
        open_now, more = await loads(), more + 1
        assert more <= 20, "one by one, whoever has least gets the next"
    await loads_are_what_is_assigned(town)


async def test_a_closed_case_is_nobodys_work_any_more(town: Town) -> None:
    await town.open_desk("done", people=STAFF)
    complaint = await town.receive("done", "a", "an/agent")
    await town.settle()
    await town.send("done", complaint, "record-step", "an/agent", step="answer", facts={"answer_text": "x"})
    await town.send("done", complaint, "close", "an/agent")
    await town.settle()
    rows = await town.pool.fetch("SELECT open FROM routing.load WHERE desk = 'done'")
    assert [row["open"] for row in rows] == [0]
    await loads_are_what_is_assigned(town)


async def test_cases_of_somebody_who_leaves_or_goes_away_go_to_others(town: Town) -> None:
    await town.open_desk("leave", people=STAFF)
    cases = [await town.receive("leave", f"c{n}", "an/agent") for n in range(8)]
    await town.settle()
    await town.change("leave", "desk.person-left", person="an")
    begins = (town.time + timedelta(hours=2)).isoformat()
    await town.change("leave", "desk.person-absent", person="bo", begins_at=begins, deputy="lei")
    await town.settle()
    assert "an" not in await _who_acts(town, cases)
    assert "bo" in await _who_acts(town, cases)
    await town.later(timedelta(hours=3))
    acting = await _who_acts(town, cases)
    assert acting["an"] == acting["bo"] == 0
    assert acting["lei"] > 0, "the deputy has what was bo's"
    await loads_are_what_is_assigned(town)


async def _who_acts(town: Town, cases: list[UUID]) -> Counter[str]:
    last = [(await town.happened(case, "assignee.named"))[-1] for case in cases]
    return Counter(named.person for named in last)


async def test_a_case_that_nobody_can_act_in_waits_in_the_queue_until_somebody_can(town: Town) -> None:
    await town.open_desk("empty", None, text=PERSONAL, people=people(("an", "cm")), fallback="front hall")
    await town.change("empty", "desk.person-absent", person="an", begins_at=town.time.isoformat())
    complaint = await town.receive("empty", "a", "customer/customer")
    await town.settle()
    (lacking,) = await town.happened(complaint, "assignee.lacking")
    assert (lacking.role, lacking.queue) == ("cm", "front hall")
    assert lacking.because == "all-away: everybody who holds cm is away"
    await town.change("empty", "desk.person-returned", person="an")
    await town.settle()
    assert await _who_acts(town, [complaint]) == {"an": 1}


async def test_nobody_is_named_before_the_desk_has_named_anybody_and_then_for_all_that_is_open(town: Town) -> None:
    await town.open_desk("later")
    cases = [await town.receive("later", f"c{n}") for n in range(3)]
    await town.settle()
    assert not (await town.count("assignee.named")).keys() & set(cases)
    assert set(cases) <= (await town.count("complaint.assigned")).keys()
    await town.change("later", "desk.person-joined", person="an", roles=["agent"])
    await town.settle()
    assert await _who_acts(town, cases) == {"an": 3}


async def test_an_imported_life_is_taken_up_when_nothing_more_is_told_of_its_past(town: Town) -> None:
    await town.open_desk("old", people=STAFF)
    past = town.time - timedelta(days=100)
    complaint = await town.receive("old", "a", "an/agent", occurred_at=past, imported=True, at=past)
    await town.settle()
    await town.send("old", complaint, "record-facts", "an/agent", facts={"subject": "x"}, at=past + timedelta(hours=1))
    await town.settle()
    await town.later(timedelta(seconds=59))
    assert await town.happened(complaint, "assignee.named") == []
    await town.later(timedelta(seconds=1))
    named = await town.happened(complaint, "assignee.named")
    assert {one.role for one in named} == {"agent", "desk_lead"}, "and whoever it has risen to meanwhile"


async def test_records_that_come_again_and_late_change_nothing(town: Town) -> None:
    await town.settle()
    before = await town.store.head()
    commands = len(await town.commands("name-assignee"))
    async with town.running():
        await town.published_again()
    await until(lambda: _published(town))
    await town.settle()
    assert await town.store.head() == before
    assert len(await town.commands("name-assignee")) == commands
    assert await town.dead_letters() == []


async def _published(town: Town) -> bool:
    return bool(await town.pool.fetchval("SELECT pos FROM es.relay") == await town.store.head())


# --- counts over other cases ---
FLAT = {
    "content": "漏水",
    "category": "engineering",
    "source_of_trouble": "construction_quality",
    "project": "一期",
    "media_serious": False,
    "litigation_households": 0,
    "may_litigate_or_media": False,
    "group_persons": 1,
    "group_households": 1,
    "needs_help": False,
}


async def test_the_same_matter_by_three_people_within_a_month_raises_all_of_them(town: Town) -> None:
    await town.open_desk("flats", "15-developer-group-crisis")
    facts = {**FLAT, "matter": "M2"}
    cases = []
    for label, complainant, days in (("t1", "a", 0), ("t2", "b", 8), ("t2b", "b", 2), ("t3", "c", 8)):
        await town.later(timedelta(days=days))
        cases.append(
            await town.receive("flats", label, "m/marketing", channel="phone", complainant=complainant, facts=facts)
        )
        await town.settle()
    counted = {case: [e.value for e in await town.happened(case, "complaint.counted")] for case in cases}
    months = {
        case: [e.value for e in await town.happened(case, "complaint.counted") if e.count == "same_month"]
        for case in cases
    }
    assert [months[case] for case in cases] == [[1, 2, 3], [2, 3], [2, 3], [3]], counted
    for case in cases:
        assert (await town.happened(case, "complaint.graded"))[-1].to == 2


async def test_a_matter_that_is_recognised_later_or_corrected_moves_the_counts(town: Town) -> None:
    await town.open_desk("flats2", "15-developer-group-crisis")
    first = await town.receive("flats2", "a", "m/marketing", channel="phone", complainant="a", facts=FLAT)
    second = await town.receive(
        "flats2", "b", "m/marketing", channel="phone", complainant="b", facts={**FLAT, "matter": "M"}
    )
    await town.settle()
    assert await _months(town, first) == []
    assert await _months(town, second) == [1]
    await town.send("flats2", first, "record-facts", "m/marketing", facts={"matter": "M"})
    await town.settle()
    assert (await _months(town, first), await _months(town, second)) == ([2], [1, 2])
    await town.send("flats2", first, "record-facts", "m/marketing", facts={"matter": "N"})
    await town.settle()
    assert (await _months(town, first), await _months(town, second)) == ([2, 1], [1, 2, 1])


async def _months(town: Town, case: UUID) -> list[int]:
    return [e.value for e in await town.happened(case, "complaint.counted") if e.count == "same_month"]


PERSONAL = """\
pack: {id: calls, version: 1, title: calls, source: calls.zh.md, in-force: not-stated}
milestones: {acknowledged: not-stated, assigned: not-stated, resolved: not-stated}
roles: [{role: cm, title: cm, clause: r}]
facts: [{fact: phone, clause: f, type: text, personal: true}]
intake: [{channels: [any], clause: i, by: anyone}]
steps: [{part: p, rows: [{do: work, clause: a, by: cm}]}]
other-cases: [{count: callers, clause: c, same: phone, of: complaints}]
"""


async def test_matters_told_apart_by_a_personal_fact_are_counted_and_the_fact_is_kept_nowhere(town: Town) -> None:
    await town.open_desk("calls", None, text=PERSONAL)
    one = await town.receive("calls", "a", "x/cm", facts={"phone": "13800138000"})
    two = await town.receive("calls", "b", "x/cm", facts={"phone": "13800138000"})
    other = await town.receive("calls", "c", "x/cm", facts={"phone": "13900139000"})
    await town.settle()
    values = [(await town.happened(case, "complaint.counted"))[-1].value for case in (one, two, other)]
    assert values == [2, 2, 1]
    kept = await town.pool.fetch("SELECT value FROM routing.matter WHERE desk = 'calls'")
    assert len(kept) == 3
    assert not any("138" in row["value"] or "139" in row["value"] for row in kept)


async def test_a_procedure_that_begins_to_count_counts_what_came_before(town: Town) -> None:
    silent = PERSONAL.replace("other-cases: [{count: callers, clause: c, same: phone, of: complaints}]\n", "")
    await town.open_desk("counts", None, text=silent)
    old = await town.receive("counts", "a", "x/cm", facts={"phone": "1"})
    await town.settle()
    await town.change("counts", "desk.pack-adopted", text=PERSONAL.replace("version: 1", "version: 2"))
    await town.settle()
    new = await town.receive("counts", "b", "x/cm", facts={"phone": "1"})
    await town.settle()
    assert [e.value for e in await town.happened(new, "complaint.counted")] == [2]
    assert await town.happened(old, "complaint.counted") == [], "its own procedure counts nothing"


async def test_nothing_was_set_aside(town: Town) -> None:
    assert await town.dead_letters() == []


# --- what is past ---
async def test_nothing_is_asked_about_a_case_before_all_that_has_happened_to_it_has_come(
    apart: Town,
) -> None:
    await apart.open_desk("behind", people=STAFF)
    complaint = await apart.receive("behind", "a", "an/agent")
    received = len(await apart.history(complaint))
    await apart.send("behind", complaint, "record-step", "system", step="assign")
    history = await apart.history(complaint)
    sent: list[Outgoing] = []
    routing = _routing(apart, sent)
    for part in (history[:received], history[received:]):
        async with apart.pool.acquire() as connection, connection.transaction():
            await routing.handle(connection, part)
        routing.committed(part)
    first, second = sent
    assert not first.records
    assert [msgspec.json.decode(each)["command"] for each in second.records] == ["name-assignee"]


def _routing(town: Town, sent: list[Outgoing]) -> Routing:
    async def digest(desk: str, value: object) -> str | None:
        raise AssertionError("nothing personal is counted")

    views = LoggedViews(town.store, PostgresPacks(town.pool), LeftSealed())
    return Routing(views=views, matters=Matters(town.store, digest), now=town.now, send=sent.append, look=lambda: None)


async def test_what_a_batch_decided_that_was_rolled_back_is_not_sent(apart: Town) -> None:
    await apart.open_desk("rolled", people=STAFF)
    history = await apart.history(await apart.receive("rolled", "a", "an/agent"))
    sent: list[Outgoing] = []
    routing = _routing(apart, sent)
    async with apart.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await routing.handle(connection, history)
        await transaction.rollback()
    again = await apart.history(history[0].stream_id)
    async with apart.pool.acquire() as connection, connection.transaction():
        await routing.handle(connection, again)
    routing.committed(again)
    assert len(sent) == 1


async def test_routing_thrown_away_and_read_anew_asks_for_nothing_that_was_decided(apart: Town) -> None:
    async with apart.running(intake, relay, routing):
        await apart.open_desk("anew", people=STAFF)
        for n in range(6):
            await apart.receive("anew", f"c{n}", "an/agent")
        await apart.settle()
        await apart.change("anew", "desk.person-left", person="an")
        await apart.settle()
        head = await apart.store.head()
        load = await apart.pool.fetch("SELECT person, open FROM routing.load WHERE open > 0 ORDER BY 1")
    names = ("inbox", "case_file", "assignment", "load", "review", "counted", "matter", "outbox")
    await apart.pool.execute(f"TRUNCATE {', '.join(f'routing.{name}' for name in names)}")
    async with apart.running(intake, relay, routing):
        await apart.settle()
    assert await apart.store.head() == head
    anew = await apart.pool.fetch("SELECT person, open FROM routing.load WHERE open > 0 ORDER BY 1")
    assert list(map(tuple, anew)) == list(map(tuple, load))
    await loads_are_what_is_assigned(apart)


@pytest.fixture
async def apart(
    postgres_url: str, migrated_template: str, kafka_bootstrap_servers: str, tmp_path: Path
) -> AsyncIterator[Town]:
    """A deployment of the test's own, in which nothing runs."""
    from tests import servers

    name, prefix = f"redress_test_{token_hex(4)}", f"test-{token_hex(4)}."
    url = servers.create_database(postgres_url, name, template=migrated_template)
    try:
        async with Town.laid_out(url, kafka_bootstrap_servers, prefix, tmp_path) as town:
            yield town
    finally:
        servers.drop_database(postgres_url, name)
        servers.delete_topics(kafka_bootstrap_servers, prefix)


# --- crashes ---
async def test_routing_killed_in_the_middle_loses_nothing_and_doubles_nothing(
    postgres_url: str, migrated_template: str, kafka_bootstrap_servers: str, tmp_path: Path
) -> None:
    from tests import servers

    name, prefix = f"redress_test_{token_hex(4)}", f"test-{token_hex(4)}."
    url = servers.create_database(postgres_url, name, template=migrated_template)
    try:
        async with (
            Town.laid_out(url, kafka_bootstrap_servers, prefix, tmp_path, now=utc_now) as town,
            town.running(intake, relay),
            town.process("routing") as process,
        ):
            await town.open_desk("one", people=STAFF)
            sending = asyncio.gather(*(town.receive("one", f"c{n}", "an/agent") for n in range(150)))
            for _ in range(4):
                await asyncio.sleep(1.0)
                await process.kill()
                await process.start()
            cases = set(await sending)

            async def all_named() -> bool:
                return (
                    cases <= (await town.count("assignee.named")).keys()
                    and cases <= (await town.count("complaint.assigned")).keys()
                )

            await until(all_named)
            await town.settle()
            assert set((await town.count("complaint.assigned")).values()) == {1}
            assert set((await town.count("assignee.named")).values()) == {1}
            assert await town.dead_letters() == []
            await loads_are_what_is_assigned(town)
    finally:
        servers.drop_database(postgres_url, name)
        servers.delete_topics(kafka_bootstrap_servers, prefix)


async def test_what_a_process_that_died_has_left_in_the_outbox_is_sent_by_another(town: Town) -> None:
    from complaints.adapters.kafka import Topics, open_producer
    from routing.outbox import Outbox

    record = CommandRecord(
        id=UUID(int=7),
        desk="one",
        complaint=str(UUID(int=8)),
        command="record-count",
        by=SYSTEM,
        data={"count": "left"},
    )
    async with open_producer(town.settings.kafka, client="left") as producer:
        outbox = Outbox(pool=town.pool, producer=producer, topics=Topics(town.settings.kafka.topic_prefix))
        await town.pool.execute(
            "INSERT INTO routing.outbox (record, put_at) VALUES ($1, now() - interval '1 minute')",
            msgspec.json.encode(record),
        )
        async with running(outbox.run()):

            async def sent() -> bool:
                return any(command.data == record.data for command in await town.commands("record-count"))

            await until(sent)
            await until(outbox.caught_up)
