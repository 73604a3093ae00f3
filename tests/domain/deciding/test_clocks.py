"""Limits: start, stop, breach, expiry; what is recorded late; what is learned and what has changed."""

from __future__ import annotations

from datetime import UTC

from tests.spec import at, command, event, fire, given, office, pack, receive, record, say

BASIC = pack("""
questions: [{question: first_day, clause: q, asks: which, answer: next_day}]
facts:
- {fact: grave, clause: f, type: yes-no}
- {fact: promised_at, clause: f, type: time}
decisions: [{decide: answerable, rows: [{set: gm, clause: ans}]}]
clocks: [{clock: silence, clause: c, from: look, within: 3 h elapsed, cancel: heard.done}]
steps:
- part: p
  rows:
  - {do: look, clause: 一, by: cm, within: 2 h elapsed, from: received}
  - {do: act, clause: 二, by: md, after: look, within: 4 h working}
  - {do: hope, clause: 三, by: cm, duty: should, within: 1 h elapsed}
  - {do: some_day, clause: 四, by: cm, within: soft soon}
  - {do: promised, clause: 五, by: cm, within: fact promised_at, from: received}
  - {do: hurry, clause: 六, by: gm, when: grave, within: 1 h elapsed, from: received}
  - {do: heard, clause: 七, by: anyone, duty: may}
  - {do: escalated_when_late, clause: 八, by: gm, when: look.late}
  - {do: days, clause: 九, by: cm, within: 3 working days, from: received}
  - {close: end, clause: 十, by: cm}
""")


def test_a_limit_runs_from_its_stated_start_and_says_so() -> None:
    given(BASIC).when(receive()).then_among(
        event("clock.started", clock="look", from_=at(), due_at=at(0, "11:00"), clause="一", rule="look", intervals=[])
    )


def test_a_limit_without_a_stated_start_runs_from_the_opening() -> None:
    case = given(BASIC, receive(), record("look", "cm", at(0, "10:00")))
    assert case.state.clocks["act"].from_ == at(0, "10:00")


def test_a_limit_in_working_time_names_its_intervals() -> None:
    given(BASIC, receive()).when(record("look", "cm", at(0, "10:30"), done_at=at(0, "10:00"))).then_among(
        event("clock.started", clock="act", due_at=at(0, "14:00"), intervals=[(at(0, "10:00"), at(0, "14:00"))])
    )
    evening = given(BASIC, receive(at=at(0, "16:00"))).when(record("look", "cm", at(0, "16:00")))
    evening.then_among(
        event(
            "clock.started",
            clock="act",
            due_at=at(1, "11:00"),
            intervals=[(at(0, "16:00"), at(0, "18:00")), (at(1), at(1, "11:00"))],
        )
    )


def test_done_in_time_stops_the_clock() -> None:
    given(BASIC, receive()).when(record("look", "cm", at(0, "10:00"))).then_among(
        event("clock.stopped", clock="look", in_time=True, since=None)
    )


def test_an_act_exactly_at_the_due_instant_is_in_time() -> None:
    given(BASIC, receive()).when(record("look", "cm", at(0, "11:00"))).then_among(
        event("clock.stopped", clock="look", in_time=True)
    )


def test_a_timer_at_the_due_instant_breaches_and_names_who_owed_it_and_who_answers() -> None:
    given(BASIC, receive()).when(fire(at(0, "11:00"))).then_among(
        event("clock.breached", clock="look", at=at(0, "11:00"), by="cm", answerable="gm", clause="一"),
        event("step.opened", step="escalated_when_late", at=at(0, "11:00"), inputs={"look.late": True}),
    )


def test_a_breach_that_is_noticed_late_is_dated_at_its_instant_with_its_consequences() -> None:
    given(BASIC, receive()).when(say(at(5), grave=False)).then_among(
        event("clock.expired", clock="hope", at=at(0, "10:00")),
        event("clock.breached", clock="look", at=at(0, "11:00")),
        event("step.opened", step="escalated_when_late", at=at(0, "11:00")),
        event("facts.recorded", at=at(5)),
    )


def test_a_timer_that_finds_nothing_due_decides_nothing() -> None:
    case = given(BASIC, receive())
    case.when(fire(at(0, "09:30"))).then_nothing()
    case.take(fire(at(0, "11:00")))
    case.when(fire(at(0, "11:00"))).then_nothing()


def test_nobody_is_in_breach_of_best_effort() -> None:
    given(BASIC, receive()).when(fire(at(0, "10:00"))).then(event("clock.expired", clock="hope"))


def test_a_soft_limit_has_no_date_and_is_measured() -> None:
    case = given(BASIC, receive())
    assert case.state.clocks["some_day"].due_at is None
    assert case.state.clocks["some_day"].word == "soon"
    case.when(record("some_day", "cm", at(3))).then_among(event("clock.stopped", clock="some_day", in_time=None))


def test_a_clock_without_a_step_expires_and_may_be_cancelled() -> None:
    case = given(BASIC, receive(), record("look", "cm", at(0, "10:00")))
    case.when(record("heard", "front", at(0, "11:00"))).then_among(
        event("clock.cancelled", clock="silence", because="cancelled", inputs={"heard.done": True})
    )
    case.when(fire(at(0, "13:00"))).then_among(event("clock.expired", clock="silence", by=None))


def test_closing_cancels_what_runs() -> None:
    given(BASIC, receive()).when(record("end", "cm", at(0, "10:00"))).then_among(
        event("clock.cancelled", clock="look", because="closed")
    )


# --- recorded late ---
def test_done_in_time_and_recorded_late_withdraws_the_breach() -> None:
    case = given(BASIC, receive(), fire(at(0, "11:00")))
    withdrawn = case.when(record("look", "cm", at(1), done_at=at(0, "10:30")))
    withdrawn.then_among(
        event("work.recorded"), event("breach.withdrawn", clock="look", done_at=at(0, "10:30"), at=at(1))
    )
    assert "look" not in [breach.clock for breach in withdrawn.after.breaches]
    assert withdrawn.after.clocks["look"].state == "stopped"
    assert withdrawn.after.steps["escalated_when_late"].state == "waiting"


def test_done_late_leaves_the_breach() -> None:
    case = given(BASIC, receive(), fire(at(0, "11:00")), record("look", "cm", at(0, "12:00")))
    assert [breach.due_at for breach in case.state.breaches] == [at(0, "11:00")]
    assert case.state.clocks["look"].state == "late"


def test_an_unrelated_act_done_earlier_withdraws_nothing() -> None:
    case = given(BASIC, receive(), fire(at(0, "11:00")))
    case.when(record("some_day", "cm", at(1), done_at=at(0, "10:00"))).then_never(event("breach.withdrawn"))


def test_what_opens_late_on_paper_counts_from_then_and_is_late_at_once() -> None:
    case = given(BASIC, receive())
    case.when(record("look", "cm", at(2), done_at=at(0, "10:00"))).then_among(
        event("clock.started", clock="act", from_=at(0, "10:00"), due_at=at(0, "14:00"), at=at(2)),
        event("clock.breached", clock="act", due_at=at(0, "14:00"), at=at(2)),
    )


# --- dates that the case brings ---
def test_a_limit_that_is_a_fact_follows_the_fact() -> None:
    case = given(BASIC, receive())
    assert case.state.clocks["promised"].due_at is None
    case.take(say(at(0, "09:30"), promised_at="2026-03-05T12:00:00+08:00"))
    assert case.state.clocks["promised"].due_at == at(3, "12:00")
    case.when(say(at(0, "10:00"), promised_at="2026-03-06T12:00:00+08:00")).then_among(
        event("clock.recomputed", clock="promised", was=at(3, "12:00"), due_at=at(4, "12:00"))
    )


# --- learned or changed ---
FOUND = pack("""
facts:
- {fact: found_at, clause: f, type: time}
- {fact: grave, clause: g, type: yes-no, starts-as: no}
steps:
- part: p
  rows:
  - {do: answer, clause: 一, by: cm, within: 4 h elapsed, from: fact found_at}
  - do: hurry
    clause: 二
    by: cm
    from: fact found_at
    regrade: restart
    when: grave
    within: 5 h elapsed
  - {close: end, clause: 三, by: cm}
""")


def test_a_limit_that_counts_from_a_fact_follows_its_correction() -> None:
    case = given(FOUND, receive(), say(at(0, "10:00"), found_at=at(0, "09:00").isoformat()))
    case.when(say(at(0, "10:30"), found_at=at(0, "10:15").isoformat())).then_among(
        event(
            "clock.recomputed",
            clock="answer",
            was=at(0, "13:00"),
            due_at=at(0, "14:15"),
            from_=at(0, "10:15"),
            clause="一",
        )
    )
    case.when(say(at(0, "10:30"), found_at=at(0, "09:00").isoformat())).then_never(event("clock.recomputed"))
    case.take(say(at(0, "10:30"), found_at=at(0, "10:15").isoformat()))
    case.when(fire(at(0, "13:30"))).then_nothing()


def test_a_limit_that_a_change_has_restarted_does_not_follow_what_it_counted_from_before() -> None:
    case = given(FOUND, receive(), say(at(0, "10:00"), found_at=at(0, "09:00").isoformat(), grave=False))
    case.take(say(at(0, "11:00"), grave=True))
    assert case.state.clocks["hurry"].from_ == at(0, "11:00")
    case.take(say(at(0, "11:30"), found_at=at(0, "09:30").isoformat()))
    assert case.state.clocks["hurry"].from_ == at(0, "11:00")


def test_a_limit_whose_row_is_learned_late_counts_from_its_stated_start() -> None:
    given(BASIC, receive()).when(say(at(0, "09:30"), grave=True)).then_among(
        event("clock.started", clock="hurry", from_=at(), due_at=at(0, "10:00"), regrade=None)
    )
    given(BASIC, receive()).when(say(at(0, "12:00"), grave=True)).then_among(
        event("clock.started", clock="hurry", from_=at()),
        event("clock.breached", clock="hurry", due_at=at(0, "10:00"), at=at(0, "12:00")),
    )


REGRADED = """
facts: [{fact: heads, clause: f, type: number, starts-as: 0}]
decisions:
- decide: grade
  of: [1, 2]
  rows: [{set: 1, clause: 甲, when: heads >= 3}, {set: 2, clause: 乙}]
steps:
- part: p
  rows:
  - {do: small, clause: 一, by: cm, when: grade == 2, within: 12 h elapsed, from: received, regrade: carry}
  - {do: big, clause: 二, by: cm, when: grade == 1, within: 24 h elapsed, from: received, regrade: %s}
  - do: listed
    clause: 三
    by: cm
    within:
    - {is: 10 h elapsed, when: grade == 1, clause: 三a}
    - {is: 20 h elapsed, when: grade == 2, clause: 三b}
    from: received
    regrade: %s
  - {close: end, clause: 四, by: cm}
"""


def test_changed_a_limit_carries_its_start_or_restarts_or_has_no_date() -> None:
    first, grown = receive(), say(at(0, "15:00"), heads=5)
    for how, start, due in (
        ("carry", at(), at(1)),
        ("keep", at(), at(1)),
        ("restart", at(0, "15:00"), at(1, "15:00")),
        ("not-stated", at(), None),
    ):
        given(pack(REGRADED % (how, how)), first).when(grown).then_among(
            event("clock.cancelled", clock="small", because="no longer applies"),
            event("clock.started", clock="big", from_=start, due_at=due, regrade=how),
        )


def test_changed_a_limit_of_several_is_recomputed_as_its_row_says() -> None:
    first, grown = receive(), say(at(0, "15:00"), heads=5)
    for how, start, due in (("carry", None, at(0, "19:00")), ("restart", at(0, "15:00"), at(1, "01:00"))):
        given(pack(REGRADED % (how, how)), first).when(grown).then_among(
            event("clock.recomputed", clock="listed", was=at(1, "05:00"), due_at=due, from_=start, clause="三a", case=0)
        )
    given(pack(REGRADED % ("keep", "keep")), first).when(grown).then_never(event("clock.recomputed"))
    given(pack(REGRADED % ("not-stated", "not-stated")), first).when(grown).then_among(
        event("clock.recomputed", clock="listed", due_at=None, word="not-stated after a regrade")
    )


def test_a_limit_kept_after_a_change_still_runs_out_at_its_date() -> None:
    case = given(pack(REGRADED % ("keep", "keep")), receive(), say(at(0, "15:00"), heads=5))
    case.when(fire(at(1, "05:00"))).then_among(event("clock.breached", clock="listed", due_at=at(1, "05:00")))


def test_a_change_counts_from_when_it_was_done() -> None:
    case = given(pack(REGRADED % ("restart", "restart")), receive())
    case.take(command("judge", "front", at(0, "10:00"), decide="grade", to=2, reason="r"))
    case.when(record("listed", "cm", at(0, "16:00"), done_at=at(0, "12:00"), facts={"heads": 4})).then_among(
        event("clock.started", clock="big", from_=at(0, "12:00"))
    )


def test_a_limit_whose_case_nobody_has_decided_runs_without_a_date_until_it_is_decided() -> None:
    undecided = pack("""
facts: [{fact: special, clause: f, type: yes-no}]
steps:
- part: p
  rows:
  - do: handle
    clause: 一
    by: cm
    within: [{is: 10 h elapsed, when: special, clause: 一a}, {is: soft soon, when: "!special"}]
    from: received
  - {close: end, clause: 二, by: cm}
""")
    case = given(undecided, receive())
    assert case.state.clocks["handle"].due_at is None
    assert case.state.clocks["handle"].word == "undecided"
    case.when(say(at(0, "10:00"), special=True)).then_among(
        event("clock.recomputed", clock="handle", due_at=at(0, "19:00"), clause="一a", inputs={"special": True})
    )
    case.when(say(at(0, "10:00"), special=False)).then_among(
        event("clock.recomputed", clock="handle", due_at=None, word="soon", case=1)
    )


# --- repeating ---
PROGRESS = pack("""
steps:
- part: p
  rows:
  - {tell: progress, clause: 一, by: cm, to: md, repeats: 1 week}
  - {close: end, clause: 二, by: cm}
""")


def test_each_record_of_a_repeating_step_stops_its_clock_and_starts_the_next_interval() -> None:
    case = given(PROGRESS, receive())
    assert case.state.clocks["progress"].due_at == at(8, "00:00")
    told = case.when(record("progress", "cm", at(3)))
    told.then_among(
        event("notice.given", again=True, over=False),
        event("clock.stopped", clock="progress", in_time=True),
        event("clock.started", clock="progress", from_=at(3), due_at=at(11, "00:00")),
    )
    assert told.after.steps["progress"].state == "open"


def test_an_interval_that_was_missed_is_breached_and_the_next_begins_with_the_record() -> None:
    case = given(PROGRESS, receive(), fire(at(8, "00:00")))
    assert [breach.clock for breach in case.state.breaches] == ["progress"]
    case.take(record("progress", "cm", at(9)))
    assert case.state.clocks["progress"].due_at == at(17, "00:00")
    assert len(case.state.breaches) == 1


def test_an_interval_kept_in_time_and_recorded_late_withdraws_its_breach() -> None:
    case = given(PROGRESS, receive(), fire(at(8, "00:00")), record("progress", "cm", at(9), done_at=at(7)))
    assert case.state.breaches == ()
    assert case.state.clocks["progress"].from_ == at(7)


# --- calendar ---
def test_a_date_that_no_calendar_has_published_is_provisional() -> None:
    published = office(published_until=at(2).date())
    given(BASIC, calendar=published).when(receive()).then_among(
        event("clock.started", clock="days", due_at=at(3, "18:00"), provisional=True),
    )
    given(BASIC).when(receive()).then_among(event("clock.started", clock="days", provisional=False))


def test_a_clock_runs_in_the_kind_of_case_that_it_names() -> None:
    shipments = pack("""
cases: [{case: shipment, clause: k, title: shipment, opened-by: anyone}]
facts: [{fact: sent_at, clause: f, type: time}]
decisions:
- {decide: timeliness, case: shipment, rows: [{set: late, clause: 甲, when: tracing.late}, {set: fine, clause: 乙}]}
clocks:
- {clock: tracing, case: shipment, clause: c, from: fact sent_at, within: 2 h elapsed, stop: trace.done}
- {clock: ageing, clause: d, from: received, within: 1 day}
steps:
- part: p
  rows: [{close: end, clause: 一, by: cm}]
- part: q
  case: shipment
  rows: [{do: trace, clause: 二, by: cm}, {close: arrived, clause: 三, by: cm}]
""")
    sent = {"sent_at": at(0, "09:00").isoformat()}
    case = given(shipments, receive(case="shipment", facts=sent))
    assert list(case.state.clocks) == ["tracing"]
    case.when(fire(at(0, "12:00"))).then_among(event("clock.expired", clock="tracing"), event("complaint.judged"))
    assert list(given(shipments, receive(facts=sent)).state.clocks) == ["ageing"]


def test_due_instants_are_utc() -> None:
    due = given(BASIC, receive()).state.clocks["look"].due_at
    assert due is not None
    assert due.tzinfo is UTC
