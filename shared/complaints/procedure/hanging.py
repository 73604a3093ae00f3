"""Which tables and limits can wait for circumstances that nobody need ever mention.

The usual case must have its grade, owner and first clocks from the moment it is received. A fact is *certain* when it
has a starting value, is asked at intake (and so owed), or is recorded by a step that must be done; a table when it
decides on certain names alone. What rests on anything else can hang. Conditions are tried, not guessed at: with the
values that can make a difference, and three-valued, so that ``false && unknown`` hangs on nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any, Final

from complaints.procedure.conditions import CelCondition
from complaints.procedure.model import UNSET, Condition, Lookup, Procedure, Step, Table
from complaints.procedure.naming import BUILT_IN_NAMES, Naming

TRIED: Final = 4096  # combinations of values that one question is tried with


class Hanging:
    """One pack, looked through.

    ``certain``: the names known in every usual case; ``tables``: for each table that can stay undecided, why.
    """

    def __init__(self, procedure: Procedure, naming: Naming) -> None:
        self.procedure, self.types, self.values = procedure, naming.names.types, naming.names.values
        self.certain: set[str] = self._given()
        before = -1
        while before < len(self.certain):
            before = len(self.certain)
            self._grow()
        self.tables: dict[str, str] = {}
        for table in procedure.tables:
            if why := self._why_undecided(table):
                self.tables[table.decide] = why

    def waited_for(self, under: Iterable[Condition | None], cases: Sequence[Condition | None]) -> tuple[str, ...]:
        """The uncertain names on which a limit can hang: of its conditions, and of its cases where none need be true.

        A case without condition counts whatever is unknown before it.
        """
        hanging = [c for c in under if self._can_be_unknown(c, initial=False)]
        conditions = [c for c in cases if c is not None]
        unsure = [c for c in conditions if self._can_be_unknown(c, initial=False)]
        remainder = len(conditions) < len(cases)
        if unsure and not remainder and self._gap([c for c in conditions if self._sure(c)]) is not None:
            hanging += unsure
        names = (name for c in hanging if c is not None for name in c.refs)
        return tuple(dict.fromkeys(name for name in names if name not in self.certain))

    # --- what is certain ---
    def _given(self) -> set[str]:
        procedure = self.procedure
        tables = {table.decide for table in procedure.tables}
        known = set(self.types) - procedure.facts.keys() - procedure.counts.keys() - tables - {"owner"}
        known |= {name for name, fact in procedure.facts.items() if fact.starts_as is not UNSET}
        return known | {name for name, count in procedure.counts.items() if count.starts_as is not UNSET}

    def _grow(self) -> None:
        procedure, known = self.procedure, self.certain
        for row in procedure.intake:
            if self._sure(row.when):
                known.update(row.asks)
        for step in procedure.steps.values():
            if self._owed(step):
                known.update(step.records)
        for name, fact in procedure.facts.items():
            if fact.means is not None and self._sure(fact.means):
                known.add(name)
            if fact.span is not None and fact.span[0].numbered and known.issuperset(fact.span[1:]):
                known.add(name)
        known.update(name for name, count in procedure.counts.items() if count.same in known)
        known.update(table.decide for table in procedure.tables if self._why_undecided(table) is None)

    def _sure(self, condition: Condition | None) -> bool:
        return condition is None or self.certain.issuperset(condition.refs)

    def _owed(self, step: Step) -> bool:
        return step.duty == "must" and self._sure(step.when) and self._sure(step.part.when)

    # --- tables ---
    def _why_undecided(self, table: Table) -> str | None:
        """Why a table can stay undecided, None where it cannot."""
        conditions = [row.when for row in table.rows if row.when is not None]
        remainder = len(conditions) < len(table.rows)
        unsure = [c for c in conditions if self._can_be_unknown(c, initial=True)]
        lacking = [row.fact for row in table.rows if row.fact is not None and row.fact not in self.certain]
        if unsure and not remainder and self._gap([c for c in conditions if self._sure(c)]) is None:
            unsure = []
        if unsure or lacking:
            names = dict.fromkeys([n for c in unsure for n in c.refs if n not in self.certain] + lacking)
            return f"can wait for {listed(self._roots(names))}, which nobody need have mentioned"
        sure = [c for c in conditions if self._sure(c)]
        gap = None if remainder or not sure else self._gap(sure)
        return None if gap is None else f"stays undecided when {gap}: no row covers it"

    def _roots(self, names: Iterable[str]) -> list[str]:
        """The facts that nobody need mention, behind derived names and other tables."""
        found: dict[str, None] = {}
        todo, seen = list(names), set[str]()
        while todo:
            name = todo.pop(0)
            if name in seen or name in self.certain:
                continue
            seen.add(name)
            behind = self._behind(name)
            if behind is None:
                found[name] = None
            else:
                todo += behind
        return list(found) or list(names)

    def _behind(self, name: str) -> list[str] | None:
        """The names on which a derived name or a table rests, None for a name that rests on nothing."""
        fact = self.procedure.facts.get(name)
        if fact is not None and fact.means is not None:
            return list(fact.means.refs)
        if fact is not None and fact.span is not None:
            return list(fact.span[1:])
        table = next((t for t in self.procedure.tables if t.decide == name), None)
        if table is None:
            return None
        return [n for row in table.rows if row.when is not None for n in row.when.refs]

    # --- trying ---
    def _can_be_unknown(self, condition: Condition | None, *, initial: bool) -> bool:
        """Whether a condition can be undecided while every certain name is known.

        ``initial``: with steps and clocks as they stand at receipt; what a table has decided then it does not forget.
        """
        if condition is None or self._sure(condition):
            return False
        return any(condition.on(self._seeing(known)) is None for known in self._tries([condition], initial=initial))

    def _gap(self, conditions: list[Condition]) -> str | None:
        """Values of facts for which none of the conditions is true, in words; None where they cover everything.

        Of conditions that ask how steps stand nothing is said: that changes.
        """
        if not conditions:
            return "nothing is known"
        if any(_is_state(name) for name in self._leaves(conditions)):
            return None
        for known in self._tries(conditions, initial=True):
            if all(c.on(self._seeing(known)) is False for c in conditions):
                return listed([f"{name} is {_spoken(value)}" for name, value in known.items()] or ["anything is known"])
        return None

    def _tries(self, conditions: Iterable[Condition], *, initial: bool) -> Iterator[dict[str, Any]]:
        leaves = self._leaves(conditions)
        values = [self._sample(name, compared, initial=initial) for name, compared in leaves.items()]
        for combination in islice(product(*values), TRIED):
            yield dict(zip(leaves, combination, strict=True))

    def _leaves(self, conditions: Iterable[Condition]) -> dict[str, list[Any]]:
        """The names on which conditions rest in the end, each with the values that it is compared with."""
        leaves: dict[str, list[Any]] = {}
        todo, seen = list(conditions), set[str]()
        while todo:
            condition = todo.pop(0)
            for name in condition.refs:
                means = self._means(name)
                if means is None:
                    leaves.setdefault(name, [])
                elif name not in seen:
                    seen.add(name)
                    todo.append(means)
            for name, value in condition.compares if isinstance(condition, CelCondition) else ():
                if name in leaves:
                    leaves[name].append(value)
        return leaves

    def _means(self, name: str) -> Condition | None:
        fact = self.procedure.facts.get(name)
        return None if fact is None else fact.means

    def _seeing(self, known: Mapping[str, Any]) -> Lookup:
        """A lookup that knows these values, and what follows from them by ``means``."""

        def get(name: str) -> Any:
            means = self._means(name)
            if means is None:
                return known[name]
            value = means.on(get)
            return UNSET if value is None else value

        return get

    def _sample(self, name: str, compared: list[Any], *, initial: bool) -> list[Any]:
        """Values of a name that can make a difference."""
        kind = self.types[name]
        if name not in self.certain:
            return [UNSET]
        if initial and _is_state(name):
            tail = name.rpartition(".")[2]
            return [False if kind == "yes-no" else int(tail == "round") if kind == "number" else UNSET]
        match kind:
            case "yes-no":
                return [False, True]
            case "number":
                numbers = {v for v in (0, *compared) if isinstance(v, int)}
                return sorted({n + d for n in numbers for d in (0, 1)} | {10**6})
            case "text":
                return list(self.values.get(name) or (*dict.fromkeys(compared), "something else"))
            case _:
                return [UNSET]


def _is_state(name: str) -> bool:
    """Whether a name says how the case stands, not what somebody said of it."""
    return "." in name or name in BUILT_IN_NAMES.keys() - {"channel", "case"}


def listed(names: Iterable[str]) -> str:
    """``a, b and c``."""
    *most, last = list(names)
    return f"{', '.join(most)} and {last}" if most else last


def _spoken(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
