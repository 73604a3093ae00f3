"""When a message may go: quiet hours of the desk, and how long to wait after a failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from complaints.desk_view import QuietHours

FIRST: Final = timedelta(seconds=5)
LONGEST: Final = timedelta(hours=1)
ATTEMPTS: Final = 12
"""Tries until a message is given up; with the waits between them, some five hours."""


def may_go_at(now: datetime, quiet: QuietHours | None, zone: ZoneInfo) -> datetime:
    """Now, or when the quiet hours that hold now have ended.

    The end is a wall time of the desk: one that the clock skips is the instant of the jump, one that comes twice its
    first coming after now.
    """
    if quiet is None or not quiet.covers(now, zone):
        return now
    local = now.astimezone(zone)
    day = local.date() if local.time() < quiet.ends else local.date() + timedelta(days=1)
    ends = datetime.combine(day, quiet.ends, tzinfo=zone)
    return min(at for at in (ends.astimezone(UTC), ends.replace(fold=1).astimezone(UTC)) if at > now)


def next_try(now: datetime, attempts: int, key: UUID) -> datetime | None:
    """When to try again after this many attempts; None: not again.

    The wait doubles up to an hour. A part of it comes from the key, so that what failed together is not tried together.
    """
    if attempts >= ATTEMPTS:
        return None
    wait: timedelta = min(FIRST * 2 ** (attempts - 1), LONGEST)
    return now + wait * (0.75 + 0.5 * (key.int % 1000) / 1000)
