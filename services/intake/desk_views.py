"""Desks, their duties and packs, as JSON shows them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from complaints.desk_view import DeskView
from complaints.directory import Person
from complaints.duties import DutyBook
from complaints.errors import RedressError
from complaints.procedure.library import PackFile, packs
from complaints.procedure.model import Procedure
from intake.schemas import DeskSummary, DutiesOut, DutyRowOut


def summary(view: DeskView) -> DeskSummary:
    """A desk in a list."""
    return DeskSummary(
        desk=view.desk,
        version=view.version,
        title=view.title,
        timezone=view.timezone,
        locale=view.locale,
        pack=view.pack.id if view.pack else None,
        pack_version=view.pack.version if view.pack else None,
    )


def described(view: DeskView, *, inner: bool) -> dict[str, Any]:
    """A desk; ``inner``: with what only those who run it see."""
    quiet = view.quiet_hours
    shown: dict[str, Any] = {
        **asdict(summary(view)),
        "digest": view.pack.digest if view.pack else None,
        "answers": view.answers,
        "calendar": view.calendars[view.calendar_version] if view.calendars else None,
        "calendars": list(view.calendars),
        "departments": list(view.departments.values()),
        "people": [_person(one, inner=inner) for one in view.directory.people.values()],
        "fallback": view.fallback,
        "warnings": view.warnings,
        "alerts": view.alerts,
        "quiet_hours": quiet and {"begins": f"{quiet.begins:%H:%M}", "ends": f"{quiet.ends:%H:%M}"},
        "limits": {
            "oldest_days": view.limits.oldest.days,
            "imported_oldest_days": view.limits.imported_oldest.days,
            "skew_seconds": int(view.limits.skew.total_seconds()),
        },
    }
    if inner:
        shown["webhooks"] = list(view.webhooks.values())
        shown["keys"] = [
            {
                "key": key.id,
                "frontend": key.frontend,
                "roles": sorted(key.roles),
                "scopes": sorted(key.scopes),
                "revoked": key.revoked,
            }
            for key in view.keys.values()
        ]
    return shown


def _person(person: Person, *, inner: bool) -> dict[str, Any]:
    shown = {
        "person": person.person,
        "name": person.name,
        "roles": sorted(person.roles),
        "department": person.department,
        "on_call": person.on_call,
        "weight": person.weight,
        "language": person.language,
        "absences": person.absences,
    }
    return {**shown, "email": person.email, "channels": person.channels} if inner else shown


def duties_of(view: DeskView, book: DutyBook) -> DutiesOut:
    """What a desk owes: the rows of its procedure, and the periods so far."""
    rows = [
        DutyRowOut(
            owe=row.owe,
            clause=row.clause,
            says=row.says,
            en=row.en,
            every=row.every,
            day=row.day,
            time=row.time,
            by=row.by,
            to=row.to,
            duty=row.duty,
            draws_sample=row.has_sample,
        )
        for row in view.procedure.desk.values()
    ]
    periods = sorted(book.periods.values(), key=lambda owed: (owed.opened_at, owed.owe, owed.period))
    return DutiesOut(desk=view.desk, version=book.version, duties=rows, periods=periods)


# --- packs ---
def all_packs() -> list[dict[str, Any]]:
    """Every pack that Redress ships; loading them takes a moment."""
    return [_pack_summary(file, _loaded(file)) for file in packs().values()]


def one_pack(file: PackFile) -> dict[str, Any]:
    """A pack with its text and what it speaks of."""
    procedure = _loaded(file)
    said = {**_pack_summary(file, procedure), "text": file.text, "source": file.source}
    return said if isinstance(procedure, RedressError) else {**said, **_contents(procedure)}


def _loaded(file: PackFile) -> Procedure | RedressError:
    try:
        return file.load()
    except RedressError as error:  # a pack that cannot run is shown with the reason
        return error


def _pack_summary(file: PackFile, procedure: Procedure | RedressError) -> dict[str, Any]:
    said = {"pack": file.id, "version": file.version, "digest": file.digest}
    if isinstance(procedure, RedressError):
        return {**said, "refused": procedure.why}
    return {**said, "lang": procedure.lang, "title": procedure.title, "en": procedure.en}


def _contents(procedure: Procedure) -> dict[str, Any]:
    return {
        "channels": sorted({channel for row in procedure.intake for channel in row.channels}),
        "roles": [_of(role, "name", "title", "en", "tier", "clause") for role in procedure.roles.values()],
        "facts": [
            _of(fact, "name", "kind", "title", "en", "choices", "personal", "clause")
            for fact in procedure.facts.values()
        ],
        "steps": [
            {**_of(step, "name", "verb", "duty", "milestone", "clause", "says", "en"), "by": step.by_text}
            for step in procedure.steps.values()
        ],
        "places": [
            _of(place, "name", "kind", "value", "offers", "because", "clause") for place in procedure.places.values()
        ],
    }


def _of(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
