"""Pauses and extensions, also those that are recorded late."""

from __future__ import annotations

from tests.spec import at, event, fire, given, pack, receive, record, say

PAUSED = pack("""
facts: [{fact: theirs, clause: f, type: yes-no}]
clocks: [{clock: ageing, clause: c, from: received, within: 10 h working, pause: theirs}]
steps:
- part: p
  rows:
  - {do: look, clause: 一, by: cm, within: 24 h elapsed, from: received, pause: theirs}
  - {do: note, clause: 二, by: cm, duty: may, repeats: not-stated}
  - {do: later, clause: 三, by: cm, after: look, within: 10 h elapsed, from: received, pause: theirs}
  - {close: end, clause: 四, by: cm}
""")


def test_a_pause_stands_the_clock_and_what_was_left_runs_on() -> None:
    case = given(PAUSED, receive())
    case.when(say(at(0, "12:00"), theirs=True)).then(
        event("facts.recorded"),
        event("pause.begun", clock="look", clause="一", inputs={"theirs": True}, since=None),
        event("pause.begun", clock="later"),
        event("pause.begun", clock="ageing"),
        event("clock.paused", clock="look", left_s=21 * 3600.0),
        event("clock.paused", clock="later", left_s=7 * 3600.0),
        event("clock.paused", clock="ageing", left_s=7 * 3600.0),
    )
    case.take(say(at(0, "12:00"), theirs=True))
    assert case.state.clocks["look"].left_s == 21 * 3600
    assert case.state.clocks["ageing"].left_s == 7 * 3600
    case.when(fire(at(0, "18:00"))).then_nothing()
    case.when(say(at(1, "12:00"), theirs=False)).then_among(
        event("pause.ended", clock="look"),
        event("clock.resumed", clock="look", due_at=at(2)),
        event("clock.resumed", clock="ageing", due_at=at(2, "10:00")),
    )


def test_a_pause_is_kept_before_the_clock_runs_and_is_added_when_it_starts_in_the_past() -> None:
    case = given(PAUSED, receive(), say(at(0, "10:00"), theirs=True), say(at(0, "13:00"), theirs=False))
    assert case.state.pauses["later"][0].ended == at(0, "13:00")
    case.take(record("look", "cm", at(0, "14:00")))
    assert case.state.clocks["later"].due_at == at(0, "22:00")


def test_a_clock_that_starts_in_the_past_while_a_pause_lasts_has_what_was_left_at_its_beginning() -> None:
    starting = pack("""
facts:
- {fact: theirs, clause: f, type: yes-no}
- {fact: grave, clause: f, type: yes-no}
steps:
- part: p
  rows:
  - {do: hurry, clause: 一, by: cm, when: grave, within: 10 h elapsed, from: received, pause: theirs}
  - {close: end, clause: 二, by: cm}
""")
    case = given(starting, receive(), say(at(0, "11:00"), theirs=True), say(at(0, "13:00"), grave=True))
    assert case.state.clocks["hurry"].left_s == 8 * 3600
    case.take(say(at(0, "14:00"), theirs=False))
    assert case.state.clocks["hurry"].due_at == at(0, "22:00")


def test_done_while_the_clock_stands_is_in_time() -> None:
    case = given(PAUSED, receive(), say(at(0, "12:00"), theirs=True))
    case.when(record("look", "cm", at(9))).then_among(event("clock.stopped", clock="look", in_time=True))


def test_a_pause_that_had_begun_before_the_limit_ran_out_and_is_recorded_late_withdraws_the_breach() -> None:
    case = given(PAUSED, receive(), fire(at(1)))
    assert [breach.clock for breach in case.state.breaches] == ["later", "look"]
    case.when(record("note", "cm", at(1, "12:00"), done_at=at(0, "21:00"), facts={"theirs": True})).then_among(
        event("pause.begun", clock="look", since=at(0, "21:00")),
        event("breach.withdrawn", clock="look", done_at=at(0, "21:00")),
        event("clock.paused", clock="look", left_s=12 * 3600.0),
    )


def test_a_pause_ended_on_paper_runs_on_from_then() -> None:
    case = given(PAUSED, receive(), say(at(0, "12:00"), theirs=True))
    case.when(record("note", "cm", at(1, "12:00"), done_at=at(0, "15:00"), facts={"theirs": False})).then_among(
        event("pause.ended", clock="look", since=at(0, "15:00")),
        event("clock.resumed", clock="look", due_at=at(1, "12:00")),
    )


EXTENDED = pack("""
facts:
- {fact: theirs, clause: f, type: yes-no}
- {fact: mood, clause: f, type: [calm, angry]}
steps:
- part: p
  rows:
  - {contact: call, clause: 一, by: cm}
  - {do: note, clause: 二, by: cm, duty: may, repeats: not-stated}
  - do: finish
    clause: 三
    by: cm
    within: 24 h elapsed
    from: received
    pause: theirs
    extend: {to: 48 h elapsed, when: "call.attempts > 0 && !call.done", clause: 三d}
  - do: soothe
    clause: 四
    by: cm
    within: 24 h elapsed
    from: received
    extend: {to: 30 h elapsed, when: mood == angry, clause: 四d}
  - {close: end, clause: 五, by: cm}
""")


def test_more_time_is_given_at_the_due_instant_counted_from_the_same_start() -> None:
    case = given(EXTENDED, receive(), record("call", "cm", at(0, "10:00"), outcome="not_reached"))
    case.when(fire(at(1))).then_among(
        event("clock.extended", clock="finish", was=at(1), due_at=at(2), clause="三d", at=at(1)),
    )
    case.take(fire(at(1)))
    case.when(fire(at(2))).then(event("clock.breached", clock="finish", due_at=at(2)))


def test_it_is_asked_of_the_due_instant_as_it_was() -> None:
    tried_too_late = given(EXTENDED, receive())
    tried_too_late.when(record("call", "cm", at(1, "10:00"), outcome="not_reached")).then_among(
        event("clock.breached", clock="finish", at=at(1)), event("contact.failed")
    )


def test_an_act_before_that_instant_recorded_late_withdraws_the_breach_and_extends() -> None:
    case = given(EXTENDED, receive(), fire(at(1)))
    extended = case.when(record("call", "cm", at(1, "10:00"), outcome="not_reached", done_at=at(0, "20:00")))
    extended.then_among(
        event("contact.failed"),
        event("breach.withdrawn", clock="finish"),
        event("clock.extended", clock="finish", was=at(1), due_at=at(2), at=at(1, "10:00")),
    )
    assert [breach.clock for breach in extended.after.breaches] == ["soothe"]
    assert extended.after.clocks["finish"].state == "running"


def test_an_extension_given_stands_when_the_call_succeeds_afterwards() -> None:
    case = given(EXTENDED, receive(), record("call", "cm", at(0, "10:00"), outcome="not_reached"), fire(at(1)))
    case.take(record("call", "cm", at(1, "10:00")))
    assert case.state.clocks["finish"].due_at == at(2)


def test_a_fact_corrected_since_is_asked_as_it_was_then() -> None:
    angry_then = given(EXTENDED, receive(facts={"mood": "angry"}))
    angry_then.when(say(at(3), mood="calm")).then_among(event("clock.extended", clock="soothe", at=at(1)))
    calm_then = given(EXTENDED, receive(facts={"mood": "calm"}), fire(at(1)))
    assert [breach.clock for breach in calm_then.state.breaches] == ["finish", "soothe"]
    calm_then.when(say(at(1, "10:00"), mood="angry")).then(event("facts.recorded"))
    # A record of the day before says that he was angry then; the value of today does not hide it.
    case = given(EXTENDED, receive(), fire(at(1)), say(at(1, "10:00"), mood="calm"))
    case.take(say(at(1, "11:00"), mood="calm"))
    case.when(record("note", "cm", at(1, "12:00"), done_at=at(0, "15:00"), facts={"mood": "angry"})).then_among(
        event("clock.extended", clock="soothe", due_at=at(1, "15:00"))
    )


def test_an_extension_given_stands_when_another_value_of_the_limit_applies() -> None:
    listed = pack("""
facts: [{fact: heads, clause: f, type: number, starts-as: 0}, {fact: away, clause: f, type: yes-no}]
decisions: [{decide: grade, of: [1, 2], rows: [{set: 1, clause: 甲, when: heads > 1}, {set: 2, clause: 乙}]}]
steps:
- part: p
  rows:
  - do: finish
    clause: 一
    by: cm
    within: [{is: 4 h elapsed, when: grade == 1}, {is: 10 h elapsed, when: grade == 2}]
    from: received
    regrade: restart
    extend: {to: 48 h elapsed, when: away}
  - {close: end, clause: 二, by: cm}
""")
    case = given(listed, receive(facts={"away": True}), fire(at(0, "19:00")))
    assert case.state.clocks["finish"].due_at == at(2)
    case.when(say(at(0, "20:00"), heads=5)).then_never(event("clock.recomputed"))


def test_pauses_lengthen_an_extension_too() -> None:
    case = given(EXTENDED, receive(), record("call", "cm", at(0, "10:00"), outcome="not_reached"))
    case.take(say(at(0, "12:00"), theirs=True), say(at(0, "14:00"), theirs=False))
    case.when(fire(at(1, "11:00"))).then_among(event("clock.extended", clock="finish", due_at=at(2, "11:00")))
