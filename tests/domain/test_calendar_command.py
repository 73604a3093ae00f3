"""`redress calendar`: a line of JSON for a line of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from redress.calendar import app

CALENDAR = {
    "id": "office",
    "timezone": "Asia/Shanghai",
    "weekly": {day: [["09:00", "12:00"], ["13:30", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    "holidays": ["2026-03-04"],
    "published_until": "2026-12-31",
}


@pytest.fixture
def calendar(tmp_path: Path) -> Path:
    file = tmp_path / "calendar.json"
    file.write_text(json.dumps(CALENDAR))
    return file


def ask(command: str, calendar: Path, *lines: bytes | dict[str, Any], exits: int = 0) -> list[dict[str, Any]]:
    given = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    result = CliRunner().invoke(app, [command, "--calendar", str(calendar)], input=given)
    assert result.exit_code == exits, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_working_minutes_are_due_with_the_intervals_that_led_there(calendar: Path) -> None:
    assert ask("due", calendar, {"start": "2026-03-02T17:00:00+08:00", "working_minutes": 120}) == [
        {
            "due_at": "2026-03-03T02:00:00Z",
            "provisional": False,
            "intervals": [
                ["2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z"],
                ["2026-03-03T01:00:00Z", "2026-03-03T02:00:00Z"],
            ],
        }
    ]


def test_working_days_count_from_the_day_after_and_end_when_the_last_one_closes(calendar: Path) -> None:
    (answer,) = ask("due", calendar, {"start": "2026-03-03T10:00:00+08:00", "working_days": 1})
    assert answer["due_at"] == "2026-03-05T10:00:00Z"  # the 4th is a holiday
    assert answer["intervals"][0] == ["2026-03-03T02:00:00Z", "2026-03-03T04:00:00Z"]


def test_elapsed_time_has_no_intervals_and_is_never_provisional(calendar: Path) -> None:
    assert ask("due", calendar, {"start": "2026-12-31T23:00:00+08:00", "elapsed": "PT48H"}) == [
        {"due_at": "2027-01-02T15:00:00Z", "provisional": False, "intervals": []}
    ]


def test_what_reaches_days_that_nobody_has_published_is_provisional(calendar: Path) -> None:
    answers = ask(
        "due",
        calendar,
        {"start": "2026-12-31T17:00:00+08:00", "working_minutes": 60},
        {"start": "2026-12-31T17:00:00+08:00", "working_minutes": 60.5},
        {"start": "2026-12-31T17:00:00+08:00", "working_days": 1},
    )
    assert [answer["provisional"] for answer in answers] == [False, True, True]


def test_elapsed_answers_with_working_minutes(calendar: Path) -> None:
    answers = ask(
        "elapsed",
        calendar,
        {"start": "2026-03-02T11:00:00+08:00", "end": "2026-03-03T10:00:00+08:00"},
        {"start": "2026-03-02T09:00:00+08:00", "end": "2026-03-02T09:00:30+08:00"},
        {"start": "2026-03-02T10:00:00+08:00", "end": "2026-03-02T09:00:00+08:00"},
    )
    assert answers == [{"working_minutes": 390}, {"working_minutes": 0.5}, {"working_minutes": -60}]


@pytest.mark.parametrize(
    ("line", "field", "rule"),
    [
        ({"working_minutes": 5}, "start", "is missing"),
        ({"start": "2026-03-02T09:00:00", "working_minutes": 5}, "start", "with its offset"),
        ({"start": "yesterday", "working_minutes": 5}, "start", "must be an instant"),
        ({"start": "1850-03-02T09:00:00Z", "working_minutes": 5}, "start", "1900 to 2199"),
        ({"start": "2199-03-02T09:00:00Z", "working_days": 5000}, "due_at", "1900 to 2199"),
        ({"start": "2199-03-02T09:00:00Z", "elapsed": "P5000D"}, "due_at", "1900 to 2199"),
        ({"start": "2026-03-02T09:00:00Z"}, "line", "exactly one of working_minutes"),
        ({"start": "2026-03-02T09:00:00Z", "working_days": 1, "elapsed": "PT1H"}, "line", "exactly one"),
        ({"start": "2026-03-02T09:00:00Z", "working_days": 0}, "working_days", ">= 1"),
        ({"start": "2026-03-02T09:00:00Z", "working_days": 1.5}, "working_days", "Expected `int`"),
        ({"start": "2026-03-02T09:00:00Z", "working_minutes": -1}, "working_minutes", ">= 0"),
        ({"start": "2026-03-02T09:00:00Z", "working_minutes": 1e30}, "working_minutes", "<="),
        ({"start": "2026-03-02T09:00:00Z", "working_minutes": None}, "working_minutes", "got `null`"),
        ({"start": "2026-03-02T09:00:00Z", "elapsed": "-PT1H"}, "elapsed", "between nothing and 100 years"),
        ({"start": "2026-03-02T09:00:00Z", "elapsed": "two days"}, "elapsed", "ISO 8601"),
        ({"start": "2026-03-02T09:00:00Z", "elapsed": "P1M"}, "elapsed", "Only units"),
        ({"start": "2026-03-02T09:00:00Z", "hours": 1}, "hours", "is not a field"),
        (b"{", "line", "must be JSON"),
        (b"[]", "line", "Expected `object`"),
        (b"\xff\x00", "line", "must be JSON"),
    ],
)
def test_a_bad_line_is_answered_with_field_and_rule_and_its_neighbours_are_not_lost(
    calendar: Path, line: bytes | dict[str, Any], field: str, rule: str
) -> None:
    good = {"start": "2026-03-02T09:00:00+08:00", "working_minutes": 5}
    first, bad, last = ask("due", calendar, good, line, good, exits=1)
    assert (
        first
        == last
        == {
            "due_at": "2026-03-02T01:05:00Z",
            "provisional": False,
            "intervals": [["2026-03-02T01:00:00Z", "2026-03-02T01:05:00Z"]],
        }
    )
    assert (bad["field"], bad["line"]) == (field, 2)
    assert rule in bad["rule"]
    assert bad["error"] in ("malformed", "out-of-range")


def test_an_end_out_of_range_is_named(calendar: Path) -> None:
    (bad,) = ask("elapsed", calendar, {"start": "2026-03-02T09:00:00Z", "end": "2300-01-01T00:00:00Z"}, exits=1)
    assert (bad["field"], bad["error"]) == ("end", "out-of-range")


def test_blank_lines_and_no_lines_are_no_questions(calendar: Path) -> None:
    assert ask("due", calendar, b"", b"  ") == []
    assert ask("elapsed", calendar) == []


def test_a_calendar_that_is_refused_answers_nothing_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "calendar.json"
    file.write_text(json.dumps({**CALENDAR, "timezone": "Mars/Base"}))
    for path, field, error in ((file, "timezone", "calendar-refused"), (tmp_path / "none", "calendar", "malformed")):
        result = CliRunner().invoke(app, ["due", "--calendar", str(path)], input=b"{}\n")
        assert (result.exit_code, result.stdout) == (2, "")
        said = json.loads(result.stderr)
        assert (said["field"], said["error"]) == (field, error)
