"""Openings: what a receipt leads to, worked out once for all cases that come in alike.

Rows look at little of what a case comes in with: its kind, its channel, who receives it, whether the desk is open,
which questions have an answer, and the values of the facts that some row names. The rest is only carried. So a case
that is like an earlier one in all of this begins with the same events; its own are its words, its instant, and the due
instants of its clocks, which are counted anew.

That does not hold where a row looks at an instant or at something personal, or an event shows an instant; in a case
that is told afterwards or takes up another one; or where more happens than that rows decide, open and start. Those are
decided row by row, as the first of every kind is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Final

import msgspec

from complaints.codec import data_json
from complaints.commands import Receive
from complaints.deciding.frame import Frame, Timed
from complaints.deciding.look import dated
from complaints.deciding.run import Run
from complaints.deciding.saying import check_facts
from complaints.events import (
    CaseEvent,
    ClockStarted,
    ComplaintReceived,
    Decision,
    FactsAsked,
    HoldPlaced,
    NoticeRequested,
    StepOpened,
)
from complaints.procedure.limits import Limit, due_of
from complaints.procedure.model import Condition, Procedure, Row

KNOWN: Final = 1_000
"""Likenesses that are remembered of a procedure; a fact with many values would fill any memory."""

Likeness = tuple[str, str, str, bool, frozenset[object]]
"""Kind of case, channel, role, whether it came in working time; which facts are said, with what rows look at."""


class Opening:
    """The events of a new case, as they were when they were worked out, without what was that case's own.

    ``data``: of each event that is the same in every case but for its instant, what is stored of it, else None.
    """

    def __init__(self, frame: Frame, events: list[CaseEvent]) -> None:
        received, *rest = events
        assert isinstance(received, ComplaintReceived)  # noqa: S101 - a case begins with it
        self._received = msgspec.structs.replace(
            received, person="", facts={}, complainant=None, contact={}, subject=None
        )
        self._rest = [(event, *_counted(frame, event)) for event in rest]
        self.data = (None, *(None if isinstance(event, ClockStarted) else data_json(event) for event in rest))

    def of(self, run: Run, command: Receive) -> list[CaseEvent] | None:
        """The same of this receipt; None where a limit would be over as it starts. Raises Rejected: of its facts."""
        check_facts(run, command.facts)
        now, others = run.now, run.others
        events: list[CaseEvent] = [
            msgspec.structs.replace(
                self._received,
                at=now,
                person=command.by.person,
                facts=command.facts,
                complainant=command.complainant,
                contact=command.contact,
                desk_version=others.desk_version,
                calendar=others.calendar_version or run.calendar.spec.version or run.calendar.spec.id,
                subject=others.subject,
            )
        ]
        for event, row, limit in self._rest:
            if row is None:
                events.append(msgspec.structs.replace(event, at=now))
                continue
            if limit is None:
                events.append(msgspec.structs.replace(event, at=now, from_=now))
                continue
            due = due_of(limit, now, run.procedure.questions, run.calendar)
            if due is None or due.at < now:
                return None
            events.append(msgspec.structs.replace(event, at=now, from_=now, **dated(run, row, due, limit, now)))
        return events


def _counted(frame: Frame, event: CaseEvent) -> tuple[Timed | None, Limit | None]:
    """The row of a clock, and its limit where that led to a due instant."""
    if not isinstance(event, ClockStarted):
        return None, None
    row = frame.timed[event.clock]
    return row, None if event.due_at is None or event.case is None else row.cases[event.case][1].limit


def _is_shared(event: CaseEvent, now: datetime) -> bool:
    """Whether it stands in every case that is alike, with nothing of its own but its instants."""
    if event.at != now or _shows(event.inputs, now):
        return False
    match event:
        case ClockStarted():
            return event.from_ == now and (event.case is not None or event.due_at is None)
        case Decision():
            return event.since is None and not _shows(event.looked_at, now)
        case StepOpened() | HoldPlaced():
            return event.since is None
        case FactsAsked() | NoticeRequested():
            return True
        case _:
            return False


def _shows(looked_at: Mapping[str, object], now: datetime) -> bool:
    """Whether an event tells an instant that a row looked at: in a new case there is only the one."""
    return now.isoformat() in looked_at.values()


class Openings:
    """The openings of a procedure that have been worked out."""

    def __init__(self, procedure: Procedure) -> None:
        facts = procedure.facts
        self._read = _facts_read(procedure)
        self._unshared = frozenset(name for name in self._read if facts[name].kind == "time" or facts[name].personal)
        self._by_date = any(condition.dates - facts.keys() for condition in _conditions(procedure))
        self._known: dict[Likeness, Opening | None] = {}  # None: has been seen once

    def likeness(self, run: Run, command: Receive) -> Likeness | None:
        """What cases have in common that come in alike; None of a case that others cannot be like."""
        facts = command.facts
        if self._by_date or command.imported or command.occurred_at is not None or command.again_of is not None:
            return None
        if not self._unshared.isdisjoint(facts):
            return None
        read = self._read
        said = frozenset((name, value) if name in read else name for name, value in facts.items())
        return (command.case, command.channel, command.by.role, run.calendar.is_open(run.now), said)

    def get(self, likeness: Likeness) -> Opening | None:
        """The opening of cases that are alike in this, once it has been worked out."""
        return self._known.get(likeness)

    def learn(self, likeness: Likeness, run: Run) -> None:
        """Remembers what a decision has come to, if it is the second of its kind: many are the only one."""
        known = self._known
        if likeness not in known:
            known[likeness] = None
            if len(known) > KNOWN:
                del known[next(iter(known))]
        elif known[likeness] is None and all(_is_shared(event, run.command.at) for event in run.events[1:]):
            known[likeness] = Opening(run.frame, run.events)


def openings_of(procedure: Procedure) -> Openings:
    """The procedure's openings."""
    found: Openings | None = procedure.cache.get("openings")
    if found is None:
        found = procedure.cache["openings"] = Openings(procedure)
    return found


# --- what rows look at ---
def _facts_read(procedure: Procedure) -> frozenset[str]:
    """Every fact whose value a row of a case may read: in a condition, a limit, what it counts from, as a decision.

    Of the fields of a form rows see only whether they are there.
    """
    todo = [name for row in _rows(procedure) for name in _names(row)]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        fact = procedure.facts.get(name)
        if fact is None or name in found:
            continue
        found.add(name)
        todo += [] if fact.means is None else fact.means.refs
        todo += [] if fact.span is None else fact.span[1:]
    return frozenset(found)


def _conditions(procedure: Procedure) -> Iterator[Condition]:
    """Every condition that a row of a case may ask."""
    yield from (part for row in _rows(procedure) for part in _parts(row) if isinstance(part, Condition))
    yield from (fact.means for fact in procedure.facts.values() if fact.means is not None)


def _rows(procedure: Procedure) -> Iterator[object]:
    yield from procedure.intake
    yield from (row for table in procedure.tables for row in table.rows)
    yield from procedure.steps.values()
    yield from procedure.clocks.values()
    yield from procedure.holds


def _names(row: object) -> Iterator[str]:
    """What a row reads; and what only looks so, since a text may begin like a limit from a fact."""
    for part in _parts(row):
        match part:
            case Condition():
                yield from part.refs
            case Limit(fact=str(name)) | Row(fact=str(name)):
                yield name
            case str() if part.startswith("fact "):
                yield part.removeprefix("fact ")
            case _:
                pass


def _parts(value: object) -> Iterator[object]:
    """Whatever a row is made of, itself first; of a condition and of a text no parts."""
    yield value
    if isinstance(value, str | Condition):
        return
    if isinstance(value, Mapping):
        value = value.values()
    elif is_dataclass(value):
        value = [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, Iterable):
        for inner in value:
            yield from _parts(inner)
