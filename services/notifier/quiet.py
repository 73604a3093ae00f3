"""When a message may go: quiet hours of the desk, and how long to wait after a failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from complaints.desk_view import QuietHours
from complaints.wall_time import DAY, instant_of

FIRST: Final = timedelta(seconds=5)
LONGEST: Final = timedelta(hours=4)
ATTEMPTS: Final = 17
"""Tries until a message is given up; with the waits between them, most of a day."""


def may_go_at(now: datetime, quiet: QuietHours | None, zone: ZoneInfo) -> datetime:
    """Now, or when the quiet hours that hold now have ended.

    The end is a wall time of the desk: one that the clock skips is the instant of the jump, one that comes twice its
    first coming after now.
    """
    at = now
    while quiet is not None and quiet.covers(at, zone):
        at = _next_end(at, quiet, zone)
    return at


def _next_end(at: datetime, quiet: QuietHours, zone: ZoneInfo) -> datetime:
    """The first end of quiet hours after an instant."""
    day = at.astimezone(zone).date()
    while True:
        wall = datetime.combine(day, quiet.ends, tzinfo=zone)
        comings = (instant_of(zone, wall), wall.replace(fold=1).astimezone(UTC))
        if later := [coming for coming in comings if coming > at]:
            return min(later)
        day += DAY


def next_try(now: datetime, attempts: int, key: UUID) -> datetime | None:
    """When to try again after this many attempts; None: not again.

    The wait doubles up to four hours. A part of it comes from the key, so that what failed together is not tried
    together.
    """
    if attempts >= ATTEMPTS:
        return None
    wait: timedelta = min(FIRST * 2 ** (attempts - 1), LONGEST)
    return now + wait * (0.75 + 0.5 * (key.int % 1000) / 1000)
