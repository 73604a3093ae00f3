"""What services report: rounds of the desk, deliveries, people, evidence from other cases."""

from __future__ import annotations

from complaints.commands import CaseCommand
from complaints.deciding import Others
from tests.spec import at, command, event, fire, given, pack, receive, record, say

ROUND = pack("""
questions: [{question: q1, clause: q, asks: who, answer: here}]
facts: [{fact: pending, clause: f, type: yes-no, starts-as: no}]
steps:
- part: p
  rows:
  - {contact: remind, clause: 一, by: cm, round: monthly, when: pending, says: call them}
  - {close: end, clause: 二, by: cm}
desk:
- {owe: monthly, clause: d, every: month, day: {reading: 4, or: [5], because: b}, by: cm, cases: pending, each: remind}
""", answers={"monthly.day": 5})  # fmt: skip


def test_a_round_opens_its_step_once_a_period_with_the_dates_of_the_desk() -> None:
    case = given(ROUND, receive(facts={"pending": True}))
    assert "remind" not in case.state.steps
    case.when(command("open-round", at=at(2), step="remind", period="2026-03", due_at=at(3), owe="monthly")).then(
        event(
            "step.opened", step="remind", period="2026-03", round=1, clause=["一", "desk:monthly.day"], says="call them"
        ),
        event("clock.started", clock="remind", from_=at(2), due_at=at(3), clause=["一", "desk:monthly.day"]),
    )
    again = command("open-round", at=at(2), step="remind", period="2026-03", due_at=at(3), owe="monthly")
    case.take(again).when(again).then_nothing()


def test_a_round_is_done_or_breached_like_any_step_and_comes_again() -> None:
    first = command("open-round", at=at(2), step="remind", period="2026-03", due_at=at(3), owe="monthly")
    second = command("open-round", at=at(32), step="remind", period="2026-04", due_at=at(33), owe="monthly")
    case = given(ROUND, receive(facts={"pending": True}), first)
    case.when(record("remind", "cm", at(2, "10:00"))).then_among(event("clock.stopped", clock="remind", in_time=True))
    case.take(fire(at(3)))
    assert [breach.clock for breach in case.state.breaches] == ["remind"]
    case.when(second).then_among(event("step.opened", period="2026-04", round=2), event("clock.started", due_at=at(33)))


def test_a_period_that_ends_as_the_next_begins_has_run_out_first() -> None:
    daily = pack("""
facts: [{fact: pending, clause: f, type: yes-no, starts-as: yes}]
steps:
- part: p
  rows:
  - {do: track, clause: 一, by: cm, round: afternoon}
  - {do: explain, clause: 二, by: md, when: track.late}
desk: [{owe: afternoon, clause: d, every: day, by: cm, cases: pending, each: track}]
""")

    def day(n: int) -> CaseCommand:
        return command("open-round", at=at(n), step="track", period=f"day {n}", due_at=at(n + 1), owe="afternoon")

    case = given(daily, receive(), day(1))
    case.when(day(2)).then(
        event("clock.breached", clock="track", at=at(2), due_at=at(2), by="cm"),
        event("step.opened", step="explain"),
        event("step.opened", step="track", period="day 2", round=2),
        event("clock.started", clock="track", due_at=at(3)),
        event("step.lapsed", step="explain"),
    )
    case.take(record("track", "cm", at(1, "15:00"))).when(day(2)).then(
        event("step.opened", step="track", period="day 2", round=2), event("clock.started", clock="track", due_at=at(3))
    )


def test_a_round_does_not_open_where_it_does_not_apply() -> None:
    asked = command("open-round", at=at(2), step="remind", period="2026-03", due_at=at(3), owe="monthly")
    given(ROUND, receive()).when(asked).then_nothing()
    closed = given(ROUND, receive(facts={"pending": True}), record("end", "cm", at(1)))
    closed.when(asked).then_nothing()


def test_a_round_opens_in_its_own_cases_alone() -> None:
    some = pack("""
facts: [{fact: pending, clause: f, type: yes-no, starts-as: no}]
steps: [{part: p, rows: [{do: remind, clause: 一, by: cm, round: monthly}]}]
desk: [{owe: monthly, clause: d, every: month, day: 4, by: cm, cases: pending, each: remind}]
""")
    asked = command("open-round", at=at(2), step="remind", period="2026-03", due_at=at(3), owe="monthly")
    given(some, receive()).when(asked).then_nothing()
    given(some, receive(facts={"pending": True})).when(asked).then(
        event("step.opened", step="remind", inputs={"pending": True}), event("clock.started", clock="remind")
    )


# --- deliveries ---
NOTICES = pack("""
facts: [{fact: grave, clause: f, type: yes-no}]
steps:
- part: p
  rows:
  - {tell: greet, clause: 一, by: system, to: customer, milestone: acknowledged, within: 1 h elapsed}
  - {tell: warn_them, clause: 二, by: system | cm, to: [md, gm], when: grave, records: [grave]}
  - {tell: by_hand, clause: 三, by: cm, to: customer}
  - {close: end, clause: 四, by: cm}
""")


def test_what_the_system_must_tell_is_requested_when_the_step_opens() -> None:
    given(NOTICES).when(receive()).then_among(
        event("step.opened", step="greet"), event("notice.requested", step="greet", to="customer", clause="一")
    )
    given(NOTICES, receive()).when(say(at(0, "09:30"), grave=True)).then_among(
        event("notice.requested", step="warn_them", to=["md", "gm"])
    )


def test_a_delivered_notice_is_given_by_the_system_and_stops_its_clock() -> None:
    given(NOTICES, receive()).when(
        command("record-delivery", at=at(0, "09:30"), step="greet", channel="email", delivered=True)
    ).then(
        event("notice.delivered", step="greet", channel="email", clause="一"),
        event("complaint.acknowledged", step="greet", person="system", as_="system", verb="tell"),
        event("clock.stopped", clock="greet", in_time=True),
    )


def test_a_notice_that_fails_stays_owed() -> None:
    failed = command(
        "record-delivery", at=at(0, "09:30"), step="greet", channel="email", delivered=False, reason="no such box"
    )
    case = given(NOTICES, receive(), failed)
    assert case.happened("notice.failed")[0].reason == "no such box"
    case.when(fire(at(0, "10:00"))).then_among(event("clock.breached", clock="greet"))


def test_a_delivery_of_what_people_tell_is_noted_and_records_nothing() -> None:
    given(NOTICES, receive()).when(
        command("record-delivery", at=at(0, "09:30"), step="by_hand", channel="sms", delivered=True)
    ).then(event("notice.delivered", step="by_hand"))


def test_a_second_delivery_gives_no_second_notice() -> None:
    twice = command("record-delivery", at=at(0, "09:30"), step="greet", channel="email", delivered=True)
    given(NOTICES, receive(), twice).when(twice).then(event("notice.delivered"))


def test_a_delivery_for_nothing_known_is_refused() -> None:
    given(NOTICES, receive()).when(
        command("record-delivery", at=at(0, "09:30"), step="sing", channel="email", delivered=True)
    ).then_rejected("no-such-step")


# --- people ---
def test_naming_an_assignee_again_changes_nothing() -> None:
    named = command("name-assignee", at=at(0, "09:30"), role="cm", person="ann", because="only one")
    case = given(NOTICES, receive(), named)
    assert case.state.assignees == {"cm": "ann"}
    case.when(named).then_nothing()
    other = command("name-assignee", at=at(0, "10:00"), role="cm", person="bob", because="least loaded")
    case.when(other).then(event("assignee.named", person="bob", was="ann", because="least loaded", clause="roles"))


def test_who_is_named_for_a_department_that_only_the_desk_knows_is_named_by_its_directory() -> None:
    named = command("name-assignee", at=at(0, "09:30"), role="parks", person="ann", because="of-department: parks")
    given(NOTICES, receive()).when(named).then(event("assignee.named", role="parks", clause="desk:directory.parks"))
    lacking = command("name-assignee", at=at(0, "09:30"), role="parks", queue="fallback", because="nobody holds it")
    given(NOTICES, receive()).when(lacking).then(event("assignee.lacking", clause="desk:directory.parks"))


def test_a_case_without_anybody_waits_in_a_queue_until_somebody_is_named() -> None:
    lacking = command("name-assignee", at=at(0, "09:30"), role="md", queue="fallback", because="nobody holds it")
    case = given(NOTICES, receive(), lacking)
    assert case.state.lacking == {"md": "fallback"}
    case.when(lacking).then_nothing()
    case.take(command("name-assignee", at=at(0, "10:00"), role="md", person="eve", because="joined"))
    assert case.state.lacking == {}


# --- other cases ---
COUNTED = pack("""
facts:
- {fact: matter, clause: f, type: text}
- {fact: call_id, clause: f, type: text}
- {fact: slip, clause: f, type: text, personal: true}
decisions: [{decide: grade, of: [1, 2], rows: [{set: 1, clause: 甲, when: same_month >= 3}, {set: 2, clause: 乙}]}]
steps:
- part: p
  rows:
  - {revisit: ask, clause: 一, by: cm}
  - {fill: sheet_filled, clause: 二, by: cm, form: sheet, records: [slip]}
  - {close: end, clause: 三, by: cm}
forms: [{form: sheet, clause: s, title: sheet, fields: [slip], number: slip}]
other-cases:
- {count: same_month, clause: c, same: matter, within: 1 month, of: complainants, starts-as: 0}
- {unique: one_call, clause: u, same: call_id}
- {link: again, clause: l, when: ask.outcome == dissatisfied, attaches: sheet, to: md}
- {link: see_also, clause: m}
""")


def test_evidence_from_other_cases_regrades_and_the_same_number_is_no_news() -> None:
    case = given(COUNTED, receive())
    counted = command("record-count", at=at(0, "10:00"), count="same_month", value=3)
    case.when(counted).then_among(
        event("complaint.counted", count="same_month", value=3, clause="c"),
        event("complaint.graded", to=1, was=2, inputs={"same_month": 3}),
    )
    case.take(counted).when(counted).then_nothing()
    case.when(command("record-count", at=at(0, "10:00"), count="moons", value=3)).then_rejected("no-such-fact")


def test_an_old_case_is_taken_up_again_only_if_its_own_state_allows() -> None:
    fine = given(COUNTED, receive(), record("ask", "cm", at(0, "10:00"), outcome="satisfied")).state
    bad = given(COUNTED, receive(), record("ask", "cm", at(0, "10:00"), outcome="dissatisfied")).state
    others = Others(linked={"X": fine, "Y": bad})
    anew = receive(at=at(5), again_of={"complaint": "Y", "relation": "again"})
    given(COUNTED, others=others).when(anew).then_among(
        event("complaint.linked", to="Y", relation="again", attaches="sheet", offered_to="md", clause="l")
    )
    case = given(COUNTED, receive(), others=others)
    case.when(command("link", "cm", at(1), complaint="X", relation="again")).then_rejected("link-not-allowed", "l")
    case.when(command("link", "cm", at(1), complaint="X", relation="see_also")).then(event("complaint.linked", to="X"))
    case.when(command("link", "cm", at(1), complaint="Z", relation="again")).then_rejected("no-such-complaint")
    case.when(command("link", "cm", at(1), complaint="X", relation="like")).then_rejected(
        "no-such-link", choices=["again", "see_also"]
    )
