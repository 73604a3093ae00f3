"""Work lists: what is owed now. Duties without a date stand apart, so that they drown nobody.

*Dated* by due instant; *undated* by age, with the text's own word; *stale*: undated, and the case has moved on;
*undecided*: tables that wait for facts, and which. ``may`` is never listed, ``should`` is marked.

Source: the pack language, section 9.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from complaints.business_time import BusinessCalendar
from complaints.complaint import Complaint, StepState
from complaints.deciding.frame import StepRow, frame_of
from complaints.deciding.sight import Glance
from complaints.events import Clause
from complaints.procedure.model import Procedure, Step
from complaints.sla import SlaClock
from complaints.verdicts import is_stale, missing


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it stands, under the procedure by which it goes."""

    complaint: str
    state: Complaint
    procedure: Procedure
    calendar: BusinessCalendar


class Owed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step that somebody owes. ``since`` it has been open; ``word`` is the text's own where there is no date."""

    complaint: str
    step: str
    by: str | list[str]
    duty: str
    clause: Clause
    since: datetime | None = None
    due_at: datetime | None = None
    late: bool = False
    provisional: bool = False
    word: str | None = None
    paused: bool = False
    assignee: str | None = None


class Undecided(msgspec.Struct, frozen=True, kw_only=True):
    """A table that waits for facts."""

    complaint: str
    decide: str
    needs: list[str]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """The four parts of a work list."""

    dated: list[Owed]
    undated: list[Owed]
    stale: list[Owed]
    undecided: list[Undecided]


def work(cases: Iterable[Case], at: datetime, role: str | None = None) -> Work:
    """What is owed at ``at`` in these cases, by one role if it is named, else by all; ties in the order given."""
    found = Work(dated=[], undated=[], stale=[], undecided=[])
    for case in cases:
        _add(found, case, at, role)
    far = datetime.max.replace(tzinfo=at.tzinfo)
    return Work(
        dated=sorted(found.dated, key=lambda owed: owed.due_at or far),
        undated=sorted(found.undated, key=lambda owed: owed.since or far),
        stale=sorted(found.stale, key=lambda owed: owed.since or far),
        undecided=found.undecided,
    )


def _add(found: Work, case: Case, at: datetime, role: str | None) -> None:
    state, frame = case.state, frame_of(case.procedure, case.state)
    if role is None and state.closed_at is None:
        sight = Glance(state, case.calendar)
        for table in frame.tables:
            decide = table.table.decide
            if needs := missing(frame, sight, decide):
                found.undecided.append(Undecided(complaint=case.complaint, decide=decide, needs=needs))
    for name, step in state.steps.items():
        row = frame.steps.get(name)
        if row is None or step.state != "open" or row.step.duty == "may":
            continue
        if role is not None and not owes(row.step, state, role):
            continue
        clock = state.clocks.get(name)
        if clock is not None and clock.due_at is not None and clock.state in ("running", "late"):
            found.dated.append(_dated(case, row, step, clock, at))
        else:
            undated = _undated(case, row, step, clock)
            (found.stale if is_stale(frame, state, row, step) else found.undated).append(undated)


def owes(step: Step, state: Complaint, role: str) -> bool:
    """Is the role among those who owe the step, under its own name or as owner, holder or receiver of this case?"""
    names = {role}
    names |= {"owner"} if state.decided.get("owner") == role else set()
    names |= {"holder"} if state.holder == role else set()
    names |= {"receiver"} if state.receiver == role else set()
    return any(name in names for alternatives in step.by for name in alternatives)


def _dated(case: Case, row: StepRow, step: StepState, clock: SlaClock, at: datetime) -> Owed:
    return Owed(
        complaint=case.complaint,
        step=row.name,
        by=row.step.by_text,
        duty=row.step.duty,
        clause=row.step.clause,
        since=step.opened,
        due_at=clock.due_at,
        late=clock.due_at is not None and clock.due_at < at,
        provisional=clock.provisional,
        assignee=_assignee(case, row),
    )


def _undated(case: Case, row: StepRow, step: StepState, clock: SlaClock | None) -> Owed:
    soft = next((limit.limit.word for limit in row.step.within if not limit.limit.numbered), None)
    return Owed(
        complaint=case.complaint,
        step=row.name,
        by=row.step.by_text,
        duty=row.step.duty,
        clause=row.step.clause,
        since=step.opened,
        word=soft or "not-stated",
        paused=clock is not None and clock.state == "paused",
        assignee=_assignee(case, row),
    )


def _assignee(case: Case, row: StepRow) -> str | None:
    state = case.state
    for name in (name for alternatives in row.step.by for name in alternatives):
        match name:
            case "owner":
                role = str(state.decided.get("owner", ""))
            case "holder":
                role = state.holder
            case "receiver":
                role = state.receiver
            case _:
                role = name
        if (person := state.assignees.get(role)) is not None:
            return person
    return None
