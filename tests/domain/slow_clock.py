"""An oracle for working time: it walks minute by minute and knows nothing but the wall clock and the written windows.

Where a clock is put back it stands still until it has caught up; where it jumps ahead the minutes between never come.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from complaints.business_time import CalendarSpec, ExtraWorkingDay
from complaints.calendar_spec import WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
Windows = tuple[tuple[str, str], ...]

# Around two clock changes each. Lord Howe's is half an hour, Santiago's at midnight, Havana's is put back to midnight;
# Shanghai has none, but a New Year with days worked in exchange.
CHANGES = {
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Europe/London": ("2026-03-29", "2026-10-25"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
    "America/Santiago": ("2026-04-05", "2026-09-06"),
    "America/Havana": ("2026-03-08", "2026-11-01"),
    "Asia/Shanghai": ("2026-02-14", "2026-10-01"),
}


class SlowClock:
    """The minutes from noon of one date to noon of another, each with the date whose window it works in, or None."""

    def __init__(self, spec: CalendarSpec, first: date, last: date) -> None:
        self.spec, zone = spec, ZoneInfo(spec.timezone)
        self.begin = datetime.combine(first, time(12), zone).astimezone(UTC)
        end = datetime.combine(last, time(12), zone).astimezone(UTC)
        self.minutes: list[date | None] = []
        at, shown = self.begin, datetime.combine(first, time())
        while at < end:
            shown = max(shown, at.astimezone(zone).replace(tzinfo=None))
            self.minutes.append(self._works(shown))
            at += MINUTE

    def _works(self, shown: datetime) -> date | None:
        for day in (shown.date() - DAY, shown.date()):
            midnight = datetime.combine(day, time())
            for opens, closes in self.windows(day):
                start, end = midnight + of_day(opens), midnight + of_day(closes)
                if start <= shown < (end if end > start else end + DAY):
                    return day
        return None

    def windows(self, day: date) -> Windows:
        """A date's windows as design §3 says it."""
        for extra in self.spec.extra_working_days:
            if extra.date == day:
                return extra.hours
        return () if day in self.spec.holidays else self.spec.weekly.get(WEEKDAYS[day.weekday()], ())

    def instants(self) -> Iterator[tuple[datetime, date | None]]:
        return ((self.begin + n * MINUTE, day) for n, day in enumerate(self.minutes))

    def elapsed(self, a: datetime, b: datetime) -> timedelta:
        return sum(day is not None for at, day in self.instants() if a <= at < b) * MINUTE

    def add(self, start: datetime, working: timedelta) -> datetime | None:
        """None when that lies beyond the last minute."""
        for at, day in self.instants():
            if at >= start and working <= timedelta(0):
                return max(at, start)
            working -= MINUTE if at >= start and day is not None else timedelta(0)
        return None


def of_day(clock: str) -> timedelta:
    return timedelta(hours=int(clock[:2]), minutes=int(clock[3:]))


def clock_time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def by_day(draw: st.DrawFn, low: int = 0, high: int = 1440, most: int = 3) -> Windows:
    """Up to so many windows of one day."""
    marks = sorted(draw(st.sets(st.integers(low, high), max_size=2 * most)))
    return tuple((clock_time(a), clock_time(b)) for a, b in zip(marks[::2], marks[1::2], strict=False))


@st.composite
def by_night(draw: st.DrawFn) -> Windows:
    """Windows between 06:00 and 22:00, and a night or a whole day from then on."""
    start, end = draw(st.integers(22 * 60, 1439)), draw(st.integers(0, 6 * 60))
    return (*draw(by_day(6 * 60, 22 * 60, 2)), (clock_time(start), clock_time(end)))


@st.composite
def calendars(draw: st.DrawFn) -> tuple[CalendarSpec, date]:
    """A calendar and a date near a clock change of its zone, with holidays and extra days about it."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    near = date.fromisoformat(draw(st.sampled_from(CHANGES[zone])))
    windows = draw(st.sampled_from((by_day(), by_night(), st.just((("00:00", "24:00"),)))))
    dates = st.integers(-4, 4).map(lambda n: near + n * DAY)
    weekly = {day: draw(windows) for day in draw(st.sets(st.sampled_from(WEEKDAYS), min_size=1))}
    if not any(weekly.values()):
        weekly = {"wed": (("09:00", "18:00"),)}
    extra = {day: hours for day in draw(st.sets(dates, max_size=3)) if (hours := draw(windows))}
    spec = CalendarSpec(
        id="drawn",
        timezone=zone,
        weekly=weekly,
        holidays=tuple(draw(st.sets(dates, max_size=3))),
        extra_working_days=tuple(ExtraWorkingDay(date=day, hours=hours) for day, hours in extra.items()),
        published_until=draw(st.none() | dates),
    )
    return spec, near


def near(day: date) -> st.SearchStrategy[datetime]:
    """Instants to the microsecond within weeks of a date."""
    noon = datetime.combine(day, time(12), UTC)
    return st.timedeltas(timedelta(days=-20), timedelta(days=20)).map(lambda shift: noon + shift)
