"""Which messages an event calls for. Pure: a case as it stood after the event, and its desk.

A message names its recipient, not an address: addresses and whatever else is personal are looked up when it is sent.
Its key is made of what it is about, so that nothing is sent twice for the same case, clock or step, and deadline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid5

from complaints.complaint import FRESH, Complaint
from complaints.desk_view import DeskView
from complaints.events import (
    AccessBroken,
    AssigneeLacking,
    AssigneeNamed,
    Clause,
    ClockBreached,
    ClockWarned,
    ComplaintEscalated,
    DutyBreached,
    DutyOpened,
    Event,
    HoldBroken,
    NoticeFailed,
    NoticeRequested,
    OrderBroken,
    ReportProduced,
)
from complaints.identity import REDRESS_NS
from complaints.personal import CUSTOMER, is_closed
from notifier.consequences import has_consequence
from notifier.people import People, roles_of

Kind = Literal[
    "acknowledged",
    "answered",
    "notice",
    "assigned",
    "warned",
    "breached",
    "escalated",
    "broken",
    "unassigned",
    "undelivered",
    "duty",
    "duty-breached",
    "report",
    "webhook",
]
"""What a message says; each but the last has its templates."""

EMAIL: Final = "email"
WEBHOOK: Final = "webhook"
URGENT: Final[frozenset[Kind]] = frozenset(("escalated", "acknowledged", "answered", "notice", "webhook"))
"""What does not wait for the end of quiet hours: escalations, what other systems are told, and what the procedure
itself orders to be told, whose limit runs on at night."""

NOTICES: Final[frozenset[Kind]] = frozenset(("acknowledged", "answered", "notice"))
"""What a step itself owes; every other message is an alert about something."""

LETTERS: Final[Mapping[str | None, Kind]] = {"acknowledged": "acknowledged", "resolved": "answered"}
"""The letter for a step that carries a milestone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something to be sent. ``recipient``: `customer`, a person of the desk, or the name of a webhook."""

    key: UUID
    kind: Kind
    desk: str
    complaint: str  # the case, or ``desk``
    step: str | None  # the step or clock on which its delivery is recorded
    clause: Clause
    recipient: str
    channel: str
    at: datetime
    context: Mapping[str, Any] = field(default_factory=dict)  # nothing personal

    @property
    def urgent(self) -> bool:
        """Whether quiet hours do not hold it back."""
        return is_urgent(self.kind, self.recipient)


def is_urgent(kind: Kind, recipient: str) -> bool:
    """Whether quiet hours do not hold a message back."""
    return kind in URGENT or recipient == CUSTOMER


@dataclass(frozen=True, slots=True)
class Case:
    """What an event happened to. ``state`` is None for the desk's own streams."""

    complaint: str
    version: int  # of the stream, with the event
    type: str  # the event's stored name
    state: Complaint | None


def messages_for(event: Event, case: Case, desk: DeskView) -> list[Message]:
    """The messages that an event calls for, in a stable order; none for most events.

    Staff are told by the channels that the desk has chosen for its alerts, e-mail where it has said nothing. Where the
    text names no consequence of a breach, telling somebody is the desk's decision, and the message cites
    ``desk:alerts`` beside the clause.
    """
    writer = _Writer(event, case, desk)
    found = [*writer.staff(), *writer.letter(), *writer.hooks()]
    return list({message.key: message for message in found}.values())


CALLS_FOR_MESSAGES: Final = (
    AccessBroken,
    AssigneeLacking,
    AssigneeNamed,
    ClockBreached,
    ClockWarned,
    ComplaintEscalated,
    DutyBreached,
    DutyOpened,
    HoldBroken,
    NoticeFailed,
    NoticeRequested,
    OrderBroken,
    ReportProduced,
)
"""The events that call for a message where no webhook asks for more."""


@dataclass(frozen=True, slots=True)
class _Writer:
    event: Event
    case: Case
    desk: DeskView

    @property
    def people(self) -> People:
        return People(self.desk, self.case.state, self.event.at)

    # --- to the desk's own people ---
    def staff(self) -> Iterator[Message]:  # noqa: C901 - one arm an event
        event, people = self.event, self.people
        match event:
            case AssigneeNamed():
                yield from self._tell([event.person], "assigned", self._owed_by(event.role), role=event.role)
            case ClockWarned():
                clock = event.clock
                owing = people.behind(roles_of(event.by))
                about = (event.due_at, event.at)  # a desk may ask for more than one warning of a limit
                yield from self._tell(owing, "warned", clock, *about, clock=clock, due_at=event.due_at)
            case ClockBreached():
                yield from self._breached(event)
            case ComplaintEscalated():
                told = [*(people.behind(roles_of(event.to)) or people.minders()), *people.watchers()]
                to = ", ".join(event.to) if isinstance(event.to, list) else event.to
                role = to or (self.case.state.holder if self.case.state is not None else None)
                yield from self._tell(told, "escalated", event.step, role=role, tier=event.tier)
            case HoldBroken():
                yield from self._broken(event, "hold", event.hold)
            case AccessBroken():
                yield from self._broken(event, "by" if event.bar == "by" else "bar", event.bar)
            case OrderBroken():
                yield from self._broken(event, "order", ", ".join(event.waits_for) or None)
            case AssigneeLacking():
                told = [*people.of_queue(event.queue), *people.watchers()]
                step = self._owed_by(event.role)
                yield from self._tell(told, "unassigned", step, role=event.role, queue=event.queue)
            case NoticeFailed(alert=None):
                told = [*people.minders(), *people.watchers()]
                yield from self._tell(told, "undelivered", None, notice=event.step)
            case NoticeRequested() if not self._to_customer(event.step):
                roles = roles_of(event.to)
                told = people.behind(roles) or [
                    people.stands_for(role) for role in roles
                ]  # so that its failure is told
                yield from self._tell(told, "notice", event.step, *self._turn(event.step), says=self._says(event.step))
            case DutyOpened() | DutyBreached() | ReportProduced():
                yield from self._duty(event)
            case _:
                return

    def _breached(self, event: ClockBreached) -> Iterator[Message]:
        """To who owes it and who answers for it; where that is the system, to those who have the case in hand."""
        people, procedure = self.people, self.desk.procedure
        answerable = (event.answerable,) if event.answerable else ()
        told = [*(people.behind(roles_of(event.by)) or people.minders()), *people.behind(answerable)]
        clause = event.clause if has_consequence(procedure, event.clock) else _with_desk(event.clause, "alerts")
        yield from self._tell(
            [*told, *people.watchers()],
            "breached",
            event.clock,
            event.due_at,
            clause=clause,
            clock=event.clock,
            due_at=event.due_at,
        )

    def _broken(
        self,
        event: HoldBroken | AccessBroken | OrderBroken,
        how: Literal["hold", "bar", "by", "order"],
        rule: str | None,
    ) -> Iterator[Message]:
        """``how`` the rule was broken; the name of a complainant is nobody's here."""
        by = CUSTOMER if event.role == CUSTOMER or is_closed(event.person) else event.person
        yield from self._tell(self.people.watchers(), "broken", event.step, how=how, rule=rule, by=by)

    def _tell(
        self,
        people: Iterable[str],
        kind: Kind,
        step: str | None,
        *about: object,
        clause: Clause = None,
        **context: Any,
    ) -> Iterator[Message]:
        """To each of these people, by each channel of the desk's. Without ``about`` it is about this very event."""
        name = step or kind
        about = about or (self.case.version,)
        for person in dict.fromkeys(people):
            for channel in self.desk.alerts.channels:
                yield self._message(
                    kind,
                    step,
                    to=(person, channel),
                    about=(name, *about),
                    clause=clause or self.event.clause,
                    context=context,
                )

    def _duty(self, event: DutyOpened | DutyBreached | ReportProduced) -> Iterator[Message]:
        people, owe, due_at = self.people, event.owe, None
        kind: Kind
        if isinstance(event, ReportProduced):
            row = self.desk.procedure.desk.get(owe)
            kind, told = "report", people.behind((*row.to, *row.by)) if row is not None else []
        else:
            late = isinstance(event, DutyBreached)
            kind, due_at = "duty-breached" if late else "duty", event.due_at
            told = [*people.behind(roles_of(event.by)), *(people.watchers() if late else ())]
        yield from self._tell(told, kind, None, owe, event.period, owe=owe, period=event.period, due_at=due_at)

    # --- to the complainant ---
    def letter(self) -> Iterator[Message]:
        event = self.event
        if isinstance(event, NoticeRequested) and self._to_customer(event.step):
            step = self.desk.procedure.steps.get(event.step.partition("#")[0])
            kind = LETTERS.get(step.milestone if step else None, "notice")
            about = (event.step, *self._turn(event.step))
            context = {"says": self._says(event.step)}
            to = (CUSTOMER, EMAIL)
            yield self._message(kind, event.step, to=to, about=about, clause=event.clause, context=context)

    # --- to other systems ---
    def hooks(self) -> Iterator[Message]:
        for hook in self.desk.webhooks.values():
            if hook.wants(self.case.type):
                to, about = (hook.name, WEBHOOK), (self.case.version,)
                yield self._message("webhook", None, to=to, about=about, clause=self.event.clause, context={})

    def _message(
        self,
        kind: Kind,
        step: str | None,
        *,
        to: tuple[str, str],
        about: tuple[object, ...],
        clause: Clause,
        context: Mapping[str, Any],
    ) -> Message:
        recipient, channel = to
        parts = (self.desk.desk, self.case.complaint, kind, *map(_text, about), recipient, channel)
        context = {name: _text(value) if isinstance(value, datetime) else value for name, value in context.items()}
        return Message(
            key=uuid5(REDRESS_NS, "message:" + "\x1f".join(map(_text, parts))),
            kind=kind,
            desk=self.desk.desk,
            complaint=self.case.complaint,
            step=step,
            clause=clause,
            recipient=recipient,
            channel=channel,
            at=self.event.at,
            context={name: value for name, value in context.items() if value is not None},
        )

    # --- about what ---
    def _to_customer(self, step: str) -> bool:
        row = self.desk.procedure.steps.get(step.partition("#")[0])
        return row is not None and CUSTOMER in row.to

    def _says(self, step: str) -> str | None:
        row = self.desk.procedure.steps.get(step.partition("#")[0])
        return row.says if row is not None else None

    def _turn(self, step: str) -> tuple[object, ...]:
        """Which of its turns the step is in: it may be owed again in a later round, or open again after a lapse."""
        state = self.case.state.step(step) if self.case.state is not None else FRESH
        return (state.round, state.opened)

    def _owed_by(self, role: str) -> str | None:
        """A step that the role owes now, on which a delivery about the role is recorded."""
        state = self.case.state
        if state is None:
            return None
        for name, step in state.steps.items():
            if step.state == "open" and any(self.people.stands_for(r) == role for r in roles_of(step.by)):
                return name
        return None


def _with_desk(clause: Clause, place: str) -> Clause:
    clauses = [clause] if isinstance(clause, str) else list(clause or [])
    return [*clauses, f"desk:{place}"]


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
