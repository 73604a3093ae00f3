"""A desk with office hours in Shanghai, and limits that begin there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from complaints.business_time import BusinessCalendar, CalendarSpec, Due
from complaints.calendar_spec import WEEKDAYS
from complaints.procedure.limits import due_of, parse_limit

WORKING = {"hours": "working", "first_day": "next_day"}
ELAPSED = {"hours": "elapsed", "first_day": "same_day"}


def desk(zone: str = "Asia/Shanghai", *windows: tuple[str, str], **more: Any) -> BusinessCalendar:
    weekly = dict.fromkeys(WEEKDAYS[:5], windows or (("09:00", "18:00"),))
    return BusinessCalendar.compile(CalendarSpec(id="desk", timezone=zone, weekly=weekly, **more))


def at(text: str, zone: str = "Asia/Shanghai") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def due(
    text: str,
    start: str,
    answers: Mapping[str, object] = WORKING,
    calendar: BusinessCalendar | None = None,
    facts: Mapping[str, datetime] | None = None,
) -> Due:
    calendar = calendar or desk()
    found = due_of(parse_limit(text), at(start, calendar.zone.key), answers, calendar, (facts or {}).get)
    assert found is not None
    return found
