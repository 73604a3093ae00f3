"""Planning: what a command would do to its stream, under the desk that its case runs under. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic
from uuid import UUID

import msgspec
from msgspec.structs import replace

from complaints.codec import DESK, Envelope
from complaints.commands import (
    ApplyCalendar,
    CaseCommand,
    ChangePack,
    Command,
    DrawSample,
    DutyCommand,
    EraseSubject,
    Link,
    Receive,
)
from complaints.complaint import Complaint
from complaints.deciding import NOTHING, Others, claims, decide, decided
from complaints.desk_view import DeskView, compiled_calendar
from complaints.desks import DeskViews, no_such_desk
from complaints.duties import DutyBook, decide_duty, included
from complaints.erasure import Erasures
from complaints.errors import Rejected, Unknown
from complaints.events import Event
from complaints.identity import OPERATOR, duties_stream
from complaints.ports import Claim, Guard, Now
from complaints.procedure.model import Procedure
from complaints.sealer import Sealer
from complaints.streams import Entry, Loaded, State, Streams
from complaints.timeliness import timely


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Where a command comes from, beside who sends it."""

    frontend: str | None = None
    correlation_id: UUID | None = None  # None: a matter of its own, named by the command's id
    causation_id: UUID | None = None
    traceparent: str | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A command on its way. ``fingerprint`` tells a repeat from another request under the same id."""

    desk: str
    command: Command
    context: Context
    fingerprint: bytes
    if_version: int | None = None


class Plan(msgspec.Struct, Generic[State], frozen=True, kw_only=True):
    """What was decided about a stream, and how it is to be written."""

    streams: Streams[State]
    loaded: Loaded[State]
    events: Sequence[Event]
    state: State | None  # after them, where it is known already
    data: Sequence[bytes | None] = ()  # of each event, as `Decided.data`
    entry: Entry
    procedure: Procedure


class Planner:
    """Decides commands on the states that its streams hold."""

    def __init__(
        self,
        *,
        desks: DeskViews,
        sealer: Sealer,
        now: Now,
        cases: Streams[Complaint],
        duties: Streams[DutyBook],
        erasures: Erasures,
    ) -> None:
        self._desks, self._sealer, self._now = desks, sealer, now
        self._cases, self._duties, self._erasures = cases, duties, erasures

    async def plan(self, request: Request, *, fresh: bool) -> Plan[Any]:
        """What the command would do; with ``fresh`` to the stream as it stands now, else perhaps as it stood.

        Raises: Rejected, Unknown, Transient.
        """
        view = await self._desks.current(request.desk)
        if view.desk == OPERATOR:
            raise no_such_desk(view.desk)
        command = request.command
        if isinstance(command, DutyCommand):
            return await self._of_duties(view, request, command, fresh=fresh)
        assert isinstance(command, CaseCommand)  # noqa: S101 - the two unions are all commands there are
        return await self._of_a_case(view, request, command, fresh=fresh)

    async def case(self, desk: str, complaint: str, *, fresh: bool, new: bool = False) -> Loaded[Complaint]:
        """A case of this desk; ``version`` is 0 where there is none. Raises Unknown(no-such-complaint).

        ``new``: there is hardly one, so that only memory is asked; the store says so if there is.
        """
        stream = _stream(complaint)
        loaded = self._cases.at_hand(stream, desk) if new else await self._cases.load(stream, desk, fresh=fresh)
        if loaded.desk != desk:
            raise _no_such_complaint(complaint)
        return loaded

    # --- duties ---
    async def _of_duties(
        self, view: DeskView, request: Request, command: DutyCommand, *, fresh: bool
    ) -> Plan[DutyBook]:
        loaded = await self._duties.load(duties_stream(view.desk), view.desk, fresh=fresh)
        _check_version(loaded, request.if_version)
        command = timely(command, view.limits, self._now(), imported=False, last_at=loaded.state.last_at)
        view.may_act(command.by.person, command.by.role, command.at)
        procedure = view.procedure
        if isinstance(command, DrawSample):
            command = replace(command, included=await self._included(view, command))
        entry = Entry(
            meta=_meta(request, command, complaint=DESK, view=view, imported=False),
            fingerprint=request.fingerprint,
            facts=procedure.personal,
        )
        events = decide_duty(loaded.state, command, procedure)
        return Plan(streams=self._duties, loaded=loaded, events=events, state=None, entry=entry, procedure=procedure)

    async def _included(self, view: DeskView, command: DrawSample) -> list[str]:
        """Whom the sample includes whatever is drawn, as the desk's cases stand now."""
        row = view.procedure.desk.get(command.owe)
        if row is None or row.sample_include is None:
            return []
        cases = [loaded.state async for loaded in self._cases.of_desk(view.desk)]
        return included(row, cases, view.procedure, view.calendar)

    # --- cases ---
    async def _of_a_case(
        self, view: DeskView, request: Request, command: CaseCommand, *, fresh: bool
    ) -> Plan[Complaint]:
        new = isinstance(command, Receive) and not fresh
        loaded = await self.case(request.desk, command.complaint, fresh=fresh, new=new)
        state = loaded.state
        if not loaded.version and not isinstance(command, Receive):
            raise _no_such_complaint(command.complaint)
        _check_version(loaded, request.if_version)
        command = timely(command, view.limits, self._now(), imported=state.imported, last_at=state.last_at)
        view.may_act(command.by.person, command.by.role, command.at)
        under = await self._desks.at(view.desk, loaded.desk_version) if loaded.version else view
        procedure, calendar = under.procedure, view.calendar
        if loaded.version:
            calendar = compiled_calendar(view.calendars[state.calendar])
        others, guards = await self._linked(view.desk, command, fresh=fresh)
        command, others = await self._ground(view, command, others)
        if isinstance(command, EraseSubject):
            command = replace(command, subject=str(self._subject(loaded, command.subject)))
            guards = (*guards, *await self._others_of_the_subject(view, loaded, command))
        try:
            done = decided(state, command, procedure, calendar, others, warnings=view.warnings)
        except Rejected:
            if isinstance(command, EraseSubject):
                await self._erasures.abandon(loaded.subject, command)
            raise
        claimed, released = claims(done.events, state, others.procedure or procedure)
        entry = Entry(
            meta=_meta(
                request,
                command,
                complaint=str(loaded.stream_id),
                view=under,
                imported=state.imported or (isinstance(command, Receive) and command.imported),
            ),
            fingerprint=request.fingerprint,
            facts=procedure.personal | (others.procedure.personal if others.procedure else frozenset()),
            claims=self._digested(view.desk, claimed),
            releases=self._digested(view.desk, released),
            guards=guards,
        )
        return Plan(
            streams=self._cases,
            loaded=loaded,
            events=done.events,
            state=done.state,
            data=done.data,
            entry=entry,
            procedure=procedure,
        )

    async def _linked(self, desk: str, command: CaseCommand, *, fresh: bool) -> tuple[Others, tuple[Guard, ...]]:
        """The older case that a command takes up, which must stay as it is until the command is recorded."""
        if isinstance(command, Receive) and command.again_of is not None:
            named = command.again_of.complaint
        elif isinstance(command, Link):
            named = command.other
        else:
            return NOTHING, ()
        try:
            loaded = await self.case(desk, named, fresh=fresh)
        except Unknown:
            return NOTHING, ()
        if not loaded.version:
            return NOTHING, ()
        others = Others(linked={named: loaded.state})
        if str(loaded.stream_id) == command.complaint:
            return others, ()
        return others, (Guard(stream_id=loaded.stream_id, version=loaded.version),)

    async def _ground(self, view: DeskView, command: CaseCommand, others: Others) -> tuple[CaseCommand, Others]:
        """What the desk has for a case to begin or to go on under: the calendar, the procedure, its own version."""
        if isinstance(command, ApplyCalendar):
            if command.version not in view.calendars:
                raise Rejected("no-such-calendar", None, f"desk {view.desk} has no calendar {command.version}")
            calendar = compiled_calendar(view.calendars[command.version])
            command = replace(command, desk_version=command.desk_version or view.version)
            return command, replace(others, calendar=calendar)
        if isinstance(command, Receive):
            name = command.complainant
            subject = self._sealer.pseudonym(view.desk, name) if name is not None else _stream(command.complaint)
            return command, replace(
                others, subject=str(subject), desk_version=view.version, calendar_version=view.calendar_version
            )
        if isinstance(command, ChangePack):
            new = await self._desks.at(view.desk, command.desk_version) if command.desk_version else view
            procedure = new.procedure
            if (procedure.id, procedure.version) != (command.pack, command.pack_version):
                raise Rejected(
                    "no-such-pack",
                    None,
                    f"desk {view.desk} has {procedure.id} version {procedure.version} under its version {new.version}",
                    pack=procedure.id,
                    pack_version=procedure.version,
                )
            return replace(command, desk_version=new.version), replace(others, procedure=procedure)
        return command, others

    def _digested(self, desk: str, values: Sequence[Claim]) -> tuple[Claim, ...]:
        return tuple(
            Claim(scope=value.scope, key=self._sealer.digest(desk, value.scope, value.key)) for value in values
        )

    # --- erasure ---
    def _subject(self, loaded: Loaded[Complaint], named: str) -> UUID:
        """The subject of the case, which may be asked for by its pseudonym or by the name that it came with."""
        if named != str(loaded.subject) and self._sealer.pseudonym(loaded.desk, named) != loaded.subject:
            raise Rejected("no-such-subject", None, "the case is not about this subject", subject=str(loaded.subject))
        return loaded.subject

    async def _others_of_the_subject(
        self, view: DeskView, loaded: Loaded[Complaint], command: EraseSubject
    ) -> tuple[Guard, ...]:
        """Announces the erasure. Every case of the subject must allow it, and stay as it is until it is recorded."""
        guards = []
        for other in await self._erasures.begin(loaded, command):
            under = await self._desks.at(view.desk, other.desk_version)
            calendar = compiled_calendar(view.calendars[other.state.calendar])
            try:
                decide(other.state, command, under.procedure, calendar)
            except Rejected as refusal:
                await self._erasures.abandon(loaded.subject, command)
                refusal.data.setdefault("of", str(other.stream_id))
                raise
            guards.append(Guard(stream_id=other.stream_id, version=other.version))
        return tuple(guards)


def _meta(request: Request, command: Command, *, complaint: str, view: DeskView, imported: bool) -> Envelope:
    context, procedure = request.context, view.procedure
    return Envelope(
        desk=view.desk,
        complaint=complaint,
        at=command.at,
        pack=procedure.id,
        pack_version=procedure.version,
        desk_version=view.version,
        by=command.by,
        frontend=context.frontend,
        command_id=command.id,
        causation_id=context.causation_id,
        correlation_id=context.correlation_id or command.id,
        traceparent=context.traceparent,
        imported=imported,
    )


def _check_version(loaded: Loaded[Any], expected: int | None) -> None:
    if expected is not None and expected != loaded.version:
        raise Rejected(
            "version-conflict",
            None,
            f"the stream is at version {loaded.version}, not {expected}",
            expected=expected,
            actual=loaded.version,
        )


def _stream(complaint: str) -> UUID:
    try:
        return UUID(complaint)
    except ValueError:
        raise _no_such_complaint(complaint) from None


def _no_such_complaint(complaint: str) -> Unknown:
    return Unknown("no-such-complaint", f"no complaint is called {complaint}", complaint=complaint)
