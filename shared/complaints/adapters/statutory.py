"""The statutory working days of mainland China as a calendar, from the maintained package ``holidays``.

The law fixes the festivals. Which other days are off, and which weekend days are worked in exchange (调休), a notice of
the State Council says for each year in the autumn before. What no notice has said yet is left open by
``published_until``: later dates have the festivals of the law alone, and what relies on them is provisional.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from holidays import country_holidays

from complaints.business_time import CalendarSpec, ExtraWorkingDay
from complaints.calendar_spec import WEEKDAYS, Windows

FIRST_YEAR = 2001  # the package was held against the notices from this year on
LAST_YEAR = 2099  # and knows the lunar calendar until here


def chinese_calendar_spec(
    hours: Windows,
    years: Iterable[int],
    *,
    id: str = "china",
    version: str | None = None,
    timezone: str = "Asia/Shanghai",
) -> CalendarSpec:
    """The calendar of a desk that works ``hours`` on every statutory working day, from the first year to the last.

    ``published_until`` is the last day of the last of these years for which there is a notice.

    Raises:
        ValueError: no years, or years of which the package knows nothing.
    """
    asked = sorted(years)
    if not asked or asked[0] < FIRST_YEAR or asked[-1] > LAST_YEAR:
        raise ValueError(f"statutory days are known for the years {FIRST_YEAR} to {LAST_YEAR}")
    first, last = date(asked[0], 1, 1), date(asked[-1], 12, 31)
    days_off, worked = _statutory_days()
    return CalendarSpec(
        id=id,
        version=version,
        timezone=timezone,
        weekly=dict.fromkeys(WEEKDAYS[:5], hours),
        holidays=tuple(day for day in days_off if first <= day <= last),
        extra_working_days=tuple(ExtraWorkingDay(date=day, hours=hours) for day in worked if first <= day <= last),
        published_until=min(last, published_until()),
    )


def published_until() -> date:
    """The last day for which the package has the notice. Every notice so far has had weekend days worked."""
    return date(_statutory_days()[1][-1].year, 12, 31)


@lru_cache(maxsize=1)
def _statutory_days() -> tuple[tuple[date, ...], tuple[date, ...]]:
    """The days off and the weekend days worked, of all years that the package knows."""
    china = country_holidays("CN", years=range(FIRST_YEAR, LAST_YEAR + 1))
    return tuple(sorted(china)), tuple(sorted(china.weekend_workdays))
