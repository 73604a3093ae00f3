"""What becomes of each clause of a text: executed, recorded, guidance, or not executable, and by which rows.

The clauses come from the pack's shipped list (``packs/clauses``), in the order of the text, whether or not a row cites
them; without a list they are those that the pack cites.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from complaints.procedure.model import Citation, Procedure

Status = Literal["executed", "recorded", "guidance", "not-executable"]

EXECUTED: Final = frozenset(
    ("questions", "intake", "decisions", "clocks", "steps", "holds", "access", "other-cases", "desk", "retention")
)
"""Sections whose rows decide, refuse, open, measure or report something."""
RECORDED: Final = frozenset(("roles", "facts", "forms", "cases", "items", "pack"))
"""Sections whose rows say what is kept, and by whom."""
WORDS: Final = {
    "questions": "a question, answered",
    "intake": "asked or admitted at intake",
    "decisions": "decided by a table",
    "clocks": "measured by a clock",
    "steps": "a step",
    "holds": "held",
    "access": "access",
    "other-cases": "found in other cases",
    "desk": "a duty of the desk",
    "retention": "kept, and not erased before",
    "roles": "a role",
    "facts": "what is known",
    "forms": "a form",
    "cases": "a kind of case",
    "items": "a kind of item",
    "pack": "about the procedure itself",
}


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of the text, as the catalogue cites it."""

    id: str  # 19:第十七条(二)
    kind: str | None  # what the catalogue calls it
    status: Status
    rules: tuple[str, ...]
    why: str


def read_clauses(table: str) -> dict[str, str]:
    """Clause to kind, from a tab-separated list with a heading line."""
    rows = (line.split("\t") for line in table.splitlines()[1:] if line.strip())
    return {clause: kind for clause, kind, *_ in rows}


def coverage(procedure: Procedure, listed: str | None) -> tuple[Clause, ...]:
    """Every clause with its status, in the order of the text; ``listed``: the shipped list of its clauses."""
    number = procedure.id.partition("-")[0]
    cited: dict[str, list[Citation]] = {}
    for citation in procedure.citations:
        cited.setdefault(citation.clause, []).append(citation)
    kinds: dict[str, str | None] = dict(read_clauses(listed)) if listed is not None else dict.fromkeys(cited)
    issues = _issues(procedure)
    return tuple(
        _clause(f"{number}:{clause}", kind, cited.get(clause, []), issues.get(clause, []))
        for clause, kind in kinds.items()
    )


def unlisted(procedure: Procedure, listed: str) -> tuple[Citation, ...]:
    """What the pack cites and the list lacks: a clause that does not exist, or is spelt otherwise."""
    known = read_clauses(listed)
    return tuple(citation for citation in procedure.citations if citation.clause not in known)


def _clause(id_: str, kind: str | None, cited: list[Citation], issues: list[str]) -> Clause:
    executed = [c for c in cited if c.section in EXECUTED]
    recorded = [c for c in cited if c.section in RECORDED]
    guidance = [c for c in cited if c.section == "guidance"]
    open_ = f"; open: {'; '.join(issues)}" if issues else ""
    if executed:
        return Clause(id_, kind, "executed", _rules(executed + recorded), _told(executed + recorded) + open_)
    if recorded:
        return Clause(id_, kind, "recorded", _rules(recorded), _told(recorded) + open_)
    if guidance:
        return Clause(id_, kind, "guidance", _rules(guidance), _shown(guidance) + open_)
    if issues:
        return Clause(id_, kind, "not-executable", _rules(cited), "; ".join(issues))
    return Clause(id_, kind, "not-executable", (), "no row of the pack restates it")


def _rules(cited: Iterable[Citation]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(citation.rule for citation in cited))


def _shown(guidance: Iterable[Citation]) -> str:
    """Where advice is shown, and in which words."""
    return "; ".join(f"shown at {citation.at}: {citation.says}" for citation in guidance)


def _told(cited: Iterable[Citation]) -> str:
    by_section: dict[str, dict[str, None]] = {}
    for citation in cited:
        by_section.setdefault(citation.section, {})[citation.rule] = None
    return "; ".join(f"{WORDS[section]}: {', '.join(rules)}" for section, rules in by_section.items())


def _issues(procedure: Procedure) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for clause, issue in procedure.notes:
        for one in [clause] if isinstance(clause, str) else clause or []:
            found.setdefault(one, []).append(issue)
    return found
