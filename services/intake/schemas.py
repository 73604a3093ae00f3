"""Request and response bodies. What a command's data may hold stands in `complaints.commands`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from complaints.commands import Sender
from complaints.complaint import Breach
from complaints.duties import Owed as OwedDuty
from complaints.events import Clause, Facts, FactValue, Origin
from complaints.explanations import Explanation
from complaints.procedure.model import Duty, Verb
from complaints.sla import ClockPhase
from complaints.work import Undecided

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""On the wire every instant has its offset."""


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request body, or a part of one."""


class By(Sender, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who acts, and in which role."""


class CommandBody(Body, frozen=True, kw_only=True):
    """A command; its name and what it is for stand in the URL."""

    by: By
    data: dict[str, Any] = {}


class BulkLine(Body, frozen=True, kw_only=True):
    """One line of a bulk request.

    ``complaint``: an id, or the sender's own label for a complaint. ``key``: the idempotency key; ``at``: when it was
    sent, of a life that is imported.
    """

    complaint: str | None = None
    command: str
    by: By
    data: dict[str, Any] = {}
    key: str | None = None
    desk: str | None = None
    at: datetime | None = None
    if_version: int | None = None


class Out(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, or a part of one. What is not known is null."""


# --- what commands answer ---
class EventOut(Out, frozen=True, kw_only=True):
    """An event that a command led to. ``data``: as the vocabulary has it for this event."""

    at: Instant
    complaint: str
    event: str
    clause: Clause
    rule: str | None
    inputs: dict[str, Any]
    data: Annotated[Any, msgspec.Meta(extra_json_schema={"type": "object"})]
    version: int
    position: int


class Done(Out, frozen=True, kw_only=True):
    """What a command did; a repeat answers as the first time. Nothing decided: no events, positions 0."""

    id: str
    desk: str
    version: int
    first_position: int
    last_position: int
    command_id: UUID
    correlation_id: UUID
    duplicate: bool
    events: list[EventOut]


class LineDone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a bulk line did. ``events``: their names."""

    line: int
    status: int
    id: str
    desk: str
    version: int
    first_position: int
    last_position: int
    duplicate: bool = False
    events: list[str] = []


class LineRefused(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a bulk line did nothing."""

    line: int
    status: int
    id: str | None = None
    problem: dict[str, Any]


# --- how a case stands ---
class StepOut(Out, frozen=True, kw_only=True):
    """A step that something happened to. ``signed``: as whom, and who, of each record in this round."""

    state: Literal["waiting", "open", "over"]
    outcome: str | None
    round: int
    attempts: int
    by: str | list[str]
    duty: str
    opened_at: Instant | None
    opens_at: Instant | None
    over_at: Instant | None
    person: str | None
    signed: tuple[tuple[str, str], ...]
    period: str | None


class ClockOut(Out, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A clock as it stands."""

    state: ClockPhase
    from_: Instant
    due_at: Instant | None
    late: bool
    word: str | None
    provisional: bool
    clause: Clause


class CaseOut(Out, frozen=True, kw_only=True):
    """A case as it stands. ``hidden``: facts that a clause keeps from whoever looks."""

    id: str
    desk: str
    version: int
    case: str
    status: Literal["open", "closed"]
    pack: str
    pack_version: int
    desk_version: int
    calendar: str
    imported: bool
    received_at: Instant | None
    last_at: Instant | None
    closed_at: Instant | None
    reopened_at: Instant | None
    channel: str
    receiver: str
    holder: str
    arrived_closed: bool
    complainant: str | None
    contact: dict[str, str]
    subject: str | None
    grade: str | int | None
    owner: str | int | None
    again_of: Origin | None
    links: tuple[Origin, ...]
    asked: tuple[str, ...]
    facts: Facts
    decided: dict[str, str | int]
    counts: dict[str, int]
    items: dict[str, dict[str, dict[str, FactValue]]]
    milestones: dict[str, Instant]
    steps: dict[str, StepOut]
    clocks: dict[str, ClockOut]
    breaches: tuple[Breach, ...]
    holds: dict[str, Instant]
    assignees: dict[str, str]
    lacking: dict[str, str]
    erased: tuple[str, ...]
    hidden: list[str]


class RecordedOut(Out, frozen=True, kw_only=True):
    """An event of the log with everything that it rests on."""

    at: Instant
    complaint: str
    event: str
    clause: Clause
    data: dict[str, Any]
    version: int
    position: int
    recorded_at: Instant
    pack: str | None
    pack_version: int | None
    desk_version: int
    rule: str | None
    inputs: dict[str, Any]
    by: Sender
    command_id: str
    correlation_id: str | None
    causation_id: str | None
    hash: str
    previous_hash: str


class HistoryOut(Out, frozen=True, kw_only=True):
    """A page of a case's history. ``next``: where it goes on, null at its end."""

    id: str
    desk: str
    version: int
    events: list[RecordedOut]
    next: str | None


class ClocksOut(Out, frozen=True, kw_only=True):
    """The clocks of a case, explained at an instant."""

    id: str
    desk: str
    version: int
    at: Instant
    clocks: list[Explanation]


# --- what is owed in a case ---
class FactOut(Out, frozen=True, kw_only=True):
    """A fact that can be said. ``known``: somebody has said it."""

    fact: str
    type: str
    title: str | None
    en: str | None
    choices: tuple[str, ...]
    by: tuple[str, ...]
    personal: bool
    clause: Clause
    known: bool


class WhoOut(Out, frozen=True, kw_only=True):
    """Somebody who may record a step: the pack's name, the role behind it now, the person who was named."""

    name: str
    role: str | None
    person: str | None


class HeldOut(Out, frozen=True, kw_only=True):
    """A hold that forbids a step for now."""

    hold: str
    clause: Clause
    says: str | None
    en: str | None


class RecordOut(Out, frozen=True, kw_only=True):
    """What can be recorded of a step, and by which commands."""

    commands: list[str]
    outcomes: tuple[str, ...]
    to: tuple[str, ...]
    medium: tuple[str, ...]
    item: str | None
    form: str | None
    facts: list[FactOut]


class RowOut(Out, frozen=True, kw_only=True):
    """A step's row of the procedure. ``en``: our translation of ``says``."""

    step: str
    verb: Verb
    milestone: str | None
    duty: Duty
    by: str | list[str]
    clause: Clause
    says: str | None
    en: str | None
    guidance: tuple[str, ...]


class OpenStepOut(RowOut, frozen=True, kw_only=True):
    """A step that is open. ``word``: the text's own where it gives no date; ``stale``: the case has moved on."""

    who: list[list[WhoOut]]
    since: Instant | None
    round: int
    attempts: int
    signed: tuple[tuple[str, str], ...]
    due_at: Instant | None
    late: bool
    provisional: bool
    paused: bool
    word: str | None
    stale: bool
    held_by: list[HeldOut]
    record: RecordOut


class WaitingStepOut(RowOut, frozen=True, kw_only=True):
    """A step that will open: after these steps, at that instant."""

    waits_for: list[str]
    opens_at: Instant | None


class CommandsOut(Out, frozen=True, kw_only=True, rename="kebab"):
    """What can be sent beside records of steps."""

    record_facts: list[str]
    add_item: list[str]
    judge: list[str]
    link: list[str]


class StepsOut(Out, frozen=True, kw_only=True):
    """What is owed, what may be done, what waits; questions without an answer; tables that wait for facts."""

    id: str
    desk: str
    version: int
    at: Instant
    owed: list[OpenStepOut]
    may: list[OpenStepOut]
    waiting: list[WaitingStepOut]
    asked: list[FactOut]
    undecided: list[Undecided]
    commands: CommandsOut


# --- desks ---
class DeskSummary(Out, frozen=True, kw_only=True):
    """A desk in a list."""

    desk: str
    version: int
    title: str
    timezone: str
    locale: str
    pack: str | None
    pack_version: int | None


class DesksOut(Out, frozen=True, kw_only=True):
    """The desks that a key sees."""

    desks: list[DeskSummary]


class DutyRowOut(Out, frozen=True, kw_only=True):
    """A duty as the procedure states it."""

    owe: str
    clause: Clause
    says: str | None
    en: str | None
    every: str
    day: str
    time: str | None
    by: tuple[str, ...]
    to: tuple[str, ...]
    duty: Duty
    draws_sample: bool


class DutiesOut(Out, frozen=True, kw_only=True):
    """What a desk owes without a case, and the periods so far."""

    desk: str
    version: int
    duties: list[DutyRowOut]
    periods: list[OwedDuty]
