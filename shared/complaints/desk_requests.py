"""What may be asked of a desk, as it stands in JSON: shared by the HTTP API and the command line.

A change is the name of the desk's event and its data. For most events the data asked for is the event's own; where the
desk itself adds something (a key, a content hash, what stays as it was), ``REQUESTS`` has another form.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType, field

from complaints.desk_events import DESK_EVENT_TYPES, DeskOpened
from complaints.errors import Malformed
from complaints.events import ENVELOPE, Event
from complaints.wire_errors import field_and_rule


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body, or a part of one."""


class AdoptPack(Request, frozen=True, kw_only=True):
    """``desk.pack-adopted``: a pack that Redress ships, by its id, or the text of a pack file."""

    pack: str | None = None
    text: str | None = None
    source: str | None = None  # the procedure's own words, to look up the quotations in
    answers: dict[str, Any] | None = None  # instead of those in force; None: those stay


class PublishCalendar(Request, frozen=True, kw_only=True):
    """``desk.calendar-published``: a calendar in its wire shape."""

    calendar: dict[str, Any]


class JoinPerson(Request, frozen=True, kw_only=True):
    """``desk.person-joined``."""

    person: str
    name: str | None = None  # None: the id is the name
    roles: list[str] = field(default_factory=list)
    department: str | None = None
    email: str | None = None
    channels: dict[str, str] = field(default_factory=dict)
    on_call: int | None = None
    weight: float = 1.0
    language: str = "zh"


class ChangePerson(Request, frozen=True, kw_only=True):
    """``desk.person-changed``: what is not said stays."""

    person: str
    name: str | UnsetType = UNSET
    roles: list[str] | UnsetType = UNSET
    department: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    channels: dict[str, str] | UnsetType = UNSET
    on_call: int | UnsetType | None = UNSET
    weight: float | UnsetType = UNSET
    language: str | UnsetType = UNSET


class IssueKey(Request, frozen=True, kw_only=True):
    """``desk.key-issued``: the answer shows the key, once."""

    frontend: str
    roles: list[str] = field(default_factory=lambda: ["*"])
    scopes: list[str] = field(default_factory=lambda: ["read", "write"])


class AddWebhook(Request, frozen=True, kw_only=True):
    """``desk.webhook-added``: the answer shows the secret that messages are signed with."""

    name: str
    url: str
    events: list[str] = field(default_factory=list)


class OpenDesk(Request, frozen=True, kw_only=True):
    """Opens a desk with all that it needs to take complaints."""

    desk: str
    title: str
    timezone: str = "Asia/Shanghai"
    locale: str = "zh"
    pack: str | None = None
    text: str | None = None
    source: str | None = None
    answers: dict[str, Any] = field(default_factory=dict)
    calendar: dict[str, Any]
    departments: list[dict[str, Any]] = field(default_factory=list)  # data of desk.department-set
    people: list[JoinPerson] = field(default_factory=list)
    fallback: str | None = None  # the queue


class DeskChange(Request, frozen=True, kw_only=True):
    """One change of a desk."""

    event: str
    data: dict[str, Any] = field(default_factory=dict)


class Changed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a change answers. ``key`` and ``secret`` are shown here and never again."""

    desk: str
    version: int
    position: int
    duplicate: bool = False
    key: str | None = None
    secret: str | None = None


REQUESTS: Final[Mapping[str, type[msgspec.Struct]]] = {
    **{name: kind for name, kind in DESK_EVENT_TYPES.items() if kind is not DeskOpened},
    "desk.pack-adopted": AdoptPack,
    "desk.calendar-published": PublishCalendar,
    "desk.person-joined": JoinPerson,
    "desk.person-changed": ChangePerson,
    "desk.key-issued": IssueKey,
    "desk.webhook-added": AddWebhook,
}
"""The form of each change's data, by the event's name."""

Asked = Event | AdoptPack | PublishCalendar | JoinPerson | ChangePerson | IssueKey | AddWebhook


def read_change(change: DeskChange, at: datetime, place: str = "data") -> Asked:
    """What a change asks for: the event itself, or the request that becomes one. ``place``: where the data stand.

    Raises:
        Malformed: no such event, an unknown or missing field, a wrong type; names the field.
    """
    kind = REQUESTS.get(change.event)
    if kind is None:
        known = ", ".join(sorted(REQUESTS))
        raise Malformed("event", f"must be one of {known}", code="no-such-event")
    data = change.data
    if issubclass(kind, Event):
        fields = {item.encode_name for item in msgspec.structs.fields(kind)} - set(ENVELOPE)
        for name in data:
            if name not in fields:
                raise Malformed(f"{place}.{name}", "is not a field here")
        data = {**data, "at": at, "type": change.event}
    asked: Asked = convert(data, kind, at=place)
    return asked


def convert(data: Mapping[str, Any], kind: type[Any], *, at: str) -> Any:
    """A body as a struct. Raises Malformed with the field below ``at``, which may be empty."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        name, rule = field_and_rule(str(error))
        raise Malformed(".".join(part for part in (at, name) if part) or "body", rule) from None
