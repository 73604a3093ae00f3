"""What a pack contradicts as a whole: refused, because a case under it could never go on or nobody would know a figure.

What only deserves an argument is found by ``warning``.
Source: the pack language, section 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from complaints.procedure.building import Builder
from complaints.procedure.conditions import CelCondition
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
