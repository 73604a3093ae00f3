"""One decision while it is taken: the state as it grows, the events, and which rows have yet to be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from complaints.business_time import BusinessCalendar
from complaints.commands import CaseCommand, Sender
from complaints.complaint import Complaint, evolve, item_fact
from complaints.deciding.frame import Frame, frame_of, hold_key, touched_step
from complaints.deciding.sight import Actor, Check, Glance, Sight, clock_key, instants_of
from complaints.events import (
    BreachWithdrawn,
    CalendarApplied,
    CaseEvent,
    Clause,
    ClockBreached,
    ClockCancelled,
    ClockExpired,
    ClockExtended,
    ClockPaused,
    ClockRecomputed,
    ClockResumed,
    ClockStarted,
    ClockStopped,
    ComplaintClosed,
    ComplaintCounted,
    ComplaintReceived,
    ComplaintReopened,
    Decision,
    FactsRecorded,
    HoldLifted,
    HoldPlaced,
    ItemAdded,
    PackChanged,
    PauseBegun,
    PauseEnded,
    Record,
    StepLapsed,
    StepOpened,
    StepScheduled,
    StepsReopened,
    StepWaived,
)
from complaints.past import as_of
from complaints.procedure.model import NOBODY, Procedure
from complaints.sla import NO_WARNINGS, Warnings


class Others(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision may know beside its own case.

    ``linked``: the old cases that the command names, by id. ``procedure``: the one that ``change-pack`` names.
    ``calendar``: the version that ``apply-calendar`` names. Where one of the last two is missing, the decision's own
    is taken to be the new one. The rest is what a case is received with that only its desk knows: whom it is about, and
    the versions of the desk and of its calendar under which it begins.
    """

    linked: Mapping[str, Complaint] = MappingProxyType({})
    procedure: Procedure | None = None
    calendar: BusinessCalendar | None = None
    subject: str = ""
    desk_version: int = 0
    calendar_version: str = ""


NOTHING: Final = Others()


class Run:
    """A decision in progress; also the ``Sight`` of its conditions.

    ``now`` is the instant that events are dated, ``seen`` the instant up to which everything that was due has happened,
    ``effective`` the instant from which what is being decided counts: an act counts from its ``done_at``.
    """

    __slots__ = (
        "actor", "by", "calendar", "command", "dirty", "effective", "events", "frame", "now", "others",
        "procedure", "seen", "state", "thorough", "warnings",
    )  # fmt: skip

    def __init__(
        self,
        state: Complaint,
        command: CaseCommand,
        procedure: Procedure,
        calendar: BusinessCalendar,
        others: Others = NOTHING,
        *,
        warnings: Warnings = NO_WARNINGS,
        thorough: bool = False,
    ) -> None:
        self.state, self.command, self.procedure, self.calendar = state, command, procedure, calendar
        self.others, self.warnings = others, warnings
        self.frame: Frame = frame_of(procedure, state)
        self.by: Sender = command.by
        self.actor: Actor | None = None
        self.now = self.effective = command.at
        self.seen = state.last_at or command.at
        self.dirty = 0
        self.thorough = thorough  # all rows are looked at: the proof that looking at what changed is enough
        self.events: list[CaseEvent] = []

    def emit(self, event: CaseEvent) -> None:
        """Records an event; marks the rows that look at what it changed."""
        before = self.state
        self.state = evolve(before, event)
        self.events.append(event)
        if isinstance(event, ComplaintReceived | ItemAdded | CalendarApplied | PackChanged):
            self.frame = frame_of(self.procedure, self.state)
            new = isinstance(event, ComplaintReceived)
            self.dirty = self.frame.at_receipt if new else self.frame.everything
            return
        dependents = self.frame.dependents
        for key in touched(event):
            self.dirty |= dependents.get(key, 0)

    def cite(self, clause: Clause, fields: Iterable[str], checks: Iterable[Check | None] = ()) -> Clause:
        """The clause and what the desk answered in these fields or in what these conditions lean on."""
        citations = self.frame.citations
        return citations.cite(clause, [*fields, *citations.leaning(self, checks)])

    def looked_at(self, checks: Iterable[Check | None]) -> dict[str, Any]:
        """What these conditions read, for the event that they decided."""
        seen: dict[str, Any] = {}
        for check in checks:
            if check is not None:
                seen.update(check.looked_at(self))
        return seen

    @property
    def late_since(self) -> datetime | None:
        """The effective instant of what is being decided, if that is earlier than its record."""
        return self.effective if self.effective < self.now else None

    def since(self, checks: Iterable[Check | None], *, at_least: datetime | None = None) -> datetime | None:
        """Since when these conditions have come out as they do; None if that is now.

        Nothing that follows from an act is earlier than the act. Beyond that the state is asked as it was at each
        instant at which something that the conditions read has changed.
        """
        if self.effective >= self.now:
            return None
        asked = [check for check in checks if check is not None]
        floor = max(self.effective, at_least) if at_least is not None else self.effective
        changes = sorted(at for at in instants_of(self.state, {key for c in asked for key in c.keys}) if at > floor)
        since = floor
        if changes:
            want = [check.on(self) for check in asked]
            for at in (*reversed(changes), floor):
                if [check.on(self.past(at)) for check in asked] != want:
                    break
                since = at
        return since if since < self.now else None

    def past(self, at: datetime) -> Sight:
        """The case as it was."""
        return Glance(as_of(self.state, at), self.calendar)

    def plays(self, alternatives: Iterable[str]) -> str | None:
        """The name under which the sender's role is among these, or None. Whoever receives a case is its receiver."""
        role, state = self.by.role, self.state
        new = not state.version
        for name in alternatives:
            if name != NOBODY and name in ("anyone", role):
                return role
            if (
                (name == "owner" and state.decided.get("owner") == role)
                or (name == "receiver" and (new or state.receiver == role))
                or (name == "holder" and (new or state.holder == role))
            ):
                return name
        return None


def touched(event: CaseEvent) -> Iterable[str]:  # noqa: C901, PLR0911 - one arm a kind of change
    """The keys under which an event changes what conditions can see."""
    match event:
        case FactsRecorded():
            return event.facts if event.item is None else [item_fact(fact, event.item) for fact in event.facts]
        case Record():
            keys = [*touched_step(event.step), *event.facts]
            if event.holder is not None:
                keys.append("holder")
            if isinstance(event, ComplaintClosed | ComplaintReopened):
                keys.append("closed")
            return keys
        case Decision():
            return (event.fact,)
        case ComplaintCounted():
            return (event.count,)
        case StepScheduled() | StepOpened() | StepLapsed() | StepWaived():
            return touched_step(event.step)
        case StepsReopened():
            return [
                *(key for step in event.steps for key in touched_step(step)),
                *(clock_key(clock) for clock in event.clocks),
            ]
        case (
            ClockStarted() | ClockRecomputed() | ClockExtended() | ClockPaused() | ClockResumed() | ClockStopped()
            | ClockCancelled() | ClockBreached() | ClockExpired() | PauseBegun() | PauseEnded()
        ):  # fmt: skip
            return (clock_key(event.clock),)
        case BreachWithdrawn():
            return (clock_key(event.clock),) if event.clock is not None else ()
        case HoldPlaced() | HoldLifted():
            return (hold_key(event.hold),)
        case _:
            return ()
