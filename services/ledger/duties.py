"""What a desk owes without a case, period by period, as the read side shows it. Pure: a fold over the desk's duties."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from complaints.events import (
    BreachWithdrawn,
    Clause,
    DutyBreached,
    DutyEvent,
    DutyLapsed,
    DutyOpened,
    DutyRecorded,
    ReportProduced,
)

Standing = Literal["open", "missed", "done", "lapsed"]


class Duty(msgspec.Struct, frozen=True, kw_only=True):
    """A duty in one period. ``seen``: the stream's version at its last change; ``report``: the one that holds figures.

    ``breached_at`` stays after a missed duty was made up, unless it turns out to have been done in time.
    """

    owe: str
    period: str
    clause: Clause
    by: str
    to: tuple[str, ...]
    duty: str
    opened_at: datetime
    due_at: datetime | None
    state: Standing = "open"
    person: str | None = None
    done_at: datetime | None = None
    in_time: bool | None = None
    breached_at: datetime | None = None
    reported_at: datetime | None = None
    report: int | None = None
    seen: int


Duties = Mapping[tuple[str, str], Duty]


def noted(duties: Duties, event: DutyEvent, version: int) -> Duties:
    """The duties after an event of this version."""
    match event:
        case DutyOpened():
            duty = Duty(
                owe=event.owe,
                period=event.period,
                clause=event.clause,
                by=event.by,
                to=tuple(event.to),
                duty=event.duty,
                opened_at=event.at,
                due_at=event.due_at,
                seen=version,
            )
            return {**duties, (event.owe, event.period): duty}
        case DutyRecorded(period=str()):
            done_at = event.done_at or event.at
            changes = {"state": "done", "person": event.person, "done_at": done_at, "in_time": event.in_time}
        case DutyBreached():
            changes = {"state": "missed", "breached_at": event.due_at or event.at}
        case DutyLapsed():
            changes = {"state": "lapsed"}
        case ReportProduced():
            changes = {"reported_at": event.at, "report": version}
        case BreachWithdrawn(owe=str(), period=str()):
            changes = {"breached_at": None, "in_time": True}
        case _:
            return duties
    key = (str(event.owe), str(event.period))
    known = duties.get(key)
    return duties if known is None else {**duties, key: replace(known, seen=version, **changes)}
