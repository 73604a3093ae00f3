"""The two kinds of time, on a case that the simulator lived through."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from complaints.codec import Envelope, Recorded
from complaints.commands import Sender
from complaints.complaint import replay
from complaints.events import (
    BreachWithdrawn,
    CaseEvent,
    ClockBreached,
    ComplaintReceived,
    FactsRecorded,
    PauseBegun,
    PauseEnded,
)
from ledger.history import as_it_was, effects, known_at
from tests.expectations import NAMES, story

NINE = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
CASE = UUID("0198e1a0-0000-7000-8000-000000000001")


def recorded(events: Sequence[CaseEvent], late: timedelta = timedelta()) -> list[Recorded]:
    """These events in a log, each recorded a while after it happened."""
    return [
        Recorded(
            position=version,
            stream_id=CASE,
            version=version,
            category="complaint",
            desk="demo",
            type="x",
            schema_version=1,
            recorded_at=event.at + late,
            event=event,
            meta=Envelope(
                desk="demo", complaint=str(CASE), at=event.at, by=Sender(person="an", role="agent"), command_id=uuid4()
            ),
            hash=b"",
            sealed={},
        )
        for version, event in enumerate(events, 1)
    ]


def lived(name: str) -> list[CaseEvent]:
    """The events of the first case of a story."""
    world = story(name).world()
    return next(iter(world.histories.values()))


def test_an_act_counts_from_when_it_was_done_and_so_does_what_followed_from_it() -> None:
    """Handed over at 09:30, typed in at 10:30; the limit ran out at 10:00 and the breach was withdrawn."""
    events = recorded(lived("04-recorded-late-done-in-time"))
    early, between, later = (replay(as_it_was(events, NINE + timedelta(minutes=m))) for m in (20, 45, 75))
    assert (early.holder, early.step("report_up").state) == ("front", "open")
    assert (between.holder, between.step("report_up").state) == ("cm", "over")
    assert between.step("write_slip").opened == NINE + timedelta(minutes=30)
    assert "write_slip" in between.clocks
    assert (later.holder, later.breaches) == ("cm", ())


def test_what_was_known_is_what_had_been_recorded() -> None:
    events = recorded(lived("04-recorded-late-done-in-time"))
    known = known_at(events, NINE + timedelta(minutes=65))
    state = replay(record.event for record in known)  # type: ignore[misc]  # a case's events
    assert (state.holder, len(state.breaches)) == ("front", 1)
    assert known_at(events, None) == events
    then = replay(as_it_was(known, NINE + timedelta(minutes=45)))
    assert then.holder == "front"


def test_an_event_takes_effect_when_it_says_and_never_after_it_was_recorded() -> None:
    events: list[Any] = lived("04-recorded-late-done-in-time")
    found = dict(zip([type(event) for event in events], effects(recorded(events)), strict=True))
    assert found[ClockBreached] == NINE + timedelta(hours=1)
    assert found[BreachWithdrawn] == NINE + timedelta(minutes=30)
    assert all(effect <= event.at for event, effect in zip(events, effects(recorded(events)), strict=True))


def test_the_end_of_a_pause_that_is_not_known_to_have_begun_is_left_out() -> None:
    first = next(event for event in lived("00-paused") if isinstance(event, ComplaintReceived))
    begun = PauseBegun(at=first.at + timedelta(hours=2), clock="answer")
    ended = PauseEnded(at=first.at + timedelta(hours=3), clock="answer", since=first.at + timedelta(hours=1))
    told = FactsRecorded(at=first.at + timedelta(hours=1), facts={"subject": "x"}, person="an")
    found = as_it_was(recorded([first, told, begun, ended]), first.at + timedelta(minutes=90))
    assert [type(event) for event in found] == [ComplaintReceived, FactsRecorded]


@pytest.mark.parametrize("name", NAMES)
def test_every_case_can_be_told_as_it_was_at_any_of_its_instants(name: str) -> None:
    """At the end of its life it is what it is now."""
    for history in story(name).world().histories.values():
        events = recorded(history)
        instants = sorted({event.at for event in history})
        for at in instants[:: max(len(instants) // 8, 1)]:
            state = replay(as_it_was(events, at))
            assert state.version <= len(history)
        if instants:
            end, now = replay(as_it_was(events, instants[-1])), replay(history)
            assert (end.steps, end.facts, end.decided, end.clocks.keys()) == (
                now.steps,
                now.facts,
                now.decided,
                now.clocks.keys(),
            )
