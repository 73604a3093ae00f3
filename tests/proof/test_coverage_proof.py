"""Every clause of the catalogue is accounted for, and none is called executed without a mutation that proves it.

`catalogue.tsv` says how many clauses the catalogue splits each procedure into. That each mutation is missed by a story
is what `test_mutations.py` shows.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from complaints.procedure.coverage import EXECUTED, Clause, coverage, unlisted
from complaints.procedure.library import clauses_of, open_pack, packs
from tests.mutations import mutants

with Path(__file__).with_name("catalogue.tsv").open(encoding="utf-8", newline="") as file:
    COUNTED = {row["procedure"]: int(row["clauses"]) for row in csv.DictReader(file, delimiter="\t")}

SHIPPED = sorted(packs())


def clauses(pack: str) -> tuple[Clause, ...]:
    return coverage(open_pack(pack), clauses_of(pack))


def test_every_clause_of_the_catalogue_is_listed_by_some_pack() -> None:
    assert COUNTED.keys() <= packs().keys()
    assert sum(len(clauses(pack)) for pack in COUNTED) == sum(COUNTED.values()) == 562


@pytest.mark.parametrize("pack", sorted(COUNTED))
def test_each_clause_of_the_catalogue_is_there_once(pack: str) -> None:
    found = [clause.id for clause in clauses(pack)]
    assert (len(found), len(set(found))) == (COUNTED[pack], COUNTED[pack])


@pytest.mark.parametrize("pack", SHIPPED)
def test_no_row_cites_a_clause_that_the_text_has_not(pack: str) -> None:
    listed = clauses_of(pack)
    assert listed is not None
    assert unlisted(open_pack(pack), listed) == ()


@pytest.mark.parametrize("pack", SHIPPED)
def test_a_clause_that_nothing_executes_says_why(pack: str) -> None:
    assert [clause.id for clause in clauses(pack) if clause.status == "not-executable" and not clause.rules] == []
    assert [clause.id for clause in clauses(pack) if not clause.why] == []


@pytest.mark.parametrize("pack", SHIPPED)
def test_no_clause_is_executed_without_a_mutation_that_proves_it(pack: str) -> None:
    proved = {mutant.rule for mutant in mutants(packs()[pack])}
    executing: dict[str, set[str]] = {}
    for citation in open_pack(pack).citations:
        if citation.section in EXECUTED:
            executing.setdefault(f"{pack.partition('-')[0]}:{citation.clause}", set()).add(citation.rule)
    executed = [clause for clause in clauses(pack) if clause.status == "executed"]
    assert [clause.id for clause in executed if not executing[clause.id] & proved] == []
