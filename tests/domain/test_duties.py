"""What a desk owes without a case: when it falls due, and what becomes of it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from complaints.business_time import BusinessCalendar
from complaints.calendar_spec import DEFAULT_CALENDAR, WEEKDAYS
from complaints.commands import COMMAND_TYPES, SYSTEM, DutyCommand, Sender
from complaints.complaint import Complaint
from complaints.duties import (
    EMPTY,
    DutyBook,
    Period,
    decide_duty,
    evolve_duty,
    included,
    next_due,
    periods,
    replay_duties,
    standing,
)
from complaints.errors import Rejected
from complaints.events import BreachWithdrawn, DutyBreached, DutyEvent, DutyLapsed, DutyOpened, DutyRecorded, tag_of
from complaints.procedure.model import Procedure
from tests.spec import CALENDAR, SHANGHAI, office, pack

MARCH = datetime(2026, 3, 1, tzinfo=SHANGHAI)


def desk(*rows: str, answers: dict[str, Any] | None = None, more: str = "") -> Procedure:
    """A procedure whose desk owes this; every row gets a clause and who owes it."""
    lines = "".join(f"- {{{row}, clause: d{n}, by: md}}\n" for n, row in enumerate(rows, 1))
    return pack(f"{more}desk:\n{lines}", answers=answers)


def shanghai(day: int, hour: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=SHANGHAI)


def opening(
    procedure: Procedure, after: datetime, until: datetime, calendar: BusinessCalendar = CALENDAR
) -> list[tuple[str, datetime, datetime | None]]:
    return [(one.period, one.opens_at, one.due_at) for one in periods(procedure, calendar, after, until)]


def ask(name: str, at: datetime, by: str = "md", **data: Any) -> DutyCommand:
    by_whom = SYSTEM if name in ("open-duty", "miss-duty", "produce-report") else Sender(person="ma", role=by)
    kind: Any = COMMAND_TYPES[name]
    command: DutyCommand = kind(id=uuid5(NAMESPACE_OID, f"{name} {at}"), complaint="desk", at=at, by=by_whom, **data)
    return command


class Desk:
    """A book, and the commands that have made it."""

    def __init__(self, procedure: Procedure) -> None:
        self.procedure, self.book = procedure, EMPTY
        self.history: list[DutyEvent] = []

    def take(self, command: DutyCommand) -> list[DutyEvent]:
        events = decide_duty(self.book, command, self.procedure)
        self.book = replay_duties(events, self.book)
        self.history += events
        return events

    def open(self, until: datetime, after: datetime = MARCH) -> Desk:
        """Opens every period of the time, each at its instant."""
        for one in periods(self.procedure, CALENDAR, after, until):
            self.take(opened(one))
        return self


def opened(one: Period, at: datetime | None = None) -> DutyCommand:
    return ask(
        "open-duty",
        at or one.opens_at,
        owe=one.row.owe,
        period=one.period,
        opens_at=one.opens_at,
        due_at=one.due_at,
    )


def names(events: list[DutyEvent]) -> list[str]:
    return [tag_of(event) for event in events]


# --- what falls due ---
def test_a_monthly_duty_is_named_by_its_month_opens_with_it_and_is_due_when_its_day_ends() -> None:
    assert opening(desk("owe: report, every: month, day: 4"), MARCH, shanghai(1, month=5)) == [
        ("2026-03", shanghai(1), shanghai(5)),
        ("2026-04", shanghai(1, month=4), shanghai(5, month=4)),
    ]


def test_a_weekly_duty_opens_on_its_day_and_is_due_when_that_day_ends() -> None:
    assert opening(desk("owe: report, every: week, day: Tuesday"), MARCH, shanghai(12)) == [
        ("2026-03-03", shanghai(3), shanghai(4)),
        ("2026-03-10", shanghai(10), shanghai(11)),
    ]


def test_a_daily_duty_with_a_time_is_due_at_that_time() -> None:
    assert opening(desk('owe: report, every: day, time: "12:00"'), MARCH, shanghai(3)) == [
        ("2026-03-01", shanghai(1), shanghai(1, 12)),
        ("2026-03-02", shanghai(2), shanghai(2, 12)),
    ]


def test_a_week_or_month_without_a_day_is_owed_without_a_date_from_its_first_day_on() -> None:
    procedure = desk("owe: weekly, every: week", "owe: monthly, every: month")
    assert opening(procedure, MARCH, shanghai(9)) == [
        ("2026-03", shanghai(1), None),
        ("2026-03-02", shanghai(2), None),
    ]


def test_the_thirty_first_is_the_last_day_of_a_shorter_month() -> None:
    (due,) = {
        due
        for _, _, due in opening(desk("owe: report, every: month, day: 31"), shanghai(1, month=4), shanghai(2, month=4))
    }
    assert due == shanghai(1, month=5)


@pytest.mark.parametrize(
    ("holiday", "due"), [("stays", date(2026, 3, 7)), ("before", date(2026, 3, 6)), ("after", date(2026, 3, 9))]
)
def test_a_due_day_that_is_no_working_day_moves_as_the_text_says(holiday: str, due: date) -> None:
    saturday = desk(f"owe: report, every: month, day: 7, holiday: {holiday}")
    ((_, _, due_at),) = opening(saturday, MARCH, shanghai(2))
    assert due_at == datetime.combine(due + timedelta(days=1), datetime.min.time(), SHANGHAI)


def test_a_period_whose_due_day_moves_before_its_month_opens_on_that_day() -> None:
    procedure = desk("owe: report, every: month, day: 2, holiday: before")
    # 1 August 2026 is a Saturday, so the second moves to Friday 31 July.
    assert opening(procedure, shanghai(15, month=7), shanghai(2, month=8)) == [
        ("2026-08", shanghai(31, month=7), shanghai(1, month=8))
    ]


def test_a_due_day_moves_over_a_week_of_holidays() -> None:
    golden = office(holidays=tuple(date(2026, 10, day) for day in range(1, 9)))
    procedure = desk("owe: report, every: month, day: 4, holiday: before")
    assert opening(procedure, shanghai(20, month=9), shanghai(1, month=10), golden) == [
        ("2026-10", shanghai(30, month=9), shanghai(1, month=10))
    ]


def test_a_day_ends_at_local_midnight_also_when_the_clocks_change() -> None:
    berlin = BusinessCalendar.compile(msgspec.structs.replace(DEFAULT_CALENDAR, timezone="Europe/Berlin"))
    zone = ZoneInfo("Europe/Berlin")
    day = datetime(2026, 3, 29, tzinfo=zone)
    ((period, opens_at, due_at),) = opening(desk("owe: report, every: day"), day, day + timedelta(hours=1), berlin)
    assert (period, opens_at, due_at) == ("2026-03-29", day, datetime(2026, 3, 30, tzinfo=zone))
    assert due_at is not None
    assert due_at.astimezone(ZoneInfo("UTC")) - opens_at.astimezone(ZoneInfo("UTC")) == timedelta(hours=23)


@pytest.mark.parametrize(
    ("every", "day", "found"),
    [
        ("quarter", 1, [("2026-Q2", date(2026, 4, 1)), ("2026-Q3", date(2026, 7, 1)), ("2026-Q4", date(2026, 10, 1))]),
        ("half-year", 15, [("2026-H2", date(2026, 7, 15))]),
        ("year", "not-stated", [("2027", None)]),
    ],
)
def test_longer_cycles_begin_with_the_year(every: str, day: object, found: list[tuple[str, date | None]]) -> None:
    until = CALENDAR.at(date(2027, 1, 2) if every == "year" else date(2026, 12, 1))
    begun = periods(desk(f"owe: report, every: {every}, day: {day}"), CALENDAR, MARCH, until)
    dues = [None if one.due_at is None else CALENDAR.local_date(one.due_at - timedelta(seconds=1)) for one in begun]
    assert [(one.period, due) for one, due in zip(begun, dues, strict=True)] == found


def test_a_duty_that_starts_on_a_day_is_not_owed_before_it() -> None:
    procedure = desk("owe: report, every: half-year, day: 1, starting: 2027-07-01")
    begun = periods(procedure, CALENDAR, MARCH, CALENDAR.at(date(2028, 1, 2)))
    assert [one.period for one in begun] == ["2027-H2", "2028-H1"]


def test_what_opens_together_stands_in_the_order_of_the_text() -> None:
    procedure = desk("owe: zeta, every: month, day: 3", "owe: alpha, every: month, day: 2")
    assert [one.row.owe for one in periods(procedure, CALENDAR, MARCH, shanghai(2))] == ["zeta", "alpha"]


def test_always_and_what_is_silent_is_owed_from_the_start_and_at_no_other_time() -> None:
    procedure = desk("owe: display, every: always", "owe: plan, every: not-stated", "owe: report, every: week")
    assert [(one.row.owe, one.opens_at, one.due_at) for one in standing(procedure, MARCH)] == [
        ("display", MARCH, None),
        ("plan", MARCH, None),
    ]
    assert {one.row.owe for one in periods(procedure, CALENDAR, MARCH, shanghai(1, month=6))} == {"report"}


EVERYTHING = desk(
    "owe: daily, every: day",
    "owe: weekly, every: week, day: Friday, holiday: before",
    "owe: monthly, every: month, day: 1, holiday: before",
    "owe: late, every: month, day: 31, holiday: after",
)
OFFICE = office(holidays=tuple(date(2026, 10, day) for day in range(1, 9)))


@given(cuts=st.lists(st.integers(0, 24 * 400), min_size=2, max_size=6))
@settings(max_examples=40)
def test_looking_in_pieces_finds_what_looking_at_once_finds(cuts: list[int]) -> None:
    instants = sorted(MARCH + timedelta(hours=hours) for hours in cuts)
    pieces = [one for a, b in pairwise(instants) for one in periods(EVERYTHING, OFFICE, a, b)]
    assert pieces == periods(EVERYTHING, OFFICE, instants[0], instants[-1])


@given(days=st.integers(0, 700))
@settings(max_examples=40)
def test_no_period_opens_after_its_due_date(days: int) -> None:
    start = MARCH + timedelta(days=days)
    for one in periods(EVERYTHING, OFFICE, start, start + timedelta(days=40)):
        assert one.due_at is not None
        assert one.opens_at < one.due_at


# --- decisions ---
MONTHLY = desk("owe: report, every: month, day: 4, to: [gm]")


def test_a_period_is_opened_once() -> None:
    here = Desk(MONTHLY).open(shanghai(2))
    (event,) = here.history
    assert isinstance(event, DutyOpened)
    assert (event.owe, event.period, event.by, event.to, event.due_at) == (
        "report",
        "2026-03",
        "md",
        ["gm"],
        shanghai(5),
    )
    assert event.clause == "d1"
    (again,) = periods(MONTHLY, CALENDAR, MARCH, shanghai(2))
    assert here.take(opened(again)) == []


def test_a_duty_done_by_its_due_instant_is_in_time() -> None:
    here = Desk(MONTHLY).open(shanghai(2))
    (event,) = here.take(ask("record-duty", shanghai(5), owe="report"))
    assert isinstance(event, DutyRecorded)
    assert (event.period, event.in_time, event.person, event.rule) == ("2026-03", True, "ma", "report")
    assert next_due(here.book) is None


def test_a_duty_that_is_not_done_is_missed_at_its_due_instant_however_late_that_is_noticed() -> None:
    here = Desk(MONTHLY).open(shanghai(2))
    assert next_due(here.book) == shanghai(5)
    (event,) = here.take(ask("miss-duty", shanghai(9), owe="report", period="2026-03"))
    assert isinstance(event, DutyBreached)
    assert (event.at, event.due_at, event.by) == (shanghai(5), shanghai(5), "md")
    assert here.take(ask("miss-duty", shanghai(9), owe="report", period="2026-03")) == []


def test_a_timer_that_comes_too_early_decides_nothing() -> None:
    here = Desk(MONTHLY).open(shanghai(2))
    assert here.take(ask("miss-duty", shanghai(4), owe="report", period="2026-03")) == []


def test_whatever_is_asked_of_the_desk_first_finds_what_has_been_missed() -> None:
    here = Desk(MONTHLY).open(shanghai(2, month=4))
    assert names(here.history) == ["duty.opened", "duty.breached", "duty.opened"]


def test_a_period_that_is_opened_too_late_is_missed_at_once() -> None:
    (one,) = periods(MONTHLY, CALENDAR, MARCH, shanghai(2))
    first, second = Desk(MONTHLY).take(opened(one, at=shanghai(20)))
    assert (tag_of(first), first.at) == ("duty.opened", shanghai(1))
    assert (tag_of(second), second.at) == ("duty.breached", shanghai(5))


def test_a_missed_duty_stays_open_and_is_made_up_the_oldest_first() -> None:
    here = Desk(MONTHLY).open(shanghai(2, month=4))
    made_up, in_time = (here.take(ask("record-duty", shanghai(2, 9 + n, month=4), owe="report")) for n in range(2))
    assert [(e.period, e.in_time) for e in made_up if isinstance(e, DutyRecorded)] == [("2026-03", False)]
    assert [(e.period, e.in_time) for e in in_time if isinstance(e, DutyRecorded)] == [("2026-04", True)]


def test_the_period_that_is_named_is_the_one_that_is_recorded() -> None:
    here = Desk(MONTHLY).open(shanghai(2, month=4))
    (event,) = here.take(ask("record-duty", shanghai(2, 9, month=4), owe="report", period="2026-04"))
    assert isinstance(event, DutyRecorded)
    assert event.period == "2026-04"
    assert [owed.period for owed in here.book.unmet("report")] == ["2026-03"]


def test_a_duty_done_in_time_and_recorded_late_withdraws_the_breach() -> None:
    here = Desk(MONTHLY).open(shanghai(2))
    here.take(ask("miss-duty", shanghai(5), owe="report", period="2026-03"))
    withdrawn, recorded = here.take(ask("record-duty", shanghai(6), owe="report", done_at=shanghai(4, 20)))
    assert isinstance(withdrawn, BreachWithdrawn)
    assert (withdrawn.owe, withdrawn.period, withdrawn.done_at) == ("report", "2026-03", shanghai(4, 20))
    assert isinstance(recorded, DutyRecorded)
    assert (recorded.in_time, recorded.done_at) == (True, shanghai(4, 20))


def test_best_effort_lapses_and_is_never_in_breach() -> None:
    here = Desk(desk("owe: report, every: month, day: 4, duty: should")).open(shanghai(2))
    (event,) = here.take(ask("miss-duty", shanghai(5), owe="report", period="2026-03"))
    assert isinstance(event, DutyLapsed)
    (made_up,) = here.take(ask("record-duty", shanghai(6), owe="report"))
    assert isinstance(made_up, DutyRecorded)
    assert not made_up.in_time


def test_a_duty_without_a_date_is_always_in_time() -> None:
    procedure = desk("owe: display, every: always")
    here = Desk(procedure)
    for one in standing(procedure, MARCH):
        here.take(opened(one))
    (event,) = here.take(ask("record-duty", shanghai(30), owe="display"))
    assert isinstance(event, DutyRecorded)
    assert (event.period, event.in_time) == ("always", True)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (ask("record-duty", shanghai(3), owe="nonsense"), "no-such-duty"),
        (ask("record-duty", shanghai(3), by="cm", owe="report"), "not-your-step"),
        (ask("record-duty", shanghai(3), owe="report", period="2026-01"), "nothing-to-record"),
        (ask("record-duty", shanghai(3), owe="report", done_at=shanghai(3, 1)), "not-a-time"),
        (ask("record-duty", shanghai(3), owe="report", done_at=MARCH - timedelta(hours=1)), "not-a-time"),
        (ask("produce-report", shanghai(3), owe="report", period="2026-01"), "nothing-to-record"),
        (ask("draw-sample", shanghai(3), owe="report", population=["a"], seed=1), "nothing-to-record"),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_nothing_has_happened(command: DutyCommand, code: str) -> None:
    here = Desk(MONTHLY).open(shanghai(2))
    book = here.book
    with pytest.raises(Rejected) as refusal:
        here.take(command)
    assert refusal.value.code == code
    assert refusal.value.clause == (None if code == "no-such-duty" else "d1")
    assert here.book == book


def test_every_event_cites_the_places_that_the_desk_has_answered() -> None:
    procedure = desk("owe: report, every: month, day: not-stated", answers={"report.day": 4})
    here = Desk(procedure).open(shanghai(2))
    here.take(ask("miss-duty", shanghai(5), owe="report", period="2026-03"))
    here.take(ask("record-duty", shanghai(6), owe="report", done_at=shanghai(2)))
    assert names(here.history) == ["duty.opened", "duty.breached", "breach.withdrawn", "duty.recorded"]
    assert [event.clause for event in here.history] == [["d1", "desk:report.day"]] * 4


def test_a_report_is_produced_once_and_cites_what_it_covers() -> None:
    procedure = desk(
        "owe: report, every: month, day: 4, covers: not-stated, report: [{count: received}]",
        answers={"report.covers": "previous month"},
    )
    here = Desk(procedure).open(shanghai(2))
    command = ask(
        "produce-report", shanghai(1), owe="report", period="2026-03", covers=["2026-02-01", "2026-03-01"], figures=[]
    )
    (event,) = here.take(command)
    assert (tag_of(event), event.clause) == ("report.produced", ["d1", "desk:report.covers"])
    assert here.take(command) == []


# --- rounds ---
ROUND = desk(
    'owe: reminders, every: month, day: 4, each: remind, cases: "!closed"',
    more="steps:\n- part: p\n  rows:\n  - {contact: remind, clause: s, by: cm, round: reminders, duty: may}\n",
)


@pytest.mark.parametrize("name", ["open-duty", "record-duty"])
def test_a_round_is_recorded_in_its_cases_and_is_no_duty_of_the_desk(name: str) -> None:
    (one,) = periods(ROUND, CALENDAR, MARCH, shanghai(2))
    command = opened(one) if name == "open-duty" else ask(name, shanghai(4), owe="reminders")
    with pytest.raises(Rejected) as refusal:
        Desk(ROUND).take(command)
    assert (refusal.value.code, refusal.value.data["step"]) == ("nothing-to-record", "remind")


# --- samples ---
SURVEY = desk(
    "owe: survey, every: not-stated, sample: {size: 3, include: valid}",
    more="facts:\n- {fact: valid, type: yes-no, clause: f}\n",
)
PEOPLE = ["e", "d", "c", "b", "a", "a"]


def drawn(seed: int, **data: Any) -> Any:
    (event,) = Desk(SURVEY).take(ask("draw-sample", MARCH, owe="survey", population=PEOPLE, seed=seed, **data))
    return event


def test_everybody_included_is_drawn_first_and_the_rest_by_the_seed() -> None:
    event = drawn(7, included=["d", "somebody else"])
    assert event.included == ["d"]
    assert event.drawn[0] == "d"
    assert len(set(event.drawn)) == event.size == 3


@given(seed=st.integers(0, 2**31), order=st.permutations(PEOPLE))
def test_the_same_seed_draws_the_same_people_in_whatever_order_they_are_named(seed: int, order: list[str]) -> None:
    (event,) = Desk(SURVEY).take(ask("draw-sample", MARCH, owe="survey", population=order, seed=seed))
    assert event == drawn(seed)


def test_more_included_than_the_size_are_all_drawn_and_fewer_people_than_the_size_are_all() -> None:
    assert drawn(7, included=["a", "b", "c", "d"]).drawn == ["a", "b", "c", "d"]
    (event,) = Desk(SURVEY).take(ask("draw-sample", MARCH, owe="survey", population=["x"], seed=7))
    assert event.drawn == ["x"]  # type: ignore[union-attr]  # a sample has been drawn


def test_a_sample_whose_size_nobody_has_stated_is_refused_and_names_the_place() -> None:
    procedure = desk("owe: survey, every: not-stated, sample: {size: not-stated}")
    with pytest.raises(Rejected) as refusal:
        Desk(procedure).take(ask("draw-sample", MARCH, owe="survey", population=["a"], seed=1))
    assert (refusal.value.code, refusal.value.data["place"]) == ("not-stated", "survey.sample.size")
    answered = desk("owe: survey, every: not-stated, sample: {size: not-stated}", answers={"survey.sample.size": 1})
    (event,) = Desk(answered).take(ask("draw-sample", MARCH, owe="survey", population=["a"], seed=1))
    assert event.clause == ["d1", "desk:survey.sample.size"]


def test_a_sample_includes_the_complainants_of_cases_of_which_its_condition_is_true() -> None:
    def case(complainant: str | None, valid: bool | None) -> Complaint:
        return Complaint(complainant=complainant, facts={} if valid is None else {"valid": valid})

    cases = [case("b", True), case("a", True), case("b", True), case("c", False), case("d", None), case(None, True)]
    assert included(SURVEY.desk["survey"], cases, SURVEY, CALENDAR) == ["a", "b"]
    plain = desk("owe: survey, every: not-stated, sample: {size: 3}")
    assert included(plain.desk["survey"], cases, plain, CALENDAR) == []


# --- the fold ---
def test_replaying_the_events_of_a_desk_gives_its_book() -> None:
    here = Desk(MONTHLY).open(shanghai(2, month=6))
    here.take(ask("record-duty", shanghai(3, month=6), owe="report"))
    book: DutyBook = EMPTY
    for event in here.history:
        book = evolve_duty(book, event)
    assert book == here.book
    assert book.version == len(here.history)


@given(st.lists(st.sampled_from(["open", "record", "miss"]), max_size=30))
def test_what_is_awaited_is_what_is_open_and_has_a_date(steps: list[str]) -> None:
    here, day = Desk(desk("owe: report, every: week, day: Tuesday", "owe: plan, every: week")), 1
    for step in steps:
        at, day = MARCH + timedelta(days=day), day + 3
        if step == "open":
            here.open(at, after=at - timedelta(days=7))
        elif step == "record":
            here.take(ask("record-duty", at, owe="report"))
        elif here.book.awaited:
            here.take(ask("miss-duty", at, owe="report", period=min(here.book.awaited)[1]))
        open_ = {key: owed.due_at for key, owed in here.book.periods.items() if owed.state == "open" and owed.due_at}
        assert here.book.awaited == open_


def test_weekdays_are_named_as_calendars_name_them() -> None:
    for n, day in enumerate(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")):
        ((period, _, _),) = opening(desk(f"owe: report, every: week, day: {day}"), shanghai(2), shanghai(9))
        assert date.fromisoformat(period).weekday() == n
        assert day.lower().startswith(WEEKDAYS[n])
