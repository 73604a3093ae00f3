"""What a desk file says, and the desk that it makes of a pack: by the same checks as over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import msgspec
from msgspec import field

from complaints.calendar_spec import DEFAULT_CALENDAR, parse_calendar
from complaints.desk_checks import Ground, Issued
from complaints.desk_checks import World as Outside
from complaints.desk_people import joined
from complaints.desk_requests import AdoptPack, DeskChange, JoinPerson
from complaints.desk_rules import changing
from complaints.desk_view import DeskView
from complaints.desks import evolve, simulated
from complaints.errors import Malformed
from complaints.procedure.library import PackFile
from redress.simulation.reading import ScenarioRefused, convert

EVER: Final = datetime.min.replace(tzinfo=UTC)
"""When a scenario's desk came to be as it is."""


class DeskFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A desk; every key is optional. ``settings``: further changes, as `POST /v1/desks/{desk}/events` takes them."""

    answers: dict[str, Any] = field(default_factory=dict)
    calendar: dict[str, Any] | None = None
    people: list[JoinPerson] = field(default_factory=list)
    settings: list[DeskChange] = field(default_factory=list)


def read_desk(text: bytes, *, file: str = "desk") -> DeskFile:
    """A desk file. Raises ScenarioRefused."""
    try:
        return convert(text, DeskFile)
    except Malformed as error:
        raise ScenarioRefused(file, None, error.field, error.rule) from error


def desk_of(pack: PackFile, desk: DeskFile) -> DeskView:
    """The desk that runs a pack with these answers, this calendar and these people.

    Raises:
        PackRefused: the pack, or an answer that it does not ask for.
        Malformed, Rejected: something else of the desk; names the field.
    """
    calendar = DEFAULT_CALENDAR if desk.calendar is None else _calendar(desk.calendar)
    view = simulated(pack.load(desk.answers), calendar)
    for n, person in enumerate(desk.people):
        ground = Ground(view=view, at=EVER, world=OUTSIDE, place=f"people[{n}]")
        view = evolve(view, view.version, joined(ground, person), {})
    for n, change in enumerate(desk.settings):
        try:
            _, view = changing(view, change, EVER, OUTSIDE)
        except Malformed as error:
            raise Malformed(f"settings[{n}].{error.field}", error.rule, code=error.code) from error
    return view


def _calendar(raw: Mapping[str, Any]) -> Any:
    try:
        return parse_calendar(raw)
    except Malformed as error:
        raise Malformed(f"calendar.{error.field}", error.rule, code=error.code) from error


def _no_pack(_asked: AdoptPack, _answers: Mapping[str, Any]) -> NoReturn:
    raise Malformed("data", "a scenario has one pack; it is named beside the desk")


OUTSIDE: Final = Outside(pack=_no_pack, key=Issued(id="simulation", token=""))
