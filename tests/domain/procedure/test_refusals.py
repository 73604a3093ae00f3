"""Packs that the engine would not execute as written are refused, each for its own reason and at its own place."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from complaints.errors import PackRefused
from complaints.procedure.loading import load
from tests.domain.procedure.packfiles import source_of, text_of

CORPUS = Path(__file__).with_name("refused.tsv")


def rows() -> list[dict[str, str]]:
    with CORPUS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["reason"])
def test_a_damaged_pack_is_refused_for_its_own_reason_at_its_own_line_and_clause(row: dict[str, str]) -> None:
    old, new = (row[key].replace("\\n", "\n") for key in ("old", "new"))
    whole = text_of(row["file"])
    assert old in whole
    text = whole.replace(old, new, 1)

    with pytest.raises(PackRefused) as refused:
        load(text, file=row["file"], source=source_of(row["file"]))

    error = refused.value
    first = {"line": error.line, "column": error.column, "why": error.reason, "clause": error.clause}
    told = [first, *error.data.get("also", [])]
    mine = next((one for one in told if row["says"] in one["why"]), None)
    assert mine is not None, told
    on = text.splitlines()[mine["line"] - 1]
    assert row["on"] in on, mine
    assert 1 <= mine["column"] <= len(on) + 1
    clause = mine["clause"] or ""
    assert row["clause"] == (clause if isinstance(clause, str) else ", ".join(clause))


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\u2029"])
def test_what_ends_a_line_for_some_readers_only_is_refused_where_it_stands(odd: str) -> None:
    with pytest.raises(PackRefused) as refused:
        load(f"pack:\n  title: a{odd}b\n  version: x\n", file="odd.yaml")
    assert (refused.value.line, refused.value.column) == (2, 11)
    assert f"write it \\u{ord(odd):04x}" in refused.value.reason


def test_every_reason_is_there_once() -> None:
    reasons = [row["reason"] for row in rows()]
    assert len(set(reasons)) == len(reasons)


def test_what_the_same_phase_finds_is_told_together() -> None:
    text = text_of("whole.yaml").replace("by: inspector", "by: inspecter").replace("form: book\n", "form: booklet\n")

    with pytest.raises(PackRefused) as refused:
        load(text, file="whole.yaml")

    assert "no such form: booklet" in refused.value.reason
    others = refused.value.data["also"]
    assert [(other["file"], other["clause"]) for other in others] == [("whole.yaml", "11"), ("whole.yaml", "15")]
    assert all("no such role: inspecter" in other["why"] for other in others)


def test_a_refusal_carries_file_line_column_and_the_clause_of_its_row() -> None:
    text = text_of("whole.yaml").replace("    after: register\n", "    after: registry\n")

    with pytest.raises(PackRefused) as refused:
        load(text, file="mine.yaml")

    line = text.splitlines().index("    after: registry") + 1
    assert (refused.value.file, refused.value.line, refused.value.column) == ("mine.yaml", line, 12)
    assert refused.value.clause == "7"
    assert str(refused.value).startswith(f"mine.yaml:{line}:12: no such step: registry")


def test_the_column_of_a_condition_is_that_of_the_file() -> None:
    text = text_of("whole.yaml").replace("    when: serious || kind == goods", '    when: "serious || kinds == goods"')

    with pytest.raises(PackRefused) as refused:
        load(text, file="whole.yaml")

    line = next(line for line in text.splitlines() if "kinds" in line)
    assert line[refused.value.column - 1 :].startswith("kinds")
