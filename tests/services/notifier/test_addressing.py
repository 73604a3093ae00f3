"""What a message can say of a case, and when it had better not be said any more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from complaints.complaint import Complaint
from complaints.personal import ERASED
from complaints.procedure.library import packs
from complaints.procedure.model import Procedure
from complaints.sla import SlaClock
from notifier.addressing import context_of
from notifier.deliveries import Delivery
from notifier.destinations import is_stale
from notifier.rendering import MANDATORY
from tests.services.notifier.desks import PROCEDURE, case, delivery, desk
from tests.services.notifier.test_rendering import FULL
from tests.spec import MONDAY, at

DUE, LATER = at(1, "09:00").astimezone(UTC), at(2, "10:00").astimezone(UTC)
PLAIN = packs()["00-plain-desk"].load()
WARNED = delivery("warned", context={"clock": "work", "due_at": DUE.isoformat()})
ASSIGNED = delivery("assigned", context={"role": "cm"})


def clock(name: str = "work", state: Any = "running", due_at: datetime = DUE) -> SlaClock:
    return SlaClock(name=name, state=state, started_at=MONDAY, from_=MONDAY, due_at=due_at, clause="test:b")


def said(
    message: Delivery, state: Complaint | None, *, language: str = "en", procedure: Procedure = PROCEDURE
) -> dict[str, str]:
    return context_of(message, desk(procedure=procedure), state, procedure=procedure, language=language)


# --- what it says ---
def test_templates_are_tested_with_exactly_what_there_is_to_say() -> None:
    assert set(said(ASSIGNED, case())) | {"contact", "link"} == set(FULL)
    assert {name for names in MANDATORY.values() for name in names} <= set(FULL)


def test_a_due_date_is_told_in_the_desks_own_time_and_zone() -> None:
    assert said(WARNED, case())["due"] == "2026-03-03 09:00 (Asia/Shanghai)"


def test_a_warning_tells_the_date_as_it_is_now_and_a_breach_the_one_that_passed() -> None:
    moved = case(clocks={"work": clock(due_at=LATER)})

    assert said(WARNED, moved)["due"] == "2026-03-04 10:00 (Asia/Shanghai)"
    breached = delivery("breached", context=WARNED.context)
    assert said(breached, moved)["due"] == "2026-03-03 09:00 (Asia/Shanghai)"


def test_the_words_of_the_procedure_stand_with_the_clause_that_they_are_from() -> None:
    alert = delivery("assigned", step="work", clause="test:roles", context={"role": "cm"})
    context = said(alert, case())

    assert (context["says"], context["says_clause"], context["clause"]) == ("they work", "b", "test:roles")
    assert said(delivery("warned", step="work", clause="b", context={"clock": "work"}), case())["says_clause"] == ""


def test_a_broken_hold_is_told_in_the_words_of_the_hold() -> None:
    procedure = packs()["00-plain-desk"].load()
    broken = delivery("broken", step="closed_by_person", context={"how": "hold", "rule": "revisit_first", "by": "an"})

    assert said(broken, case(), procedure=procedure)["says"] == "回访以前不得结案"
    assert said(broken, case(), procedure=procedure)["our_translation"].startswith("The complaint may not be closed")


def test_english_of_the_procedure_is_told_to_who_reads_english_only() -> None:
    alert = delivery("assigned", step="assign", context={"role": "desk_lead"})
    english, chinese = (said(alert, case(), language=language, procedure=PLAIN) for language in ("en", "zh"))

    assert english["our_translation"].startswith("The system or the desk head")
    assert (english["role"], english["procedure"]) == ("Head of the complaint desk", "投诉处理简明办法")
    assert english["procedure_in_english"] == "Plain Procedure for Handling Complaints"
    assert (chinese["role"], chinese["our_translation"], chinese["procedure_in_english"]) == ("投诉台负责人", "", "")


def test_an_acknowledgement_tells_until_when_there_will_be_an_answer() -> None:
    letter = delivery("acknowledged", step="greet", recipient="customer")
    waiting = case(clocks={"answer": clock("answer"), "work": clock(due_at=LATER)})

    assert said(letter, waiting)["answer_due"] == "2026-03-03 09:00 (Asia/Shanghai)"
    assert said(letter, case(clocks={"answer": clock("answer", "late")}))["answer_due"] == ""
    assert said(letter, case())["answer_due"] == ""


def test_what_was_erased_is_not_part_of_an_answer() -> None:
    procedure = packs()["00-plain-desk"].load()
    step = procedure.steps["answer"]
    records = dict.fromkeys(step.records, ERASED)
    letter = delivery("answered", step="answer", recipient="customer")

    assert said(letter, case(facts=records), procedure=procedure)["answer"] == ""


def test_a_message_about_a_duty_has_no_case_to_name() -> None:
    duty = delivery(
        "duty", complaint="desk", context={"owe": "monthly", "period": "2026-02", "due_at": DUE.isoformat()}
    )
    context = said(duty, None)

    assert (context["reference"], context["received"]) == ("", "")
    assert (context["subject"], context["period"], context["says"]) == ("monthly", "2026-02", "once a month")


# --- whether it is still true ---
@pytest.mark.parametrize(
    ("state", "stale"),
    [
        (case(clocks={"work": clock()}), False),
        (case(clocks={"work": clock(state="paused")}), False),
        (case(clocks={"work": clock(due_at=LATER)}), False),
        (case(clocks={"work": clock(state="stopped")}), True),
        (case(clocks={"work": clock(state="late")}), True),  # a breach is told on its own
        (case(clocks={"work": clock(state="cancelled")}), True),
        (case(), True),
    ],
)
def test_a_warning_is_worth_telling_while_its_clock_runs(state: Complaint, stale: bool) -> None:
    assert is_stale(WARNED, state) is stale


def test_an_assignment_is_worth_telling_while_it_holds_and_the_case_is_open() -> None:
    assert not is_stale(ASSIGNED, case())
    assert is_stale(ASSIGNED, case(assignees={"cm": "cui"}))
    assert is_stale(ASSIGNED, case(closed_at=MONDAY))


def test_a_case_without_anybody_is_worth_telling_while_nobody_is_found() -> None:
    alert = delivery("unassigned", context={"role": "cm", "queue": "md"})

    assert not is_stale(alert, case(lacking={"cm": "md"}))
    assert is_stale(alert, case())
    assert is_stale(alert, case(lacking={"cm": "md"}, closed_at=MONDAY))


@pytest.mark.parametrize("kind", sorted(set(MANDATORY) - {"warned", "assigned", "unassigned"}))
def test_what_has_happened_stays_worth_telling(kind: Any) -> None:
    assert not is_stale(delivery(kind, context=WARNED.context), case(closed_at=MONDAY))
