"""What routing asks of intake."""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import replace

from complaints.commands import NameAssignee, RecordStep
from complaints.desk_events import DeskEvent
from complaints.procedure.library import open_pack
from routing.cases import replay
from routing.choosing import Situation
from routing.commands import record_count, respond
from tests.services.routing.offices import NIGHT, NOON, away, desk, joins, leaves, situation
from tests.spec import at, given, receive, record, say

ID = "6b7b3c1e-6d5b-4f5e-9d55-2f6f2f8f3c11"
PLAIN = open_pack("00-plain-desk")


def plain(*people: DeskEvent) -> Situation:
    case = replay(given(PLAIN, receive("lin/agent")).history)
    return Situation(case=case, procedure=PLAIN, desk=desk(*people, procedure=PLAIN), at=NOON)


def test_a_case_is_handed_over_and_somebody_is_named() -> None:
    commands, _ = respond(ID, plain(joins("lin", "agent")))
    handed, named = commands
    assert isinstance(handed, RecordStep)
    assert isinstance(named, NameAssignee)
    assert (handed.step, handed.by.role, handed.complaint) == ("assign", "system", ID)
    assert (named.role, named.person, named.because.partition(":")[0]) == ("agent", "lin", "only-one")


def test_asked_again_it_asks_for_nothing() -> None:
    asked = plain(joins("lin", "agent"))
    _, case = respond(ID, asked)
    assert respond(ID, Situation(case=case, procedure=PLAIN, desk=asked.desk, at=NOON)) == ([], case)


def test_the_ids_say_what_is_asked_and_nothing_of_the_time() -> None:
    asked = plain(joins("lin", "agent"))
    later = Situation(case=asked.case, procedure=PLAIN, desk=asked.desk, at=NIGHT)
    assert [command.id for command in respond(ID, asked)[0]] == [command.id for command in respond(ID, later)[0]]
    other = "6b7b3c1e-6d5b-4f5e-9d55-2f6f2f8f3c12"
    assert {command.id for command in respond(ID, asked)[0]}.isdisjoint(c.id for c in respond(other, asked)[0])


def test_every_naming_is_another_command() -> None:
    people = joins("an", "cm"), joins("bo", "cm"), joins("cy", "front")
    ids = set()
    case = situation().case
    changes: list[list[DeskEvent]] = [
        [],
        [leaves("an")],
        [leaves("an"), joins("an", "cm"), leaves("bo")],
        [leaves("an"), joins("an", "cm")],
    ]
    for gone in changes:
        commands, case = respond(ID, situation(*people, *gone, case=case))
        ids |= {command.id for command in commands if isinstance(command, NameAssignee) and command.role == "cm"}
    assert len(ids) == 3


def test_a_record_that_was_refused_is_asked_for_again_when_something_may_have_helped() -> None:
    case = given(PLAIN, receive("lin/agent"))
    _, asked = respond(ID, Situation(case=replay(case.history), procedure=PLAIN, desk=desk(procedure=PLAIN), at=NOON))
    seen = len(case.history)
    case.take(say(at(0, "13:00"), subject="x"))
    after = replay(case.history[seen:], asked)
    (command,), _ = respond(ID, Situation(case=after, procedure=PLAIN, desk=desk(procedure=PLAIN), at=NOON))
    assert isinstance(command, RecordStep)
    assert command.id == respond(ID, plain())[0][0].id


def test_what_opens_again_is_recorded_under_another_id() -> None:
    case = given(PLAIN, receive("lin/agent"))
    first = respond(ID, plain())[0][0]
    case.take(
        record("assign", "system", at(0, "10:00")),
        record("answer", "lin/agent", at(1), facts={"answer_text": "done"}),
        record("heard_again", "lin/agent", at(2), outcome="not_accepted"),
    )
    now = Situation(case=replay(case.history), procedure=PLAIN, desk=desk(procedure=PLAIN), at=at(2))
    (second,), _ = respond(ID, now)
    assert isinstance(second, RecordStep)
    assert second.step == "assign"
    assert second.id != first.id


def test_a_person_who_goes_away_is_followed_by_another_command() -> None:
    asked = situation(joins("an", "cm"), joins("bo", "cm"), joins("cy", "front"))
    _, case = respond(ID, asked)
    gone = situation(joins("an", "cm"), joins("bo", "cm"), joins("cy", "front"), away("an", NOON), case=case)
    (command,), _ = respond(ID, gone)
    assert isinstance(command, NameAssignee)
    assert (command.role, command.person) == ("cm", "bo")


def test_two_counts_with_one_value_are_told_apart_by_what_changed_them() -> None:
    first, again = record_count(ID, "same", 2, 10, NOON), record_count(ID, "same", 2, 90, NOON)
    assert first.id != again.id
    assert first.id == record_count(ID, "same", 2, 10, NIGHT).id
    assert isinstance(first.id, UUID)


def test_the_record_of_a_closed_case_is_not_asked_for() -> None:
    asked = plain(joins("lin", "agent"))
    case = replace(asked.case, steps={}, closed=True)
    assert respond(ID, Situation(case=case, procedure=PLAIN, desk=asked.desk, at=NOON))[0] == []
