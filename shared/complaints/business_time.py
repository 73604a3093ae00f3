"""BusinessCalendar: adds and measures working time across nights, holidays and clock changes.

Conventions, the same everywhere (design §3). Working time is a set of half-open intervals; durations are elapsed time
over a clock change. A deadline that ends exactly at closing time is that closing instant. A start while closed counts
from the next opening. A window belongs to the date it starts on, and a date is a working date when one of its windows
has any length. Wall times that a zone skips or has twice: see ``wall_time``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from typing import Self

import msgspec

from complaints.calendar_spec import (
    DEFAULT_CALENDAR,
    CalendarSpec,
    ExtraWorkingDay,
    Hours,
    check,
    parse_calendar,
)
from complaints.errors import Malformed
from complaints.wall_time import MINUTES_A_DAY, local_date, wall_instant, zone_of
from complaints.working_windows import NONE, WorkingWindows

__all__ = [
    "DEFAULT_CALENDAR",
    "BusinessCalendar",
    "CalendarSpec",
    "Due",
    "ExtraWorkingDay",
    "Interval",
    "as_utc",
    "parse_calendar",
]

Interval = tuple[datetime, datetime]  # half-open, UTC

# Instants are counted between these years: beyond, a zone's rules and a calendar's weeks are fiction, and an absurd
# date must not make us compile millennia.
FIRST_YEAR, LAST_YEAR = 1900, 2199
LONGEST = timedelta(days=366 * (LAST_YEAR - FIRST_YEAR + 1))


class Due(msgspec.Struct, frozen=True, eq=False):
    """When something falls due. ``provisional``: that relies on dates which no calendar has published yet.

    Two are equal that fall due alike, however they were counted.
    """

    at: datetime
    provisional: bool = False
    counted: tuple[BusinessCalendar, tuple[Interval, ...]] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Due) and (self.at, self.provisional) == (other.at, other.provisional)

    def __hash__(self) -> int:
        return hash((self.at, self.provisional))

    def __repr__(self) -> str:
        return f"Due({self.at!r}, {self.provisional!r})"

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """The working intervals that led to ``at``, without what pauses took; none for elapsed and calendar time.

        They are looked up when asked for, in the spans ``counted``, so that a due instant that nobody explains costs
        nothing more.
        """
        if self.counted is None:
            return ()
        calendar, spans = self.counted
        if len(spans) == 1:
            return calendar.intervals(*spans[0])
        return tuple(interval for a, b in spans for interval in calendar.intervals(a, b))


class BusinessCalendar:
    """A calendar version, compiled. It never changes for its callers, and threads may share it.

    Years are compiled when a question first reaches them, ``FIRST_YEAR`` to ``LAST_YEAR``. Every method takes aware
    instants in any zone and answers in UTC.

    Raises:
        Malformed: ``out-of-range``, for an instant beyond those years.
        ValueError: for an instant without a zone.
    """

    def __init__(self, spec: CalendarSpec) -> None:
        check(spec)
        self.spec, self.zone = spec, zone_of(spec.timezone)
        self._hours, self._lock = Hours(spec), Lock()
        self._years: WorkingWindows | None = None
        self._published = self._end_of_published()

    @classmethod
    def compile(cls, spec: CalendarSpec) -> Self:
        """The calendar of a specification.

        Raises:
            Malformed: ``calendar-refused``, naming the field and the rule that it breaks.
        """
        return cls(spec)

    # --- working time ---

    def add(self, start: datetime, working: timedelta) -> Due:
        """The first instant by which that much working time has passed since ``start``; ``start`` itself for none.

        Negative: the last instant from which that much working time passes until ``start``.
        """
        start = as_utc(start)
        if abs(working) > LONGEST:
            raise _out_of_range("working time")
        at = self._forward(start, working) if working > NONE else self._back(start, -working) if working else start
        span = (start, at) if start <= at else (at, start)
        return Due(at, self.provisional(span[1]), (self, (span,)))

    def elapsed(self, a: datetime, b: datetime) -> timedelta:
        """The working time from ``a`` to ``b``; negative when ``b`` is the earlier."""
        a, b = as_utc(a), as_utc(b)
        years = self._covering(a, b)
        return years.position(b) - years.position(a)

    def intervals(self, a: datetime, b: datetime) -> tuple[Interval, ...]:
        """The working intervals between two instants, cut at both; windows that touch are one interval."""
        a, b = as_utc(a), as_utc(b)
        years = self._covering(a, b)
        low, high = bisect_right(years.closes, a), bisect_left(years.opens, b) if a < b else 0
        found = list(zip(years.opens[low:high], years.closes[low:high], strict=True))
        if found:  # the first and the last alone can be cut
            found[0] = (max(a, found[0][0]), found[0][1])
            found[-1] = (found[-1][0], min(b, found[-1][1]))
        return tuple(found)

    def is_open(self, at: datetime) -> bool:
        """Is it working time? At the closing instant it is not."""
        at = as_utc(at)
        years = self._covering(at, at)
        i = bisect_right(years.opens, at) - 1
        return i >= 0 and at < years.closes[i]

    def next_opening(self, at: datetime) -> Due:
        """The first start of a window after ``at``. A desk that never closes has one wherever a window begins."""
        at = as_utc(at)
        years = self._covering(at, at)
        while (i := bisect_right(years.starts, at)) == len(years.starts):
            years = self._later(years)
        opening = years.starts[i]
        return Due(opening, not self.is_published(self.local_date(opening)), (self, ((at, opening),)))

    # --- dates ---

    def is_working_date(self, day: date) -> bool:
        """Has the date any working time?"""
        years = self._covering_years(day.year, day.year)
        i = bisect_left(years.days, day)
        return i < len(years.days) and years.days[i] == day

    def nth_working_date(self, day: date, n: int) -> date:
        """The n-th working date from ``day`` on, itself counted; for negative ``n`` counted back from ``day``."""
        years, i = self._nth(day, n)
        return years.days[i]

    def closing_of_nth_working_date(self, day: date, n: int) -> Due:
        """When the last window of that date closes; an overnight one closes on the next date."""
        years, i = self._nth(day, n)
        return Due(years.closings[i], not self.is_published(max(day, years.days[i])))

    def local_date(self, at: datetime) -> date:
        """The desk's date at an instant."""
        return local_date(self.zone, as_utc(at))

    def midnight(self, at: datetime) -> datetime:
        """When the desk's date at that instant began."""
        return self.at(self.local_date(at))

    def at(self, day: date, minute: int = 0) -> datetime:
        """The instant of so many minutes of wall time after midnight of a date; 1440 is the midnight that ends it."""
        _check_year(day.year)
        return wall_instant(self.zone, day, minute)

    # --- what is published ---

    def provisional(self, at: datetime) -> bool:
        """Does working time up to that instant rely on dates after ``published_until``?

        The night that begins on the last published date is published to its end.
        """
        return self._published is not None and at > self._published

    def is_published(self, day: date) -> bool:
        """Is it settled whether that date is a working date?"""
        return self.spec.published_until is None or day <= self.spec.published_until

    def _end_of_published(self) -> datetime | None:
        last = self.spec.published_until
        if last is None or last.year > LAST_YEAR:
            return None
        if last.year < FIRST_YEAR:
            return datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
        ends = (MINUTES_A_DAY, *(end for _, end in self._hours.on(last)))
        return max(wall_instant(self.zone, last, end) for end in ends)

    # --- compiled years ---

    def _forward(self, start: datetime, working: timedelta) -> datetime:
        years = self._covering(start, start)
        # The goal is measured from the first year, which another thread may move: it is taken again with the years.
        while not years.through or years.through[-1] < (goal := years.position(start) + working):
            years = self._later(years)
        i = bisect_left(years.through, goal)
        return years.opens[i] + (goal - years.before[i])

    def _back(self, start: datetime, working: timedelta) -> datetime:
        years = self._covering(start, start)
        while (goal := years.position(start) - working) < NONE:
            years = self._earlier(years)
        i = bisect_right(years.before, goal) - 1
        return years.opens[i] + (goal - years.before[i])

    def _nth(self, day: date, n: int) -> tuple[WorkingWindows, int]:
        if n == 0:
            raise ValueError("working dates are counted from 1, or back from -1")
        years = self._covering_years(day.year, day.year)
        while True:
            i = bisect_left(years.days, day) + n - 1 if n > 0 else bisect_right(years.days, day) + n
            if i >= len(years.days):
                years = self._later(years)
            elif i < 0:
                years = self._earlier(years)
            else:
                return years, i

    def _covering(self, a: datetime, b: datetime) -> WorkingWindows:
        return self._covering_years(a.year, b.year) if a <= b else self._covering_years(b.year, a.year)

    def _covering_years(self, low: int, high: int) -> WorkingWindows:
        """Those years, compiled, and one more on each side: for local dates, and for nights into the next year."""
        years = self._years
        if years is not None and years.first_year < low and high < years.last_year:
            return years
        _check_year(low)
        _check_year(high)
        return self._compiled(low - 1, high + 1)

    def _later(self, years: WorkingWindows) -> WorkingWindows:
        """Twice as many years, the new ones after those given."""
        _check_year(years.last_year)
        return self._compiled(years.first_year, min(2 * years.last_year - years.first_year + 1, LAST_YEAR + 1))

    def _earlier(self, years: WorkingWindows) -> WorkingWindows:
        """Twice as many years, the new ones before those given."""
        _check_year(years.first_year)
        return self._compiled(max(2 * years.first_year - years.last_year - 1, FIRST_YEAR - 1), years.last_year)

    def _compiled(self, low: int, high: int) -> WorkingWindows:
        """At least those years. Who reads at the time keeps what he has; the wider one takes its place at once."""
        with self._lock:
            years = self._years
            if years is None:
                years = WorkingWindows.of_years(self.zone, self._hours, low, high)
            if low < years.first_year:
                years = WorkingWindows.of_years(self.zone, self._hours, low, years.first_year - 1).followed_by(years)
            if high > years.last_year:
                years = years.followed_by(WorkingWindows.of_years(self.zone, self._hours, years.last_year + 1, high))
            self._years = years
            return years


def _check_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise _out_of_range("instant")


def _out_of_range(field: str) -> Malformed:
    return Malformed(field, f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}", code="out-of-range")


def as_utc(at: datetime) -> datetime:
    """An instant in UTC, within the years that are counted.

    Raises:
        Malformed: ``out-of-range``.
        ValueError: it has no zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"an instant has a zone: {at}")
    _check_year(at.year)
    return at if at.tzinfo is UTC else at.astimezone(UTC)
