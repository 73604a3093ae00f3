"""The only way to write, on the store in memory and the real decider."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.commands import Sender
from complaints.desk_events import PersonJoined, WarningSet
from complaints.desks import DeskView, simulated
from complaints.errors import CommandReused, RedressError, Unknown, VersionConflict
from complaints.events import ClockStarted, ComplaintReceived, PackChanged, SampleDrawn
from complaints.handling import Handled
from complaints.identity import duties_stream
from complaints.procedure.library import packs
from complaints.refusals import Refusal
from tests.memory_world import (
    CONTEXT,
    LEAD,
    MONDAY,
    PLAIN,
    SYSTEM,
    World,
    case,
    names,
    only,
    rejected,
)
from tests.spec import pack


@pytest.fixture
def world() -> World:
    return World()


# --- what is recorded ---
async def test_a_received_complaint_is_recorded_under_its_desk_and_subject(world: World) -> None:
    a = case()
    handled = await world.send(
        "receive",
        a,
        channel="web",
        complainant="王五",
        facts={"content": "漏水", "subject": "水"},
        contact={"email": "w@x.cn"},
    )

    received = only(handled.events, ComplaintReceived)
    assert received.subject == str(world.sealing.pseudonym("demo", "王五"))
    assert (received.desk_version, received.calendar, received.pack) == (1, "default", "00-plain-desk")
    assert (handled.first_position, handled.last_position) == (1, handled.version)
    records = await world.records(a)
    assert [record.event for record in records] == list(handled.events)
    assert all(record.meta.correlation_id == record.meta.command_id for record in records)
    assert {record.meta.frontend for record in records} == {"web"}
    assert await world.holds()


async def test_nothing_personal_lies_in_the_log(world: World) -> None:
    a = case()
    await world.send(
        "receive", a, channel="web", complainant="王五", facts={"content": "漏水"}, contact={"email": "w@x.cn"}
    )
    await world.send("judge", a, decide="grade", to="high", reason="王五是老客户")

    for row in await world.store.read(UUID(a)):
        for personal in ("王五", "漏水", "w@x.cn"):
            assert personal not in (row.data + row.meta).decode()


async def test_a_command_that_decides_nothing_writes_nothing(world: World) -> None:
    a = case()
    before = await world.send("receive", a, channel="web")

    handled = await world.send("fire-timer", a, SYSTEM)

    assert (handled.events, handled.version) == ((), before.version)
    assert len(await world.store.read(UUID(a))) == before.version


async def test_the_desks_warnings_reach_the_decision() -> None:
    view = simulated(PLAIN, DEFAULT_CALENDAR, [WarningSet(at=MONDAY, clock="answer", shares=(0.5,))], desk="demo")
    world = World(view)
    handled = await world.send("receive", case(), channel="web")

    started = [event for event in handled.events if isinstance(event, ClockStarted) and event.clock == "answer"]
    assert [len(clock.warn_at) for clock in started] == [1]


# --- repeats ---
async def test_a_repeated_command_gets_the_answer_that_it_got(world: World) -> None:
    a = case()
    first = await world.send("receive", a, channel="web", key="k1", complainant="王五")
    await world.send("resolve", a)

    again = await world.send(
        "receive", a, channel="web", key="k1", complainant="王五", at=world.now + timedelta(seconds=5)
    )

    assert again.duplicate
    assert list(again.events) == list(first.events)
    assert (again.version, again.first_position, again.last_position) == (
        first.version,
        first.first_position,
        first.last_position,
    )


async def test_a_repeat_that_would_be_refused_today_still_gets_its_answer(world: World) -> None:
    a = case()
    await world.send("receive", a, channel="web")
    first = await world.send("resolve", a, key="k2", reason="谈妥")
    await world.send("close", a)

    again = await world.send("resolve", a, key="k2", reason="谈妥")

    assert again.duplicate
    assert list(again.events) == list(first.events)


async def test_a_repeat_with_a_stale_version_gets_its_answer_too(world: World) -> None:
    a = case()
    received = await world.send("receive", a, channel="web")
    first = await world.send("resolve", a, key="k3", if_version=received.version)

    again = await world.send("resolve", a, key="k3", if_version=received.version)

    assert (again.duplicate, again.version) == (True, first.version)


async def test_a_command_id_used_for_another_request_is_refused(world: World) -> None:
    a = case()
    await world.send("receive", a, channel="web", key="k4", facts={"content": "x"})

    with pytest.raises(CommandReused):
        await world.send("receive", a, channel="web", key="k4", facts={"content": "y"})


async def test_a_command_sent_twice_at_once_is_recorded_once(world: World) -> None:
    a = case()
    answers = await asyncio.gather(*(world.send("receive", a, channel="web", key="k5") for _ in range(8)))

    assert sorted(answer.duplicate for answer in answers) == [False] + [True] * 7
    assert {answer.first_position for answer in answers} == {1}
    assert await world.store.head() == answers[0].version


# --- others were first ---
async def test_whoever_was_second_decides_again_on_what_the_first_did(world: World) -> None:
    a = case()
    await world.send("receive", a, channel="web")
    elsewhere = world.process()
    before = (await world.handler.load("demo", a)).version

    async def other() -> Handled:
        return await world.send("record-facts", a, handler=elsewhere, facts={"category": "水"})

    world.store.before_append = other
    handled = await world.send("record-facts", a, facts={"product": "管"})

    facts = (await world.handler.load("demo", a)).state.facts
    assert (facts["category"], facts["product"], handled.version) == ("水", "管", before + 2)
    assert world.seen[-1] == ("record-facts", "done", 2)
    assert await world.holds()


async def test_nothing_is_refused_on_the_word_of_an_old_state(world: World) -> None:
    a = case()
    await world.send("receive", a, channel="web")
    assert (await rejected(world.send("close", a))).code == "nothing-to-record"
    await world.send("resolve", a, handler=world.process())  # this process does not know

    handled = await world.send("close", a)

    assert "complaint.closed" in names(handled.events)


async def test_many_writers_to_one_case_all_get_through(world: World) -> None:
    a = case()
    await world.send("receive", a, channel="web")
    processes = [world.process(tries=50) for _ in range(3)]

    await asyncio.gather(
        *(world.send("record-facts", a, handler=processes[n % 3], facts={"place": f"第{n}号"}) for n in range(30))
    )

    recorded = [record for record in await world.records(a) if record.type == "facts.recorded"]
    assert len(recorded) == 30
    assert await world.holds()


async def test_after_so_many_tries_the_conflict_is_told(world: World) -> None:
    a = case()
    await world.send("receive", a, channel="web")
    elsewhere = world.process()
    said = 0

    async def other() -> None:
        nonlocal said
        said += 1
        await world.send("record-facts", a, handler=elsewhere, facts={"place": f"第{said}号"})

    async def pause(_tries: int) -> None:
        world.store.before_append = other

    stubborn = world.process(tries=3, pause=pause)
    world.store.before_append = other
    with pytest.raises(VersionConflict):
        await world.send("record-facts", a, handler=stubborn, facts={"product": "管"})
    assert world.seen[-1] == ("record-facts", "version-conflict", 3)


async def test_a_case_in_memory_is_not_read_again(world: World) -> None:
    a = case()
    await world.send("receive", a, channel="web")
    before = world.store.reads

    await world.send("resolve", a)

    assert world.store.reads == before


async def test_a_case_that_was_dropped_from_memory_is_replayed(world: World) -> None:
    handler = world.process(cached=1)
    a, b = case(), case()
    for one in (a, b):
        await world.send("receive", one, channel="web", handler=handler, facts={"content": "漏水"})

    await world.send("resolve", a, handler=handler)

    state = (await handler.load("demo", a)).state
    assert (state.facts["content"], "resolved" in state.milestones) == ("漏水", True)


# --- what the sender believes ---
async def test_a_stale_version_is_refused_with_the_version_there_is(world: World) -> None:
    a = case()
    received = await world.send("receive", a, channel="web")

    refusal = await rejected(world.send("resolve", a, if_version=received.version - 1))

    assert refusal.code == "version-conflict"
    assert refusal.data == {"expected": received.version - 1, "actual": received.version}


async def test_the_right_version_is_accepted_even_where_memory_is_behind(world: World) -> None:
    a = case()
    await world.send("receive", a, channel="web")
    other = await world.send("record-facts", a, handler=world.process(), facts={"place": "东门"})

    assert (await world.send("resolve", a, if_version=other.version)).version > other.version


# --- who and where ---
async def test_a_case_of_another_desk_is_unknown(world: World) -> None:
    world.desks.add(simulated(PLAIN, DEFAULT_CALENDAR, desk="other"))
    a = case()
    await world.send("receive", a, channel="web")

    for name in ("resolve", "receive"):
        with pytest.raises(Unknown) as caught:
            await world.handler.handle("other", world.command(name, a), context=CONTEXT)
        assert caught.value.code == "no-such-complaint"
    with pytest.raises(Unknown):
        await world.handler.load("other", a)


@pytest.mark.parametrize("complaint", ["", "A", "../x", "00000000-0000-0000-0000-000000000000", "\0"])
async def test_a_complaint_that_there_is_none_of_is_unknown(world: World, complaint: str) -> None:
    with pytest.raises(Unknown) as caught:
        await world.send("resolve", complaint)
    assert caught.value.code == "no-such-complaint"


async def test_the_desks_own_streams_are_no_complaints(world: World) -> None:
    await world.send("open-duty", "desk", SYSTEM, owe="monthly_report", period="2026-03")

    for name in ("receive", "resolve"):
        with pytest.raises(Unknown):
            await world.send(name, str(duties_stream("demo")))


async def test_an_unknown_desk_is_told(world: World) -> None:
    with pytest.raises(Unknown) as caught:
        await world.handler.handle("nowhere", world.command("receive", case()), context=CONTEXT)
    assert caught.value.code == "no-such-desk"


def staffed() -> DeskView:
    return simulated(
        PLAIN, DEFAULT_CALENDAR, [PersonJoined(at=MONDAY, person="an", name="安", roles=("agent",))], desk="demo"
    )


async def test_only_people_of_the_desk_act_and_only_in_their_roles() -> None:
    world, a = World(staffed()), case()
    await world.send("receive", a, channel="web")

    assert (await rejected(world.send("resolve", a, LEAD))).code == "no-such-person"
    refusal = await rejected(world.send("resolve", a, Sender(person="an", role="desk_lead")))
    assert (refusal.code, refusal.data["roles"]) == ("not-your-role", ["agent"])
    assert "complaint.resolved" in names((await world.send("resolve", a)).events)


async def test_customers_and_the_system_are_no_staff() -> None:
    world, a = World(staffed()), case()
    await world.send("receive", a, Sender(person="王五", role="customer"), channel="web")

    handled = await world.send("fire-timer", a, SYSTEM, at=MONDAY + timedelta(minutes=1))

    assert handled.events == ()
    (received, *_) = await world.records(a)
    assert received.meta.by == Sender(person="王五", role="customer")


# --- numbers and links ---
async def test_a_number_belongs_to_one_case_and_the_other_is_told_whose(world: World) -> None:
    a, b = case(), case()
    await world.send("receive", a, channel="web", facts={"source_id": "S-1"})

    refusal = await rejected(world.send("receive", b, channel="web", facts={"source_id": "S-1"}))

    assert (refusal.code, refusal.clause, refusal.data["of"]) == ("already-received", "第五条", a)
    assert await world.store.read(UUID(b)) == []
    await world.send("receive", b, channel="web", facts={"source_id": "S-2"})


async def test_of_two_cases_that_claim_a_number_at_once_one_gets_it(world: World) -> None:
    answers = await asyncio.gather(
        *(
            world.send("receive", case(), channel="web", handler=world.process(), facts={"source_id": "S-1"})
            for _ in range(5)
        ),
        return_exceptions=True,
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["Handled"] + ["Rejected"] * 4


LINKING = """
steps:
- part: all
  clause: p
  rows:
  - {do: handle, by: cm, clause: h, milestone: resolved}
  - {close: end, by: cm, clause: e, after: handle}
  - {reopen: again, by: cm, clause: r, after: end, duty: may, back: {reopened: handle}}
other-cases:
- {link: taken_up, clause: l, when: closed}
"""


async def test_a_link_to_an_old_case_that_changes_meanwhile_is_decided_again() -> None:
    world = World(simulated(pack(LINKING), DEFAULT_CALENDAR, desk="demo"))
    cm = Sender(person="chen", role="cm")
    first, second, new = case(), case(), case()
    for old in (first, second):
        for name in ("receive", "resolve", "close"):
            await world.send(name, old, cm)
    elsewhere = world.process()

    async def reopened(old: str) -> Handled:
        return await world.send("reopen", old, cm, handler=elsewhere)

    world.store.before_append = lambda: reopened(first)
    refusal = await rejected(world.send("receive", new, cm, again_of={"complaint": first, "relation": "taken_up"}))
    linked = await world.send("receive", new, cm, again_of={"complaint": second, "relation": "taken_up"})

    assert (refusal.code, refusal.clause) == ("link-not-allowed", "l")
    assert "complaint.linked" in names(linked.events)


async def test_a_case_of_another_desk_cannot_be_taken_up() -> None:
    world = World(simulated(pack(LINKING), DEFAULT_CALENDAR, desk="demo"))
    world.desks.add(simulated(pack(LINKING), DEFAULT_CALENDAR, desk="other"))
    cm, old, new = Sender(person="chen", role="cm"), case(), case()
    for name in ("receive", "resolve", "close"):
        await world.handler.handle("other", world.command(name, old, cm), context=CONTEXT)

    refusal = await rejected(world.send("receive", new, cm, again_of={"complaint": old, "relation": "taken_up"}))

    assert refusal.code == "no-such-complaint"


# --- duties ---
async def test_duties_are_a_stream_of_the_desk(world: World) -> None:
    due = MONDAY + timedelta(days=3)
    opened = await world.send("open-duty", "desk", SYSTEM, owe="monthly_report", period="2026-03", due_at=due)
    world.now = MONDAY + timedelta(days=1)

    done = await world.send("record-duty", "desk", LEAD, owe="monthly_report")

    assert opened.stream_id == duties_stream("demo")
    assert names(done.events) == ["duty.recorded"]
    records = await world.records(str(duties_stream("demo")))
    assert {(record.category, record.meta.complaint) for record in records} == {("duties", "desk")}


async def test_a_duty_repeated_by_its_key_is_recorded_once(world: World) -> None:
    await world.send("open-duty", "desk", SYSTEM, owe="monthly_report", period="2026-03")
    first = await world.send("record-duty", "desk", LEAD, key="d1", owe="monthly_report")

    again = await world.send("record-duty", "desk", LEAD, key="d1", owe="monthly_report")

    assert (again.duplicate, list(again.events)) == (True, list(first.events))


# --- the ground changes ---
async def test_a_case_stays_under_the_procedure_under_which_it_was_received(world: World) -> None:
    a = case()
    await world.send("receive", a, channel="web")
    other = simulated(packs()["04-auto-repair-feedback-slip"].load(), DEFAULT_CALENDAR, desk="demo")
    world.desks.add(replace(other, version=2))

    handled = await world.send("resolve", a)

    assert "complaint.resolved" in names(handled.events)
    (*_, last) = await world.records(a)
    assert (last.meta.pack, last.meta.desk_version) == ("00-plain-desk", 1)


async def test_a_case_goes_on_in_another_calendar_by_name(world: World) -> None:
    a = case()
    await world.send("receive", a, channel="web")
    view = await world.desks.current("demo")
    longer = {**DEFAULT_CALENDAR.weekly, "sat": (("09:00", "18:00"),)}
    spec = msgspec.structs.replace(DEFAULT_CALENDAR, weekly=longer, version="default.2")
    world.desks.add(replace(view, version=2, calendars={**view.calendars, "default.2": spec}))

    handled = await world.send("apply-calendar", a, SYSTEM, version="default.2")

    assert (await world.handler.load("demo", a)).state.calendar == "default.2"
    assert "clock.recomputed" in names(handled.events)
    assert (await rejected(world.send("apply-calendar", a, SYSTEM, version="no"))).code == "no-such-calendar"
    await world.send("resolve", a)
    (*_, last) = await world.records(a)
    assert last.meta.desk_version == 1  # the procedure is that of the receipt


async def test_a_case_goes_on_under_another_version_of_its_procedure(world: World) -> None:
    a = case()
    await world.send("receive", a, channel="web")
    text = packs()["00-plain-desk"].text.replace("version: 1\n", "version: 2\n", 1)
    newer = replace(packs()["00-plain-desk"], version=2, text=text).load()
    world.desks.add(replace(simulated(newer, DEFAULT_CALENDAR, desk="demo"), version=2))

    refusal = await rejected(world.send("change-pack", a, LEAD, pack="00-plain-desk", pack_version=3, reason="修订"))
    handled = await world.send("change-pack", a, LEAD, pack="00-plain-desk", pack_version=2, reason="修订")

    assert (refusal.code, refusal.data["pack_version"]) == ("no-such-pack", 2)
    assert only(handled.events, PackChanged).desk_version == 2
    await world.send("resolve", a)
    (*_, last) = await world.records(a)
    assert (last.meta.pack_version, last.meta.desk_version) == (2, 2)


# --- who watches ---
async def test_every_outcome_is_told_to_who_watches(world: World) -> None:
    a = case()
    await world.send("receive", a, channel="web", key="w1")
    await world.send("receive", a, channel="web", key="w1")
    await world.send("fire-timer", a, SYSTEM)
    with pytest.raises(RedressError):
        await world.send("close", a)

    assert [(command, outcome) for command, outcome, _ in world.seen] == [
        ("receive", "done"),
        ("receive", "repeated"),
        ("fire-timer", "nothing"),
        ("close", "nothing-to-record"),
    ]


# --- samples ---
SURVEYED = pack("""
facts:
- {fact: grumbled, type: yes-no, clause: f}
desk:
- {owe: survey, every: not-stated, by: md, clause: d, sample: {size: 2, include: grumbled}}
""")


async def test_whoever_a_sample_must_include_comes_from_the_cases_of_the_desk() -> None:
    world = World(simulated(SURVEYED, DEFAULT_CALENDAR, desk="demo"))
    await world.send("receive", case(), channel="web", complainant="王五", facts={"grumbled": True})
    await world.send("receive", case(), channel="web", complainant="李四", facts={"grumbled": False})

    by = Sender(person="mo", role="md")
    asked: dict[str, Any] = {"population": ["李四", "王五", "赵六", "孙七"], "included": ["孙七"]}
    handled = await world.send("draw-sample", "desk", by, owe="survey", seed=7, **asked)

    drawn = only(handled.events, SampleDrawn)
    assert drawn.included == ["王五"]
    assert len(drawn.drawn) == 2
    assert "王五" in drawn.drawn


# --- refused attempts ---
async def test_what_a_hold_refused_is_noted_and_names_nobody() -> None:
    held = pack("""
holds: [{hold: gate, clause: h, forbids: [act], until: first.done}]
steps:
- part: p
  rows: [{do: first, clause: 一, by: md}, {do: act, clause: 二, by: cm}]
""")
    world = World(simulated(held, DEFAULT_CALENDAR, desk="demo"))
    noted: list[Refusal] = []

    async def note(refusal: Refusal) -> None:
        noted.append(refusal)

    handler = world.process(note_refusal=note)
    a = case()
    await world.send("receive", a, channel="web", handler=handler)
    by = Sender(person="cai", role="cm")
    refused = await rejected(world.send("record-step", a, by, step="act", handler=handler))
    await rejected(world.send("record-step", a, Sender(person="x", role="gm"), step="first", handler=handler))

    assert refused.code == "held"
    assert [(one.rule, one.complaint, one.command, one.role) for one in noted] == [
        ("gate", UUID(a), "record-step", "cm")
    ]
    assert "cai" not in str(noted)
