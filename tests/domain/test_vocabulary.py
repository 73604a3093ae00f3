"""The page of commands and events is the code's own, and lists every rejection that the code can give."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from complaints.commands import COMMAND_TYPES
from complaints.desk_events import DESK_EVENT_TYPES
from complaints.events import EVENT_TYPES
from redress.vocabulary import app, renewed, tables

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "vocabulary.md"
RUNNER = CliRunner()


def row(table: str, name: str) -> dict[str, Any]:
    return next(row for row in tables()[table] if row["name"] == name)


def fields(table: str, name: str) -> dict[str, dict[str, Any]]:
    return {field["field"]: field for field in row(table, name)["data"]}


def test_the_page_is_current() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == renewed(page), "redress vocabulary --write docs/vocabulary.md"


@pytest.mark.parametrize(
    ("table", "names"), [("commands", COMMAND_TYPES), ("events", EVENT_TYPES), ("desk-events", DESK_EVENT_TYPES)]
)
def test_every_command_and_every_event_is_on_the_page(table: str, names: dict[str, object]) -> None:
    assert {row["name"] for row in tables()[table] if "." in row["name"] or row["name"] in names} == set(names)
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_a_field_says_its_type_whether_it_may_be_absent_and_what_it_is() -> None:
    started = fields("events", "clock.started")
    assert started["from"] == {"field": "from", "type": "instant", "optional": False, "note": None}
    assert (started["due_at"]["type"], started["due_at"]["optional"]) == ("instant?", False)
    assert (started["intervals"]["type"], started["intervals"]["optional"]) == ("[[instant, instant]]", True)
    assert "working intervals" in started["intervals"]["note"]
    assert fields("commands", "receive")["again_of"]["type"] == "{complaint, relation}"
    assert fields("commands", "judge")["to"]["type"] == "text | int"


def test_the_envelope_is_no_data() -> None:
    for table, names in (("commands", COMMAND_TYPES), ("events", EVENT_TYPES), ("desk-events", DESK_EVENT_TYPES)):
        data = {row["name"]: {field["field"] for field in row["data"]} for row in tables()[table]}
        assert not [name for name in names if {"at", "clause", "rule", "inputs", "id"} & data[name]]


def test_a_link_names_the_other_complaint_as_the_wire_does() -> None:
    assert set(fields("commands", "link")) == {"complaint", "relation"}


def test_what_many_share_is_listed_once() -> None:
    assert row("events", "complaint.closed")["is"] == "a record"
    assert fields("events", "complaint.closed") == {}
    assert "as" in fields("events", "a record")
    assert row("commands", "close")["is"] == "what is said with a record"
    assert set(fields("commands", "record-step")) == {"step"}


def test_commands_of_services_are_marked() -> None:
    assert row("commands", "fire-timer")["sent_by"] == "services"
    assert row("commands", "close")["sent_by"] == "people"


def test_the_command_prints_checks_and_renews(tmp_path: Path) -> None:
    printed = RUNNER.invoke(app, ["--json"])
    assert printed.exit_code == 0
    names = {json.loads(line)["name"] for line in printed.output.splitlines()}
    assert {*COMMAND_TYPES, *EVENT_TYPES, *DESK_EVENT_TYPES} <= names
    assert "| `clock.breached` |" in RUNNER.invoke(app, []).output

    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- events -->\nold\n<!-- /events -->\nAfter.\n", encoding="utf-8")
    stale = RUNNER.invoke(app, ["--check", str(page)])
    assert stale.exit_code == 1
    assert "not current" in stale.output
    assert RUNNER.invoke(app, ["--write", str(page)]).exit_code == 0
    assert RUNNER.invoke(app, ["--check", str(page)]).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert "old" not in text.splitlines()


def given() -> Iterator[str]:
    """Every code that the code rejects with, where it is written out."""
    for file in (*(ROOT / "shared" / "complaints").rglob("*.py"), *(ROOT / "services").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Rejected", "Unknown") and node.args:
                first = node.args[0]
                for code in (first.body, first.orelse) if isinstance(first, ast.IfExp) else (first,):
                    if isinstance(code, ast.Constant) and isinstance(code.value, str):
                        yield code.value


def test_every_rejection_is_on_the_page_and_no_other() -> None:
    table = PAGE.read_text(encoding="utf-8").split("## Rejections")[1].split("\n\nA request that")[0]
    codes = {code for line in table.splitlines() if line.startswith("| ") for code in re.findall(r"`([a-z-]+)`", line)}
    data = {"outcomes", "bar", "hold", "candidates", "facts", "choices", "of"}
    assert set(given()) - codes == set()
    assert codes - data - set(given()) == set()
