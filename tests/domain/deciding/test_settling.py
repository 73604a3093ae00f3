"""The order in which rows are looked at, and rows that undo one another."""

from __future__ import annotations

import pytest

from complaints.errors import Unsettled
from tests.spec import at, command, event, given, pack, receive, record, say

ORDER = pack("""
facts: [{fact: grave, clause: f, type: yes-no, starts-as: no}]
decisions:
- {decide: grade, of: [1, 2], rows: [{set: 1, clause: 甲, when: grave}, {set: 2, clause: 乙}]}
- {decide: owner, rows: [{set: gm, clause: 丙, when: grade == 1}, {set: md, clause: 丁}]}
steps:
- part: p
  rows:
  - {do: second_named, clause: 一, by: cm, when: grade == 1}
  - {do: by_number, clause: 二, by: owner, when: grade == 2, within: 5 h elapsed}
  - {do: first_named, clause: 三, by: cm, when: grade == 1, within: 5 h elapsed}
  - {close: end, clause: 四, by: cm}
holds: [{hold: gate, clause: h, when: second_named.open, forbids: [end], until: second_named.done}]
""")


def test_decisions_then_lapses_then_openings_then_clocks_then_holds_in_file_order() -> None:
    given(ORDER, receive()).when(say(at(0, "10:00"), grave=True)).then(
        event("facts.recorded"),
        event("complaint.graded", to=1),
        event("complaint.routed", to="gm"),
        event("step.lapsed", step="by_number"),
        event("step.opened", step="second_named"),
        event("step.opened", step="first_named"),
        event("clock.cancelled", clock="by_number"),
        event("clock.started", clock="first_named"),
        event("hold.placed", hold="gate"),
    )


def test_a_command_that_touches_nothing_of_a_row_leaves_it_alone() -> None:
    given(ORDER, receive()).when(say(at(0, "10:00"), grave=False)).then(event("facts.recorded"))


def test_rows_that_undo_one_another_are_named_and_nothing_is_decided() -> None:
    contrary = pack("""
decisions:
- {decide: here, rows: [{set: near, clause: 甲, when: there == distant}, {set: far, clause: 乙}]}
- {decide: there, rows: [{set: distant, clause: 丙, when: here == far}, {set: close_by, clause: 丁}]}
steps: [{part: p, rows: [{close: end, clause: 四, by: cm}]}]
""")
    case = given(contrary, receive())
    with pytest.raises(Unsettled) as found:
        case.when(command("judge", "front", at(0, "10:00"), decide="here", to="far", reason="r"))
    assert found.value.data["rows"] == ["here.rows.1", "here.rows.2", "there.rows.1", "there.rows.2"]
    assert case.state.decided == {}


def test_two_things_that_are_due_at_one_instant_both_happen_in_the_order_of_their_names() -> None:
    pair = pack("""
steps:
- part: p
  rows:
  - {do: zebra, clause: 一, by: cm, within: 2 h elapsed, from: received}
  - {do: ape, clause: 二, by: cm, within: 2 h elapsed, from: received}
  - {do: after_ape, clause: 三, by: md, when: ape.late}
  - {close: end, clause: 四, by: cm}
""")
    given(pair, receive()).when(command("fire-timer", at=at(0, "11:00"))).then(
        event("clock.breached", clock="ape"),
        event("clock.breached", clock="zebra"),
        event("step.opened", step="after_ape"),
    )


def test_an_act_is_dated_now_and_what_follows_from_it_too() -> None:
    case = given(ORDER, receive())
    outcome = case.when(record("by_number", "md", at(0, "12:00"), done_at=at(0, "10:00"), facts={"grave": True}))
    assert {one.at for one in outcome.events} == {at(0, "12:00")}
