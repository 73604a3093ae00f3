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

from complaints.complaint import Complaint
from complaints.desk_view import DeskView
from complaints.directory import Person
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
from complaints.personal import CUSTOMER
from complaints.procedure.model import Condition, Procedure

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
"""What does not wait for the end of quiet hours: escalations, and whatever does not go to the desk's own people."""

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
        return self.kind in URGENT or self.recipient == CUSTOMER


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

    # --- to the desk's own people ---
    def staff(self) -> Iterator[Message]:  # noqa: C901 - one arm an event
        event, procedure = self.event, self.desk.procedure
        match event:
            case AssigneeNamed():
                yield from self._tell([event.person], "assigned", self._owed_by(event.role), role=event.role)
            case ClockWarned():
                clock = event.clock
                people = self._who(_roles(event.by))
                yield from self._tell(people, "warned", clock, event.due_at, clock=clock, due_at=event.due_at)
            case ClockBreached():
                answerable = (event.answerable,) if event.answerable else ()
                people = [*self._who((*_roles(event.by), *answerable)), *self._watchers()]
                clause = event.clause if has_consequence(procedure, event.clock) else _with_desk(event.clause, "alerts")
                yield from self._tell(
                    people, "breached", event.clock, event.due_at, clause=clause, clock=event.clock, due_at=event.due_at
                )
            case ComplaintEscalated():
                people = [*self._who(_roles(event.to)), *self._watchers()]
                yield from self._tell(people, "escalated", event.step, role=event.to, tier=event.tier)
            case HoldBroken() | AccessBroken() | OrderBroken():
                rule = getattr(event, "hold", None) or getattr(event, "bar", None) or event.step
                yield from self._tell(self._watchers(), "broken", event.step, rule=rule, by=event.person)
            case AssigneeLacking():
                people = [*self._queue(event.queue), *self._watchers()]
                step = self._owed_by(event.role)
                yield from self._tell(people, "unassigned", step, role=event.role, queue=event.queue)
            case NoticeFailed(alert=None) if self._to_customer(event.step):
                yield from self._tell(self._watchers(), "undelivered", None, notice=event.step)
            case NoticeRequested() if not self._to_customer(event.step):
                people = self._who(_roles(event.to))
                yield from self._tell(
                    people, "notice", event.step, self._round(event.step), says=self._says(event.step)
                )
            case DutyOpened():
                yield from self._duty("duty", self._who(_roles(event.by)), event.owe, event.period, event.due_at)
            case DutyBreached():
                people = [*self._who(_roles(event.by)), *self._watchers()]
                yield from self._duty("duty-breached", people, event.owe, event.period, event.due_at)
            case ReportProduced():
                row = procedure.desk.get(event.owe)
                to = self._who((*row.to, *row.by)) if row is not None else []
                yield from self._duty("report", to, event.owe, event.period, None)
            case _:
                return

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

    def _duty(
        self, kind: Kind, people: Iterable[str], owe: str, period: str, due_at: datetime | None
    ) -> Iterator[Message]:
        row = self.desk.procedure.desk.get(owe)
        says = row.says if row is not None else None
        yield from self._tell(people, kind, None, owe, period, owe=owe, period=period, due_at=due_at, says=says)

    # --- to the complainant ---
    def letter(self) -> Iterator[Message]:
        event = self.event
        if isinstance(event, NoticeRequested) and self._to_customer(event.step):
            step = self.desk.procedure.steps.get(event.step.partition("#")[0])
            kind = LETTERS.get(step.milestone if step else None, "notice")
            about = (event.step, self._round(event.step))
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

    # --- who ---
    def _who(self, roles: Iterable[str]) -> list[str]:
        """The people behind roles: whoever acts in them on this case, else all who hold them and are not away."""
        state, at = self.case.state, self.event.at
        found: list[str] = []
        for role in roles:
            name = self._stands_for(role)
            if state is not None and name in state.assignees:
                found.append(state.assignees[name])
            else:
                found += _names(self.desk.directory.of_role(name, at=at) or self.desk.directory.department(name, at=at))
        return found

    def _stands_for(self, role: str) -> str:
        """A role by its own name, where the procedure says owner, holder or receiver."""
        state = self.case.state
        if state is None:
            return role
        built_in = {"owner": state.decided.get("owner"), "holder": state.holder, "receiver": state.receiver}
        return str(built_in.get(role) or role)

    def _watchers(self) -> list[str]:
        """Those whom the desk wants to be told whenever something needs a person."""
        alerts, at = self.desk.alerts, self.event.at
        held = [self.desk.directory.of_role(role, at=at) for role in alerts.roles]
        return [*alerts.people, *(name for people in held for name in _names(people))]

    def _queue(self, queue: str) -> list[str]:
        """Who looks after the fallback queue."""
        fallback = self.desk.fallback
        if fallback is not None and fallback.person is not None:
            return [fallback.person]
        return self._who((queue,))

    # --- about what ---
    def _to_customer(self, step: str) -> bool:
        row = self.desk.procedure.steps.get(step.partition("#")[0])
        return row is not None and CUSTOMER in row.to

    def _says(self, step: str) -> str | None:
        row = self.desk.procedure.steps.get(step.partition("#")[0])
        return row.says if row is not None else None

    def _round(self, step: str) -> int:
        return self.case.state.step(step).round if self.case.state is not None else 1

    def _owed_by(self, role: str) -> str | None:
        """A step that the role owes now, on which a delivery about the role is recorded."""
        state = self.case.state
        if state is None:
            return None
        for name, step in state.steps.items():
            if step.state == "open" and any(self._stands_for(r) == role for r in _roles(step.by)):
                return name
        return None


def has_consequence(procedure: Procedure, clock: str) -> bool:
    """Whether some row of the procedure asks if this limit has run out."""
    if "consequences" not in procedure.cache:
        procedure.cache["consequences"] = frozenset(
            name for condition in _conditions(procedure) for name in condition.refs if name.endswith(".late")
        )
    return f"{clock.partition('#')[0]}.late" in procedure.cache["consequences"]


def _conditions(procedure: Procedure) -> Iterator[Condition]:
    maybe: list[Condition | None] = []
    for table in procedure.tables:
        maybe += [row.when for row in table.rows]
    for step in procedure.steps.values():
        maybe += [step.when, step.part.when, step.pause, *(case.when for case in step.within)]
    for clock in procedure.clocks.values():
        maybe += [clock.start, clock.stop, clock.cancel, clock.pause]
    for hold in procedure.holds:
        maybe += [hold.when, hold.until]
    maybe += [fact.means for fact in procedure.facts.values()]
    yield from (condition for condition in maybe if condition is not None)


def _with_desk(clause: Clause, place: str) -> Clause:
    clauses = [clause] if isinstance(clause, str) else list(clause or [])
    return [*clauses, f"desk:{place}"]


def _roles(by: str | list[str] | None) -> tuple[str, ...]:
    """The roles of a `by` as the pack writes it."""
    texts = [by] if isinstance(by, str) else by or []
    return tuple(role for text in texts for role in text.split(" | ") if role not in {"system", CUSTOMER, "anyone"})


def _names(people: Iterable[Person]) -> list[str]:
    return [person.person for person in people]


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
