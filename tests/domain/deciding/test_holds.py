"""Holds: placed and lifted by their conditions, as of when those came true."""

from __future__ import annotations

from tests.spec import at, event, given, pack, receive, record, say

HELD = pack("""
facts:
- {fact: media, clause: f, type: yes-no}
- {fact: grave, clause: f, type: yes-no, starts-as: no}
steps:
- part: p
  rows:
  - {do: note, clause: 一, by: cm, duty: may, repeats: not-stated}
  - {approve: consent, clause: 二, by: md}
  - {do: comment, clause: 三, by: cm}
  - {tell: letter, clause: 四, by: system, to: customer}
  - {close: end, clause: 五, by: cm}
holds:
- {hold: no_comment, clause: 甲, when: media, forbids: [comment, letter], until: consent.done}
- {hold: grave_first, clause: 乙, when: grave, forbids: [comment], until: consent.done}
- {hold: gate, clause: 丙, forbids: [end], until: comment.done}
""")


def test_a_hold_without_a_condition_stands_from_receipt() -> None:
    given(HELD).when(receive()).then_among(event("hold.placed", hold="gate", forbids=["end"], clause="丙", rule="gate"))


def test_a_hold_is_placed_while_its_condition_is_known_to_be_true() -> None:
    given(HELD).when(receive()).then_never(event("hold.placed", hold="no_comment"))
    given(HELD, receive()).when(say(at(0, "10:00"), media=True)).then_among(
        event("hold.placed", hold="no_comment", inputs={"media": True, "consent.done": False})
    )


def test_each_of_several_is_lifted_by_itself() -> None:
    case = given(HELD, receive(facts={"media": True}), say(at(0, "10:00"), grave=True))
    assert set(case.state.holds) == {"no_comment", "grave_first", "gate"}
    case.take(say(at(0, "11:00"), grave=False))
    assert set(case.state.holds) == {"no_comment", "gate"}
    case.when(record("comment", "cm", at(0, "12:00"))).then_rejected("held", "甲")
    case.when(record("consent", "md", at(0, "12:00"))).then_among(event("hold.lifted", hold="no_comment"))


def test_a_hold_is_placed_when_the_act_was_done_not_when_it_was_recorded() -> None:
    case = given(HELD, receive())
    placed = case.when(record("note", "cm", at(1), done_at=at(0, "10:00"), facts={"media": True}))
    placed.then_among(event("hold.placed", hold="no_comment", at=at(1), since=at(0, "10:00")))
    assert placed.after.holds["no_comment"] == at(0, "10:00")


def test_a_hold_is_lifted_when_what_it_waited_for_was_done() -> None:
    case = given(HELD, receive(facts={"media": True}))
    case.when(record("consent", "md", at(1), done_at=at(0, "11:00"))).then_among(
        event("hold.lifted", hold="no_comment", since=at(0, "11:00"))
    )


def test_a_hold_pauses_no_clock_and_closing_leaves_it() -> None:
    case = given(HELD, receive(), record("comment", "cm", at(0, "10:00")))
    case.when(record("end", "cm", at(0, "11:00"))).then_among(event("complaint.closed"))


def test_the_system_sends_no_notice_that_is_held_and_asks_for_it_once_the_hold_is_lifted() -> None:
    held = given(HELD, receive(facts={"media": True}))
    assert held.state.steps["letter"].state == "open"
    assert not held.state.steps["letter"].requested
    held.when(record("consent", "md", at(0, "10:00"))).then_among(
        event("hold.lifted", hold="no_comment"), event("notice.requested", step="letter", to="customer")
    )
    given(HELD).when(receive()).then_among(event("notice.requested", step="letter"))
