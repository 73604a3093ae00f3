"""Working time on known days: the conventions, clock changes, what is published, and calendars that are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from complaints.business_time import (
    DEFAULT_CALENDAR,
    BusinessCalendar,
    CalendarSpec,
    ExtraWorkingDay,
    as_utc,
    parse_calendar,
)
from complaints.calendar_spec import WEEKDAYS
from complaints.errors import Malformed

Windows = tuple[tuple[str, str], ...]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OFFICE: Windows = (("09:00", "12:00"), ("13:30", "18:00"))
ALWAYS: Windows = (("00:00", "24:00"),)
NIGHTS: Windows = (("22:00", "06:00"),)


def calendar(zone: str = "Asia/Shanghai", windows: Windows = OFFICE, days: int = 5, **more: Any) -> BusinessCalendar:
    weekly = dict.fromkeys(WEEKDAYS[:days], windows)
    return BusinessCalendar.compile(CalendarSpec(id="test", timezone=zone, weekly=weekly, **more))


def at(text: str, zone: str = "Asia/Shanghai", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


# --- the conventions, on known days ---


def test_a_limit_that_ends_exactly_at_closing_time_is_due_at_that_closing() -> None:
    assert calendar().add(at("2026-03-02T09:00"), timedelta(hours=7.5)).at == at("2026-03-02T18:00")
    assert calendar().add(at("2026-03-06T09:00"), timedelta(hours=7.5)).at == at("2026-03-06T18:00")  # a Friday


def test_the_lunch_break_does_not_count() -> None:
    assert calendar().add(at("2026-03-02T11:00"), 2 * HOUR).at == at("2026-03-02T14:30")
    assert calendar().elapsed(at("2026-03-02T11:00"), at("2026-03-02T14:30")) == 2 * HOUR


@pytest.mark.parametrize("start", ["2026-03-06T18:00", "2026-03-07T03:00", "2026-03-08T12:00", "2026-03-09T09:00"])
def test_a_start_while_closed_counts_from_the_next_opening(start: str) -> None:
    assert calendar().add(at(start), HOUR).at == at("2026-03-09T10:00")


def test_no_working_time_at_all_is_over_at_once() -> None:
    assert calendar().add(at("2026-03-07T03:00"), timedelta(0)).at == at("2026-03-07T03:00")


def test_working_time_is_counted_back_to_the_last_instant_from_which_it_suffices() -> None:
    assert calendar().add(at("2026-03-09T10:00"), -HOUR).at == at("2026-03-09T09:00")
    assert calendar().add(at("2026-03-09T10:00"), -2 * HOUR).at == at("2026-03-06T17:00")


def test_a_desk_is_open_at_its_opening_instant_and_closed_at_its_closing_instant() -> None:
    times = ("08:59", "09:00", "11:59", "12:00", "13:30", "18:00")
    assert [clock for clock in times if calendar().is_open(at(f"2026-03-02T{clock}"))] == ["09:00", "11:59", "13:30"]


def test_the_next_opening_is_the_next_start_of_a_window() -> None:
    assert calendar().next_opening(at("2026-03-06T10:00")).at == at("2026-03-06T13:30")
    assert calendar().next_opening(at("2026-03-06T13:30")).at == at("2026-03-09T09:00")


def test_a_desk_that_never_closes_opens_with_each_of_its_windows() -> None:
    always = calendar(windows=ALWAYS, days=7)
    assert always.next_opening(at("2026-03-06T10:00")).at == at("2026-03-07T00:00")
    assert always.intervals(at("2026-03-06T10:00"), at("2027-03-06T10:00")) == (
        (at("2026-03-06T10:00"), at("2027-03-06T10:00")),
    )
    assert always.add(at("2026-03-06T10:00"), 1000 * DAY).at == at("2026-03-06T10:00") + 1000 * DAY


def test_a_night_belongs_to_the_date_it_starts_on() -> None:
    night = calendar(windows=NIGHTS, days=5)  # Monday's to Friday's
    assert night.is_open(at("2026-03-07T05:59"))  # Saturday morning, Friday's shift
    assert not night.is_open(at("2026-03-09T05:59"))  # Monday morning: there is no Sunday shift
    assert not night.is_working_date(date(2026, 3, 7))
    assert night.closing_of_nth_working_date(date(2026, 3, 6), 1).at == at("2026-03-07T06:00")
    assert night.closing_of_nth_working_date(date(2026, 3, 6), 2).at == at("2026-03-10T06:00")


def test_a_holiday_does_not_cut_the_tail_of_the_night_before_but_has_no_night_of_its_own() -> None:
    night = calendar(windows=NIGHTS, days=7, holidays=(date(2026, 3, 4),))
    assert night.intervals(at("2026-03-03T12:00"), at("2026-03-06T12:00")) == (
        (at("2026-03-03T22:00"), at("2026-03-04T06:00")),
        (at("2026-03-05T22:00"), at("2026-03-06T06:00")),
    )


def test_a_window_that_ends_when_it_starts_lasts_until_that_time_of_the_next_day() -> None:
    assert calendar(windows=(("09:00", "09:00"),), days=1).intervals(
        at("2026-03-02T00:00"), at("2026-03-04T00:00")
    ) == ((at("2026-03-02T09:00"), at("2026-03-03T09:00")),)


def test_windows_up_to_24_00_and_from_00_00_are_one_interval() -> None:
    late = calendar(windows=(("00:00", "02:00"), ("20:00", "24:00")), days=7)
    assert late.intervals(at("2026-03-02T19:00"), at("2026-03-03T12:00")) == (
        (at("2026-03-02T20:00"), at("2026-03-03T02:00")),
    )
    assert late.closing_of_nth_working_date(date(2026, 3, 2), 1).at == at("2026-03-03T00:00")


def test_an_extra_working_day_has_its_own_hours_even_on_a_holiday_and_a_half_day_is_one() -> None:
    half = calendar(
        holidays=(date(2026, 3, 3),),
        extra_working_days=tuple(
            ExtraWorkingDay(date=day, hours=(("09:00", "12:00"),)) for day in (date(2026, 3, 3), date(2026, 3, 7))
        ),
    )
    assert half.elapsed(at("2026-03-02T18:00"), at("2026-03-03T23:00")) == 3 * HOUR
    assert half.closing_of_nth_working_date(date(2026, 3, 7), 1).at == at("2026-03-07T12:00")
    assert half.closing_of_nth_working_date(date(2026, 3, 7), 2).at == at("2026-03-09T18:00")


def test_working_dates_are_counted_from_a_date_on_and_back_from_it() -> None:
    office = calendar(holidays=(date(2026, 3, 9),))
    assert [office.nth_working_date(date(2026, 3, 6), n) for n in (1, 2, 3)] == [
        date(2026, 3, 6),
        date(2026, 3, 10),
        date(2026, 3, 11),
    ]
    assert [office.nth_working_date(date(2026, 3, 9), n) for n in (-1, -2)] == [date(2026, 3, 6), date(2026, 3, 5)]
    with pytest.raises(ValueError, match="counted from 1"):
        office.nth_working_date(date(2026, 3, 9), 0)


def test_the_default_calendar_is_office_hours_in_shanghai_without_holidays() -> None:
    default = BusinessCalendar.compile(DEFAULT_CALENDAR)
    assert default.add(at("2026-10-01T09:00"), 9 * HOUR).at == at("2026-10-01T18:00")
    assert not default.provisional(at("2100-01-01T00:00"))


# --- clock changes ---


@pytest.mark.parametrize(
    ("zone", "before", "length"),
    [
        ("America/New_York", "2026-03-07", 7 * HOUR),
        ("America/New_York", "2026-10-31", 9 * HOUR),
        ("Europe/London", "2026-03-28", 7 * HOUR),
        ("Europe/London", "2026-10-24", 9 * HOUR),
        ("Australia/Lord_Howe", "2026-04-04", 8.5 * HOUR),
        ("Australia/Lord_Howe", "2026-10-03", 7.5 * HOUR),
        ("America/Santiago", "2026-04-04", 9 * HOUR),
        ("America/Santiago", "2026-09-05", 7 * HOUR),
        ("Asia/Shanghai", "2026-03-07", 8 * HOUR),
    ],
)
def test_a_night_over_a_clock_change_is_as_long_as_it_was_lived(zone: str, before: str, length: timedelta) -> None:
    night = calendar(zone, NIGHTS, days=7)
    evening, noon = at(f"{before}T12:00", zone), at(f"{before}T12:00", zone) + DAY
    assert night.elapsed(evening, noon) == length
    assert night.add(evening, length).at == night.closing_of_nth_working_date(date.fromisoformat(before), 1).at


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        ("America/New_York", "2026-03-08", 23 * HOUR),
        ("America/New_York", "2026-11-01", 25 * HOUR),
        ("Europe/London", "2026-03-29", 23 * HOUR),
        ("Australia/Lord_Howe", "2026-04-05", 24.5 * HOUR),
        ("Australia/Lord_Howe", "2026-10-04", 23.5 * HOUR),
        ("America/Santiago", "2026-04-04", 25 * HOUR),
        ("America/Santiago", "2026-09-06", 23 * HOUR),
        ("Asia/Shanghai", "2026-03-08", 24 * HOUR),
        ("Pacific/Apia", "2011-12-30", 0 * HOUR),
        ("America/St_Johns", "2006-10-28", 24 * HOUR),  # the clock was put back at 00:01 of the 29th, to the 28th
        ("America/St_Johns", "2006-10-29", 25 * HOUR),
    ],
)
def test_a_day_lasts_from_midnight_to_midnight(zone: str, day: str, length: timedelta) -> None:
    desk, on = calendar(zone, ALWAYS, days=7), date.fromisoformat(day)
    assert desk.at(on, 1440) - desk.at(on) == length
    assert desk.elapsed(desk.at(on), desk.at(on, 1440)) == length
    assert desk.is_working_date(on) is (length > timedelta(0))


def test_a_wall_time_that_the_clock_jumps_over_is_the_instant_of_the_jump() -> None:
    new_york = calendar("America/New_York", (("01:00", "02:30"), ("02:40", "05:00")), days=7)
    jump = at("2026-03-08T03:00", "America/New_York")
    assert new_york.at(date(2026, 3, 8), 2 * 60 + 30) == jump
    assert new_york.elapsed(jump - DAY, jump) == timedelta(minutes=30 + 140 + 60)
    assert new_york.elapsed(jump, jump + 12 * HOUR) == 2 * HOUR
    inside = calendar("America/New_York", (("02:10", "02:50"),), days=7)  # a window that did not happen on that date
    assert inside.intervals(jump - 12 * HOUR, jump + 12 * HOUR) == ()
    assert not inside.is_working_date(date(2026, 3, 8))


def test_a_wall_time_that_comes_twice_is_its_first_coming() -> None:
    zone = "America/New_York"
    again = calendar(zone, (("00:30", "01:30"), ("01:30", "02:00")), days=7)
    assert again.at(date(2026, 11, 1), 90) == at("2026-11-01T01:30", zone)
    assert again.intervals(at("2026-11-01T00:00", zone), at("2026-11-01T12:00", zone)) == (
        (at("2026-11-01T00:30", zone), at("2026-11-01T02:00", zone)),  # two and a half hours, none of them twice
    )
    early = calendar(zone, (("01:10", "01:40"),), days=7)
    assert early.is_open(at("2026-11-01T01:20", zone))
    assert not early.is_open(at("2026-11-01T01:20", zone, fold=1))


def test_a_date_that_a_zone_leaves_out_is_no_working_date() -> None:
    apia = calendar("Pacific/Apia", days=7)
    assert not apia.is_working_date(date(2011, 12, 30))
    assert apia.nth_working_date(date(2011, 12, 29), 2) == date(2011, 12, 31)
    assert apia.local_date(at("2011-12-31T00:00", "Pacific/Apia")) == date(2011, 12, 31)


def test_a_clock_put_back_over_midnight_does_not_take_the_date_back() -> None:
    desk = calendar("America/St_Johns", days=7)
    saturday_again = at("2006-10-28T23:30", "America/St_Johns", fold=1)
    assert desk.local_date(saturday_again) == date(2006, 10, 29)
    assert desk.midnight(saturday_again) == at("2006-10-29T00:00", "America/St_Johns")
    assert desk.local_date(at("2006-10-28T23:30", "America/St_Johns")) == date(2006, 10, 28)


def test_a_midnight_that_does_not_exist_is_the_jump() -> None:
    santiago = calendar("America/Santiago")
    assert santiago.midnight(at("2026-09-06T13:00", "America/Santiago")) == at("2026-09-06T01:00", "America/Santiago")


# --- far away ---


@pytest.mark.parametrize("year", [1900, 1950, 1999, 2100, 2199])
def test_dates_decades_away_are_counted_like_any_other(year: int) -> None:
    office = calendar("Europe/London")
    assert office.is_open(at("2026-03-02T10:00", "Europe/London"))  # a desk that has been asked about other years
    monday = next(day for n in range(7) if (day := date(year, 3, 1) + n * DAY).weekday() == 0)
    start = at(f"{monday}T09:00", "Europe/London")
    assert office.add(start, timedelta(hours=37.5)).at == at(f"{monday + 4 * DAY}T18:00", "Europe/London")
    assert office.elapsed(start, start + 7 * DAY) == timedelta(hours=37.5)


def test_working_time_may_span_decades() -> None:
    always = calendar(windows=ALWAYS, days=7)
    assert always.elapsed(at("1950-01-01T00:00"), at("2150-01-01T00:00")) == date(2150, 1, 1) - date(1950, 1, 1)
    assert calendar().add(at("2026-03-02T09:00"), 7.5 * HOUR * 5 * 520).at == at("2036-02-15T18:00")
    assert calendar().add(at("2036-02-15T18:00"), -7.5 * HOUR * 5 * 520).at == at("2026-03-02T09:00")


def test_working_dates_are_counted_over_years_both_ways() -> None:
    office = calendar()
    assert office.nth_working_date(date(2026, 3, 2), 5 * 520 + 1) == date(2026, 3, 2) + 520 * 7 * DAY
    assert office.nth_working_date(date(2026, 3, 2), -(5 * 520 + 1)) == date(2026, 3, 2) - 520 * 7 * DAY


def test_a_desk_that_is_closed_for_years_opens_after_them() -> None:
    closed = tuple(date(2026, 1, 1) + n * DAY for n in range(3 * 365))
    desk = calendar(holidays=closed, extra_working_days=(ExtraWorkingDay(date=date.max, hours=OFFICE),))
    assert desk.next_opening(at("2025-12-31T18:00")).at == at("2029-01-01T09:00")
    assert desk.add(at("2025-12-31T17:00"), 2 * HOUR).at == at("2029-01-01T10:00")
    assert desk.add(at("2029-01-01T10:00"), -2 * HOUR).at == at("2025-12-31T17:00")


@pytest.mark.parametrize("instant", ["1899-12-31T00:00:00Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"])
def test_an_instant_of_another_age_is_refused(instant: str) -> None:
    for ask in (calendar().is_open, calendar().next_opening, calendar().midnight, as_utc):
        with pytest.raises(Malformed, match="1900 to 2199") as refused:
            ask(datetime.fromisoformat(instant))
        assert refused.value.code == "out-of-range"


def test_working_time_that_would_leave_the_years_is_refused_however_long() -> None:
    for working in (timedelta(days=40_000), timedelta.max, -timedelta(days=60_000), timedelta.min):
        with pytest.raises(Malformed, match="1900 to 2199"):
            calendar().add(at("2026-03-02T09:00"), working)
    with pytest.raises(Malformed, match="1900 to 2199"):
        calendar().next_opening(at("2199-12-31T23:00"))  # the next one is in 2200


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has a zone"):
        calendar().is_open(datetime(2026, 3, 2, 9))  # noqa: DTZ001 - that is the point


def test_threads_that_ask_about_different_decades_get_the_same_answers() -> None:
    shared = calendar("America/New_York")
    starts = [at(f"{year}-03-02T09:00", "America/New_York") for year in range(1985, 2065, 4)] * 5

    def answers(desk: BusinessCalendar, start: datetime) -> tuple[datetime, timedelta, bool]:
        return desk.add(start, 300 * HOUR).at, desk.elapsed(start - 90 * DAY, start), desk.is_open(start)

    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda start: answers(shared, start), starts))
    alone = calendar("America/New_York")
    assert together == [answers(alone, start) for start in starts]


# --- what is published ---


def published(until: date | None, windows: Windows = OFFICE) -> BusinessCalendar:
    return calendar(windows=windows, days=7, published_until=until)


def test_a_deadline_is_provisional_when_it_reaches_a_date_that_nobody_has_published() -> None:
    desk = published(date(2026, 12, 31))
    assert not desk.add(at("2026-12-31T09:00"), 7.5 * HOUR).provisional  # exactly at the last published closing
    assert desk.add(at("2026-12-31T09:00"), 7.5 * HOUR + timedelta(microseconds=1)).provisional
    assert not desk.closing_of_nth_working_date(date(2026, 12, 31), 1).provisional
    assert desk.closing_of_nth_working_date(date(2026, 12, 31), 2).provisional
    assert not desk.next_opening(at("2026-12-31T10:00")).provisional
    assert desk.next_opening(at("2026-12-31T20:00")).provisional


def test_an_opening_at_the_first_midnight_that_is_not_published_is_provisional_and_a_closing_then_is_not() -> None:
    desk = published(date(2026, 12, 31), ALWAYS)
    assert desk.next_opening(at("2026-12-31T10:00")).provisional
    assert not desk.add(at("2026-12-31T10:00"), 14 * HOUR).provisional
    assert desk.add(at("2026-12-31T10:00"), 15 * HOUR).provisional


def test_the_night_that_begins_on_the_last_published_date_is_published_to_its_end() -> None:
    desk = published(date(2026, 12, 31), NIGHTS)
    assert not desk.add(at("2026-12-31T22:00"), 8 * HOUR).provisional
    assert desk.add(at("2026-12-31T22:00"), 8 * HOUR + timedelta(microseconds=1)).provisional


def test_counting_back_from_a_date_that_is_not_published_is_provisional() -> None:
    desk = published(date(2026, 12, 31))
    assert desk.add(at("2027-01-02T10:00"), -20 * HOUR).provisional
    assert desk.closing_of_nth_working_date(date(2027, 1, 2), -3).provisional


def test_without_a_last_published_date_nothing_is_provisional_and_before_all_ages_everything_is() -> None:
    assert not published(None).add(at("2190-12-31T09:00"), 30 * HOUR).provisional
    assert not published(date(9999, 12, 31)).provisional(at("2199-12-31T09:00"))
    assert published(date(1, 1, 1)).provisional(at("1950-01-01T09:00"))


# --- the wire ---

WIRE: dict[str, Any] = {
    "id": "shanghai-office",
    "version": "2026-1",
    "timezone": "Asia/Shanghai",
    "weekly": {"mon": [["09:00", "12:00"], ["13:30", "18:00"]], "sat": [["22:00", "06:00"]]},
    "holidays": ["2026-10-01", "2026-10-01"],
    "extra_working_days": [{"date": "2026-10-10", "hours": [["09:00", "24:00"]]}],
    "published_until": "2026-12-31",
}


def test_a_calendar_comes_back_from_json_as_it_was() -> None:
    spec = parse_calendar(WIRE)
    assert spec.extra_working_days[0].date == date(2026, 10, 10)
    assert parse_calendar(msgspec.json.encode(spec)) == spec
    assert parse_calendar(msgspec.json.encode(WIRE).decode()) == spec
    assert msgspec.json.decode(msgspec.json.encode(spec)) == WIRE


def test_only_id_timezone_and_weekly_are_needed() -> None:
    spec = parse_calendar({"id": "x", "timezone": "UTC", "weekly": {"fri": [["00:00", "24:00"]]}})
    assert (spec.version, spec.holidays, spec.extra_working_days, spec.published_until) == (None, (), (), None)


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"id": ""}, "id", "not be empty"),
        ({"id": 7}, "id", "Expected `str`"),
        ({"timezone": "Asia/Beijing"}, "timezone", "IANA"),
        ({"timezone": ""}, "timezone", "IANA"),
        ({"timezone": "../../etc/passwd"}, "timezone", "IANA"),
        ({"timezone": "a\0b"}, "timezone", "IANA"),
        ({"timezone": "localtime"}, "timezone", "IANA"),
        ({"weekly": {}}, "weekly", "empty calendar"),
        ({"weekly": {"mon": [], "tue": []}}, "weekly", "empty calendar"),
        ({"weekly": {1: [["09:00", "12:00"]]}}, "weekly", "Expected `str`"),
        ({"weekly": []}, "weekly", "Expected `object`"),
        ({"weekly": {"monday": [["09:00", "12:00"]]}}, "weekly.monday", "must be one of mon"),
        ({"weekly": {"mon": "09:00-12:00"}}, "weekly.mon", "Expected `array`"),
        ({"weekly": {"mon": [["09:00"]]}}, "weekly.mon[0]", "length 2"),
        ({"weekly": {"mon": [["09:00", "12:00"], ["9:00", "12:00"]]}}, "weekly.mon[1][0]", "time of day HH:MM"),
        ({"weekly": {"mon": [["09:00", "25:00"]]}}, "weekly.mon[0][1]", "time of day HH:MM"),
        ({"weekly": {"mon": [["09:00", "24:01"]]}}, "weekly.mon[0][1]", "time of day HH:MM"),
        ({"weekly": {"mon": [["09:00", "12:00\n"]]}}, "weekly.mon[0][1]", "time of day HH:MM"),
        ({"weekly": {"mon": [["24:00", "12:00"]]}}, "weekly.mon[0][0]", "before 24:00"),
        ({"weekly": {"mon": [["09:00", "12:00"], ["11:59", "13:00"]]}}, "weekly.mon[1]", "overlap 09:00–12:00"),
        ({"weekly": {"mon": [["09:00", "12:00"], ["08:00", "08:00"]]}}, "weekly.mon[0]", "overlap 08:00–08:00"),
        ({"weekly": {"mon": [["22:00", "06:00"]], "tue": [["05:59", "12:00"]]}}, "weekly.tue", "overnight window"),
        ({"weekly": {"sun": [["22:00", "06:00"]], "mon": [["05:59", "12:00"]]}}, "weekly.mon", "overnight window"),
        ({"holidays": ["2026-10-01", "2026-02-30"]}, "holidays[1]", "YYYY-MM-DD"),
        ({"holidays": "2026-10-01"}, "holidays", "Expected `array`"),
        ({"published_until": "soon"}, "published_until", "YYYY-MM-DD"),
        ({"extra_working_days": [{"date": "2026-10-10"}]}, "extra_working_days[0].hours", "is missing"),
        ({"extra_working_days": [{"date": "2026-10-10", "hours": []}]}, "extra_working_days[0].hours", "have a window"),
        (
            {"extra_working_days": [{"date": "2026-10-10", "hours": [["09:00", "9"]]}]},
            "extra_working_days[0].hours[0][1]",
            "time of day HH:MM",
        ),
        (
            {"extra_working_days": [{"date": "2026-10-10", "hours": [["09:00", "12:00"]]}] * 2},
            "extra_working_days[1].date",
            "not come twice",
        ),
        (  # the night before, Saturday's, ends at 06:00
            {"extra_working_days": [{"date": "2026-10-11", "hours": [["05:00", "12:00"]]}]},
            "extra_working_days[0].hours",
            "overnight window of the day before",
        ),
        (  # the day after, a Monday, opens at 09:00
            {"extra_working_days": [{"date": "2026-10-11", "hours": [["22:00", "10:00"]]}]},
            "extra_working_days[0].hours",
            "hours of the day after",
        ),
        ({"open": True}, "open", "is not a field"),
    ],
)
def test_a_calendar_that_breaks_a_rule_is_refused_and_field_and_rule_are_named(
    change: dict[str, Any], field: str, rule: str
) -> None:
    with pytest.raises(Malformed) as refused:
        parse_calendar({**WIRE, **change})
    assert (refused.value.field, refused.value.code) == (field, "calendar-refused")
    assert rule in refused.value.rule


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", '{"id": "x"'])
def test_what_is_no_json_object_is_no_calendar(raw: bytes | str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_calendar(raw)
    assert refused.value.field == "calendar"


@pytest.mark.parametrize("field", ["id", "timezone", "weekly"])
def test_a_calendar_without_what_it_needs_is_refused(field: str) -> None:
    with pytest.raises(Malformed, match=f"{field}: is missing"):
        parse_calendar({name: value for name, value in WIRE.items() if name != field})


def test_a_specification_that_was_not_parsed_is_checked_when_it_is_compiled() -> None:
    with pytest.raises(Malformed, match="empty calendar"):
        BusinessCalendar.compile(CalendarSpec(id="x", timezone="UTC", weekly={}))
