"""Which messages an event calls for, for whom, and under which key."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from uuid import UUID

import msgspec
import pytest

from complaints.desk_events import DepartmentSet
from complaints.events import (
    AccessBroken,
    AssigneeLacking,
    AssigneeNamed,
    ClockBreached,
    ClockWarned,
    ComplaintEscalated,
    DutyBreached,
    DutyOpened,
    Event,
    FactsRecorded,
    HoldBroken,
    NoticeFailed,
    NoticeRequested,
    OrderBroken,
    ReportProduced,
)
from complaints.personal import Sealed
from notifier.messages import CALLS_FOR_MESSAGES, Case, messages_for
from tests.services.notifier.desks import (
    CASE,
    STAFF,
    WATCHED,
    alerts,
    away,
    case,
    desk,
    fallback,
    hook,
    joins,
    of_desk,
    opened,
    sent,
    told,
)
from tests.spec import MONDAY, at

DUE = at(1).astimezone(UTC)
DESK = desk(*STAFF, WATCHED)
NAMED = AssigneeNamed(at=MONDAY, clause="test:roles", role="cm", person="chen", because="only-one: r")
WARNED = ClockWarned(at=MONDAY, clause=["desk:warnings.work"], clock="work", due_at=DUE, by="owner")
BREACHED = ClockBreached(at=DUE, clause="test:b", clock="work", due_at=DUE, by="owner")


ESCALATED = ComplaintEscalated(
    at=MONDAY,
    clause="test:f",
    step="escalate",
    verb="pass",
    outcome="done",
    over=True,
    person="system",
    as_="system",
    to="md",
    holder="md",
    tier=1,
)
REQUESTED = NoticeRequested(at=MONDAY, clause="test:a", step="greet", to="customer")
FAILED = NoticeFailed(at=MONDAY, clause="test:a", step="greet", channel="email", to="customer", reason="smtp: 550")
OPENED = DutyOpened(at=MONDAY, clause="test:m", owe="monthly", by="md", to=["gm"], period="2026-02", due_at=DUE)
MISSED = DutyBreached(at=DUE, clause="test:m", owe="monthly", period="2026-02", by="md", due_at=DUE)
REPORT = ReportProduced(at=MONDAY, clause="test:m", owe="monthly", period="2026-02")
LACKING = AssigneeLacking(at=MONDAY, clause="test:roles", role="cm", queue="md", because="nobody-holds-it: n")
HOLD = HoldBroken(at=MONDAY, clause="test:h", step="answer", person="cui", role="cm", hold="first_look")
BAR = AccessBroken(at=MONDAY, clause="test:c", step="answer", person="cui", role="cm", bar="by")
RECORDED = FactsRecorded(at=MONDAY, clause=None, person="chen", facts={})
ORDER = OrderBroken(at=MONDAY, clause="test:e", step="inform", person="cui", role="cm", waits_for=["answer"])


# --- people ---
def test_whoever_is_named_is_told_which_step_is_owed() -> None:
    (message,) = sent(NAMED, DESK)

    assert (message.kind, message.recipient, message.channel) == ("assigned", "chen", "email")
    assert (message.step, message.clause, message.context) == ("work", "test:roles", {"role": "cm"})


def test_a_person_is_told_on_every_channel_that_the_desk_has_chosen() -> None:
    messages = sent(NAMED, desk(*STAFF, alerts(channels=("email", "chat"))))

    assert [message.channel for message in messages] == ["email", "chat"]
    assert len({message.key for message in messages}) == 2


def test_a_warning_goes_to_whoever_acts_in_the_role_that_owes() -> None:
    (message,) = sent(WARNED, DESK)

    assert (message.kind, message.recipient, message.step) == ("warned", "chen", "work")
    assert message.context == {"clock": "work", "due_at": DUE.isoformat()}


def test_where_nobody_was_named_all_of_the_role_are_warned_but_those_who_are_away() -> None:
    nobody = case(assignees={})

    assert told(sent(WARNED, DESK, nobody)) == [("warned", "chen"), ("warned", "cui")]
    assert told(sent(WARNED, desk(*STAFF, away("chen")), nobody)) == [("warned", "cui")]


def test_a_role_that_only_a_department_fills_is_everybody_of_that_department() -> None:
    workshop = DepartmentSet(at=MONDAY, department="workshop", title="Workshop", roles=("cm",))
    view = desk(workshop, joins("de", department="workshop"), joins("du", department="workshop"))

    assert told(sent(WARNED, view, case(assignees={}))) == [("warned", "de"), ("warned", "du")]


def test_a_desk_that_wants_two_warnings_of_a_limit_gets_two() -> None:
    later = msgspec.structs.replace(WARNED, at=WARNED.at + timedelta(minutes=30))

    assert sent(WARNED, DESK)[0].key != sent(later, DESK)[0].key
    assert sent(WARNED, DESK, version=9)[0].key == sent(WARNED, DESK, version=7)[0].key


def test_a_breach_goes_to_who_owes_who_answers_for_it_and_who_watches() -> None:
    event = msgspec.structs.replace(BREACHED, answerable="md")

    assert told(sent(event, DESK)) == [("breached", "chen"), ("breached", "ma"), ("breached", "ai")]


def test_nobody_is_told_of_a_breach_twice_who_is_called_in_two_ways() -> None:
    event = msgspec.structs.replace(BREACHED, answerable="cm")

    assert told(sent(event, desk(*STAFF, alerts(people=("chen",))))) == [("breached", "chen")]


def test_a_breach_with_a_consequence_in_the_text_cites_the_text_and_else_the_desk_as_well() -> None:
    silent = msgspec.structs.replace(BREACHED, clock="answer", clause="test:c")

    assert sent(BREACHED, DESK)[0].clause == "test:b"  # `work.late` opens the escalation
    assert sent(silent, DESK)[0].clause == ["test:c", "desk:alerts"]


def test_what_the_system_failed_to_do_in_time_is_told_to_who_has_the_case_in_hand() -> None:
    event = msgspec.structs.replace(BREACHED, clock="greet", by="system")

    assert told(sent(event, desk(*STAFF))) == [("breached", "chen")]
    assert told(sent(event, desk(*STAFF), case(holder="md"))) == [("breached", "ma")]
    assert told(sent(event, desk(*STAFF), case(holder="nobody", receiver="gm"))) == [("breached", "gao")]


def test_an_escalation_goes_to_the_tier_it_reached() -> None:
    assert told(sent(ESCALATED, DESK)) == [("escalated", "ma"), ("escalated", "ai")]
    assert sent(ESCALATED, DESK)[0].context == {"role": "md", "tier": 1}


def test_an_escalation_that_hands_nothing_over_goes_to_who_has_the_case_in_hand() -> None:
    spoken = msgspec.structs.replace(ESCALATED, verb="do", to=None, holder=None, tier=None)

    assert told(sent(spoken, desk(*STAFF), case(holder="gm"))) == [("escalated", "gao")]
    assert sent(spoken, desk(*STAFF), case(holder="gm"))[0].context["role"] == "gm"


def test_whoever_watches_is_told_how_a_rule_was_broken_and_by_whom() -> None:
    assert sent(HOLD, DESK)[0].context == {"how": "hold", "rule": "first_look", "by": "cui"}
    assert sent(BAR, DESK)[0].context == {"how": "by", "rule": "by", "by": "cui"}
    assert sent(ORDER, DESK)[0].context == {"how": "order", "rule": "answer", "by": "cui"}
    assert told(sent(HOLD, DESK)) == [("broken", "ai")]
    assert sent(HOLD, desk(*STAFF)) == []


def test_the_name_of_a_complainant_stands_in_no_alert() -> None:
    name = Sealed("AAAA", subject=CASE, generation=1, stream=CASE, version=7, path="person")
    for event in (HOLD, BAR, ORDER):
        by_customer = msgspec.structs.replace(event, person=name, role="customer")
        (message,) = sent(by_customer, DESK)
        assert message.context["by"] == "customer"
        assert "AAAA" not in msgspec.json.encode(message.context).decode()


def test_a_case_that_nobody_can_take_is_told_to_who_looks_after_the_queue() -> None:
    assert told(sent(LACKING, desk(*STAFF, fallback("md", "gao")))) == [("unassigned", "gao")]
    assert told(sent(LACKING, desk(*STAFF, fallback("md")))) == [("unassigned", "ma")]
    (message,) = sent(LACKING, desk(*STAFF, fallback("md")))
    assert message.context == {"role": "cm", "queue": "md"}


# --- notices ---
def test_a_letter_is_named_for_the_milestone_that_its_step_carries() -> None:
    assert told(sent(REQUESTED, DESK)) == [("acknowledged", "customer")]
    answer, progress = (msgspec.structs.replace(REQUESTED, step=step) for step in ("answer", "progress"))
    assert told(sent(answer, DESK)) == [("answered", "customer")]
    assert told(sent(progress, DESK)) == [("notice", "customer")]
    assert sent(progress, DESK)[0].context == {"says": "we report"}


def test_a_notice_to_the_desks_own_people_goes_to_them() -> None:
    inform = msgspec.structs.replace(REQUESTED, step="inform", to="md | gm")

    assert told(sent(inform, DESK)) == [("notice", "ma"), ("notice", "gao")]


def test_a_notice_that_nobody_could_get_is_kept_all_the_same_so_that_the_case_hears_of_it() -> None:
    inform = msgspec.structs.replace(REQUESTED, step="inform", to="md | gm")

    assert told(sent(inform, desk(joins("chen", "cm")))) == [("notice", "md"), ("notice", "gm")]


def test_the_same_turn_of_a_step_is_told_once_and_the_next_turn_again() -> None:
    first = sent(REQUESTED, DESK, version=4)[0].key
    again = sent(REQUESTED, DESK, version=9)[0].key
    later_round = sent(REQUESTED, DESK, case(steps={"greet": opened("system", round=2)}))[0].key
    after_lapse = sent(REQUESTED, DESK, case(steps={"greet": opened("system", at=at(1))}))[0].key

    assert first == again
    assert len({first, later_round, after_lapse}) == 3


def test_a_letter_that_failed_is_told_to_who_has_the_case_and_an_alert_that_failed_to_nobody() -> None:
    assert told(sent(FAILED, DESK)) == [("undelivered", "chen"), ("undelivered", "ai")]
    assert sent(msgspec.structs.replace(FAILED, alert="warned"), DESK) == []


# --- the desk's own duties ---
def test_a_duty_is_told_to_who_owes_it_and_when_it_is_late_to_who_watches_as_well() -> None:
    assert told(of_desk(OPENED, DESK)) == [("duty", "ma")]
    assert told(of_desk(MISSED, DESK)) == [("duty-breached", "ma"), ("duty-breached", "ai")]
    (message, *_) = of_desk(OPENED, DESK)
    assert message.context == {"owe": "monthly", "period": "2026-02", "due_at": DUE.isoformat()}
    assert (message.complaint, message.step) == ("desk", None)


def test_a_report_goes_to_whom_the_procedure_names_and_who_owes_it() -> None:
    assert told(of_desk(REPORT, DESK)) == [("report", "gao"), ("report", "ma")]
    unknown = msgspec.structs.replace(REPORT, owe="of-an-older-pack")
    assert of_desk(unknown, DESK) == []


# --- webhooks ---
def test_a_webhook_is_told_what_it_asked_for_and_nothing_else() -> None:
    view = desk(hook("all"), hook("clocks", "clock.*"), hook("received", "complaint.received"))

    assert told(sent(BREACHED, view))[1:] == [("webhook", "all"), ("webhook", "clocks")]
    assert told(sent(RECORDED, view)) == [("webhook", "all")]


def test_each_event_is_a_webhook_message_of_its_own() -> None:
    view = desk(hook("all"))

    assert sent(RECORDED, view, version=7)[0].key != sent(RECORDED, view, version=8)[0].key


# --- all of them ---
EVERY = (NAMED, WARNED, BREACHED, ESCALATED, REQUESTED, FAILED, OPENED, MISSED, REPORT, LACKING, HOLD, BAR, ORDER)
VIEW = desk(*STAFF, WATCHED, fallback("md"), hook("all"))


def test_there_is_an_example_of_every_event_that_calls_for_a_message() -> None:
    assert {type(event) for event in EVERY} == set(CALLS_FOR_MESSAGES)


@pytest.mark.parametrize("event", EVERY, ids=lambda event: type(event).__name__)
def test_the_same_event_calls_for_the_same_messages_again(event: Event) -> None:
    once, again = sent(event, VIEW), sent(event, VIEW)

    assert once
    assert once == again
    assert len({message.key for message in once}) == len(once)


@pytest.mark.parametrize("event", EVERY, ids=lambda event: type(event).__name__)
def test_another_case_or_another_desk_has_other_messages(event: Event) -> None:
    def keys(complaint: str, view_desk: str) -> set[UUID]:
        view = replace(VIEW, desk=view_desk)
        return {m.key for m in messages_for(event, Case(complaint, 7, "x.y", case()), view)}

    assert not keys("a", "one") & keys("b", "one")
    assert not keys("a", "one") & keys("a", "two")


@pytest.mark.parametrize("event", EVERY, ids=lambda event: type(event).__name__)
def test_every_message_cites_a_clause_and_can_be_kept_as_json(event: Event) -> None:
    for message in sent(event, VIEW):
        assert message.clause
        assert msgspec.json.decode(msgspec.json.encode(message.context)) == message.context


def test_quiet_hours_hold_back_alerts_but_no_escalation_no_letter_and_no_webhook() -> None:
    urgent = {message.kind for event in EVERY for message in sent(event, VIEW) if message.urgent}

    assert urgent == {"escalated", "acknowledged", "webhook"}


def test_other_events_call_for_nothing() -> None:
    assert sent(RECORDED, DESK) == []
    assert of_desk(RECORDED, DESK) == []
