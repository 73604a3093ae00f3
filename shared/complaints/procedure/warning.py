"""What deserves an argument though it runs.

Outcomes without consequence, facts used nowhere, tables and limits that can wait for circumstances which nobody need
ever mention (``hanging``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from complaints.procedure.building import Builder
from complaints.procedure.document import Row
from complaints.procedure.hanging import Hanging, listed
from complaints.procedure.limits import parse_limit
from complaints.procedure.model import Condition, Finding, Procedure
from complaints.procedure.naming import Naming, takes_fact
from complaints.procedure.shapes import FROM, LIMIT


class Warnings:
    """Looks at one compiled pack."""

    def __init__(self, procedure: Procedure, naming: Naming, builder: Builder) -> None:
        self.procedure, self.naming, self.builder = procedure, naming, builder
        self.hanging = Hanging(procedure, naming)

    def look(self) -> tuple[Finding, ...]:
        """All findings, in the order of the file."""
        found = (*self.channels(), *self.outcomes(), *self.unused(), *self.tables(), *self.limits(), *self.clocks())
        return tuple(sorted(found, key=lambda f: (f.line, f.column)))

    def channels(self) -> Iterator[Finding]:
        """Without a channel no complaint can be received."""
        if not any(row.channels and row.case == "complaint" for row in self.procedure.intake):
            told = "no channel is named: no complaint can be received"
            yield _finding("channel", "intake", self.naming.root, "intake", told)

    def outcomes(self) -> Iterator[Finding]:
        """Any end but the good one leads somewhere, or is asked for."""
        compared = {pair for condition, _, _ in self.builder.asked for pair in condition.compares}
        for name, step in self.procedure.steps.items():
            row, asked = self.naming.steps[name][0], f"{name}.outcome"
            for outcome in step.outcomes[1:]:
                counted = step.verb == "contact" and outcome == "not_reached"
                good = (asked, step.outcomes[0]) in compared
                if not (counted or good or (asked, outcome) in compared or outcome in step.back):
                    key = "outcomes" if "outcomes" in row else step.verb
                    told = f"outcome {outcome} of {name} has no consequence"
                    yield _finding("outcome", f"{name}.outcomes", row, key, told)

    def unused(self) -> Iterator[Finding]:
        """Facts that no row asks, records, compares, counts, shows or hides."""
        used = {name for condition, _, _ in self.builder.asked for name in condition.refs}
        for row, table in self.naming.rows:
            for field in table.fields:
                if field.name not in row or field.shape is None:
                    continue
                if field.shape in (LIMIT, FROM):
                    used |= _named_in(str(row[field.name]))
                elif field.shape.refers in ("fact", "name", "hidden"):
                    used.update(name for name, _ in field.shape.names(row[field.name]))
                elif table.name == "facts" and field.name in ("from", "until"):
                    used.add(row[field.name])
            if takes_fact(row.get("set")):
                used.add(row["set"].removeprefix("fact "))
        for row in self.naming.declared["facts"]:
            if row["fact"] not in used:
                yield _finding("fact", row["fact"], row, "fact", f"fact {row['fact']} is used nowhere")

    def tables(self) -> Iterator[Finding]:
        """Tables that can stay undecided."""
        rows = {row["decide"]: row for row in self.naming.declared["decisions"]}
        for name, why in self.hanging.tables.items():
            yield _finding("undecided", f"{name}.rows", rows[name], "decide", f"{name} {why}")

    def limits(self) -> Iterator[Finding]:
        """Numbered limits of steps that can hang on what is undecided."""
        for name, step in self.procedure.steps.items():
            if any(case.limit.numbered for case in step.within):
                row, cases = self.naming.steps[name][0], [case.when for case in step.within]
                key = "within" if "within" in row else "repeats"
                yield from self.hangs(name, row, key, (step.part.when, step.when), cases)

    def clocks(self) -> Iterator[Finding]:
        """Numbered clocks whose start can hang."""
        for row in self.naming.declared["clocks"]:
            clock = self.procedure.clocks[row["clock"]]
            if clock.within.limit.numbered:
                yield from self.hangs(clock.name, row, "within", (clock.start,), ())

    def hangs(
        self, name: str, row: Row, key: str, under: Iterable[Condition | None], cases: Sequence[Condition | None]
    ) -> Iterator[Finding]:
        """The finding of a limit that can wait, if it can."""
        names = self.hanging.waited_for(under, cases)
        if not names:
            return
        told = f"the limit of {name} can hang on {listed(names)}"
        for table in (n for n in names if n in self.hanging.tables):
            told += f"; {table} {self.hanging.tables[table]}"
        if facts := [n for n in names if n not in self.hanging.tables]:
            told += f"; nobody need have mentioned {listed(facts)}"
        yield _finding("hangs", f"{name}.{key}", row, key, told)


def _named_in(text: str) -> set[str]:
    """The fact that a limit or a start names."""
    try:
        fact = parse_limit(text).fact
    except ValueError:
        fact = None
    return set() if fact is None else {fact}


def _finding(
    kind: Literal["outcome", "fact", "undecided", "hangs", "channel"], place: str, row: Row, key: str, why: str
) -> Finding:
    mark = row.mark_of(key)
    return Finding(kind=kind, place=place, clause=row.clause, line=mark.line, column=mark.column, why=why)
