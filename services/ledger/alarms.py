"""What needs a person, and since when it does no more. Pure: a fold over the events of one stream."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from complaints.codec import Recorded
from complaints.escalations import Escalation, escalation_of
from complaints.events import (
    AssigneeNamed,
    BreachWithdrawn,
    ClockCancelled,
    ClockExtended,
    ClockStopped,
    ComplaintClosed,
    ComplaintResolved,
    DutyRecorded,
    Event,
    NoticeDelivered,
    NoticeGiven,
    Record,
    StepLapsed,
    StepsReopened,
    StepWaived,
)


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """An escalation, and the event that ended it.

    ``period``: of a duty; ``seen``: the stream's version when the alarm last changed.
    """

    escalation: Escalation
    kind: str
    period: str | None = None
    settled_at: datetime | None = None
    settled_by: str | None = None
    seen: int


def alarmed(alarms: tuple[Alarm, ...], record: Recorded) -> tuple[Alarm, ...]:
    """The alarms of a stream after one more event."""
    event = record.event
    if alarms:
        alarms = tuple(_after(alarm, event, record) for alarm in alarms)
    escalation = escalation_of(record)
    if escalation is None:
        return alarms
    period = getattr(event, "period", None) if record.category == "duties" else None
    return (*alarms, Alarm(escalation=escalation, kind=_kind(record.type), period=period, seen=record.version))


def _after(alarm: Alarm, event: Event, record: Recorded) -> Alarm:
    if alarm.settled_at is not None or not _settles(alarm, event):
        return alarm
    return replace(alarm, settled_at=event.at, settled_by=record.type, seen=record.version)


def _settles(alarm: Alarm, event: Event) -> bool:
    """Whether the event ends what the alarm is about. What was done against a rule stays until the case is closed."""
    if isinstance(event, ComplaintClosed):
        return True
    ends = _ENDS.get(alarm.kind)
    return ends is not None and ends(alarm, event)


def _kind(type: str) -> str:
    """A stored name, of any kind of case."""
    return f"complaint.{type.partition('.')[2]}" if type.startswith("case.") else type


def _clock_ends(alarm: Alarm, event: Event) -> bool:
    """A limit that ran out is over when it was done after all, was never owed, or runs on."""
    name = alarm.escalation.subject
    match event:
        case Record():
            return event.over and event.step == name
        case StepWaived() | StepLapsed():
            return event.step == name
        case StepsReopened():
            return name in (*event.clocks, *event.steps)
        case ClockStopped() | ClockCancelled() | ClockExtended() | BreachWithdrawn():
            return event.clock == name
        case _:
            return False


def _role_named(alarm: Alarm, event: Event) -> bool:
    return isinstance(event, AssigneeNamed) and event.role == alarm.escalation.subject


def _told(alarm: Alarm, event: Event) -> bool:
    return isinstance(event, NoticeDelivered | NoticeGiven) and event.step == alarm.escalation.subject


def _duty_done(alarm: Alarm, event: Event) -> bool:
    return (
        isinstance(event, DutyRecorded | BreachWithdrawn)
        and event.owe == alarm.escalation.subject
        and event.period == alarm.period
    )


def _resolved(_: Alarm, event: Event) -> bool:
    return isinstance(event, ComplaintResolved)


_ENDS: dict[str, Callable[[Alarm, Event], bool]] = {
    "clock.breached": _clock_ends,
    "assignee.lacking": _role_named,
    "notice.failed": _told,
    "duty.breached": _duty_done,
    "complaint.escalated": _resolved,
}
