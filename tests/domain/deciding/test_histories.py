"""What holds of every history, whatever the procedure and whatever was asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings

from complaints.commands import CaseCommand
from complaints.complaint import INITIAL, replay
from complaints.deciding.run import Run
from complaints.deciding.settling import settle
from complaints.procedure.library import packs
from tests.domain.deciding.lives import EVERYTHING, Life, Move, again, live, moves, punctually
from tests.spec import CALENDAR, command, told

PROCEDURES = {"everything": EVERYTHING, **{name: pack.load() for name, pack in packs().items()}}
every_procedure = pytest.mark.parametrize("pack", PROCEDURES)
# Of each procedure; fewer where the tests are to be quick.
examples = settings(max_examples=min(40, settings().max_examples // 2))


def assert_same(one: Life, other: Life) -> None:
    """The same events in the same order; a failed test shows the first that differ."""
    for a, b in zip(one.events, other.events, strict=False):
        assert a == b, f"\n{told([a])}\n{told([b])}"
    assert len(one.events) == len(other.events)
    assert one.state == other.state


@every_procedure
@examples
@given(made=moves)
def test_looking_only_at_what_changed_finds_what_looking_at_every_row_finds(pack: str, made: list[Move]) -> None:
    life = live(PROCEDURES[pack], made)
    assert_same(life, again(life, thorough=True))


@every_procedure
@examples
@given(made=moves)
def test_a_history_without_any_timer_is_the_history_with_punctual_ones(pack: str, made: list[Move]) -> None:
    life = live(PROCEDURES[pack], made)
    assert_same(life, again(life, before=punctually))


@every_procedure
@examples
@given(made=moves)
def test_late_and_doubled_timers_change_nothing(pack: str, made: list[Move]) -> None:
    life = live(PROCEDURES[pack], made)

    def late_and_twice(other: Life, asked: CaseCommand) -> None:
        at = asked.at - timedelta(microseconds=1)
        if other.state.last_at is not None and at >= other.state.last_at:
            other.ask(command("fire-timer", at=at))
            version = other.state.version
            other.ask(command("fire-timer", at=at))
            assert other.state.version == version

    assert_same(life, again(life, before=late_and_twice))


@every_procedure
@examples
@given(made=moves)
def test_replaying_a_history_gives_the_state_and_time_never_runs_back(pack: str, made: list[Move]) -> None:
    life = live(PROCEDURES[pack], made)
    assert replay(life.events, INITIAL) == life.state
    assert life.state.version == len(life.events)
    instants = [event.at for event in life.events]
    assert instants == sorted(instants)


@every_procedure
@examples
@given(made=moves)
def test_a_case_is_at_rest_after_every_command(pack: str, made: list[Move]) -> None:
    life = live(PROCEDURES[pack], made)
    if life.state.last_at is None:
        return  # refused at the door
    run = Run(life.state, command("fire-timer", at=life.state.last_at), PROCEDURES[pack], CALENDAR, thorough=True)
    settle(run)
    assert run.events == []
