"""Limits: how a pack writes a span of time, and the instant at which one that began then is over.

Source: the pack language, section 3. A limit counts in one of three ways, and its pauses are measured in the same way:
in elapsed time (``24 h elapsed``), in calendar time (``10 days``, ``12:00``: pauses are elapsed time), or in the desk's
working time (``8 h working``, ``3 working days``, ``14:00 next working day``, ``next opening``).
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, assert_never

from complaints.business_time import BusinessCalendar, Due, as_utc
from complaints.wall_time import DAY, MINUTES_A_DAY, instant_of

Answers = Mapping[str, object]  # question to answer; of interest here are ``hours`` and ``first_day``
Facts = Callable[[str], datetime | None]
Day = Literal["first", "next day", "next working day"]
Pauses = Iterable[tuple[datetime, datetime | None]]


class LimitKind(StrEnum):
    """How a limit counts."""

    ELAPSED = "elapsed"
    HOURS = "hours"  # elapsed or working, as the question ``hours`` says
    WORKING = "working"
    WORKING_DAYS = "working days"
    DAYS = "days"  # and weeks
    MONTHS = "months"  # and years
    TIME_OF_DAY = "time of day"  # the end of a day is its minute 1440
    END_OF_WORKING_DAY = "end of next working day"
    NEXT_OPENING = "next opening"
    FACT = "fact"
    BEFORE_FACT = "before fact"
    SOFT = "soft"
    NOT_STATED = "not-stated"


_IN_WORKING_TIME: Final = frozenset(
    (LimitKind.WORKING, LimitKind.WORKING_DAYS, LimitKind.END_OF_WORKING_DAY, LimitKind.NEXT_OPENING)
)
"""The kinds that count working time whatever a desk answers."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit as a value. Two that count alike are equal, however they are spelt.

    ``amount`` is in seconds, days or months, or the minute of the day, as the kind says. ``day`` is the day of a
    TIME_OF_DAY: ``first`` is the first such time after the start. ``length`` is what BEFORE_FACT counts back.
    """

    text: str = field(compare=False)
    kind: LimitKind
    amount: int = 0
    day: Day = "first"
    word: str = ""  # the text's own word for a limit without a number
    fact: str | None = None
    length: Limit | None = None

    @property
    def numbered(self) -> bool:
        """Does it lead to a due instant, at least once its fact is known?"""
        return self.kind not in (LimitKind.SOFT, LimitKind.NOT_STATED)

    @property
    def question(self) -> str | None:
        """The question whose answer it needs: ``hours``, ``first_day`` or none."""
        match self.kind:
            case LimitKind.HOURS:
                return "hours"
            case LimitKind.WORKING_DAYS:
                return "first_day"
            case LimitKind.BEFORE_FACT if self.length and self.length.kind is LimitKind.HOURS:
                return "hours"  # working days before a fact count from the day before it: nothing to ask
            case _:
                return None

    def in_working_time(self, answers: Answers) -> bool:
        """Are its pauses, and what is left of it, measured in working time?"""
        if self.kind in _IN_WORKING_TIME:
            return True
        match self.kind:
            case LimitKind.HOURS:
                return _answer(answers, "hours", "elapsed", "working") == "working"
            case LimitKind.TIME_OF_DAY:
                return self.day == "next working day"
            case LimitKind.BEFORE_FACT:
                return self.length is not None and self.length.in_working_time(answers)
            case _:
                return False


# --- reading ---

_UNITS = {
    "min": (LimitKind.ELAPSED, 60),
    "min working": (LimitKind.WORKING, 60),
    "h": (LimitKind.HOURS, 3600),
    "h elapsed": (LimitKind.ELAPSED, 3600),
    "h working": (LimitKind.WORKING, 3600),
    "working day": (LimitKind.WORKING_DAYS, 1),
    "day": (LimitKind.DAYS, 1),
    "week": (LimitKind.DAYS, 7),
    "month": (LimitKind.MONTHS, 1),
    "year": (LimitKind.MONTHS, 12),
}
_CENTURY = {LimitKind.DAYS: 36525, LimitKind.MONTHS: 1200, LimitKind.WORKING_DAYS: 36525}  # else seconds
_CENTURY_IN_SECONDS = 36525 * 86400
_LENGTH = re.compile("([0-9]{1,9}) (min working|min|h elapsed|h working|h|working days?|days?|weeks?|months?|years?)")
_TIME = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])(?: (next day|next working day))?")
_FACT = re.compile(r"(?:(.+) before )?fact ([A-Za-z_]\w*)")
_SOFT = re.compile(r"soft (\S(?:.*\S)?)")
_NAMED = {
    limit.text: limit
    for limit in (
        Limit("not-stated", LimitKind.NOT_STATED, word="not-stated"),
        Limit("same day", LimitKind.TIME_OF_DAY, MINUTES_A_DAY),
        Limit("end of next day", LimitKind.TIME_OF_DAY, MINUTES_A_DAY, day="next day"),
        Limit("end of next working day", LimitKind.END_OF_WORKING_DAY),
        Limit("next opening", LimitKind.NEXT_OPENING),
    )
}
_ALLOWED = (
    "30 min",
    "24 h",
    "24 h elapsed",
    "24 h working",
    "3 working days",
    "10 days",
    "1 week",
    "2 months",
    "1 year",
    "same day",
    "12:00",
    "14:00 next day",
    "14:00 next working day",
    "end of next day",
    "end of next working day",
    "next opening",
    "fact NAME",
    "3 months before fact NAME",
    "soft WORD",
    "not-stated",
)
_DAYS: Final[Mapping[str | None, Day]] = {None: "first", "next day": "next day", "next working day": "next working day"}
NOT_STATED: Final = _NAMED["not-stated"]


def parse_limit(text: str) -> Limit:
    """A limit from its text.

    Raises:
        ValueError: says what is allowed.
    """
    if named := _NAMED.get(text):
        return named
    if match := _SOFT.fullmatch(text):
        return Limit(text, LimitKind.SOFT, word=match[1])
    if match := _TIME.fullmatch(text):
        day = _DAYS[match[3]]
        return Limit(text, LimitKind.TIME_OF_DAY, int(match[1]) * 60 + int(match[2]), day=day)
    if match := _FACT.fullmatch(text):
        if match[1] is None:
            return Limit(text, LimitKind.FACT, fact=match[2])
        return Limit(text, LimitKind.BEFORE_FACT, fact=match[2], length=_length(match[1]))
    return _length(text)


def _length(text: str) -> Limit:
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise ValueError(f"not a limit: {text!r}; allowed are {', '.join(map(repr, _ALLOWED))}")
    kind, unit = _UNITS[match[2].removesuffix("s")]
    amount = int(match[1]) * unit
    if not 1 <= amount <= _CENTURY.get(kind, _CENTURY_IN_SECONDS):
        raise ValueError(f"not a limit: {text!r}; it must be longer than nothing and at most 100 years")
    return Limit(text, kind, amount)


# --- counting ---


def due_of(
    limit: Limit,
    start: datetime,
    answers: Answers,
    calendar: BusinessCalendar,
    facts: Facts = lambda _: None,
) -> Due | None:
    """When a limit that began at ``start`` is over; None while it has no date: soft, not stated, its fact not known.

    Days, weeks, months and years end with their last day, at the desk's midnight; a month after the 31st is the last
    day of a shorter month. Working days end when the last of them closes. With ``first_day: same_day`` the day of the
    start is the first, unless it has closed by then: nothing is due before it began.

    Raises:
        ValueError: the question ``hours`` or ``first_day``, which this limit needs, has no answer.
        Malformed: ``out-of-range``, see ``BusinessCalendar``.
    """
    start = as_utc(start)
    due: Due | None
    match limit.kind:
        case LimitKind.ELAPSED | LimitKind.HOURS | LimitKind.WORKING:
            due = _shifted(limit, start, 1, answers, calendar)
        case LimitKind.WORKING_DAYS:
            due = calendar.closing_of_nth_working_date(_first_day(start, answers, calendar), limit.amount)
        case LimitKind.DAYS | LimitKind.MONTHS:
            due = Due(calendar.at(_days_later(limit, calendar.local_date(start), 1), MINUTES_A_DAY))
        case LimitKind.TIME_OF_DAY:
            due = _time_of_day(limit, start, calendar)
        case LimitKind.END_OF_WORKING_DAY:
            due = calendar.closing_of_nth_working_date(calendar.local_date(start) + DAY, 1)
        case LimitKind.NEXT_OPENING:
            due = calendar.next_opening(start)
        case LimitKind.FACT | LimitKind.BEFORE_FACT:
            due = _from_fact(limit, answers, calendar, facts)
        case LimitKind.SOFT | LimitKind.NOT_STATED:
            due = None
        case _:
            assert_never(limit.kind)
    if due is not None and due.counted is None and limit.in_working_time(answers) and start < due.at:
        return Due(due.at, due.provisional, (calendar, ((start, due.at),)))
    return due


def _from_fact(limit: Limit, answers: Answers, calendar: BusinessCalendar, facts: Facts) -> Due | None:
    at = facts(limit.fact) if limit.fact is not None else None
    if at is None:
        return None
    return (
        Due(at.astimezone(UTC)) if limit.length is None else _shifted(limit.length, as_utc(at), -1, answers, calendar)
    )


def _time_of_day(limit: Limit, start: datetime, calendar: BusinessCalendar) -> Due:
    day = calendar.local_date(start)
    if limit.day == "next working day":
        day = calendar.nth_working_date(day + DAY, 1)
        return Due(calendar.at(day, limit.amount), not calendar.is_published(day))
    at = calendar.at(day + DAY if limit.day == "next day" else day, limit.amount)
    return Due(at if at > start else calendar.at(day + DAY, limit.amount))


def _first_day(start: datetime, answers: Answers, calendar: BusinessCalendar) -> date:
    day = calendar.local_date(start)
    if _answer(answers, "first_day", "next_day", "same_day") == "next_day":
        return day + DAY
    return day if calendar.closing_of_nth_working_date(day, 1).at > start else day + DAY


def before(limit: Limit, at: datetime, answers: Answers, calendar: BusinessCalendar) -> datetime:
    """The instant from which a length of time leads to ``at``: days and months back at the same time of day.

    Raises:
        ValueError: the limit is no length of time, or its question has no answer.
    """
    return _shifted(limit, as_utc(at), -1, answers, calendar).at


def after(limit: Limit, at: datetime, answers: Answers, calendar: BusinessCalendar) -> datetime:
    """The instant to which a length of time leads from ``at``, as ``before``; a deadline is ``due_of``."""
    return _shifted(limit, as_utc(at), 1, answers, calendar).at


def _shifted(limit: Limit, at: datetime, sign: Literal[1, -1], answers: Answers, calendar: BusinessCalendar) -> Due:
    match limit.kind:
        case LimitKind.ELAPSED | LimitKind.HOURS | LimitKind.WORKING:
            length = sign * timedelta(seconds=limit.amount)
            return calendar.add(at, length) if limit.in_working_time(answers) else Due(at + length)
        case LimitKind.WORKING_DAYS:
            day = calendar.local_date(at)
            shifted = calendar.nth_working_date(day + sign * DAY, sign * limit.amount)
            return Due(_same_time(at, shifted, calendar), not calendar.is_published(max(day, shifted)))
        case LimitKind.DAYS | LimitKind.MONTHS:
            return Due(_same_time(at, _days_later(limit, calendar.local_date(at), sign), calendar))
        case _:
            raise ValueError(f"not a length of time: {limit.text!r}")


def _days_later(limit: Limit, day: date, sign: Literal[1, -1]) -> date:
    count = sign * limit.amount
    return day + count * DAY if limit.kind is LimitKind.DAYS else months_later(day, count)


def _same_time(at: datetime, day: date, calendar: BusinessCalendar) -> datetime:
    return instant_of(calendar.zone, datetime.combine(day, at.astimezone(calendar.zone).timetz()))


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _answer(answers: Answers, question: str, *allowed: str) -> str:
    answer = answers.get(question)
    if answer not in allowed:
        raise ValueError(f"the question {question} has no answer; it may be {' or '.join(allowed)}")
    return str(answer)


# --- pauses, in the limit's own kind of time; of a limit that nobody has decided yet: elapsed time ---


def left(limit: Limit | None, at: datetime, due: datetime, answers: Answers, calendar: BusinessCalendar) -> timedelta:
    """What is left of a limit at ``at``; ``resume`` takes it up again."""
    if limit is not None and limit.in_working_time(answers):
        return calendar.elapsed(at, due)
    return due - at


def resume(limit: Limit | None, at: datetime, left: timedelta, answers: Answers, calendar: BusinessCalendar) -> Due:
    """When a limit of which so much is left is over, if it runs on from ``at``."""
    if limit is not None and limit.in_working_time(answers):
        return calendar.add(at, left)
    return Due(as_utc(at) + left)


def later_by_pauses(
    due: Due,
    pauses: Pauses,
    limit: Limit | None,
    *,
    start: datetime,
    answers: Answers,
    calendar: BusinessCalendar,
) -> Due:
    """A due instant counted from ``start``, moved by the pauses that have ended since.

    They are taken in order: one that began when the limit was over adds nothing. One that still lasts adds nothing yet:
    the clock is paused from its beginning, with what is ``left`` then, and ``resume`` ends it.
    """
    working = limit is not None and limit.in_working_time(answers)
    at, since, spans = due.at, as_utc(start), []
    for began, ended in sorted((as_utc(a), as_utc(b)) for a, b in pauses if b is not None):
        if max(began, since) >= at:
            break
        if ended > since:
            lost = (max(began, since), ended)
            at = calendar.add(at, calendar.elapsed(*lost)).at if working else at + (lost[1] - lost[0])
            spans.append((since, lost[0]))
            since = ended
    if not spans:
        return due
    if not working:
        return Due(at, due.provisional)
    return Due(at, due.provisional or calendar.provisional(at), (calendar, (*spans, (since, at))))
