"""Things inside a case with steps of their own, and cases that are no complaints."""

from __future__ import annotations

from tests.spec import at, command, event, fire, given, pack, receive, record, say

POINTS = pack("""
items: [{item: point, title: point, added-by: cm, clause: i}]
facts:
- {fact: what, of: point, clause: f, type: text}
- {fact: fixable, of: point, clause: f, type: yes-no}
- {fact: finish_at, of: point, clause: f, type: time}
- {fact: site, clause: f, type: text}
steps:
- part: points
  for-each: point
  rows:
  - {do: fix, clause: 一, by: cm, when: fixable, within: 4 h elapsed}
  - {contact: confer, clause: 二, by: cm, when: "!fixable"}
  - {do: verify, clause: 三, by: md, after: fix | confer, outcomes: [fine, bad], back: {bad: fix}, records: [what]}
  - {do: promised, clause: 四, by: cm, duty: should, within: fact finish_at, from: received}
- part: table
  rows:
  - {fill: table, clause: 五, by: cm, when: point.count > 1}
  - {close: kept, clause: 六, by: cm}
holds: [{hold: points_open, clause: h, forbids: [kept], until: point.open == 0}]
""")


def test_each_item_has_a_number_and_steps_of_its_own() -> None:
    case = given(POINTS, receive())
    case.when(command("add-item", "cm", at(0, "10:00"), item="point", facts={"fixable": True})).then_among(
        event("item.added", item="point", number="1", facts={"fixable": True}, person="cm", clause="i"),
        event("step.opened", step="fix#1", by="cm"),
        event("clock.started", clock="fix#1", due_at=at(0, "14:00")),
    )


def test_names_in_a_part_mean_the_same_items() -> None:
    case = given(POINTS, receive())
    case.take(
        command("add-item", "cm", at(0, "09:10"), item="point", facts={"fixable": True, "what": "door"}),
        command("add-item", "cm", at(0, "09:20"), item="point", facts={"fixable": False, "what": "lock"}),
    )
    assert case.state.steps["fix#1"].state == "open"
    assert "fix#2" not in case.state.steps
    assert case.state.steps["confer#2"].state == "open"
    case.when(record("fix", "cm", at(0, "10:00"), item="1")).then_among(event("step.opened", step="verify#1"))
    case.when(record("confer", "cm", at(0, "10:00"), item="point#2")).then_among(event("step.opened", step="verify#2"))


def test_an_items_fact_changes_its_own_steps_only() -> None:
    case = given(POINTS, receive())
    case.take(command("add-item", "cm", at(0, "09:10"), item="point", facts={}))
    case.take(command("add-item", "cm", at(0, "09:10"), item="point", facts={"fixable": True}))
    case.when(say(at(0, "10:00"), item="point#1", fixable=True)).then_among(
        event("facts.recorded", item="point#1"), event("step.opened", step="fix#1")
    )


def test_counts_of_items_open_steps_and_lift_holds() -> None:
    case = given(POINTS, receive())
    assert "points_open" not in case.state.holds
    case.take(command("add-item", "cm", at(0, "09:10"), item="point", facts={"fixable": True, "what": "door"}))
    assert "points_open" in case.state.holds
    case.when(command("add-item", "cm", at(0, "09:30"), item="point")).then_among(event("step.opened", step="table"))
    case.when(record("kept", "cm", at(0, "10:00"))).then_rejected("held", "h")
    case.take(record("fix", "cm", at(0, "10:00"), item="1"), record("verify", "md", at(0, "11:00"), item="1"))
    assert "points_open" not in case.state.holds


def test_what_is_said_of_an_item_with_a_record_counts_from_when_that_was_done() -> None:
    case = given(POINTS, receive(), command("add-item", "cm", at(0, "09:10"), item="point", facts={"fixable": True}))
    fixed = record("fix", "cm", at(0, "16:00"), item="1", facts={"what": "door"}, done_at=at(0, "11:00"))
    case.when(fixed).then_among(
        event("facts.recorded", item="point#1", facts={"what": "door"}, since=at(0, "11:00")),
        event("work.recorded", step="fix#1", done_at=at(0, "11:00")),
    )


def test_a_loop_goes_round_in_its_own_item() -> None:
    case = given(POINTS, receive())
    for _ in range(2):
        case.take(command("add-item", "cm", at(0, "09:10"), item="point", facts={"fixable": True, "what": "door"}))
    case.take(record("fix", "cm", at(0, "10:00"), item="1"), record("fix", "cm", at(0, "10:00"), item="2"))
    case.take(record("verify", "md", at(0, "11:00"), item="2", outcome="bad"))
    assert case.state.steps["fix#2"].round == 2
    assert case.state.steps["fix#1"].round == 1
    assert case.state.clocks["fix#2"].from_ == at(0, "11:00")


def test_a_record_may_say_facts_of_its_item_and_of_the_case() -> None:
    case = given(POINTS, receive())
    case.take(command("add-item", "cm", at(0, "09:10"), item="point", facts={"fixable": True}))
    case.take(record("fix", "cm", at(0, "10:00"), item="1"))
    case.when(record("verify", "md", at(0, "11:00"), item="1")).then_rejected("facts-missing", facts=["what"])
    said = case.when(record("verify", "md", at(0, "11:00"), item="1", facts={"what": "door", "site": "north"}))
    said.then_among(
        event("facts.recorded", item="point#1", facts={"what": "door"}),
        event("work.recorded", step="verify#1", facts={"site": "north"}),
    )
    assert said.after.items["point"]["1"]["what"] == "door"


def test_a_date_of_an_item_is_its_own() -> None:
    case = given(POINTS, receive())
    finish = {"finish_at": "2026-03-03T12:00:00+08:00"}
    case.take(command("add-item", "cm", at(0, "09:10"), item="point", facts=finish))
    case.take(command("add-item", "cm", at(0, "09:10"), item="point"))
    assert case.state.clocks["promised#1"].due_at == at(1, "12:00")
    assert case.state.clocks["promised#2"].due_at is None
    case.when(fire(at(1, "12:00"))).then(event("clock.expired", clock="promised#1"))


def test_what_is_not_there() -> None:
    case = given(POINTS, receive())
    case.when(command("add-item", "cm", at(0, "10:00"), item="door")).then_rejected("no-such-item")
    case.when(command("add-item", "md", at(0, "10:00"), item="point")).then_rejected("not-allowed", "i")
    case.when(record("fix", "cm", at(0, "10:00"), item="1")).then_rejected("no-such-item", "一")
    case.when(record("fix", "cm", at(0, "10:00"))).then_rejected("no-such-item", "一")
    case.when(say(at(0, "10:00"), item="point#1", fixable=True)).then_rejected("no-such-item")
    case.when(say(at(0, "10:00"), fixable=True)).then_rejected("no-such-fact")


KINDS = pack("""
cases: [{case: shipment, title: shipment, opened-by: cm, clause: k}]
facts: [{fact: sent_at, clause: f, type: time}]
intake:
- {channels: [any], clause: door}
- {case: shipment, clause: ask, asks: [sent_at]}
clocks: [{clock: ageing, clause: c, from: received, within: 10 days}]
steps:
- {part: p, rows: [{do: look, clause: 一, by: cm}, {close: end, clause: 二, by: cm}]}
- part: s
  case: shipment
  rows:
  - {tell: notify, clause: 三, by: cm, to: md, within: 2 h elapsed, from: received}
  - {close: arrived, clause: 四, by: cm}
holds:
- {hold: look_first, clause: h, forbids: [end], until: look.done}
- {hold: notify_first, clause: j, forbids: [arrived], until: notify.done}
""", doors="")  # fmt: skip


def test_another_kind_of_case_has_its_own_steps_questions_holds_and_no_clocks_of_complaints() -> None:
    received = given(KINDS).when(receive("cm", case="shipment"))
    received.then(
        event("complaint.received", case="shipment", clause="k"),
        event("facts.asked", facts=["sent_at"]),
        event("step.opened", step="notify"),
        event("step.opened", step="arrived"),
        event("clock.started", clock="notify"),
        event("hold.placed", hold="notify_first"),
    )
    given(KINDS, receive("cm", case="shipment")).when(record("look", "cm", at(0, "10:00"))).then_rejected(
        "step-not-open", "一"
    )


def test_a_kind_of_case_is_opened_by_whom_it_names() -> None:
    given(KINDS).when(receive("md", case="shipment")).then_rejected("not-allowed", "k")
    given(KINDS).when(receive("cm", case="parcel")).then_rejected("no-such-case", choices=["complaint", "shipment"])


def test_a_complaint_knows_nothing_of_the_other_kind() -> None:
    given(KINDS).when(receive()).then_never(
        event("step.opened", step="notify"), event("hold.placed", hold="notify_first")
    )
