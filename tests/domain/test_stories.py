"""Every story through the world: what must come out comes out, and neither replay nor late timers change a history."""

from __future__ import annotations

import pytest

from complaints.complaint import replay
from complaints.duties import replay_duties
from tests.expectations import NAMES, lines, story, unmet


@pytest.mark.parametrize("name", NAMES)
def test_what_must_come_out_of_the_story_comes_out(name: str) -> None:
    told = story(name)
    world = told.world()
    assert told.expectations, "a story without expectations shows nothing"
    assert list(unmet(told.expectations, lines(world), world, told.until)) == []


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_out_as_well_where_the_system_does_its_own_part(name: str) -> None:
    """As live: what the story says of the system then has happened already, and is refused."""
    told = story(name)
    world = told.world(acts=True)
    assert list(unmet(told.expectations, lines(world), world, told.until)) == []


@pytest.mark.parametrize("name", NAMES)
def test_replaying_what_happened_gives_the_same_state(name: str) -> None:
    world = story(name).world()
    assert {case: replay(events) for case, events in world.histories.items()} == world.cases
    assert replay_duties(world.desk.history) == world.desk.book


@pytest.mark.parametrize("name", NAMES)
def test_a_case_whose_timers_never_fire_has_the_same_history_up_to_its_last_command(name: str) -> None:
    told = story(name)
    punctual, late = told.world(), told.world(punctual=False)
    assert punctual.histories.keys() == late.histories.keys()
    for case, state in late.cases.items():
        assert state.last_at is not None
        assert [event for event in punctual.histories[case] if event.at <= state.last_at] == late.histories[case]
