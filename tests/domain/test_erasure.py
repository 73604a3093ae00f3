"""Erasing a data subject, on the store in memory and the real decider."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4, uuid5

import pytest

from complaints.adapters.sealing import Sealing
from complaints.adapters.subject_keys import MemoryKeys
from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.desk_events import LimitsSet
from complaints.desks import simulated
from complaints.errors import Transient
from complaints.events import ComplaintReceived, SubjectErased
from complaints.identity import REDRESS_NS
from complaints.personal import ERASED
from complaints.sealer import Unsealed
from tests.memory_world import (
    AGENT,
    MONDAY,
    PLAIN,
    PROTECTION,
    World,
    case,
    only,
    rejected,
)


async def old_case(world: World, complainant: str | None, *, years: int = 4) -> str:
    a, world.now = case(), MONDAY - timedelta(days=366 * years)
    named = {} if complainant is None else {"complainant": complainant}
    await world.closed(a, facts={"content": "漏水"}, **named)
    world.now = MONDAY
    return a


def lasting() -> World:
    return World(simulated(PLAIN, DEFAULT_CALENDAR, [LimitsSet(at=MONDAY, oldest_days=30_000)], desk="demo"))


async def test_an_erasure_closes_every_case_of_the_subject_and_is_recorded_on_each() -> None:
    world = lasting()
    a, b, other = [await old_case(world, who) for who in ("王五", "王五", "李四")]

    handled = await world.send("erase-subject", a, PROTECTION, subject="王五", reason="本人要求")

    erased = only(handled.events, SubjectErased)
    assert erased.subject == str(world.sealing.pseudonym("demo", "王五"))
    for one in (a, b):
        (received, *_, last) = await world.records(one)
        assert isinstance(received.event, ComplaintReceived)
        assert received.event.complainant is ERASED
        assert isinstance(last.event, SubjectErased)
        state = (await world.handler.load("demo", one)).state
        assert state.facts["content"] is ERASED
    assert (await world.handler.load("demo", other)).state.complainant == "李四"
    assert await world.holds()


async def test_an_erasure_is_refused_while_any_case_of_the_subject_must_be_kept() -> None:
    world = lasting()
    a, b = await old_case(world, "王五"), await old_case(world, "王五", years=1)

    refusal = await rejected(world.send("erase-subject", a, PROTECTION, subject="王五", reason="本人要求"))

    assert (refusal.code, refusal.clause, refusal.data["of"]) == ("must-be-kept", "第二十三条", b)
    assert (await world.handler.load("demo", a)).state.complainant == "王五"
    await world.send("receive", case(), channel="web", complainant="王五")  # the subject is not locked


async def test_a_case_without_a_complainant_is_its_own_subject() -> None:
    world = lasting()
    a, other = await old_case(world, None), await old_case(world, None)

    assert (
        await rejected(world.send("erase-subject", a, PROTECTION, subject="王五", reason="r"))
    ).code == "no-such-subject"
    await world.send("erase-subject", a, PROTECTION, subject=a, reason="r")

    assert (await world.handler.load("demo", a)).state.facts["content"] is ERASED
    assert (await world.handler.load("demo", other)).state.facts["content"] == "漏水"


async def test_a_process_that_holds_an_erased_case_in_memory_forgets_it_when_it_looks_again() -> None:
    world = lasting()
    a = await old_case(world, "王五")
    elsewhere = world.process()
    assert (await elsewhere.load("demo", a)).state.complainant == "王五"

    await world.send("erase-subject", a, PROTECTION, subject="王五", reason="r")

    assert (await elsewhere.load("demo", a)).state.complainant is ERASED


class Crash(Exception):
    pass


@pytest.mark.parametrize("where", ["begun", "recorded"])
async def test_an_erasure_that_a_crash_interrupted_is_ended_or_taken_back(where: str) -> None:
    world = lasting()
    a, b = await old_case(world, "王五"), await old_case(world, "王五")

    class Crashing(Sealing):
        async def erase(self, subject: UUID) -> None:
            raise Crash

    async def crash() -> None:
        raise Crash

    if where == "begun":
        world.store.before_append = crash
    with pytest.raises(Crash):
        await world.send(
            "erase-subject",
            a,
            PROTECTION,
            handler=world.process(Crashing(world.keys, bytes(32))),
            subject="王五",
            reason="r",
        )

    recovered = await world.process().recover()

    assert recovered == 1
    for one in (a, b):
        complainant = (await world.process().load("demo", one)).state.complainant
        assert complainant == "王五" if where == "begun" else complainant is ERASED
    await world.send("receive", case(), channel="web", complainant="王五")


@pytest.mark.parametrize("where", ["begun", "recorded"])
async def test_a_new_case_of_a_subject_settles_the_erasure_that_stands_in_its_way(where: str) -> None:
    world = lasting()
    a = await old_case(world, "王五")
    subject = world.sealing.pseudonym("demo", "王五")
    if where == "begun":
        await world.sealing.begin_erasing(subject, uuid4())
    else:
        await world.send("erase-subject", a, PROTECTION, key="e2", subject="王五", reason="r")
        await world.sealing.begin_erasing(subject, uuid5(REDRESS_NS, "e2"))

    new = case()
    await world.send("receive", new, channel="web", complainant="王五")

    assert (await world.handler.load("demo", new)).state.complainant == "王五"
    assert await world.sealing.erasing() == {}
    old = (await world.handler.load("demo", a)).state.complainant
    assert old == "王五" if where == "begun" else old is ERASED


async def test_a_repeated_erasure_gets_its_answer_and_changes_nothing() -> None:
    world = lasting()
    a = await old_case(world, "王五")
    first = await world.send("erase-subject", a, PROTECTION, key="e1", subject="王五", reason="r")

    again = await world.send("erase-subject", a, PROTECTION, key="e1", subject="王五", reason="r")

    assert (again.duplicate, list(again.events)) == (True, list(first.events))


async def test_a_subject_whose_case_is_just_coming_in_is_not_erased_under_it() -> None:
    world = lasting()
    a = await old_case(world, "王五")
    slow = MemoryKeys(settled=60.0)
    slow.__dict__.update({**world.keys.__dict__, "_settled": 60.0})
    sealing = Sealing(slow, bytes(32))
    subject = sealing.pseudonym("demo", "王五")
    await sealing.seal(uuid4(), "demo", [unsealed(subject)], facts=(), by=AGENT)  # its first event is on the way

    with pytest.raises(Transient):
        await world.send("erase-subject", a, PROTECTION, handler=world.process(sealing), subject="王五", reason="r")


def unsealed(subject: UUID) -> Unsealed:
    event = ComplaintReceived(
        at=MONDAY,
        channel="web",
        receiver="agent",
        person="an",
        arrived_closed=False,
        pack="p",
        pack_version=1,
        complainant="王五",
    )
    return Unsealed(event, 1, subject)
