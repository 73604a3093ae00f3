"""No rule of a shipped pack is there for nothing: without it, some story of the pack no longer comes out.

`pytest tests/proof -k 04` tries one pack. What is taken away, and how, stands in `tests/mutations.py`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from complaints.errors import PackRefused, RedressError
from complaints.procedure.library import packs
from complaints.procedure.model import Procedure
from redress.simulation import World
from tests.expectations import NAMES, Story, lines, pack_of, story, unmet
from tests.mutations import Mutant, loosened, mutants

SHIPPED = sorted(packs())


def stories_of(pack: str) -> Iterator[Story]:
    """The stories that run a pack."""
    return (story(name) for name in NAMES if pack_of(name) == pack)


@dataclass
class Told:
    """A story, and what tells whether it is likely to miss a rule."""

    story: Story

    @cached_property
    def answers(self) -> Mapping[str, Any]:
        """What its desk answers."""
        desk = self.story.scenario.head.desk
        return {} if desk is None else desk.answers

    @cached_property
    def _run(self) -> tuple[float, str]:
        begun = process_time()
        told = lines(self.story.world())
        spent = process_time() - begun
        return spent, json.dumps([*self.story.expectations, *told], default=str)

    def likely(self, mutant: Mutant) -> tuple[bool, bool, float]:
        """Sorts those first that speak of the row, of these those whose desk answers nothing, then the shortest."""
        spent, words = self._run
        return f'"{mutant.rule.partition(".")[0]}"' not in words, bool(self.answers), spent

    def misses(self, procedure: Procedure) -> bool:
        """Whether it does not come out by that procedure, or does not run at all."""
        try:
            world = World.of(procedure).run(self.story.scenario.commands, self.story.until)
        except RedressError:
            return True
        return any(True for _ in unmet(self.story.expectations, lines(world), world, self.story.until))


@cache
def told_of(pack: str) -> tuple[Told, ...]:
    """The stories that run a pack, each of which must come out by it."""
    stories = tuple(Told(story) for story in stories_of(pack))
    assert [told.story.name for told in stories if told.misses(told.story.procedure)] == [], "they do not come out"
    return stories


def survives(mutant: Mutant, stories: Sequence[Told]) -> str | None:
    """Why the rule could as well not be there, None where some story misses it."""
    loaded: dict[str, Procedure | PackRefused] = {}
    for told in sorted(stories, key=lambda told: told.likely(mutant)):
        key = json.dumps(told.answers, sort_keys=True)
        if key not in loaded:
            loaded[key] = _loaded(mutant, told.answers)
        procedure = loaded[key]
        if isinstance(procedure, Procedure) and told.misses(procedure):
            return None
    refused = next((found for found in loaded.values() if isinstance(found, PackRefused)), None)
    if refused is not None and all(isinstance(found, PackRefused) for found in loaded.values()):
        return f"does not load: {refused.reason}"
    return f"none of {len(stories)} stories misses it"


def _loaded(mutant: Mutant, answers: Mapping[str, Any]) -> Procedure | PackRefused:
    try:
        return mutant.load(answers)
    except PackRefused as refused:
        return refused


def implied(pack: str) -> set[tuple[str, str]]:
    """What of a pack follows from its other rules, as `implied.tsv` says: rule, and what is lost."""
    with Path(__file__).with_name("implied.tsv").open(encoding="utf-8", newline="") as file:
        return {(row["rule"], row["lost"]) for row in csv.DictReader(file, delimiter="\t") if row["pack"] == pack}


def check(pack: str, made: Sequence[Mutant]) -> None:
    """Fails with a line for each mutant that no story misses, and for each said to be implied that one does miss."""
    said, told = implied(pack), []
    for mutant in made:
        why = survives(mutant, told_of(pack))
        if (mutant.rule, mutant.lost) in said:
            why = "is missed by a story, and does not follow from others as implied.tsv says" if why is None else None
        if why is not None:
            told.append(f"line {mutant.mark.line}: {mutant} [{mutant.cited}]: {why}")
    if told:  # said without the trace: the list is what a writer of packs needs
        pytest.fail("\n".join([f"{len(told)} of {len(made)} mutants of {pack}:", *told]), pytrace=False)


@pytest.mark.parametrize("pack", SHIPPED)
def test_some_story_misses_each_rule_of_a_pack(pack: str) -> None:
    check(pack, mutants(packs()[pack]))


@pytest.mark.parametrize("pack", SHIPPED)
def test_some_story_misses_each_condition_and_each_order_that_does_not_follow_from_others(pack: str) -> None:
    check(pack, loosened(packs()[pack]))


@pytest.mark.parametrize("pack", SHIPPED)
def test_what_is_said_to_be_implied_is_there(pack: str) -> None:
    made = [*mutants(packs()[pack]), *loosened(packs()[pack])]
    assert implied(pack) - {(mutant.rule, mutant.lost) for mutant in made} == set()
