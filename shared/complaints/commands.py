"""Every command and the union ``CaseCommand``: what people and services ask for.

A command is an envelope (``id``, ``complaint``, ``at``, ``by``) and its data: all other fields. Its name is the
struct's tag, imperative with hyphens, as in the URL. The same ``id`` decides nothing twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

import msgspec

from complaints.errors import Malformed
from complaints.events import Facts, Origin

ENVELOPE = ("id", "complaint", "at", "by")


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, and in which role."""

    person: str
    role: str


SYSTEM = Sender(person="system", role="system")


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Something asked of a case. ``at`` is now; the pure core knows no other."""

    id: UUID
    complaint: str
    at: datetime
    by: Sender = SYSTEM


class Receive(Command, frozen=True, kw_only=True, tag="receive"):
    """Opens a case."""

    channel: str = "any"
    facts: Facts = {}
    complainant: str | None = None
    contact: dict[str, str] = {}
    case: str = "complaint"
    occurred_at: datetime | None = None
    again_of: Origin | None = None
    imported: bool = False


class RecordFacts(Command, frozen=True, kw_only=True, tag="record-facts"):
    """Says or corrects facts."""

    facts: Facts
    item: str | None = None


class StepData(Command, frozen=True, kw_only=True):
    """What may be said with a record of a step."""

    item: str | None = None
    outcome: str | None = None
    facts: Facts = {}
    to: str | None = None
    medium: str | None = None
    reason: str | None = None
    done_at: datetime | None = None
    already_happened: bool = False


class RecordStep(StepData, frozen=True, kw_only=True, tag="record-step"):
    """Records a step by its name."""

    step: str


class Acknowledge(StepData, frozen=True, kw_only=True, tag="acknowledge"):
    """Records the one open step with that milestone."""


class Assign(StepData, frozen=True, kw_only=True, tag="assign"):
    """Records the one open step with that milestone."""


class Resolve(StepData, frozen=True, kw_only=True, tag="resolve"):
    """Records the one open step with that milestone."""


class Revisit(StepData, frozen=True, kw_only=True, tag="revisit"):
    """Records the one open revisit 回访."""


class Escalate(StepData, frozen=True, kw_only=True, tag="escalate"):
    """Records the one open step with that milestone, or the hand-over that rises."""


class Close(StepData, frozen=True, kw_only=True, tag="close"):
    """Records the one open way to end the case."""


class Reopen(StepData, frozen=True, kw_only=True, tag="reopen"):
    """Records the one open way to take it up again."""


class WaiveStep(Command, frozen=True, kw_only=True, tag="waive-step"):
    """Says why a step that is no must is left out."""

    step: str
    item: str | None = None
    reason: str


class AddItem(Command, frozen=True, kw_only=True, tag="add-item"):
    """Adds a thing that has steps of its own."""

    item: str
    facts: Facts = {}


class Judge(Command, frozen=True, kw_only=True, tag="judge"):
    """A person decides a table."""

    decide: str
    to: str | int
    reason: str


class Regrade(Command, frozen=True, kw_only=True, tag="regrade"):
    """``judge`` of ``grade``."""

    grade: str | int
    reason: str


class Link(Command, frozen=True, kw_only=True, tag="link"):
    """Links the case to an older one."""

    other: str  # on the wire `complaint`, a name that the envelope has already
    relation: str


class RecordCount(Command, frozen=True, kw_only=True, tag="record-count"):
    """Evidence from other cases; sent by routing."""

    count: str
    value: int


class NameAssignee(Command, frozen=True, kw_only=True, tag="name-assignee"):
    """The person who acts in a role, or (without a person) the fallback queue; sent by routing."""

    role: str
    person: str | None = None
    department: str | None = None
    queue: str | None = None
    because: str


class OpenRound(Command, frozen=True, kw_only=True, tag="open-round"):
    """Opens the step of a desk round in this case; sent by sla_monitor."""

    step: str
    period: str
    due_at: datetime | None = None
    owe: str | None = None


class FireTimer(Command, frozen=True, kw_only=True, tag="fire-timer"):
    """Something is due; the decider looks at the real state. Sent by sla_monitor."""

    clock: str | None = None
    due_at: datetime | None = None


class RecordDelivery(Command, frozen=True, kw_only=True, tag="record-delivery"):
    """What became of a message; sent by notifier."""

    step: str
    channel: str
    delivered: bool
    to: str | None = None
    reason: str | None = None
    alert: str | None = None  # what the desk's own people were told about the step; None: the step's notice itself


class ApplyCalendar(Command, frozen=True, kw_only=True, tag="apply-calendar"):
    """Counts on in another version of the calendar; sent by sla_monitor."""

    version: str
    desk_version: int = 0


class ChangePack(Command, frozen=True, kw_only=True, tag="change-pack"):
    """Goes on under another version of the procedure."""

    pack: str
    pack_version: int
    desk_version: int = 0
    reason: str


class EraseSubject(Command, frozen=True, kw_only=True, tag="erase-subject"):
    """Asks for the erasure of a data subject; refused before the time that a record must be kept has passed."""

    subject: str
    reason: str


# --- the desk's duties: to the desk's own stream ---------------------------------------------------------------------
class OpenDuty(Command, frozen=True, kw_only=True, tag="open-duty"):
    """A period of a duty begins; sent by sla_monitor. ``opens_at``: when it began, however late that was noticed."""

    owe: str
    period: str
    opens_at: datetime | None = None
    due_at: datetime | None = None


class RecordDuty(Command, frozen=True, kw_only=True, tag="record-duty"):
    """The duty was done; without a period the oldest open one."""

    owe: str
    period: str | None = None
    done_at: datetime | None = None


class MissDuty(Command, frozen=True, kw_only=True, tag="miss-duty"):
    """The date of a duty has passed; sent by sla_monitor."""

    owe: str
    period: str
    due_at: datetime | None = None


class ProduceReport(Command, frozen=True, kw_only=True, tag="produce-report"):
    """The figures of a report; sent by ledger."""

    owe: str
    period: str
    covers: list[str] | None = None
    figures: Any = None


class DrawSample(Command, frozen=True, kw_only=True, tag="draw-sample"):
    """Draws a sample from a population by a seed. ``included`` is filled in from the desk's cases."""

    owe: str
    population: list[str]
    seed: int
    included: list[str] = []


Universal = Acknowledge | Assign | Resolve | Revisit | Escalate | Close | Reopen
CaseCommand = (
    Receive | RecordFacts | RecordStep | Universal | WaiveStep | AddItem | Judge | Regrade | Link | RecordCount
    | NameAssignee | OpenRound | FireTimer | RecordDelivery | ApplyCalendar | ChangePack | EraseSubject
)  # fmt: skip
DutyCommand = OpenDuty | RecordDuty | MissDuty | ProduceReport | DrawSample

COMMAND_TYPES: dict[str, type[Command]] = {
    str(cls.__struct_config__.tag): cls for cls in (*get_args(CaseCommand), *get_args(DutyCommand))
}

Audience = Literal["people", "services"]
SERVICE_COMMANDS = frozenset(
    ("record-count", "name-assignee", "open-round", "fire-timer", "record-delivery", "apply-calendar", "open-duty",
     "miss-duty", "produce-report")
)  # fmt: skip
"""Commands that only Redress's own services send; refused at the public door."""


def name_of(command: Command | type[Command]) -> str:
    """The command's name, as in the URL."""
    return str(command.__struct_config__.tag)


def from_wire(name: str, data: dict[str, Any], *, id: UUID, complaint: str, at: datetime, by: Sender) -> Command:
    """A command from its name and its data as they stand in JSON.

    Raises:
        Malformed: no such command, an unknown or missing field, a wrong type; names the field and the rule.
    """
    kind = COMMAND_TYPES.get(name)
    if kind is None:
        raise Malformed("command", f"no such command: {name}", code="no-such-command")
    if kind is Link:
        if "other" in data:
            raise Malformed("data.other", f"{name} has no field other")
        if "complaint" not in data:
            raise Malformed("data.complaint", "is missing")
        data = {**data, "other": data["complaint"]}
        del data["complaint"]
    for field in (*ENVELOPE, "type"):
        if field in data:
            raise Malformed(f"data.{field}", f"{name} has no field {field}")
    try:
        return msgspec.convert(
            {**data, "id": id, "complaint": complaint, "at": at, "by": {"person": by.person, "role": by.role}}, kind
        )
    except msgspec.ValidationError as error:
        why, _, path = str(error).partition(" - at `$")
        field = path.rstrip("`").lstrip(".")
        if not field and "`" in why:
            field = why.split("`")[1]
        raise Malformed(f"data.{field}" if field else "data", why) from None


def data_of(command: Command) -> dict[str, Any]:
    """The data of a command as it stands in JSON, without its envelope."""
    data: dict[str, Any] = msgspec.to_builtins(command)
    for field in (*ENVELOPE, "type"):
        data.pop(field, None)
    if isinstance(command, Link):
        data["complaint"] = data.pop("other")
    return data
