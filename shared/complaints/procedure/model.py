"""A pack compiled for one desk's answers: what the engine executes. Built by ``loading``, read by ``deciding``.

Everything here is immutable. A *place* is the dotted name of a value that the text leaves open (``to_md.extend.to``);
``Procedure.answered`` holds the places that the desk answered, so that what follows can cite them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal, Protocol, runtime_checkable

from complaints.events import Clause
from complaints.procedure.limits import Limit


class Unset:
    """The value of a name that nobody has said yet."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
Lookup = Callable[[str], Any]
"""Gives a name's value, or UNSET while it is not known."""


@runtime_checkable
class Condition(Protocol):
    """A type-checked condition.

    ``refs``: every name it reads, constants and answers of questions left out; ``leans``: the questions it reads;
    ``dates``: the instants of which it asks more than how they stand to another.
    """

    @property
    def text(self) -> str: ...
    @property
    def refs(self) -> tuple[str, ...]: ...
    @property
    def leans(self) -> tuple[str, ...]: ...
    @property
    def dates(self) -> frozenset[str]: ...
    def on(self, get: Lookup) -> bool | None:
        """True, False, or None while a name that decides is not known."""
        ...


Verb = Literal["do", "approve", "tell", "contact", "revisit", "fill", "pass", "close", "reopen"]
Duty = Literal["must", "should", "if-necessary", "may"]
Regrade = Literal["keep", "carry", "restart", "not-stated"]

OUTCOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "do": ("done",),
    "approve": ("approved", "refused"),
    "tell": ("told",),
    "contact": ("reached", "not_reached"),
    "revisit": ("satisfied", "dissatisfied"),
    "fill": ("filled",),
    "pass": ("passed",),
    "close": ("closed",),
    "reopen": ("reopened",),
}
MILESTONES: Final = ("acknowledged", "assigned", "resolved", "revisited", "escalated")
NOBODY: Final = "nobody"
"""Where a role may stand that none is: what nobody sets or judges."""
BUILT_IN_ROLES: Final = frozenset(("anyone", "customer", "owner", "receiver", "holder", "system", "next_tier"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCase:
    """One value of a limit; the first whose condition is true counts."""

    when: Condition | None
    limit: Limit
    clause: Clause  # its own, else None
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """More time, asked once of the due instant as it was."""

    to: Limit
    when: Condition
    clause: Clause


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A group of steps."""

    name: str
    clause: Clause
    when: Condition | None
    case: str
    for_each: str | None
    en: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that somebody owes. ``id``: the row's name, in an item ``name#number``; item: (kind, number)."""

    id: str
    verb: Verb
    index: int  # in file order
    part: Part
    clause: Clause
    says: str | None
    en: str | None
    note: str | None
    by: tuple[tuple[str, ...], ...]  # each must record; any of each
    by_text: str | list[str]  # as the pack writes it
    to: tuple[str, ...]
    to_text: str | list[str] | None
    when: Condition | None
    after: tuple[tuple[str, ...], ...]  # all of them, any of each
    duty: Duty
    wait: Limit | None
    within: tuple[LimitCase, ...]
    from_: str | None  # received, a step, step.over, `fact name`, or None: the opening
    pause: Condition | None
    extend: Extension | None
    regrade: Regrade | None
    records: tuple[str, ...]
    form: str | None
    complete: bool
    outcomes: tuple[str, ...]  # the first is the good one
    back: Mapping[str, str]
    repeats: Limit | None
    people: int
    round: str | None  # the desk duty that opens it
    leaves: tuple[str, ...]
    milestone: str | None
    medium: tuple[str, ...]
    item: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """The row's name, without the item's number."""
        return self.id.partition("#")[0]


FactKind = Literal["text", "yes-no", "number", "time", "choice", "means", "span"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What can be known of a case."""

    name: str
    clause: Clause
    kind: FactKind
    title: str | None
    en: str | None
    says: str | None
    note: str | None
    choices: tuple[str, ...]  # of kind choice; empty: the text gives no list
    under: str | None
    tree: Mapping[str, tuple[str, ...]]  # choices by the parent's value
    by: tuple[str, ...]  # only these roles set it; empty: anyone
    personal: bool
    starts_as: Any  # UNSET where nothing holds before somebody speaks
    of: str | None  # the kind of item it belongs to
    means: Condition | None
    span: tuple[Limit, str, str] | None  # within, from, until
    en_title: str | None = None  # where `en` translates says: of the title


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a decision table."""

    set: str | int | None  # a value, or None where `fact` gives it
    fact: str | None
    when: Condition | None  # None: the remainder
    clause: Clause
    place: str
    says: str | None
    en: str | None
    otherwise: tuple[Condition, ...] = ()  # where the desk chose `when`: what else it might have chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A decision."""

    decide: str
    of: tuple[str | int, ...]  # most serious first; empty: not ordered
    falls: Literal["yes", "never", "not-stated"]
    case: str
    judged_by: tuple[str, ...]  # empty: nobody
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRow:
    """A limit that no step stops."""

    name: str
    clause: Clause
    says: str | None
    en: str | None
    from_: str | None
    within: LimitCase
    start: Condition | None
    stop: Condition | None
    cancel: Condition | None
    pause: Condition | None
    regrade: Regrade | None
    case: str = "complaint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Steps are refused until something has happened."""

    name: str
    clause: Clause
    says: str | None
    en: str | None
    when: Condition | None
    until: Condition
    forbids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Who may (not) do a step, or see a fact."""

    name: str
    clause: Clause
    says: str | None
    en: str | None
    when: Condition | None
    only: tuple[str, ...] | None
    never: tuple[str, ...] | None
    may: tuple[str, ...]
    hide: tuple[str, ...]
    from_: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeRow:
    """A channel, what it asks, who may receive on it."""

    clause: Clause
    channels: tuple[str, ...]
    by: tuple[str, ...]
    asks: tuple[str, ...]
    when: Condition | None
    case: str
    says: str | None
    en: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Somebody who may owe something."""

    name: str
    title: str
    en: str | None
    clause: Clause
    tier: int | None
    outside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form or register."""

    name: str
    title: str
    en: str | None
    clause: Clause
    fields: tuple[str, ...] | None  # None: not stated
    number: str | None  # a fact unique in the desk
    register: bool
    says: str | None = None
    en_title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of case that is no complaint, or a kind of item."""

    name: str
    title: str
    en: str | None
    clause: Clause
    by: tuple[str, ...]  # opened-by, added-by
    says: str | None = None
    en_title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many cases share a fact."""

    name: str
    clause: Clause
    same: str
    within: Limit | None
    of: Literal["complainants", "complaints", "complaints-after-closing"]
    starts_as: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRule:
    """When an old case may be taken up again."""

    name: str
    clause: Clause
    when: Condition | None
    attaches: str | None
    to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """One call, one complaint."""

    name: str
    clause: Clause
    same: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure of a report."""

    kind: Literal["count", "rate", "on-time", "list"]
    what: str
    of: str | None
    by: str | None
    where: Condition | None
    shows: tuple[str, ...]
    row: Mapping[str, Any]  # as the pack writes it
    case: str = "complaint"


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyRow:
    """What the desk owes without a case."""

    owe: str
    clause: Clause
    says: str | None
    en: str | None
    every: str
    day: str
    time: str | None
    by: tuple[str, ...]
    to: tuple[str, ...]
    duty: Duty
    holiday: str
    covers: str
    cases: Condition | None
    each: str | None
    report: tuple[Measure, ...]
    report_text: str | None
    sample_size: int | None
    sample_include: Condition | None
    has_sample: bool = False
    starting: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long a record is kept before it may be erased."""

    name: str
    clause: Clause
    for_: Limit
    by: str | None
    from_: str | None = None  # as of a limit; None: closing
    case: str | None = None  # None: every kind
    when: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Something that the text leaves open."""

    name: str
    kind: Literal["reading", "not-stated", "soft"]
    value: Any  # in force
    offers: tuple[Any, ...]  # of a reading, its own first
    because: str | None
    word: str | None
    clause: Clause
    answered: bool
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A real question about the text; its answer is a constant in conditions."""

    name: str
    asks: str
    clause: Clause
    answer: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A row of the pack that restates a clause. ``section`` as in the file; ``rule`` the row's name or place."""

    clause: str
    section: str
    rule: str
    line: int
    says: str | None = None  # the row's own words
    at: str | None = None  # of guidance: where it is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to argue about in a pack: it loads, but a reader should know."""

    kind: Literal["outcome", "fact", "undecided", "hangs", "channel"]
    place: str
    clause: Clause
    line: int
    column: int
    why: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """A pack, compiled with one desk's answers."""

    id: str
    version: int
    title: str
    en: str | None
    digest: str  # SHA-256 of the pack file, hex: packs are content-addressed
    questions: Mapping[str, Any]  # question: its answer in force
    places: Mapping[str, Place]
    answered: frozenset[str]
    roles: Mapping[str, Role]
    facts: Mapping[str, Fact]
    intake: tuple[IntakeRow, ...]
    tables: tuple[Table, ...]
    steps: Mapping[str, Step]  # file order; steps of items stand once, uninstantiated
    clocks: Mapping[str, ClockRow]
    holds: tuple[Hold, ...]
    access: tuple[Bar, ...]
    forms: Mapping[str, Form]
    items: Mapping[str, Kind]
    kinds: Mapping[str, Kind]
    counts: Mapping[str, Count]
    links: Mapping[str, LinkRule]
    uniques: Mapping[str, Unique]
    desk: Mapping[str, DutyRow]
    retention: tuple[Keep, ...]
    guidance: Mapping[str, tuple[str, ...]]  # where it is shown: what it says
    notes: tuple[tuple[Clause, str], ...]
    milestones: Mapping[str, str]  # said to be not stated
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()  # the same, with their places
    lang: Literal["zh", "en"] = "zh"  # of the text
    unanswered: tuple[str, ...] = ()  # the places that the desk must answer before it opens, and has not
    source: str | None = None  # the name of the file that holds the text
    quotations: int = 0  # how many were found verbatim in the source
    asks: Mapping[str, Question] = field(default_factory=dict)
    citations: tuple[Citation, ...] = ()  # in file order
    english: Mapping[str, str] = field(default_factory=dict)
    """Our translation of every text of the pack that has one: a title, a `says`, the name of a part."""
    cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """Derived tables that the engine builds once per procedure; never part of its meaning."""

    @property
    def personal(self) -> frozenset[str]:
        """The facts that are sealed."""
        found: frozenset[str] | None = self.cache.get("personal")
        if found is None:
            found = self.cache["personal"] = frozenset(f.name for f in self.facts.values() if f.personal)
        return found
