"""Which stories are told live: those that `tests/stories/live.tsv` names, and of every other shipped pack the longest.

So a pack that is added is told as well. Three kinds of story are told by the simulation alone: those that name more of
their desk than its answers (live, a desk opens with the usual calendar and nobody in its directory), those whose desk
does not answer what a desk must answer before it opens, and those that erase somebody, who live goes by a pseudonym
that needs a key.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from typing import Final

from tests.expectations import NAMES, STORIES, pack_of, story

ERASES: Final = '"erase-subject"'


def named() -> Mapping[str, str]:
    """The stories that are named, each with what it tells."""
    with (STORIES / "live.tsv").open(encoding="utf-8", newline="") as file:
        return {row["story"]: row["tells"] for row in csv.DictReader(file, delimiter="\t")}


def chosen() -> list[str]:
    """Every story that is told live, in the order of their names."""
    of_pack: dict[str, list[tuple[int, str]]] = {}
    told = {pack_of(name) for name in named()}
    for name in NAMES:
        head, *acts = (STORIES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        pack, usual = pack_of(name), json.loads(head).get("desk", {}).keys() <= {"answers"}
        if pack is not None and pack not in told and usual and not any(ERASES in act for act in acts):
            of_pack.setdefault(pack, []).append((len(acts), name))
    return sorted({*named(), *(_longest(found) for found in of_pack.values())})


def _longest(found: list[tuple[int, str]]) -> str:
    """The longest story whose desk may open."""
    return next(name for _, name in sorted(found, reverse=True) if not story(name).procedure.unanswered)
