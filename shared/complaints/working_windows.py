"""The windows of whole years as instants, compiled so that questions about working time are binary searches."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Self

from complaints.wall_time import DAY, wall_instant

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from complaints.calendar_spec import Hours

NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class WorkingWindows:
    """``opens[i]``–``closes[i]`` are the working intervals of the years, sorted, half-open, in UTC, none touching.

    A window belongs to the date it starts on, so the night that begins on the last date is there to its end, and of the
    night before the first date nothing is.
    """

    first_year: int
    last_year: int
    starts: list[datetime]  # of every window, also of those that touch
    ends: list[datetime]
    days: list[date]  # the dates with any working time
    closings: list[datetime]  # the last closing of each of them
    opens: list[datetime]
    closes: list[datetime]
    before: list[timedelta]  # working time in the intervals before the i-th
    through: list[timedelta]  # and in those up to it

    @classmethod
    def of_years(cls, zone: ZoneInfo, hours: Hours, first_year: int, last_year: int) -> Self:
        """The windows that start on dates of these years. A window that a clock change swallows whole is none."""
        starts: list[datetime] = []
        ends: list[datetime] = []
        days: list[date] = []
        closings: list[datetime] = []
        day, beyond = date(first_year, 1, 1), date(last_year + 1, 1, 1)
        while day < beyond:
            count = len(starts)
            for opens, closes in hours.on(day):
                start, end = wall_instant(zone, day, opens), wall_instant(zone, day, closes)
                if start < end:
                    starts.append(start)
                    ends.append(end)
            if len(starts) > count:
                days.append(day)
                closings.append(ends[-1])
            day += DAY
        return cls._joined(first_year, last_year, starts=starts, ends=ends, days=days, closings=closings)

    def followed_by(self, later: Self) -> Self:
        """These years and the ones after them as one."""
        return self._joined(
            self.first_year,
            later.last_year,
            starts=self.starts + later.starts,
            ends=self.ends + later.ends,
            days=self.days + later.days,
            closings=self.closings + later.closings,
        )

    @classmethod
    def _joined(
        cls,
        first_year: int,
        last_year: int,
        *,
        starts: list[datetime],
        ends: list[datetime],
        days: list[date],
        closings: list[datetime],
    ) -> Self:
        opens: list[datetime] = []
        closes: list[datetime] = []
        for start, end in zip(starts, ends, strict=True):
            if closes and start <= closes[-1]:
                closes[-1] = end
            else:
                opens.append(start)
                closes.append(end)
        before, through, total = [], [], NONE
        for start, end in zip(opens, closes, strict=True):
            before.append(total)
            total += end - start
            through.append(total)
        return cls(first_year, last_year, starts, ends, days, closings, opens, closes, before, through)

    def position(self, at: datetime) -> timedelta:
        """Working time from the beginning of these years to an instant in them."""
        i = bisect_right(self.opens, at) - 1
        return self.before[i] + (min(at, self.closes[i]) - self.opens[i]) if i >= 0 else NONE
