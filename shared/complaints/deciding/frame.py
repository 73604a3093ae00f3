"""A procedure's rows as one kind of case has them, each with the names on which it depends.

Built at first use and kept in ``Procedure.cache``; a case with items has a frame of its own for each number of items,
since the rows of a part ``for-each`` stand once for every item. A *bit* stands for a row in its group; ``dependents``
gives the bits of the rows that look at what stands under a key, so that a decision looks again at those alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from complaints.business_time import BusinessCalendar
from complaints.complaint import Complaint, item_fact
from complaints.deciding.citing import Citations
from complaints.deciding.sight import Check, Glance, Item, Names, Sight, any_item, clock_key, good
from complaints.events import Clause
from complaints.procedure.limits import Limit
from complaints.procedure.model import (
    Bar,
    ClockRow,
    Condition,
    Duty,
    Extension,
    Hold,
    Keep,
    LimitCase,
    Procedure,
    Regrade,
    Row,
    Step,
    Table,
)

Start = Callable[[Sight], datetime | None]
"""The instant a limit counts from, None while it has not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """A step of this case."""

    step: Step
    name: str
    row: str  # the name without the item's number
    stands: tuple[Check, ...]  # the part's condition and its own
    standing: tuple[str, ...]  # the fields in which these are written
    waits_from: Start | None  # what `wait` counts from, where the row says so
    after_close: bool  # stands while the case is closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A limit: of a step, which stops it, or a clock that no step stops."""

    name: str
    row: str
    clause: Clause
    step: Step | None
    by: str | list[str] | None
    duty: Duty  # of a clock without a step: "may", since nobody is in breach
    stands: tuple[Check, ...]
    standing: tuple[str, ...]  # the fields in which these are written
    stop: Check | None
    cancel: Check | None
    pause: Check | None
    extend: Check | None
    extension: Extension | None
    cases: tuple[tuple[Check | None, LimitCase], ...]
    regrade: Regrade | None
    start: Start | None  # None: its opening
    from_: str | None  # as the pack writes it
    starts_with: str | None  # of a limit from a fact: the name under which its history stands
    item: Item | None
    after_close: bool


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a decision table."""

    row: Row
    check: Check | None
    fact: Callable[[Sight], object] | None
    rule: str
    otherwise: tuple[Check, ...]  # where the desk chose the condition: what else it might have chosen


@dataclass(frozen=True, slots=True)
class TableOf:
    """A decision table."""

    table: Table
    rows: tuple[TableRow, ...]
    order: Mapping[str | int, int]


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold."""

    hold: Hold
    when: Check | None
    until: Check


@dataclass(frozen=True, slots=True)
class KeepRow:
    """How long a record of this case is kept."""

    keep: Keep
    when: Check | None
    start: Start


GROUPS: Final = ("tables", "lapses", "openings", "clocks", "holds", "notices")


class Frame:
    """The rows of one kind of case, with so many items of each kind."""

    def __init__(self, procedure: Procedure, case: str, items: Mapping[str, int]) -> None:
        self.procedure, self.case, self.items = procedure, case, items
        self.citations: Citations = citations_of(procedure)
        self._names: dict[Item | None, Names] = {}
        self.steps: dict[str, StepRow] = {}
        self.timed: dict[str, Timed] = {}
        self.instances: dict[str, list[str]] = {}
        self._after_close: dict[str, bool] = {}
        self._parts: dict[int, str] = {}
        self._decides = frozenset(table.decide for table in procedure.tables)
        for step in self._steps_of_case():
            self.steps[step.id] = self._step_row(step)
            self.instances.setdefault(step.name, []).append(step.id)
            if step.within or step.round is not None:
                self.timed[step.id] = self._timed_step(step)
        self.timed |= {row.name: self._timed_clock(row) for row in procedure.clocks.values() if row.case == case}
        self.step_rows = tuple(self.steps.values())
        self.timed_rows = tuple(self.timed.values())
        self.tables = tuple(self._table(table) for table in procedure.tables if table.case == case)
        self.holds = tuple(
            HoldRow(hold, self.names().maybe(hold.when), self.names().check(hold.until))
            for hold in procedure.holds
            if any(step in self.instances for step in hold.forbids)
        )
        self.keeps = tuple(
            KeepRow(keep, self.names().maybe(keep.when), self._start(keep.from_, None) if keep.from_ else _closing)
            for keep in procedure.retention
            if keep.case in (None, case)
        )
        self.notices = tuple(row for row in self.step_rows if row.step.verb == "tell" and _by_system(row.step))
        self._index()

    def names(self, item: Item | None = None) -> Names:
        """How names are read in the case, or in an item of it."""
        if item not in self._names:
            self._names[item] = Names(self.procedure, item)
        return self._names[item]

    def bars(self, step: Step) -> Iterable[tuple[Bar, Check | None]]:
        """The rules about who may record this step."""
        for bar in self.procedure.access:
            if step.name in bar.may:
                yield bar, self.names(step.item).maybe(bar.when)

    # --- the rows ---
    def _steps_of_case(self) -> Iterable[Step]:
        for step in self.procedure.steps.values():
            if step.part.case != self.case:
                continue
            kind = step.part.for_each
            if kind is None:
                yield step
                continue
            for number in map(str, range(1, self.items.get(kind, 0) + 1)):
                after = tuple(
                    tuple(f"{a}#{number}" if self.procedure.steps[a].part.for_each == kind else a for a in alternatives)
                    for alternatives in step.after
                )
                yield replace(step, id=f"{step.id}#{number}", item=(kind, number), after=after)

    def _step_row(self, step: Step) -> StepRow:
        return StepRow(
            step=step,
            name=step.id,
            row=step.name,
            stands=self._stands(step),
            standing=self._standing(step),
            waits_from=self._start(step.from_, step.item) if step.wait is not None and step.from_ is not None else None,
            after_close=self._stands_after_close(step.name),
        )

    def _stands(self, step: Step) -> tuple[Check, ...]:
        names = self.names(step.item)
        return tuple(names.check(condition) for condition in (step.part.when, step.when) if condition is not None)

    def _standing(self, step: Step) -> tuple[str, ...]:
        if not self._parts:
            parts = {id(one.part): None for one in self.procedure.steps.values()}  # two parts may be written alike
            self._parts = {part: f"steps.{number}.when" for number, part in enumerate(parts, 1)}
        return (self._parts[id(step.part)], f"{step.name}.when")

    def _stands_after_close(self, name: str) -> bool:
        """Does it come, at however many removes, after a step that closes the case?"""
        if name not in self._after_close:
            self._after_close[name] = any(
                self.procedure.steps[a].verb == "close" or self._stands_after_close(a)
                for alternatives in self.procedure.steps[name].after
                for a in alternatives
            )
        return self._after_close[name]

    def _timed_step(self, step: Step) -> Timed:
        names = self.names(step.item)
        return Timed(
            name=step.id,
            row=step.name,
            clause=step.clause,
            step=step,
            by=step.by_text,
            duty=step.duty,
            stands=self._stands(step),
            standing=self._standing(step),
            stop=None,
            cancel=None,
            pause=names.maybe(step.pause),
            extend=names.maybe(step.extend.when) if step.extend else None,
            extension=step.extend,
            cases=tuple((names.maybe(case.when), case) for case in step.within),
            regrade=step.regrade,
            start=self._start(step.from_, step.item) if step.from_ is not None else None,
            from_=step.from_,
            starts_with=self._said(step.from_, step.item),
            item=step.item,
            after_close=self._stands_after_close(step.name),
        )

    def _timed_clock(self, clock: ClockRow) -> Timed:
        names = self.names()
        start = names.maybe(clock.start)
        return Timed(
            name=clock.name,
            row=clock.name,
            clause=clock.clause,
            step=None,
            by=None,
            duty="may",
            stands=(start,) if start is not None else (),
            standing=(f"{clock.name}.start",),
            stop=names.maybe(clock.stop),
            cancel=names.maybe(clock.cancel),
            pause=names.maybe(clock.pause),
            extend=None,
            extension=None,
            cases=((names.maybe(clock.within.when), clock.within),),
            regrade=clock.regrade,
            start=self._start(clock.from_ or "received", None),
            from_=clock.from_,
            starts_with=self._said(clock.from_, None),
            item=None,
            after_close=False,
        )

    def _start(self, from_: str, item: Item | None) -> Start:
        if from_ == "received":
            return lambda sight: sight.state.received_at
        if from_.startswith("fact "):
            return self.instant(from_.removeprefix("fact "), item)
        name, any_end = from_.removesuffix(".over"), from_.endswith(".over")
        if item is not None and self.procedure.steps[name].part.for_each == item[0]:
            name = f"{name}#{item[1]}"

        def start(sight: Sight) -> datetime | None:
            step = sight.state.step(name)
            ended = step.state == "over" if any_end else good(self.procedure, name, step)
            return step.at if ended else None

        return start

    def _said(self, from_: str | None, item: Item | None) -> str | None:
        """The name under which the history of the fact stands that a limit counts from."""
        if from_ is None or not from_.startswith("fact "):
            return None
        fact = from_.removeprefix("fact ")
        mine = item is not None and fact in self.procedure.facts and self.procedure.facts[fact].of == item[0]
        return item_fact(fact, "#".join(item)) if item is not None and mine else fact

    def instant(self, fact: str, item: Item | None) -> Start:
        """A fact of type time as an instant; None while it is not known."""
        read = self.names(item).of(fact).read

        def known(sight: Sight) -> datetime | None:
            value = read(sight)
            return value if isinstance(value, datetime) else None

        return known

    def _table(self, table: Table) -> TableOf:
        names = self.names()
        rows = tuple(
            TableRow(
                row,
                names.maybe(row.when),
                names.of(row.fact).read if row.fact is not None else None,
                f"{table.decide}.rows.{number}",
                tuple(names.check(condition) for condition in row.otherwise),
            )
            for number, row in enumerate(table.rows, 1)
        )
        return TableOf(table, rows, {value: place for place, value in enumerate(table.of)})

    # --- what depends on what ---
    def _index(self) -> None:
        """Bits in the order of the groups, in file order in each; ``spans`` are the bits of a group."""
        self.dependents: dict[str, int] = {}
        self.spans: dict[str, tuple[int, int]] = {}
        place = 0
        for group, rows in zip(GROUPS, self._keys(), strict=True):
            first = place
            for keys in rows:
                for key in keys:
                    self.dependents[key] = self.dependents.get(key, 0) | 1 << place
                place += 1
            self.spans[group] = (first, place)
        self.everything = (1 << place) - 1
        busy = (busy for group in self._busy_at_receipt() for busy in group)
        self.at_receipt = sum(1 << place for place, is_busy in enumerate(busy) if is_busy)

    def _busy_at_receipt(self) -> Iterable[list[bool]]:
        """Which rows can do something in a case to which nothing has happened but its receipt.

        No step is open or over there. Whatever changes that touches the step, and so the rows that look at it.
        """
        yield [True for _ in self.tables]
        yield [False for _ in self.step_rows]  # nothing open lapses
        yield [not row.step.after and row.step.round is None for row in self.step_rows]
        yield [row.step is None or row.from_ is not None or row.pause is not None for row in self.timed_rows]
        yield [True for _ in self.holds]
        yield [False for _ in self.notices]  # none is owed

    def _keys(self) -> Iterable[list[set[str]]]:
        yield [self._keys_of_table(table) for table in self.tables]
        yield [_keys_of(row.stands) | {"closed"} for row in self.step_rows]
        yield [self._keys_of_opening(row) for row in self.step_rows]
        yield [self._keys_of_clock(row) for row in self.timed_rows]
        yield [_keys_of((row.when, row.until)) for row in self.holds]
        yield [
            {row.name, *(hold_key(hold.hold.name) for hold in self.holds if row.row in hold.hold.forbids)}
            for row in self.notices
        ]

    def _keys_of_table(self, table: TableOf) -> set[str]:
        facts = {key for row in table.table.rows if row.fact is not None for key in self.names().of(row.fact).keys}
        return _keys_of(row.check for row in table.rows) | facts | {table.table.decide}

    def _keys_of_opening(self, row: StepRow) -> set[str]:
        step = row.step
        keys = _keys_of(row.stands) | {"closed", row.name} | {a for alternatives in step.after for a in alternatives}
        if step.wait is not None:
            keys |= self._keys_of_start(step.from_, step.item) | self._keys_of_limit(step.wait, step.item)
        return keys

    def _keys_of_clock(self, row: Timed) -> set[str]:
        keys = _keys_of((*row.stands, row.stop, row.cancel, row.pause, row.extend, *(check for check, _ in row.cases)))
        keys |= {"closed", row.name, clock_key(row.name)} | self._keys_of_start(row.from_, row.item)
        for _, case in row.cases:
            keys |= self._keys_of_limit(case.limit, row.item)
        return keys if row.extension is None else keys | self._keys_of_limit(row.extension.to, row.item)

    def _keys_of_start(self, from_: str | None, item: Item | None) -> set[str]:
        if from_ is None or from_ == "received":
            return set()
        if from_.startswith("fact "):
            return set(self.names(item).of(from_.removeprefix("fact ")).keys)
        name = from_.removesuffix(".over")
        mine = item is not None and self.procedure.steps[name].part.for_each == item[0]
        return {f"{name}#{item[1]}" if item is not None and mine else name}

    def _keys_of_limit(self, limit: Limit, item: Item | None) -> set[str]:
        return set() if limit.fact is None else set(self.names(item).of(limit.fact).keys)

    def graded(self, key: str) -> bool:
        """Is it a fact or a decision? Those alone can *change* what applies; all else is merely learned."""
        return "@" in key or key in self.procedure.facts or key in self._decides

    # --- loops ---
    def again(self, target: str) -> frozenset[str]:
        """The rows that a loop to ``target`` reopens: it, and whatever comes after it by `after` or by `when`."""
        loops: dict[str, frozenset[str]] = self.procedure.cache.setdefault("loops", {})
        if target not in loops:
            needs = {step.name: _needs(step, self.procedure) for step in self.procedure.steps.values()}
            found = {target}
            while more := {name for name, needed in needs.items() if needed & found} - found:
                found |= more
            loops[target] = frozenset(found)
        return loops[target]


def _closing(sight: Sight) -> datetime | None:
    return sight.state.closed_at


def _by_system(step: Step) -> bool:
    return any("system" in alternatives for alternatives in step.by)


def hold_key(hold: str) -> str:
    """The key of what a hold does."""
    return f"hold:{hold}"


def _needs(step: Step, procedure: Procedure) -> set[str]:
    asked = {ref.partition(".")[0] for ref in (step.when.refs if step.when is not None else ())}
    return {a for alternatives in step.after for a in alternatives} | (asked & procedure.steps.keys())


def _keys_of(checks: Iterable[Check | None]) -> set[str]:
    return {key for check in checks if check is not None for key in check.keys}


def touched_step(name: str) -> tuple[str, ...]:
    """The keys that a change of a step touches."""
    return (name, any_item(name.partition("#")[0])) if "#" in name else (name,)


def citations_of(procedure: Procedure) -> Citations:
    """The procedure's citations, built once."""
    found: Citations | None = procedure.cache.get("citations")
    if found is None:
        found = procedure.cache["citations"] = Citations(procedure)
    return found


def frame_of(procedure: Procedure, state: Complaint) -> Frame:
    """The frame of this case, built once for each kind of case and number of items."""
    items = {kind: len(numbers) for kind, numbers in state.items.items()} if state.items else {}
    key = ("frame", state.case, tuple(sorted(items.items())))
    found: Frame | None = procedure.cache.get(key)
    if found is None:
        found = procedure.cache[key] = Frame(procedure, state.case, items)
    return found


def holds_for(condition: Condition, state: Complaint, procedure: Procedure, calendar: BusinessCalendar) -> bool | None:
    """A condition asked of a case from outside a decision: of a round, a report, a sample. None while undecided."""
    return frame_of(procedure, state).names().check(condition).on(Glance(state, calendar))


def value_of(name: str, state: Complaint, procedure: Procedure, calendar: BusinessCalendar) -> Any:
    """What conditions see under a name; UNSET while nobody has said it. Instants are ``datetime``."""
    return frame_of(procedure, state).names().of(name).read(Glance(state, calendar))
