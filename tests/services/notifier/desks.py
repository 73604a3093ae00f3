"""A small desk, a case of it, and deliveries, for the tests of what is sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.complaint import Complaint, StepState
from complaints.desk_events import AlertsSet, DeskEvent, FallbackSet, PersonAbsent, PersonJoined, WebhookAdded
from complaints.desk_view import DeskView
from complaints.desks import simulated
from complaints.events import Event, stored_name
from complaints.identity import REDRESS_NS
from complaints.procedure.model import Procedure
from notifier.deliveries import Delivery
from notifier.messages import Case, Message, messages_for
from tests.spec import MONDAY, pack

CASE = UUID("3d1f0c52-7b1e-5f6a-9d7e-0c9b8a7f6e5d")

PROCEDURE = pack(
    """
decisions: [{decide: owner, rows: [{set: cm, clause: o}]}]
clocks: [{clock: quiet_week, clause: q, from: answer, within: 7 days}]
holds: [{hold: first_look, clause: h, forbids: [answer], until: greet.done}]
steps:
- part: p
  rows:
  - {tell: greet, clause: a, says: we greet, by: system, to: customer, milestone: acknowledged, within: 1 h elapsed}
  - {do: work, clause: b, says: they work, by: owner, within: 2 h elapsed}
  - {tell: answer, clause: c, says: we answer, by: cm, to: customer, milestone: resolved, within: 3 days}
  - {tell: progress, clause: d, says: we report, by: system, to: customer, when: work.late}
  - {tell: inform, clause: e, says: the head hears, by: system, to: "md | gm", after: answer}
  - {pass: escalate, clause: f, by: system, to: md, when: work.late, milestone: escalated}
desk:
- {owe: monthly, clause: m, says: once a month, every: month, day: 5, holiday: after, by: md, to: [gm],
   report: not-stated}
"""
)


def joins(person: str, *roles: str, **more: Any) -> PersonJoined:
    more.setdefault("email", f"{person}@desk.example")
    return PersonJoined(at=MONDAY, person=person, name=person.title(), roles=roles, **more)


def away(person: str) -> PersonAbsent:
    return PersonAbsent(at=MONDAY, person=person, begins_at=MONDAY)


def alerts(**told: Any) -> AlertsSet:
    return AlertsSet(at=MONDAY, **told)


def fallback(queue: str, person: str | None = None) -> FallbackSet:
    return FallbackSet(at=MONDAY, queue=queue, person=person)


def hook(name: str, *events: str, url: str = "https://hooks.example/in", generation: int = 1) -> WebhookAdded:
    return WebhookAdded(at=MONDAY, name=name, url=url, events=events, generation=generation)


STAFF = (joins("chen", "cm"), joins("cui", "cm"), joins("ma", "md"), joins("gao", "gm"), joins("ai", "audit"))
WATCHED = alerts(roles=("audit",))


def desk(*events: DeskEvent, procedure: Procedure = PROCEDURE) -> DeskView:
    return simulated(procedure, DEFAULT_CALENDAR, events, desk="demo")


def case(version: int = 7, **state: Any) -> Complaint:
    """A case that `chen` works on; the step `work` is open."""
    usual: dict[str, Any] = {
        "receiver": "cm",
        "holder": "cm",
        "decided": {"owner": "cm"},
        "received_at": MONDAY,
        "assignees": {"cm": "chen"},
        "steps": {"work": opened("owner"), "greet": opened("system"), "inform": opened("system")},
    }
    return Complaint(version=version, **(usual | state))


def opened(by: str, at: datetime = MONDAY, **more: Any) -> StepState:
    return StepState(state="open", by=by, opened=at, **more)


def sent(event: Event, view: DeskView, state: Complaint | None = None, *, version: int = 7) -> list[Message]:
    """The messages that an event of the case calls for; ``state``: the case after it."""
    return messages_for(event, Case(str(CASE), version, stored_name(event, "complaint"), state or case()), view)


def of_desk(event: Event, view: DeskView) -> list[Message]:
    """The messages that an event of the desk's own duties calls for."""
    return messages_for(event, Case("desk", 3, stored_name(event, "complaint"), None), view)


def told(messages: list[Message]) -> list[tuple[str, str]]:
    """Kinds and recipients."""
    return [(message.kind, message.recipient) for message in messages]


def delivery(kind: Any, **more: Any) -> Delivery:
    fields: dict[str, Any] = {
        "key": uuid5(REDRESS_NS, "a delivery"),
        "desk": "demo",
        "complaint": str(CASE),
        "stream": CASE,
        "version": 7,
        "step": None,
        "clause": "test:b",
        "recipient": "chen",
        "channel": "email",
        "at": MONDAY,
        "context": {},
        "attempts": 1,
        "correlation_id": None,
    }
    return Delivery(kind=kind, **(fields | more))
