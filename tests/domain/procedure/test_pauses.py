"""What pauses do to a limit, in its own kind of time."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from complaints.business_time import BusinessCalendar, Due
from complaints.procedure.limits import Limit, due_of, later_by_pauses, left, parse_limit, resume
from tests.domain.procedure.office import ELAPSED, WORKING, at, desk, due
from tests.domain.slow_clock import calendars, near

HOUR = timedelta(hours=1)


def paused(text: str, start: str, *pauses: tuple[str, str | None]) -> Due:
    limit = parse_limit(text)
    spans = [(at(a), None if b is None else at(b)) for a, b in pauses]
    return later_by_pauses(due(text, start), spans, limit, start=at(start), answers=WORKING, calendar=desk())


def test_a_pause_is_measured_in_the_clocks_own_kind_of_time() -> None:
    night = ("2026-03-02T17:00", "2026-03-03T10:00")  # seventeen hours, two of them worked
    assert paused("24 h elapsed", "2026-03-02T09:00", night).at == at("2026-03-04T02:00")
    assert paused("12 h working", "2026-03-02T09:00", night).at == at("2026-03-03T14:00")
    assert paused("2 working days", "2026-03-02T09:00", night).at == at("2026-03-05T11:00")
    assert paused("2 days", "2026-03-02T09:00", night).at == at("2026-03-05T17:00")


def test_a_pause_while_closed_takes_no_working_time() -> None:
    assert paused("9 h working", "2026-03-02T10:00", ("2026-03-02T19:00", "2026-03-03T08:00")).at == at(
        "2026-03-03T10:00"
    )


def test_only_the_part_of_a_pause_after_the_start_counts() -> None:
    assert paused("24 h elapsed", "2026-03-02T09:00", ("2026-03-01T09:00", "2026-03-02T10:00")).at == at(
        "2026-03-03T10:00"
    )
    assert paused("24 h elapsed", "2026-03-02T09:00", ("2026-03-01T09:00", "2026-03-02T09:00")).at == at(
        "2026-03-03T09:00"
    )


def test_a_pause_that_began_when_the_limit_was_over_adds_nothing() -> None:
    assert paused("2 h elapsed", "2026-03-02T09:00", ("2026-03-02T11:00", "2026-03-02T15:00")).at == at(
        "2026-03-02T11:00"
    )
    first, second = ("2026-03-02T10:00", "2026-03-02T12:00"), ("2026-03-02T12:30", "2026-03-02T13:00")
    assert paused("2 h elapsed", "2026-03-02T09:00", second, first).at == at("2026-03-02T13:30")


def test_a_pause_that_still_lasts_adds_nothing_until_the_clock_resumes() -> None:
    still = paused(
        "24 h elapsed", "2026-03-02T09:00", ("2026-03-02T10:00", "2026-03-02T12:00"), ("2026-03-02T14:00", None)
    )
    assert still.at == at("2026-03-03T11:00")
    remaining = left(parse_limit("24 h elapsed"), at("2026-03-02T14:00"), still.at, WORKING, desk())
    assert remaining == 21 * HOUR
    assert resume(parse_limit("24 h elapsed"), at("2026-03-02T16:00"), remaining, WORKING, desk()).at == at(
        "2026-03-03T13:00"
    )


def test_the_intervals_of_a_paused_limit_leave_the_pauses_out() -> None:
    assert paused("4 h working", "2026-03-02T09:00", ("2026-03-02T10:00", "2026-03-02T12:00")).intervals == (
        (at("2026-03-02T09:00"), at("2026-03-02T10:00")),
        (at("2026-03-02T12:00"), at("2026-03-02T15:00")),
    )
    assert paused("4 h elapsed", "2026-03-02T09:00", ("2026-03-02T10:00", "2026-03-02T12:00")).intervals == ()


def test_a_limit_that_nobody_has_decided_yet_is_paused_in_elapsed_time() -> None:
    assert left(None, at("2026-03-06T17:00"), at("2026-03-09T10:00"), WORKING, desk()) == 65 * HOUR
    assert resume(None, at("2026-03-06T17:00"), 65 * HOUR, WORKING, desk()).at == at("2026-03-09T10:00")


def test_what_is_left_of_a_limit_in_working_time_is_working_time_also_where_the_question_makes_it_so() -> None:
    hours = parse_limit("24 h")
    assert left(hours, at("2026-03-06T17:00"), at("2026-03-09T10:00"), WORKING, desk()) == 2 * HOUR
    assert left(hours, at("2026-03-06T17:00"), at("2026-03-09T10:00"), ELAPSED, desk()) == 65 * HOUR
    assert resume(hours, at("2026-03-07T11:00"), 2 * HOUR, WORKING, desk()).at == at("2026-03-09T11:00")


def test_a_pause_that_moves_a_deadline_beyond_what_is_published_makes_it_provisional() -> None:
    calendar, limit = desk(published_until=date(2026, 12, 31)), parse_limit("8 h working")
    start = at("2026-12-31T09:00")
    planned = due_of(limit, start, WORKING, calendar)
    assert planned is not None
    assert not planned.provisional
    pause = (at("2026-12-31T10:00"), at("2026-12-31T15:00"))
    assert later_by_pauses(planned, [pause], limit, start=start, answers=WORKING, calendar=calendar).provisional


LIMITS = ["30 min", "7 h elapsed", "1 h working", "30 h working", "2 working days", "3 days", "14:00 next working day"]


@st.composite
def paused_limits(
    draw: st.DrawFn,
) -> tuple[BusinessCalendar, Limit, datetime, list[tuple[datetime, datetime]], Due]:
    """A limit, and pauses one after the other from before its start on."""
    spec, day = draw(calendars())
    marks = sorted(draw(st.lists(near(day), max_size=6, unique=True)))
    pauses = list(zip(marks[::2], marks[1::2], strict=False))
    calendar, limit, start = BusinessCalendar.compile(spec), parse_limit(draw(st.sampled_from(LIMITS))), draw(near(day))
    planned = due_of(limit, start, WORKING, calendar)
    assert planned is not None
    return calendar, limit, start, pauses, planned


@given(paused_limits())
def test_pausing_and_resuming_as_it_happens_comes_to_the_same_as_looking_back(
    drawn: tuple[BusinessCalendar, Limit, datetime, list[tuple[datetime, datetime]], Due],
) -> None:
    calendar, limit, start, pauses, planned = drawn
    running = planned
    for began, ended in pauses:
        if ended > start and max(began, start) < running.at:
            remaining = left(limit, max(began, start), running.at, WORKING, calendar)
            running = resume(limit, ended, remaining, WORKING, calendar)
    back = later_by_pauses(planned, pauses, limit, start=start, answers=WORKING, calendar=calendar)
    assert back.at >= planned.at
    if limit.in_working_time(WORKING):  # the same working time; where the desk is closed between, no act can tell
        assert calendar.elapsed(running.at, back.at) == timedelta(0)
    else:
        assert back.at == running.at


@given(paused_limits())
def test_without_its_pauses_a_limit_is_as_long_as_it_was(
    drawn: tuple[BusinessCalendar, Limit, datetime, list[tuple[datetime, datetime]], Due],
) -> None:
    calendar, limit, start, pauses, planned = drawn
    back = later_by_pauses(planned, pauses, limit, start=start, answers=WORKING, calendar=calendar)
    lost = [(max(a, start), min(b, back.at)) for a, b in pauses if b > start and a < back.at]
    if limit.in_working_time(WORKING):
        worked = calendar.elapsed(start, back.at) - sum((calendar.elapsed(a, b) for a, b in lost), timedelta(0))
        assert worked == calendar.elapsed(start, planned.at)
        assert sum((b - a for a, b in back.intervals), timedelta(0)) == worked
    else:
        assert back.at - start - sum((b - a for a, b in lost), timedelta(0)) == planned.at - start
