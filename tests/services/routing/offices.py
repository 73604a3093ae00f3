"""Desks with people, for the tests of who acts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.desk_events import (
    DepartmentSet,
    DeskEvent,
    FallbackSet,
    PersonAbsent,
    PersonJoined,
    PersonLeft,
)
from complaints.desk_view import DeskView
from complaints.desks import simulated
from complaints.procedure.model import Procedure
from routing.cases import Case, replay
from routing.choosing import NO_LOADS, Load, Loads, Situation
from tests.spec import MONDAY, at, given, pack, receive

NOON = at(0, "12:00")
NIGHT = at(0, "23:00")

PROCEDURE = pack(
    "decisions: [{decide: owner, rows: [{set: cm, clause: o}]}]\n"
    "steps:\n- part: p\n  rows:\n"
    "  - {do: work, clause: a, by: owner}\n"
    "  - {do: greet, clause: b, by: receiver}\n"
)


def joins(person: str, *roles: str, **more: Any) -> PersonJoined:
    return PersonJoined(at=MONDAY, person=person, name=person.title(), roles=roles, **more)


def leaves(person: str) -> PersonLeft:
    return PersonLeft(at=MONDAY, person=person)


def away(person: str, begins_at: datetime, ends_at: datetime | None = None, **more: Any) -> PersonAbsent:
    return PersonAbsent(at=MONDAY, person=person, begins_at=begins_at, ends_at=ends_at, **more)


def department(name: str, title: str) -> DepartmentSet:
    return DepartmentSet(at=MONDAY, department=name, title=title)


def fallback(queue: str) -> FallbackSet:
    return FallbackSet(at=MONDAY, queue=queue)


def desk(*events: DeskEvent, procedure: Procedure = PROCEDURE) -> DeskView:
    return simulated(procedure, DEFAULT_CALENDAR, events)


def busy(**people: int) -> Loads:
    return {person: Load(open=cases) for person, cases in people.items()}


def situation(
    *events: DeskEvent,
    case: Case | None = None,
    procedure: Procedure = PROCEDURE,
    now: datetime = NOON,
    loads: Loads = NO_LOADS,
) -> Situation:
    """A case that was received, at a desk that these events have made."""
    if case is None:
        case = replay(given(procedure, receive("front")).history)
    return Situation(case=case, procedure=procedure, desk=desk(*events, procedure=procedure), at=now, loads=loads)
