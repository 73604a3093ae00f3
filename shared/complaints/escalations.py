"""What needs a person now: the records of ``complaints.escalations.v1``, each a pure function of one event."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from complaints.codec import DESK, Recorded
from complaints.events import (
    AccessBroken,
    AssigneeLacking,
    Clause,
    ClockBreached,
    ComplaintEscalated,
    DutyBreached,
    Event,
    HoldBroken,
    NoticeFailed,
    OrderBroken,
)

Owes = str | list[str] | None


class Escalation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that somebody has to see to. ``event`` says what happened, ``what`` in one English sentence."""

    event: str
    what: str
    desk: str
    complaint: str  # the case, or ``desk``
    clause: Clause
    subject: str  # the step, clock, hold, role or duty it is about
    owes: Owes = None  # the roles that have to act
    answerable: str | None = None
    since: datetime
    due_at: datetime | None = None
    position: int
    version: int
    link: str  # where a person sees the case


NEEDS_A_PERSON: Final = (
    ComplaintEscalated,
    ClockBreached,
    HoldBroken,
    AccessBroken,
    OrderBroken,
    AssigneeLacking,
    NoticeFailed,
    DutyBreached,
)


def escalation_of(recorded: Recorded, *, public_url: str = "") -> Escalation | None:
    """The escalation that an event asks for; None for most events, and for what an imported case brings from the past.

    ``public_url``: where people see the cases; the link is a path without it.
    """
    event = recorded.event
    if not isinstance(event, NEEDS_A_PERSON) or is_history(recorded):
        return None
    case = recorded.meta.complaint
    where = f"/desks/{recorded.desk}/duties" if case == DESK else f"/complaints/{case}"
    what, subject, owes = _told(event)
    return Escalation(
        event=recorded.type,
        what=what,
        desk=recorded.desk,
        complaint=case,
        clause=event.clause,
        subject=subject,
        owes=owes,
        answerable=event.answerable if isinstance(event, ClockBreached) else None,
        since=event.at,
        due_at=event.due_at if isinstance(event, ClockBreached | DutyBreached) else None,
        position=recorded.position,
        version=recorded.version,
        link=public_url.rstrip("/") + where,
    )


PRESENT: Final = timedelta(hours=1)
"""How late something may be recorded that is still of the present: longer than a process that fell over is away."""


def is_history(recorded: Recorded) -> bool:
    """Whether an event is what an imported case brings from the past: true, on record, and nothing to tell anybody."""
    return is_past(recorded.event, imported=recorded.meta.imported, recorded_at=recorded.recorded_at)


def is_past(event: Event, *, imported: bool, recorded_at: datetime) -> bool:
    """The same of an event of a case that is, or is not, imported."""
    return imported and recorded_at - event.at > PRESENT


def _told(event: Event) -> tuple[str, str, Owes]:  # noqa: PLR0911 - one arm an event
    """What happened, what it is about, and who has to act."""
    match event:
        case ComplaintEscalated():
            to = event.to if isinstance(event.to, str | None) else " and ".join(event.to)
            return f"escalated to {to} by {event.step}", event.step, event.to
        case ClockBreached():
            return f"{event.clock} was due at {event.due_at.isoformat()} and is not done", event.clock, event.by
        case HoldBroken():
            return f"{event.step} was done although {event.hold} forbade it", event.hold, None
        case AccessBroken(bar="by"):
            return f"{event.step} was done by somebody who does not owe it", event.step, None
        case AccessBroken():
            return f"{event.step} was done by somebody whom {event.bar} excludes", event.bar, None
        case OrderBroken():
            return f"{event.step} was done before {', '.join(event.waits_for) or 'its time'}", event.step, None
        case AssigneeLacking():
            return f"nobody can act as {event.role}: {event.because}", event.role, event.queue
        case NoticeFailed():
            what = f"notice of {event.step}" if event.alert is None else f"alert ({event.alert}) about {event.step}"
            return f"the {what} could not be delivered", event.step, None
        case DutyBreached():
            return f"the desk's duty {event.owe} was not done for {event.period}", event.owe, event.by
        case _:
            raise TypeError(f"{type(event).__name__} needs nobody")
