"""What is owed on a case, by whom, and what the system records of it by itself. Pure.

A person who was named stays until they are away or gone. The same case, desk and loads give the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from complaints.personal import CUSTOMER
from complaints.procedure.model import Procedure, Step
from routing.cases import SYSTEM, Case
from routing.cases import named as with_assignee
from routing.choosing import FREE, Naming, Situation, choose, in_own_right, keeps_out, may_act

NOBODY_IN_PARTICULAR: Final = frozenset(("anyone", CUSTOMER, SYSTEM))
RECEIVER: Final = "receiver"
RECORDS: Final = frozenset(("pass", "do", "close", "reopen"))
"""Verbs of steps that the system can record: what they say is done by being recorded."""
OFTEN: Final = 100
"""How often the system records one step of a case. More, and the procedure goes round in a ring: people must look."""
OWED: Final = frozenset(("must", "should"))
"""Duties that leave no choice; whether the others are wanted, a person says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A step that the system records now, with its good outcome."""

    step: str
    medium: str | None = None


# --- what the system does by itself ---
def acts(case: Case, procedure: Procedure) -> list[Act]:
    """The open steps that the system records now, in the order of the procedure.

    A hand-over only where its receiver is determined: one role, the decided owner, the one role of the next tier.
    """
    found = []
    for name in sorted(case.steps, key=lambda name: _place(name, procedure)):
        step = _step(name, procedure)
        if step is not None and _records_now(step, name, case, procedure):
            found.append(Act(step=name, medium=step.medium[0] if step.medium else None))
    return found


def _place(name: str, procedure: Procedure) -> tuple[int, str]:
    step = _step(name, procedure)
    return (step.index if step is not None else -1, name)


def _step(name: str, procedure: Procedure) -> Step | None:
    return procedure.steps.get(name.partition("#")[0])


def _records_now(step: Step, name: str, case: Case, procedure: Procedure) -> bool:
    return (
        step.verb in RECORDS
        and step.duty in OWED
        and any(SYSTEM in alternatives for alternatives in step.by)
        and not case.steps[name].signed
        and case.by_system.get(name, 0) < OFTEN
        and not any(step.name in forbids for forbids in case.holds.values())
        and not any(keeps_out(bar, case, SYSTEM, SYSTEM) for bar in procedure.access if step.name in bar.may)
        and _facts_known(step, name, case, procedure)
        and (step.verb != "pass" or _determined(step, case, procedure))
    )


def _facts_known(step: Step, name: str, case: Case, procedure: Procedure) -> bool:
    form = procedure.forms[step.form].fields if step.complete and step.form is not None else None
    number = name.partition("#")[2]
    suffix = f"@{step.part.for_each}#{number}" if number else ""
    return all(fact in case.known or f"{fact}{suffix}" in case.known for fact in (*step.records, *(form or ())))


def _determined(step: Step, case: Case, procedure: Procedure) -> bool:
    match step.to:
        case ("next_tier", *_):
            return len(next_tier(case.holder, procedure)) == 1
        case ("owner",):
            return case.owner is not None
        case (_,):
            return True
        case _:
            return False


def next_tier(holder: str, procedure: Procedure) -> list[str]:
    """The roles of the tier above the holder's; none at the top."""
    known = procedure.roles.get(holder)
    mine = (known.tier or 0) if known is not None else 0
    tiers = sorted({role.tier for role in procedure.roles.values() if role.tier is not None and role.tier > mine})
    return [name for name, role in procedure.roles.items() if tiers and role.tier == tiers[0]]


# --- who acts ---
def owing(case: Case, procedure: Procedure) -> Iterator[tuple[str, dict[str, str]]]:
    """For everything that people owe: the step, and the roles of which one will do, in the order to ask them.

    Each role stands with the name that the procedure has for it there: ``owner``, ``holder``, ``receiver``, or its own.
    """
    mine = {act.step for act in acts(case, procedure)}
    for name in sorted(case.steps, key=lambda name: _place(name, procedure)):
        step = _step(name, procedure)
        if step is None or step.duty == "may":
            continue
        for alternatives in step.by:
            if SYSTEM in alternatives and (name in mine or _given_by_notifier(step, name, case)):
                continue
            if roles := _roles(alternatives, case, procedure):
                yield name, roles


def _given_by_notifier(step: Step, name: str, case: Case) -> bool:
    return step.verb == "tell" and not case.steps[name].failed


def _roles(alternatives: Iterable[str], case: Case, procedure: Procedure) -> dict[str, str]:
    """The roles that these stand for in the case; nobody of the desk acts for those outside it."""
    meaning = {"owner": case.owner, "holder": case.holder, RECEIVER: case.receiver}
    roles: dict[str, str] = {}
    for name in alternatives:
        role = meaning.get(name, name)
        known = procedure.roles.get(role or "")
        if role and role not in NOBODY_IN_PARTICULAR and not (known is not None and known.outside):
            roles.setdefault(role, name)
    return roles


def namings(situation: Situation) -> list[Naming]:
    """Who has to be named: somebody for everything owed that nobody is named for, or whose person is away.

    A desk that has named nobody is not asked.
    """
    if situation.desk.open_directory:
        return []
    found: list[Naming] = []
    for step, roles in owing(situation.case, situation.procedure):
        if any(_still(role, situation) for role in roles):
            continue
        choice = _first(roles, situation, step)
        if choice.person is not None:
            found.append(choice)
            situation = _after(situation, choice.role, choice.person)
        elif situation.case.lacking.get(choice.role) != choice.queue and choice not in found:
            found.append(choice)
    return found


def _still(role: str, situation: Situation) -> bool:
    """Whether somebody is named for the role, is there, and may yet act in it."""
    desk, at = situation.desk, situation.at
    person = desk.directory.get(situation.case.assignees.get(role, ""))
    return person is not None and person.absent(at) is None and may_act(desk, person, role, at)


def _first(roles: Mapping[str, str], situation: Situation, step: str) -> Naming:
    """Somebody for the first of these roles that has anybody; else what is said of the first."""
    tried = []
    for role, name in roles.items():
        choice = choose(role, situation, step=step, as_receiver=name == RECEIVER)
        if choice.person is not None:
            return choice
        tried.append(choice)
    return tried[0]


def _after(situation: Situation, role: str, person: str) -> Situation:
    """The situation once somebody has been named."""
    load = situation.loads.get(person, FREE).with_one_more(situation.at)
    return replace(situation, case=with_assignee(situation.case, role, person), loads={**situation.loads, person: load})


# --- what time alone changes ---
def look_again(situation: Situation) -> datetime | None:
    """When the answer may become another one although nothing happens.

    Somebody who is named goes away, or somebody comes back: whom the case waits for, or for whom another stands in.
    """
    case, directory = situation.case, situation.desk.directory
    roles = {role for _, alternatives in owing(case, situation.procedure) for role in alternatives}
    people = {role: directory.get(person) for role, person in case.assignees.items() if role in roles}
    named = [(role, person) for role, person in people.items() if person is not None]
    instants = [absence.begins_at for _, person in named for absence in person.absences]
    stands_in = any(not in_own_right(situation.desk, person, role) for role, person in named)
    if stands_in or roles & case.lacking.keys():
        everybody = directory.people.values()
        instants += [absence.ends_at for person in everybody for absence in person.absences if absence.ends_at]
    return min((instant for instant in instants if instant > situation.at), default=None)
