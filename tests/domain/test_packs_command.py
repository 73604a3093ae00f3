"""``redress packs``: what a pack says, what it leaves open, what is wrong with it, and what becomes of each clause."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from complaints.errors import Unknown
from complaints.procedure import schema
from complaints.procedure.library import packs
from redress.packs import app
from tests.domain.procedure.packfiles import WHOLE

LANGUAGE = Path(__file__).parents[2] / "docs" / "language.md"
RUNNER = CliRunner()


def run(*arguments: str, code: int = 0) -> str:
    result = RUNNER.invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def lines(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(*arguments, "--json", code=code).splitlines()]


def damaged(folder: Path, old: str, new: str) -> str:
    text = WHOLE.read_text(encoding="utf-8")
    assert old in text
    file = folder / "whole.yaml"
    file.write_text(text.replace(old, new), encoding="utf-8")
    (folder / "whole.zh.md").write_text(WHOLE.with_name("whole.zh.md").read_text(encoding="utf-8"), encoding="utf-8")
    return str(file)


def test_list_names_the_shipped_packs() -> None:
    assert [row["pack"] for row in lines("list")] == list(packs())
    assert "19-dongwu-futures  version" in run("list")


def test_coverage_gives_one_line_for_each_clause_of_the_catalogue() -> None:
    rows = lines("coverage", "19")
    assert len(rows) == 56
    assert all(row.keys() == {"clause", "status", "rules", "why"} for row in rows)
    assert {row["status"] for row in rows} <= {"executed", "recorded", "guidance", "not-executable"}
    (slip,) = (row for row in rows if row["clause"] == "19:第十七条(二)")
    assert slip["status"] == "executed"
    assert {"write_slip", "forward"} <= set(slip["rules"])


def test_coverage_without_a_number_covers_every_shipped_pack() -> None:
    numbers = {row["clause"].partition(":")[0] for row in lines("coverage")}
    assert {"04", "15", "19"} <= numbers
    assert "19:第十七条(二)  executed" in run("coverage", "19")


def test_lint_explains_every_warning_reading_and_silence_with_line_and_clause() -> None:
    rows = lines("lint", str(WHOLE))
    kinds = [row["kind"] for row in rows]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"warning": 3, "reading": 11, "silence": 12}
    text = WHOLE.read_text(encoding="utf-8").splitlines()
    assert all(row["file"] == "whole.yaml" and text[row["line"] - 1] for row in rows)
    (extension,) = (row for row in rows if row.get("place") == "call_back.extend.to")
    assert extension["why"] == "read as 48 h; it may be 72 h: in all or more"
    assert extension["clause"] == "10"
    (soft,) = (row for row in rows if row.get("place") == "hand_over.within")
    assert soft["why"] == "the text says only 及时"
    assert "whole.yaml:" in run("lint", str(WHOLE))


def test_lint_of_a_pack_that_is_refused_says_everything_that_the_phase_found_and_ends_with_1(tmp_path: Path) -> None:
    file = damaged(tmp_path, "    by: inspector\n    people: 2", "    by: inspecter\n    people: two")
    (row,) = lines("lint", file, code=1)
    assert (row["kind"], row["clause"]) == ("refused", "11")
    assert row["why"] == "people: a whole number from 1 stands here, not 'two'"

    rows = lines("lint", damaged(tmp_path, "by: inspector", "by: inspecter"), code=1)
    assert [row["kind"] for row in rows] == ["refused", "refused"]
    assert [row["clause"] for row in rows] == ["11", "15"]
    assert all("no such role: inspecter" in row["why"] and row["line"] > 1 for row in rows)


def test_lint_tries_every_value_that_a_reading_offers(tmp_path: Path) -> None:
    file = damaged(tmp_path, "from: {reading: hand_over, or: [received]", "from: {reading: hand_over, or: [nowhere]")
    rows = [row for row in lines("lint", file, code=1) if row["kind"] == "refused"]
    assert [(row["place"], row["why"]) for row in rows] == [("finish.from", "with 'nowhere': no such step: nowhere")]


def test_lint_says_when_no_quotation_could_be_looked_up(tmp_path: Path) -> None:
    alone = tmp_path / "alone.yaml"
    alone.write_text(WHOLE.read_text(encoding="utf-8"), encoding="utf-8")
    rows = lines("lint", str(alone))
    assert [row["why"] for row in rows if row.get("about") == "source"] == [
        "the text whole.zh.md is not at hand: no quotation was looked up"
    ]


def test_lint_of_the_shipped_packs_refuses_none() -> None:
    assert "refused" not in {row["kind"] for row in lines("lint")}


def test_places_show_what_a_desk_answered(tmp_path: Path) -> None:
    desk = tmp_path / "desk.json"
    desk.write_text(
        json.dumps({"answers": {"hand_over.within": "2 days", "hours.answer": "working"}}), encoding="utf-8"
    )
    rows = {row["place"]: row for row in lines("places", str(WHOLE), "--desk", str(desk))}
    assert (rows["hand_over.within"]["value"], rows["hand_over.within"]["answered"]) == ("2 days", True)
    assert (rows["finish.from"]["value"], rows["finish.from"]["offers"]) == ("hand_over", ["hand_over", "received"])
    printed = run("places", str(WHOLE), "--desk", str(desk))
    assert "hours.answer: the desk says working; it may be elapsed: the text says only 小时" in printed
    assert "hand_over.within: the desk says 2 days; the text says only 及时" in printed


def test_loops_tell_what_an_outcome_opens_again() -> None:
    rows = {(row["step"], row["outcome"]): row for row in lines("loops", str(WHOLE))}
    assert rows["consent", "refused"]["first"] == "plan"
    assert "finish" in rows["consent", "refused"]["then"]
    assert "register" not in rows["consent", "refused"]["then"]
    assert rows["check_fix", "bad"]["then"] == ["check_fix"]
    assert "check_fix bad: opens fix again, then check_fix" in run("loops", str(WHOLE))


def test_show_reads_a_pack_to_its_process_owner() -> None:
    rows = {row["rule"]: row for row in lines("show", str(WHOLE))}
    assert (
        rows["register"]["what"]
        == "receiver or service fill; within 1 h from received; records number; on book, all of it"
    )
    assert rows["register"]["says"] == "受理人应当在一小时内填写登记表…并编号"
    assert rows["register"]["en"] == "fill in the register within an hour and number it"
    assert rows["grade.rows.3"]["what"] == "grade is c otherwise"
    assert rows["grade.rows.2"]["what"] == "grade is b when households >= 3"
    assert rows["owner.rows.2"]["what"] == 'owner is the fact named_dept when named_dept != "none"'
    assert rows["ageing"]["what"] == (
        "1 month from received; pauses when at_lab; stops when finish.done; off when finish.attempts > 9"
    )
    assert rows["points_open"]["what"] == "no ended until point.open == 0 && book.complete"
    assert rows["blind"]["what"] == "content, complainant hidden from inspector"
    assert rows["heads_only"]["what"] == "only manager or head may consent; boss may never consent"
    assert rows["not_own"]["what"] == "nobody may inspect, when actor.person == register.person"
    assert rows["weekly"]["what"] == (
        "service owes it every week on Tuesday by 17:00; to manager, head; covers previous week"
    )
    assert "48 h when call_back.attempts > 0 && !call_back.done" in rows["call_back"]["what"]
    assert "整改: always, for each point" in run("show", str(WHOLE))


@pytest.mark.parametrize("name", list(packs()))
def test_every_shipped_pack_can_be_shown(name: str) -> None:
    assert len(lines("show", name)) > 10


def test_schema_prints_or_writes_the_schema_of_a_pack(tmp_path: Path) -> None:
    assert run("schema") == schema.document()
    file = tmp_path / "docs" / "pack.schema.json"
    assert lines("schema", "--write", str(file)) == [{"file": str(file)}]
    assert file.read_text(encoding="utf-8") == schema.document()


def test_every_field_of_the_language_is_listed_and_the_page_is_current(tmp_path: Path) -> None:
    rows = lines("fields")
    assert {"steps.rows", "desk.report: count", "pack.in-force"} <= {row["section"] for row in rows}
    (limit,) = (row for row in rows if (row["section"], row["field"]) == ("steps.rows", "within"))
    assert (limit["reading"], limit["silence"]) == (True, ["not-stated", "soft"])
    assert "**`steps.rows.extend`**" in run("fields")

    page = tmp_path / "language.md"
    page.write_text(LANGUAGE.read_text(encoding="utf-8"), encoding="utf-8")
    run("fields", "--write", str(page))
    assert page.read_text(encoding="utf-8") == LANGUAGE.read_text(encoding="utf-8")


def test_a_pack_that_is_none_is_said_to_be_none() -> None:
    result = RUNNER.invoke(app, ["show", "99"])
    assert isinstance(result.exception, Unknown)
    assert result.exception.code == "no-such-pack"
