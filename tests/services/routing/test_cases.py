"""What routing folds from a case's events agrees with what the engine knows of it."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from complaints.complaint import Complaint, item_fact
from complaints.personal import Sealed
from complaints.procedure.model import Procedure
from routing.cases import INITIAL, TELLING, Case, evolve, replay
from tests.expectations import NAMES, story
from tests.spec import at, given, pack, receive, record, say

_ID = UUID(int=7)


def known(state: Complaint) -> set[str]:
    of_items = {
        item_fact(fact, f"{kind}#{number}")
        for kind, numbers in state.items.items()
        for number, facts in numbers.items()
        for fact in facts
    }
    return set(state.facts) | of_items


@pytest.mark.parametrize("name", NAMES)
def test_routing_sees_every_story_as_the_engine_does(name: str) -> None:
    world = story(name).world()
    for label, state in world.cases.items():
        case = replay(world.histories[label])
        owner = state.decided.get("owner")
        assert case.version == state.version
        assert (case.kind, case.receiver, case.holder) == (state.case, state.receiver, state.holder)
        assert (case.owner, case.closed) == (None if owner is None else str(owner), state.closed)
        assert set(case.steps) == {step for step, how in state.steps.items() if how.state == "open"}
        assert set(case.holds) == set(state.holds)
        assert set(case.known) == known(state)
        assert (case.assignees, case.lacking) == (state.assignees, state.lacking)
        assert case.counts == state.counts
        done_by = {step: how.person for step, how in state.steps.items() if how.person and how.person != "system"}
        assert case.done_by == done_by


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_of_a_case_reads_back_as_it_was(name: str) -> None:
    world = story(name).world()
    for history in world.histories.values():
        case = replay(history)
        assert msgspec.json.decode(msgspec.json.encode(case), type=Case) == case


@pytest.mark.parametrize("name", NAMES)
def test_the_events_that_are_not_read_change_nothing_that_routing_sees(name: str) -> None:
    for history in story(name).world().histories.values():
        whole = INITIAL
        for version, event in enumerate(history, 1):
            before, whole = whole, evolve(whole, event, version)
            assert isinstance(event, TELLING) or msgspec.structs.replace(whole, version=before.version) == before


def slip() -> Procedure:
    return pack(
        "facts: [{fact: number, clause: f, type: text}]\n"
        "steps:\n- part: p\n  rows:\n"
        "  - {do: note, clause: a, by: [system, cm], records: [number]}\n"
    )


def test_a_record_by_somebody_else_leaves_the_systems_own_part_open() -> None:
    case = given(slip(), receive(), say(at(0, "10:00"), number="1"), record("note", "cm", at(0, "11:00")))
    assert not replay(case.history).steps["note"].signed
    case.take(record("note", "system", at(0, "12:00")))
    assert "note" not in replay(case.history).steps


def test_the_systems_part_is_noted_while_others_have_yet_to_sign() -> None:
    case = given(slip(), receive(), say(at(0, "10:00"), number="1"), record("note", "system", at(0, "11:00")))
    assert replay(case.history).steps["note"].signed


def test_how_often_the_system_recorded_a_step_is_counted() -> None:
    case = given(slip(), receive(), say(at(0, "10:00"), number="1"), record("note", "system", at(0, "11:00")))
    assert replay(case.history).by_system == {"note": 1}


def test_a_complainant_who_hands_it_in_alone_is_no_member_of_staff() -> None:
    (received,) = given(slip(), receive()).happened("complaint.received")
    name = Sealed("x", subject=_ID, generation=1, stream=_ID, version=1, path="person")
    assert evolve(INITIAL, msgspec.structs.replace(received, person=name), 1).received_by is None
    assert evolve(INITIAL, received, 1).received_by == "front"


def test_every_opening_of_a_step_has_a_number_of_its_own() -> None:
    loop = pack(
        "steps:\n- part: p\n  rows:\n"
        "  - {do: plan, clause: a, by: cm}\n"
        "  - {approve: consent, clause: b, by: md, after: plan, back: {refused: plan}}\n"
    )
    case = given(loop, receive())
    first = replay(case.history).steps["plan"].number
    case.take(record("plan", "cm", at(0, "10:00")), record("consent", "md", at(0, "11:00"), outcome="refused"))
    second = replay(case.history).steps["plan"].number
    assert second > first
