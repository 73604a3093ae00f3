"""A desk as it is under one version of its configuration: procedure, calendar, people, keys. Values and checks."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from complaints.business_time import BusinessCalendar
from complaints.calendar_spec import CalendarSpec
from complaints.desk_keys import ANY, ApiKey, Principal, key_hash, key_parts
from complaints.directory import Department, Directory
from complaints.errors import Rejected, Unknown
from complaints.identity import EVERY_DESK, OPERATOR
from complaints.personal import CUSTOMER
from complaints.procedure.loading import load
from complaints.procedure.model import Procedure
from complaints.sla import Warn

SYSTEM: Final = "system"
DATA_PROTECTION: Final = "data_protection"
"""The role that may ask for an erasure; no procedure needs to name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedPack:
    """A pack file by its content. ``source``: the procedure's own words, None where nobody gave them."""

    id: str
    version: int
    digest: str
    text: str = field(repr=False)
    source: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Who is told when something needs a person."""

    roles: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    channels: tuple[str, ...] = ("email",)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Wall time of the desk; an end that is not after the begin lies on the next day."""

    begins: time
    ends: time

    def covers(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether messages that can wait are held back at an instant."""
        wall = at.astimezone(zone).time()
        if self.begins < self.ends:
            return self.begins <= wall < self.ends
        return wall >= self.begins or wall < self.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Where a case waits that nobody can be named for."""

    queue: str
    person: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that is told what happens. ``events``: names, or beginnings that end in ``.*``; none: all."""

    name: str
    url: str
    events: tuple[str, ...] = ()
    generation: int = 1

    def wants(self, event: str) -> bool:
        """Whether an event of this stored name goes there."""
        return not self.events or any(
            event == name or (name.endswith(".*") and event.startswith(name[:-1])) for name in self.events
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeLimits:
    """How far from now the instants may lie that senders claim."""

    oldest: timedelta = timedelta(days=366)
    imported_oldest: timedelta = timedelta(days=50 * 366)
    skew: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskView:
    """A desk under one version of its configuration. ``calendars``: every version ever published, the last in force."""

    desk: str
    version: int
    title: str
    timezone: str
    locale: str = "zh"
    pack: AdoptedPack | None = None
    answers: Mapping[str, Any] = field(default_factory=dict)
    calendars: Mapping[str, CalendarSpec] = field(default_factory=dict)
    departments: Mapping[str, Department] = field(default_factory=dict)
    directory: Directory = field(default_factory=Directory)
    fallback: Fallback | None = None
    warnings: Mapping[str, tuple[Warn, ...]] = field(default_factory=dict)
    alerts: Alerts = field(default_factory=Alerts)
    quiet_hours: QuietHours | None = None
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    keys: Mapping[str, ApiKey] = field(default_factory=dict)
    limits: IntakeLimits = field(default_factory=IntakeLimits)
    compiled: Procedure | None = field(default=None, compare=False, repr=False)  # given by hand: tests, simulation
    memo: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def zone(self) -> ZoneInfo:
        """The desk's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def procedure(self) -> Procedure:
        """The pack compiled with the desk's answers. Raises Rejected(no-procedure) where none was adopted."""
        if self.compiled is not None:
            return self.compiled
        if self.pack is None:
            raise Rejected("no-procedure", None, f"desk {self.desk} has adopted no procedure")
        if "procedure" not in self.memo:
            self.memo["procedure"] = compiled(self.pack, self.answers)
        procedure: Procedure = self.memo["procedure"]
        return procedure

    @property
    def calendar_version(self) -> str:
        """The name of the calendar version in force. Raises Rejected(no-calendar)."""
        if not self.calendars:
            raise Rejected("no-calendar", None, f"desk {self.desk} has published no calendar")
        return list(self.calendars)[-1]

    @property
    def calendar(self) -> BusinessCalendar:
        """The calendar in force. Raises Rejected(no-calendar)."""
        if "calendar" not in self.memo:
            self.memo["calendar"] = compiled_calendar(self.calendars[self.calendar_version])
        calendar: BusinessCalendar = self.memo["calendar"]
        return calendar

    @property
    def open_directory(self) -> bool:
        """Whether the desk has named nobody, so that whoever sends a command holds the role it names."""
        return not self.directory.people

    def warnings_for(self, clock: str) -> tuple[Warn, ...]:
        """When the desk wants to be warned before this limit runs out."""
        return self.warnings.get(clock, self.warnings.get(ANY, ()))

    def may_act(self, person: str, role: str, at: datetime) -> None:
        """Checks that somebody may act in a role. Customers are no staff; the system acts in its own name.

        Raises: Rejected no-such-person, not-your-role.
        """
        if role == CUSTOMER or self.open_directory or person == role == SYSTEM:
            return
        known = self.directory.get(person)
        if known is None:
            raise Rejected("no-such-person", None, f"{person} does not work at desk {self.desk}", person=person)
        if not self.directory.holds(person, role, at):
            raise Rejected(
                "not-your-role",
                None,
                f"{person} does not hold the role {role}",
                person=person,
                roles=sorted(known.roles),
            )

    def authenticate(self, token: str) -> Principal:
        """Who speaks through a key of this desk. Raises Unknown(no-such-key)."""
        key = self.keys.get(parts[1]) if (parts := key_parts(token)) and parts[0] == self.desk else None
        if not hmac.compare_digest(key_hash(token), key.hash if key else key_hash("")) or key is None or key.revoked:
            raise Unknown("no-such-key", "no such key")
        desk = EVERY_DESK if self.desk == OPERATOR else self.desk
        return Principal(desk=desk, frontend=key.frontend, roles=key.roles, scopes=key.scopes, key=key.id)


def compiled(pack: AdoptedPack, answers: Mapping[str, Any]) -> Procedure:
    """The procedure that a pack states with these answers. Raises PackRefused."""
    return _compiled(pack, json.dumps(dict(answers), sort_keys=True, ensure_ascii=False))


@lru_cache(maxsize=256)
def _compiled(pack: AdoptedPack, answers: str) -> Procedure:
    return load(pack.text, file=pack.id, answers=json.loads(answers), source=pack.source)


def compiled_calendar(spec: CalendarSpec) -> BusinessCalendar:
    """The calendar that a version states. Raises Malformed."""
    return _compiled_calendar(msgspec.json.encode(spec))


@lru_cache(maxsize=256)
def _compiled_calendar(spec: bytes) -> BusinessCalendar:
    return BusinessCalendar.compile(msgspec.json.decode(spec, type=CalendarSpec))
