"""A case folded from its events, and as it was."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given as for_all

from complaints.complaint import FRESH, INITIAL, Breach, Complaint, evolve, replay
from complaints.events import (
    BreachWithdrawn,
    CaseEvent,
    ClockBreached,
    ClockStarted,
    ComplaintClosed,
    ComplaintReceived,
    ComplaintReopened,
    Event,
    FactsRecorded,
    ItemAdded,
    PauseBegun,
    PauseEnded,
    StepOpened,
    StepsReopened,
    WorkRecorded,
    tag_of,
)
from complaints.past import as_of
from tests.domain.deciding.lives import EVERYTHING, Move, live, moves
from tests.spec import MONDAY, at, command, given, pack, receive, record, say


def received(**more: Any) -> ComplaintReceived:
    return ComplaintReceived(
        at=MONDAY,
        channel="phone",
        receiver="front",
        person="ann",
        arrived_closed=False,
        pack="p",
        pack_version=1,
        **more,
    )


def test_nothing_is_known_of_a_case_that_was_never_received() -> None:
    assert INITIAL.version == 0
    assert INITIAL.received_at is None
    assert INITIAL.step("anything") is FRESH


def test_a_received_case_has_its_pack_receiver_and_facts() -> None:
    state = replay([received(facts={"media": True}, complainant="li", contact={"email": "l@x"})])
    assert (state.version, state.pack, state.receiver, state.holder) == (1, "p", "front", "front")
    assert state.facts == {"media": True}
    assert state.history["media"] == ((MONDAY, True),)
    assert state.received_at == state.last_at == MONDAY


def test_the_version_counts_the_events() -> None:
    said = FactsRecorded(at=at(), facts={"a": 1}, person="ann")
    assert replay([received(), said, said]).version == 3


def test_what_did_not_change_is_not_copied() -> None:
    before = replay([received(), StepOpened(at=at(), step="look", by="cm")])
    after = evolve(before, FactsRecorded(at=at(), facts={"a": 1}, person="ann"))
    assert after.steps is before.steps
    assert after.clocks is before.clocks
    assert before.facts == {}


def test_a_record_that_ends_a_step_says_when_and_by_whom() -> None:
    done = WorkRecorded(
        at=at(1), step="look", verb="do", outcome="done", over=True, person="ann", as_="cm", done_at=at(0, "10:00")
    )
    step = replay([received(), StepOpened(at=at(), step="look", by="cm"), done]).steps["look"]
    assert (step.state, step.outcome, step.at, step.person) == ("over", "done", at(0, "10:00"), "ann")
    assert step.signed == (("cm", "ann"),)
    assert [mark.what for mark in step.marks] == ["opened", "recorded"]


def test_a_loop_makes_steps_wait_again_one_round_later_and_forgets_the_clocks_in_it() -> None:
    clock = ClockStarted(at=at(), clock="look", from_=at(), due_at=at(1))
    again = StepsReopened(at=at(0, "12:00"), steps=["look"], clocks=["look"], first="look", because="refused")
    state = replay([received(), StepOpened(at=at(), step="look", by="cm"), clock, again])
    assert state.steps["look"].round == 2
    assert state.steps["look"].state == "waiting"
    assert state.clocks == {}


def test_closing_and_reopening() -> None:
    fields: dict[str, Any] = {"verb": "close", "over": True, "person": "ann", "as_": "cm"}
    closed = ComplaintClosed(at=at(1), step="end", outcome="closed", **fields)
    state = replay([received(), closed])
    assert state.closed
    assert state.closed_at == state.milestones["closed"] == at(1)
    fields["verb"] = "reopen"
    again = evolve(state, ComplaintReopened(at=at(2), step="anew", outcome="reopened", **fields))
    assert again.closed_at is None
    assert again.reopened_at == at(2)
    assert as_of(again, at(1, "12:00")).closed_at == at(1)
    assert as_of(again, at(0, "12:00")).closed_at is None


def test_a_withdrawn_breach_is_none_and_an_earlier_one_of_the_same_limit_stays() -> None:
    start = ClockStarted(at=at(), clock="look", from_=at(), due_at=at(1))
    breach = ClockBreached(at=at(1), clock="look", due_at=at(1), by="cm")
    loop = StepsReopened(at=at(2), steps=["look"], clocks=["look"], first="look", because="r")
    second = ClockStarted(at=at(2), clock="look", from_=at(2), due_at=at(3))
    late = ClockBreached(at=at(3), clock="look", due_at=at(3), by="cm")
    state = replay([received(), start, breach, loop, second, late])
    assert [one.due_at for one in state.breaches] == [at(1), at(3)]
    withdrawn = evolve(state, BreachWithdrawn(at=at(4), clock="look", done_at=at(2)))
    assert withdrawn.breaches == (Breach(clock="look", due_at=at(1), by="cm"),)
    assert withdrawn.clocks["look"].state == "stopped"


def test_what_a_person_judged_is_not_what_the_table_said() -> None:
    case = given(EVERYTHING, receive(facts={"grave": False, "heads": 1}))
    judged = command("judge", "front", at(0, "10:00"), decide="grade", to=1, reason="r")
    case.take(judged)
    assert case.state.decided["grade"] == 1
    assert case.state.table["grade"] == 3


def test_an_items_facts_are_its_own() -> None:
    first = ItemAdded(at=at(), item="point", number="1", facts={"what": "door"}, person="ann")
    said = FactsRecorded(at=at(0, "10:00"), facts={"what": "lock"}, person="ann", item="point#1")
    state = replay([received(), first, said])
    assert state.items == {"point": {"1": {"what": "lock"}}}
    assert state.facts == {}
    assert as_of(state, at(0, "09:30")).items == {"point": {"1": {"what": "door"}}}
    assert as_of(state, MONDAY).items == {"point": {}}


# --- as it was ---
PAST = pack("""
facts: [{fact: heads, clause: f, type: number}, {fact: grave, clause: f, type: yes-no}]
decisions: [{decide: grade, of: [1, 2], rows: [{set: 1, clause: 甲, when: grave}, {set: 2, clause: 乙}]}]
steps:
- part: p
  rows:
  - {contact: call, clause: 一, by: cm}
  - {pass: hand, clause: 二, by: front, to: cm}
  - {do: look, clause: 三, by: cm, after: hand, within: 2 h elapsed}
  - {approve: agree, clause: 四, by: md, after: look, back: {refused: look}}
  - {close: end, clause: 五, by: cm}
""", roles="front cm md")  # fmt: skip


def past() -> Complaint:
    return given(
        PAST,
        receive(facts={"heads": 1, "grave": False}),
        record("call", "cm", at(0, "10:00"), outcome="not_reached"),
        say(at(0, "11:00"), heads=5, grave=True),
        record("hand", "front", at(0, "12:00"), done_at=at(0, "10:30")),
        record("call", "cm", at(0, "13:00")),
        record("look", "cm", at(0, "14:00")),
        record("agree", "md", at(0, "15:00"), outcome="refused"),
    ).state


EARLY, LATER = {"heads": 1, "grave": False}, {"heads": 5, "grave": True}


@pytest.mark.parametrize(
    ("when", "known", "attempts", "called", "look"),
    [
        ("09:30", (EARLY, 2, "front"), 0, "open", ("waiting", 1)),
        ("10:00", (EARLY, 2, "front"), 1, "open", ("waiting", 1)),
        ("10:30", (EARLY, 2, "cm"), 1, "open", ("open", 1)),
        ("11:00", (LATER, 1, "cm"), 1, "open", ("open", 1)),
        ("13:00", (LATER, 1, "cm"), 2, "over", ("open", 1)),
        ("14:00", (LATER, 1, "cm"), 2, "over", ("over", 1)),
        ("15:00", (LATER, 1, "cm"), 2, "over", ("open", 2)),
    ],
)
def test_as_of_an_instant_the_case_stands_as_what_was_done_by_then_leaves_it(
    when: str, known: tuple[dict[str, Any], int, str], attempts: int, called: str, look: tuple[str, int]
) -> None:
    then = as_of(past(), at(0, when))
    assert (then.facts, then.decided["grade"], then.holder) == known
    assert (then.steps["call"].attempts, then.steps["call"].state) == (attempts, called)
    assert (then.steps["look"].state, then.steps["look"].round) == look


def test_a_limit_is_late_from_its_due_instant_on() -> None:
    case = given(PAST, receive(), record("hand", "front", at(0, "10:00")), command("fire-timer", at=at(0, "12:00")))
    assert case.state.clocks["look"].late
    assert as_of(case.state, at(0, "12:00")).clocks["look"].late
    assert not as_of(case.state, at(0, "11:59")).clocks["look"].late


def visible_now(state: Complaint) -> Any:
    """What conditions see, without what the past leaves out."""
    steps = {
        name: (step.state, step.outcome, step.round, step.attempts, step.person) for name, step in state.steps.items()
    }
    late = {name: clock.late for name, clock in state.clocks.items()}
    return state.facts, state.decided, state.counts, state.holder, state.closed_at, steps, state.items, late


@for_all(made=moves)
def test_as_of_now_the_case_stands_as_it_does(made: list[Move]) -> None:
    state = live(EVERYTHING, made).state
    if state.last_at is not None:
        assert visible_now(as_of(state, state.last_at)) == visible_now(state)


# --- every event ---
@pytest.mark.parametrize("kind", get_args(CaseEvent), ids=tag_of)
def test_every_event_of_the_vocabulary_can_be_folded(kind: type[Event]) -> None:
    state = replay([received(), StepOpened(at=at(), step="x", by="cm")])
    state = evolve(state, ClockStarted(at=at(), clock="x", from_=at(), due_at=at()))
    state = evolve(state, ItemAdded(at=at(), item="x", number="1", person="x"))
    state = replay(_before(kind), state)
    after = evolve(state, _sample(kind))
    assert after.version == state.version + 1


def _before(kind: type[Event]) -> list[CaseEvent]:
    return [PauseBegun(at=at(), clock="x")] if kind is PauseEnded else []


def _sample(kind: type[Any]) -> CaseEvent:
    """An event of this type with the fields that it must have."""
    sample: CaseEvent = kind(**{f.name: _value(str(f.type)) for f in msgspec.structs.fields(kind) if f.required})
    return sample


def _value(kind: str) -> Any:
    samples = {"datetime": at(), "dict": {}, "list": [], "bool": True, "float": 1.0, "str": "x", "int": 1}
    return next(value for word, value in samples.items() if word in kind)
