"""Changes of a desk's people and departments: each function checks a request and answers with its event. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import UNSET

from complaints.desk_checks import LANGUAGES, NOT_STAFF, Ground
from complaints.desk_events import (
    AlertsSet,
    DepartmentRemoved,
    DepartmentSet,
    FallbackSet,
    PersonAbsent,
    PersonChanged,
    PersonEvent,
    PersonJoined,
    PersonLeft,
    PersonReturned,
)
from complaints.desk_requests import ChangePerson, JoinPerson
from complaints.directory import Person
from complaints.errors import Rejected

EMAIL: Final = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")
MOST_WORK: Final = 100.0


def joined(ground: Ground, asked: JoinPerson) -> PersonJoined:
    """Somebody comes to the desk."""
    ground.named("person", asked.person)
    if asked.person in NOT_STAFF:
        raise ground.malformed("person", f"must be the id of a person, {asked.person} is none")
    if ground.view.directory.get(asked.person) is not None:
        raise Rejected(
            "already-there", None, f"{asked.person} works at desk {ground.view.desk} already", person=asked.person
        )
    event = PersonJoined(
        at=ground.at,
        person=asked.person,
        name=asked.person if asked.name is None else asked.name,
        roles=tuple(asked.roles),
        department=asked.department,
        email=asked.email,
        channels=asked.channels,
        on_call=asked.on_call,
        weight=asked.weight,
        language=asked.language,
    )
    _described(ground, event)
    return event


def changed(ground: Ground, asked: ChangePerson) -> PersonChanged:
    """What is known of somebody changes; what is not said stays."""
    ground.colleague("person", asked.person)
    said = {name: value for name in asked.__struct_fields__ if (value := getattr(asked, name)) is not UNSET}
    known = _known(ground.view.directory.people[asked.person])
    roles = said.pop("roles", known.pop("roles"))
    event = PersonChanged(at=ground.at, roles=tuple(roles), **{**known, **said})
    _described(ground, event)
    return event


def _known(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "roles": sorted(person.roles),
        "department": person.department,
        "email": person.email,
        "channels": dict(person.channels),
        "on_call": person.on_call,
        "weight": person.weight,
        "language": person.language,
    }


def _described(ground: Ground, event: PersonEvent) -> None:
    ground.named("name", event.name)
    ground.roles("roles", event.roles)
    if event.department is not None and ground.view.departments:
        ground.department("department", event.department)
    if event.email is not None and EMAIL.fullmatch(event.email) is None:
        raise ground.malformed("email", "must be an e-mail address")
    for kind, address in event.channels.items():
        ground.named(f"channels.{kind}", kind)
        ground.named(f"channels.{kind}", address)
    if event.on_call is not None and event.on_call < 1:
        raise ground.malformed("on_call", "must be a place in the path, from 1")
    if not 0 < event.weight <= MOST_WORK:
        raise ground.malformed("weight", f"must be more than 0 and at most {MOST_WORK:g}; 1 is usual")
    ground.one_of("language", event.language, LANGUAGES)


def left(ground: Ground, asked: PersonLeft) -> PersonLeft:
    """Somebody leaves, and looks after nothing any more."""
    ground.colleague("person", asked.person)
    return asked


def absent(ground: Ground, asked: PersonAbsent) -> PersonAbsent:
    """Somebody is away, perhaps with a deputy."""
    ground.colleague("person", asked.person)
    if asked.begins_at.tzinfo is None or (asked.ends_at is not None and asked.ends_at.tzinfo is None):
        raise ground.malformed("begins_at", "must be an instant with its offset")
    if asked.ends_at is not None and asked.ends_at <= asked.begins_at:
        raise ground.malformed("ends_at", "must be after begins_at")
    if asked.deputy is not None:
        ground.colleague("deputy", asked.deputy)
        if asked.deputy == asked.person:
            raise ground.malformed("deputy", "must be somebody else")
    return asked


def returned(ground: Ground, asked: PersonReturned) -> PersonReturned:
    """Somebody is back."""
    ground.colleague("person", asked.person)
    return asked


def department_set(ground: Ground, asked: DepartmentSet) -> DepartmentSet:
    """A department, new or described anew."""
    ground.named("department", asked.department)
    ground.named("title", asked.title)
    ground.roles("roles", asked.roles)
    if asked.head is not None:
        ground.colleague("head", asked.head)
    return msgspec.structs.replace(asked, roles=tuple(asked.roles))


def department_removed(ground: Ground, asked: DepartmentRemoved) -> DepartmentRemoved:
    """A department without people ceases to be."""
    ground.department("department", asked.department)
    if people := ground.view.directory.department(asked.department):
        raise Rejected(
            "department-has-people",
            None,
            f"{len(people)} people belong to {asked.department}",
            people=[person.person for person in people],
        )
    return asked


def fallback_set(ground: Ground, asked: FallbackSet) -> FallbackSet:
    """Where cases wait that nobody can be named for."""
    ground.named("queue", asked.queue)
    if asked.person is not None:
        ground.colleague("person", asked.person)
    return asked


def alerts_set(ground: Ground, asked: AlertsSet) -> AlertsSet:
    """Who is told when something needs a person."""
    ground.roles("roles", asked.roles)
    for place, person in enumerate(asked.people):
        ground.colleague(f"people[{place}]", person)
    for place, channel in enumerate(asked.channels):
        ground.named(f"channels[{place}]", channel)
    return asked
