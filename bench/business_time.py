"""How long business time takes: ``python -m bench business_time`` prints a JSON line a question and calendar.

``us_p50`` is the median of the rounds' medians, in microseconds for one call. Every round asks the same questions,
spread over three years, of instants in and outside working hours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from time import perf_counter_ns

from bench.figures import is_quick, report
from complaints.adapters.statutory import chinese_calendar_spec
from complaints.business_time import BusinessCalendar, CalendarSpec, Due
from complaints.calendar_spec import WEEKDAYS
from complaints.procedure.limits import due_of, parse_limit

Question = Callable[[datetime, timedelta], object]
ROUNDS = 5
QUESTIONS = 2_000
THREE_DAYS = parse_limit("3 working days")
ANSWERS = {"hours": "working", "first_day": "next_day"}

CALENDARS = {
    "china-statutory": chinese_calendar_spec((("09:00", "12:00"), ("13:30", "18:00")), range(2024, 2027)),
    "new-york-nights": CalendarSpec(
        id="nights",
        timezone="America/New_York",
        weekly=dict.fromkeys(WEEKDAYS, (("22:00", "06:00"), ("12:00", "16:00"))),
    ),
    "round-the-clock": CalendarSpec(
        id="always", timezone="Europe/London", weekly=dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),))
    ),
}


def main(argv: Sequence[str] = ()) -> None:
    """Measure every question on every calendar."""
    rounds = 3 if is_quick(argv) else ROUNDS
    begin, minutes = datetime(2024, 1, 2, tzinfo=UTC), 3 * 365 * 24 * 60
    # Strides by primes: no order in the hours and weekdays, and the same questions in every run.
    starts = [begin + timedelta(minutes=7_919 * n % minutes) for n in range(QUESTIONS)]
    lengths = [timedelta(minutes=1 + 1_009 * n % (80 * 60)) for n in range(QUESTIONS)]
    for name, spec in CALENDARS.items():
        calendar = BusinessCalendar.compile(spec)
        questions: dict[str, Question] = {
            "add": calendar.add,
            "elapsed": partial(elapsed, calendar),
            "due_of": partial(due, calendar),
        }
        for question, ask in questions.items():
            one_round(ask, starts, lengths)  # the years are compiled when they are first asked for
            tell(f"business_time.{question}", name, [one_round(ask, starts, lengths) for _ in range(rounds)])
        tell("business_time.compile_year", name, [compile_years(spec) for _ in range(rounds)])


def elapsed(calendar: BusinessCalendar, start: datetime, length: timedelta) -> timedelta:
    """Over spans as long as the ones that ``add`` finds."""
    return calendar.elapsed(start, start + 5 * length)


def due(calendar: BusinessCalendar, start: datetime, _: timedelta) -> Due | None:
    """A limit in working days."""
    return due_of(THREE_DAYS, start, ANSWERS, calendar)


def one_round(ask: Question, starts: list[datetime], lengths: list[timedelta]) -> list[float]:
    """Microseconds of every call."""
    took = []
    for start, length in zip(starts, lengths, strict=True):
        before = perf_counter_ns()
        ask(start, length)
        took.append((perf_counter_ns() - before) / 1000)
    return took


def compile_years(spec: CalendarSpec) -> list[float]:
    """Microseconds for a year, of ten compiled at once."""
    before = perf_counter_ns()
    BusinessCalendar.compile(spec).elapsed(datetime(2021, 1, 2, tzinfo=UTC), datetime(2028, 1, 2, tzinfo=UTC))
    return [(perf_counter_ns() - before) / 1000 / 10]


def tell(question: str, calendar: str, rounds: list[list[float]]) -> None:
    """One line."""
    report(
        question,
        calendar=calendar,
        us_p50=round(median(median(took) for took in rounds), 2),
        us_p99=round(median(sorted(took)[int(len(took) * 0.99)] for took in rounds), 2),
        rounds=len(rounds),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
