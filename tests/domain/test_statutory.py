"""The statutory days of mainland China, held against the notices of the State Council for 2024 to 2026."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from complaints.adapters.statutory import chinese_calendar_spec, published_until
from complaints.business_time import BusinessCalendar, parse_calendar

OFFICE = (("09:00", "12:00"), ("13:30", "18:00"))
SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = timedelta(days=1)

# As the notices have them: weekend days worked, and the first and last day of each holiday.
WORKED = {
    2024: "02-04 02-18 04-07 04-28 05-11 09-14 09-29 10-12",
    2025: "01-26 02-08 04-27 09-28 10-11",
    2026: "01-04 02-14 02-28 05-09 09-20 10-10",
}
OFF = {
    2024: "01-01/01-01 02-10/02-17 04-04/04-06 05-01/05-05 06-10/06-10 09-15/09-17 10-01/10-07",
    2025: "01-01/01-01 01-28/02-04 04-04/04-06 05-01/05-05 05-31/06-02 10-01/10-08",
    2026: "01-01/01-03 02-15/02-23 04-04/04-06 05-01/05-05 06-19/06-21 09-25/09-27 10-01/10-07",
}


def office(*years: int) -> BusinessCalendar:
    return BusinessCalendar.compile(chinese_calendar_spec(OFFICE, years))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_every_day_of_the_year_is_as_the_notice_has_it(year: int) -> None:
    worked = {date.fromisoformat(f"{year}-{day}") for day in WORKED[year].split()}
    off = set()
    for span in OFF[year].split():
        first, last = (date.fromisoformat(f"{year}-{day}") for day in span.split("/"))
        off |= {first + n * DAY for n in range((last - first).days + 1)}
    calendar = office(2024, 2025, 2026)
    for n in range((date(year + 1, 1, 1) - date(year, 1, 1)).days):
        day = date(year, 1, 1) + n * DAY
        assert calendar.is_working_date(day) is (day in worked or (day.weekday() < 5 and day not in off)), day


def test_working_time_goes_over_the_spring_festival_and_counts_the_saturdays_worked_for_it() -> None:
    calendar = office(2026)
    assert calendar.add(at("2026-02-13T09:00"), timedelta(hours=15)).at == at("2026-02-14T18:00")  # a Saturday
    assert calendar.add(at("2026-02-14T14:30"), timedelta(hours=7.5)).at == at("2026-02-24T14:30")
    assert calendar.closing_of_nth_working_date(date(2026, 2, 25), 4).at == at("2026-02-28T18:00")  # a Saturday


def test_what_no_notice_has_said_is_not_published_but_has_the_festivals_of_the_law() -> None:
    year = published_until().year + 1
    spec = chinese_calendar_spec(OFFICE, range(year - 1, year + 2))
    assert spec.published_until == published_until() >= date(2026, 12, 31)
    assert {date(year, 1, 1), date(year, 5, 1), date(year, 10, 1)} <= set(spec.holidays)
    assert all(extra.date <= published_until() for extra in spec.extra_working_days)
    calendar = BusinessCalendar.compile(spec)
    assert not calendar.closing_of_nth_working_date(published_until(), -1).provisional
    assert calendar.closing_of_nth_working_date(published_until() + DAY, 1).provisional


def test_a_calendar_knows_no_more_than_the_years_it_was_asked_for() -> None:
    spec = chinese_calendar_spec(OFFICE, [2024, 2025])
    assert spec.published_until == date(2025, 12, 31)
    assert {day.year for day in spec.holidays} == {2024, 2025}


def test_it_is_a_calendar_like_any_other_on_the_wire() -> None:
    spec = chinese_calendar_spec(OFFICE, range(2024, 2027), id="office", version="2026", timezone="Asia/Urumqi")
    assert parse_calendar(msgspec.json.encode(spec)) == spec


@pytest.mark.parametrize("years", [[], [2000], [2026, 2100]])
def test_years_of_which_nothing_is_known_are_refused(years: list[int]) -> None:
    with pytest.raises(ValueError, match="2001 to 2099"):
        chinese_calendar_spec(OFFICE, years)
