"""What is owed and by whom, and which steps the system records by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from complaints.commands import CaseCommand
from complaints.desk_events import DeskEvent
from complaints.events import NoticeFailed
from complaints.procedure.library import open_pack
from complaints.procedure.model import Procedure
from routing.cases import Case, evolve, lacks, named, replay
from routing.rules import OFTEN, Act, acts, look_again, namings, next_tier, owing
from tests.services.routing.offices import NOON, away, fallback, joins, leaves, situation
from tests.spec import at, command, fire, given, pack, receive, record, say

PLAIN = open_pack("00-plain-desk")


def steps(rows: str, more: str = "", roles: str = "cm md gm") -> Procedure:
    return pack(f"{more}steps:\n- part: p\n  rows:\n{rows}", roles=roles)


def received(procedure: Procedure, *commands: CaseCommand) -> Case:
    return replay(given(procedure, receive(), *commands).history)


# --- what the system records ---
def test_a_hand_over_by_the_system_is_recorded_when_it_opens() -> None:
    assert acts(received(PLAIN), PLAIN) == [Act(step="assign")]


def test_a_case_goes_up_by_itself_when_its_limit_has_run_out() -> None:
    case = given(PLAIN, receive("lin/agent"), record("assign", "system", at(0, "10:00")), fire(at(30)))
    assert acts(replay(case.history), PLAIN) == [Act(step="escalate")]


def test_a_case_that_nobody_speaks_up_about_is_closed_by_the_system() -> None:
    case = given(
        PLAIN,
        receive("lin/agent"),
        record("assign", "system", at(0, "10:00")),
        record("answer", "lin/agent", at(1), facts={"answer_text": "done"}),
        fire(at(20)),
    )
    assert acts(replay(case.history), PLAIN) == [Act(step="closed_by_silence")]


def test_what_the_system_may_but_need_not_do_is_left_to_people() -> None:
    optional = steps("  - {pass: up, clause: a, by: system | cm, to: md, duty: may}\n")
    wanted = steps("  - {pass: up, clause: a, by: system | cm, to: md, duty: if-necessary}\n")
    assert acts(received(optional), optional) == acts(received(wanted), wanted) == []


def test_an_approval_is_never_the_systems() -> None:
    asked = steps("  - {approve: consent, clause: a, by: system | cm}\n")
    assert acts(received(asked), asked) == []


def test_a_notice_is_the_notifiers() -> None:
    tells = steps("  - {tell: word, clause: a, by: system, to: customer}\n")
    assert acts(received(tells), tells) == []


def test_a_hand_over_to_one_of_several_waits_for_somebody_to_choose() -> None:
    choice = steps("  - {pass: on, clause: a, by: system | cm, to: md | gm}\n")
    assert acts(received(choice), choice) == []
    assert [roles for _, roles in owing(received(choice), choice)] == [{"cm": "cm"}]


def test_a_hand_over_to_the_owner_waits_until_the_owner_is_decided() -> None:
    facts = (
        "facts: [{fact: grave, clause: f, type: yes-no}]\n"
        "decisions: [{decide: owner, rows: [{set: md, clause: o, when: grave}]}]\n"
    )
    late = steps("  - {pass: on, clause: a, by: system | cm, to: owner}\n", facts)
    assert acts(received(late), late) == []
    assert acts(received(late, say(at(0, "10:00"), grave=True)), late) == [Act(step="on")]


LADDER = (
    "roles:\n- {role: cm, title: cm, clause: r}\n- {role: md, title: md, clause: r, tier: 1}\n"
    "- {role: gm, title: gm, clause: r, tier: 2}\n- {role: vp, title: vp, clause: r, tier: 2}\n"
)


def test_a_case_rises_by_itself_where_one_role_stands_above() -> None:
    ladder = steps("  - {pass: up, clause: a, by: system | cm, to: next_tier}\n", LADDER)
    case = received(ladder)
    assert next_tier("front", ladder) == ["md"]
    assert acts(case, ladder) == [Act(step="up")]


def test_a_case_does_not_rise_by_itself_to_one_of_two_or_beyond_the_top() -> None:
    ladder = steps("  - {pass: up, clause: a, by: system | cm, to: next_tier}\n", LADDER)
    case = received(ladder)
    assert next_tier("md", ladder) == ["gm", "vp"]
    assert acts(replace(case, holder="md"), ladder) == []
    assert acts(replace(case, holder="gm"), ladder) == []


def test_what_a_hold_forbids_is_recorded_once_the_hold_is_lifted() -> None:
    held = steps(
        "  - {pass: on, clause: a, by: system, to: md}\n  - {do: report, clause: b, by: cm}\n",
        "holds: [{hold: first, clause: h, forbids: [on], until: report.done}]\n",
    )
    assert acts(received(held), held) == []
    assert acts(received(held, record("report", "cm", at(0, "10:00"))), held) == [Act(step="on")]


def test_what_must_say_something_is_recorded_once_that_is_known() -> None:
    written = steps(
        "  - {do: note, clause: a, by: system, records: [number]}\n",
        "facts: [{fact: number, clause: f, type: text}]\n",
    )
    assert acts(received(written), written) == []
    assert acts(received(written, say(at(0, "10:00"), number="1")), written) == [Act(step="note")]


def test_a_complete_form_waits_for_all_its_fields() -> None:
    form = steps(
        "  - {do: file_it, clause: a, by: system, form: slip, complete: true}\n",
        "facts: [{fact: x, clause: f, type: text}, {fact: y, clause: f, type: text}]\n"
        "forms: [{form: slip, title: slip, clause: f, fields: [x, y]}]\n",
    )
    assert acts(received(form, say(at(0, "10:00"), x="1")), form) == []
    assert acts(received(form, say(at(0, "10:00"), x="1", y="2")), form) == [Act(step="file_it")]


def test_each_thing_inside_the_case_is_recorded_by_itself() -> None:
    points = pack(
        "items: [{item: point, title: point, added-by: anyone, clause: i}]\n"
        "facts: [{fact: fixed, of: point, clause: f, type: text}]\n"
        "steps:\n- part: p\n  for-each: point\n  rows:\n"
        "  - {do: note, clause: a, by: system, records: [fixed]}\n"
    )
    case = given(points, receive())
    for _ in range(2):
        case.take(command("add-item", "cm", at(0, "10:00"), item="point"))
    case.take(say(at(0, "11:00"), item="point#2", fixed="yes"))
    assert acts(replay(case.history), points) == [Act(step="note#2")]


def test_what_the_system_has_signed_it_does_not_sign_again() -> None:
    both = steps("  - {do: note, clause: a, by: [system, cm]}\n")
    assert acts(received(both), both) == [Act(step="note")]
    assert acts(received(both, record("note", "system", at(0, "10:00"))), both) == []


def test_what_repeats_is_recorded_once_each_time_it_opens() -> None:
    again = steps("  - {do: note, clause: a, by: system, repeats: 1 week}\n")
    assert acts(received(again, record("note", "system", at(0, "10:00"))), again) == []


def test_a_step_that_the_system_records_again_and_again_in_a_ring_falls_to_people() -> None:
    ring = steps("  - {pass: on, clause: a, by: system | cm, to: md}\n")
    case = received(ring)
    often = replace(case, by_system={"on": OFTEN})
    assert acts(replace(case, by_system={"on": OFTEN - 1}), ring) == [Act(step="on")]
    assert acts(often, ring) == []
    assert [n.person for n in namings(situation(joins("an", "cm"), procedure=ring, case=often))] == ["an"]


def test_a_medium_is_named_where_one_is_asked_for() -> None:
    written = steps("  - {pass: on, clause: a, by: system, to: md, medium: [written]}\n")
    assert acts(received(written), written) == [Act(step="on", medium="written")]


def test_a_rule_about_who_may_keeps_the_system_out_too() -> None:
    barred = steps(
        "  - {do: note, clause: a, by: system | cm}\n",
        "access: [{bar: only_people, clause: c, may: [note], only: [cm]}]\n",
    )
    assert acts(received(barred), barred) == []


# --- who has to be named ---
def test_somebody_is_named_for_everything_owed() -> None:
    found = namings(situation(joins("an", "cm"), joins("bo", "front")))
    assert [(naming.role, naming.person) for naming in found] == [("cm", "an"), ("front", "bo")]


def test_of_alternatives_the_first_that_has_anybody_is_asked() -> None:
    either = steps("  - {do: work, clause: a, by: cm | md | gm}\n")
    found = namings(situation(joins("bo", "md"), joins("cy", "gm"), procedure=either, case=received(either)))
    assert [(naming.role, naming.person) for naming in found] == [("md", "bo")]


def test_of_several_who_must_each_record_all_are_named() -> None:
    both = steps("  - {approve: consent, clause: a, by: [cm, md]}\n")
    found = namings(situation(joins("an", "cm", "md"), joins("bo", "md"), procedure=both, case=received(both)))
    assert [(naming.role, naming.person) for naming in found] == [("cm", "an"), ("md", "bo")]


def test_one_role_that_owes_two_steps_is_named_once() -> None:
    two = steps("  - {do: one, clause: a, by: cm}\n  - {do: two, clause: b, by: cm}\n")
    assert len(namings(situation(joins("an", "cm"), joins("bo", "cm"), procedure=two, case=received(two)))) == 1


def test_nobody_is_named_for_what_may_be_done() -> None:
    optional = steps("  - {do: work, clause: a, by: cm, duty: may}\n")
    assert namings(situation(joins("an", "cm"), procedure=optional, case=received(optional))) == []


def test_nobody_is_named_for_what_the_system_does() -> None:
    mine = steps("  - {pass: on, clause: a, by: system | cm, to: md}\n  - {tell: word, clause: b, by: system | cm}\n")
    assert namings(situation(joins("an", "cm"), procedure=mine, case=received(mine))) == []


def test_a_notice_that_the_system_could_not_give_falls_to_people() -> None:
    word = steps("  - {tell: word, clause: b, by: system | cm}\n")
    case = received(word)
    case = evolve(case, NoticeFailed(at=NOON, step="word", channel="email"), case.version + 1)
    assert [n.person for n in namings(situation(joins("an", "cm"), procedure=word, case=case))] == ["an"]


@pytest.mark.parametrize("by", ["anyone", "customer"])
def test_nobody_is_named_for_what_is_nobodys_in_particular(by: str) -> None:
    open_to_all = steps(f"  - {{do: work, clause: a, by: {by}}}\n")
    assert namings(situation(joins("an", "cm"), procedure=open_to_all, case=received(open_to_all))) == []


def test_nobody_of_the_desk_is_named_for_a_role_outside_it() -> None:
    outside = steps(
        "  - {do: work, clause: a, by: bank}\n",
        "roles:\n- {role: cm, title: cm, clause: r}\n- {role: bank, title: bank, clause: r, outside: true}\n",
    )
    assert namings(situation(joins("an", "cm"), procedure=outside, case=received(outside))) == []


def test_a_desk_that_has_named_nobody_is_asked_nothing() -> None:
    assert namings(situation()) == []


def test_who_is_named_stays_however_little_others_have_to_do() -> None:
    asked = situation(joins("an", "cm"), joins("bo", "cm"), joins("cy", "front"))
    case = named(named(asked.case, "cm", "bo"), "front", "cy")
    assert namings(situation(joins("an", "cm"), joins("bo", "cm"), joins("cy", "front"), case=case)) == []


@pytest.mark.parametrize(
    "gone", [leaves("bo"), away("bo", NOON), joins("bo", "front")], ids=["left", "away", "another role"]
)
def test_who_is_named_and_can_no_longer_act_is_replaced(gone: DeskEvent) -> None:
    case = named(situation().case, "cm", "bo")
    people = joins("an", "cm"), joins("bo", "cm"), joins("cy", "front")
    found = namings(situation(*people, gone, case=case))
    assert ("cm", "an") in [(naming.role, naming.person) for naming in found]


def test_a_stand_in_hands_back_when_the_absence_is_over() -> None:
    case = named(situation().case, "cm", "bo")
    people = joins("an", "cm"), joins("bo", "front"), away("an", at(0), at(1), deputy="bo")
    assert "cm" not in [naming.role for naming in namings(situation(*people, case=case))]
    later = situation(*people, case=case, now=at(1))
    assert ("cm", "an") in [(naming.role, naming.person) for naming in namings(later)]


def test_a_case_that_nobody_can_act_in_is_said_once() -> None:
    asked = situation(joins("bo", "front"), fallback("hall"))
    (first,) = [naming for naming in namings(asked) if naming.person is None]
    assert (first.role, first.queue) == ("cm", "hall")
    again = situation(joins("bo", "front"), fallback("hall"), case=lacks(asked.case, "cm", "hall"))
    assert [naming for naming in namings(again) if naming.person is None] == []


def test_a_case_moves_to_the_queue_that_the_desk_names_anew() -> None:
    case = lacks(situation().case, "cm", "unassigned")
    found = namings(situation(joins("bo", "front"), fallback("hall"), case=case))
    assert ("cm", "hall") in [(naming.role, naming.queue) for naming in found]


def test_somebody_who_comes_takes_what_waits() -> None:
    case = lacks(situation().case, "cm", "unassigned")
    found = namings(situation(joins("an", "cm"), case=case))
    assert ("cm", "an") in [(naming.role, naming.person) for naming in found]


def test_a_burst_of_cases_is_shared_as_it_is_named() -> None:
    three = steps("".join(f"  - {{do: s{n}, clause: a, by: r{n}}}\n" for n in range(4)), roles="r0 r1 r2 r3")
    everybody = [joins(person, "r0", "r1", "r2", "r3") for person in ("an", "bo")]
    found = namings(situation(*everybody, procedure=three, case=received(three)))
    assert [naming.person for naming in found] == ["an", "bo", "an", "bo"]


# --- what time alone changes ---
def test_a_case_is_looked_at_again_when_its_person_goes_away() -> None:
    people = joins("an", "cm"), joins("bo", "front"), away("an", at(3), at(5))
    case = named(named(situation().case, "cm", "an"), "front", "bo")
    assert look_again(situation(*people, case=case)) == at(3)
    assert look_again(situation(*people, case=case, now=at(4))) is None


def test_a_case_that_waits_is_looked_at_again_when_somebody_comes_back() -> None:
    people = joins("an", "cm"), joins("bo", "front"), away("an", at(0), at(5))
    case = lacks(named(situation().case, "front", "bo"), "cm", "unassigned")
    assert look_again(situation(*people, case=case)) == at(5)


def test_a_case_with_a_stand_in_is_looked_at_again_when_the_absence_ends() -> None:
    people = joins("an", "cm"), joins("bo", "front"), away("an", at(0), at(5), deputy="bo")
    case = named(named(situation().case, "cm", "bo"), "front", "bo")
    assert look_again(situation(*people, case=case)) == at(5)


def test_a_case_at_rest_is_not_looked_at_again() -> None:
    people = joins("an", "cm"), joins("bo", "front")
    case = named(named(situation().case, "cm", "an"), "front", "bo")
    assert look_again(situation(*people, case=case)) is None
    assert look_again(situation(*people, case=case, now=NOON + timedelta(days=900))) is None
