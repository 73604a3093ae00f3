"""The example of the how-to: it loads as it stands there, and its story comes out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from complaints.business_time import parse_calendar
from complaints.procedure.library import find_pack
from redress.simulation import World, read_scenario
from tests.expectations import lines, unmet

PAGE = Path(__file__).parents[2] / "docs" / "how-to-write-a-pack.md"
BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS: dict[str, str] = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the example, as a reader would write them down."""
    for name, text in BLOCKS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_example_of_the_how_to_has_a_text_a_pack_a_story_and_a_desk() -> None:
    files = {f"corner-shop.{end}" for end in ("en.md", "yaml", "jsonl", "expect")}
    assert set(BLOCKS) == files | {"calendar.json", "desk.json"}


def test_the_desk_of_the_how_to_has_a_calendar_and_answers_that_its_pack_takes(folder: Path) -> None:
    assert parse_calendar(BLOCKS["calendar.json"]).timezone == "Europe/London"
    answers = json.loads(BLOCKS["desk.json"])["answers"]
    assert find_pack(folder / "corner-shop.yaml").load(answers).answered


def test_the_pack_of_the_how_to_quotes_its_text_and_runs_its_story(folder: Path) -> None:
    pack = find_pack(folder / "corner-shop.yaml")
    assert pack.source == BLOCKS["corner-shop.en.md"]
    scenario = read_scenario((folder / "corner-shop.jsonl").read_bytes(), file="corner-shop.jsonl")
    until = scenario.head.until
    assert until is not None
    world = World.of(pack.load()).run(scenario.commands, until)
    wanted = [json.loads(line) for line in BLOCKS["corner-shop.expect"].splitlines()]
    assert list(unmet(wanted, lines(world), world, until)) == []
