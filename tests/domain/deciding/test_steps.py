"""When steps open, wait and lapse."""

from __future__ import annotations

from tests.spec import at, event, fire, given, pack, receive, record, say

CHAIN = pack("""
facts:
- {fact: grave, clause: f, type: yes-no}
- {fact: handed_at, clause: f, type: time}
steps:
- part: first
  rows:
  - {do: look, clause: 一, by: cm, says: look well}
  - {do: ask, clause: 一a, by: cm}
  - {do: decide_it, clause: 二, by: md, after: [look, ask], when: grave}
  - {do: either, clause: 三, by: md, after: look | ask}
- part: grave ones
  when: grave
  rows:
  - {do: hurry, clause: 四, by: gm}
  - {tell: wait_a_week, clause: 五, by: gm, after: hurry, wait: 7 days, to: md}
  - {tell: wait_for_hand, clause: 六, by: gm, wait: 1 h elapsed, from: fact handed_at, to: md}
- part: end
  rows:
  - {close: end, clause: 七, by: cm, after: look}
  - {do: file, clause: 八, by: cm, after: end}
guidance:
- {clause: g, at: look, says: be thorough}
""")


def test_a_step_without_condition_is_open_from_receipt() -> None:
    given(CHAIN).when(receive()).then_among(
        event("step.opened", step="look", by="cm", clause="一", says="look well", guidance=["be thorough"], round=1)
    )


def test_a_condition_that_nobody_has_decided_opens_nothing() -> None:
    given(CHAIN).when(receive()).then_never(event("step.opened", step="hurry"))
    given(CHAIN).when(receive(facts={"grave": False})).then_never(event("step.opened", step="hurry"))
    given(CHAIN).when(receive(facts={"grave": True})).then_among(
        event("step.opened", step="hurry", inputs={"grave": True})
    )


def test_all_that_a_step_comes_after_must_be_good() -> None:
    case = given(CHAIN, receive(facts={"grave": True}), record("look", "cm", at(0, "10:00")))
    assert "decide_it" not in case.state.steps
    case.when(record("ask", "cm", at(0, "11:00"))).then_among(event("step.opened", step="decide_it"))


def test_of_alternatives_one_is_enough() -> None:
    given(CHAIN, receive()).when(record("ask", "cm", at(0, "10:00"))).then_among(event("step.opened", step="either"))


def test_a_step_opens_in_truth_when_the_last_thing_was_done_however_late_that_is_typed_in() -> None:
    case = given(CHAIN, receive(facts={"grave": True}), record("look", "cm", at(0, "10:00")))
    case.when(record("ask", "cm", at(1), done_at=at(0, "09:30"))).then_among(
        event("step.opened", step="decide_it", at=at(1), since=at(0, "10:00"))
    )


def test_a_chain_done_on_paper_may_be_typed_in_later_in_its_order() -> None:
    case = given(CHAIN, receive(facts={"grave": True}))
    case.take(
        record("look", "cm", at(1), done_at=at(0, "09:10")),
        record("ask", "cm", at(1), done_at=at(0, "09:20")),
        record("decide_it", "md", at(1), done_at=at(0, "09:30")),
    )
    assert case.state.steps["decide_it"].at == at(0, "09:30")
    again = given(CHAIN, receive(facts={"grave": True}), record("look", "cm", at(1), done_at=at(0, "09:10")))
    again.take(record("ask", "cm", at(1), done_at=at(0, "09:20")))
    again.when(record("decide_it", "md", at(1), done_at=at(0, "09:15"))).then_rejected("not-a-time", "二")


def test_what_is_open_lapses_when_its_condition_ceases_to_be_true_and_what_was_done_stays_done() -> None:
    case = given(CHAIN, receive(facts={"grave": True}))
    lapsed = case.when(say(at(0, "10:00"), grave=False))
    lapsed.then_among(event("step.lapsed", step="hurry", because="no longer applies", inputs={"grave": False}))
    assert lapsed.after.steps["hurry"].state == "waiting"
    done = given(CHAIN, receive(facts={"grave": True}), record("hurry", "gm", at(0, "09:30")))
    assert done.when(say(at(0, "10:00"), grave=False)).after.steps["hurry"].state == "over"


def test_what_lapsed_opens_again_when_it_applies_again() -> None:
    case = given(CHAIN, receive(facts={"grave": True}), say(at(0, "10:00"), grave=False))
    case.when(say(at(0, "11:00"), grave=True)).then_among(event("step.opened", step="hurry"))


def test_a_wait_counts_from_the_last_thing_that_the_step_comes_after() -> None:
    case = given(CHAIN, receive(facts={"grave": True}))
    case.when(record("hurry", "gm", at(0, "10:00"))).then_among(
        event("step.scheduled", step="wait_a_week", opens_at=at(8, "00:00"))
    )


def test_a_step_that_waited_opens_at_its_instant_without_any_timer() -> None:
    case = given(CHAIN, receive(facts={"grave": True}), record("hurry", "gm", at(0, "10:00")))
    case.when(say(at(20), handed_at="2026-03-20T09:00:00+08:00")).then_among(
        event("step.opened", step="wait_a_week", at=at(8, "00:00"), since=None),
        event("facts.recorded", at=at(20)),
    )


def test_a_wait_may_count_from_a_fact() -> None:
    case = given(CHAIN, receive(facts={"grave": True}))
    case.when(say(at(0, "10:00"), handed_at="2026-03-02T09:30:00+08:00")).then_among(
        event("step.scheduled", step="wait_for_hand", opens_at=at(0, "10:30"))
    )


def test_a_step_that_waits_is_scheduled_anew_when_what_its_wait_counts_from_is_corrected() -> None:
    case = given(CHAIN, receive(facts={"grave": True}), say(at(0, "09:30"), handed_at=at(0, "12:00").isoformat()))
    later = case.when(say(at(0, "10:00"), handed_at=at(0, "15:00").isoformat()))
    later.then_among(event("step.scheduled", step="wait_for_hand", opens_at=at(0, "16:00")))
    case.take(say(at(0, "10:00"), handed_at=at(0, "15:00").isoformat()))
    case.when(fire(at(0, "13:00"))).then_nothing()
    case.when(fire(at(0, "16:00"))).then_among(event("step.opened", step="wait_for_hand", at=at(0, "16:00")))
    case.when(say(at(0, "14:00"), handed_at=at(0, "11:00").isoformat())).then_among(
        event("step.scheduled", opens_at=at(0, "12:00")), event("step.opened", since=at(0, "12:00"))
    )
    case.when(say(at(0, "14:00"), handed_at=at(0, "15:00").isoformat())).then_never(event("step.scheduled"))


def test_a_wait_that_is_past_opens_at_once_in_truth_when_it_was_over() -> None:
    case = given(CHAIN, receive(facts={"grave": True}))
    case.when(say(at(0, "12:00"), handed_at="2026-03-02T09:30:00+08:00")).then_among(
        event("step.scheduled", step="wait_for_hand", opens_at=at(0, "10:30")),
        event("step.opened", step="wait_for_hand", at=at(0, "12:00"), since=at(0, "10:30")),
    )


def test_an_act_at_the_very_instant_at_which_a_wait_is_over_is_none_too_early() -> None:
    case = given(CHAIN, receive(facts={"grave": True}), say(at(0, "09:30"), handed_at=at(0, "12:00").isoformat()))
    told = record("wait_for_hand", "gm", at(0, "13:00"))
    case.when(told).then_among(
        event("step.opened", step="wait_for_hand", at=at(0, "13:00")), event("notice.given", step="wait_for_hand")
    )
    case.when(record("wait_for_hand", "gm", at(0, "12:59"))).then_rejected("step-not-open")
    case.when(record("wait_for_hand", "cm", at(0, "13:00"))).then_rejected("not-your-step")


def test_closing_lapses_what_is_open_but_opens_what_comes_after_a_close() -> None:
    case = given(CHAIN, receive(facts={"grave": True}), record("look", "cm", at(0, "10:00")))
    closed = case.when(record("end", "cm", at(0, "11:00")))
    closed.then_among(
        event("complaint.closed", step="end"),
        event("step.lapsed", step="ask", because="closed"),
        event("step.lapsed", step="hurry", because="closed"),
        event("step.opened", step="file"),
    )
    assert closed.after.closed_at == at(0, "11:00")


def test_a_closed_case_opens_nothing_else() -> None:
    case = given(CHAIN, receive(), record("look", "cm", at(0, "10:00")), record("end", "cm", at(0, "11:00")))
    case.when(say(at(0, "12:00"), grave=True)).then(event("facts.recorded"))
