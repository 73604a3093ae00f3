"""The routes of desks, their duties, and of the packs that Redress ships."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from complaints.codec import builtins, decode
from complaints.commands import Sender
from complaints.desk_keys import Principal
from complaints.desk_requests import Changed, DeskChange, OpenDesk, convert
from complaints.desk_view import DeskView
from complaints.duties import DutyBook, replay_duties
from complaints.errors import RedressError, Rejected, Unknown
from complaints.identity import EVERY_DESK, OPERATOR, command_id, duties_stream
from complaints.procedure.library import PackFile, packs
from complaints.procedure.model import Procedure
from intake.auth import allows, desk_of, need_desk, need_scope
from intake.commands import Commands, Parts
from intake.reading import body_of, check_type, json_of
from intake.routes import (
    DESK_COMMANDS,
    JSON,
    REPLAYED,
    Desk,
    Endpoint,
    answer_command,
    asking,
    command_body,
    etag,
    idempotency_key,
    if_match,
    json_response,
    versioned,
)

OPENING = "operator"


def desk_routes(parts: Parts, commands: Commands) -> APIRouter:
    """Lists, opens, shows and changes desks; their duties."""
    router = APIRouter(tags=["desks"])

    async def body(request: Request) -> Any:
        check_type(request.headers.get("content-type"), JSON)
        return json_of(await body_of(request.headers, request.stream(), parts.limits.body), parts.limits)

    async def every(request: Request) -> Response:
        """The desks that the key sees."""
        who = asking(request).who
        need_scope(who, "read")
        if who.desk == EVERY_DESK:
            views = [view for view in await parts.desks.list() if view.desk != OPERATOR]
        else:
            views = [await parts.desks.current(who.desk)]
        return json_response({"desks": [_summary(view) for view in views]})

    async def open_desk(request: Request) -> Response:
        """Opens a desk with procedure, calendar and people."""
        who = asking(request)
        need_scope(who.who, "operate")
        wanted: OpenDesk = convert(await body(request), OpenDesk, at="")
        id = command_id(OPERATOR, who.who.frontend, key) if (key := idempotency_key(request)) else uuid4()
        changed = await parts.desks.open(wanted, by=_by(who.who), command_id=id, context=who.context)
        return _changed(changed, status=201, location=f"/v1/desks/{changed.desk}")

    async def show(request: Request, desk: Desk) -> Response:
        """One desk as it is now. Addresses of people and the list of keys: with the scope `desk`."""
        who = asking(request).who
        need_scope(who, "read")
        need_desk(who, desk)
        view = await parts.desks.current(desk)
        return versioned(request, view.version, lambda: described(view, inner=allows(who, "desk")))

    async def change(request: Request, desk: Desk) -> Response:
        """Changes a desk: one event of it, with its data."""
        who = asking(request)
        need_scope(who.who, "desk")
        need_desk(who.who, desk)
        wanted: DeskChange = convert(await body(request), DeskChange, at="")
        id = command_id(desk, who.who.frontend, key) if (key := idempotency_key(request)) else uuid4()
        changed = await parts.desks.change(
            desk, wanted, by=_by(who.who), command_id=id, context=who.context, if_version=if_match(request)
        )
        return _changed(changed, status=200, location=f"/v1/desks/{desk}")

    async def duties(request: Request, desk: Desk) -> Response:
        """What the desk owes without a case: the rows of its procedure, and their periods."""
        who = asking(request).who
        need_scope(who, "read")
        need_desk(who, desk)
        view = await parts.desks.current(desk)
        rows = await parts.store.read(duties_stream(desk))
        read = await parts.opener.unseal([decode(row) for row in rows])
        book = replay_duties(record.event for record in read)  # type: ignore[misc]  # a duties stream holds duty events
        return versioned(request, book.version, lambda: _duties(view, book))

    def command(name: str) -> Endpoint:
        async def send(request: Request, desk: Desk) -> Response:
            who = asking(request)
            key, sent = idempotency_key(request), await command_body(request, parts)
            done = await commands.send_to_desk(who, desk, name, sent, key, if_version=if_match(request))
            return answer_command(done, who.correlation_id, location=f"/v1/desks/{desk}/duties")

        return send

    async def unknown(request: Request, desk: Desk, command: str) -> Response:
        sent = await command_body(request, parts)
        done = await commands.send_to_desk(asking(request), desk, command, sent, None)
        return answer_command(done, asking(request).correlation_id, location=f"/v1/desks/{desk}/duties")

    router.add_api_route("/v1/desks", every, methods=["GET"])
    router.add_api_route("/v1/desks", open_desk, methods=["POST"], status_code=201)
    router.add_api_route("/v1/desks/{desk}", show, methods=["GET"])
    router.add_api_route("/v1/desks/{desk}/events", change, methods=["POST"])
    router.add_api_route("/v1/desks/{desk}/duties", duties, methods=["GET"])
    for name in DESK_COMMANDS:
        router.add_api_route(f"/v1/desks/{{desk}}/{name}", command(name), methods=["POST"], name=name)
    router.add_api_route("/v1/desks/{desk}/{command}", unknown, methods=["POST"], include_in_schema=False)
    return router


def pack_routes() -> APIRouter:
    """The packs that Redress ships."""
    router = APIRouter(tags=["packs"])

    async def every(request: Request) -> Response:
        """The packs that Redress ships."""
        need_scope(asking(request).who, "read")
        return json_response({"packs": await asyncio.to_thread(_all_packs)})

    async def show(request: Request, pack: Annotated[str, Path(description="The pack's id.")]) -> Response:
        """One pack: its text, what it speaks of, and what its procedure leaves open."""
        need_scope(asking(request).who, "read")
        found = packs().get(pack)
        if found is None:
            raise Unknown("no-such-pack", f"no pack is called {pack}", pack=pack)
        return json_response(await asyncio.to_thread(_pack, found), headers={"ETag": f'"{found.digest}"'})

    router.add_api_route("/v1/packs", every, methods=["GET"])
    router.add_api_route("/v1/packs/{pack}", show, methods=["GET"])
    return router


def _by(who: Principal) -> Sender:
    """A change of a desk is its frontend's."""
    return Sender(person=who.frontend, role=OPENING if who.desk == EVERY_DESK else "desk")


def _changed(changed: Changed, *, status: int, location: str) -> Response:
    headers = {"Location": location, "ETag": etag(changed.version), "Cache-Control": "no-store"}
    if changed.duplicate:
        headers[REPLAYED] = "true"
    return json_response(changed, status, headers)


def _summary(view: DeskView) -> dict[str, Any]:
    return {
        "desk": view.desk,
        "version": view.version,
        "title": view.title,
        "timezone": view.timezone,
        "locale": view.locale,
        "pack": view.pack.id if view.pack else None,
        "pack_version": view.pack.version if view.pack else None,
    }


def described(view: DeskView, *, inner: bool) -> dict[str, Any]:
    """A desk as JSON; ``inner``: with what only those who run it see."""
    shown: dict[str, Any] = {
        **_summary(view),
        "pack": {"id": view.pack.id, "version": view.pack.version, "digest": view.pack.digest} if view.pack else None,
        "answers": view.answers,
        "calendar": view.calendars[view.calendar_version] if view.calendars else None,
        "calendars": list(view.calendars),
        "departments": [builtins(msgspec.to_builtins(one)) for one in view.departments.values()],
        "people": [_person(one, inner=inner) for one in view.directory.people.values()],
        "fallback": view.fallback,
        "warnings": view.warnings,
        "alerts": view.alerts,
        "quiet_hours": (
            {"begins": view.quiet_hours.begins.isoformat("minutes"), "ends": view.quiet_hours.ends.isoformat("minutes")}
            if view.quiet_hours
            else None
        ),
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


def _person(person: Any, *, inner: bool) -> dict[str, Any]:
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


def _duties(view: DeskView, book: DutyBook) -> dict[str, Any]:
    procedure: Procedure = view.procedure
    return {
        "desk": view.desk,
        "version": book.version,
        "duties": [
            {
                "owe": row.owe,
                "clause": row.clause,
                "says": row.says,
                "en": row.en,
                "every": row.every,
                "day": row.day,
                "time": row.time,
                "by": row.by,
                "to": row.to,
                "duty": row.duty,
                "draws_sample": row.has_sample,
            }
            for row in procedure.desk.values()
        ],
        "periods": sorted(book.periods.values(), key=lambda owed: (owed.opened_at, owed.owe, owed.period)),
    }


def _all_packs() -> list[dict[str, Any]]:
    return [_pack_summary(file, _loaded(file)) for file in packs().values()]


def _loaded(file: PackFile) -> Procedure | RedressError:
    try:
        return file.load()
    except RedressError as error:  # a pack that cannot run is shown with the reason
        return error


def _pack_summary(file: PackFile, procedure: Procedure | RedressError) -> dict[str, Any]:
    said = {"pack": file.id, "version": file.version, "digest": file.digest}
    if isinstance(procedure, RedressError):
        return {**said, "refused": procedure.why}
    return {**said, "title": procedure.title, "en": procedure.en}


def _pack(file: PackFile) -> dict[str, Any]:
    procedure = _loaded(file)
    said = {**_pack_summary(file, procedure), "text": file.text, "source": file.source}
    if isinstance(procedure, RedressError):
        return said
    return {
        **said,
        "channels": sorted({channel for row in procedure.intake for channel in row.channels}),
        "roles": [
            {"role": role.name, "title": role.title, "en": role.en, "tier": role.tier, "clause": role.clause}
            for role in procedure.roles.values()
        ],
        "facts": [
            {
                "fact": fact.name,
                "type": fact.kind,
                "title": fact.title,
                "en": fact.en,
                "choices": fact.choices,
                "personal": fact.personal,
                "clause": fact.clause,
            }
            for fact in procedure.facts.values()
        ],
        "steps": [
            {"step": step.id, "verb": step.verb, "by": step.by_text, "duty": step.duty, "clause": step.clause,
             "says": step.says, "en": step.en}
            for step in procedure.steps.values()
        ],
        "places": [
            {"place": place.name, "kind": place.kind, "value": place.value, "offers": place.offers,
             "because": place.because, "clause": place.clause}
            for place in procedure.places.values()
        ],
    }  # fmt: skip
