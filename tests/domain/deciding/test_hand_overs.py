"""Hand-overs: who holds the case, and when it has risen."""

from __future__ import annotations

from complaints.events import FactValue
from complaints.procedure.library import open_pack
from tests.spec import at, command, event, given, pack, receive, record

LADDER = pack("""
roles:
- {role: cm, title: cm, clause: r}
- {role: lead, title: lead, clause: r, tier: 1}
- {role: head, title: head, clause: r, tier: 2}
- {role: vice, title: vice, clause: r, tier: 2}
- {role: boss, title: boss, clause: r, tier: 3}
- {role: partner, title: partner, clause: r, outside: true}
decisions:
- {decide: owner, rows: [{set: lead, clause: o}]}
steps:
- part: p
  rows:
  - {pass: over, clause: 一, by: receiver, to: cm | partner, milestone: assigned}
  - {pass: to_owner, clause: 二, by: cm, to: owner}
  - {pass: up, clause: 三, by: holder, to: next_tier, duty: may, repeats: not-stated}
  - {pass: back_down, clause: 四, by: anyone, to: receiver, duty: may, repeats: not-stated}
  - {close: end, clause: 五, by: cm, after: over}
""")


def test_a_hand_over_names_one_of_its_recipients() -> None:
    case = given(LADDER, receive())
    case.when(record("over", "front", at(0, "10:00"))).then_rejected("to-whom", "一", choices=["cm", "partner"])
    case.when(record("over", "front", at(0, "10:00"), to="boss")).then_rejected("to-whom")
    assert case.when(record("over", "front", at(0, "10:00"), to="cm")).after.holder == "cm"


def test_the_milestone_names_the_event() -> None:
    given(LADDER, receive()).when(record("over", "front", at(0, "10:00"), to="cm")).then_among(
        event("complaint.assigned", step="over", to="cm", holder="cm", outside=False, tier=None)
    )


def test_a_hand_over_out_of_the_organisation_says_so() -> None:
    given(LADDER, receive()).when(record("over", "front", at(0, "10:00"), to="partner")).then_among(
        event("complaint.assigned", outside=True)
    )


def test_to_the_owner_is_to_the_decided_department_and_up_a_tier_it_is_an_escalation() -> None:
    given(LADDER, receive()).when(record("to_owner", "cm", at(0, "10:00"))).then_among(
        event("complaint.passed", to="lead", holder="lead")
    )


def test_to_a_higher_tier_the_case_is_escalated_to_the_next_that_there_is() -> None:
    case = given(LADDER, receive(), record("over", "front", at(0, "09:10"), to="cm"))
    case.when(record("up", "cm", at(0, "10:00"))).then_among(
        event("complaint.escalated", to="lead", holder="lead", tier=1)
    )
    case.take(record("up", "cm", at(0, "10:00")))
    case.when(record("up", "lead", at(0, "11:00"))).then_rejected("to-whom", choices=["head", "vice"])
    case.take(record("up", "lead", at(0, "11:00"), to="vice"), record("up", "vice", at(0, "12:00")))
    assert case.state.holder == "boss"
    case.when(record("up", "boss", at(0, "13:00"))).then_rejected("no-higher-tier", "三")


def test_a_hand_over_back_to_the_receiver_goes_to_the_role_that_received() -> None:
    case = given(LADDER, receive(), record("over", "front", at(0, "09:10"), to="cm"))
    case.when(record("back_down", "cm", at(0, "10:00"))).then_among(event("complaint.passed", to="front"))


def test_escalate_records_the_hand_over_that_rises() -> None:
    case = given(LADDER, receive(), record("over", "front", at(0, "09:10"), to="cm"))
    case.when(command("escalate", "cm", at(0, "10:00"))).then_among(event("complaint.escalated", step="up"))


def test_assign_records_the_step_that_has_that_milestone() -> None:
    given(LADDER, receive()).when(command("assign", "front", at(0, "10:00"), to="cm")).then_among(
        event("complaint.assigned", step="over")
    )


def test_where_the_text_does_not_say_to_whom_the_desk_must() -> None:
    silent = """
steps:
- part: p
  rows: [{pass: over, clause: 一, by: front, to: not-stated}, {close: end, clause: 二, by: cm}]
"""
    case = given(pack(silent, roles="front cm"), receive())
    case.when(record("over", "front", at(0, "10:00"))).then_rejected("not-stated", "一", place="over.to")
    told = given(pack(silent, roles="front cm", answers={"over.to": "cm"}), receive())
    told.when(record("over", "front", at(0, "10:00"))).then_among(
        event("complaint.passed", to="cm", clause=["一", "desk:over.to"])
    )


def test_a_universal_command_without_an_open_step_names_the_candidates() -> None:
    case = given(LADDER, receive())
    case.when(command("close", "cm", at(0, "10:00"))).then_rejected("nothing-to-record", candidates=["end"])
    case.when(command("reopen", "cm", at(0, "10:00"))).then_rejected("nothing-to-record", candidates=[])


def test_of_several_open_steps_the_one_that_the_role_may_record() -> None:
    two = pack("""
steps:
- part: p
  rows:
  - {close: happy, clause: 一, by: cm}
  - {close: silent, clause: 二, by: md}
  - {close: tired, clause: 三, by: md}
""")
    case = given(two, receive())
    case.when(command("close", "cm", at(0, "10:00"))).then_among(event("complaint.closed", step="happy"))
    case.when(command("close", "md", at(0, "10:00"))).then_rejected(
        "which-step", candidates=["happy", "silent", "tired"]
    )


def test_whoever_says_owner_means_the_department_that_was_decided() -> None:
    plain = open_pack("00-plain-desk")
    facts: dict[str, FactValue] = {"department": "parks"}
    for to in ("owner", "parks"):
        case = given(plain, receive(facts=facts)).when(record("assign", by="desk_lead", at=at(0, "09:30"), to=to))
        case.then_among(event("complaint.assigned", to="parks", holder="parks"))
    given(plain, receive(facts=facts)).when(
        record("assign", by="desk_lead", at=at(0, "09:30"), to="roads")
    ).then_rejected("to-whom", choices=["parks"])


RESPONSIBLE = pack("""
roles:
- {role: cm, title: cm, clause: r}
- {role: sales, title: sales, clause: r}
- {role: works, title: works, clause: r}
facts:
- {fact: place, clause: f, type: [shop, site], starts-as: shop}
- {fact: unsure, clause: f, type: yes-no, starts-as: yes}
- {fact: story, clause: f, type: text}
decisions:
- {decide: owner, rows: [{set: sales, clause: o1, when: place == shop}, {set: works, clause: o2}]}
steps:
- part: p
  rows:
  - {pass: forward, clause: 一, by: cm, to: owner, when: unsure, records: [place]}
  - {pass: aside, clause: 二, by: cm, to: works, duty: may}
  - {do: answer, clause: 三, by: owner, after: forward, within: 24 h elapsed, from: forward}
  - {close: end, clause: 四, by: cm}
""")


def test_what_is_said_with_a_hand_over_to_the_owner_is_said_first_and_the_case_goes_to_the_owner_that_it_makes() -> (
    None
):
    handed = given(RESPONSIBLE, receive()).when(
        record("forward", "cm", at(0, "10:00"), facts={"place": "site", "unsure": False})
    )
    handed.then_among(
        event("facts.recorded", facts={"place": "site", "unsure": False}, clause="一", rule="forward", since=None),
        event("complaint.routed", to="works", was="sales", clause="o2"),
        event("complaint.passed", step="forward", to="works", holder="works", facts={}),
        event("step.opened", step="answer"),
    )
    assert handed.after.holder == "works"


def test_what_was_said_with_it_counts_from_when_it_was_handed_over() -> None:
    handed = given(RESPONSIBLE, receive()).when(
        record("forward", "cm", at(0, "15:00"), facts={"place": "site"}, done_at=at(0, "10:00"))
    )
    handed.then_among(
        event("facts.recorded", since=at(0, "10:00")),
        event("complaint.routed", to="works", since=at(0, "10:00")),
        event("complaint.passed", to="works", done_at=at(0, "10:00")),
    )
    assert handed.after.learned_at("place") == at(0, "10:00")


def test_what_is_said_with_any_other_hand_over_stands_in_its_record() -> None:
    given(RESPONSIBLE, receive()).when(record("aside", "cm", at(0, "10:00"), facts={"place": "site"})).then_among(
        event("complaint.passed", to="works", facts={"place": "site"}), event("complaint.routed", to="works")
    )


TOLD = pack("""
decisions:
- {decide: owner, rows: [{set: md, clause: o}]}
steps:
- part: p
  rows:
  - {tell: both, clause: 一, by: cm, to: [gm, owner]}
  - {tell: either, clause: 二, by: cm, to: md | gm}
  - {tell: answer, clause: 三, by: cm, to: customer}
  - {tell: notice, clause: 四, by: cm}
  - {tell: all_of_them, clause: 五, by: cm, to: [customer, md | gm]}
  - {close: end, clause: 六, by: cm}
""")


def test_a_record_of_what_was_told_says_to_whom() -> None:
    case = given(TOLD, receive())
    for step, to in (("both", ["gm", "md"]), ("either", "md | gm"), ("answer", "customer"), ("notice", None)):
        case.when(record(step, "cm", at(0, "10:00"))).then_among(event("notice.given", step=step, to=to, holder=None))


def test_of_alternatives_the_sender_names_the_one_whom_he_told() -> None:
    case = given(TOLD, receive())
    case.when(record("either", "cm", at(0, "10:00"), to="gm")).then_among(event("notice.given", to="gm"))
    case.when(record("all_of_them", "cm", at(0, "10:00"), to="gm")).then_among(
        event("notice.given", to=["customer", "gm"])
    )
    case.when(record("either", "cm", at(0, "10:00"), to="cm")).then_rejected("to-whom", "二", choices=["md", "gm"])


def test_nothing_is_said_by_a_hand_over_that_is_refused() -> None:
    case = given(RESPONSIBLE, receive())
    before = case.state
    case.when(record("forward", "cm", at(0, "10:00"), facts={"place": "site"}, to="sales")).then_rejected("to-whom")
    assert case.state == before
