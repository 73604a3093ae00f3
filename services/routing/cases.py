"""What routing knows of a case: who holds it, what is open, who acts. No fact's value, no name of a complainant.

Folded from a case's events, sealed as they stand on the topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from complaints.complaint import item_fact
from complaints.events import (
    AssigneeLacking,
    AssigneeNamed,
    ComplaintClosed,
    ComplaintCounted,
    ComplaintReceived,
    ComplaintReopened,
    Decision,
    Event,
    FactsRecorded,
    HoldLifted,
    HoldPlaced,
    ItemAdded,
    NoticeFailed,
    PackChanged,
    Record,
    StepLapsed,
    StepOpened,
    StepsReopened,
    StepWaived,
)
from complaints.personal import is_closed

T = TypeVar("T")

SYSTEM: Final = "system"
OWNER: Final = "owner"


class Opening(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step that somebody owes now. ``number`` tells this opening from every other of the same step."""

    number: int
    signed: bool = False  # the system has recorded its part
    asked: bool = False  # the system's record is on its way
    failed: bool = False  # the system could not give the notice: people have to


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A case as far as routing looks at it. ``version`` counts its events."""

    version: int = 0
    kind: str = "complaint"
    desk_version: int = 0
    receiver: str = ""
    received_by: str | None = None  # the member of staff
    holder: str = ""
    owner: str | None = None
    imported: bool = False
    closed: bool = False
    known: frozenset[str] = frozenset()  # names of the facts that somebody has said; of an item `fact@item#number`
    steps: Mapping[str, Opening] = {}  # the open ones
    holds: Mapping[str, list[str]] = {}  # what each forbids
    done_by: Mapping[str, str] = {}  # step: who recorded it last
    assignees: Mapping[str, str] = {}  # role: person
    lacking: Mapping[str, str] = {}  # role: the queue in which the case waits for somebody
    counts: Mapping[str, int] = {}
    by_system: Mapping[str, int] = {}  # how often the system has recorded each step
    namings: int = 0  # how often routing has named somebody, or nobody


INITIAL: Final = Case()

TELLING: Final = (
    ComplaintReceived, FactsRecorded, Decision, ComplaintCounted, ItemAdded, StepOpened, StepLapsed, StepWaived,
    StepsReopened, Record, NoticeFailed, HoldPlaced, HoldLifted, AssigneeNamed, AssigneeLacking, PackChanged,
)  # fmt: skip
"""The events that change a case as routing sees it; of all others only the version is noted."""

_MAY_HELP: Final = (FactsRecorded, Decision, HoldLifted, ItemAdded, Record, StepWaived, PackChanged)
"""After one of these a record that was refused may be taken: the system asks again."""


def replay(events: Iterable[Event], case: Case = INITIAL) -> Case:
    """The case after these events, which follow its version."""
    for event in events:
        case = evolve(case, event, case.version + 1)
    return case


def evolve(case: Case, event: Event, version: int) -> Case:
    """The case after an event that made its stream's ``version``."""
    if isinstance(event, _MAY_HELP):
        case = replace(case, steps={name: replace(opening, asked=False) for name, opening in case.steps.items()})
    return replace(_changed(case, event, version), version=version)


def _changed(case: Case, event: Event, version: int) -> Case:  # noqa: C901, PLR0911, PLR0912 - one arm an event
    match event:
        case ComplaintReceived():
            return replace(
                case,
                kind=event.case,
                desk_version=event.desk_version,
                receiver=event.receiver,
                received_by=_member_of_staff(event.person),
                holder=event.receiver,
                imported=event.imported,
                known=frozenset(event.facts),
            )
        case FactsRecorded(item=None):
            return replace(case, known=case.known | event.facts.keys())
        case FactsRecorded(item=str(item)):
            return replace(case, known=case.known | {item_fact(fact, item) for fact in event.facts})
        case ItemAdded():
            item = f"{event.item}#{event.number}"
            return replace(case, known=case.known | {item_fact(fact, item) for fact in event.facts})
        case Decision(fact=fact) if fact == OWNER:
            return replace(case, owner=str(event.to))
        case ComplaintCounted():
            return replace(case, counts={**case.counts, event.count: event.value})
        case StepOpened():
            done_by = case.done_by if event.period is None else _without(case.done_by, (event.step,))
            return replace(case, steps={**case.steps, event.step: Opening(number=version)}, done_by=done_by)
        case StepLapsed() | StepWaived():
            return replace(case, steps=_without(case.steps, (event.step,)))
        case StepsReopened():
            return replace(case, steps=_without(case.steps, event.steps), done_by=_without(case.done_by, event.steps))
        case Record():
            return _recorded(case, event)
        case NoticeFailed(alert=None) if event.step in case.steps:
            return replace(case, steps={**case.steps, event.step: replace(case.steps[event.step], failed=True)})
        case HoldPlaced():
            return replace(case, holds={**case.holds, event.hold: event.forbids})
        case HoldLifted():
            return replace(case, holds=_without(case.holds, (event.hold,)))
        case AssigneeNamed():
            return named(case, event.role, event.person)
        case AssigneeLacking():
            return lacks(case, event.role, event.queue)
        case PackChanged():
            return replace(case, desk_version=event.desk_version or case.desk_version)
        case _:
            return case


def _recorded(case: Case, event: Record) -> Case:
    steps = dict(case.steps)
    opening = steps.pop(event.step, None)
    if opening is not None and not event.over:
        steps[event.step] = replace(opening, signed=opening.signed or event.as_ == SYSTEM)
    person = _member_of_staff(event.person)
    by_system = case.by_system
    if event.as_ == SYSTEM:
        by_system = {**by_system, event.step: by_system.get(event.step, 0) + 1}
    return replace(
        case,
        steps=steps,
        by_system=by_system,
        done_by={**case.done_by, event.step: person} if person is not None else case.done_by,
        known=case.known | event.facts.keys() if event.facts else case.known,
        holder=event.holder if event.holder is not None else case.holder,
        closed=isinstance(event, ComplaintClosed) or (case.closed and not isinstance(event, ComplaintReopened)),
    )


def named(case: Case, role: str, person: str) -> Case:
    """The case with somebody who acts in a role."""
    return replace(case, assignees={**case.assignees, role: person}, lacking=_without(case.lacking, (role,)))


def lacks(case: Case, role: str, queue: str) -> Case:
    """The case with nobody who could act in a role."""
    return replace(case, assignees=_without(case.assignees, (role,)), lacking={**case.lacking, role: queue})


def _member_of_staff(person: str) -> str | None:
    """Who acted, unless that is a complainant, whose name is sealed."""
    return None if is_closed(person) or person == SYSTEM else person


def _without(values: Mapping[str, T], names: Iterable[str]) -> dict[str, T]:
    gone = set(names)
    return {name: value for name, value in values.items() if name not in gone}
