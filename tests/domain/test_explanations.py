"""Why a clock is due when it is."""

from __future__ import annotations

import pytest

from complaints.explanations import Answer, explain, explanations
from tests.spec import CALENDAR, at, fire, given, office, pack, receive, record, say

P = pack("""
questions:
- {question: hours, clause: q, asks: which, answer: {reading: elapsed, or: [working], because: b}}
facts:
- {fact: special, clause: f, type: yes-no}
- {fact: theirs, clause: f, type: yes-no}
- {fact: name, clause: f, type: text, personal: true}
clocks: [{clock: ageing, clause: c, says: too old, from: received, within: 5 days}]
steps:
- part: p
  rows:
  - do: handle
    clause: 一
    says: handle it
    by: cm
    within: [{is: 10 h, when: special, clause: 一a}, {is: soft soon, when: "!special"}]
    from: received
    pause: theirs
    extend: {to: 20 h, when: theirs, clause: 一b}
  - {do: look, clause: 二, by: cm, within: soft now}
  - {close: end, clause: 三, by: cm}
""", answers={"hours.answer": "working"})  # fmt: skip


def test_it_names_limit_start_clause_intervals_and_the_desks_answer() -> None:
    state = given(P, receive(facts={"special": True})).state
    found = explain(P, CALENDAR, state, "handle", at(0, "12:00"))
    assert (found.limit, found.unit, found.counts_from, found.from_at) == ("10 h", "working", "received", at())
    assert found.due_at == at(1, "10:00")
    assert found.intervals == [(at(), at(0, "18:00")), (at(1), at(1, "10:00"))]
    assert found.because == "special"
    assert found.inputs == {"special": True}
    assert found.clause == ["一a", "desk:hours.answer"]
    assert found.answers == [Answer(place="hours.answer", value="working")]
    assert found.says == "handle it"
    assert found.owed_by == "cm"
    assert found.left_s == 7 * 3600
    assert (found.calendar, found.timezone) == ("default", "Asia/Shanghai")
    assert found.extension == "20 h"


def test_a_pause_that_lasts_and_what_is_left() -> None:
    state = given(P, receive(facts={"special": True}), say(at(0, "12:00"), theirs=True)).state
    found = explain(P, CALENDAR, state, "handle", at(0, "17:00"))
    assert (found.state, found.left_s) == ("paused", 7 * 3600)
    assert [(pause.begun, pause.ended) for pause in found.pauses] == [(at(0, "12:00"), None)]


def test_a_limit_that_ran_out_says_since_when() -> None:
    state = given(P, receive(facts={"special": True}), fire(at(1, "10:00"))).state
    assert explain(P, CALENDAR, state, "handle", at(1, "11:30")).late_s == 5400


def test_a_limit_without_a_number_says_the_texts_word() -> None:
    state = given(P, receive(facts={"special": False})).state
    found = explain(P, CALENDAR, state, "handle", at(1))
    assert (found.due_at, found.word, found.limit) == (None, "soon", "soft soon")


def test_a_provisional_date_says_so() -> None:
    calendar = office(published_until=at(0).date())
    state = given(P, receive(facts={"special": True}), calendar=calendar).state
    assert explain(P, calendar, state, "handle", at()).provisional


def test_all_clocks_in_the_order_of_the_procedure_those_that_are_over_on_request() -> None:
    state = given(P, receive(facts={"special": True}), record("look", "cm", at(0, "10:00"))).state
    assert [found.clock for found in explanations(P, CALENDAR, state, at(0, "12:00"))] == ["handle", "ageing"]
    every = explanations(P, CALENDAR, state, at(0, "12:00"), ended=True)
    assert [found.clock for found in every] == ["handle", "look", "ageing"]


def test_a_clock_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        explain(P, CALENDAR, given(P, receive()).state, "nothing", at())
