"""How a case comes in."""

from __future__ import annotations

from datetime import timedelta

from tests.spec import at, event, given, pack, receive, record

PLAIN = pack("""
facts:
- {fact: what, clause: f, type: text}
- {fact: letter_kind, clause: f, type: [complaint, accusation]}
intake:
- {channels: [phone, letter, other], clause: 甲, asks: [what]}
- {channels: [visit], clause: 乙, by: cm | md}
- {channels: [visit], clause: 丙, by: gm}
- {channels: [any], clause: 丁}
- {asks: [letter_kind], clause: 戊, when: channel == letter}
steps:
- part: p
  rows:
  - {do: look, clause: 一, by: receiver, within: 2 h elapsed, from: received}
  - {close: end, clause: 二, by: cm, after: look}
guidance:
- {clause: 己, at: intake, says: be kind}
""", doors="")  # fmt: skip


BY_PLACE = pack("""
intake:
- {channels: [visit], by: centre, clause: 2.(1), asks: [content]}
- {channels: [visit], by: branch, clause: 3.(1)}
- {channels: [visit], clause: 3.(2)}
facts: [{fact: content, clause: f, type: text}]
steps: [{part: p, rows: [{close: end, clause: 一, by: centre}]}]
""", doors="", roles="centre branch")  # fmt: skip


def test_of_the_rows_of_a_channel_those_are_cited_that_let_the_sender_in_and_all_ask() -> None:
    given(BY_PLACE).when(receive("branch", channel="visit")).then_among(
        event("complaint.received", clause=["3.(1)", "3.(2)"]), event("facts.asked", facts=["content"])
    )


def test_what_was_received_names_channel_receiver_pack_and_guidance() -> None:
    given(PLAIN).when(receive("ann/front", channel="phone", facts={"what": "noise"})).then_among(
        event(
            "complaint.received",
            channel="phone",
            receiver="front",
            person="ann",
            clause="甲",
            facts={"what": "noise"},
            pack="test",
            pack_version=1,
            guidance=["be kind"],
            arrived_closed=False,
        ),
    )


def test_a_question_without_an_answer_stays_owed_and_blocks_nothing() -> None:
    case = given(PLAIN, receive(channel="letter"))
    assert case.state.asked == ("what", "letter_kind")
    case.when(record("look", "front", at(0, "10:00"))).then_among(event("work.recorded", step="look"))


def test_answering_takes_the_question_off() -> None:
    case = given(PLAIN, receive(channel="letter"), record("look", "front", at(0, "10:00"), facts={"what": "noise"}))
    assert case.state.asked == ("letter_kind",)


def test_a_channel_that_no_row_names_comes_in_by_other_before_any() -> None:
    given(PLAIN).when(receive(channel="pigeon")).then_among(event("complaint.received", clause="甲"))


def test_rows_of_one_channel_add_up() -> None:
    given(PLAIN).when(receive("gm", channel="visit")).then_among(
        event("complaint.received", clause="丙", receiver="gm")
    )


def test_who_may_not_receive_on_a_channel_is_refused_with_its_clause() -> None:
    given(PLAIN).when(receive("front", channel="visit")).then_rejected("not-allowed", "乙", roles=["cm", "md", "gm"])


def test_a_channel_outside_a_closed_list_is_refused() -> None:
    closed = pack("""
intake: [{channels: [phone], clause: 甲}]
steps: [{part: p, rows: [{close: end, clause: 二, by: cm}]}]
""", doors="")  # fmt: skip
    given(closed).when(receive(channel="fax")).then_rejected("no-such-channel", "甲", choices=["phone"])


def test_receiving_again_changes_nothing() -> None:
    given(PLAIN, receive(channel="phone")).when(receive(channel="phone", at=at(0, "09:05"))).then_nothing()


def test_a_case_that_was_never_received_takes_no_command() -> None:
    given(PLAIN).when(record("look", "front", at())).then_rejected("no-such-complaint")


def test_what_arrives_outside_the_windows_says_so() -> None:
    given(PLAIN).when(receive(channel="phone", at=at(0, "19:00"))).then_among(
        event("complaint.received", arrived_closed=True)
    )


def test_received_earlier_than_recorded_counts_from_then() -> None:
    given(PLAIN).when(receive(channel="phone", at=at(0, "10:00"), occurred_at=at(0, "09:00"))).then_among(
        event("complaint.received", at=at(0, "10:00"), occurred_at=at(0, "09:00")),
        event("clock.started", clock="look", from_=at(0, "09:00"), due_at=at(0, "11:00")),
    )


def test_a_limit_that_was_over_before_the_case_was_typed_in_is_breached_now_with_its_true_date() -> None:
    given(PLAIN).when(receive(channel="phone", at=at(2), occurred_at=at(0, "09:00"))).then_among(
        event("clock.breached", clock="look", at=at(2), due_at=at(0, "11:00"))
    )


def test_what_has_not_happened_yet_is_not_received() -> None:
    given(PLAIN).when(receive(channel="phone", at=at(), occurred_at=at() + timedelta(seconds=1))).then_rejected(
        "not-a-time"
    )


def test_an_imported_life_stands_at_its_own_instants() -> None:
    case = given(PLAIN, receive(channel="phone", at=at(30), occurred_at=at(0, "09:00"), imported=True))
    assert case.state.imported
    assert case.history[0].at == at(0, "09:00")
    case.when(record("look", "front", at(0, "12:00"))).then_among(
        event("clock.breached", clock="look", at=at(0, "11:00")),
        event("work.recorded", at=at(0, "12:00")),
    )


def test_facts_are_checked_at_the_door() -> None:
    given(PLAIN).when(receive(channel="phone", facts={"letter_kind": "bill"})).then_rejected(
        "not-a-choice", "f", choices=["complaint", "accusation"]
    )
    given(PLAIN).when(receive(channel="phone", facts={"weather": "fine"})).then_rejected("no-such-fact")
