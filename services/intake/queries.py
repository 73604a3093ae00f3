"""What GET answers about one case, by replay: how it stands, its history, its clocks, what is owed. Lists: the ledger.

A fact that a clause hides from a role is left out for keys that speak for such roles only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from complaints.adapters.problems import Refused
from complaints.business_time import BusinessCalendar
from complaints.codec import Recorded, decode, wire
from complaints.complaint import Complaint, StepState
from complaints.desk_keys import ANY, Principal
from complaints.desk_view import DeskView, compiled_calendar
from complaints.events import Facts, FactValue
from complaints.explanations import explanations
from complaints.ports import StoredEvent
from complaints.procedure.model import Procedure
from complaints.sla import SlaClock
from complaints.verdicts import hidden_from
from intake.auth import need_scope
from intake.commands import Commands, Parts, no_such_complaint, uuid_of
from intake.schemas import CaseOut, ClockOut, ClocksOut, HistoryOut, RecordedOut, StepOut

MOST_EVENTS: Final = 1000
COMPLAINANT: Final = "complainant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """In which role somebody looks; without one, in all roles that the key speaks for."""

    who: Principal
    role: str | None = None
    person: str = ""

    @property
    def roles(self) -> Collection[str]:
        """The roles, none where nothing is to be hidden."""
        if self.role is not None:
            if not self.who.may_name(self.role):
                why = f"this key does not speak for {self.role}"
                raise Refused(403, "role-not-of-key", why, field="role", roles=sorted(self.who.roles))
            return (self.role,)
        return () if ANY in self.who.roles else self.who.roles


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case as it stands, what it runs under, and what the viewer may not see of it."""

    id: UUID
    desk: str
    version: int
    state: Complaint
    procedure: Procedure
    calendar: BusinessCalendar
    view: DeskView
    hidden: frozenset[str]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a history: at most ``limit`` events after a version."""

    after: int
    limit: int


class Queries:
    """Reads cases for whoever may."""

    def __init__(self, parts: Parts, commands: Commands) -> None:
        self._parts, self._commands = parts, commands

    async def case(self, viewer: Viewer, complaint: str) -> Case:
        """The case as it stands now.

        Raises: Refused: 403; Unknown(no-such-complaint): there is none, or it is another desk's.
        """
        need_scope(viewer.who, "read")
        stream = uuid_of(complaint)
        desk = await self._commands.desk_of_case(viewer.who, stream)
        loaded = await self._parts.handler.load(desk, str(stream))
        if not loaded.version:
            raise no_such_complaint(complaint)
        view = await self._parts.desks.current(desk)
        under = await self._parts.desks.at(desk, loaded.desk_version)
        state, procedure = loaded.state, under.procedure
        calendar = compiled_calendar(view.calendars[state.calendar])
        return Case(
            id=stream,
            desk=desk,
            version=loaded.version,
            state=state,
            procedure=procedure,
            calendar=calendar,
            view=view,
            hidden=_hidden(viewer, procedure, calendar, state),
        )

    async def history(self, viewer: Viewer, complaint: str, page: Page) -> HistoryOut:
        """A page of its events, with what each one rests on."""
        case = await self.case(viewer, complaint)
        after, limit = page.after, page.limit
        rows = await self._parts.store.read(case.id, after=after, upto=min(after + limit, case.version))
        read = await self._parts.opener.unseal([decode(row) for row in rows])
        last = rows[-1].version if rows else after
        more = f"/v1/complaints/{case.id}/events?after={last}&limit={limit}"
        return HistoryOut(
            id=str(case.id),
            desk=case.desk,
            version=case.version,
            events=[_event(row, record, case.hidden) for row, record in zip(rows, read, strict=True)],
            next=more if rows and last < case.version else None,
        )

    def clocks(self, case: Case, *, ended: bool) -> ClocksOut:
        """Its clocks, each with why it is due when it is."""
        now = self._parts.now()
        found = explanations(case.procedure, case.calendar, case.state, now, ended=ended)
        if case.hidden:
            found = [replace(one, inputs=_cut(one.inputs, case.hidden)) for one in found]
        return ClocksOut(id=str(case.id), desk=case.desk, version=case.version, at=now, clocks=found)


def standing(case: Case) -> CaseOut:
    """How a case stands."""
    state, hidden = case.state, case.hidden
    anonymous = COMPLAINANT in hidden
    return CaseOut(
        id=str(case.id),
        desk=case.desk,
        version=case.version,
        case=state.case,
        status="closed" if state.closed else "open",
        pack=state.pack,
        pack_version=state.pack_version,
        desk_version=state.desk_version,
        calendar=state.calendar,
        imported=state.imported,
        received_at=state.received_at,
        last_at=state.last_at,
        closed_at=state.closed_at,
        reopened_at=state.reopened_at,
        channel=state.channel,
        receiver=state.receiver,
        holder=state.holder,
        arrived_closed=state.arrived_closed,
        complainant=None if anonymous else state.complainant,
        contact={} if anonymous else dict(state.contact),
        subject=state.subject,
        grade=state.decided.get("grade"),
        owner=state.decided.get("owner"),
        again_of=state.again_of,
        links=state.links,
        asked=state.asked,
        facts=_seen(state.facts, hidden),
        decided=dict(state.decided),
        counts=dict(state.counts),
        items={
            kind: {number: _seen(facts, hidden) for number, facts in some.items()} for kind, some in state.items.items()
        },
        milestones=dict(state.milestones),
        steps={name: _step(step) for name, step in state.steps.items()},
        clocks={name: _clock(clock) for name, clock in state.clocks.items()},
        breaches=state.breaches,
        holds=dict(state.holds),
        assignees=dict(state.assignees),
        lacking=dict(state.lacking),
        erased=state.erased,
        hidden=sorted(hidden),
    )


def _step(step: StepState) -> StepOut:
    return StepOut(
        state=step.state,
        outcome=step.outcome or None,
        round=step.round,
        attempts=step.attempts,
        by=step.by,
        duty=step.duty,
        opened_at=step.opened,
        opens_at=step.opens_at,
        over_at=step.at,
        person=step.person or None,
        signed=step.signed,
        period=step.period,
    )


def _clock(clock: SlaClock) -> ClockOut:
    return ClockOut(
        state=clock.state,
        from_=clock.from_,
        due_at=clock.due_at,
        late=clock.late,
        word=clock.word,
        provisional=clock.provisional,
        clause=clock.clause,
    )


# --- what is hidden ---
def _hidden(viewer: Viewer, procedure: Procedure, calendar: BusinessCalendar, state: Complaint) -> frozenset[str]:
    """What every role of the viewer is forbidden to know."""
    each = [hidden_from(procedure, calendar, state, role, viewer.person) for role in viewer.roles]
    return frozenset[str].intersection(*each) if each else frozenset()


def _seen(facts: Mapping[str, FactValue], hidden: frozenset[str]) -> Facts:
    return {name: value for name, value in facts.items() if name not in hidden}


def _event(row: StoredEvent, record: Recorded, hidden: frozenset[str]) -> RecordedOut:
    event = {**wire(record), "previous_hash": row.previous_hash.hex()}
    if hidden:
        data = _without(event["data"], hidden, "facts", "looked_at")
        if COMPLAINANT in hidden:
            data = {name: value for name, value in data.items() if name not in (COMPLAINANT, "contact")}
        event = {**_without(event, hidden, "inputs"), "data": data}
    return RecordedOut(**event)


def _without(shown: dict[str, Any], hidden: frozenset[str], *fields: str) -> dict[str, Any]:
    """What is shown, without the hidden names in these fields."""
    if not hidden:
        return shown
    return {
        field: _cut(value, hidden) if field in fields and isinstance(value, dict) else value
        for field, value in shown.items()
    }


def _cut(values: Mapping[str, Any], hidden: Iterable[str]) -> dict[str, Any]:
    names = frozenset(hidden)
    return {name: value for name, value in values.items() if not names & {name, *name.replace("#", ".").split(".")}}
