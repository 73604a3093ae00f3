"""What is said of a case: values, who may say them, corrections, trees, meanings, dates compared."""

from __future__ import annotations

from typing import Any

import pytest

from complaints.errors import PackRefused
from tests.spec import at, event, given, pack, receive, record, say

KNOWN = pack("""
facts:
- {fact: note, clause: f, type: text}
- {fact: grave, clause: f, type: yes-no}
- {fact: heads, clause: f, type: number}
- {fact: seen_at, clause: f, type: time}
- {fact: kind, clause: f, type: [goods, staff]}
- {fact: cause, clause: f, under: kind, type: {goods: [broken, late], staff: [rude]}, by: cm}
- {fact: free, clause: f, type: choices not-stated}
- {fact: serious, clause: f, means: "grave && heads >= 3"}
- {fact: timely, clause: f, within: 10 days, from: seen_at, until: received}
steps:
- part: p
  rows:
  - {do: hurry, clause: 一, by: cm, when: serious}
  - {do: hear, clause: 二, by: cm, when: "!timely"}
  - {close: end, clause: 三, by: cm}
""")


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("note", 3),
        ("note", True),
        ("note", None),
        ("grave", "yes"),
        ("grave", 1),
        ("heads", "3"),
        ("heads", True),
        ("heads", 2.5),
        ("seen_at", "yesterday"),
        ("seen_at", "2026-03-02T09:00:00"),
        ("seen_at", 5),
        ("seen_at", "0001-01-01T00:00:00+00:00"),
        ("seen_at", "9999-12-31T23:59:59-12:00"),
        ("kind", "weather"),
        ("kind", False),
        ("free", 7),
    ],
)
def test_a_value_that_a_fact_can_never_have_is_refused(fact: str, value: Any) -> None:
    given(KNOWN, receive()).when(say(at(0, "10:00"), **{fact: value})).then_rejected("not-a-choice", "f", fact=fact)


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("note", ""),
        ("grave", False),
        ("heads", 0),
        ("seen_at", "2026-03-01T09:00:00+08:00"),
        ("kind", "staff"),
        ("free", "anything"),
    ],
)
def test_a_value_that_fits_is_recorded(fact: str, value: Any) -> None:
    given(KNOWN, receive()).when(say(at(0, "10:00"), **{fact: value})).then_among(
        event("facts.recorded", facts={fact: value}, person="front", clause=None)
    )


DESKS = """
facts:
- {fact: large_amount, clause: f, type: number, by: nobody, starts-as: not-stated}
- {fact: amount, clause: g, type: number}
- {fact: cause, clause: h, type: choices not-stated}
- {fact: cause2, clause: h, type: choices not-stated, under: cause}
steps:
- part: p
  rows: [{do: ask_md, clause: 一, by: cm, when: amount >= large_amount}, {close: end, clause: 二, by: cm}]
"""


def test_what_nobody_sets_is_the_desks_alone_and_cited() -> None:
    case = given(pack(DESKS, answers={"large_amount.starts-as": 10_000}))
    case.when(receive(facts={"large_amount": 5, "amount": 6})).then_rejected("not-your-fact", "f")
    case.when(receive(facts={"amount": 10_000})).then_among(
        event("step.opened", step="ask_md", clause=["一", "desk:large_amount.starts-as"])
    )
    case.take(receive())
    case.when(say(at(0, "10:00"), "nobody", large_amount=5)).then_rejected("not-your-fact", "f")


def test_a_tree_that_the_text_does_not_print_takes_any_word_until_the_desk_has_drawn_it() -> None:
    facts = {"cause": "claims", "cause2": "slow"}
    given(pack(DESKS)).when(receive(facts=facts)).then_among(event("complaint.received"))
    tree = {"claims": ["slow", "denied"], "staff": ["rude"]}
    drawn = given(pack(DESKS, answers={"cause.type": ["claims", "staff"], "cause2.type": tree}))
    drawn.when(receive(facts=facts)).then_among(event("complaint.received"))
    drawn.when(receive(facts={"cause": "claims", "cause2": "rude"})).then_rejected(
        "not-a-choice", "h", choices=["slow", "denied"]
    )


def test_a_tree_of_the_desk_grows_from_values_that_the_parent_has() -> None:
    with pytest.raises(PackRefused, match="cause is never garden"):
        pack(DESKS, answers={"cause.type": ["claims"], "cause2.type": {"garden": ["slow"]}})


RECEIVED = pack("""
facts:
- {fact: is_urgent, clause: f, type: yes-no, by: receiver}
- {fact: kept_by, clause: g, type: text, by: holder}
- {fact: cost, clause: h, type: number, by: owner}
decisions: [{decide: owner, rows: [{set: md, clause: o}]}]
steps: [{part: p, rows: [{pass: over, clause: 一, by: cm, to: md}, {close: end, clause: 二, by: cm}]}]
""")


def test_whoever_receives_a_case_is_its_receiver_and_holder_as_he_does() -> None:
    case = given(RECEIVED)
    case.when(receive("cm", facts={"is_urgent": True, "kept_by": "k"})).then_among(event("complaint.received"))
    case.when(receive("cm", facts={"cost": 1})).then_rejected("not-your-fact", "h")
    case.take(receive("cm"))
    case.when(say(at(0, "10:00"), "md", is_urgent=True)).then_rejected("not-your-fact", "f")
    case.when(say(at(0, "10:00"), "cm", is_urgent=True)).then_among(event("facts.recorded"))


def test_what_follows_from_other_facts_is_not_said() -> None:
    given(KNOWN, receive()).when(say(at(0, "10:00"), serious=True)).then_rejected("no-such-fact", fact="serious")
    given(KNOWN, receive()).when(say(at(0, "10:00"), timely=True)).then_rejected("no-such-fact", fact="timely")


def test_a_level_of_a_tree_offers_what_stands_under_its_parent() -> None:
    case = given(KNOWN, receive(facts={"kind": "goods"}))
    case.when(say(at(0, "10:00"), by="cm", cause="rude")).then_rejected("not-a-choice", choices=["broken", "late"])
    case.when(say(at(0, "10:00"), by="cm", cause="late")).then_among(event("facts.recorded"))
    case.when(say(at(0, "10:00"), by="cm", kind="staff", cause="rude")).then_among(event("facts.recorded"))


def test_a_fact_is_said_by_whom_it_names() -> None:
    given(KNOWN, receive(facts={"kind": "goods"})).when(say(at(0, "10:00"), cause="late")).then_rejected(
        "not-your-fact", "f", fact="cause"
    )


def test_a_meaning_opens_a_step_once_what_it_stands_on_is_known() -> None:
    case = given(KNOWN, receive(facts={"grave": True}))
    case.when(say(at(0, "10:00"), heads=3)).then_among(event("step.opened", step="hurry", inputs={"serious": True}))


def test_two_dates_are_compared_once_both_are_known() -> None:
    given(KNOWN, receive()).when(say(at(0, "10:00"), seen_at="2026-02-01T09:00:00+08:00")).then_among(
        event("step.opened", step="hear")
    )
    given(KNOWN, receive()).when(say(at(0, "10:00"), seen_at="2026-02-25T09:00:00+08:00")).then_never(
        event("step.opened", step="hear")
    )


def test_a_correction_is_another_record_and_the_earlier_value_stays_known() -> None:
    case = given(KNOWN, receive(), say(at(0, "10:00"), heads=1), say(at(0, "11:00"), heads=4))
    assert case.state.facts["heads"] == 4
    assert case.state.history["heads"] == ((at(0, "10:00"), 1), (at(0, "11:00"), 4))
    assert case.state.changed_at("heads") == at(0, "11:00")


def test_saying_the_same_again_changes_nothing_that_holds() -> None:
    case = given(KNOWN, receive(facts={"heads": 4}), say(at(0, "10:00"), heads=4))
    assert case.state.changed_at("heads") is None
    assert case.state.learned_at("heads") == at()


def test_facts_said_with_a_record_count_from_when_it_was_done() -> None:
    case = given(KNOWN, receive(), say(at(0, "09:30"), grave=True, heads=3))
    case.take(record("hurry", "cm", at(0, "12:00"), done_at=at(0, "10:00"), facts={"note": "x"}))
    assert case.state.learned_at("note") == at(0, "10:00")
