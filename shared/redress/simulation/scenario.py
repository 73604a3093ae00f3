"""What a scenario says: commands in JSON lines, every fault named by line, field and rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import uuid5

import msgspec
from msgspec import Meta, field

from complaints.business_time import as_utc
from complaints.commands import Command, DutyCommand, Sender, from_wire
from complaints.errors import Malformed
from complaints.identity import REDRESS_NS
from complaints.timeliness import CLAIMED, in_utc
from redress.simulation.desk_file import DeskFile
from redress.simulation.reading import ScenarioRefused, convert

DESK: Final = "desk"

RULE_OF_INSTANTS: Final = "must be an instant with its offset, as 2026-03-02T09:00:00+08:00"


class By(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who acts."""

    person: str
    role: str


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command, as over HTTP; ``complaint`` is a name that the scenario gives the case."""

    at: str
    complaint: Annotated[str, Meta(min_length=1, max_length=200)] = DESK
    command: str
    by: By
    data: dict[str, Any] = field(default_factory=dict)


class HeadLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario's first line, as it is written."""

    pack: str | None = None
    until: str | None = None
    desk: DeskFile | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What a scenario's first line may say instead of the command line's options."""

    pack: str | None = None
    until: datetime | None = None
    desk: DeskFile | None = None


@dataclass(frozen=True, slots=True)
class Numbered:
    """A command and the line on which it stands, counted from 1."""

    line: int
    command: Command


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario as it is written."""

    head: Head
    lines: Sequence[Numbered]

    @property
    def commands(self) -> list[Command]:
        """The commands, in the order in which they are written."""
        return [numbered.command for numbered in self.lines]


def read_scenario(text: bytes, *, file: str = "scenario") -> Scenario:
    """A scenario from JSON lines; blank lines are passed over. The first may be a head: ``pack``, ``until``, ``desk``.

    Raises:
        ScenarioRefused: of the first bad line; ``data["also"]`` says what is wrong with the others.
    """
    head, numbered, wrong = Head(), list[Numbered](), list[ScenarioRefused]()
    filled = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    for number, line in filled:
        try:
            if number == filled[0][0] and _is_head(line):
                head = _head(convert(line, HeadLine))
            else:
                numbered.append(Numbered(number, _command(convert(line, Line), number)))
        except Malformed as error:
            wrong.append(ScenarioRefused(file, number, error.field, error.rule))
    if wrong:
        wrong[0].data["also"] = [error.why for error in wrong[1:]]
        raise wrong[0]
    return Scenario(head, numbered)


def _is_head(line: bytes) -> bool:
    """Whether a line is no command; what cannot be read at all is taken for one, and refused as one."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return isinstance(value, dict) and "command" not in value and ("pack" in value or "until" in value)


def _head(line: HeadLine) -> Head:
    return Head(line.pack, None if line.until is None else instant(line.until, "until"), line.desk)


def instant(text: str, at: str) -> datetime:
    """An instant in UTC from ISO 8601 text; ``at`` names it. Raises Malformed."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed(at, RULE_OF_INSTANTS) from None
    if value.tzinfo is None:
        raise Malformed(at, RULE_OF_INSTANTS)
    try:
        return as_utc(value)
    except Malformed as error:
        raise Malformed(at, error.rule) from error


def _command(line: Line, number: int) -> Command:
    at = instant(line.at, "at")
    claimed = {name: value for name, value in line.data.items() if name in CLAIMED and isinstance(value, str)}
    data = line.data | {name: instant(value, f"data.{name}").isoformat() for name, value in claimed.items()}
    name = uuid5(REDRESS_NS, f"scenario:{number}")
    by = Sender(person=line.by.person, role=line.by.role)
    command = from_wire(line.command, data, id=name, complaint=line.complaint, at=at, by=by)
    if line.complaint == DESK and not isinstance(command, DutyCommand):
        raise Malformed("complaint", f"must name the case that {line.command} is for")
    return in_utc(command)
