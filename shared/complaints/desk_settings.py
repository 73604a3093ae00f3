"""Changes of what a desk works by: procedure, answers, calendar, warnings, keys, webhooks. As `desk_people`, pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from complaints.calendar_spec import parse_calendar
from complaints.desk_checks import LANGUAGES, Ground
from complaints.desk_events import (
    AnswerWithdrawn,
    CalendarPublished,
    DeskDescribed,
    KeyIssued,
    KeyRevoked,
    LimitsSet,
    PackAdopted,
    ParameterSet,
    QuietHoursSet,
    ReadingChosen,
    WarningSet,
    WebhookAdded,
    WebhookRemoved,
)
from complaints.desk_keys import ANY, SCOPES, key_hash
from complaints.desk_requests import AddWebhook, AdoptPack, IssueKey, PublishCalendar
from complaints.desk_view import AdoptedPack, compiled, compiled_calendar
from complaints.errors import Malformed, PackRefused, Rejected
from complaints.identity import OPERATOR
from complaints.personal import CUSTOMER
from complaints.procedure.model import Procedure
from complaints.registry import REGISTRY

TIME: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
MOST_SKEW: Final = 3600  # seconds
MOST_DAYS: Final = 73_000  # two hundred years


def adopted(ground: Ground, asked: AdoptPack, pack: AdoptedPack) -> PackAdopted:
    """New cases run under another procedure."""
    before = ground.view.pack
    if before is not None and (before.id, before.version) == (pack.id, pack.version) and before.digest != pack.digest:
        raise Rejected(
            "pack-was-changed",
            None,
            f"{pack.id} version {pack.version} is in force with other content; a changed pack needs another version",
            digest=before.digest,
        )
    answers = ground.view.answers if asked.answers is None else asked.answers
    _all_answered(compiled(pack, answers))  # refused here, not when a case comes
    return PackAdopted(at=ground.at, pack=pack.id, pack_version=pack.version, digest=pack.digest, answers=asked.answers)


def answered(ground: Ground, asked: ParameterSet | ReadingChosen) -> ParameterSet | ReadingChosen:
    """The desk answers where its procedure leaves something open."""
    place = _place(ground, asked.place)
    reading = place.kind == "reading"
    if reading != isinstance(asked, ReadingChosen):
        right = "desk.reading-chosen" if reading else "desk.parameter-set"
        raise ground.malformed("place", f"{asked.place} is answered with {right}")
    _with_answers(ground, {**ground.view.answers, asked.place: asked.value}, "value")
    return asked


def withdrawn(ground: Ground, asked: AnswerWithdrawn) -> AnswerWithdrawn:
    """The desk says nothing any more where it had answered."""
    if asked.place not in ground.view.answers:
        raise Rejected("no-such-answer", None, f"the desk has not answered {asked.place}", place=asked.place)
    left = {place: value for place, value in ground.view.answers.items() if place != asked.place}
    _all_answered(_with_answers(ground, left, "place"))
    return asked


def _all_answered(procedure: Procedure) -> None:
    """A text may ask for a limit and leave it to the organisation to set it: then the desk must have."""
    if procedure.unanswered:
        first = procedure.places[procedure.unanswered[0]]
        why = f"the desk must answer {', '.join(procedure.unanswered)} before it opens"
        raise Rejected("not-stated", first.clause, why, places=list(procedure.unanswered))


def _place(ground: Ground, name: str) -> Any:
    place = ground.view.procedure.places.get(name)
    if place is None:
        raise Rejected(
            "no-such-place",
            None,
            f"{ground.view.procedure.id} leaves nothing open at {name}",
            place=name,
            places=sorted(ground.view.procedure.places),
        )
    return place


def _with_answers(ground: Ground, answers: Mapping[str, Any], field: str) -> Procedure:
    pack = ground.view.pack
    if pack is None:
        return ground.view.procedure
    try:
        return compiled(pack, answers)
    except PackRefused as refused:
        raise Malformed(
            ground.malformed(field, "").field, refused.reason, code="not-a-choice", clause=refused.clause
        ) from None


def published(ground: Ground, asked: PublishCalendar) -> CalendarPublished:
    """Another version of the calendar. One that names no version gets a number."""
    known = ground.view.calendars
    try:
        spec = parse_calendar(asked.calendar)
        version = spec.version or _next_version(spec.id, known)
        spec = msgspec.structs.replace(spec, version=version)
        compiled_calendar(spec)
    except Malformed as error:
        raise _calendar(ground, error.field, error.rule) from None
    if spec.timezone != ground.view.timezone:
        raise _calendar(ground, "timezone", f"must be the desk's, {ground.view.timezone}")
    if version in known:
        raise Rejected(
            "calendar-version-taken", None, f"calendar version {version} has been published", version=version
        )
    return CalendarPublished(at=ground.at, version=version, calendar=spec)


def _calendar(ground: Ground, field: str, rule: str) -> Malformed:
    within = field if ground.place == "calendar" else f"calendar.{field}"
    return ground.malformed(within, rule, "calendar-refused")


def _next_version(id: str, versions: Mapping[str, object]) -> str:
    number = 1
    while f"{id}.{number}" in versions:
        number += 1
    return f"{id}.{number}"


def described(ground: Ground, asked: DeskDescribed) -> DeskDescribed:
    """Another title, another language."""
    if asked.title is None and asked.locale is None:
        raise ground.malformed("title", "title or locale must be given")
    if asked.title is not None:
        ground.named("title", asked.title)
    if asked.locale is not None:
        ground.one_of("locale", asked.locale, LANGUAGES)
    return asked


def issued(ground: Ground, asked: IssueKey) -> KeyIssued:
    """A frontend gets a key."""
    ground.named("frontend", asked.frontend)
    if not asked.scopes:
        raise ground.malformed("scopes", "must not be empty")
    operator = ground.view.desk == OPERATOR
    for place, scope in enumerate(asked.scopes):
        ground.one_of(f"scopes[{place}]", scope, SCOPES if operator else [s for s in SCOPES if s != "operate"])
    if not operator:
        ground.roles("roles", asked.roles, ANY, CUSTOMER)
    return KeyIssued(
        at=ground.at,
        key=ground.world.key.id,
        hash=key_hash(ground.world.key.token),
        frontend=asked.frontend,
        roles=tuple(asked.roles),
        scopes=tuple(asked.scopes),
    )


def revoked(ground: Ground, asked: KeyRevoked) -> KeyRevoked:
    """A key opens nothing any more."""
    key = ground.view.keys.get(asked.key)
    if key is None or key.revoked:
        raise Rejected("no-such-key", None, f"desk {ground.view.desk} has no key {asked.key} in force", key=asked.key)
    return asked


def webhook_added(ground: Ground, asked: AddWebhook) -> WebhookAdded:
    """An address is told what happens; added again under its name, it gets another secret."""
    ground.named("name", asked.name)
    try:
        url = urlsplit(asked.url)
        sound = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0 and asked.url.isprintable()
    except ValueError:
        sound = False
    if not sound or " " in asked.url:
        raise ground.malformed("url", "must be an http or https address")
    known = [name for name, _ in REGISTRY.names()]
    for place, event in enumerate(asked.events):
        if not any(event == name or (event.endswith(".*") and name.startswith(event[:-1])) for name in known):
            raise ground.malformed(f"events[{place}]", "must be the name of an event, or its beginning and .*")
    before = ground.view.webhooks.get(asked.name)
    return WebhookAdded(
        at=ground.at,
        name=asked.name,
        url=asked.url,
        events=tuple(asked.events),
        generation=before.generation + 1 if before else 1,
    )


def webhook_removed(ground: Ground, asked: WebhookRemoved) -> WebhookRemoved:
    """Nothing is sent there any more."""
    if asked.name not in ground.view.webhooks:
        raise Rejected("no-such-webhook", None, f"desk {ground.view.desk} has no webhook {asked.name}", name=asked.name)
    return asked


def warning_set(ground: Ground, asked: WarningSet) -> WarningSet:
    """The desk wants to be warned before a limit runs out."""
    procedure = ground.view.procedure
    if asked.clock != ANY and asked.clock not in procedure.clocks:
        step = procedure.steps.get(asked.clock)
        if step is None or not step.within:
            raise Rejected("no-such-clock", None, f"{procedure.id} has no limit {asked.clock}", clock=asked.clock)
    for place, share in enumerate(asked.shares):
        if not 0 < share < 1:
            raise ground.malformed(f"shares[{place}]", "must be more than 0 and less than 1")
    for place, minutes in enumerate(asked.minutes_before):
        if not 0 < minutes <= MOST_DAYS * 24 * 60:
            raise ground.malformed(f"minutes_before[{place}]", "must be more than 0")
    return asked


def quiet_hours_set(ground: Ground, asked: QuietHoursSet) -> QuietHoursSet:
    """When messages that can wait are held back."""
    if (asked.begins is None) != (asked.ends is None):
        raise ground.malformed("ends", "begins and ends are given together, or neither")
    for name, value in (("begins", asked.begins), ("ends", asked.ends)):
        if value is not None and TIME.fullmatch(value) is None:
            raise ground.malformed(name, "must be a time of day, HH:MM")
    if asked.begins is not None and asked.begins == asked.ends:
        raise ground.malformed("ends", "must not be begins")
    return asked


def limits_set(ground: Ground, asked: LimitsSet) -> LimitsSet:
    """How far from now the instants may lie that senders claim."""
    for name, value, most in (
        ("oldest_days", asked.oldest_days, MOST_DAYS),
        ("imported_oldest_days", asked.imported_oldest_days, MOST_DAYS),
        ("skew_seconds", asked.skew_seconds, MOST_SKEW),
    ):
        if value is not None and not 0 <= value <= most:
            raise ground.malformed(name, f"must be from 0 to {most}")
    return asked
