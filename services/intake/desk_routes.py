"""The routes of desks, their duties, and of the packs that Redress ships."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from complaints.codec import decode
from complaints.commands import Sender
from complaints.desk_keys import Principal
from complaints.desk_requests import Changed, DeskChange, OpenDesk, convert
from complaints.duties import replay_duties
from complaints.errors import Unknown
from complaints.events import DutyEvent
from complaints.identity import EVERY_DESK, OPERATOR, duties_stream
from complaints.procedure.library import packs
from intake.auth import allows, need_desk, need_scope
from intake.commands import DESK_COMMANDS, Commands, Parts
from intake.desk_views import all_packs, described, duties_of, one_pack, summary
from intake.exchange import (
    REPLAYED,
    DeskName,
    answer_command,
    asked,
    asking,
    etag,
    id_of_change,
    if_match,
    json_body,
    json_response,
    versioned,
)
from intake.routes import Endpoint
from intake.schemas import DesksOut

PackName = Annotated[str, Path(description="The pack's id.")]


class DeskRoutes:
    """Lists, opens, shows and changes desks; their duties."""

    def __init__(self, parts: Parts, commands: Commands) -> None:
        self._parts, self._commands = parts, commands

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        add = partial(router.add_api_route, tags=["desks"])
        add("/v1/desks", self.every, name="list-desks", methods=["GET"])
        add("/v1/desks", self.open, name="open-desk", methods=["POST"])
        add("/v1/desks/{desk}", self.show, name="get-desk", methods=["GET"])
        add("/v1/desks/{desk}/events", self.change, name="change-desk", methods=["POST"])
        add("/v1/desks/{desk}/duties", self.duties, name="get-duties", methods=["GET"])
        for name in DESK_COMMANDS:
            add(f"/v1/desks/{{desk}}/{name}", self.command(name), methods=["POST"], name=name)
        add("/v1/desks/{desk}/{command}", self.any_other, methods=["POST"], include_in_schema=False)

    async def every(self, request: Request) -> Response:
        """The desks that the key sees."""
        who = asking(request).who
        need_scope(who, "read")
        if who.desk == EVERY_DESK:
            views = await self._parts.desks.list()
        else:
            views = [await self._parts.desks.current(who.desk)]
        return json_response(DesksOut(desks=[summary(view) for view in views]))

    async def open(self, request: Request) -> Response:
        """Opens a desk with its procedure, calendar and people."""
        who = asking(request)
        need_scope(who.who, "operate")
        id_of_it = id_of_change(request, OPERATOR)
        wanted: OpenDesk = convert(await json_body(request, self._parts.limits), OpenDesk, at="")
        changed = await self._parts.desks.open(wanted, by=_by(who.who), command_id=id_of_it, context=who.context)
        return _changed(changed, status=201)

    async def show(self, request: Request, desk: DeskName) -> Response:
        """One desk as it is now; addresses of people, webhooks and the list of keys with the scope `desk`."""
        who = asking(request).who
        need_scope(who, "read")
        need_desk(who, desk)
        view = await self._parts.desks.current(desk)
        return versioned(request, view.version, lambda: described(view, inner=allows(who, "desk")))

    async def change(self, request: Request, desk: DeskName) -> Response:
        """Changes a desk: one event of it, with its data."""
        who = asking(request)
        need_scope(who.who, "desk")
        need_desk(who.who, desk)
        id_of_it, version = id_of_change(request, desk), if_match(request)
        wanted: DeskChange = convert(await json_body(request, self._parts.limits), DeskChange, at="")
        changed = await self._parts.desks.change(
            desk, wanted, by=_by(who.who), command_id=id_of_it, context=who.context, if_version=version
        )
        return _changed(changed, status=200)

    # --- duties ---
    async def duties(self, request: Request, desk: DeskName) -> Response:
        """What the desk owes without a case: the rows of its procedure, and their periods."""
        who = asking(request).who
        need_scope(who, "read")
        need_desk(who, desk)
        view = await self._parts.desks.current(desk)
        rows = await self._parts.store.read(duties_stream(desk))
        read = await self._parts.opener.unseal([decode(row) for row in rows])
        book = replay_duties(record.event for record in read if isinstance(record.event, DutyEvent))
        return json_response(duties_of(view, book), headers={"ETag": etag(book.version)})

    def command(self, name: str) -> Endpoint:
        """The endpoint of one command about a duty."""

        async def send(request: Request, desk: DeskName) -> Response:
            return await self._send(request, desk, name)

        return send

    async def any_other(self, request: Request, desk: DeskName, command: str) -> Response:
        """Refuses what is no command, or is one that only services send."""
        return await self._send(request, desk, command)

    async def _send(self, request: Request, desk: str, name: str) -> Response:
        who = asking(request)
        sent = await self._commands.send_to_desk(who, desk, await asked(request, name, self._parts.limits))
        return answer_command(sent, who.correlation_id, location=f"/v1/desks/{desk}/duties")


class PackRoutes:
    """The packs that Redress ships."""

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        add = partial(router.add_api_route, tags=["packs"])
        add("/v1/packs", self.every, name="list-packs", methods=["GET"])
        add("/v1/packs/{pack}", self.show, name="get-pack", methods=["GET"])

    async def every(self, request: Request) -> Response:
        """The packs that Redress ships."""
        need_scope(asking(request).who, "read")
        return json_response({"packs": await asyncio.to_thread(all_packs)})

    async def show(self, request: Request, pack: PackName) -> Response:
        """One pack: its text, what it speaks of, and what its procedure leaves open."""
        need_scope(asking(request).who, "read")
        found = packs().get(pack)
        if found is None:
            raise Unknown("no-such-pack", f"no pack is called {pack}", pack=pack)
        return json_response(await asyncio.to_thread(one_pack, found), headers={"ETag": f'"{found.digest}"'})


def _by(who: Principal) -> Sender:
    """A change of a desk is its frontend's."""
    return Sender(person=who.frontend, role=OPERATOR if who.desk == EVERY_DESK else "desk")


def _changed(changed: Changed, *, status: int) -> Response:
    headers = {
        "Location": f"/v1/desks/{changed.desk}",
        "ETag": etag(changed.version),
        "Cache-Control": "no-store",  # it may show a key
    }
    if changed.duplicate:
        headers[REPLAYED] = "true"
    return json_response(changed, status, headers)
