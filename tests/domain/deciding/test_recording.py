"""Recording steps: by whom, when, with what, and what happened anyway."""

from __future__ import annotations

from tests.spec import at, command, event, given, pack, receive, record, say

OFFICE = pack("""
facts:
- {fact: grave, clause: f, type: yes-no, starts-as: no}
- {fact: result, clause: f, type: text}
- {fact: plate, clause: f, type: text}
- {fact: tested, clause: f, type: text}
decisions:
- decide: owner
  rows:
  - {set: md, clause: o}
steps:
- part: p
  rows:
  - {do: look, clause: 一, by: "receiver | cm", records: [result]}
  - {approve: consent, clause: 二, by: [cm, md], after: look}
  - {contact: call, clause: 三, by: owner}
  - {tell: letter, clause: 四, by: cm, to: customer, medium: [written, email]}
  - {fill: slip, clause: 五, by: anyone, form: sheet, complete: true}
  - {do: count_twice, clause: 六, by: cm, people: 2}
  - {do: wash, clause: 七, by: cm, duty: should}
  - {do: maybe, clause: 八, by: cm, duty: if-necessary}
  - {do: choose, clause: 九, by: cm | md, outcomes: [left, right]}
  - {close: end, clause: 十, by: cm, after: look}
holds:
- {hold: grave_first, clause: h, when: grave, forbids: [look], until: maybe.done}
access:
- {bar: not_himself, clause: a, may: [look], when: actor.person == tested}
- {bar: bosses, clause: b, may: [choose], only: [md]}
- {bar: no_gm, clause: c, may: [slip], never: [gm]}
forms:
- {form: sheet, clause: s, title: sheet, fields: [result, plate]}
""")


def test_a_good_record_says_verb_outcome_and_as_whom() -> None:
    given(OFFICE, receive()).when(record("look", "ann/front", at(0, "10:00"), facts={"result": "r"})).then_among(
        event(
            "work.recorded",
            step="look",
            verb="do",
            outcome="done",
            over=True,
            person="ann",
            as_="receiver",
            round=1,
            clause="一",
            rule="look",
            done_at=None,
            facts={"result": "r"},
        )
    )


def test_who_is_not_named_may_not_record() -> None:
    given(OFFICE, receive()).when(record("look", "gm", at(0, "10:00"), facts={"result": "r"})).then_rejected(
        "not-your-step", "一"
    )


def test_the_decided_owner_records_as_owner() -> None:
    given(OFFICE, receive()).when(record("call", "md", at(0, "10:00"))).then_among(
        event("contact.made", step="call", as_="owner", outcome="reached", over=True)
    )


def test_a_call_that_reaches_nobody_is_counted_and_stays_open() -> None:
    case = given(OFFICE, receive(), record("call", "md", at(0, "10:00"), outcome="not_reached"))
    assert case.state.steps["call"].state == "open"
    assert case.state.steps["call"].attempts == 1
    case.when(record("call", "md", at(0, "11:00"))).then_among(event("contact.made", over=True))


def test_facts_that_a_record_must_contain_are_asked_for_even_of_what_has_happened() -> None:
    case = given(OFFICE, receive())
    case.when(record("look", "cm", at(0, "10:00"))).then_rejected("facts-missing", "一", facts=["result"])
    case.when(record("look", "cm", at(0, "10:00"), already_happened=True)).then_rejected("facts-missing")
    case.take(say(at(0, "09:30"), result="r"))
    case.when(record("look", "cm", at(0, "10:00"))).then_among(event("work.recorded"))


AGAIN = pack("""
facts:
- {fact: content, clause: f, type: text}
- {fact: result, clause: f, type: text}
steps:
- part: p
  rows:
  - {tell: progress, clause: 一, by: cm, to: customer, repeats: 1 week, records: [content]}
  - {fill: log, clause: 二, by: cm, repeats: not-stated, form: sheet, complete: true}
  - {contact: call, clause: 三, by: cm, records: [result]}
  - {approve: agree, clause: 四, by: [cm, md], repeats: not-stated, records: [result]}
  - {close: end, clause: 五, by: cm}
forms: [{form: sheet, clause: s, title: sheet, fields: [content, result]}]
""")


def test_what_a_record_must_contain_is_asked_of_each_one_of_a_step_that_repeats() -> None:
    case = given(AGAIN, receive())
    case.when(record("progress", "cm", at(0, "10:00"))).then_rejected("facts-missing", "一", facts=["content"])
    case.when(record("progress", "cm", at(0, "10:00"), facts={"content": "c"})).then_among(
        event("notice.given", step="progress", over=False)
    )
    case.when(record("log", "cm", at(0, "10:00"), facts={"content": "c"})).then_rejected(
        "facts-missing", "二", facts=["result"]
    )


def test_of_several_who_must_record_a_step_that_repeats_the_last_one_is_asked_what_it_must_contain() -> None:
    case = given(AGAIN, receive(), record("agree", "cm", at(0, "10:00")))
    case.when(record("agree", "md", at(0, "11:00"))).then_rejected("facts-missing", "四", facts=["result"])


def test_an_attempt_that_reaches_nobody_has_nothing_to_contain() -> None:
    case = given(AGAIN, receive())
    case.when(record("call", "cm", at(0, "10:00"), outcome="not_reached")).then_among(event("contact.failed"))
    case.when(record("call", "cm", at(0, "10:00"))).then_rejected("facts-missing", "三", facts=["result"])


def test_a_form_that_must_be_complete_names_the_fields_it_lacks() -> None:
    given(OFFICE, receive()).when(record("slip", "front", at(0, "10:00"), facts={"plate": "1"})).then_rejected(
        "facts-missing", "五", facts=["result"]
    )


def test_two_consents_are_two_records_by_two_roles() -> None:
    case = given(OFFICE, receive(), record("look", "cm", at(0, "10:00"), facts={"result": "r"}))
    case.when(record("consent", "cm", at(0, "11:00"))).then_among(event("approval.granted", over=False, as_="cm"))
    case.take(record("consent", "cm", at(0, "11:00")))
    case.when(record("consent", "md", at(0, "12:00"))).then_among(event("approval.granted", over=True, as_="md"))


def test_one_refusal_is_enough_and_is_not_good() -> None:
    case = given(OFFICE, receive(), record("look", "cm", at(0, "10:00"), facts={"result": "r"}))
    refused = case.when(record("consent", "cm", at(0, "11:00"), outcome="refused"))
    refused.then_among(event("approval.refused", over=True, outcome="refused"))
    assert refused.after.steps["consent"].outcome == "refused"


def test_different_persons_where_the_text_asks_for_two() -> None:
    case = given(OFFICE, receive(), record("count_twice", "ann/cm", at(0, "10:00")))
    case.when(record("count_twice", "ann/cm", at(0, "11:00"))).then_among(event("work.recorded", over=False))
    case.when(record("count_twice", "bob/cm", at(0, "11:00"))).then_among(event("work.recorded", over=True))


def test_a_medium_that_the_text_does_not_allow_is_refused() -> None:
    case = given(OFFICE, receive())
    case.when(record("letter", "cm", at(0, "10:00"))).then_rejected("medium-needed", "四", choices=["written", "email"])
    case.when(record("letter", "cm", at(0, "10:00"), medium="email")).then_among(event("notice.given", medium="email"))


def test_an_outcome_of_its_own_and_none_other() -> None:
    case = given(OFFICE, receive())
    case.when(record("choose", "md", at(0, "10:00"), outcome="right")).then_among(
        event("work.recorded", outcome="right")
    )
    case.when(record("choose", "md", at(0, "10:00"), outcome="up")).then_rejected("no-such-outcome")


def test_a_bar_that_names_the_only_roles_refuses_all_others() -> None:
    given(OFFICE, receive()).when(record("choose", "cm", at(0, "10:00"), outcome="left")).then_rejected(
        "not-allowed", "b", bar="bosses"
    )


def test_names_that_are_not_there() -> None:
    case = given(OFFICE, receive())
    case.when(record("dance", "cm", at(0, "10:00"))).then_rejected("no-such-step")
    case.when(record("call", "md", at(0, "10:00"), outcome="up")).then_rejected(
        "no-such-outcome", outcomes=["reached", "not_reached"]
    )


def test_a_step_that_waits_is_not_open_and_says_what_for() -> None:
    given(OFFICE, receive()).when(record("consent", "cm", at(0, "10:00"))).then_rejected(
        "step-not-open", "二", waits_for=["look"]
    )


def test_a_step_that_is_over_is_not_recorded_again() -> None:
    case = given(OFFICE, receive(), record("look", "cm", at(0, "10:00"), facts={"result": "r"}))
    case.when(record("look", "cm", at(0, "11:00"))).then_rejected("step-not-open")
    case.when(record("look", "cm", at(0, "11:00"), already_happened=True)).then_rejected("step-not-open")


def test_a_step_is_done_between_its_opening_and_now() -> None:
    case = given(OFFICE, receive(at=at(0, "10:00")))
    case.when(record("call", "md", at(0, "11:00"), done_at=at(0, "09:00"))).then_rejected("not-a-time", "三")
    case.when(record("call", "md", at(0, "11:00"), done_at=at(0, "11:01"))).then_rejected("not-a-time", "三")
    case.when(record("call", "md", at(0, "11:00"), done_at=at(0, "11:01"), already_happened=True)).then_rejected(
        "not-a-time"
    )
    case.when(record("call", "md", at(0, "11:00"), done_at=at(0, "10:30"))).then_among(
        event("contact.made", done_at=at(0, "10:30"))
    )


# --- waiving ---
def test_a_must_is_never_waived() -> None:
    given(OFFICE, receive()).when(command("waive-step", "md", at(0, "10:00"), step="call", reason="r")).then_rejected(
        "cannot-be-waived", "三"
    )


def test_what_is_waived_with_a_reason_is_over_and_counts_as_good() -> None:
    waived = given(OFFICE, receive()).when(command("waive-step", "cm", at(0, "10:00"), step="maybe", reason="none"))
    waived.then_among(event("step.waived", step="maybe", person="cm", reason="none", clause="八"))
    assert waived.after.steps["maybe"].outcome == "waived"


def test_only_who_owes_it_waives_it() -> None:
    given(OFFICE, receive()).when(command("waive-step", "gm", at(0, "10:00"), step="wash", reason="r")).then_rejected(
        "not-your-step"
    )


# --- what happened anyway ---
def test_a_hold_refuses_with_its_own_clause() -> None:
    given(OFFICE, receive(facts={"grave": True})).when(
        record("look", "cm", at(0, "10:00"), facts={"result": "r"})
    ).then_rejected("held", "h", hold="grave_first")


def test_what_happened_in_spite_of_a_hold_is_recorded_as_broken_and_then_as_done() -> None:
    given(OFFICE, receive(facts={"grave": True})).when(
        record("look", "ann/cm", at(0, "10:00"), facts={"result": "r"}, already_happened=True)
    ).then_among(
        event("hold.broken", hold="grave_first", step="look", person="ann", role="cm", clause="h"),
        event("work.recorded", step="look", over=True),
    )


def test_a_person_whom_a_bar_names_is_refused_or_recorded_as_having_broken_it() -> None:
    case = given(OFFICE, receive(facts={"tested": "ann"}))
    case.when(record("look", "ann/cm", at(0, "10:00"), facts={"result": "r"})).then_rejected(
        "not-allowed", "a", bar="not_himself"
    )
    case.when(record("look", "bob/cm", at(0, "10:00"), facts={"result": "r"})).then_among(event("work.recorded"))
    case.when(record("look", "ann/cm", at(0, "10:00"), facts={"result": "r"}, already_happened=True)).then_among(
        event("access.broken", bar="not_himself", person="ann", clause="a"), event("work.recorded")
    )


def test_a_role_that_may_never_do_it() -> None:
    given(OFFICE, receive()).when(record("slip", "gm", at(0, "10:00"))).then_rejected("not-allowed", "c", bar="no_gm")


def test_done_by_somebody_whom_the_step_does_not_name() -> None:
    given(OFFICE, receive()).when(record("call", "eve/guard", at(0, "10:00"), already_happened=True)).then_among(
        event("access.broken", bar="by", step="call", person="eve", role="guard", clause="三"),
        event("contact.made", as_="guard", over=True),
    )


def test_done_before_what_it_waits_for() -> None:
    given(OFFICE, receive()).when(record("consent", "cm", at(0, "10:00"), already_happened=True)).then_among(
        event("order.broken", step="consent", waits_for=["look"], clause="二"),
        event("approval.granted", step="consent", over=True),
    )


def test_a_step_whose_condition_is_not_true_is_not_recorded_even_if_it_happened() -> None:
    conditional = pack("""
facts: [{fact: grave, clause: f, type: yes-no}]
steps: [{part: p, rows: [{do: hurry, clause: 一, by: cm, when: grave}, {close: end, clause: 二, by: cm}]}]
""")
    given(conditional, receive()).when(record("hurry", "cm", at(0, "10:00"), already_happened=True)).then_rejected(
        "step-not-open"
    )


def test_nothing_is_recorded_of_a_refused_command() -> None:
    case = given(OFFICE, receive(facts={"grave": True, "tested": "ann"}))
    before = case.state
    case.when(record("look", "ann/cm", at(0, "10:00"), already_happened=True)).then_rejected("facts-missing")
    assert case.state == before


def test_a_command_dated_before_the_last_event_counts_from_that_event() -> None:
    case = given(OFFICE, receive(at=at(0, "10:00")))
    case.when(record("call", "md", at(0, "09:59"))).then_among(event("contact.made", at=at(0, "10:00")))
