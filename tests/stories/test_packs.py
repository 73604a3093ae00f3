"""The shipped packs as documents: what they quote, translate and cite."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from complaints.procedure.library import open_pack, packs

TEXTS = files("complaints") / "packs" / "texts"
STORIES = Path(__file__).parent
SHIPPED = sorted(packs())


def rows(node: Any) -> Iterator[dict[str, Any]]:
    """Every row of a pack that has a title or words of the text, outermost first."""
    if isinstance(node, dict):
        if "title" in node or "says" in node:
            yield node
        for key, value in node.items():
            if key != "en":
                yield from rows(value)
    elif isinstance(node, list):
        for value in node:
            yield from rows(value)


def document(pack: str) -> dict[str, Any]:
    return dict(YAML(typ="safe").load(packs()[pack].text))


def words(text: str) -> str:
    """Letters and digits alone, in lower case: what a sentence says, however it is cut."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def untranslated(row: dict[str, Any]) -> bool:
    both = "title" in row and "says" in row
    shape = {"title", "says"} if both else None
    en = row.get("en")
    if shape is not None:
        return not (isinstance(en, dict) and set(en) == shape and all(isinstance(v, str) and v for v in en.values()))
    return not (isinstance(en, str) and en)


@pytest.mark.parametrize("pack", SHIPPED)
def test_every_title_and_every_quotation_of_a_shipped_pack_in_chinese_has_an_english_translation(pack: str) -> None:
    if open_pack(pack).lang == "zh":
        assert [row for row in rows(document(pack)) if untranslated(row)] == []


@pytest.mark.parametrize("pack", SHIPPED)
def test_no_translation_still_holds_chinese_words_without_an_english_one(pack: str) -> None:
    said = [row["en"] for row in rows(document(pack)) if "en" in row]
    texts = [text for en in said for text in (en.values() if isinstance(en, dict) else [en])]
    assert [text for text in texts if re.search(r"[\u4e00-\u9fff]", text)] == []


@pytest.mark.parametrize("pack", SHIPPED)
def test_a_shipped_pack_stands_beside_the_text_that_it_quotes_and_loads(pack: str) -> None:
    assert packs()[pack].source is not None
    assert open_pack(pack).id == pack


def test_the_plain_desk_cites_every_article_of_its_own_text() -> None:
    text = (TEXTS / "00-plain-desk.zh.md").read_text(encoding="utf-8")
    articles = set(re.findall(r"^(第[一二三四五六七八九十]+条)", text, re.MULTILINE))
    cited = set(re.findall(r"(第[一二三四五六七八九十]+条)", packs()["00-plain-desk"].text))
    assert articles == cited


def test_the_english_of_the_plain_desk_is_taken_from_its_own_english_text() -> None:
    text = words((TEXTS / "00-plain-desk.en.md").read_text(encoding="utf-8"))
    quoted = [
        row["en"]["says"] if "title" in row else row["en"] for row in rows(document("00-plain-desk")) if "says" in row
    ]
    assert [en for en in quoted for piece in en.split("…") if words(piece) not in text] == []


def test_both_texts_of_the_plain_desk_have_the_same_articles_in_the_same_order() -> None:
    chinese = re.findall(r"^第(\S+)条 ", (TEXTS / "00-plain-desk.zh.md").read_text(encoding="utf-8"), re.MULTILINE)
    english = re.findall(
        r"^\*\*Article (\d+)\*\*", (TEXTS / "00-plain-desk.en.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [int(n) for n in english] == list(range(1, len(chinese) + 1))


def test_every_story_has_its_expectations_and_a_pack_that_exists() -> None:
    stories = {p.stem for p in STORIES.glob("*.jsonl")}
    assert stories == {p.stem for p in STORIES.glob("*.expect")}
    known = {f"{pack}.yaml" for pack in SHIPPED} | {p.name for p in (STORIES / "probes").glob("*.yaml")}
    used = {re.match(r'\{"pack": "([^"]+)"', (STORIES / f"{s}.jsonl").read_text(encoding="utf-8")) for s in stories}
    assert {m[1] for m in used if m} <= known
    assert None not in used
