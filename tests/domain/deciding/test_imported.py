"""A life that is told afterwards has its hand-overs and escalations at their true instants."""

from __future__ import annotations

from complaints.events import FactValue
from complaints.procedure.library import open_pack
from tests.spec import at, event, fire, given, receive, record

PLAIN = open_pack("00-plain-desk")
TOLD: dict[str, FactValue] = {"acknowledged_elsewhere": True, "subject": "noise", "category": "animals"}


def test_the_system_hands_an_imported_case_over_as_it_is_received() -> None:
    given(PLAIN).when(receive(imported=True, occurred_at=at(0, "09:00"), at=at(0, "09:00"), facts=TOLD)).then_among(
        event("complaint.received", imported=True),
        event("complaint.assigned", step="assign", person="system", to="agent", at=at(0, "09:00")),
        event("clock.stopped", clock="assign", in_time=True),
    )


def test_a_case_that_runs_waits_for_routing() -> None:
    given(PLAIN).when(receive(at=at(0, "09:00"), facts=TOLD)).then_never(event("complaint.assigned"))


def test_an_imported_case_escalates_at_the_instant_at_which_it_was_late() -> None:
    due = at(14, "18:00")
    given(PLAIN, receive(imported=True, occurred_at=at(0, "09:00"), at=at(0, "09:00"), facts=TOLD)).when(
        record("answer", by="agent", at=at(30, "10:00"))
    ).then_among(
        event("clock.breached", clock="answer", at=due),
        event("complaint.escalated", step="escalate", to="desk_lead", at=due),
        event("complaint.resolved", step="answer", at=at(30, "10:00")),
    )


def test_an_imported_case_is_not_closed_by_the_system_before_its_teller_says_so() -> None:
    told = given(
        PLAIN,
        receive(imported=True, occurred_at=at(0, "09:00"), at=at(0, "09:00"), facts=TOLD),
        record("answer", by="agent", at=at(1, "10:00")),
    )
    told.when(fire(at=at(20))).then_never(event("complaint.closed"))


def test_every_escalation_of_an_imported_case_cites_its_clause() -> None:
    case = given(
        PLAIN,
        receive(imported=True, occurred_at=at(0, "09:00"), at=at(0, "09:00"), facts=TOLD),
        fire(at=at(40)),
    )
    assert [e.clause for e in case.happened("complaint.escalated")] == ["第十二条", "第十三条"]
