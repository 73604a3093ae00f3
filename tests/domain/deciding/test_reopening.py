"""Closing and taking up again: limits do not count the time in which nobody handled the case."""

from __future__ import annotations

from tests.spec import at, event, fire, given, pack, receive, record, say

REOPENED = pack("""
facts: [{fact: grave, clause: f, type: yes-no, starts-as: no}]
clocks: [{clock: ageing, clause: c, from: received, within: 10 days}]
steps:
- part: p
  rows:
  - {do: handle, clause: 一, by: cm, within: 48 h elapsed, from: received}
  - {do: done_once, clause: 二, by: cm, within: 48 h elapsed, from: received}
  - {do: hurry, clause: 三, by: cm, when: grave, within: 5 h elapsed, from: received}
  - {close: end, clause: 四, by: cm}
  - {reopen: anew, clause: 五, by: cm, after: end, duty: may}
  - {do: file, clause: 六, by: cm, after: end, within: 24 h elapsed, from: end}
""")


def test_reopening_is_its_own_event_and_the_case_is_open_again() -> None:
    case = given(REOPENED, receive(), record("end", "cm", at(0, "12:00")))
    again = case.when(record("anew", "cm", at(30)))
    again.then_among(event("complaint.reopened", step="anew", clause="五"), event("step.opened", step="handle"))
    assert again.after.closed_at is None
    assert again.after.reopened_at == at(30)


def test_a_limit_that_closing_cut_off_counts_from_the_reopening() -> None:
    case = given(REOPENED, receive(), record("end", "cm", at(0, "12:00")))
    case.when(record("anew", "cm", at(30))).then_among(
        event("clock.started", clock="handle", from_=at(30), due_at=at(32)),
        event("clock.started", clock="ageing", from_=at(30)),
    )


def test_no_limit_is_breached_by_the_time_in_which_the_case_was_closed() -> None:
    case = given(REOPENED, receive(), record("end", "cm", at(0, "12:00")), record("anew", "cm", at(30)))
    assert [breach.clock for breach in case.state.breaches] == ["file"]  # which stood while it was closed
    case.when(fire(at(32))).then_among(event("clock.breached", clock="handle"))


def test_what_had_stopped_stays_stopped_and_what_was_breached_is_not_breached_again() -> None:
    case = given(REOPENED, receive(), record("done_once", "cm", at(0, "10:00")), fire(at(2)))
    assert [breach.clock for breach in case.state.breaches] == ["handle"]
    case.take(record("end", "cm", at(3)), record("anew", "cm", at(30)), fire(at(40)))
    assert case.state.clocks["done_once"].state == "stopped"
    assert [breach.clock for breach in case.state.breaches].count("handle") == 1


def test_a_limit_that_applies_only_after_the_reopening_counts_from_it_too() -> None:
    case = given(REOPENED, receive(), record("end", "cm", at(0, "12:00")), record("anew", "cm", at(30)))
    case.when(say(at(30, "10:00"), grave=True)).then_among(event("clock.started", clock="hurry", from_=at(30)))


def test_a_row_that_stands_while_the_case_is_closed_counts_from_the_closing() -> None:
    case = given(REOPENED, receive(), record("end", "cm", at(0, "12:00")))
    assert case.state.clocks["file"].from_ == at(0, "12:00")
    case.take(record("anew", "cm", at(0, "13:00")))
    assert case.state.clocks["file"].from_ == at(0, "12:00")


def test_only_a_closed_case_can_be_reopened() -> None:
    two_ways = pack("""
steps:
- part: p
  rows:
  - {do: handle, clause: 一, by: cm}
  - {close: end, clause: 二, by: cm, after: handle}
  - {close: give_up, clause: 三, by: cm, duty: may}
  - {reopen: anew, clause: 四, by: cm, after: end | give_up, duty: may, back: {reopened: handle}}
""")
    case = given(two_ways, receive(), record("give_up", "cm", at(1)), record("anew", "cm", at(2)))
    assert case.state.steps["anew"].state == "waiting"  # though the case had been given up
    case.when(record("anew", "cm", at(3), already_happened=True)).then_rejected("step-not-open", "四")
    ended = case.take(record("handle", "cm", at(3))).when(record("end", "cm", at(4)))
    ended.then_among(event("step.opened", step="anew"))


def test_reopened_on_paper_counts_from_when_it_was_done() -> None:
    case = given(REOPENED, receive(), record("end", "cm", at(0, "12:00")))
    case.when(record("anew", "cm", at(30), done_at=at(29))).then_among(
        event("clock.started", clock="handle", from_=at(29), due_at=at(31))
    )
