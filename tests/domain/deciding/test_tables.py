"""Decisions: the first true row, the remainder, what a person judges, what may not fall."""

from __future__ import annotations

from tests.spec import at, command, event, given, pack, receive, record, say

ROWS = """
facts:
- {fact: media, clause: f, type: yes-no}
- {fact: heads, clause: f, type: number}
- {fact: department, clause: f, type: text}
- {fact: calm, clause: f, type: yes-no, starts-as: yes}
decisions:
- decide: grade
  of: [1, 2, 3]
  falls: %s
  rows:
  - {set: 1, clause: 甲, when: media}
  - {set: 2, clause: 乙, when: heads >= 3}
  - {set: 3, clause: 丙}
- decide: owner
  rows:
  - {set: gm, clause: 丁, when: grade == 1}
  - {set: fact department, clause: 戊, when: department != ""}
- {decide: mood, rows: [{set: fine, clause: 己, when: calm}], judged-by: md}
steps:
- part: p
  rows:
  - {do: look, clause: 一, by: owner}
  - {do: hurry, clause: 二, by: gm, when: grade <= 2}
  - {close: end, clause: 三, by: cm}
"""
FALLS, NEVER = pack(ROWS % "yes"), pack(ROWS % "never")


def test_the_remainder_decides_only_when_every_row_before_it_is_known_to_be_false() -> None:
    given(FALLS).when(receive(facts={"media": False})).then_never(event("complaint.graded"))
    given(FALLS).when(receive(facts={"media": False, "heads": 1})).then_among(
        event(
            "complaint.graded",
            fact="grade",
            to=3,
            was=None,
            clause="丙",
            rule="grade.rows.3",
            looked_at={"media": False, "heads": 1},
            inputs={"media": False, "heads": 1},
        )
    )


def test_the_first_true_row_wins_and_names_the_rows_that_still_wait() -> None:
    given(FALLS).when(receive(facts={"heads": 5})).then_among(
        event("complaint.graded", to=2, undecided=["甲"], looked_at={"heads": 5})
    )


def test_no_step_opens_under_an_old_grade() -> None:
    case = given(FALLS, receive(facts={"media": False, "heads": 1}))
    case.when(say(at(0, "10:00"), heads=4)).then_among(
        event("facts.recorded"), event("complaint.graded", to=2, was=3), event("step.opened", step="hurry")
    )


def test_a_row_may_take_a_fact_and_a_table_may_read_another() -> None:
    case = given(FALLS, receive(facts={"media": False, "heads": 1}))
    case.when(say(at(0, "10:00"), department="paint")).then_among(
        event("complaint.routed", fact="owner", to="paint", clause="戊", inputs={"department": "paint"})
    )
    case.take(say(at(0, "10:00"), department="paint"))
    case.when(record("look", "paint", at(0, "11:00"))).then_among(event("work.recorded", as_="owner"))


def test_a_grade_falls_again_unless_the_text_says_never() -> None:
    raised = [receive(facts={"media": False, "heads": 4})]
    given(FALLS, *raised).when(say(at(0, "10:00"), heads=1)).then_among(event("complaint.graded", to=3, was=2))
    given(NEVER, *raised).when(say(at(0, "10:00"), heads=1)).then_never(event("complaint.graded"))
    given(NEVER, *raised).when(say(at(0, "10:00"), media=True)).then_among(event("complaint.graded", to=1))


def test_a_person_judges_with_a_reason_and_it_stands_until_the_table_gives_a_new_result() -> None:
    case = given(NEVER, receive(facts={"media": False, "heads": 4}))
    case.take(command("regrade", "front", at(0, "10:00"), grade=3, reason="small"))
    assert case.state.decided["grade"] == 3
    case.when(say(at(0, "11:00"), heads=5)).then_never(event("complaint.graded"))
    case.when(say(at(0, "11:00"), media=True)).then_among(event("complaint.graded", to=1, was=3))


def test_a_judgment_says_who_and_why_and_cites_no_clause() -> None:
    given(FALLS, receive()).when(
        command("judge", "ann/front", at(0, "10:00"), decide="grade", to=1, reason="r")
    ).then_among(event("complaint.graded", to=1, person="ann", reason="r", clause=None, was=None))


def test_only_owner_holder_and_receiver_judge_or_whom_the_table_names() -> None:
    case = given(FALLS, receive())
    case.when(command("regrade", "md", at(0, "10:00"), grade=1, reason="r")).then_rejected("not-allowed", "甲")
    case.when(command("judge", "front", at(0, "10:00"), decide="mood", to="fine", reason="r")).then_rejected(
        "not-allowed", "己", roles=["md"]
    )
    case.when(command("judge", "md", at(0, "10:00"), decide="mood", to="fine", reason="r")).then_among(
        event("complaint.judged", fact="mood")
    )


def test_a_table_that_nobody_judges_stands_as_its_rows_decide() -> None:
    text = """
facts: [{fact: grave, clause: f, type: yes-no}]
decisions:
- decide: kind
  of: [complaint_item, enquiry]
  falls: never
  judged-by: nobody
  rows: [{set: complaint_item, clause: 甲, when: grave}, {set: enquiry, clause: 乙}]
steps: [{part: p, rows: [{close: end, clause: 一, by: cm}]}]
"""
    case = given(pack(text), receive("cm", facts={"grave": True}))
    asked = command("judge", "cm", at(0, "10:00"), decide="kind", to="enquiry", reason="r")
    case.when(asked).then_rejected("not-allowed", "甲", roles=[])


def test_a_result_that_the_table_never_gives_is_refused() -> None:
    case = given(FALLS, receive())
    case.when(command("regrade", "front", at(0, "10:00"), grade=9, reason="r")).then_rejected(
        "not-a-choice", "甲", choices=[1, 2, 3]
    )
    case.when(command("judge", "front", at(0, "10:00"), decide="colour", to=1, reason="r")).then_rejected(
        "no-such-decision", choices=["grade", "owner", "mood"]
    )


def test_what_a_row_takes_from_a_fact_may_be_judged_freely() -> None:
    given(FALLS, receive()).when(
        command("judge", "front", at(0, "10:00"), decide="owner", to="paint", reason="r")
    ).then_among(event("complaint.routed", to="paint"))


def test_a_fact_that_stands_as_it_starts_decides() -> None:
    given(FALLS).when(receive()).then_among(event("complaint.judged", fact="mood", inputs={"calm": True}))


def test_a_decision_that_an_act_made_true_earlier_says_since_when() -> None:
    case = given(FALLS, receive(facts={"media": False, "heads": 1}))
    case.take(command("judge", "front", at(0, "09:10"), decide="owner", to="cm", reason="r"))
    case.when(record("look", "cm", at(0, "15:00"), done_at=at(0, "10:00"), facts={"heads": 7})).then_among(
        event("complaint.graded", to=2, at=at(0, "15:00"), since=at(0, "10:00"))
    )


def test_a_personal_fact_is_named_among_the_inputs_but_its_value_is_not() -> None:
    personal = pack("""
facts: [{fact: name, clause: f, type: text, personal: true}]
decisions: [{decide: owner, rows: [{set: md, clause: 甲, when: name == "Li"}]}]
steps: [{part: p, rows: [{close: end, clause: 三, by: cm}]}]
""")
    given(personal).when(receive(facts={"name": "Li"})).then_among(
        event("complaint.routed", to="md", inputs={"name": None}, looked_at={"name": None})
    )
