"""What a pack contradicts as a whole: refused, because a case under it could never go on or nobody would know a figure.

What only deserves an argument is found by ``warning``.
Source: the pack language, section 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from complaints.procedure.building import Builder
from complaints.procedure.conditions import CelCondition
from complaints.procedure.document import Row
from complaints.procedure.model import BUILT_IN_ROLES, Condition, Procedure, Step
from complaints.procedure.naming import Naming

STATED: Final = ("acknowledged", "assigned", "resolved")
REGRADE_NEEDED: Final = "a decision can change this limit; say regrade: keep, carry, restart or not-stated"


class Contradictions:
    """Looks at one compiled pack; refusals are collected in its builder."""

    def __init__(self, procedure: Procedure, naming: Naming, builder: Builder) -> None:
        self.procedure, self.naming, self.refusals = procedure, naming, builder.refusals

    def look(self) -> None:
        """All of them."""
        self.meanings()
        self.milestones()
        self.regrades()
        self.access()
        self.holds()
        self.kinds()
        self.rings()

    def meanings(self) -> None:
        """No fact means, or depends on, itself."""
        rests = {
            name: {*(fact.means.refs if fact.means is not None else ()), *([fact.under] if fact.under else ())}
            & self.procedure.facts.keys()
            for name, fact in self.procedure.facts.items()
        }
        for row in self.naming.declared["facts"]:
            name = row["fact"]
            with self.refusals.collect():
                if name in _reached(name, rests):
                    raise row.refusal("means" if "means" in row else "under", f"{name} rests, in the end, on itself")
        self.refusals.stop()

    def milestones(self) -> None:
        """A text has an acknowledged, an assigned and a resolved step, or the pack says that it does not."""
        said = {step.milestone for step in self.procedure.steps.values()}
        silent = self.procedure.milestones
        for name in STATED:
            with self.refusals.collect():
                if name in said and name in silent:
                    raise self.naming.root.refusal("milestones", f"{name}: a step has it, so it is stated")
                if name not in said and name not in silent:
                    told = f"name the step that is {name}, or say milestones: {{{name}: not-stated}}"
                    raise self.naming.root.refusal("milestones", told)

    def regrades(self) -> None:
        """A numbered limit with ``from`` under a condition that asks for a decision says what a change does."""
        tables = {table.decide for table in self.procedure.tables}
        for step in self.procedure.steps.values():
            asked = (step.part.when, step.when, *(case.when for case in step.within))
            numbered = any(case.limit.numbered for case in step.within)
            if numbered and step.from_ is not None and step.regrade is None and tables & self.reads(asked):
                with self.refusals.collect():
                    told = f"{step.id}: {REGRADE_NEEDED}"
                    raise self.naming.steps[step.id][0].refusal("within", told)
        for row in self.naming.declared["clocks"]:
            clock = self.procedure.clocks[row["clock"]]
            numbered = clock.within.limit.numbered and clock.from_ is not None
            if numbered and clock.regrade is None and tables & self.reads((clock.start,)):
                with self.refusals.collect():
                    told = f"{clock.name}: {REGRADE_NEEDED}"
                    raise row.refusal("within", told)

    def reads(self, conditions: Iterable[Condition | None]) -> set[str]:
        """Every name that these conditions read, those behind a ``means`` included."""
        found: set[str] = set()
        todo = [name for condition in conditions if condition is not None for name in condition.refs]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                fact = self.procedure.facts.get(name)
                if fact is not None and fact.means is not None:
                    todo += fact.means.refs
        return found

    def access(self) -> None:
        """A bar that always stands leaves somebody who may record each of its steps."""
        rows = {row["bar"]: row for row in self.naming.root.get("access", [])}
        for bar in self.procedure.access:
            for name in bar.may if bar.when is None else ():
                step = self.procedure.steps[name]
                with self.refusals.collect():
                    if not all(any(_passes(role, bar.only, bar.never) for role in either) for either in step.by):
                        raise rows[bar.name].refusal("may", f"nobody may record {name}: it is for {step.by_text}")

    def holds(self) -> None:
        """A hold does not wait for what it forbids."""
        rows = {row["hold"]: row for row in self.naming.root.get("holds", [])}
        for hold in self.procedure.holds:
            awaited = self.awaited(hold.until) & set(hold.forbids)
            if awaited:
                with self.refusals.collect():
                    told = f"{hold.name} waits for {', '.join(sorted(awaited))}, which it forbids"
                    raise rows[hold.name].refusal("until", told)

    def kinds(self) -> None:
        """A row about one kind of case asks for no step or clock of another: there it is never known."""
        procedure, of = self.procedure, self.kind_of()
        asked: list[tuple[str, Row, str, Iterable[str]]] = []
        for step in procedure.steps.values():
            row, conditions = self.naming.steps[step.id][0], [step.part.when, step.when, step.pause]
            conditions += [case.when for case in step.within] + ([step.extend.when] if step.extend else [])
            asked.append((step.part.case, row, step.verb, self.asks(conditions)))
            asked += [(step.part.case, row, "after", either) for either in step.after]
            asked += [(step.part.case, row, "from", [step.from_.removesuffix(".over")])] if step.from_ else []
        for row in self.naming.declared["clocks"]:
            clock = procedure.clocks[row["clock"]]
            asked.append((clock.case, row, "clock", self.asks((clock.start, clock.stop, clock.cancel, clock.pause))))
            asked += [(clock.case, row, "from", [clock.from_.removesuffix(".over")])] if clock.from_ else []
        for row, table in zip(self.naming.declared["decisions"], procedure.tables, strict=True):
            asked.append((table.case, row, "decide", self.asks(inner.when for inner in table.rows)))
        for kind, row, key, names in asked:
            for name in names:
                with self.refusals.collect():
                    if of.get(name, kind) != kind:
                        raise row.refusal(key, f"{name} belongs to each {of[name]}, and this row to each {kind}")

    def kind_of(self) -> dict[str, str]:
        """Step or clock to the kind of case that has it."""
        steps = {step.id: step.part.case for step in self.procedure.steps.values()}
        return steps | {clock.name: clock.case for clock in self.procedure.clocks.values()}

    @staticmethod
    def asks(conditions: Iterable[Condition | None]) -> list[str]:
        """The names that conditions ask for, without what they ask of them."""
        refs = [name for condition in conditions if condition is not None for name in condition.refs]
        return list(dict.fromkeys(name.partition(".")[0] for name in refs))

    def awaited(self, condition: Condition | None) -> set[str]:
        """The steps that must be over before a condition can be true."""
        if not isinstance(condition, CelCondition):
            return set()
        dotted = (name.partition(".") for name in condition.needs)
        return {
            step for step, _, tail in dotted if tail in ("done", "over", "outcome") and step in self.procedure.steps
        }

    def rings(self) -> None:
        """No step waits, in the end, for itself."""
        steps = self.procedure.steps
        after = {name: {either[0] for either in step.after if len(either) == 1} for name, step in steps.items()}
        waits = {
            name: after[name] | self.awaited(step.when) | self.awaited(step.part.when) for name, step in steps.items()
        }
        for hold in self.procedure.holds:
            for name in hold.forbids:
                waits[name] = waits[name] | self.awaited(hold.until)
        refused: set[str] = set()
        for name, step in steps.items():
            ring = _reached(name, waits)
            if name in ring and not refused & ring:
                refused |= ring
                with self.refusals.collect():
                    raise self.naming.steps[name][0].refusal(*_ring_told(step, name in _reached(name, after)))


def _ring_told(step: Step, by_after: bool) -> tuple[str, str]:
    if by_after:
        return "after", f"{step.id} comes after itself: it can never be done"
    return step.verb, f"holds, conditions and 'after' form a ring through {step.id}: it can never be done"


def _passes(role: str, only: tuple[str, ...] | None, never: tuple[str, ...] | None) -> bool:
    return role in BUILT_IN_ROLES or ((only is None or role in only) and role not in (never or ()))


def _reached(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    """Everything that ``start`` leads to; itself only where a ring leads back."""
    found: set[str] = set()
    todo = list(edges[start])
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += edges[name]
    return found
