"""Instants that senders claim, as the handler takes or refuses them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.desk_events import LimitsSet
from complaints.desks import simulated
from complaints.errors import Malformed
from complaints.events import tag_of
from tests.memory_world import (
    MONDAY,
    PLAIN,
    SYSTEM,
    World,
    case,
    rejected,
)


@pytest.fixture
def world() -> World:
    return World()


async def test_what_lies_in_the_future_is_refused_but_for_what_clocks_may_differ(world: World) -> None:
    a = case()
    late = MONDAY + timedelta(minutes=10)
    assert (await rejected(world.send("receive", a, channel="web", occurred_at=late))).code == "in-the-future"
    assert (await rejected(world.send("receive", a, channel="web", at=late))).code == "in-the-future"

    await world.send("receive", a, channel="web", occurred_at=MONDAY + timedelta(seconds=30))

    assert (await world.handler.load("demo", a)).state.received_at == MONDAY
    assert (await rejected(world.send("resolve", a, done_at=late))).data["field"] == "done_at"


async def test_what_lies_absurdly_far_back_is_refused_by_the_desks_own_limit() -> None:
    view = simulated(PLAIN, DEFAULT_CALENDAR, [LimitsSet(at=MONDAY, oldest_days=30)], desk="demo")
    world = World(view)

    refusal = await rejected(world.send("receive", case(), channel="web", occurred_at=MONDAY - timedelta(days=31)))
    assert (refusal.code, refusal.data["field"]) == ("too-old", "occurred_at")
    await world.send("receive", case(), channel="web", occurred_at=MONDAY - timedelta(days=29))
    hastings = datetime(1066, 10, 14, tzinfo=UTC)
    refusal = await rejected(world.send("receive", case(), channel="web", occurred_at=hastings, imported=True))
    assert refusal.code == "too-old"


async def test_a_timer_of_a_monitor_whose_clock_is_ahead_decides_what_it_was_fired_for(world: World) -> None:
    a, due = case(), MONDAY + timedelta(hours=1)
    await world.send("receive", a, channel="web")
    world.now = due - timedelta(seconds=30)

    fired = await world.send("fire-timer", a, SYSTEM, clock="acknowledge", due_at=due)

    assert [(tag_of(event), event.at) for event in fired.events][:1] == [("clock.breached", due)]
    assert (await world.records(a))[-1].meta.at == due


async def test_a_timer_that_is_fired_before_the_clocks_may_differ_so_much_decides_nothing(world: World) -> None:
    a, due = case(), MONDAY + timedelta(hours=1)
    await world.send("receive", a, channel="web")
    world.now = due - timedelta(minutes=10)

    assert (await world.send("fire-timer", a, SYSTEM, clock="acknowledge", due_at=due)).events == ()


async def test_a_period_opens_and_is_missed_when_it_is_said_to_though_the_clock_here_is_behind(world: World) -> None:
    month: dict[str, Any] = {"owe": "monthly_report", "period": "2026-04"}
    opens = due = MONDAY + timedelta(hours=1)
    world.now = opens - timedelta(seconds=30)

    opened = await world.send("open-duty", "desk", SYSTEM, **month, opens_at=opens, due_at=due)
    missed = await world.send("miss-duty", "desk", SYSTEM, **month, due_at=due)

    assert [(tag_of(event), event.at) for event in opened.events] == [("duty.opened", opens)]
    assert [(tag_of(event), event.at) for event in missed.events] == [("duty.breached", due)]


async def test_an_instant_without_an_offset_is_malformed(world: World) -> None:
    with pytest.raises(Malformed) as caught:
        await world.send("receive", case(), channel="web", occurred_at="2026-03-01T09:00:00")
    assert caught.value.field == "data.occurred_at"


async def test_only_an_imported_case_is_told_of_the_past(world: World) -> None:
    a, before = case(), MONDAY - timedelta(days=200)
    assert (await rejected(world.send("receive", a, channel="web", at=before))).code == "too-old"

    await world.send("receive", a, channel="web", at=before, occurred_at=before, imported=True)
    await world.send("resolve", a, at=before + timedelta(hours=2))

    records = await world.records(a)
    assert records[0].event.at == before
    assert [record.event.at for record in records if record.type == "clock.breached"] == [before + timedelta(hours=1)]
    assert max(record.event.at for record in records) == before + timedelta(hours=2)
    assert all(record.meta.imported for record in records)


async def test_an_imported_step_told_out_of_order_is_done_when_it_says(world: World) -> None:
    a, before = case(), MONDAY - timedelta(days=200)
    await world.send("receive", a, channel="web", at=before, occurred_at=before, imported=True)
    await world.send("record-facts", a, at=before + timedelta(days=2), facts={"place": "东门"})

    handled = await world.send("resolve", a, at=before + timedelta(days=1))

    resolved = next(event for event in handled.events if tag_of(event) == "complaint.resolved")
    assert getattr(resolved, "done_at", None) == before + timedelta(days=1)
    assert resolved.at == before + timedelta(days=2)
