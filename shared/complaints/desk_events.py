"""Every event of a desk's configuration, and the union ``DeskEvent``: what was set, by whom, from when on.

A desk is a stream like a case: which procedure, calendar and people were in force at an instant is a replay, not a
guess. A person who leaves stays in the history; names and contacts of staff are personal fields, sealed under a key of
their own for each person.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, get_args

from msgspec import field

from complaints.calendar_spec import CalendarSpec
from complaints.events import Event


class DeskOpened(Event, frozen=True, kw_only=True, tag="desk.opened"):
    """An organisation's desk begins."""

    desk: str
    title: str
    timezone: str
    locale: str = "zh"


class DeskDescribed(Event, frozen=True, kw_only=True, tag="desk.described"):
    """The desk has another title or another language; what is not said stays."""

    title: str | None = None
    locale: str | None = None


class PackAdopted(Event, frozen=True, kw_only=True, tag="desk.pack-adopted"):
    """New cases run under this pack. Its file is kept under its content hash for ever."""

    pack: str
    pack_version: int
    digest: str  # SHA-256 of the pack file, hex
    answers: dict[str, Any] | None = None  # in force from now on, instead of those before; None: those stay


class ParameterSet(Event, frozen=True, kw_only=True, tag="desk.parameter-set"):
    """The desk fills a silence of its procedure; what follows cites ``desk:<place>``."""

    place: str
    value: Any


class ReadingChosen(Event, frozen=True, kw_only=True, tag="desk.reading-chosen"):
    """The desk reads its procedure in another of the ways that the pack offers."""

    place: str
    value: Any


class AnswerWithdrawn(Event, frozen=True, kw_only=True, tag="desk.answer-withdrawn"):
    """The desk says nothing at this place any more."""

    place: str


class CalendarPublished(Event, frozen=True, kw_only=True, tag="desk.calendar-published"):
    """A version of the desk's calendar; ``version`` is what cases and their clocks name."""

    version: str
    calendar: CalendarSpec


class DepartmentSet(Event, frozen=True, kw_only=True, tag="desk.department-set"):
    """A department, new or described anew. ``roles``: those of the procedure that it fills."""

    department: str
    title: str
    head: str | None = None  # a person
    roles: tuple[str, ...] = ()


class DepartmentRemoved(Event, frozen=True, kw_only=True, tag="desk.department-removed"):
    """There is no such department any more."""

    department: str


class PersonEvent(Event, frozen=True, kw_only=True):
    """What is known of a person, complete. ``weight``: the share of work, 1 is usual."""

    personal: ClassVar[tuple[str, ...]] = ("name", "email", "channels")

    person: str
    name: str
    roles: tuple[str, ...]
    department: str | None = None
    email: str | None = None
    channels: dict[str, str] = field(default_factory=dict)  # kind of channel: its address
    on_call: int | None = None  # place in the on-call path, 1 is asked first
    weight: float = 1.0
    language: str = "zh"


class PersonJoined(PersonEvent, frozen=True, kw_only=True, tag="desk.person-joined"):
    """Somebody works at the desk."""


class PersonChanged(PersonEvent, frozen=True, kw_only=True, tag="desk.person-changed"):
    """From now on this is known of somebody who works here."""


class PersonLeft(Event, frozen=True, kw_only=True, tag="desk.person-left"):
    """Somebody works here no longer."""

    person: str


class PersonAbsent(Event, frozen=True, kw_only=True, tag="desk.person-absent"):
    """Somebody is away from ``begins_at`` to before ``ends_at``; without an end until somebody says otherwise."""

    person: str
    begins_at: datetime
    ends_at: datetime | None = None
    deputy: str | None = None  # acts instead


class PersonReturned(Event, frozen=True, kw_only=True, tag="desk.person-returned"):
    """No absence of this person holds from now on, nor any that was announced."""

    person: str


class KeyIssued(Event, frozen=True, kw_only=True, tag="desk.key-issued"):
    """A frontend may speak for the desk. The key itself is shown once and stored nowhere, only its SHA-256."""

    key: str  # its public part
    hash: str  # hex
    frontend: str
    roles: tuple[str, ...]  # that it may name; "*": any
    scopes: tuple[str, ...]


class KeyRevoked(Event, frozen=True, kw_only=True, tag="desk.key-revoked"):
    """The key opens nothing any more."""

    key: str


class WarningSet(Event, frozen=True, kw_only=True, tag="desk.warning-set"):
    """The desk asks to be warned before a limit runs out. No entries: not any more."""

    clock: str  # "*": every clock without an entry of its own
    shares: tuple[float, ...] = ()  # of the limit that has passed, between 0 and 1
    minutes_before: tuple[int, ...] = ()


class AlertsSet(Event, frozen=True, kw_only=True, tag="desk.alerts-set"):
    """Who is told when something needs a person, and on which channel."""

    roles: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    channels: tuple[str, ...] = ("email",)


class QuietHoursSet(Event, frozen=True, kw_only=True, tag="desk.quiet-hours-set"):
    """Messages that can wait are not sent then. Wall time of the desk; no ``begins``: never quiet."""

    begins: str | None = None
    ends: str | None = None


class FallbackSet(Event, frozen=True, kw_only=True, tag="desk.fallback-set"):
    """Where a case waits that nobody can be named for."""

    queue: str
    person: str | None = None  # who looks after it


class WebhookAdded(Event, frozen=True, kw_only=True, tag="desk.webhook-added"):
    """What happens is sent to this address, signed. The secret is derived from the deployment's key, stored nowhere."""

    name: str
    url: str
    events: tuple[str, ...] = ()  # stored names, or their beginnings ending in ".*"; none: every one
    generation: int = 1  # of the secret


class WebhookRemoved(Event, frozen=True, kw_only=True, tag="desk.webhook-removed"):
    """Nothing is sent there any more."""

    name: str


class LimitsSet(Event, frozen=True, kw_only=True, tag="desk.limits-set"):
    """How far the instants that senders claim may lie from now; what is not said stays."""

    oldest_days: int | None = None
    imported_oldest_days: int | None = None
    skew_seconds: int | None = None


DeskEvent = (
    DeskOpened | DeskDescribed | PackAdopted | ParameterSet | ReadingChosen | AnswerWithdrawn | CalendarPublished
    | DepartmentSet | DepartmentRemoved | PersonJoined | PersonChanged | PersonLeft | PersonAbsent | PersonReturned
    | KeyIssued | KeyRevoked | WarningSet | AlertsSet | QuietHoursSet | FallbackSet | WebhookAdded | WebhookRemoved
    | LimitsSet
)  # fmt: skip

DESK_EVENT_TYPES: dict[str, type[Event]] = {str(cls.__struct_config__.tag): cls for cls in get_args(DeskEvent)}


def person_of(event: Event) -> str | None:
    """The person whose name and contacts an event of a desk holds; None for one that holds nobody's."""
    return event.person if isinstance(event, PersonEvent) else None
