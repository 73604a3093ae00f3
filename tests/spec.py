"""Given, when, then: how a decision is told as a test.

    given(SLIP, receive(at=NINE), record("number", by="csc", at=TEN)).when(fire(at=LATER)).then(
        event("clock.breached", clock="to_md", by="cm")
    )

``given`` takes commands (decided one after the other) and events (taken as they are). ``then`` asks for exactly these
events, each by the fields that it names; ``then_among`` for these in this order, with others between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self, cast
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

import msgspec

from complaints.business_time import BusinessCalendar
from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.commands import SYSTEM, CaseCommand, Command, Sender, from_wire
from complaints.complaint import INITIAL, Complaint, replay
from complaints.deciding import NOTHING, Others, decide, next_due
from complaints.errors import Rejected
from complaints.events import CaseEvent, Event, FactValue, tag_of
from complaints.procedure.loading import load
from complaints.procedure.model import Procedure
from complaints.sla import NO_WARNINGS, Warnings

SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = BusinessCalendar.compile(DEFAULT_CALENDAR)
"""Monday to Friday, 09:00 to 18:00."""
MONDAY = datetime(2026, 3, 2, tzinfo=SHANGHAI)

HEAD = """\
pack: {id: test, version: %d, title: test, source: test.zh.md, in-force: not-stated}
"""
DOORS = """\
intake: [{channels: [any], clause: door}]
"""
SILENT = ("acknowledged", "assigned", "resolved")


def at(day: int = 0, time: str = "09:00") -> datetime:
    """An instant in Shanghai, so many days after Monday 2 March 2026."""
    hours, minutes = map(int, time.split(":"))
    return MONDAY + timedelta(days=day, hours=hours, minutes=minutes)


def pack(
    rows: str,
    *,
    answers: Mapping[str, Any] | None = None,
    version: int = 1,
    doors: str = DOORS,
    roles: str = "cm md gm",
) -> Procedure:
    """A procedure from its sections; head, roles, door and milestones are added where the test does not care."""
    said = [milestone for milestone in SILENT if f"milestone: {milestone}" not in rows]
    silent = f"milestones: {{{', '.join(f'{milestone}: not-stated' for milestone in said)}}}\n" if said else ""
    people = "roles:\n" + "".join(f"- {{role: {role}, title: {role}, clause: roles}}\n" for role in roles.split())
    text = HEAD % version + silent + ("" if "\nroles:" in f"\n{rows}" else people) + doors + rows
    return load(text, file="test.yaml", answers=dict(answers or {}))


def office(**more: Any) -> BusinessCalendar:
    """The default calendar with something else about it."""
    return BusinessCalendar.compile(msgspec.structs.replace(DEFAULT_CALENDAR, **more))


# --- commands ---
def command(name: str, by: str | Sender = "system", at: datetime = MONDAY, **data: Any) -> CaseCommand:
    """A command by its name on the wire. ``by``: a role, or ``person/role``."""
    if isinstance(by, str):
        person, _, role = by.partition("/")
        by = SYSTEM if by == "system" else Sender(person=person, role=role or person)
    data = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in data.items()}
    command_id = uuid5(NAMESPACE_OID, f"{name} {by} {at} {sorted(data.items(), key=str)}")
    return cast(CaseCommand, from_wire(name, data, id=command_id, complaint="A", at=at, by=by))


def receive(by: str = "front", at: datetime = MONDAY + timedelta(hours=9), **data: Any) -> CaseCommand:
    return command("receive", by, at, **data)


def record(step: str, by: str, at: datetime, **data: Any) -> CaseCommand:
    return command("record-step", by, at, step=step, **data)


def say(at: datetime, by: str = "front", item: str | None = None, **facts: FactValue) -> CaseCommand:
    more = {"item": item} if item is not None else {}
    return command("record-facts", by, at, facts=facts, **more)


def fire(at: datetime) -> CaseCommand:
    return command("fire-timer", at=at)


# --- events ---
@dataclass(frozen=True)
class Expected:
    """An event by its name and some of its fields; a clause matches if it is among those cited."""

    name: str
    fields: Mapping[str, Any]

    def fits(self, found: Event) -> bool:
        return tag_of(found) == self.name and all(self._same(found, *one) for one in self.fields.items())

    @staticmethod
    def _same(found: Event, name: str, want: Any) -> bool:
        got = getattr(found, name)
        if name == "clause" and isinstance(want, str):
            return want == got or (isinstance(got, list) and want in got)
        return bool(got == want)

    def __repr__(self) -> str:
        return f"{self.name} {dict(self.fields)}"


def event(name: str, **fields: Any) -> Expected:
    return Expected(name, fields)


def told(events: list[CaseEvent]) -> str:
    """Events as a failed test shows them, a line each."""
    lines = []
    for one in events:
        shown = msgspec.to_builtins(one)
        data = {key: value for key, value in shown.items() if key not in ("type", "rule", "inputs", "says")}
        lines.append(f"    {tag_of(one)} {data}")
    return "\n".join(lines) or "    nothing"


# --- given, when, then ---
@dataclass
class Case:
    """A case so far, and what may be known beside it."""

    procedure: Procedure
    calendar: BusinessCalendar = CALENDAR
    state: Complaint = INITIAL
    history: list[CaseEvent] = field(default_factory=list)
    others: Others = NOTHING
    warnings: Warnings = field(default_factory=lambda: NO_WARNINGS)

    def when(self, asked: CaseCommand) -> Outcome:
        """What comes of one more command."""
        try:
            decided = decide(self.state, asked, self.procedure, self.calendar, self.others, warnings=self.warnings)
        except Rejected as refusal:
            return Outcome(self, [], refusal)
        return Outcome(self, decided, None)

    def take(self, *some: CaseCommand | CaseEvent) -> Self:
        """Goes on: decides the commands, takes the events."""
        for one in some:
            decided: list[CaseEvent]
            if isinstance(one, Command):
                decided = decide(self.state, one, self.procedure, self.calendar, self.others, warnings=self.warnings)
            else:
                decided = [one]
            self.state = replay(decided, self.state)
            self.history += decided
        return self

    def happened(self, name: str) -> list[Any]:
        """The events of that name so far."""
        return [one for one in self.history if tag_of(one) == name]


@dataclass
class Outcome:
    """What was decided, or the refusal."""

    case: Case
    events: list[CaseEvent]
    refusal: Rejected | None

    @property
    def after(self) -> Complaint:
        self._accepted()
        return replay(self.events, self.case.state)

    def _accepted(self) -> None:
        if self.refusal is not None:
            raise AssertionError(f"rejected: {self.refusal.code}: {self.refusal}")

    def then(self, *expected: Expected) -> Self:
        """Exactly these, in this order."""
        self._accepted()
        fits = len(self.events) == len(expected) and all(
            want.fits(got) for want, got in zip(expected, self.events, strict=True)
        )
        wanted = "\n".join(f"    {one!r}" for one in expected)
        assert fits, f"expected\n{wanted}\ndecided\n{told(self.events)}"
        return self

    def then_among(self, *expected: Expected) -> Self:
        """These, in this order; others may stand between."""
        self._accepted()
        rest: Iterator[CaseEvent] = iter(self.events)
        for want in expected:
            assert any(want.fits(got) for got in rest), f"no {want!r} (in this order) in\n{told(self.events)}"
        return self

    def then_never(self, *unwanted: Expected) -> Self:
        """None of these."""
        self._accepted()
        for one in unwanted:
            assert not any(one.fits(got) for got in self.events), f"{one!r} in\n{told(self.events)}"
        return self

    def then_nothing(self) -> Self:
        return self.then()

    def then_rejected(self, code: str, clause: Any = ..., **data: Any) -> Self:
        """Refused with this code; ``clause`` and ``data`` as far as they are named."""
        assert self.refusal is not None, f"not refused; decided\n{told(self.events)}"
        assert self.refusal.code == code, f"{self.refusal.code}: {self.refusal}"
        assert clause is ... or self.refusal.clause == clause
        assert {key: self.refusal.data.get(key) for key in data} == data
        return self


def given(
    procedure: Procedure,
    *some: CaseCommand | CaseEvent,
    calendar: BusinessCalendar = CALENDAR,
    others: Others = NOTHING,
    warnings: Warnings = NO_WARNINGS,
) -> Case:
    """A case that these commands and events have made."""
    return Case(procedure, calendar, others=others, warnings=warnings).take(*some)


def punctual(case: Case, until: datetime) -> Case:
    """Fires every timer at its instant up to ``until``."""
    fired: datetime | None = None
    while (due := next_due(case.state, after=fired)) is not None and due <= until:
        case.take(fire(due))
        fired = due
    return case
