"""Warnings that a desk asked for: before the limit, in its own kind of time, citing the desk."""

from __future__ import annotations

from datetime import timedelta

from complaints.deciding import next_due
from complaints.sla import Warn, Warnings
from tests.spec import at, event, fire, given, pack, receive, record, say

P = pack("""
facts: [{fact: theirs, clause: f, type: yes-no}]
steps:
- part: p
  rows:
  - {do: look, clause: 一, by: cm, within: 10 h elapsed, from: received, pause: theirs}
  - {do: act, clause: 二, by: cm, within: 10 h working, from: received}
  - {close: end, clause: 三, by: cm}
""")
HALF: Warnings = {"look": [Warn(share=0.5)], "*": [Warn(before=timedelta(hours=1))]}


def test_a_clock_says_when_the_desk_will_be_warned() -> None:
    started = given(P, receive(), warnings=HALF).state.clocks
    assert started["look"].warn_at == (at(0, "14:00"),)
    assert started["act"].warn_at == (at(1, "09:00"),)


def test_a_share_is_taken_in_the_limits_own_kind_of_time() -> None:
    case = given(P, receive(), warnings={"act": [Warn(share=0.9), Warn(share=0.5)]})
    assert case.state.clocks["act"].warn_at == (at(0, "14:00"), at(0, "18:00"))


def test_the_warning_comes_at_its_instant_once_and_cites_the_desk() -> None:
    case = given(P, receive(), warnings=HALF)
    assert next_due(case.state) == at(0, "14:00")
    case.when(fire(at(0, "14:00"))).then(
        event(
            "clock.warned",
            clock="look",
            due_at=at(0, "19:00"),
            by="cm",
            at=at(0, "14:00"),
            clause=["desk:warnings.look"],
        )
    )
    case.take(fire(at(0, "14:00")))
    assert case.state.clocks["look"].warned
    case.when(fire(at(0, "14:30"))).then_nothing()
    case.when(fire(at(1, "09:00"))).then_among(event("clock.warned", clock="act", clause=["desk:warnings.*"]))


def test_what_is_done_before_is_not_warned_of() -> None:
    case = given(P, receive(), record("look", "cm", at(0, "10:00")), warnings=HALF)
    case.when(fire(at(0, "14:00"))).then_nothing()


def test_after_a_pause_the_warning_moves_with_the_date() -> None:
    case = given(P, receive(), say(at(0, "10:00"), theirs=True), say(at(0, "12:00"), theirs=False), warnings=HALF)
    assert case.state.clocks["look"].due_at == at(0, "21:00")
    assert case.state.clocks["look"].warn_at == (at(0, "15:00"),)


def test_a_warning_that_would_come_too_late_is_none() -> None:
    late = given(P, receive(at=at(0, "18:00"), occurred_at=at(0, "09:00")), warnings=HALF)
    assert late.state.clocks["look"].warn_at == ()


def test_nobody_is_warned_where_the_desk_did_not_ask() -> None:
    assert given(P, receive()).state.clocks["look"].warn_at == ()
