"""Desks as streams: the fold of a desk's events into views of it, and where views come from. Pure.

Services that follow the topic use ``evolve`` as the adapter does; everybody else asks a ``DeskViews``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import time, timedelta
from typing import Any, Protocol, assert_never

from complaints.calendar_spec import CalendarSpec
from complaints.desk_events import (
    AlertsSet,
    AnswerWithdrawn,
    CalendarPublished,
    DepartmentRemoved,
    DepartmentSet,
    DeskDescribed,
    DeskEvent,
    DeskOpened,
    FallbackSet,
    KeyIssued,
    KeyRevoked,
    LimitsSet,
    PackAdopted,
    ParameterSet,
    PersonAbsent,
    PersonChanged,
    PersonJoined,
    PersonLeft,
    PersonReturned,
    QuietHoursSet,
    ReadingChosen,
    WarningSet,
    WebhookAdded,
    WebhookRemoved,
)
from complaints.desk_keys import ApiKey, Principal
from complaints.desk_view import AdoptedPack, Alerts, DeskView, Fallback, IntakeLimits, QuietHours, Webhook
from complaints.directory import Absence, Department, Directory
from complaints.errors import Unknown
from complaints.procedure.model import Procedure
from complaints.sla import Warn

__all__ = [
    "AdoptedPack",
    "Alerts",
    "ApiKey",
    "DeskView",
    "DeskViews",
    "Fallback",
    "FixedDesks",
    "IntakeLimits",
    "Packs",
    "Principal",
    "QuietHours",
    "Webhook",
    "evolve",
    "no_such_desk",
    "simulated",
]


class DeskViews(Protocol):
    """Where views of desks come from."""

    async def current(self, desk: str) -> DeskView:
        """The desk as it is now. Raises Unknown(no-such-desk)."""
        ...

    async def at(self, desk: str, version: int) -> DeskView:
        """The desk as it was under a version. Raises Unknown(no-such-desk)."""
        ...


class FixedDesks:
    """``DeskViews`` of views at hand, the last of each desk being the current one."""

    def __init__(self, views: Iterable[DeskView]) -> None:
        self._views: dict[str, dict[int, DeskView]] = {}
        for view in views:
            self.add(view)

    def add(self, view: DeskView) -> None:
        """Makes a further version of a desk the current one."""
        self._views.setdefault(view.desk, {})[view.version] = view

    async def current(self, desk: str) -> DeskView:
        """The desk as it is now."""
        return self._versions(desk)[max(self._versions(desk))]

    async def at(self, desk: str, version: int) -> DeskView:
        """The desk as it was under a version."""
        return self._versions(desk)[version]

    def _versions(self, desk: str) -> dict[int, DeskView]:
        if desk not in self._views:
            raise no_such_desk(desk)
        return self._views[desk]


def no_such_desk(desk: str) -> Unknown:
    """The error for a desk that nobody has opened."""
    return Unknown("no-such-desk", f"no desk is called {desk}", desk=desk)


Packs = Mapping[str, AdoptedPack]
"""Pack files by their digest."""

Setting = (
    DeskDescribed | PackAdopted | ParameterSet | ReadingChosen | AnswerWithdrawn | CalendarPublished | DepartmentSet
    | DepartmentRemoved | KeyIssued | KeyRevoked | WarningSet | AlertsSet | QuietHoursSet | FallbackSet | WebhookAdded
    | WebhookRemoved | LimitsSet
)  # fmt: skip


def evolve(view: DeskView | None, version: int, event: DeskEvent, packs: Packs) -> DeskView:
    """The desk after an event, which makes it ``version``. ``packs`` holds the file of every pack it ever adopted."""
    if isinstance(event, DeskOpened):
        return DeskView(
            desk=event.desk, version=version, title=event.title, timezone=event.timezone, locale=event.locale
        )
    if view is None:
        raise ValueError(f"{type(event).__name__} before the desk was opened")
    if isinstance(event, PersonJoined | PersonChanged | PersonLeft | PersonAbsent | PersonReturned):
        return replace(view, version=version, directory=_peopled(view.directory, event))
    return replace(view, version=version, **_changes(view, event, packs))


def _peopled(
    directory: Directory, event: PersonJoined | PersonChanged | PersonLeft | PersonAbsent | PersonReturned
) -> Directory:
    match event:
        case PersonJoined() | PersonChanged():
            return directory.described(event)
        case PersonLeft():
            return directory.without(event.person)
        case PersonAbsent():
            away = Absence(begins_at=event.begins_at, ends_at=event.ends_at, deputy=event.deputy)
            return directory.with_absences(event.person, *directory.people[event.person].absences, away)
        case PersonReturned():
            return directory.with_absences(event.person)
        case _:
            assert_never(event)


def _changes(view: DeskView, event: Setting, packs: Packs) -> dict[str, Any]:  # noqa: C901, PLR0911, PLR0912 - one arm an event
    match event:
        case DeskDescribed():
            return {"title": event.title or view.title, "locale": event.locale or view.locale}
        case PackAdopted():
            answers = view.answers if event.answers is None else event.answers
            return {"pack": packs[event.digest], "answers": answers, "compiled": None}
        case ParameterSet() | ReadingChosen():
            return {"answers": {**view.answers, event.place: event.value}, "compiled": None}
        case AnswerWithdrawn():
            return {"answers": _without(view.answers, event.place), "compiled": None}
        case CalendarPublished():
            return {"calendars": {**_without(view.calendars, event.version), event.version: event.calendar}}
        case DepartmentSet():
            department = Department(department=event.department, title=event.title, head=event.head, roles=event.roles)
            return {"departments": {**view.departments, event.department: department}}
        case DepartmentRemoved():
            return {"departments": _without(view.departments, event.department)}
        case KeyIssued():
            return {"keys": {**view.keys, event.key: _key(event)}}
        case KeyRevoked():
            return {"keys": {**view.keys, event.key: replace(view.keys[event.key], revoked=True)}}
        case WarningSet():
            return {"warnings": _warned(view.warnings, event)}
        case AlertsSet():
            return {"alerts": Alerts(roles=event.roles, people=event.people, channels=event.channels)}
        case QuietHoursSet():
            return {"quiet_hours": _quiet(event)}
        case FallbackSet():
            return {"fallback": Fallback(queue=event.queue, person=event.person)}
        case WebhookAdded():
            hook = Webhook(name=event.name, url=event.url, events=event.events, generation=event.generation)
            return {"webhooks": {**view.webhooks, event.name: hook}}
        case WebhookRemoved():
            return {"webhooks": _without(view.webhooks, event.name)}
        case LimitsSet():
            return {"limits": _limited(view.limits, event)}
        case _:
            assert_never(event)


def _key(event: KeyIssued) -> ApiKey:
    return ApiKey(
        id=event.key,
        hash=event.hash,
        frontend=event.frontend,
        roles=frozenset(event.roles),
        scopes=frozenset(event.scopes),
    )


def _quiet(event: QuietHoursSet) -> QuietHours | None:
    if event.begins is None or event.ends is None:
        return None
    return QuietHours(time.fromisoformat(event.begins), time.fromisoformat(event.ends))


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def _warned(warnings: Mapping[str, tuple[Warn, ...]], event: WarningSet) -> dict[str, tuple[Warn, ...]]:
    rules = (
        *(Warn(share=share) for share in event.shares),
        *(Warn(before=timedelta(minutes=minutes)) for minutes in event.minutes_before),
    )
    return {**_without(warnings, event.clock), **({event.clock: rules} if rules else {})}


def _limited(limits: IntakeLimits, event: LimitsSet) -> IntakeLimits:
    return IntakeLimits(
        oldest=limits.oldest if event.oldest_days is None else timedelta(days=event.oldest_days),
        imported_oldest=(
            limits.imported_oldest if event.imported_oldest_days is None else timedelta(days=event.imported_oldest_days)
        ),
        skew=limits.skew if event.skew_seconds is None else timedelta(seconds=event.skew_seconds),
    )


def simulated(
    procedure: Procedure, calendar: CalendarSpec, events: Collection[DeskEvent] = (), *, desk: str = "simulation"
) -> DeskView:
    """A desk for a procedure at hand: what `redress simulate` and tests run under."""
    name = calendar.version or calendar.id
    view = DeskView(
        desk=desk,
        version=1,
        title=procedure.title,
        timezone=calendar.timezone,
        pack=AdoptedPack(id=procedure.id, version=procedure.version, digest=procedure.digest, text=""),
        calendars={name: calendar},
        compiled=procedure,
    )
    for event in events:
        view = evolve(view, view.version, event, {})
    return view
