"""What events arm is what the engine says is due, at every moment of every story and of lives made up by chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import pytest
from hypothesis import given as supposing

from complaints.complaint import INITIAL, evolve
from complaints.deciding import next_due
from complaints.duties import EMPTY, evolve_duty
from complaints.duties import next_due as next_missed
from complaints.events import CaseEvent, Event
from sla_monitor.arming import ARMING, Arm, changes, period_name, period_of
from tests.domain.deciding.lives import EVERYTHING, Move, again, live, moves, punctually
from tests.expectations import NAMES, story


class Armed:
    """What is armed, by kind and name."""

    def __init__(self) -> None:
        self.instants: dict[tuple[str, str], set[datetime]] = {}

    def take(self, event: Event) -> None:
        for change in changes(event):
            key = (change.kind, change.name)
            if isinstance(change, Arm):
                self.instants[key] = {change.due_at}
                self.instants["warning", change.name] = set(change.warnings)
            elif change.upto is not None:
                upto = change.upto
                self.instants[key] = {at for at in self.instants.get(key, ()) if at > upto}
            else:
                self.instants.pop(key, None)
                if change.kind == "clock":
                    self.instants.pop(("warning", change.name), None)

    def after(self, at: datetime) -> datetime | None:
        """The next instant. An opening that has passed is not due again."""
        found = [i for key, these in self.instants.items() for i in these if key[0] != "step" or i > at]
        return min(found, default=None)


def agrees(events: Iterable[CaseEvent]) -> None:
    state, armed = INITIAL, Armed()
    for event in events:
        state = evolve(state, event)
        armed.take(event)
        assert isinstance(event, ARMING) or not list(changes(event))
        assert armed.after(event.at) == next_due(state), event


@pytest.mark.parametrize("name", NAMES)
def test_in_every_story_what_is_armed_is_what_is_due(name: str) -> None:
    world = story(name).world()
    for history in world.histories.values():
        agrees(history)


@pytest.mark.parametrize("name", NAMES)
def test_in_every_story_what_is_armed_of_the_desk_is_what_will_be_missed(name: str) -> None:
    book, armed = EMPTY, Armed()
    for event in story(name).world().desk.history:
        book = evolve_duty(book, event)
        armed.take(event)
        assert armed.after(event.at) == next_missed(book)


@supposing(made=moves)
def test_in_any_life_what_is_armed_is_what_is_due(made: Sequence[Move]) -> None:
    agrees(live(EVERYTHING, made).events)


@supposing(made=moves)
def test_in_any_life_with_punctual_timers_what_is_armed_is_what_is_due(made: Sequence[Move]) -> None:
    agrees(again(live(EVERYTHING, made), before=punctually).events)


def test_a_period_is_named_by_its_duty_and_itself() -> None:
    assert period_of(period_name("summary", "soft 及时")) == ("summary", "soft 及时")
