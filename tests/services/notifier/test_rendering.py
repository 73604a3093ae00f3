"""What messages say, in both languages and under every pack that is shipped."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from jinja2 import Environment, meta

from complaints.procedure.library import packs
from notifier import rendering
from notifier.messages import Kind
from notifier.rendering import LANGUAGES, MANDATORY, ContentMissing, TemplateBroken, language_of, render

FULL: Mapping[str, str] = {
    "reference": "3d1f0c52-7b1e-5f6a-9d7e-0c9b8a7f6e5d",
    "desk": "Desk of Tests",
    "procedure": "客户投诉处理制度",
    "procedure_in_english": "Rules on Complaints",
    "received": "2026-03-02 09:00 (Asia/Shanghai)",
    "clause": "19:第十七条(二)",
    "says": "应当在三日内答复",
    "says_clause": "19:第九条",
    "our_translation": "It shall be answered within three days.",
    "subject": "answer_in_writing",
    "role": "Head of Everything",
    "due": "2026-03-05 18:00 (Asia/Shanghai)",
    "answer_due": "2026-03-09 18:00 (Asia/Shanghai)",
    "answer": "The brakes were replaced.\n\nWe are sorry.",
    "rule": "look_first",
    "how": "hold",
    "by": "Somebody Else",
    "period": "2026-02",
    "queue": "the-fallback-queue",
    "link": "https://redress.example/complaints/3d1f0c52",
    "contact": "desk@redress.example",
}
PACKS = ("", *packs())
ALL = list(itertools.product(MANDATORY, LANGUAGES, PACKS))
TEMPLATES = files("notifier") / "templates"


def known(language: str) -> dict[str, str]:
    """All that can be known; our translations only where somebody reads English."""
    return {**FULL, **({} if language == "en" else {"our_translation": "", "procedure_in_english": ""})}


def said(kind: Kind, language: str = "en", /, *, pack: str = "", **context: str) -> str:
    letter = render(kind, language, {**known(language), **context}, pack=pack)
    return f"{letter.subject}\n{letter.text}"


class Words(HTMLParser):
    """The text of a page, and the elements that it is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags = "", set[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self.text += " " if tag == "br" else ""

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(("kind", "language", "pack"), ALL)
def test_every_message_says_what_its_kind_must_say(kind: Kind, language: str, pack: str) -> None:
    context = known(language)
    letter = render(kind, language, context, pack=pack)

    for name in MANDATORY[kind]:
        assert context[name] in f"{letter.subject}\n{letter.text}", name
    assert letter.subject
    assert "{" not in letter.text
    assert re.search(r"\n\n\n|[ \t]\n", letter.text) is None


@pytest.mark.parametrize(("kind", "language", "pack"), ALL)
def test_a_message_can_be_written_when_little_is_known(kind: Kind, language: str, pack: str) -> None:
    letter = render(kind, language, dict.fromkeys(FULL, ""), pack=pack)

    assert letter.subject
    assert "()" not in letter.text
    assert "（）" not in letter.text
    assert "None" not in letter.text


@pytest.mark.parametrize(("kind", "language", "pack"), ALL)
def test_both_forms_of_a_message_say_the_same(kind: Kind, language: str, pack: str) -> None:
    letter = render(kind, language, known(language), pack=pack)
    page = Words(letter.html)

    assert page.text.split() == [*letter.subject.split(), *letter.text.split()]
    assert f'lang="{language}"' in letter.html


def test_each_kind_says_which_case_where_to_turn_and_under_which_clause() -> None:
    for kind, names in MANDATORY.items():
        assert "clause" in names, kind
        assert {"link", "contact"} & set(names), kind
        assert {"reference", "period"} & set(names), kind
        assert "desk" in names, kind


def test_a_clause_in_english_is_marked_as_our_translation_beside_its_own_words() -> None:
    for kind in (kind for kind, names in MANDATORY.items() if "says" in names):
        text = said(kind)
        assert f"{FULL['says']}\n(our translation: {FULL['our_translation']})" in text
        assert FULL["our_translation"] not in said(kind, our_translation="")


def test_the_title_of_a_procedure_in_english_is_marked_as_ours() -> None:
    assert '"客户投诉处理制度" (our translation of the title: Rules on Complaints)' in said("answered")


def test_a_letter_in_chinese_holds_no_sentence_in_english_and_the_other_way_round() -> None:
    chinese = {"desk": "测试投诉台", "role": "客户经理", "subject": "答复", "answer": "已修好。"}
    bare = {"our_translation": "", "procedure_in_english": "", **dict.fromkeys(("by", "rule", "queue", "how"), "甲")}
    for kind in MANDATORY:
        words = re.sub(r"\(Asia/Shanghai\)|https?:\S+|\S+@\S+|[0-9a-f-]{36}", "", said(kind, "zh", **chinese, **bare))
        assert re.findall("[A-Za-z]{2,}", words) == [], kind
        english = said(kind, "en", procedure="Rules", says="S", clause="1", says_clause="2", **bare | {"how": "by"})
        assert re.findall("[\u4e00-\u9fff，。：]", english.replace("甲", "")) == [], kind


@pytest.mark.parametrize(
    ("how", "rule", "english", "chinese"),
    [
        ("hold", "look_first", "although look_first forbade it", "look_first 当时不允许"),
        ("bar", "no_party", "whom no_party excludes", "no_party 不允许此人办理"),
        ("by", "by", "who does not owe it", "此项不由此人办理"),
        ("order", "talk", "before talk", "早于 talk"),
        ("order", "", "before its time", "早于应办的时间"),
    ],
)
def test_an_alert_says_how_a_rule_was_broken(how: str, rule: str, english: str, chinese: str) -> None:
    assert english in said("broken", how=how, rule=rule)
    assert chinese in said("broken", "zh", how=how, rule=rule)


def test_an_answer_of_several_paragraphs_keeps_them() -> None:
    assert "<p>The brakes were replaced.</p>\n<p>We are sorry.</p>" in render("answered", "en", FULL).html


def test_what_somebody_wrote_is_text_on_the_page_and_no_markup() -> None:
    hostile = "<script>alert(1)</script> & {{ 7 * 7 }} {% raw %}"
    letter = render("answered", "en", {**FULL, "answer": hostile})

    assert hostile in letter.text
    page = Words(letter.html)
    assert hostile in page.text
    assert "script" not in page.tags


def test_no_value_brings_a_second_line_into_the_subject() -> None:
    letter = render("warned", "en", {**FULL, "subject": "x\r\nBcc: everybody@example.org"})

    assert letter.subject.splitlines() == [letter.subject]


def test_a_template_that_lets_out_what_must_be_said_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rendering.MANDATORY, "report", (*MANDATORY["report"], "due"))

    with pytest.raises(ContentMissing, match="does not say due"):
        render("report", "en", FULL)


def test_a_template_that_asks_for_what_nobody_knows_is_refused() -> None:
    with pytest.raises(TemplateBroken, match="UndefinedError"):
        render("report", "en", {"desk": "d"})
    with pytest.raises(TemplateBroken, match="NotFound"):
        render("webhook", "en", FULL)


def test_a_packs_own_template_goes_before_the_general_one() -> None:
    assert "goes to the next tier by itself" in said("acknowledged", pack="00-plain-desk")
    assert "goes to the next tier by itself" not in said("acknowledged", pack="19-dongwu-futures")


def test_every_template_is_of_a_known_kind_and_language_and_pack_and_names_only_what_there_is() -> None:
    environment = Environment(autoescape=True)
    parts = {f"{part}.{language}.j2" for part in ("said", "closing") for language in LANGUAGES} | {"letter.html.j2"}
    letters = {f"{kind}.{language}.txt.j2" for kind in MANDATORY for language in LANGUAGES}
    general = {file.name for file in TEMPLATES.iterdir() if file.is_file()}
    assert general == letters | parts
    for folder in (TEMPLATES / "packs").iterdir():
        assert folder.name in packs()
        assert {file.name for file in folder.iterdir()} <= letters
    own = [file for folder in (TEMPLATES / "packs").iterdir() for file in folder.iterdir()]
    for file in [*own, *(TEMPLATES / name for name in letters | parts - {"letter.html.j2"})]:
        names = meta.find_undeclared_variables(environment.parse(file.read_text(encoding="utf-8")))
        assert names <= set(FULL), file.name


@pytest.mark.parametrize(
    ("tag", "language"),
    [("zh", "zh"), ("zh-CN", "zh"), ("ZH_hans", "zh"), ("en-GB", "en"), ("de", "en"), ("", "en"), ("zhuang", "en")],
)
def test_a_language_tag_finds_the_language_that_fits(tag: str, language: str) -> None:
    assert language_of(tag) == language
