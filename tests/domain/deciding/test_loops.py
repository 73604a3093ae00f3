"""Loops: an outcome opens an earlier step again; limits from inside start anew, limits from outside go on."""

from __future__ import annotations

from tests.spec import at, event, fire, given, pack, receive, record

PLAN = pack("""
facts: [{fact: grave, clause: f, type: yes-no}]
clocks:
- {clock: ageing, clause: c, from: received, within: 30 days, stop: done_it.done}
- {clock: silence, clause: d, from: plan, within: 2 days}
steps:
- part: p
  rows:
  - {do: plan, clause: 一, by: cm, within: 4 h elapsed}
  - {tell: send, clause: 二, by: cm, to: md, after: plan, within: 24 h elapsed, from: received}
  - {approve: review, clause: 三, by: md, after: send, within: 2 h elapsed, from: send, back: {refused: plan}}
  - {do: done_it, clause: 四, by: cm, after: review}
  - {do: again_noted, clause: 五, by: cm, when: plan.round > 1}
  - {approve: taste, clause: 六, by: gm, back: {refused: taste}}
  - {close: end, clause: 七, by: cm, after: done_it}
""")


def test_a_refusal_reopens_the_plan_and_what_comes_after_it_one_round_later() -> None:
    case = given(PLAN, receive(), record("plan", "cm", at(0, "10:00")), record("send", "cm", at(0, "11:00")))
    back = case.when(record("review", "md", at(0, "12:00"), outcome="refused"))
    back.then_among(
        event("approval.refused", step="review", over=True),
        event(
            "steps.reopened",
            steps=["plan", "send", "review"],
            first="plan",
            because="review: refused",
            clause="三",
        ),
        event("step.opened", step="plan", round=2),
        event("step.opened", step="again_noted"),
    )
    assert back.after.steps["send"].state == "waiting"
    assert back.after.steps["send"].round == 2


def test_a_limit_from_inside_the_loop_starts_anew_and_one_from_outside_goes_on() -> None:
    case = given(PLAN, receive(), record("plan", "cm", at(0, "10:00")), record("send", "cm", at(0, "11:00")))
    case.take(record("review", "md", at(0, "12:00"), outcome="refused"))
    clocks = case.state.clocks
    assert clocks["plan"].from_ == at(0, "12:00")
    assert clocks["send"].state == "stopped"  # counts from receipt, stopped once: not owed again
    assert "review" not in clocks
    assert clocks["ageing"].from_ == at()


def test_a_limit_from_outside_that_runs_while_the_loop_goes_round_is_breached_once() -> None:
    late = given(PLAN, receive(), record("plan", "cm", at(0, "10:00")), fire(at(1, "10:00")))
    assert [breach.clock for breach in late.state.breaches] == ["send"]
    late.take(record("send", "cm", at(1, "11:00")), record("review", "md", at(1, "12:00"), outcome="refused"))
    late.take(record("plan", "cm", at(1, "13:00")), record("send", "cm", at(2, "14:00")))
    assert [breach.clock for breach in late.state.breaches] == ["send"]


def test_a_clock_without_a_step_that_counts_from_inside_starts_anew() -> None:
    case = given(PLAN, receive(), record("plan", "cm", at(0, "10:00")), record("send", "cm", at(0, "11:00")))
    assert case.state.clocks["silence"].from_ == at(0, "10:00")
    case.take(record("review", "md", at(0, "12:00"), outcome="refused"))
    assert "silence" not in case.state.clocks
    case.take(record("plan", "cm", at(0, "13:00")))
    assert case.state.clocks["silence"].from_ == at(0, "13:00")


def test_what_is_over_before_the_loop_waits_again_and_a_good_end_is_asked_anew() -> None:
    case = given(PLAN, receive(), record("plan", "cm", at(0, "10:00")), record("send", "cm", at(0, "11:00")))
    case.take(record("review", "md", at(0, "12:00"), outcome="refused"))
    case.when(record("review", "md", at(0, "12:30"))).then_rejected("step-not-open", waits_for=["send"])


def test_a_refusal_that_is_not_final_reopens_the_step_itself() -> None:
    case = given(PLAN, receive(), record("taste", "gm", at(0, "10:00"), outcome="refused"))
    assert case.state.steps["taste"].state == "open"
    assert case.state.steps["taste"].round == 2
    case.when(record("taste", "gm", at(0, "11:00"))).then_among(event("approval.granted", round=2, over=True))


def test_a_refusal_done_earlier_than_recorded_reopens_from_when_it_was_done() -> None:
    case = given(PLAN, receive(), record("plan", "cm", at(0, "10:00")), record("send", "cm", at(0, "11:00")))
    case.when(record("review", "md", at(1), outcome="refused", done_at=at(0, "11:30"))).then_among(
        event("step.opened", step="plan", since=at(0, "11:30")),
        event("clock.started", clock="plan", from_=at(0, "11:30"), due_at=at(0, "15:30")),
        event("clock.breached", clock="plan", at=at(1), due_at=at(0, "15:30")),
    )


def test_a_stop_that_a_loop_makes_false_again_lets_the_clock_run_on_as_if_it_had_not_stopped() -> None:
    redo = pack("""
clocks: [{clock: ageing, clause: c, from: received, within: 10 days, stop: carry_out.done}]
steps:
- part: p
  rows:
  - {do: carry_out, clause: 一, by: cm}
  - {revisit: ask, clause: 二, by: cm, after: carry_out, outcomes: [satisfied, again], back: {again: carry_out}}
  - {close: end, clause: 三, by: cm, after: ask}
""")
    case = given(redo, receive(), record("carry_out", "cm", at(1)))
    assert case.state.clocks["ageing"].state == "stopped"
    case.when(record("ask", "cm", at(2), outcome="again")).then_among(
        event("clock.resumed", clock="ageing", due_at=at(11, "00:00"))
    )
    late = given(redo, receive(), record("carry_out", "cm", at(1)))
    late.when(record("ask", "cm", at(20), outcome="again")).then_among(
        event("clock.resumed", clock="ageing", due_at=at(11, "00:00")),
        event("clock.expired", clock="ageing", due_at=at(11, "00:00"), at=at(20)),
    )
