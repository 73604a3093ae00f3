"""What a desk owes without any case: reports, rounds, publications. A stream per desk, decided like a case.

``periods`` says what falls due and when; ``decide_duty`` what a command does; ``evolve_duty`` folds the events.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from operator import attrgetter
from typing import Final, Literal, assert_never

import msgspec
from msgspec.structs import replace

from complaints import cycles
from complaints.business_time import LAST_YEAR, BusinessCalendar
from complaints.commands import DrawSample, DutyCommand, MissDuty, OpenDuty, ProduceReport, RecordDuty
from complaints.complaint import Complaint
from complaints.deciding import holds_for
from complaints.errors import Rejected
from complaints.events import (
    BreachWithdrawn,
    Clause,
    DutyBreached,
    DutyEvent,
    DutyLapsed,
    DutyOpened,
    DutyRecorded,
    ReportProduced,
    SampleDrawn,
)
from complaints.personal import is_closed
from complaints.procedure.model import DutyRow, Procedure

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LOOK_AHEAD: Final = timedelta(days=15)
"""How far behind `until` a due date may lie that a holiday moves before it."""

_WHEN: Final = ("every", "day", "time", "holiday")
"""The places of a duty that say when it is owed."""


# --- state ----------------------------------------------------------------------------------------------------------
class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """A duty in one of its periods. A ``missed`` one is still owed."""

    owe: str
    period: str
    opened_at: datetime
    due_at: datetime | None = None
    duty: str = "must"
    state: Literal["open", "missed", "done", "lapsed"] = "open"
    reported: bool = False

    @property
    def unmet(self) -> bool:
        """Somebody may still record it."""
        return self.state != "done"


class DutyBook(msgspec.Struct, frozen=True, kw_only=True):
    """All periods of a desk's duties, by (owe, period); ``awaited``: the due instants of those that are open."""

    version: int = 0
    periods: Mapping[tuple[str, str], Owed] = {}
    awaited: Mapping[tuple[str, str], datetime] = {}  # few, where there may be years of periods
    last_at: datetime | None = None

    def unmet(self, owe: str) -> list[Owed]:
        """The periods of a duty that can still be recorded, the oldest first."""
        mine = [owed for owed in self.periods.values() if owed.owe == owe and owed.unmet]
        return sorted(mine, key=attrgetter("opened_at", "period"))


EMPTY: Final = DutyBook()


def evolve_duty(book: DutyBook, event: DutyEvent) -> DutyBook:
    """The book after an event."""
    book = replace(book, version=book.version + 1, last_at=event.at)
    match event:
        case DutyOpened():
            owed = Owed(owe=event.owe, period=event.period, opened_at=event.at, due_at=event.due_at, duty=event.duty)
            return _with(book, owed)
        case DutyRecorded(period=str(period)):
            return _changed(book, event.owe, period, state="done")
        case DutyBreached():
            return _changed(book, event.owe, event.period, state="missed")
        case DutyLapsed():
            return _changed(book, event.owe, event.period, state="lapsed")
        case ReportProduced():
            return _changed(book, event.owe, event.period, reported=True)
        case DutyRecorded() | BreachWithdrawn() | SampleDrawn():
            return book
        case _:
            assert_never(event)


def replay_duties(events: Iterable[DutyEvent], book: DutyBook = EMPTY) -> DutyBook:
    """The book after all of these."""
    for event in events:
        book = evolve_duty(book, event)
    return book


def _with(book: DutyBook, owed: Owed) -> DutyBook:
    key = (owed.owe, owed.period)
    awaited = {other: due_at for other, due_at in book.awaited.items() if other != key}
    if owed.state == "open" and owed.due_at is not None:
        awaited[key] = owed.due_at
    return replace(book, periods={**book.periods, key: owed}, awaited=awaited)


def _changed(book: DutyBook, owe: str, period: str, **changes: object) -> DutyBook:
    owed = book.periods.get((owe, period))
    return book if owed is None else _with(book, replace(owed, **changes))


# --- decisions ------------------------------------------------------------------------------------------------------
def decide_duty(book: DutyBook, command: DutyCommand, procedure: Procedure) -> list[DutyEvent]:
    """What follows from a command to the desk.

    What was due before the command's instant is missed first, each at its due instant, so that a late timer changes
    nothing. A period is opened once, missed once, and its report produced once.

    Raises:
        Rejected: ``no-such-duty``, ``not-your-step``, ``nothing-to-record``, ``not-a-time``, ``not-stated``.
    """
    row = procedure.desk.get(command.owe)
    if row is None:
        raise Rejected("no-such-duty", None, f"this procedure has no duty {command.owe}", owe=command.owe)
    if row.each is not None:
        why = f"{row.owe} is a round: {row.each} is recorded in each case"
        raise Rejected("nothing-to-record", row.clause, why, owe=row.owe, step=row.each)
    inclusive = isinstance(command, MissDuty)
    events: list[DutyEvent] = list(_missed(book, procedure, command.at, inclusive=inclusive))
    book = replay_duties(events, book)
    match command:
        case OpenDuty():
            events += _open(book, command, row, procedure)
        case RecordDuty():
            events += _record(book, command, row, procedure)
        case MissDuty():
            pass
        case ProduceReport():
            events += _report(book, command, row, procedure)
        case DrawSample():
            events.append(_draw(command, row, procedure))
        case _:
            assert_never(command)
    return events


def next_due(book: DutyBook) -> datetime | None:
    """The earliest instant at which a period will have been missed."""
    return min(book.awaited.values(), default=None)


def cite(row: DutyRow, procedure: Procedure, fields: Iterable[str] = _WHEN) -> Clause:
    """The clause of a duty, and the desk for each of these fields that it answered."""
    answered = [f"desk:{row.owe}.{field}" for field in fields if f"{row.owe}.{field}" in procedure.answered]
    if not answered:
        return row.clause
    clauses = [row.clause] if isinstance(row.clause, str) else list(row.clause or [])
    return [*clauses, *answered]


def _missed(book: DutyBook, procedure: Procedure, now: datetime, *, inclusive: bool) -> Iterator[DutyEvent]:
    late = [(due_at, key) for key, due_at in book.awaited.items() if due_at < now or (inclusive and due_at == now)]
    for due_at, key in sorted(late):
        owed = book.periods[key]
        row = procedure.desk.get(owed.owe)
        if row is None:  # another version of the procedure asked for it
            continue
        by, clause = " | ".join(row.by), cite(row, procedure)
        if owed.duty == "must":
            yield DutyBreached(
                at=due_at, clause=clause, rule=owed.owe, owe=owed.owe, period=owed.period, by=by, due_at=due_at
            )
        else:
            yield DutyLapsed(at=due_at, clause=clause, rule=owed.owe, owe=owed.owe, period=owed.period, by=by)


def _open(book: DutyBook, command: OpenDuty, row: DutyRow, procedure: Procedure) -> list[DutyEvent]:
    if (command.owe, command.period) in book.periods:
        return []
    opened_at = min(command.opens_at or command.at, command.at)
    opened = DutyOpened(
        at=opened_at,
        clause=cite(row, procedure),
        rule=row.owe,
        owe=row.owe,
        by=" | ".join(row.by),
        to=list(row.to),
        period=command.period,
        due_at=command.due_at,
        duty=row.duty,
    )
    return [opened, *_missed(evolve_duty(book, opened), procedure, command.at, inclusive=False)]


def _record(book: DutyBook, command: RecordDuty, row: DutyRow, procedure: Procedure) -> list[DutyEvent]:
    if command.by.role not in row.by and "anyone" not in row.by:
        raise Rejected("not-your-step", row.clause, f"{row.owe} is for {' | '.join(row.by)}", owe=row.owe)
    owed = next((o for o in book.unmet(row.owe) if command.period in (None, o.period)), None)
    if owed is None and command.period is not None:
        raise Rejected("nothing-to-record", row.clause, f"{row.owe} is not open for {command.period}", owe=row.owe)
    done_at = command.done_at or command.at
    if done_at > command.at or (owed is not None and done_at < owed.opened_at):
        since = owed.opened_at.isoformat() if owed else "then"
        raise Rejected("not-a-time", row.clause, f"done_at lies outside {since} and now", field="done_at")
    events: list[DutyEvent] = []
    in_time = owed is None or owed.due_at is None or done_at <= owed.due_at
    clause = cite(row, procedure)
    if owed is not None and owed.state == "missed" and in_time:
        events.append(
            BreachWithdrawn(
                at=command.at, clause=clause, rule=row.owe, owe=row.owe, period=owed.period, done_at=done_at
            )
        )
    events.append(
        DutyRecorded(
            at=command.at,
            clause=clause,
            rule=row.owe,
            owe=row.owe,
            period=owed.period if owed else None,
            person=command.by.person,
            in_time=in_time,
            done_at=done_at if done_at != command.at else None,
        )
    )
    return events


def _report(book: DutyBook, command: ProduceReport, row: DutyRow, procedure: Procedure) -> list[DutyEvent]:
    owed = book.periods.get((command.owe, command.period))
    if owed is None:
        raise Rejected("nothing-to-record", row.clause, f"{row.owe} was not opened for {command.period}", owe=row.owe)
    if owed.reported:
        return []
    clause = cite(row, procedure, (*_WHEN, "covers"))
    return [
        ReportProduced(
            at=command.at,
            clause=clause,
            rule=row.owe,
            owe=row.owe,
            period=command.period,
            covers=command.covers,
            figures=command.figures,
        )
    ]


def _draw(command: DrawSample, row: DutyRow, procedure: Procedure) -> DutyEvent:
    """Everybody included is drawn first, the rest by the seed: the same seed draws the same people for ever."""
    if command.by.role not in row.by and "anyone" not in row.by:
        raise Rejected("not-your-step", row.clause, f"{row.owe} is for {' | '.join(row.by)}", owe=row.owe)
    if not row.has_sample:
        raise Rejected("nothing-to-record", row.clause, f"{row.owe} draws no sample", owe=row.owe)
    if row.sample_size is None:
        raise Rejected(
            "not-stated", row.clause, f"the desk must set {row.owe}.sample.size", place=f"{row.owe}.sample.size"
        )
    included = sorted(set(command.included) & set(command.population))
    rest = sorted(set(command.population) - set(included))
    more = max(0, min(row.sample_size - len(included), len(rest)))
    return SampleDrawn(
        at=command.at,
        clause=cite(row, procedure, ("sample.size", "sample.include")),
        rule=row.owe,
        owe=row.owe,
        size=row.sample_size,
        seed=command.seed,
        included=included,
        drawn=included + sorted(random.Random(command.seed).sample(rest, more)),  # noqa: S311 - a draw to be repeated
    )


def included(row: DutyRow, cases: Iterable[Complaint], procedure: Procedure, calendar: BusinessCalendar) -> list[str]:
    """Whom a sample includes whatever the seed: the complainants of cases of which its condition is true.

    ``draw-sample`` brings them as ``included``; those outside the population are left out when it is drawn.
    """
    if row.sample_include is None:
        return []
    asked = (
        case.complainant
        for case in cases
        if case.complainant is not None
        and not is_closed(case.complainant)
        and holds_for(row.sample_include, case, procedure, calendar) is True
    )
    return sorted(set(asked))


# --- what falls due -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A duty becomes owed. ``due_at`` is None where no date is stated."""

    row: DutyRow
    period: str
    opens_at: datetime
    due_at: datetime | None


def periods(procedure: Procedure, calendar: BusinessCalendar, after: datetime, until: datetime) -> list[Period]:
    """The periods that open with ``after <= opens_at < until``, by opening instant and then in file order.

    A day, a week (Monday where the day is not stated), a month or several opens when it begins, at local midnight, but
    no later than its due date, which a holiday may move before it. `always` and what is silent are owed from ``after``
    on: give them only once, when the desk adopts the procedure, by ``standing``.
    """
    order = {owe: index for index, owe in enumerate(procedure.desk)}
    first = calendar.local_date(after) - timedelta(days=1)
    last = min(calendar.local_date(until) + LOOK_AHEAD, date(LAST_YEAR, 12, 1))  # what lies later cannot be counted
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    every = (_period_on(row, day, calendar) for day in days for row in procedure.desk.values())
    found = [period for period in every if period is not None and after <= period.opens_at < until]
    return sorted(found, key=lambda period: (period.opens_at, order[period.row.owe]))


def standing(procedure: Procedure, at: datetime) -> list[Period]:
    """What is owed from the adoption of the procedure on, without a date: `always`, and where no interval is stated."""
    return [
        Period(row=row, period=row.every, opens_at=at, due_at=None)
        for row in procedure.desk.values()
        if row.every not in ("day", "week", *cycles.MONTHS)
    ]


def _period_on(row: DutyRow, day: date, calendar: BusinessCalendar) -> Period | None:
    """The period of a duty that is named by this day: the day itself, the week's day, the first of so many months."""
    if row.starting is not None and day < row.starting:
        return None
    match row.every:
        case "day":
            return Period(
                row=row, period=day.isoformat(), opens_at=calendar.at(day), due_at=_due_on(row, day, calendar)
            )
        case "week" if day.weekday() == (WEEKDAYS.index(row.day) if row.day in WEEKDAYS else 0):
            due_day = _moved(row, day, calendar) if row.day in WEEKDAYS else None
        case cycle if cycle in cycles.MONTHS and cycles.begins(cycle, day):
            due_day = _moved(row, _day_of_month(day, int(row.day)), calendar) if row.day.isdigit() else None
        case _:
            return None
    opens = day if due_day is None else min(day, due_day)
    return Period(
        row=row,
        period=day.isoformat() if row.every == "week" else cycles.period_of(row.every, day),
        opens_at=calendar.at(opens),
        due_at=None if due_day is None else _due_on(row, due_day, calendar),
    )


def _day_of_month(first: date, number: int) -> date:
    """The numbered day, or the last of a shorter month."""
    following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    return min(first + timedelta(days=number - 1), following - timedelta(days=1))


def _moved(row: DutyRow, day: date, calendar: BusinessCalendar) -> date:
    step = {"before": -1, "after": 1}.get(row.holiday)
    if step is None or calendar.is_working_date(day):
        return day
    return calendar.nth_working_date(day, step)


def _due_on(row: DutyRow, day: date, calendar: BusinessCalendar) -> datetime:
    """By the stated time of that day, else when the day ends."""
    if row.time is None:
        return calendar.at(day, 24 * 60)
    stated = time.fromisoformat(row.time)
    return calendar.at(day, stated.hour * 60 + stated.minute)
