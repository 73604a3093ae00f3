"""``redress calendar``: working time on the command line, one line of JSON for each line of JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from msgspec import UNSET, Meta, Struct, UnsetType

from complaints.business_time import BusinessCalendar, Due, as_utc, parse_calendar
from complaints.errors import Malformed
from complaints.wire_errors import field_and_rule

app = typer.Typer(help="Working time: when something falls due, and how much of it has passed.", no_args_is_help=True)

CalendarFile = Annotated[
    Path, typer.Option("--calendar", metavar="FILE", help="The calendar in JSON: id, timezone, weekly, holidays, …")
]
JsonLines = Annotated[bool, typer.Option("--json", help="Accepted, as by every command; the answers are JSON anyway.")]
CENTURY = timedelta(days=36525)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)

Instant = Annotated[datetime, Meta(tz=True)]
Minutes = Annotated[float, Meta(ge=0, le=CENTURY / timedelta(minutes=1))]
Days = Annotated[int, Meta(ge=1, le=CENTURY.days)]


class DueQuestion(Struct, frozen=True, forbid_unknown_fields=True):
    """A start and one of three limits; working days are those after the start's date."""

    start: Instant
    working_minutes: Minutes | UnsetType = UNSET
    working_days: Days | UnsetType = UNSET
    elapsed: timedelta | UnsetType = UNSET


class ElapsedQuestion(Struct, frozen=True, forbid_unknown_fields=True):
    """Two instants."""

    start: Instant
    end: Instant


def due_at(calendar: BusinessCalendar, line: bytes) -> dict[str, Any]:
    """Answer ``{"start", "working_minutes" | "working_days" | "elapsed"}`` with ``due_at, provisional, intervals``.

    Raises:
        Malformed: names the field and the rule.
    """
    question = _read(line, DueQuestion)
    with _named("start"):
        start = as_utc(question.start)
    with _named("due_at"):
        due = _due(calendar, question, start)
    return {"due_at": due.at, "provisional": due.provisional, "intervals": due.intervals}


def _due(calendar: BusinessCalendar, question: DueQuestion, start: datetime) -> Due:
    match (question.working_minutes, question.working_days, question.elapsed):
        case (float(minutes), UnsetType(), UnsetType()):
            return calendar.add(start, minutes * MINUTE)
        case (UnsetType(), int(days), UnsetType()):
            closing = calendar.closing_of_nth_working_date(calendar.local_date(start) + DAY, days)
            return Due(closing.at, closing.provisional, (calendar, ((start, closing.at),)))
        case (UnsetType(), UnsetType(), timedelta() as length):
            if not timedelta(0) <= length <= CENTURY:
                raise Malformed("elapsed", "must be between nothing and 100 years")
            return Due(as_utc(start + length))
        case _:
            raise Malformed("line", "must have exactly one of working_minutes, working_days and elapsed")


def working_minutes(calendar: BusinessCalendar, line: bytes) -> dict[str, Any]:
    """Answer ``{"start", "end"}`` with the working minutes between them; negative when the end is the earlier.

    Raises:
        Malformed: names the field and the rule.
    """
    question = _read(line, ElapsedQuestion)
    with _named("start"):
        start = as_utc(question.start)
    with _named("end"):
        end = as_utc(question.end)
    minutes = calendar.elapsed(start, end) / MINUTE
    return {"working_minutes": int(minutes) if minutes.is_integer() else minutes}


@app.command()
def due(calendar: CalendarFile, _json: JsonLines = True) -> None:
    """When a limit is over: lines of {"start", "working_minutes" | "working_days" | "elapsed"} on standard input."""
    _answer(calendar, due_at)


@app.command()
def elapsed(calendar: CalendarFile, _json: JsonLines = True) -> None:
    """Working minutes between two instants: lines of {"start", "end"} on standard input."""
    _answer(calendar, working_minutes)


def _answer(file: Path, question: Callable[[BusinessCalendar, bytes], dict[str, Any]]) -> None:
    """Answer every line; exit with 1 when a line could not be answered, with 2 when the calendar cannot be used."""
    try:
        calendar = BusinessCalendar.compile(parse_calendar(file.read_bytes()))
    except (OSError, Malformed) as error:
        refused = error if isinstance(error, Malformed) else Malformed("calendar", f"cannot be read: {error.strerror}")
        sys.stderr.buffer.write(_line(_error(refused)))
        raise typer.Exit(2) from error
    failed = False
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if not line.strip():
            continue
        try:
            answer = question(calendar, line)
        except Malformed as error:
            failed = True
            answer = {**_error(error), "line": number}
        sys.stdout.buffer.write(_line(answer))
        sys.stdout.buffer.flush()  # somebody may wait for this answer before he asks again
    raise typer.Exit(1 if failed else 0)


def _error(error: Malformed) -> dict[str, Any]:
    return {"error": error.code, "field": error.field, "rule": error.rule}


def _line(answer: dict[str, Any]) -> bytes:
    return msgspec.json.encode(answer) + b"\n"


@contextmanager
def _named(field: str) -> Iterator[None]:
    """An instant that lies out of range is named as the line names it."""
    try:
        yield
    except Malformed as error:
        if error.code != "out-of-range":
            raise
        raise Malformed(field, error.rule, code=error.code) from error


Question = TypeVar("Question")


def _read(line: bytes, kind: type[Question]) -> Question:
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.ValidationError as error:
        field, rule = field_and_rule(str(error))
        raise Malformed(field or "line", rule) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed("line", f"must be JSON: {error}") from error
