"""Who of a desk's people acts in a role: whoever is there, may, and is next. Pure.

In this order: the deputy of the person who has gone; where the procedure names the receiver, the member of staff who
received the case; outside business time the on-call path; who holds the role, those of the department in charge first;
deputies of those away; the department, where the role names one. Among equals the work is shared: the least open work
by each person's share, then whoever has waited longest for a new case, then the id.

``because`` says why, as ``code: words``; the codes are stable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from complaints.desk_view import DeskView
from complaints.directory import Person
from complaints.procedure.model import UNSET, Bar, Procedure
from routing.cases import Case

UNASSIGNED: Final = "unassigned"
"""The queue of a desk that has named none."""

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Load:
    """What somebody has to do: roles that owe something, over all open cases; and when the last one was given."""

    open: int = 0
    named_at: datetime | None = None

    def with_one_more(self, at: datetime) -> Load:
        """The load after another role was given at ``at``."""
        return Load(self.open + 1, at)


Loads = Mapping[str, Load]
"""By person; who is not in it has nothing to do."""

FREE: Final = Load()
NO_LOADS: Final[Loads] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """Who acts in a role from now on; nobody where ``person`` is None: then the case waits in ``queue``."""

    role: str
    person: str | None = None
    department: str | None = None
    queue: str | None = None
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A case at an instant. ``procedure`` is the one that it goes by, ``desk`` the one in force now."""

    case: Case
    procedure: Procedure
    desk: DeskView
    at: datetime
    loads: Loads = field(default_factory=lambda: NO_LOADS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat(Situation):
    """A role that somebody is wanted for, and the step, where it is one; ``as_receiver``: it names the receiver."""

    role: str
    step: str | None = None
    as_receiver: bool = False

    def fits(self, person: Person) -> bool:
        """Is the person there, and does no rule keep them from the step?"""
        return person.absent(self.at) is None and not self.keeps_out(person)

    def keeps_out(self, person: Person) -> bool:
        """Does a rule about who may do the step exclude the person?"""
        name = (self.step or "").partition("#")[0]
        bars = (bar for bar in self.procedure.access if name in bar.may)
        return any(keeps_out(bar, self.case, person.person, self.role) for bar in bars)


def choose(role: str, situation: Situation, *, step: str | None = None, as_receiver: bool = False) -> Naming:
    """Who acts in a role, for a step where one is named; nobody, and why, where there is nobody.

    ``as_receiver``: the step is for whoever received the case, not merely for the role that did.
    """
    seat = Seat(
        role=role,
        step=step,
        as_receiver=as_receiver,
        case=situation.case,
        procedure=situation.procedure,
        desk=situation.desk,
        at=situation.at,
        loads=situation.loads,
    )
    for code, why, circle in _CIRCLES:
        people = [person for person in circle(seat) if seat.fits(person)]
        if people:
            return _named(seat, code, why, people)
    fallback = seat.desk.fallback
    return Naming(role=role, queue=fallback.queue if fallback else UNASSIGNED, because=_why_nobody(seat))


# --- the circles, in the order in which they are asked ---
def _deputy_of_who_left(seat: Seat) -> Iterable[Person]:
    """Stands in for the person named until now."""
    person = seat.desk.directory.get(seat.case.assignees.get(seat.role, ""))
    away = person.absent(seat.at) if person is not None else None
    return _known(seat, [away.deputy] if away is not None and away.deputy is not None else [])


def _receiver(seat: Seat) -> Iterable[Person]:
    """Who received the case is its receiver."""
    if not seat.as_receiver or seat.case.received_by is None:
        return []
    return [person for person in _known(seat, [seat.case.received_by]) if seat.role in person.roles]


def _on_call(seat: Seat) -> Iterable[Person]:
    """Outside business time: the first of the path who may act."""
    if not seat.desk.calendars or seat.desk.calendar.is_open(seat.at):
        return []
    directory = seat.desk.directory
    path = (person for person in directory.on_call(seat.at) if may_act(seat.desk, person, seat.role, seat.at))
    return [person for person in path if seat.fits(person)][:1]


def _holders(seat: Seat) -> Iterable[Person]:
    """Who holds the role; of the department in charge alone, if any of them is of it and there."""
    people = seat.desk.directory.of_role(seat.role)
    owner = seat.case.owner
    inside = [person for person in people if owner is not None and _is_of(seat.desk, person, owner)]
    return inside if any(map(seat.fits, inside)) else people


def _deputies(seat: Seat) -> Iterable[Person]:
    """Stand in for those who hold the role and are away."""
    absences = [away for person in seat.desk.directory.of_role(seat.role) if (away := person.absent(seat.at))]
    return _known(seat, dict.fromkeys(away.deputy for away in absences if away.deputy is not None))


def _department(seat: Seat) -> Iterable[Person]:
    """The people of the department that the role names."""
    return [person for _, person in sorted(seat.desk.directory.people.items()) if _is_of(seat.desk, person, seat.role)]


def may_act(desk: DeskView, person: Person, role: str, at: datetime) -> bool:
    """Is the role the person's own, or of their department, or do they stand in for somebody whose role it is?"""
    return in_own_right(desk, person, role) or desk.directory.holds(person.person, role, at)


def in_own_right(desk: DeskView, person: Person, role: str) -> bool:
    """Does the person act in the role whoever is away?"""
    return role in person.roles or _is_of(desk, person, role)


def _is_of(desk: DeskView, person: Person, named: str) -> bool:
    """Is the person of the department called so, by its id or its title?"""
    if person.department is None:
        return False
    department = desk.departments.get(person.department)
    return named == person.department or (department is not None and named == department.title)


def _known(seat: Seat, people: Iterable[str]) -> list[Person]:
    return [person for name in people if (person := seat.desk.directory.get(name)) is not None]


_CIRCLES: Final[tuple[tuple[str, str, Callable[[Seat], Iterable[Person]]], ...]] = (
    ("deputy", "stands in for the person named before", _deputy_of_who_left),
    ("received-it", "received the case", _receiver),
    ("on-call", "outside business time the on-call path is asked", _on_call),
    ("", "", _holders),
    ("deputy", "stands in for somebody who is away", _deputies),
    ("of-department", "belongs to the department", _department),
)
"""Code, words, people. Without a code it is the sharing of work that says why."""


# --- among equals ---
def _named(seat: Seat, code: str, why: str, people: list[Person]) -> Naming:
    person, shared, words = _next(people, seat.loads)
    return Naming(
        role=seat.role,
        person=person.person,
        department=person.department,
        because=f"{code}: {why}" if code else f"{shared}: {words}",
    )


def _next(people: list[Person], loads: Loads) -> tuple[Person, str, str]:
    """Whose turn it is, and by what that was decided."""
    if len(people) == 1:
        return people[0], "only-one", "nobody else who holds the role is there"
    work = {person.person: loads.get(person.person, FREE) for person in people}
    least = min(work[person.person].open / person.weight for person in people)
    light = [person for person in people if work[person.person].open / person.weight == least]
    if len(light) == 1:
        return light[0], "least-loaded", "has the least open work for their share"
    longest = min(work[person.person].named_at or _NEVER for person in light)
    waiting = [person for person in light if (work[person.person].named_at or _NEVER) == longest]
    if len(waiting) == 1:
        return waiting[0], "longest-waiting", "has waited longest for a new case"
    return min(waiting, key=lambda person: person.person), "by-name", "comes first by name among equals"


def _why_nobody(seat: Seat) -> str:
    holders = [*seat.desk.directory.of_role(seat.role), *_department(seat)]
    if not holders:
        return f"nobody-holds-it: nobody at the desk holds {seat.role}"
    if all(person.absent(seat.at) is not None for person in holders):
        return f"all-away: everybody who holds {seat.role} is away"
    return f"all-barred: a rule keeps everybody who holds {seat.role} and is there from {seat.step}"


# --- rules about who may ---
def keeps_out(bar: Bar, case: Case, person: str, role: str) -> bool:
    """Does a rule exclude this person from the steps that it is about? What routing cannot see excludes nobody."""
    neither = bar.only is None and bar.never is None
    not_among = bar.only is not None and role not in bar.only
    among = bar.never is not None and role in bar.never
    if not (neither or not_among or among):
        return False
    return bar.when is None or bar.when.on(lambda name: _seen(name, case, person, role)) is True


def _seen(name: str, case: Case, person: str, role: str) -> Any:
    """What routing can say of a name in a condition about who acts."""
    known = {
        "actor.person": person,
        "actor.role": role,
        "holder": case.holder,
        "receiver": case.receiver,
        "owner": case.owner,
        **{f"{step}.person": by for step, by in case.done_by.items()},
    }
    value = known.get(name)
    return UNSET if value is None else value
