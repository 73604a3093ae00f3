"""What conditions see of a case: every name's value, and a condition with the names it reads resolved once.

A ``Check`` is one condition as one case (or one item of it) asks it. It knows the *keys* under which what it reads can
change, so that nobody asks again before that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol

from complaints.business_time import BusinessCalendar
from complaints.complaint import FRESH, Complaint, StepState, item_fact
from complaints.personal import is_closed
from complaints.procedure.limits import Limit, due_of
from complaints.procedure.model import UNSET, Condition, Fact, Procedure

Item = tuple[str, str]
"""Kind and number."""


class Sight(Protocol):
    """A case as it stands, and what is needed to look at it."""

    @property
    def state(self) -> Complaint: ...
    @property
    def calendar(self) -> BusinessCalendar: ...
    @property
    def actor(self) -> Actor | None: ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is about to act, for rules about who may."""

    person: str
    role: str


@dataclass(frozen=True, slots=True)
class Glance:
    """A ``Sight`` as a value."""

    state: Complaint
    calendar: BusinessCalendar
    actor: Actor | None = None


Read = Callable[[Sight], Any]


@dataclass(frozen=True, slots=True)
class Name:
    """How a name is read. ``keys``: what must change for its value to change."""

    read: Read
    keys: frozenset[str]
    personal: bool = False
    rests: frozenset[str] = frozenset()  # fields of the pack that gave it its value: starting values, meanings, spans
    leans: frozenset[str] = frozenset()  # questions that it reads


def clock_key(clock: str) -> str:
    """The key of what a clock does; a step's own key is its name."""
    return f"clock:{clock}"


def good(procedure: Procedure, name: str, step: StepState) -> bool:
    """Did the step end well (or was it waived)?"""
    return step.state == "over" and step.outcome in (
        procedure.steps[name.partition("#")[0]].outcomes[0],
        "waived",
    )


class Check:
    """A condition, ready to be asked."""

    __slots__ = ("_bare", "_names", "condition", "keys", "leans", "names", "rests")

    def __init__(self, condition: Condition, names: Names) -> None:
        self.condition, self._names = condition, names
        self.names: dict[str, Name] = {name: names.of(name) for name in condition.refs}
        self._bare: dict[str, Check] = {}
        self.keys = frozenset[str]().union(*(name.keys for name in self.names.values()))
        self.rests = frozenset[str]().union(*(name.rests for name in self.names.values()))
        self.leans = frozenset(condition.leans).union(*(name.leans for name in self.names.values()))

    def on(self, sight: Sight) -> bool | None:
        """True, False, or None while a name that decides is not known."""
        names = self.names
        return self.condition.on(lambda name: names[name].read(sight))

    def looked_at(self, sight: Sight) -> dict[str, Any]:
        """The names that are known and their values, in JSON's shapes; of a personal fact the name only."""
        seen: dict[str, Any] = {}
        for name, how in self.names.items():
            value = how.read(sight)
            if value is not UNSET:
                seen[name] = None if how.personal else value.isoformat() if isinstance(value, datetime) else value
        return seen

    def unknown(self, sight: Sight) -> list[str]:
        """The names that nobody has said yet."""
        return [name for name, how in self.names.items() if how.read(sight) is UNSET]

    def without(self, field: str) -> Check:
        """The same condition if nothing stood in this field of a fact or count: so one tells whether it decided."""
        if field not in self._bare:
            self._bare[field] = Check(self.condition, self._names.without(field))
        return self._bare[field]


class Names:
    """How the names of a procedure are read, in a case or in one item of it. Built once for each."""

    def __init__(self, procedure: Procedure, item: Item | None = None, bare: frozenset[str] = frozenset()) -> None:
        self._procedure, self._item, self._bare = procedure, item, bare
        self._known: dict[str, Name] = {}
        self._checks: dict[str, Check] = {}

    def of(self, name: str) -> Name:
        """How this name is read."""
        if name not in self._known:
            self._known[name] = self._built(name)
        return self._known[name]

    def check(self, condition: Condition) -> Check:
        """The condition as it is asked here; the same text is the same check."""
        if condition.text not in self._checks:
            self._checks[condition.text] = Check(condition, self)
        return self._checks[condition.text]

    def maybe(self, condition: Condition | None) -> Check | None:
        """As ``check``, of a condition that may not be there."""
        return None if condition is None else self.check(condition)

    def without(self, field: str) -> Names:
        """The same names if nothing stood in this field: no starting value, no meaning, no length of a span."""
        return Names(self._procedure, self._item, self._bare | {field})

    def _built(self, name: str) -> Name:
        head, _, tail = name.partition(".")
        if tail:
            return self._dotted(head, tail)
        if (fact := self._procedure.facts.get(name)) is not None:
            return self._fact(fact)
        if (built_in := BUILT_IN.get(name)) is not None:
            return built_in
        if name in self._procedure.counts:
            return self._count(name)
        return Name(lambda sight: sight.state.decided.get(name, UNSET), frozenset((name,)))

    # --- steps, clocks, items, forms: `talk.done` ---
    def _dotted(self, head: str, tail: str) -> Name:
        procedure = self._procedure
        if (step := procedure.steps.get(head)) is not None:
            mine = self._item is not None and step.part.for_each == self._item[0]
            return self._step(f"{head}#{self._item[1]}" if self._item is not None and mine else head, tail)
        if head in procedure.clocks:
            return _clock(head, tail)
        if head in procedure.items:
            return self._items(head, tail)
        if head in procedure.forms:
            return self._form(head)
        return Name(_actor(tail), frozenset())

    def _step(self, name: str, tail: str) -> Name:
        procedure, keys = self._procedure, frozenset((name,))
        match tail:
            case "late":
                return _clock(name, tail)
            case "open" | "over":
                return Name(lambda sight: sight.state.steps.get(name, FRESH).state == tail, keys)
            case "done":
                return Name(lambda sight: good(procedure, name, sight.state.steps.get(name, FRESH)), keys)
            case _:
                return Name(lambda sight: getattr(sight.state.steps.get(name, FRESH), tail), keys)

    def _items(self, kind: str, tail: str) -> Name:
        if tail == "count":
            return Name(lambda sight: len(sight.state.items.get(kind, ())), frozenset((kind,)))
        musts = [
            step.id for step in self._procedure.steps.values() if step.part.for_each == kind and step.duty == "must"
        ]

        def still_open(sight: Sight) -> int:
            steps = sight.state.steps
            return sum(
                any(steps.get(f"{step}#{number}", FRESH).state == "open" for step in musts)
                for number in sight.state.items.get(kind, ())
            )

        return Name(still_open, frozenset((kind, *(any_item(step) for step in musts))))

    def _form(self, form: str) -> Name:
        fields = self._procedure.forms[form].fields or ()
        return Name(lambda sight: all(field in sight.state.facts for field in fields), frozenset(fields))

    # --- facts and counts ---
    def _fact(self, fact: Fact) -> Name:
        if fact.means is not None:
            return self._resting(f"{fact.name}.means", self._meaning(self.check(fact.means)))
        if fact.span is not None:
            return self._resting(f"{fact.name}.within", self._span(*fact.span))
        name, (start, rests) = fact.name, self._start(fact.name, fact.starts_as)
        if self._item is not None and fact.of == self._item[0]:
            (kind, number), key = self._item, item_fact(name, "#".join(self._item))

            def read(sight: Sight) -> Any:
                # As of an instant before it was added, the item is not there.
                return sight.state.items.get(kind, {}).get(number, {}).get(name, start)

            return Name(_as_said(read, fact), frozenset((key,)), fact.personal, rests)
        return Name(
            _as_said(lambda sight: sight.state.facts.get(name, start), fact), frozenset((name,)), fact.personal, rests
        )

    def _start(self, name: str, starts_as: Any) -> tuple[Any, frozenset[str]]:
        """The starting value, and the field where it stands."""
        field = f"{name}.starts-as"
        if starts_as is UNSET or field in self._bare:
            return UNSET, frozenset()
        return starts_as, frozenset((field,))

    def _resting(self, field: str, name: Name) -> Name:
        """A derived fact rests on the field that says how; without it, it is not known."""
        if field in self._bare:
            return replace(name, read=lambda _: UNSET)
        return replace(name, rests=name.rests | {field})

    @staticmethod
    def _meaning(check: Check) -> Name:
        def read(sight: Sight) -> Any:
            value = check.on(sight)
            return UNSET if value is None else value

        return Name(read, check.keys, rests=check.rests, leans=check.leans)

    def _span(self, limit: Limit, begin: str, end: str) -> Name:
        a, b, answers = self.of(begin), self.of(end), self._procedure.questions

        def read(sight: Sight) -> Any:
            start, until = a.read(sight), b.read(sight)
            if start is UNSET or until is UNSET:
                return UNSET
            due = due_of(limit, start, answers, sight.calendar)
            return UNSET if due is None else until <= due.at

        leans = frozenset((limit.question,)) if limit.question else frozenset[str]()
        return Name(read, a.keys | b.keys, rests=a.rests | b.rests, leans=leans)

    def _count(self, name: str) -> Name:
        start, rests = self._start(name, self._procedure.counts[name].starts_as)
        return Name(lambda sight: sight.state.counts.get(name, start), frozenset((name,)), rests=rests)


def any_item(step: str) -> str:
    """The key of a step in whatever item."""
    return f"{step}#"


def _as_said(read: Read, fact: Fact) -> Read:
    """Facts keep their JSON shape: instants are text there. What is sealed or erased is not known."""

    def instant(sight: Sight) -> Any:
        value = read(sight)
        return datetime.fromisoformat(value) if isinstance(value, str) and not is_closed(value) else UNSET

    def opened(sight: Sight) -> Any:
        value = read(sight)
        return UNSET if is_closed(value) else value

    return instant if fact.kind == "time" else opened if fact.personal else read


def _clock(name: str, tail: str) -> Name:
    def late(sight: Sight) -> bool:
        clock = sight.state.clocks.get(name)
        return clock is not None and clock.late

    def running(sight: Sight) -> bool:
        clock = sight.state.clocks.get(name)
        return clock is not None and clock.state == "running"

    return Name(late if tail == "late" else running, frozenset((clock_key(name),)))


def _actor(tail: str) -> Read:
    def read(sight: Sight) -> Any:
        return UNSET if sight.actor is None else getattr(sight.actor, tail)

    return read


BUILT_IN: Final[Mapping[str, Name]] = {
    "closed": Name(lambda sight: sight.state.closed_at is not None, frozenset(("closed",))),
    "received": Name(lambda sight: sight.state.received_at, frozenset()),
    "case": Name(lambda sight: sight.state.case, frozenset()),
    "channel": Name(lambda sight: sight.state.channel, frozenset()),
    "arrived_closed": Name(lambda sight: sight.state.arrived_closed, frozenset()),
    "receiver": Name(lambda sight: sight.state.receiver, frozenset()),
    "holder": Name(lambda sight: sight.state.holder, frozenset(("holder",))),
}


def instants_of(state: Complaint, keys: Iterable[str]) -> set[datetime]:
    """The effective instants at which what stands under these keys has changed."""
    found: set[datetime] = set()
    for key in keys:
        head, _, tail = key.partition(":")
        if tail and head == "clock":
            clock = state.clocks.get(tail)
            if clock is not None and clock.late and clock.due_at is not None:
                found.add(clock.due_at)
        elif key.endswith("#"):
            found.update(m.at for name, step in state.steps.items() if name.startswith(key) for m in step.marks)
        elif (step := state.steps.get(key)) is not None:
            found.update(mark.at for mark in step.marks)
        else:
            found.update(said[0] for said in state.history.get(key, ()))
    return found
