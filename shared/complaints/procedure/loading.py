"""Loads a pack: the file's text and one desk's answers become a ``Procedure``, or the pack is refused.

The engine executes every field or refuses the pack; nothing is ignored. The phases below each report all that they
find before the next begins: shape and places, names, references, conditions and limits, contradictions, quotations.
Source: the pack language, section 8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from complaints.errors import PackRefused
from complaints.procedure import document, quotations
from complaints.procedure.conditions import near
from complaints.procedure.document import Row
from complaints.procedure.linting import Contradictions
from complaints.procedure.model import Citation, Procedure, Question
from complaints.procedure.naming import Naming, Rows
from complaints.procedure.places import Refusals, Walk
from complaints.procedure.sections import ONE_ROW, SECTIONS
from complaints.procedure.steps import Steps
from complaints.procedure.warning import Warnings

NO_ANSWERS: Final[Mapping[str, Any]] = {}


def load(text: str, *, file: str, answers: Mapping[str, Any] = NO_ANSWERS, source: str | None = None) -> Procedure:
    """The procedure that the text of a pack file states, compiled with a desk's answers.

    Args:
        text: the pack file.
        file: its name, for messages.
        answers: place to value: one of the values offered by a reading, or any value of the field that a silence leaves
            open. Yes and no may be given as true and false.
        source: the procedure's own text, to look up the quotations in; without it they are taken as they are.

    Raises:
        PackRefused: the first thing wrong, with line, column and clause; ``data["also"]`` lists the others that the
            same phase found.
    """
    return load_document(document.read(text, file), digest=_digest(text), answers=answers, source=source)


def load_document(
    root: Row, *, digest: str, answers: Mapping[str, Any] = NO_ANSWERS, source: str | None = None
) -> Procedure:
    """As ``load``, of a file that is read already, whose digest is given; the document is settled in place."""
    refusals = Refusals()
    walk = Walk(root, answers, refusals)
    walk.walk()
    refusals.stop()
    naming = Naming(root, walk.rows, refusals)
    naming.declare()
    for row in naming.declared["questions"]:
        place = walk.places.get(f"{row['question']}.answer")
        naming.offered(row, place.offers if place is not None else ())
    refusals.stop()
    naming.refer()
    refusals.stop()
    procedure, sections = _procedure(digest, root, walk, naming, refusals)
    refusals.stop()
    Contradictions(procedure, naming, sections).look()
    refusals.stop()
    quoted = 0
    if source is not None:
        quoted = quotations.check(walk.rows, source, procedure.source or "the source", refusals)
        refusals.stop()
    findings = Warnings(procedure, naming, sections).look()
    return replace(procedure, quotations=quoted, findings=findings, warnings=tuple(map(str, findings)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _procedure(digest: str, root: Row, walk: Walk, naming: Naming, refusals: Refusals) -> tuple[Procedure, Steps]:
    pack, made = root["pack"], Steps(naming, refusals)
    notes = root.get("notes", [])
    return Procedure(
        id=pack["id"],
        version=pack["version"],
        title=pack["title"],
        en=pack.get("en"),
        digest=digest,
        questions=dict(naming.names.answers),
        places=walk.places,
        answered=walk.answered,
        roles=made.roles(),
        facts=made.facts(),
        intake=made.intake(),
        tables=made.tables(),
        steps=made.steps(),
        clocks=made.clocks(),
        holds=made.holds(),
        access=made.access(),
        forms=made.forms(),
        items=made.kinds("items", "item", "added-by"),
        kinds=made.kinds("cases", "case", "opened-by"),
        counts=made.counts(),
        links=made.links(),
        uniques=made.uniques(),
        desk=made.duties(),
        retention=made.retention(),
        guidance=made.guidance(),
        notes=tuple((row.clause, row["issue"]) for row in notes),
        milestones=dict(root.get("milestones", {})),
        source=pack.get("source"),
        lang=pack.get("lang", "zh"),
        unanswered=_unanswered(pack, walk, refusals),
        asks={
            row["question"]: Question(name=row["question"], asks=row["asks"], clause=row.clause, answer=row["answer"])
            for row in root.get("questions", [])
        },
        citations=_citations(walk.rows),
        english=_english(walk.rows, pack, refusals),
    ), made


def _unanswered(pack: Row, walk: Walk, refusals: Refusals) -> tuple[str, ...]:
    """The places that a desk must answer and has not."""
    places = pack.get("must-answer", ())
    for n, name in enumerate(places):
        with refusals.collect():
            if name not in walk.places:
                raise pack.refusal("must-answer", f"nothing is left open at {name}{near(name, walk.places)}", item=n)
    return tuple(name for name in places if name in walk.places and not walk.places[name].answered)


def _citations(rows: Rows) -> tuple[Citation, ...]:
    """Every clause that a row names, with the row: its name, the part's, else its place."""
    found = []
    for row, _ in rows:
        own = row.get("clause", ())
        for clause in [own] if isinstance(own, str) else own:
            rule, says, at = row.get("part", row.place), row.get("says"), row.get("at")
            found.append(
                Citation(clause=clause, section=_section(row), rule=rule, line=row.mark.line, says=says, at=at)
            )
    return tuple(found)


def _section(row: Row) -> str:
    """The section of the file in which a row stands."""
    while row.parent is not None and row.parent.parent is not None:
        row = row.parent
    parent = row.parent
    if parent is None:
        return "pack"
    for name in (*SECTIONS, *ONE_ROW):
        inside = parent.get(name)
        if inside is row or (isinstance(inside, list) and any(r is row for r in inside)):
            return name
    return "pack"


def _english(rows: Rows, pack: Row, refusals: Refusals) -> dict[str, str]:
    """Every text that has a translation of ours."""
    found: dict[str, str] = {}
    for row, table in rows:
        en = row.get("en")
        if en is None:
            continue
        title, says = row.get("title") or row.get("part"), row.get("says")
        with refusals.collect():
            if pack.get("lang") == "en":
                raise row.refusal_of_key("en", "the text is English: there is nothing to translate")
            if isinstance(en, dict):
                if title is None or says is None:
                    raise row.refusal("en", "en with title and says translates a row that has both")
                found.setdefault(title, en["title"])
                found.setdefault(says, en["says"])
            elif (text := says or title) is not None:
                found.setdefault(text, en)
            else:
                raise row.refusal("en", f"{table.name}: en translates says or title; there is neither")
    return found


__all__ = ["PackRefused", "load"]
