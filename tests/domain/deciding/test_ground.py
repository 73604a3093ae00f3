"""The ground under a case changes: calendar, procedure, erasure."""

from __future__ import annotations

from datetime import timedelta

from complaints.deciding import Others
from tests.spec import at, command, event, fire, given, office, pack, receive, record, say

DAYS = pack("""
questions:
- {question: first_day, clause: q, asks: which, answer: next_day}
facts: [{fact: theirs, clause: f, type: yes-no}]
steps:
- part: p
  rows:
  - {do: look, clause: 一, by: cm, within: 3 working days, from: received, pause: theirs}
  - {do: hours, clause: 二, by: cm, within: 30 h elapsed, from: received}
  - {do: soft, clause: 三, by: cm, within: soft soon}
  - {do: later, clause: 四, by: cm, wait: 5 working days, from: received}
  - {close: end, clause: 五, by: cm}
""")
UNPUBLISHED = office(version="v1", published_until=at(1).date())
WITH_HOLIDAY = office(version="v2", holidays=(at(2).date(),))
NEW = Others(calendar=WITH_HOLIDAY)


def test_every_date_that_comes_out_otherwise_is_recomputed_by_an_event() -> None:
    case = given(DAYS, receive(), calendar=UNPUBLISHED, others=NEW)
    assert case.state.calendar == "v1"
    assert case.state.clocks["look"].provisional
    applied = case.when(command("apply-calendar", at=at(1), version="v2"))
    applied.then(
        event("calendar.applied", version="v2", was="v1"),
        event(
            "clock.recomputed", clock="look", was=at(3, "18:00"), due_at=at(4, "18:00"), provisional=False, clause="一"
        ),
        event("step.scheduled", step="later"),
    )
    assert applied.after.calendar == "v2"
    assert applied.after.steps["later"].opens_at == at(8, "18:00")


def test_the_same_version_again_changes_nothing() -> None:
    case = given(DAYS, receive(), calendar=UNPUBLISHED, others=NEW)
    again = command("apply-calendar", at=at(1), version="v2")
    case.take(again).when(again).then_nothing()


def test_what_fell_due_before_happened_under_the_old_calendar() -> None:
    case = given(DAYS, receive(), calendar=UNPUBLISHED, others=NEW)
    case.when(command("apply-calendar", at=at(10), version="v2")).then_among(
        event("clock.breached", clock="look", at=at(3, "18:00")), event("calendar.applied", at=at(10))
    )


def test_a_limit_that_stands_keeps_standing_with_another_rest() -> None:
    case = given(DAYS, receive(), say(at(1, "10:00"), theirs=True), calendar=UNPUBLISHED, others=NEW)
    case.take(command("apply-calendar", at=at(1, "12:00"), version="v2"))
    clock = case.state.clocks["look"]
    assert clock.state == "paused"
    assert clock.left_s == timedelta(hours=8 + 9 + 9).total_seconds()
    case.calendar = WITH_HOLIDAY
    case.when(say(at(3), theirs=False)).then_among(
        event("clock.resumed", clock="look", due_at=at(7, "17:00"), provisional=False)
    )


def test_a_breach_on_a_day_that_nobody_had_published_is_withdrawn_if_the_day_was_none() -> None:
    case = given(DAYS, receive(), fire(at(3, "18:00")), calendar=UNPUBLISHED, others=NEW)
    assert [breach.clock for breach in case.state.breaches] == ["hours", "look"]
    withdrawn = case.when(command("apply-calendar", at=at(4, "09:00"), version="v2"))
    withdrawn.then_among(
        event("breach.withdrawn", clock="look"), event("clock.resumed", clock="look", due_at=at(4, "18:00"))
    )
    assert [breach.clock for breach in withdrawn.after.breaches] == ["hours"]
    withdrawn.case.take(command("apply-calendar", at=at(4, "09:00"), version="v2"))
    withdrawn.case.when(fire(at(4, "18:00"))).then_among(event("clock.breached", clock="look", due_at=at(4, "18:00")))


def test_done_after_the_guessed_date_but_before_the_true_one_is_in_time() -> None:
    case = given(DAYS, receive(), fire(at(3, "18:00")), calendar=UNPUBLISHED, others=NEW)
    case.take(record("look", "cm", at(4, "10:00")))
    case.when(command("apply-calendar", at=at(5), version="v2")).then_among(
        event("breach.withdrawn", clock="look", done_at=at(4, "10:00"))
    )


# --- the procedure ---
OLD = """
facts: [{fact: grave, clause: f, type: yes-no, starts-as: no}]
decisions: [{decide: grade, of: [1, 2], rows: [{set: 1, clause: 甲, when: grave}, {set: 2, clause: 乙}]}]
steps:
- part: p
  rows:
  - {do: look, clause: 一, by: cm, within: 24 h elapsed, from: received}
  - {do: kept, clause: 二, by: cm, within: 24 h elapsed, from: received, regrade: keep}
  - {do: gone, clause: 三, by: cm, within: 10 h elapsed}
  - {do: old_gate, clause: 四, by: cm}
  - {close: end, clause: 五, by: cm}
holds: [{hold: gate, clause: h, forbids: [end], until: old_gate.done}]
"""
NEWER = """
facts: [{fact: grave, clause: f, type: yes-no, starts-as: no}]
decisions: [{decide: grade, of: [1, 2, 3], rows: [{set: 1, clause: 甲, when: grave}, {set: 3, clause: 丙}]}]
steps:
- part: p
  rows:
  - {do: look, clause: 一2, by: md, within: 12 h elapsed, from: received}
  - {do: kept, clause: 二2, by: cm, within: 12 h elapsed, from: received, regrade: keep}
  - {do: old_gate, clause: 四, by: cm}
  - {do: fresh, clause: 六, by: cm, within: 5 h elapsed}
  - {close: end, clause: 五, by: cm}
"""
V1, V2 = pack(OLD), pack(NEWER, version=2)
CHANGE = command("change-pack", "md", at(0, "12:00"), pack="test", pack_version=2, reason="new text", desk_version=7)


def test_a_case_goes_on_under_another_version_of_the_procedure() -> None:
    case = given(V1, receive(), record("look", "cm", at(0, "09:30")), others=Others(procedure=V2))
    changed = case.when(CHANGE)
    changed.then_among(
        event(
            "pack.changed", pack="test", pack_version=2, was="test", was_version=1, desk_version=7, reason="new text"
        ),
        event("step.lapsed", step="gone", because="no longer in the procedure"),
        event("clock.cancelled", clock="gone", because="no longer in the procedure"),
        event("hold.lifted", hold="gate"),
        event("complaint.graded", to=3, was=2, clause="丙"),
        event("step.opened", step="fresh"),
        event("clock.started", clock="fresh", from_=at(0, "12:00")),
    )
    after = changed.after
    assert (after.pack_version, after.desk_version) == (2, 7)
    assert after.steps["look"].state == "over"  # what was done stays done


def test_a_running_limit_counts_anew_from_where_it_counted_unless_its_row_keeps_dates() -> None:
    case = given(V1, receive(), others=Others(procedure=V2))
    changed = case.when(CHANGE)
    changed.then_among(event("clock.recomputed", clock="look", was=at(1), due_at=at(0, "21:00"), clause="一2"))
    changed.then_never(event("clock.recomputed", clock="kept"))
    assert changed.after.clocks["kept"].due_at == at(1)


def test_a_limit_that_restarts_counts_from_the_change() -> None:
    restarting = pack(NEWER.replace("from: received}", "from: received, regrade: restart}", 1), version=2)
    given(V1, receive(), others=Others(procedure=restarting)).when(CHANGE).then_among(
        event("clock.recomputed", clock="look", from_=at(0, "12:00"), due_at=at(1, "00:00"))
    )


def test_the_same_procedure_again_changes_nothing_and_another_is_refused() -> None:
    case = given(V1, receive(), CHANGE, others=Others(procedure=V2))
    case.procedure = V2
    case.when(CHANGE).then_nothing()
    other = command("change-pack", "md", at(0, "12:00"), pack="test", pack_version=9, reason="r")
    case.when(other).then_rejected("no-such-pack")


def test_new_answers_of_the_desk_are_a_change_of_the_same_pack() -> None:
    question = """
questions: [{question: hours, clause: q, asks: which, answer: {reading: elapsed, or: [working], because: b}}]
steps:
- part: p
  rows: [{do: look, clause: 一, by: cm, within: 24 h, from: received}, {close: end, clause: 五, by: cm}]
"""
    elapsed, working = pack(question), pack(question, answers={"hours.answer": "working"})
    asked = command("change-pack", "md", at(0, "12:00"), pack="test", pack_version=1, reason="r", desk_version=3)
    given(elapsed, receive(), others=Others(procedure=working)).when(asked).then_among(
        event("clock.recomputed", clock="look", was=at(1), due_at=at(2, "15:00"), clause=["一", "desk:hours.answer"])
    )


# --- erasure ---
KEPT = """
steps: [{part: p, rows: [{close: end, clause: 五, by: cm}]}]
retention: [{keep: slip, clause: r, for: %s}]
"""
ERASE = {"subject": "li", "reason": "asked"}


def test_nothing_is_erased_before_the_time_that_it_must_be_kept() -> None:
    kept = pack(KEPT % "2 years")
    case = given(kept, receive(), record("end", "cm", at(1)))
    case.when(command("erase-subject", "dpo", at(700), **ERASE)).then_rejected("must-be-kept", "r")
    case.when(command("erase-subject", "dpo", at(740), **ERASE)).then(
        event("subject.erased", subject="li", reason="asked", clause="r")
    )


def test_an_open_case_is_kept() -> None:
    given(pack(KEPT % "2 years"), receive()).when(command("erase-subject", "dpo", at(2000), **ERASE)).then_rejected(
        "must-be-kept"
    )


def test_where_the_text_does_not_say_how_long_the_desk_must() -> None:
    given(pack(KEPT % "not-stated"), receive()).when(command("erase-subject", "dpo", at(1), **ERASE)).then_rejected(
        "not-stated", "r", place="slip.for"
    )


SEVERAL = """
cases: [{case: shipment, clause: k, title: shipment, opened-by: anyone}]
facts: [{fact: mifid, clause: f, type: yes-no}]
steps:
- part: p
  rows: [{close: end, clause: 五, by: cm}]
- part: q
  case: shipment
  rows: [{close: arrived, clause: 六, by: cm}]
retention:
- {keep: records, clause: r1, for: 1 year, from: received}
- {keep: dearer_records, clause: r2, for: 2 years, from: received, when: mifid}
- {keep: papers, clause: r3, for: 3 years, case: shipment}
"""


def test_a_record_is_kept_from_what_the_row_says_in_the_cases_that_it_is_about() -> None:
    kept = pack(SEVERAL)
    usual = given(kept, receive(facts={"mifid": False}))
    usual.when(command("erase-subject", "dpo", at(364), **ERASE)).then_rejected("must-be-kept", "r1")
    usual.when(command("erase-subject", "dpo", at(366), **ERASE)).then(event("subject.erased", clause="r1"))
    dearer = given(kept, receive(facts={"mifid": True}))
    dearer.when(command("erase-subject", "dpo", at(700), **ERASE)).then_rejected("must-be-kept", "r2")
    dearer.when(command("erase-subject", "dpo", at(740), **ERASE)).then(
        event("subject.erased", clause="r1", inputs={"mifid": True})
    )


def test_what_is_kept_of_one_kind_of_case_binds_no_other() -> None:
    kept = pack(SEVERAL)
    given(kept, receive(), record("end", "cm", at(1))).when(command("erase-subject", "dpo", at(370), **ERASE)).then(
        event("subject.erased")
    )
    shipment = given(kept, receive(case="shipment"), record("arrived", "cm", at(1)))
    shipment.when(command("erase-subject", "dpo", at(740), **ERASE)).then_rejected("must-be-kept", "r3")


def test_erasing_again_changes_nothing_and_without_a_rule_nothing_forbids_it() -> None:
    free = pack("steps: [{part: p, rows: [{close: end, clause: 五, by: cm}]}]\n")
    case = given(free, receive(), command("erase-subject", "dpo", at(1), **ERASE))
    assert case.state.erased == ("li",)
    case.when(command("erase-subject", "dpo", at(1), **ERASE)).then_nothing()
