"""A pack as a page: everything that it says stands there beside the text's own words, and its picture can be drawn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from complaints.procedure.library import clauses_of, open_pack, packs
from redress.packs import app
from redress.packs_page import index, page
from redress.packs_picture import picture
from tests.domain.procedure.packfiles import whole

SHIPPED = sorted(packs())
PAGES = Path(__file__).parents[2] / "docs" / "packs"
RUNNER = CliRunner()

TEXT = r'"[^"\n]+"'
NODE = re.compile(
    rf"(?P<id>[a-z][a-z0-9_]*)(\[{TEXT}\]|\{{\{{{TEXT}\}}\}}|\[/{TEXT}/\]|\(\[{TEXT}\]\)|\[\[{TEXT}\]\]|>{TEXT}\]"
    rf"|\(\(\({TEXT}\)\)\)|\(\({TEXT}\)\))"
)
ARROW = re.compile(rf"(?P<tail>[a-z]\w*) (-->|-\.->|==>)(\|{TEXT}\|)? (?P<head>[a-z]\w*)")
SUBGRAPH = re.compile(rf"subgraph part_\d+\[{TEXT}\]")


def page_of(pack: str) -> str:
    return page(open_pack(pack), clauses_of(pack))


def drawn(mermaid: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The nodes and arrows of a flowchart, read by the part of Mermaid's grammar that the pictures use."""
    first, *lines = mermaid.splitlines()
    assert first == "flowchart TD"
    nodes, arrows, depth = [], [], 0
    for line in (line.strip() for line in lines):
        if SUBGRAPH.fullmatch(line):
            depth += 1
        elif line == "end":
            depth -= 1
        elif node := NODE.fullmatch(line):
            nodes.append(node["id"])
        elif arrow := ARROW.fullmatch(line):
            arrows.append((arrow["tail"], arrow["head"]))
        else:
            assert re.fullmatch(r"classDef upward [a-z0-9:,#-]+|class [a-z0-9_,]+ upward", line), line
        assert 0 <= depth <= 1
    assert depth == 0
    return nodes, arrows


@pytest.mark.parametrize("pack", SHIPPED)
def test_the_picture_of_a_pack_can_be_drawn_and_shows_every_step(pack: str) -> None:
    procedure = open_pack(pack)
    nodes, arrows = drawn(picture(procedure))
    assert nodes == ["received", *(f"s_{step}" for step in procedure.steps)]
    assert {end for arrow in arrows for end in arrow} == set(nodes)


@pytest.mark.parametrize("pack", SHIPPED)
def test_the_page_of_a_pack_has_the_words_of_every_row_and_every_place_that_the_text_leaves_open(pack: str) -> None:
    procedure, text = open_pack(pack), plain(page_of(pack))
    assert [c.says for c in procedure.citations if c.says and plain(c.says) not in text] == []
    assert [c.rule for c in procedure.citations if plain(c.clause) not in text] == []
    assert [place for place in procedure.places if f"`{place}`" not in text] == []
    assert [issue for _, issue in procedure.notes if plain(issue) not in text] == []


@pytest.mark.parametrize("pack", SHIPPED)
def test_the_page_of_a_pack_is_current(pack: str) -> None:
    assert (PAGES / f"{pack}.md").read_text(encoding="utf-8") == page_of(pack), "redress packs pages --write docs/packs"


def test_there_are_no_other_pages() -> None:
    there = sorted(file.name for file in PAGES.glob("*.md"))
    assert there == sorted(["README.md", *(f"{pack}.md" for pack in SHIPPED)])
    assert (PAGES / "README.md").read_text(encoding="utf-8") == index(open_pack(pack) for pack in packs())


def plain(text: str) -> str:
    """A text without white space and without what keeps Markdown from reading it as markup."""
    for entity, letter in (("&lt;", "<"), ("&gt;", ">")):
        text = text.replace(entity, letter)
    return re.sub(r"\s|\\", "", text)


def test_a_limit_stands_there_with_how_it_counts_what_starts_pauses_and_stops_it_and_what_follows() -> None:
    rows = page(whole(), None).splitlines()
    (ageing,) = (row for row in rows if row.startswith("| `ageing` | 1 month | 日历月"))
    assert ageing.split(" | ")[2:] == [
        "日历月 calendar months",
        "received",
        "at\\_lab",
        "finish.done; off: finish.attempts &gt; 9",
        "",
        "23 |",
    ]


def test_what_a_desk_answered_is_marked_on_its_page(tmp_path: Path) -> None:
    desk = tmp_path / "desk.json"
    desk.write_text('{"answers": {"first_day.answer": "same_day"}}', encoding="utf-8")
    result = RUNNER.invoke(app, ["page", "19", "--desk", str(desk)])
    assert result.exit_code == 0, result.output
    assert "places left open 未定之处: " in result.output
    assert "; 1 answered by the desk" in result.output
    (place,) = (line for line in result.output.splitlines() if line.startswith("| `first_day.answer` |"))
    assert place.startswith("| `first_day.answer` | same\\_day | next\\_day |")
    assert "| ✓ |" in place


def test_the_pages_are_written_into_a_folder(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["pages", "19", "--write", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert [file.name for file in tmp_path.iterdir()] == ["19-dongwu-futures.md"]
    assert (tmp_path / "19-dongwu-futures.md").read_text(encoding="utf-8") == page_of("19-dongwu-futures")
