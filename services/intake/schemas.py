"""Request and response bodies. What a command's data may hold stands in `complaints.commands`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from complaints.commands import Sender
from complaints.events import Clause


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


class EventOut(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a command led to."""

    at: datetime
    complaint: str
    event: str
    clause: Clause
    rule: str | None
    inputs: dict[str, Any]
    data: Any
    version: int
    position: int


class Done(msgspec.Struct, frozen=True, kw_only=True):
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
    events: list[str] = msgspec.field(default_factory=list)


class LineRefused(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a bulk line did nothing."""

    line: int
    status: int
    id: str | None = None
    problem: dict[str, Any]
