"""Packs with one rule less: for every row and every clause within a row the pack as it would be without it.

A mutant must still load, so a rule is taken away by what it says, never by its name. A step, a part, a row of a table
and a clock stay there and never apply; an intake row is moved to a kind of case that never comes; a count becomes a
fact that nobody counts; a question gets its other answer. Holds, bars, links, duties, measures, and the fields that are
rules of their own (a limit, a pause, an extension, a loop, …) are cut out, a limit with the fields that speak of it.
What a desk answered inside a row that was cut is left out of its answers.

`loosened` makes a mutant of each condition and each order of a step: it always applies, or waits for no other.

Not mutated, since nobody obeys or breaks them: names, titles, roles, what a fact is called, translations, guidance and
notes; nor soft words and silences in place of a limit, which only measure the time that the row's step took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from complaints.errors import PackRefused
from complaints.events import Clause
from complaints.procedure import case_tables as c
from complaints.procedure import desk_tables as d
from complaints.procedure import document
from complaints.procedure.document import Mark, Row, Seq
from complaints.procedure.fields import Table
from complaints.procedure.library import PackFile
from complaints.procedure.loading import load_document
from complaints.procedure.model import MILESTONES, Procedure
from complaints.procedure.naming import COUNTED_AS
from complaints.procedure.places import Refusals, Walk
from complaints.procedure.shapes import NOT_STATED, is_silence

Edit = Callable[[Row], None]
"""Takes the rule away; it is given the row as the file has it, its readings not yet settled."""

NEVER: Final = "false"
NO_CASE: Final = "case_that_never_comes"
OF_A_LIMIT: Final = ("within", "from", "pause", "extend", "regrade")
"""A step's limit and what speaks of it alone."""


@dataclass(frozen=True)
class Mutant:
    """A pack with one rule less."""

    pack: PackFile
    rule: str  # as coverage cites it
    lost: str  # what was taken away
    clause: Clause
    mark: Mark
    edit: Edit = field(repr=False)

    def load(self, answers: Mapping[str, Any]) -> Procedure:
        """The mutant with a desk's answers. Raises PackRefused."""
        if self.edit is _otherwise:
            answers = {place: value for place, value in answers.items() if place != f"{self.rule}.answer"}
        try:
            return self._load(answers)
        except PackRefused:
            left = self._load({}).places.keys()
            if answers.keys() <= left:
                raise
            return self._load({place: value for place, value in answers.items() if place in left})

    def _load(self, answers: Mapping[str, Any]) -> Procedure:
        root = document.read(self.pack.text, self.pack.file)
        self.edit(_at(root, self.mark))
        return load_document(root, digest=self.pack.digest, answers=answers)

    @property
    def cited(self) -> str:
        """Its clauses, as one text."""
        return self.clause if isinstance(self.clause, str) else ", ".join(self.clause or ["no clause of its own"])

    def __str__(self) -> str:
        return f"{self.rule}: {self.lost}"


def mutants(pack: PackFile) -> list[Mutant]:
    """Every mutant of a pack that has one rule less, in the order of its rows."""
    return _mutants(pack, _edits)


def loosened(pack: PackFile) -> list[Mutant]:
    """Every mutant of a pack in which a part or a step applies without its condition, or a step waits for no other."""
    return _mutants(pack, _loosening)


def _mutants(pack: PackFile, edits: Callable[[Row, Table], Iterator[tuple[str, Edit]]]) -> list[Mutant]:
    root = document.read(pack.text, pack.file)
    walk = Walk(root, {}, Refusals())
    walk.walk()
    found = []
    for row, table in walk.rows:
        rule = str(row.get("part", row.place))
        for lost, edit in edits(row, table):
            found.append(Mutant(pack=pack, rule=rule, lost=lost, clause=row.clause, mark=row.mark, edit=edit))
    return found


def _at(node: Any, mark: Mark) -> Row:
    """The row that begins there."""
    return next(row for row in _rows(node) if row.mark == mark)


def _rows(node: Any) -> Iterator[Row]:
    if isinstance(node, Row):
        yield node
    values = node.values() if isinstance(node, Row) else node if isinstance(node, Seq) else ()
    for value in values:
        yield from _rows(value)


# --- the rows ---
def _edits(row: Row, table: Table) -> Iterator[tuple[str, Edit]]:
    """What can be taken away from a row whose readings are settled: first the row itself, then clauses within it."""
    whole = _whole(row, table)
    if whole is not None:
        yield whole
    for key in EACH:
        names = row.get(key)
        if isinstance(names, Seq) and len(names) > 1:
            yield from ((f"{key} without {name}", _without_name(key, name)) for name in names)
    if table in c.STEPS:
        yield from _in_a_step(row)
    elif table is c.CLOCKS and _says(row, "within"):
        yield "without its limit", _set("within", NOT_STATED)
    elif table is d.DESK and row.get("holiday") in {"before", "after"}:
        yield "holidays not looked at", _without("holiday")
    elif table is c.ACCESS and "when" in row and row.keys() & {"only", "never", "hide"}:
        yield "without when", _without("when")
    if table not in c.STEPS:
        yield from ((f"without {key}", _without(key)) for key in CUT.get(table.name, ()) if _says(row, key))


CUT: Final[Mapping[str, Sequence[str]]] = {
    "clocks": ("pause", "stop", "cancel"),
    "holds": ("when",),
    "facts": ("by",),
    "desk": ("day", "time", "sample"),
    "forms": ("number",),
    "decisions": ("judged-by",),
    "other-cases": ("attaches", "when", "within"),
    "report": ("where", "by", "case"),
    "sample": ("include",),
    "retention": ("when", "from", "case"),
}
"""By table: the fields that are rules of their own."""


EACH: Final = ("asks", "forbids", "may", "hide")
"""The fields that name several things to which a rule applies: each of them counts."""


def _whole(row: Row, table: Table) -> tuple[str, Edit] | None:
    whole = next(((lost, edit) for tables, lost, edit in WHOLE if any(table is one for one in tables)), None)
    if table is c.PARTS:
        return whole if "clause" in row or "when" in row else None
    if table is c.FORMS:
        return whole if isinstance(row["fields"], Seq) and _asked_complete(row) else None
    if table is c.FACTS:
        return whole if "means" in row else None
    if table is d.DESK and "each" in row:
        return "never in a case", _never("cases")
    return whole


def _loosening(row: Row, table: Table) -> Iterator[tuple[str, Edit]]:
    if any(table is one for one in (*c.STEPS, c.PARTS)):
        yield from ((f"without {key}", _without(key)) for key in ("when", "after") if key in row)


def _in_a_step(row: Row) -> Iterator[tuple[str, Edit]]:
    if isinstance(row.get("within"), str) and not is_silence(row["within"]):
        yield "without its limit", _without(*OF_A_LIMIT)
    for key in ("pause", "wait", "people", "complete", "medium"):
        if _says(row, key):
            begins = ("from",) if key == "wait" and "within" not in row else ()  # it says where the wait begins
            yield f"without {key}", _without(key, *begins)
    if _says(row, "repeats") and "within" not in row:
        yield "repeated without interval", _set("repeats", NOT_STATED)
    if "milestone" in row and not ("pass" in row and row["milestone"] == "escalated"):
        yield f"no longer {row['milestone']}", _no_milestone
    for outcome in row.get("back", ()):
        yield f"{outcome} leads nowhere", _without_key("back", outcome)


def _asked_complete(form: Row) -> bool:
    """Whether anything waits for the form to be complete; otherwise its fields say what is kept, and bar nothing."""
    root, name = _root(form), form["form"]
    steps = [step for part in root["steps"] for step in part["rows"]]
    conditions = (v for row in _rows(root) for v in row.values() if isinstance(v, str))
    return any("complete" in step and step.get("form") == name for step in steps) or any(
        f"{name}.complete" in text for text in conditions
    )


def _says(row: Row, key: str) -> bool:
    return key in row and not is_silence(row[key])


# --- the edits ---
def _never(key: str, *drops: str) -> Edit:
    def edit(row: Row) -> None:
        for drop in drops:
            row.pop(drop, None)
        row[key] = NEVER

    return edit


def _without(*keys: str) -> Edit:
    def edit(row: Row) -> None:
        for key in keys:
            row.pop(key, None)

    return edit


def _without_name(key: str, name: str) -> Edit:
    def edit(row: Row) -> None:
        held = row[key]
        for names in [held["reading"]] if isinstance(held, Row) else [held]:
            at = names.index(name)
            del names[at], names.marks[at]

    return edit


def _set(key: str, value: str) -> Edit:
    def edit(row: Row) -> None:
        row[key] = value

    return edit


def _without_key(key: str, inner: str) -> Edit:
    def edit(row: Row) -> None:
        held = row[key]
        for mapping in [held, *held.get("or", ()), held["reading"]] if "reading" in held else [held]:
            mapping.pop(inner, None)
        if not held:
            del row[key]

    return edit


def _cut(row: Row) -> None:
    """Out of the list, or the field, in which it stands; with it the list, and what needs it."""
    around = row.parent
    assert around is not None
    key = next(k for k, v in around.items() if v is row or (isinstance(v, Seq) and any(r is row for r in v)))
    rows = around[key]
    if isinstance(rows, Seq) and len(rows) > 1:
        at = next(n for n, r in enumerate(rows) if r is row)
        del rows[at], rows.marks[at]
        return
    for gone in {"within": OF_A_LIMIT, "report": ("report", "covers")}.get(key, (key,)):
        around.pop(gone, None)


def _of_no_case(row: Row) -> None:
    root = _root(row)
    row["case"] = NO_CASE
    root.setdefault("cases", Seq(root.mark))
    kind = _made(root, case=NO_CASE, title=NO_CASE, clause=row["clause"])
    kind["opened-by"] = "anyone"
    _append(root["cases"], kind)


def _uncounted(row: Row) -> None:
    root = _root(row)
    fact = _made(root, fact=row["count"], type="number", clause=row["clause"])
    if "starts-as" in row:
        fact["starts-as"] = row["starts-as"]
    _cut(row)
    _append(root["facts"], fact)


def _otherwise(row: Row) -> None:
    answer = row["answer"]
    if isinstance(answer, Row) and "reading" in answer:
        answer["reading"], answer["or"][0] = answer["or"][0], answer["reading"]
    else:
        row["answer"] = next(other for other in COUNTED_AS[row["question"]] if other != answer)


def _no_milestone(row: Row) -> None:
    """Where no other step has it, the text is said to know none."""
    root, name = _root(row), row.pop("milestone")
    steps = [step for part in root["steps"] for step in part["rows"]]
    if name in MILESTONES[:3] and not any(step.get("milestone") == name for step in steps):
        root.setdefault("milestones", _made(root))[name] = "not-stated"


def _root(row: Row) -> Row:
    while row.parent is not None:
        row = row.parent
    return row


def _made(root: Row, **fields: Any) -> Row:
    row = Row(root.file, root.mark, root)
    row.update(fields)
    return row


def _append(rows: Seq, row: Row) -> None:
    rows.append(row)
    rows.marks.append(row.mark)


WHOLE: Final[Sequence[tuple[Sequence[Table], str, Edit]]] = (
    ((*c.STEPS, c.PARTS, c.DECISION_ROW), "never applies", _never("when")),
    ((c.HOLDS, c.ACCESS, c.LINKS, c.UNIQUES, d.DESK, d.RETENTION), "not there", _cut),
    ((*d.MEASURES, c.LIMIT_CASE, c.EXTENSION), "not there", _cut),
    ((c.CLOCKS,), "never starts", _never("start", "from", "regrade")),
    ((c.INTAKE,), "not for complaints", _of_no_case),
    ((c.QUESTIONS,), "answered otherwise", _otherwise),
    ((c.FORMS,), "without its fields", _set("fields", NOT_STATED)),
    ((c.FACTS,), "never true", _never("means")),
    ((c.COUNTS,), "never counted", _uncounted),
)
"""By table: how a whole row is taken away."""
