"""Packs are found by id, number or path; what is shipped is complete and opens under every answer that it offers."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from complaints.errors import PackRefused, Unknown
from complaints.procedure.coverage import coverage, unlisted
from complaints.procedure.library import by_digest, clauses_of, editions, find_pack, open_pack, packs
from tests.domain.procedure.packfiles import PROBES, WHOLE

SHIPPED = sorted(packs())


def test_the_four_first_procedures_are_shipped() -> None:
    assert {"00-plain-desk", "04-auto-repair-feedback-slip", "15-developer-group-crisis", "19-dongwu-futures"} <= set(
        SHIPPED
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_pack_loads_with_every_quotation_found_in_its_text(name: str) -> None:
    pack = packs()[name]
    assert pack.source is not None
    assert pack.load().quotations > 0


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_pack_loads_with_each_value_that_it_offers(name: str) -> None:
    for place in open_pack(name).places.values():
        for offer in place.offers:
            assert open_pack(name, {place.name: offer}).places[place.name].answered


@pytest.mark.parametrize("name", SHIPPED)
def test_every_title_and_quotation_of_a_shipped_pack_in_chinese_has_our_translation_and_no_other(name: str) -> None:
    procedure = open_pack(name)
    shown = [procedure.title]
    shown += [text for row in procedure.facts.values() for text in (row.title, row.says) if text]
    shown += [row.title for row in procedure.roles.values()]
    shown += [step.says for step in procedure.steps.values() if step.says]
    shown += [row.says for table in procedure.tables for row in table.rows if row.says]
    shown += [row.says for row in procedure.desk.values() if row.says]
    shown += [says for at in procedure.guidance.values() for says in at]
    if procedure.lang == "zh":
        assert [text for text in shown if text not in procedure.english] == []
    else:
        assert procedure.english == {}


@pytest.mark.parametrize("name", [name for name in SHIPPED if clauses_of(name) is not None])
def test_a_shipped_pack_accounts_for_every_clause_of_its_text_and_cites_no_other(name: str) -> None:
    procedure, listed = open_pack(name), clauses_of(name)
    assert listed is not None
    assert unlisted(procedure, listed) == ()
    assert [c.id for c in coverage(procedure, listed) if c.status == "not-executable" and not c.rules] == []


def test_a_pack_is_found_by_its_id_its_number_or_its_file() -> None:
    assert find_pack("19") == find_pack("19-dongwu-futures") == find_pack("19-dongwu-futures.yaml")


def test_a_pack_by_path_finds_its_text_beside_it_or_in_texts() -> None:
    assert find_pack(WHOLE).source == WHOLE.with_name("whole.zh.md").read_text(encoding="utf-8")
    assert find_pack(str(PROBES[0])).source is not None


def test_a_pack_whose_text_is_not_at_hand_opens_without_its_quotations_looked_up(tmp_path: Path) -> None:
    alone = tmp_path / "alone.yaml"
    alone.write_text(WHOLE.read_text(encoding="utf-8"), encoding="utf-8")
    assert find_pack(alone).source is None
    assert find_pack(alone).load().quotations == 0


def test_what_is_no_pack_is_named_with_what_is() -> None:
    with pytest.raises(Unknown) as unknown:
        find_pack("99-nothing")
    assert unknown.value.code == "no-such-pack"
    assert "19-dongwu-futures" in unknown.value.why


def test_a_file_without_a_head_is_refused(tmp_path: Path) -> None:
    headless = tmp_path / "headless.yaml"
    headless.write_text("roles: []\n", encoding="utf-8")
    with pytest.raises(PackRefused, match="begins with its section pack"):
        find_pack(headless)


def test_packs_are_known_by_their_content() -> None:
    for pack in editions():
        assert pack.digest == hashlib.sha256(pack.text.encode()).hexdigest()
        assert by_digest(pack.digest) == pack
        assert pack.load().digest == pack.digest
    assert by_digest("0" * 64) is None


def test_the_same_answers_give_the_same_procedure_and_others_another() -> None:
    assert open_pack("19") is open_pack("19-dongwu-futures", {})
    assert open_pack("19", {"hours.answer": "working"}) is open_pack("19", {"hours.answer": "working"})
    assert open_pack("19", {"hours.answer": "working"}) is not open_pack("19")
