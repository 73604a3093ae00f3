"""Who of a desk's people acts in a role."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from routing.cases import named, replay
from routing.choosing import Load, Naming, choose
from tests.services.routing.offices import (
    NIGHT,
    NOON,
    away,
    busy,
    department,
    fallback,
    joins,
    leaves,
    situation,
)
from tests.spec import at, given, pack, receive, record


def code(naming: Naming) -> str:
    return naming.because.partition(":")[0]


def test_the_only_one_who_holds_the_role_is_named() -> None:
    found = choose("cm", situation(joins("an", "cm"), joins("bo", "md")))
    assert (found.person, code(found)) == ("an", "only-one")


def test_whoever_has_the_least_open_work_is_next() -> None:
    found = choose("cm", situation(joins("an", "cm"), joins("bo", "cm"), loads=busy(an=3, bo=2)))
    assert (found.person, code(found)) == ("bo", "least-loaded")


def test_work_is_shared_by_each_persons_share() -> None:
    people = joins("an", "cm", weight=0.5), joins("bo", "cm")
    assert choose("cm", situation(*people, loads=busy(an=2, bo=3))).person == "bo"
    assert choose("cm", situation(*people, loads=busy(an=1, bo=3))).person == "an"


def test_among_those_with_the_same_work_the_one_who_waited_longest_is_next() -> None:
    loads = {"an": Load(1, NOON), "bo": Load(1, NOON - timedelta(hours=1)), "cy": Load(1, NOON)}
    found = choose("cm", situation(joins("an", "cm"), joins("bo", "cm"), joins("cy", "cm"), loads=loads))
    assert (found.person, code(found)) == ("bo", "longest-waiting")


def test_somebody_who_never_had_a_case_has_waited_longest() -> None:
    loads = {"an": Load(0, NOON - timedelta(days=300))}
    assert choose("cm", situation(joins("an", "cm"), joins("bo", "cm"), loads=loads)).person == "bo"


def test_among_equals_the_name_decides() -> None:
    found = choose("cm", situation(joins("bo", "cm"), joins("an", "cm")))
    assert (found.person, code(found)) == ("an", "by-name")


def test_the_same_question_has_the_same_answer() -> None:
    asked = situation(*(joins(f"p{n}", "cm") for n in range(20)), loads=busy(p3=1, p5=2))
    assert choose("cm", asked) == choose("cm", asked)


def test_who_is_away_is_not_named() -> None:
    people = joins("an", "cm"), joins("bo", "cm"), away("an", NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert choose("cm", situation(*people)).person == "bo"
    assert choose("cm", situation(*people, now=NOON + timedelta(hours=1))).person == "an"


def test_who_has_left_is_not_named() -> None:
    assert choose("cm", situation(joins("an", "cm"), joins("bo", "cm"), leaves("an"))).person == "bo"


def test_the_deputy_of_somebody_away_acts_where_nobody_else_does() -> None:
    found = choose("cm", situation(joins("an", "cm"), joins("bo", "md"), away("an", NOON, deputy="bo")))
    assert (found.person, code(found)) == ("bo", "deputy")


def test_a_case_goes_on_with_the_deputy_of_the_person_it_was_with() -> None:
    people = joins("an", "cm"), joins("bo", "md"), joins("cy", "cm"), away("an", NOON, deputy="bo")
    asked = situation(*people)
    found = choose("cm", situation(*people, case=named(asked.case, "cm", "an")))
    assert (found.person, code(found)) == ("bo", "deputy")


def test_a_deputy_who_is_away_too_does_not_act() -> None:
    people = joins("an", "cm"), joins("bo", "md"), joins("cy", "cm")
    gone = away("an", NOON, deputy="bo"), away("bo", NOON)
    asked = situation(*people, *gone)
    assert choose("cm", situation(*people, *gone, case=named(asked.case, "cm", "an"))).person == "cy"


def test_who_received_a_case_is_its_receiver() -> None:
    asked = situation(joins("front", "front"), joins("aa", "front"))
    assert choose("front", asked, as_receiver=True).person == "front"
    assert choose("front", asked).person == "aa"


def test_a_receiver_who_is_away_leaves_it_to_others_in_the_role() -> None:
    people = joins("front", "front"), joins("zz", "front"), away("front", NOON)
    assert choose("front", situation(*people), as_receiver=True).person == "zz"


def test_outside_business_time_the_on_call_path_is_asked_in_its_order() -> None:
    people = joins("an", "cm"), joins("bo", "cm", on_call=2), joins("cy", "cm", on_call=1)
    found = choose("cm", situation(*people, now=NIGHT, loads=busy(cy=50)))
    assert (found.person, code(found)) == ("cy", "on-call")
    assert choose("cm", situation(*people)).person == "an"


def test_on_the_on_call_path_those_are_passed_over_who_are_away_or_may_not_act() -> None:
    people = joins("an", "md", on_call=1), joins("bo", "cm", on_call=2), joins("cy", "cm", on_call=3)
    found = choose("cm", situation(*people, away("bo", NOON), now=NIGHT))
    assert (found.person, code(found)) == ("cy", "on-call")


def test_where_nobody_on_call_may_act_the_case_waits_for_those_of_the_day() -> None:
    found = choose("cm", situation(joins("an", "cm"), joins("bo", "md", on_call=1), now=NIGHT))
    assert (found.person, code(found)) == ("an", "only-one")


def test_of_those_who_hold_a_role_the_department_in_charge_comes_first() -> None:
    people = joins("an", "cm", department="sales"), joins("bo", "cm", department="works")
    case = replace(situation().case, owner="works")
    found = choose("cm", situation(department("works", "Works"), *people, case=case, loads=busy(bo=9)))
    assert (found.person, found.department) == ("bo", "works")


def test_where_the_department_in_charge_has_nobody_there_others_in_the_role_act() -> None:
    people = joins("an", "cm", department="sales"), joins("bo", "cm", department="works"), away("bo", NOON)
    case = replace(situation().case, owner="works")
    assert choose("cm", situation(*people, case=case)).person == "an"


@pytest.mark.parametrize("owner", ["works", "工程部"])
def test_a_role_that_is_a_department_is_filled_by_its_people(owner: str) -> None:
    people = joins("an", "md", department="sales"), joins("bo", "md", department="works")
    found = choose(owner, situation(department("works", "工程部"), *people))
    assert (found.role, found.person, code(found)) == (owner, "bo", "of-department")


def test_nobody_is_told_with_the_queue_and_why() -> None:
    found = choose("cm", situation(joins("bo", "md"), fallback("front desk")))
    assert found == Naming(role="cm", queue="front desk", because="nobody-holds-it: nobody at the desk holds cm")


def test_a_desk_that_has_named_no_queue_has_one() -> None:
    assert choose("cm", situation(joins("bo", "md"))).queue == "unassigned"


def test_a_role_whose_holders_are_all_away_says_so() -> None:
    assert code(choose("cm", situation(joins("an", "cm"), away("an", NOON)))) == "all-away"


FOUR_EYES = pack(
    "steps:\n- part: p\n  rows:\n"
    "  - {do: test, clause: a, by: cm}\n"
    "  - {do: retest, clause: b, by: cm, after: test}\n"
    "access: [{bar: not_the_same, clause: c, may: [retest], when: actor.person == test.person}]\n"
)


def test_whom_a_rule_keeps_from_the_step_is_not_named_for_it() -> None:
    case = replay(given(FOUR_EYES, receive(), record("test", "an/cm", at(0, "10:00"))).history)
    people = joins("an", "cm"), joins("bo", "cm")
    asked = situation(*people, case=case, procedure=FOUR_EYES, loads=busy(bo=9))
    assert choose("cm", asked, step="retest").person == "bo"
    assert choose("cm", asked, step="test").person == "an"


def test_where_a_rule_keeps_everybody_from_the_step_that_is_said() -> None:
    case = replay(given(FOUR_EYES, receive(), record("test", "an/cm", at(0, "10:00"))).history)
    asked = situation(joins("an", "cm"), case=case, procedure=FOUR_EYES)
    assert code(choose("cm", asked, step="retest")) == "all-barred"
