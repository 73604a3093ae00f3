"""Limits: how they are written, and when they are over."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaints.business_time import DEFAULT_CALENDAR, BusinessCalendar
from complaints.errors import Malformed
from complaints.procedure.limits import (
    NOT_STATED,
    LimitKind,
    after,
    before,
    due_of,
    months_later,
    parse_limit,
)
from tests.domain.procedure.office import ELAPSED, WORKING, at, desk, due

DAY = timedelta(days=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")


# --- writing ---


@pytest.mark.parametrize(
    ("text", "kind", "amount"),
    [
        ("30 min", LimitKind.ELAPSED, 1800),
        ("30 min working", LimitKind.WORKING, 1800),
        ("24 h", LimitKind.HOURS, 86400),
        ("24 h elapsed", LimitKind.ELAPSED, 86400),
        ("24 h working", LimitKind.WORKING, 86400),
        ("1 working day", LimitKind.WORKING_DAYS, 1),
        ("3 working days", LimitKind.WORKING_DAYS, 3),
        ("1 day", LimitKind.DAYS, 1),
        ("10 days", LimitKind.DAYS, 10),
        ("1 week", LimitKind.DAYS, 7),
        ("2 weeks", LimitKind.DAYS, 14),
        ("2 months", LimitKind.MONTHS, 2),
        ("1 year", LimitKind.MONTHS, 12),
        ("100 years", LimitKind.MONTHS, 1200),
        ("same day", LimitKind.TIME_OF_DAY, 1440),
        ("12:00", LimitKind.TIME_OF_DAY, 720),
        ("end of next working day", LimitKind.END_OF_WORKING_DAY, 0),
        ("next opening", LimitKind.NEXT_OPENING, 0),
        ("not-stated", LimitKind.NOT_STATED, 0),
    ],
)
def test_a_limit_is_read(text: str, kind: LimitKind, amount: int) -> None:
    limit = parse_limit(text)
    assert (limit.text, limit.kind, limit.amount) == (text, kind, amount)
    assert limit.numbered is (kind is not LimitKind.NOT_STATED)


def test_limits_that_count_alike_are_equal_however_they_are_spelt() -> None:
    assert parse_limit("7 days") == parse_limit("1 week")
    assert parse_limit("24 h elapsed") == parse_limit("1440 min")
    assert parse_limit("24 h") != parse_limit("24 h elapsed")
    assert parse_limit("not-stated") == NOT_STATED


def test_the_words_of_a_limit_without_a_number_are_kept() -> None:
    assert (parse_limit("soft 立即").word, parse_limit("soft as soon as possible").word) == (
        "立即",
        "as soon as possible",
    )
    assert not parse_limit("soft 立即").numbered
    assert NOT_STATED.word == "not-stated"


def test_a_fact_is_named_and_what_counts_back_from_it_is_a_limit() -> None:
    assert (parse_limit("fact improve_by").fact, parse_limit("fact improve_by").length) == ("improve_by", None)
    limit = parse_limit("3 months before fact handover_at")
    assert (limit.kind, limit.fact, limit.length) == (LimitKind.BEFORE_FACT, "handover_at", parse_limit("3 months"))


def test_the_question_that_a_limit_needs_is_known() -> None:
    questions = {
        text: parse_limit(text).question for text in ("8 h", "8 h before fact x", "8 h working", "2 working days")
    }
    assert list(questions.values()) == ["hours", "hours", None, "first_day"]
    assert parse_limit("2 working days before fact x").question is None
    assert parse_limit("10 days").question is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "four hours",
            "4",
            "4 hours",
            "0 h",
            "-1 h",
            "1.5 h",
            "24h",
            " 24 h",
            "24 h ",
            "24 h\n",
            "24 H",
            "１０ days",
        ),
        *(
            "3 workingdays",
            "25:00",
            "24:00",
            "9:00",
            "12:00 tomorrow",
            "next day",
            "not stated",
            "soft",
            "soft ",
            "fact",
        ),
        *("fact 3x", "days before fact x", "12:00 before fact x", "same day before fact x"),
        *("101 years", "1201 months", "99999 days", "9999999999 min"),
    ],
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a limit"):
        parse_limit(text)


def test_the_refusal_says_what_is_allowed_and_all_of_that_is() -> None:
    with pytest.raises(ValueError, match="allowed are") as refused:
        parse_limit("four hours")
    allowed = str(refused.value).partition("allowed are ")[2].split(", ")
    assert len([parse_limit(text.strip("'")) for text in allowed]) == 20


# --- counting: the examples of the pack language, section 3; 2026-03-02 is a Monday ---


@pytest.mark.parametrize(
    ("text", "start", "ends"),
    [
        ("30 min", "2026-03-06T17:45", "2026-03-06T18:15"),
        ("24 h elapsed", "2026-03-06T17:45", "2026-03-07T17:45"),
        ("24 h working", "2026-03-02T09:00", "2026-03-04T15:00"),
        ("24 h", "2026-03-02T09:00", "2026-03-04T15:00"),
        ("9 h", "2026-03-02T09:00", "2026-03-02T18:00"),
        ("3 working days", "2026-03-02T09:00", "2026-03-05T18:00"),
        ("3 working days", "2026-03-05T23:00", "2026-03-10T18:00"),
        ("1 working day", "2026-03-07T10:00", "2026-03-09T18:00"),
        ("10 days", "2026-03-02T09:00", "2026-03-13T00:00"),
        ("1 week", "2026-03-02T00:00", "2026-03-10T00:00"),
        ("2 months", "2026-03-02T09:00", "2026-05-03T00:00"),
        ("1 month", "2026-01-31T09:00", "2026-03-01T00:00"),
        ("1 month", "2024-01-31T09:00", "2024-03-01T00:00"),
        ("1 month", "2026-03-31T09:00", "2026-05-01T00:00"),
        ("1 year", "2024-02-29T09:00", "2025-03-01T00:00"),
        ("same day", "2026-03-02T09:00", "2026-03-03T00:00"),
        ("same day", "2026-03-02T00:00", "2026-03-03T00:00"),
        ("12:00", "2026-03-02T09:00", "2026-03-02T12:00"),
        ("12:00", "2026-03-02T12:00", "2026-03-03T12:00"),
        ("12:00", "2026-03-02T12:01", "2026-03-03T12:00"),
        ("14:00 next day", "2026-03-06T09:00", "2026-03-07T14:00"),
        ("14:00 next working day", "2026-03-06T09:00", "2026-03-09T14:00"),
        ("14:00 next working day", "2026-03-07T15:00", "2026-03-09T14:00"),
        ("end of next day", "2026-03-06T09:00", "2026-03-08T00:00"),
        ("end of next working day", "2026-03-06T09:00", "2026-03-09T18:00"),
        ("next opening", "2026-03-06T18:00", "2026-03-09T09:00"),
        ("next opening", "2026-03-06T09:00", "2026-03-09T09:00"),
    ],
)
def test_a_limit_ends_where_the_language_says(text: str, start: str, ends: str) -> None:
    assert due(text, start).at == at(ends)


def test_hours_are_elapsed_or_working_as_the_question_says() -> None:
    assert due("24 h", "2026-03-06T17:45", ELAPSED).at == at("2026-03-07T17:45")
    with pytest.raises(ValueError, match="hours has no answer; it may be elapsed or working"):
        due("24 h", "2026-03-06T17:45", {})


@pytest.mark.parametrize(
    ("start", "ends"),
    [
        ("2026-03-02T10:00", "2026-03-04T18:00"),  # Monday is the first of three
        ("2026-03-02T05:00", "2026-03-04T18:00"),
        ("2026-03-02T18:00", "2026-03-05T18:00"),  # it has closed: nothing is due before it began
        ("2026-03-07T10:00", "2026-03-11T18:00"),
    ],
)
def test_the_day_of_the_start_is_the_first_working_day_where_the_desk_reads_it_so(start: str, ends: str) -> None:
    assert due("3 working days", start, ELAPSED).at == at(ends)


def test_one_working_day_from_the_same_day_on_is_never_due_before_it_began() -> None:
    assert due("1 working day", "2026-03-06T18:30", ELAPSED).at == at("2026-03-09T18:00")


def test_working_days_need_an_answer() -> None:
    with pytest.raises(ValueError, match="first_day has no answer; it may be next_day or same_day"):
        due("3 working days", "2026-03-02T09:00", {"first_day": "maybe"})


def test_a_limit_may_be_a_fact_or_a_time_before_it_and_has_no_date_until_it_is_known() -> None:
    facts = {"handover_at": at("2026-06-30T10:00")}
    assert due("fact handover_at", "2026-03-02T09:00", facts=facts).at == at("2026-06-30T10:00")
    assert due("3 months before fact handover_at", "2026-03-02T09:00", facts=facts).at == at("2026-03-30T10:00")
    assert due("2 weeks before fact handover_at", "2026-03-02T09:00", facts=facts).at == at("2026-06-16T10:00")
    assert due("3 h working before fact handover_at", "2026-03-02T09:00", facts=facts).at == at("2026-06-29T16:00")
    assert due("36 h before fact handover_at", "2026-03-02T09:00", ELAPSED, facts=facts).at == at("2026-06-28T22:00")
    assert due("2 working days before fact handover_at", "2026-03-02T09:00", facts=facts).at == at("2026-06-26T10:00")
    for text in ("fact handover_at", "3 months before fact handover_at"):
        assert due_of(parse_limit(text), at("2026-03-02T09:00"), WORKING, desk()) is None


def test_a_fact_far_away_is_a_due_instant_all_the_same() -> None:
    far = datetime(9990, 1, 1, tzinfo=UTC)
    assert due("fact improve_by", "2026-03-02T09:00", facts={"improve_by": far}).at == far
    with pytest.raises(Malformed, match="1900 to 2199"):
        due("1 month before fact improve_by", "2026-03-02T09:00", facts={"improve_by": far})


@pytest.mark.parametrize("text", ["soft 立即", "not-stated"])
def test_a_limit_without_a_number_has_no_date(text: str) -> None:
    assert due_of(parse_limit(text), at("2026-03-02T09:00"), {}, desk()) is None


def test_a_desk_that_works_nights_closes_its_working_day_in_the_morning() -> None:
    nights = desk("Asia/Shanghai", ("22:00", "06:00"))
    assert due("1 working day", "2026-03-05T12:00", calendar=nights).at == at("2026-03-07T06:00")
    assert due("end of next working day", "2026-03-05T12:00", calendar=nights).at == at("2026-03-07T06:00")


def test_days_end_at_the_desks_midnight_whatever_the_clock_did() -> None:
    zones = {
        ("America/New_York", "2026-03-06T09:00"): "2026-03-09T00:00",
        ("Australia/Lord_Howe", "2026-04-03T09:00"): "2026-04-06T00:00",
        ("Europe/London", "2026-10-23T09:00"): "2026-10-26T00:00",
        ("America/Santiago", "2026-09-03T09:00"): "2026-09-06T01:00",  # the day began at one o'clock
    }
    for (zone, start), ends in zones.items():
        assert due("2 days", start, calendar=desk(zone)).at == at(ends, zone)


def test_a_time_of_day_that_the_clock_jumps_over_is_the_jump() -> None:
    new_york = desk("America/New_York")
    assert due("02:30", "2026-03-08T00:00", calendar=new_york).at == at("2026-03-08T03:00", "America/New_York")
    assert due("02:30 next day", "2026-03-07T00:00", calendar=new_york).at == at("2026-03-08T03:00", "America/New_York")


def test_only_limits_that_look_at_the_desks_days_can_be_provisional() -> None:
    calendar = desk(published_until=date(2026, 12, 31))
    facts = {"x": at("2027-01-05T10:00")}
    of_the_desk = ("48 h working", "1 working day", "14:00 next working day", "end of next working day", "next opening")
    before_a_fact = ("1 working day before fact x", "1 h working before fact x")
    others = ("48 h elapsed", "10 days", "1 month", "12:00", "14:00 next day", "fact x", "1 week before fact x")
    provisional = {
        text: due(text, "2026-12-31T18:00", calendar=calendar, facts=facts).provisional
        for text in (*of_the_desk, *before_a_fact, *others)
    }
    assert provisional == dict.fromkeys((*of_the_desk, *before_a_fact), True) | dict.fromkeys(others, False)
    for text in of_the_desk:
        assert not due(text, "2026-12-01T10:00", calendar=calendar).provisional


def test_a_limit_in_working_time_lists_the_intervals_that_led_to_it_and_no_other_limit_does() -> None:
    friday, monday = (at("2026-03-06T17:00"), at("2026-03-06T18:00")), (at("2026-03-09T09:00"), at("2026-03-09T18:00"))
    assert due("2 h working", "2026-03-06T17:00").intervals == (friday, (monday[0], at("2026-03-09T10:00")))
    assert due("1 working day", "2026-03-06T17:00").intervals == (friday, monday)
    assert due("end of next working day", "2026-03-06T17:00").intervals == (friday, monday)
    assert due("14:00 next working day", "2026-03-06T17:00").intervals == (friday, (monday[0], at("2026-03-09T14:00")))
    assert due("2 h", "2026-03-06T17:00", ELAPSED).intervals == ()
    assert due("10 days", "2026-03-06T17:00").intervals == ()


@pytest.mark.parametrize("text", ["10 days", "24 h", "3 working days", "same day"])
def test_a_start_of_another_age_is_refused(text: str) -> None:
    for start in ("1899-12-31T00:00", "9999-12-31T00:00"):
        with pytest.raises(Malformed, match="1900 to 2199"):
            due(text, start)


def test_a_length_leads_back_and_forward_at_the_same_time_of_day() -> None:
    new_york = desk("America/New_York")
    noon = at("2026-03-08T12:00", "America/New_York")  # the day on which the clock jumped
    assert before(parse_limit("1 day"), noon, WORKING, new_york) == at("2026-03-07T12:00", "America/New_York")
    assert before(parse_limit("24 h elapsed"), noon, WORKING, new_york) == at("2026-03-07T11:00", "America/New_York")
    assert after(parse_limit("1 month"), at("2026-01-31T12:00"), WORKING, desk()) == at("2026-02-28T12:00")
    assert after(parse_limit("2 years"), at("2024-02-29T12:00"), WORKING, desk()) == at("2026-02-28T12:00")
    assert after(parse_limit("2 working days"), at("2026-03-06T12:00"), WORKING, desk()) == at("2026-03-10T12:00")
    with pytest.raises(ValueError, match="not a length of time: 'same day'"):
        before(parse_limit("same day"), noon, WORKING, new_york)


def test_months_are_counted_over_the_turn_of_the_year_both_ways() -> None:
    assert months_later(date(2026, 11, 30), 3) == date(2027, 2, 28)
    assert months_later(date(2026, 1, 31), -2) == date(2025, 11, 30)
    assert months_later(date(2026, 12, 31), 12) == date(2027, 12, 31)


# --- an oracle for plain office hours: no binary search, no intervals, one day or one minute after the other ---


def clock(day: date, hour: float) -> datetime:
    return datetime.combine(day, time(), SHANGHAI) + timedelta(hours=hour)


def next_working(day: date, off: set[date], n: int = 1) -> date:
    while n:
        day += DAY
        n -= day.weekday() < 5 and day not in off
    return day


def worked_from(start: datetime, working: timedelta, off: set[date]) -> datetime:
    day = start.astimezone(SHANGHAI).date()
    if next_working(day - DAY, off) != day:
        day = next_working(day, off)
    while True:
        begin, end = max(start, clock(day, 9)), clock(day, 18)
        if end - begin >= working:
            return begin + working
        working -= max(end - begin, timedelta(0))
        day = next_working(day, off)


def by_hand(text: str, start: datetime, off: set[date]) -> datetime:
    today = start.astimezone(SHANGHAI).date()
    match text.split():
        case [n, "working", "days"]:
            return clock(next_working(today, off, int(n)), 18)
        case [n, "h", "working"]:
            return worked_from(start, timedelta(hours=int(n)), off)
        case [n, "days"]:
            return clock(today + int(n) * DAY, 24)
        case [by, *_, "working", "day"]:
            return clock(next_working(today, off), 18 if by == "end" else 14)
        case ["next", "opening"]:
            opens = clock(next_working(today - DAY, off), 9)
            return opens if opens > start else clock(next_working(today, off), 9)
        case _:
            return clock(today, 12) if clock(today, 12) > start else clock(today + DAY, 12)


BY_HAND = (
    *("2 working days", "15 working days", "1 h working", "9 h working", "70 h working", "10 days", "12:00"),
    *("14:00 next working day", "end of next working day", "next opening"),
)


@given(
    text=st.sampled_from(BY_HAND), minutes=st.integers(0, 60 * 24 * 60), off=st.sets(st.integers(0, 80), max_size=20)
)
def test_office_hours_are_counted_as_one_would_by_hand(text: str, minutes: int, off: set[int]) -> None:
    holidays = {date(2026, 3, 1) + n * DAY for n in off}
    start = at("2026-03-01T00:00") + timedelta(minutes=minutes)
    found = due_of(parse_limit(text), start, WORKING, desk(holidays=tuple(holidays)))
    assert found is not None
    assert found.at == by_hand(text, start, holidays)


def test_the_default_calendar_serves_limits_too() -> None:
    assert due("3 working days", "2026-03-02T09:00", calendar=BusinessCalendar.compile(DEFAULT_CALENDAR)).at == at(
        "2026-03-05T18:00"
    )
