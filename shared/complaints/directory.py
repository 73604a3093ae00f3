"""The people of a desk: roles, departments, who is away, who is on call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from complaints.desk_events import PersonEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Away from ``begins_at`` to before ``ends_at``; None: until somebody says otherwise."""

    begins_at: datetime
    ends_at: datetime | None = None
    deputy: str | None = None

    def covers(self, at: datetime) -> bool:
        """Whether the person is away at an instant."""
        return self.begins_at <= at and (self.ends_at is None or at < self.ends_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who works at the desk. ``weight``: the share of work; ``on_call``: place in the on-call path."""

    person: str
    name: str
    roles: frozenset[str]
    department: str | None = None
    email: str | None = None
    channels: Mapping[str, str] = field(default_factory=dict)
    on_call: int | None = None
    weight: float = 1.0
    language: str = "zh"
    absences: tuple[Absence, ...] = ()

    def absent(self, at: datetime) -> Absence | None:
        """The absence that holds at an instant."""
        return next((absence for absence in self.absences if absence.covers(at)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """A department; ``roles``: those of the procedure that it fills, ``head``: a person."""

    department: str
    title: str
    head: str | None = None
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Directory:
    """Who works at a desk, and who did: the names of those who left are still needed to read what they did."""

    people: Mapping[str, Person] = field(default_factory=dict)
    former: Mapping[str, Person] = field(default_factory=dict)

    def get(self, person: str) -> Person | None:
        """Somebody who works here."""
        return self.people.get(person)

    def ever(self, person: str) -> Person | None:
        """Somebody who works here or did."""
        return self.people.get(person) or self.former.get(person)

    def of_role(self, role: str, *, at: datetime | None = None) -> tuple[Person, ...]:
        """Who holds a role, by id; with ``at`` only those who are not away then."""
        return self._chosen(at, lambda person: role in person.roles)

    def department(self, name: str, *, at: datetime | None = None) -> tuple[Person, ...]:
        """Who belongs to a department, by id; with ``at`` only those who are not away then."""
        return self._chosen(at, lambda person: person.department == name)

    def on_call(self, at: datetime) -> tuple[Person, ...]:
        """The on-call path, those first who are asked first, without those who are away."""
        path = self._chosen(at, lambda person: person.on_call is not None)
        return tuple(sorted(path, key=lambda person: (person.on_call or 0, person.person)))

    def holds(self, person: str, role: str, at: datetime) -> bool:
        """Whether somebody may act in a role: it is theirs, or they stand in for somebody away whose role it is."""
        if (known := self.people.get(person)) is None:
            return False
        return role in known.roles or any(
            role in other.roles and (away := other.absent(at)) is not None and away.deputy == person
            for other in self.people.values()
        )

    def _chosen(self, at: datetime | None, fits: Any) -> tuple[Person, ...]:
        return tuple(
            person
            for _, person in sorted(self.people.items())
            if fits(person) and (at is None or person.absent(at) is None)
        )

    # --- changes ---
    def described(self, event: PersonEvent) -> Directory:
        """With a person as the event describes them; announced absences stay."""
        known = self.people.get(event.person)
        person = Person(
            person=event.person,
            name=event.name,
            roles=frozenset(event.roles),
            department=event.department,
            email=event.email,
            channels=event.channels,
            on_call=event.on_call,
            weight=event.weight,
            language=event.language,
            absences=known.absences if known else (),
        )
        former = {name: other for name, other in self.former.items() if name != event.person}
        return Directory({**self.people, event.person: person}, former)

    def without(self, person: str) -> Directory:
        """Without somebody who has left."""
        people = dict(self.people)
        gone = people.pop(person)
        return Directory(people, {**self.former, person: replace(gone, absences=())})

    def with_absences(self, person: str, *absences: Absence) -> Directory:
        """With these absences of a person, and no others."""
        return Directory({**self.people, person: replace(self.people[person], absences=absences)}, self.former)
