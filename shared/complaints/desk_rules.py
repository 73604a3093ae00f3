"""What a desk lets be changed: turns a request into events, or refuses it and names the field. Pure.

Whatever an event of a desk names (a role, a person, a clock, a place of the pack) exists at that moment, so that no
reader of the desk's history has to ask what it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from complaints import desk_people, desk_settings
from complaints.desk_checks import LANGUAGES, Ground, World
from complaints.desk_events import (
    AlertsSet,
    AnswerWithdrawn,
    DepartmentRemoved,
    DepartmentSet,
    DeskDescribed,
    DeskEvent,
    DeskOpened,
    FallbackSet,
    KeyRevoked,
    LimitsSet,
    ParameterSet,
    PersonAbsent,
    PersonLeft,
    PersonReturned,
    QuietHoursSet,
    ReadingChosen,
    WarningSet,
    WebhookRemoved,
)
from complaints.desk_requests import (
    AddWebhook,
    AdoptPack,
    Asked,
    ChangePerson,
    DeskChange,
    IssueKey,
    JoinPerson,
    OpenDesk,
    PublishCalendar,
    read_change,
)
from complaints.desk_view import AdoptedPack, DeskView
from complaints.desks import evolve
from complaints.errors import Malformed, Rejected
from complaints.identity import OPERATOR, is_desk


def opening(request: OpenDesk, at: datetime, world: World) -> tuple[list[DeskEvent], DeskView]:
    """The events that open a desk, and the desk that they make.

    Raises: Malformed naming the field; Rejected; PackRefused where the pack or the answers are.
    """
    if not is_desk(request.desk) or request.desk == OPERATOR:
        raise Malformed("desk", "must be 2 to 40 of a-z, 0-9 and hyphen, not beginning with a hyphen, nor operator")
    opened = DeskOpened(at=at, desk=request.desk, title=request.title, timezone=request.timezone, locale=request.locale)
    view = evolve(None, 1, opened, {})
    ground = Ground(view=view, at=at, world=world, place="")
    ground.named("title", request.title)
    ground.zone("timezone", request.timezone)
    ground.one_of("locale", request.locale, LANGUAGES)
    events: list[DeskEvent] = [opened]
    for place, asked in _wanted(request, at):
        event, packs = _event(Ground(view=view, at=at, world=world, place=place), asked)
        view = evolve(view, view.version + 1, event, packs)
        events.append(event)
    return events, view


def _wanted(request: OpenDesk, at: datetime) -> list[tuple[str, Asked]]:
    departments: list[tuple[str, Asked]] = []
    for n, data in enumerate(request.departments):
        place = f"departments[{n}]"
        asked = read_change(DeskChange(event="desk.department-set", data=data), at, place)
        departments.append((place, asked))
    return [
        ("calendar", PublishCalendar(calendar=request.calendar)),
        ("", AdoptPack(pack=request.pack, text=request.text, source=request.source, answers=request.answers)),
        *departments,
        *((f"people[{n}]", person) for n, person in enumerate(request.people)),
        *([("fallback", FallbackSet(at=at, queue=request.fallback))] if request.fallback is not None else []),
    ]


def changing(view: DeskView, change: DeskChange, at: datetime, world: World) -> tuple[DeskEvent, DeskView]:
    """The event that a change makes, and the desk after it.

    Raises: Malformed naming the field; Rejected where the desk as it is does not allow it; PackRefused.
    """
    if view.desk == OPERATOR and change.event not in {"desk.key-issued", "desk.key-revoked"}:
        raise Rejected("not-for-operators", None, f"{change.event} is for desks that take complaints")
    event, packs = _event(Ground(view=view, at=at, world=world, place="data"), read_change(change, at))
    return event, evolve(view, view.version + 1, event, packs)


def _event(ground: Ground, asked: Asked) -> tuple[DeskEvent, Mapping[str, AdoptedPack]]:
    """The event, checked, and the pack that it names."""
    if isinstance(asked, AdoptPack):
        pack = ground.world.pack(asked, ground.view.answers if asked.answers is None else asked.answers)
        return desk_settings.adopted(ground, asked, pack), {pack.digest: pack}
    return _of_people(ground, asked) or _of_settings(ground, asked), {}


def _of_people(ground: Ground, asked: Asked) -> DeskEvent | None:  # noqa: PLR0911 - one arm a request
    match asked:
        case JoinPerson():
            return desk_people.joined(ground, asked)
        case ChangePerson():
            return desk_people.changed(ground, asked)
        case PersonLeft():
            return desk_people.left(ground, asked)
        case PersonAbsent():
            return desk_people.absent(ground, asked)
        case PersonReturned():
            return desk_people.returned(ground, asked)
        case DepartmentSet():
            return desk_people.department_set(ground, asked)
        case DepartmentRemoved():
            return desk_people.department_removed(ground, asked)
        case FallbackSet():
            return desk_people.fallback_set(ground, asked)
        case AlertsSet():
            return desk_people.alerts_set(ground, asked)
        case _:
            return None


def _of_settings(ground: Ground, asked: Asked) -> DeskEvent:  # noqa: C901, PLR0911 - one arm a request
    match asked:
        case PublishCalendar():
            return desk_settings.published(ground, asked)
        case DeskDescribed():
            return desk_settings.described(ground, asked)
        case ParameterSet() | ReadingChosen():
            return desk_settings.answered(ground, asked)
        case AnswerWithdrawn():
            return desk_settings.withdrawn(ground, asked)
        case IssueKey():
            return desk_settings.issued(ground, asked)
        case KeyRevoked():
            return desk_settings.revoked(ground, asked)
        case AddWebhook():
            return desk_settings.webhook_added(ground, asked)
        case WebhookRemoved():
            return desk_settings.webhook_removed(ground, asked)
        case WarningSet():
            return desk_settings.warning_set(ground, asked)
        case QuietHoursSet():
            return desk_settings.quiet_hours_set(ground, asked)
        case LimitsSet():
            return desk_settings.limits_set(ground, asked)
        case _:
            raise Malformed("event", f"{type(asked).__name__} cannot be asked for")
