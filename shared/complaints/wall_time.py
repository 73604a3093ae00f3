"""Local wall time and instants: one rule for the hours that a zone skips or has twice.

The wall clock of a zone is taken as one that is never put back. Where the clock jumps ahead, a wall time inside the
jump is the instant of the jump. Where it is put back, a wall time that comes twice is its first coming, and what is
lived a second time belongs to the moment before the clock was put back. So the map from wall time to instants never
runs backwards: windows that touch on the wall touch in time, windows that do not overlap on the wall do not overlap in
time, and a day lasts from its midnight to the next, be that 23, 23.5, 25 hours or none at all (Pacific/Apia has no
2011-12-30).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MIDNIGHT = time()
MINUTES_A_DAY = 24 * 60


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    # Both are files beside the zones on some machines, and neither says the same thing on two of them.
    return frozenset(available_timezones() - {"localtime", "Factory"})


def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name, for example ``Asia/Shanghai``.

    Raises:
        KeyError: there is no zone of that name.
    """
    if name not in _names():
        raise KeyError(name)
    return ZoneInfo(name)


def wall_instant(zone: ZoneInfo, day: date, minute: int) -> datetime:
    """The instant, in UTC, of so many minutes of wall time after a date's midnight; 1440 is its end."""
    wall = datetime.combine(day, MIDNIGHT, zone) + timedelta(minutes=minute)
    return instant_of(zone, wall)


def instant_of(zone: ZoneInfo, wall: datetime) -> datetime:
    """The instant, in UTC, of a wall time of the zone; which of two comings it names does not matter."""
    first = wall.replace(fold=0) if wall.fold else wall
    at = first.astimezone(UTC)
    shown = at.astimezone(zone)
    return at if shown == first else _jump(zone, at - (shown - first), at)


def _jump(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The second in ``(low, high]`` at which the zone's clock jumps ahead."""
    after = high.astimezone(zone).utcoffset()
    while high - low > SECOND:
        middle = (low + (high - low) // 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high


def local_date(zone: ZoneInfo, at: datetime) -> date:
    """The local date of an instant: the one whose midnight came last.

    That is the date on the wall, unless the clock was put back over midnight: then the new date has begun already.
    """
    local = at.astimezone(zone)
    day = local.date()
    while local.fold and at >= wall_instant(zone, day + DAY, 0):
        day += DAY
    return day
