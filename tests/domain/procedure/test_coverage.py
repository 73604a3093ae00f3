"""Of every clause it can be said what becomes of it, and by which rows."""

from __future__ import annotations

from complaints.procedure.coverage import coverage, unlisted
from complaints.procedure.library import clauses_of, open_pack
from tests.domain.procedure.packfiles import whole

LIST = "clause\tkind\n" + "".join(f"{n}\tkind {n}\n" for n in range(1, 26))


def test_every_clause_of_the_list_has_one_line_in_the_order_of_the_text() -> None:
    found = coverage(whole(), LIST)
    assert [c.id for c in found] == [f"90:{n}" for n in range(1, 26)]
    assert found[3].kind == "kind 4"


def test_what_a_row_executes_records_or_only_advises_is_told_apart() -> None:
    found = {c.id: c for c in coverage(whole(), LIST)}
    assert found["90:4"].status == "executed"
    rows = ("grade.rows.1", "grade.rows.2", "grade.rows.3")
    assert found["90:4"].rules == (*rows, "harm", "households", "serious")
    assert "decided by a table" in found["90:4"].why
    assert (found["90:1"].status, found["90:1"].rules) == ("recorded", ("pack.in-force", "pack.amended-by", "service"))
    assert (found["90:21"].status, found["90:21"].rules) == ("guidance", ("guidance.1", "guidance.2"))


def test_advice_is_told_with_its_words_and_where_it_is_shown() -> None:
    found = {c.id: c for c in coverage(open_pack("19"), clauses_of("19-dongwu-futures"))}
    assert found["19:第十三条"].why == "shown at intake: 坚持“冷处理”原则"


def test_what_is_open_about_a_clause_is_told_with_it() -> None:
    found = {c.id: c for c in coverage(whole(), LIST)}
    assert "whether a case may be taken up twice is not said" in found["90:12"].why
    assert "both clauses name a limit" in found["90:8"].why
    assert "both clauses name a limit" in found["90:10"].why


def test_a_clause_that_no_row_restates_is_not_executable() -> None:
    found = {c.id: c for c in coverage(whole(), LIST)}
    assert (found["90:24"].status, found["90:24"].rules) == ("not-executable", ())
    assert found["90:24"].why == "no row of the pack restates it"


def test_a_clause_of_which_only_a_note_speaks_is_not_executable_and_says_why() -> None:
    pack = whole(None, ("- {clause: ['8', '10'], issue:", "- {clause: '25', issue:"))
    found = {c.id: c for c in coverage(pack, LIST)}
    assert found["90:25"].status == "not-executable"
    assert found["90:25"].why == "both clauses name a limit for the same department"


def test_without_a_list_the_clauses_are_those_that_the_pack_cites() -> None:
    found = {c.id: c.status for c in coverage(whole(), None)}
    assert "90:24" not in found
    assert found["90:21"] == "guidance"


def test_a_citation_of_a_clause_that_the_text_has_not_is_found() -> None:
    pack = whole(None, ("{role: gate, title: 门卫, clause: '2'}", "{role: gate, title: 门卫, clause: '2.1'}"))
    assert [(c.clause, c.rule) for c in unlisted(pack, LIST)] == [("2.1", "gate")]


def test_the_catalogue_of_a_shipped_procedure_is_accounted_for() -> None:
    found = {c.id: c for c in coverage(open_pack("19"), clauses_of("19-dongwu-futures"))}
    assert len(found) == 56
    assert found["19:第十七条(二)"].status == "executed"
    assert "forward" in found["19:第十七条(二)"].rules
    assert found["19:第三条"].status == "guidance"
