"""Working time on calendars drawn at random, near clock changes: its laws, and a clock that walks minute by minute."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from complaints.business_time import BusinessCalendar, CalendarSpec
from tests.domain.slow_clock import DAY, MINUTE, SlowClock, calendars, near

ZERO = timedelta(0)
shares = st.integers(0, 1000)


@st.composite
def questions(draw: st.DrawFn) -> tuple[BusinessCalendar, datetime, datetime, timedelta, timedelta]:
    """A calendar, two instants in order and two lengths of working time."""
    spec, day = draw(calendars())
    calendar = BusinessCalendar.compile(spec)
    a, b = sorted((draw(near(day)), draw(near(day))))
    most = calendar.elapsed(a, a + 60 * DAY)  # a calendar may have a minute a week
    return calendar, a, b, most * draw(shares) / 1000, most * draw(shares) / 1000


@given(questions())
def test_elapsed_measures_what_add_added(
    question: tuple[BusinessCalendar, datetime, datetime, timedelta, timedelta],
) -> None:
    calendar, a, _, length, _ = question
    assert calendar.elapsed(a, calendar.add(a, length).at) == length
    assert calendar.elapsed(calendar.add(a, -length).at, a) == length


@given(questions())
def test_add_is_the_first_instant_and_counting_back_the_last(
    question: tuple[BusinessCalendar, datetime, datetime, timedelta, timedelta],
) -> None:
    calendar, a, b, _, _ = question
    working = calendar.elapsed(a, b)
    assert calendar.add(a, working).at <= b
    assert calendar.add(b, -working).at >= a
    assert calendar.elapsed(calendar.add(a, working).at, b) == ZERO


@given(questions())
def test_working_time_never_runs_backwards(
    question: tuple[BusinessCalendar, datetime, datetime, timedelta, timedelta],
) -> None:
    calendar, a, b, short, long = question
    short, long = sorted((short, long))
    assert calendar.add(a, short).at <= calendar.add(b, short).at
    assert a <= calendar.add(a, short).at <= calendar.add(a, long).at
    assert calendar.add(a, -long).at <= calendar.add(a, -short).at <= a
    assert ZERO <= calendar.elapsed(a, b) <= b - a


@given(questions())
def test_working_time_adds_up(question: tuple[BusinessCalendar, datetime, datetime, timedelta, timedelta]) -> None:
    calendar, a, b, first, second = question
    middle = a + (b - a) / 3
    assert calendar.elapsed(a, middle) + calendar.elapsed(middle, b) == calendar.elapsed(a, b)
    assert calendar.elapsed(b, a) == -calendar.elapsed(a, b)
    assert calendar.add(calendar.add(a, first).at, second).at == calendar.add(a, first + second).at


@given(questions())
def test_the_intervals_are_the_working_time_in_order_and_do_not_touch(
    question: tuple[BusinessCalendar, datetime, datetime, timedelta, timedelta],
) -> None:
    calendar, a, b, length, _ = question
    intervals = calendar.intervals(a, b)
    assert sum((end - start for start, end in intervals), ZERO) == calendar.elapsed(a, b)
    assert all(end < start for (_, end), (start, _) in pairwise(intervals))
    assert all(a <= start < end <= b for start, end in intervals)
    due = calendar.add(a, length)
    assert sum((end - start for start, end in due.intervals), ZERO) == length
    assert not due.intervals or due.intervals[-1][1] == due.at


@given(questions())
def test_a_deadline_in_working_time_ends_in_working_time_or_at_its_closing(
    question: tuple[BusinessCalendar, datetime, datetime, timedelta, timedelta],
) -> None:
    calendar, a, _, length, _ = question
    due = calendar.add(a, length + timedelta(microseconds=1)).at
    assert calendar.is_open(due - timedelta(microseconds=1))


@settings(max_examples=15)
@given(questions())
def test_an_answer_does_not_depend_on_what_was_asked_before(
    question: tuple[BusinessCalendar, datetime, datetime, timedelta, timedelta],
) -> None:
    calendar, a, b, length, _ = question
    fresh = BusinessCalendar.compile(calendar.spec)
    calendar.elapsed(a - 40 * 365 * DAY, b)
    calendar.elapsed(a, b + 9 * 365 * DAY)
    assert calendar.add(a, length) == fresh.add(a, length)
    assert calendar.elapsed(a, b) == fresh.elapsed(a, b)
    assert calendar.next_opening(a) == fresh.next_opening(a)


@given(questions())
def test_provisional_are_the_answers_that_other_holidays_could_change(
    question: tuple[BusinessCalendar, datetime, datetime, timedelta, timedelta],
) -> None:
    calendar, a, _, length, _ = question
    until = calendar.spec.published_until
    if until is None:
        assert not calendar.add(a, length).provisional
        return
    later = tuple(until + n * DAY for n in range(1, 60))
    extra = tuple(day for day in calendar.spec.extra_working_days if day.date <= until)
    closed = BusinessCalendar.compile(
        CalendarSpec(
            id="other",
            timezone=calendar.spec.timezone,
            weekly=calendar.spec.weekly,
            holidays=(*calendar.spec.holidays, *later),
            extra_working_days=extra,
        )
    )
    due = calendar.add(a, length)
    assert due.provisional or due.at == closed.add(a, length).at
    date_due = calendar.closing_of_nth_working_date(calendar.local_date(a), 2)
    assert date_due.provisional or date_due.at == closed.closing_of_nth_working_date(calendar.local_date(a), 2).at


@settings(max_examples=30)
@given(calendars(), st.data())
def test_a_clock_that_walks_minute_by_minute_comes_to_the_same(
    drawn: tuple[CalendarSpec, date], data: st.DataObject
) -> None:
    spec, day = drawn
    calendar, slow = BusinessCalendar.compile(spec), SlowClock(spec, day - 4 * DAY, day + 4 * DAY)
    assert [calendar.is_open(at) for at, _ in slow.instants()] == [works is not None for _, works in slow.instants()]

    minutes = st.integers(0, len(slow.minutes)).map(lambda n: slow.begin + n * MINUTE)
    a, b = sorted((data.draw(minutes), data.draw(minutes)))
    assert calendar.elapsed(a, b) == slow.elapsed(a, b)
    length = data.draw(st.integers(0, 3000)) * MINUTE
    found = slow.add(a, length)
    if found is not None:
        assert calendar.add(a, length).at == found

    for n in range(-3, 3):
        on = day + n * DAY
        worked = [at for at, works in slow.instants() if works == on]
        assert calendar.is_working_date(on) is bool(worked)
        if worked:
            assert calendar.closing_of_nth_working_date(on, 1).at == worked[-1] + MINUTE
            assert calendar.nth_working_date(on, 1) == calendar.nth_working_date(on, -1) == on
