"""What the read models keep of a stream, from its events alone."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from complaints.errors import Malformed
from complaints.handling import Handled
from ledger.alarms import Alarm
from ledger.files import File, Files
from ledger.paging import cursor_of, instant, key_of, next_link, whole, yes_no
from ledger.projections.model import Target, shape_of
from ledger.projections.register import Register, row_of
from ledger.register import COLUMNS, csv_lines, question
from ledger.reports import without
from tests.memory_world import LEAD, MONDAY, PLAIN, World


@pytest.fixture
def memory() -> World:
    return World()


async def filed(memory: World, case: str, files: Files | None = None) -> File:
    files = files or Files(memory.store, memory.sealing)
    found = await files.load((await memory.records(case))[0].stream_id)
    assert found is not None
    return found


async def received(memory: World, **data: Any) -> str:
    case = str(uuid4())
    facts = {"content": "It leaks.", "subject": "repair"}
    done: Handled = await memory.send("receive", case, channel="phone", facts=facts, **data)
    return str(done.stream_id)


async def test_a_row_holds_no_personal_value(memory: World) -> None:
    case = await received(memory, complainant="Zhang San", contact={"email": "z@example.org"})
    view = await memory.desks.current("demo")
    row = row_of(await filed(memory, case), PLAIN, view.calendar)
    assert row["facts"] == {"subject": "repair"}
    assert "Zhang" not in str(row)
    assert "leaks" not in str(row)
    assert (row["status"], row["channel"], row["next_clock"]) == ("open", "phone", "acknowledge")
    assert row["next_due"] == MONDAY + timedelta(hours=1)


async def test_a_row_is_the_same_whoever_folds_it_and_in_how_many_batches(memory: World) -> None:
    case = await received(memory)
    memory.now += timedelta(minutes=5)
    await memory.send("assign", case, LEAD)
    records = await memory.records(case)
    view = await memory.desks.current("demo")
    rows = []
    for cuts in ([len(records)], [1, len(records)], [3, 7, len(records)], list(range(1, len(records) + 1))):
        files, begun = Files(memory.store, memory.sealing), 0
        file: File | None = None
        for cut in cuts:
            (file,) = await files.upto(records[begun:cut])
            begun = cut
        assert file is not None
        rows.append(row_of(file, PLAIN, view.calendar))
    (skipping,) = await Files(memory.store, memory.sealing).upto(records[-1:])
    rows.append(row_of(skipping, PLAIN, view.calendar))
    assert all(row == rows[0] for row in rows)


async def test_what_was_handled_before_changes_no_file(memory: World) -> None:
    case = await received(memory)
    records, files = await memory.records(case), Files(memory.store, memory.sealing)
    (first,) = await files.upto(records)
    assert await files.upto(records[:3]) == [first]


async def test_an_alarm_rings_until_what_it_is_about_is_done(memory: World) -> None:
    case = await received(memory)
    memory.now += timedelta(days=2)
    await memory.send("assign", case, LEAD)
    alarms = (await filed(memory, case)).alarms
    late = {alarm.escalation.subject: alarm for alarm in alarms if alarm.kind == "clock.breached"}
    assert late["acknowledge"].settled_at is None
    assert late["assign"].settled_by == "complaint.assigned"
    await memory.send("resolve", case)
    await memory.send("close", case)
    assert all(settled(alarm) for alarm in (await filed(memory, case)).alarms)


def settled(alarm: Alarm) -> bool:
    return alarm.settled_at is not None


def test_another_meaning_of_the_same_columns_is_another_shape(memory: World) -> None:
    register = Register(memory.desks)
    before = shape_of(register)
    assert before == shape_of(Register(memory.desks))
    register.meaning = 2  # as another release would say
    assert shape_of(register) != before
    assert Target("register", 3).schema == "rm_register_v3"


# --- questions ---
def test_a_cursor_holds_the_key_of_a_row_and_nothing_else_is_one() -> None:
    cursor = cursor_of(MONDAY, "x")
    assert key_of(cursor, datetime, str) == (MONDAY, "x")
    for bad in ("", "!", "AAAA", cursor_of(1, 2), cursor + "x"):
        with pytest.raises(Malformed) as refused:
            key_of(bad, datetime, str)
        assert refused.value.field == "after"


def test_the_next_page_is_the_same_question() -> None:
    assert next_link("/x", [("status", "open"), ("after", "old")], "new") == "/x?status=open&after=new"


@pytest.mark.parametrize("value", ["2026-03-02T09:00:00+08:00", "2026-03-02T09:00:00 08:00", "2026-03-02T01:00:00Z"])
def test_an_instant_is_read_with_its_offset(value: str) -> None:
    assert instant(value, "at") == datetime(2026, 3, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("value", ["2026-03-02", "2026-03-02T09:00:00", "monday", "9999999-01-01T00:00:00Z"])
def test_what_is_no_instant_is_refused_and_named(value: str) -> None:
    with pytest.raises(Malformed) as refused:
        instant(value, "as_of")
    assert refused.value.field == "as_of"


@pytest.mark.parametrize("asked", [
    {"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"overdue": "perhaps"}, {"order": "random"}, {"nonsense": "1"},
])  # fmt: skip
def test_a_question_that_cannot_be_asked_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        question("demo", asked, frozenset())


def test_numbers_and_answers_are_read() -> None:
    assert (whole("7", "limit", 1, 10), whole(None, "limit", 5, 10)) == (7, 5)
    assert [yes_no(said, "x") for said in ("true", "false", "", None)] == [True, False, None, None]


def test_a_cell_that_a_spreadsheet_would_run_is_text() -> None:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"title": "=HYPERLINK(1)", "owner": "-1+1", "breached": -3, "facts": {"a": 'say "x", y\n'}}
    (read,) = csv.DictReader(io.StringIO(csv_lines([row], header=True), newline=""))
    assert (read["title"], read["owner"], read["breached"]) == ("'=HYPERLINK(1)", "'-1+1", "-3")
    assert read["facts"] == '{"a": "say \\"x\\", y\\n"}'


def test_a_list_of_a_report_loses_the_facts_that_are_kept_back_and_figures_stay() -> None:
    figures = [
        {"count": "received", "by": "content", "is": {"content": 2}},
        {"list": "escalated", "is": {"a": [{"complaint": "1", "content": "x", "place": "p"}]}},
    ]
    assert without(figures, {"content"}) == [
        {"count": "received", "by": "content", "is": {"content": 2}},
        {"list": "escalated", "is": {"a": [{"complaint": "1", "place": "p"}]}},
    ]
    assert without("not-stated: …", {"content"}) == "not-stated: …"
