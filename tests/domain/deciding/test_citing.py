"""Every answer of the desk that decided is cited beside the clause; no other is."""

from __future__ import annotations

from tests.spec import Case, at, command, event, fire, given, pack, receive, record, say

READ = """
questions:
- question: hours
  clause: q
  asks: elapsed or working?
  answer: {reading: elapsed, or: [working], because: b}
- question: order
  clause: q
  asks: always?
  answer: {reading: always, or: [if_asked], because: b}
facts:
- {fact: grave, clause: f, type: yes-no, starts-as: {reading: no, or: [yes, not-stated], because: b}}
- {fact: media, clause: f, type: yes-no}
- {fact: text, clause: f, type: text}
decisions:
- decide: grade
  of: [1, 2]
  falls: not-stated
  rows:
  - {set: 1, clause: 甲, when: {reading: media && grave, or: [media], because: b}}
  - {set: 2, clause: 乙}
steps:
- part: p
  rows:
  - {do: look, clause: 一, by: {reading: cm, or: [md, cm | md], because: b}, within: 2 h, from: received}
  - {do: act, clause: 二, by: cm, when: order == always, within: soft soon}
  - {approve: agree, clause: 三, by: cm, back: {reading: {refused: look}, or: [{refused: act}], because: b}}
  - {pass: hand, clause: 四, by: cm, to: {reading: md, or: [gm], because: b}}
  - {fill: form, clause: 五, by: cm, records: {reading: [text, media], or: [[text]], because: b}}
  - {do: hurry, clause: 六, by: cm, when: grave, within: 5 h elapsed, from: received}
  - do: slow
    clause: 七
    by: cm
    within: 5 h elapsed
    from: received
    extend: {to: {reading: 6 h elapsed, or: [9 h elapsed], because: b}, when: media, clause: 七d}
  - {close: end, clause: 八, by: cm}
holds: [{hold: gate, clause: h, when: grave, forbids: [end], until: act.done}]
"""


def desk(**answers: object) -> Case:
    return given(pack(READ, answers={place.replace("__", "."): value for place, value in answers.items()}))


def test_nothing_is_cited_that_the_desk_did_not_answer() -> None:
    desk().when(receive(facts={"media": True})).then_among(
        event("complaint.graded", clause="乙"), event("clock.started", clock="look", clause="一")
    )


def test_a_question_by_which_a_limit_is_counted() -> None:
    desk(hours__answer="working").when(receive()).then_among(
        event("clock.started", clock="look", clause=["一", "desk:hours.answer"], due_at=at(0, "11:00"))
    )


def test_a_question_that_a_condition_reads() -> None:
    desk(order__answer="always").when(receive()).then_among(
        event("step.opened", step="act", clause=["二", "desk:order.answer"])
    )
    desk(order__answer="if_asked").when(receive()).then_never(event("step.opened", step="act"))


def test_who_owes_a_step() -> None:
    case = desk(look__by="md")
    case.when(receive()).then_among(event("step.opened", step="look", by="md", clause=["一", "desk:look.by"]))
    case.take(receive()).when(record("look", "md", at(0, "10:00"))).then_among(
        event("work.recorded", clause=["一", "desk:look.by"])
    )


def test_who_receives_and_when_a_part_applies() -> None:
    text = """
facts: [{fact: grave, clause: f, type: yes-no}]
intake: [{channels: [any], clause: x, by: {reading: cm, or: [md], because: b}}]
steps:
- part: first
  rows: [{close: end, clause: 二, by: cm}]
- part: second
  when: {reading: grave, or: ["!grave"], because: b}
  rows: [{do: hurry, clause: 一, by: cm, within: 5 h elapsed}]
"""
    answered = pack(text, doors="", answers={"intake.1.by": "md", "steps.2.when": "!grave"})
    given(answered).when(receive("md", facts={"grave": False})).then_among(
        event("complaint.received", clause=["x", "desk:intake.1.by"]),
        event("step.opened", step="hurry", clause=["一", "desk:steps.2.when"]),
        event("clock.started", clock="hurry", clause=["一", "desk:steps.2.when"]),
    )


def test_a_silence_that_the_desk_filled() -> None:
    desk(act__within="30 min").when(receive()).then_among(
        event("clock.started", clock="act", clause=["二", "desk:act.within"], due_at=at(0, "09:30"))
    )


def test_where_a_loop_leads_back_to() -> None:
    case = desk(agree__back={"refused": "act"}).take(receive(), record("act", "cm", at(0, "09:30")))
    case.when(record("agree", "cm", at(0, "10:00"), outcome="refused")).then_among(
        event("steps.reopened", first="act", clause=["三", "desk:agree.back"])
    )


def test_to_whom_a_case_is_handed() -> None:
    desk(hand__to="gm").take(receive()).when(record("hand", "cm", at(0, "10:00"))).then_among(
        event("complaint.passed", to="gm", clause=["四", "desk:hand.to"])
    )


def test_what_a_record_must_contain() -> None:
    filled = record("form", "cm", at(0, "10:00"), facts={"text": "t"})
    desk(form__records=["text"]).take(receive()).when(filled).then_among(
        event("form.filled", clause=["五", "desk:form.records"])
    )


def test_a_starting_value_is_cited_where_it_decided() -> None:
    yes = given(pack(READ, answers={"grave.starts-as": "yes"}))
    yes.when(receive(facts={"media": True})).then_among(
        event("complaint.graded", to=1, clause=["甲", "desk:grave.starts-as"]),
        event("step.opened", step="hurry", clause=["六", "desk:grave.starts-as"]),
        event("hold.placed", hold="gate", clause=["h", "desk:grave.starts-as"]),
    )


def test_a_starting_value_is_not_cited_where_something_else_decided() -> None:
    no = given(pack(READ, answers={"grave.starts-as": "no"}))
    no.when(receive(facts={"media": False})).then_among(event("complaint.graded", to=2, clause="乙"))
    no.when(receive(facts={"media": True})).then_among(
        event("complaint.graded", to=2, clause=["乙", "desk:grave.starts-as"])
    )
    no.when(receive(facts={"media": True, "grave": False})).then_among(event("complaint.graded", to=2, clause="乙"))


SPAN = """
facts:
- {fact: learned_at, clause: f, type: time}
- {fact: said_at, clause: f, type: time}
- {fact: media, clause: f, type: yes-no}
- {fact: in_window, clause: w, within: not-stated, from: learned_at, until: said_at}
- {fact: timely, clause: m, means: in_window || media}
- {fact: grave, clause: g, means: {reading: media, or: ["!media"], because: b}}
decisions:
- {decide: grade, of: [1, 2], rows: [{set: 1, clause: 甲, when: grave}, {set: 2, clause: 乙, when: "!grave"}]}
steps:
- part: p
  rows:
  - {do: take_up, clause: 一, by: cm, when: in_window}
  - {do: answer, clause: 二, by: cm, when: timely}
  - {close: end, clause: 三, by: cm}
holds: [{hold: gate, clause: h, forbids: [end], until: timely}]
"""
DATES = {"learned_at": at(0, "08:00").isoformat(), "said_at": at(3, "08:00").isoformat()}


def test_how_long_a_span_may_be_is_cited_where_it_decided_also_through_a_meaning() -> None:
    case = given(pack(SPAN, answers={"in_window.within": "10 days"}))
    case.when(receive(facts=DATES)).then_among(
        event("step.opened", step="take_up", clause=["一", "desk:in_window.within"]),
        event("step.opened", step="answer", clause=["二", "desk:in_window.within"]),
    )
    case.when(receive(facts={**DATES, "media": True})).then_among(
        event("step.opened", step="take_up", clause=["一", "desk:in_window.within"]),
        event("step.opened", step="answer", clause="二"),
    )


def test_how_long_a_span_may_be_is_cited_where_it_lifts_a_hold() -> None:
    case = given(pack(SPAN, answers={"in_window.within": "10 days"}), receive())
    case.when(say(at(4, "10:00"), **DATES)).then_among(
        event("hold.lifted", hold="gate", clause=["h", "desk:in_window.within"])
    )


def test_the_reading_of_a_meaning_is_cited_where_it_decided() -> None:
    case = given(pack(SPAN, answers={"grave.means": "!media"}))
    case.when(receive(facts={"media": False})).then_among(
        event("complaint.graded", to=1, clause=["甲", "desk:grave.means"])
    )


def test_a_starting_value_is_cited_where_a_table_takes_it() -> None:
    text = """
facts: [{fact: place, clause: f, type: [here, there], starts-as: {reading: here, or: [there], because: b}}]
decisions:
- {decide: owner, rows: [{set: fact place, clause: o}]}
steps: [{part: p, rows: [{close: end, clause: 一, by: cm}]}]
"""
    case = given(pack(text, roles="cm here there", answers={"place.starts-as": "there"}))
    case.when(receive()).then_among(event("complaint.routed", to="there", clause=["o", "desk:place.starts-as"]))
    case.when(receive(facts={"place": "there"})).then_among(event("complaint.routed", to="there", clause="o"))


def test_the_reading_of_a_row_of_a_table() -> None:
    given(pack(READ, answers={"grade.rows.1.when": "media"})).when(receive(facts={"media": True})).then_among(
        event("complaint.graded", to=1, clause=["甲", "desk:grade.rows.1.when"])
    )


def test_the_readings_of_the_rows_before_the_one_that_won() -> None:
    text = """
facts: [{fact: cost, clause: f, type: number}, {fact: media, clause: f, type: yes-no}]
decisions:
- decide: grade
  of: [1, 2, 3]
  rows:
  - {set: 1, clause: 甲, when: {reading: cost >= 10000, or: [cost > 10000], because: b}}
  - {set: 2, clause: 乙, when: media}
  - {set: 3, clause: 丙}
steps: [{part: p, rows: [{close: end, clause: 一, by: cm}]}]
"""
    above = given(pack(text, answers={"grade.rows.1.when": "cost > 10000"}))
    above.when(receive(facts={"cost": 10_000, "media": False})).then_among(
        event("complaint.graded", to=3, clause=["丙", "desk:grade.rows.1.when"])
    )
    above.when(receive(facts={"cost": 10_000, "media": True})).then_among(
        event("complaint.graded", to=2, clause=["乙", "desk:grade.rows.1.when"])
    )
    above.when(receive(facts={"cost": 9_999, "media": False})).then_among(event("complaint.graded", to=3, clause="丙"))


def test_that_a_grade_may_fall() -> None:
    case = given(pack(READ, answers={"grade.falls": "yes"}), receive(facts={"media": True, "grave": True}))
    case.when(say(at(0, "10:00"), grave=False)).then_among(
        event("complaint.graded", to=2, clause=["乙", "desk:grade.falls"])
    )


def test_how_much_more_time_there_is() -> None:
    case = given(pack(READ, answers={"slow.extend.to": "9 h elapsed"}), receive(facts={"media": True}))
    case.when(fire(at(0, "14:00"))).then_among(
        event("clock.extended", clock="slow", due_at=at(0, "18:00"), clause=["七d", "desk:slow.extend.to"])
    )


def test_a_breach_cites_what_the_clock_rests_on() -> None:
    case = desk(hours__answer="working").take(receive())
    case.when(fire(at(0, "11:00"))).then_among(
        event("clock.breached", clock="look", clause=["一", "desk:hours.answer"])
    )


def test_a_refusal_cites_what_asked_for_it() -> None:
    case = given(pack(READ, answers={"form.records": ["text"]}), receive())
    case.when(record("form", "cm", at(0, "10:00"))).then_rejected("facts-missing", ["五", "desk:form.records"])
    case.when(command("regrade", "gm", at(0, "10:00"), grade=1, reason="r")).then_rejected("not-allowed", "甲")
