"""What needs a person now: which events, what is said of them, and what is of the past and wakes nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from complaints.codec import DESK, Envelope, Recorded, to_json
from complaints.commands import SYSTEM
from complaints.escalations import NEEDS_A_PERSON, Escalation, escalation_of, is_history
from complaints.events import (
    AccessBroken,
    AssigneeLacking,
    ClockBreached,
    ClockStarted,
    ComplaintEscalated,
    DutyBreached,
    Event,
    HoldBroken,
    NoticeFailed,
    OrderBroken,
    stored_name,
)

AT = datetime(2026, 3, 2, 1, 31, tzinfo=UTC)
DUE = AT - timedelta(minutes=1)
CASE = UUID(int=7)


def recorded(
    event: Event, *, late: timedelta = timedelta(0), imported: bool = False, case: str = "complaint"
) -> Recorded:
    """An event as it stands in the log, recorded so late."""
    of_the_desk = isinstance(event, DutyBreached)
    complaint = DESK if of_the_desk else str(CASE)
    return Recorded(
        position=42,
        stream_id=CASE,
        version=3,
        category="duties" if of_the_desk else "complaint",
        desk="repairs",
        type=stored_name(event, case),
        schema_version=1,
        recorded_at=event.at + late,
        event=event,
        meta=Envelope(
            desk="repairs", complaint=complaint, at=event.at, by=SYSTEM, command_id=UUID(int=1), imported=imported
        ),
        hash=b"",
        sealed={},
    )


def told(event: Event, **how: Any) -> Escalation:
    found = escalation_of(recorded(event, **how), public_url="https://redress.example/")
    assert found is not None
    return found


BREACH = ClockBreached(at=DUE, clause="c", clock="to_md", due_at=DUE, by="cm | csc", answerable="gm")
WHAT: list[tuple[Event, dict[str, Any]]] = [
    (
        BREACH,
        {
            "event": "clock.breached",
            "what": "to_md was due at 2026-03-02T01:30:00+00:00 and is not done",
            "subject": "to_md",
            "owes": "cm | csc",
            "answerable": "gm",
            "since": DUE,
            "due_at": DUE,
        },
    ),
    (
        ComplaintEscalated(
            at=AT, clause="c", step="up", verb="pass", outcome="passed", over=True, person="p", as_="md", to="gm"
        ),
        {"event": "complaint.escalated", "what": "escalated to gm by up", "subject": "up", "owes": "gm"},
    ),
    (
        HoldBroken(at=AT, clause="c", step="comment", person="p", role="ga", hold="no_comment"),
        {"what": "comment was done although no_comment forbade it", "subject": "no_comment"},
    ),
    (
        AccessBroken(at=AT, clause="c", step="decide", person="p", role="ga", bar="impartial"),
        {"what": "decide was done by somebody whom impartial excludes", "subject": "impartial"},
    ),
    (
        AccessBroken(at=AT, clause="c", step="decide", person="p", role="ga", bar="by"),
        {"what": "decide was done by somebody who does not owe it", "subject": "decide"},
    ),
    (
        OrderBroken(at=AT, clause="c", step="to_md", person="p", role="cm", waits_for=["found", "talk"]),
        {"what": "to_md was done before found, talk", "subject": "to_md"},
    ),
    (
        OrderBroken(at=AT, clause="c", step="revisit", person="p", role="cm", not_before=AT),
        {"what": "revisit was done before its time", "subject": "revisit"},
    ),
    (
        AssigneeLacking(at=AT, clause="c", role="cm", queue="front-desk", because="all-away: everybody is away"),
        {"what": "nobody can act as cm: all-away: everybody is away", "subject": "cm", "owes": "front-desk"},
    ),
    (
        NoticeFailed(at=AT, clause="c", step="answer", channel="email", to="a@example.org", reason="mailbox full"),
        {"what": "the notice of answer could not be delivered", "subject": "answer"},
    ),
    (
        NoticeFailed(at=AT, clause="c", step="answer", channel="email", to="su", reason="no email", alert="breached"),
        {"what": "the alert (breached) about answer could not be delivered", "subject": "answer"},
    ),
    (
        DutyBreached(at=DUE, clause="c", owe="report", period="2026-03", by="md", due_at=DUE),
        {
            "what": "the desk's duty report was not done for 2026-03",
            "subject": "report",
            "owes": "md",
            "due_at": DUE,
            "complaint": "desk",
        },
    ),
]


@pytest.mark.parametrize(("event", "fields"), WHAT, ids=[type(event).__name__ for event, _ in WHAT])
def test_it_says_what_happened_under_which_clause_and_who_has_to_act(event: Event, fields: dict[str, Any]) -> None:
    found = told(event)
    expected = {"owes": None, "answerable": None, "due_at": None, "clause": "c", "since": event.at, **fields}
    assert {name: getattr(found, name) for name in expected} == expected


def test_every_kind_of_event_that_needs_a_person_has_its_words() -> None:
    assert {type(event) for event, _ in WHAT} == set(NEEDS_A_PERSON)


def test_an_event_that_needs_nobody_is_none() -> None:
    assert escalation_of(recorded(ClockStarted(at=AT, clock="to_md", from_=AT))) is None


def test_it_names_the_place_in_the_log_and_where_to_look() -> None:
    case, desk = told(BREACH), told(DutyBreached(at=DUE, owe="report", period="2026-03", by="md"))
    assert (case.desk, case.complaint, case.position, case.version) == ("repairs", str(CASE), 42, 3)
    assert case.link == f"https://redress.example/complaints/{CASE}"
    assert desk.link == "https://redress.example/desks/repairs/duties"


def test_a_case_that_is_no_complaint_is_named_as_what_it_is() -> None:
    event = ComplaintEscalated(
        at=AT, step="up", verb="pass", outcome="passed", over=True, person="p", as_="md", to="gm"
    )
    assert told(event, case="shipment").event == "case.escalated"


def test_what_is_said_holds_no_personal_value() -> None:
    for event, _ in WHAT:
        line = to_json(told(event)).decode()
        assert "a@example.org" not in line
        assert "mailbox full" not in line


# --- what is of the past ---
YEARS = timedelta(days=1000)


def test_what_an_imported_case_brings_from_the_past_wakes_nobody() -> None:
    assert is_history(recorded(BREACH, late=YEARS, imported=True))
    assert escalation_of(recorded(BREACH, late=YEARS, imported=True)) is None


def test_what_happens_to_an_imported_case_from_now_on_does() -> None:
    assert told(BREACH, late=timedelta(seconds=1), imported=True).subject == "to_md"


def test_a_breach_that_is_recorded_late_because_a_process_was_down_does() -> None:
    assert told(BREACH, late=timedelta(minutes=30), imported=True).subject == "to_md"
    assert told(BREACH, late=YEARS).subject == "to_md"
