"""The routes of cases: request, command, handle, response; nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from intake.commands import CASE_COMMANDS, RECEIVE, Commands, Parts
from intake.exchange import (
    ComplaintId,
    DeskName,
    Person,
    Role,
    answer_command,
    asked,
    asking,
    etag,
    json_response,
    versioned,
)
from intake.owing import steps
from intake.queries import MOST_EVENTS, Page, Queries, Viewer, standing

Endpoint = Callable[..., Awaitable[Response]]

Ended = Annotated[bool, Query(description="Those that are over, too.")]
After = Annotated[int, Query(ge=0, le=2**31 - 1, description="The version after which to begin.")]
Limit = Annotated[int, Query(ge=1, le=MOST_EVENTS, description="The most events to answer with.")]


class CaseRoutes:
    """Commands to cases, and reads of them."""

    def __init__(self, parts: Parts, commands: Commands, queries: Queries) -> None:
        self._parts, self._commands, self._queries = parts, commands, queries

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes; those of commands before the one that knows no command by that name."""
        add = partial(router.add_api_route, tags=["complaints"])
        add("/v1/desks/{desk}/complaints", self.receive, name="receive", methods=["POST"])
        for name in CASE_COMMANDS:
            path = f"/v1/complaints/{{complaint}}/{name}"
            add(path, self.command(name), methods=["POST"], name=name)
        add("/v1/complaints/{complaint}/{command}", self.any_other, methods=["POST"], include_in_schema=False)
        add("/v1/complaints/{complaint}", self.show, name="get-complaint", methods=["GET"])
        add("/v1/complaints/{complaint}/events", self.events, name="get-events", methods=["GET"])
        add("/v1/complaints/{complaint}/clocks", self.clocks, name="get-clocks", methods=["GET"])
        add("/v1/complaints/{complaint}/steps", self.steps, name="get-steps", methods=["GET"])

    # --- commands ---
    async def receive(self, request: Request, desk: DeskName) -> Response:
        """Receives a complaint at a desk."""
        who = asking(request)
        sent = await self._commands.receive(who, desk, await asked(request, RECEIVE, self._parts.limits))
        return answer_command(sent, who.correlation_id, location=f"/v1/complaints/{sent.complaint}")

    def command(self, name: str) -> Endpoint:
        """The endpoint of one command."""

        async def send(request: Request, complaint: ComplaintId) -> Response:
            return await self._send(request, complaint, name)

        return send

    async def any_other(self, request: Request, complaint: ComplaintId, command: str) -> Response:
        """Refuses what is no command, or is one that only services send."""
        return await self._send(request, complaint, command)

    async def _send(self, request: Request, complaint: str, name: str) -> Response:
        who = asking(request)
        sent = await self._commands.send(who, complaint, await asked(request, name, self._parts.limits))
        return answer_command(sent, who.correlation_id, location=f"/v1/complaints/{sent.complaint}")

    # --- reads ---
    async def show(self, request: Request, complaint: ComplaintId, role: Role = None, person: Person = "") -> Response:
        """One complaint as it stands, by replay of its events."""
        case = await self._queries.case(_viewer(request, role, person), complaint)
        return versioned(request, case.version, lambda: standing(case))

    async def events(  # noqa: PLR0917 - they come by name, from the query
        self,
        request: Request,
        complaint: ComplaintId,
        after: After = 0,
        limit: Limit = 200,
        role: Role = None,
        person: Person = "",
    ) -> Response:
        """Its history: every event with its clause, rule, inputs, position and hash, by pages."""
        found = await self._queries.history(_viewer(request, role, person), complaint, Page(after, limit))
        return json_response(found, headers={"ETag": etag(found.version)})

    async def clocks(
        self, request: Request, complaint: ComplaintId, ended: Ended = True, role: Role = None, person: Person = ""
    ) -> Response:
        """Its clocks, each with why it is due when it is."""
        case = await self._queries.case(_viewer(request, role, person), complaint)
        return json_response(self._queries.clocks(case, ended=ended), headers={"ETag": etag(case.version)})

    async def steps(self, request: Request, complaint: ComplaintId, role: Role = None, person: Person = "") -> Response:
        """What is owed now, by whom, until when, and what can be recorded; with `role`, by that role."""
        case = await self._queries.case(_viewer(request, role, person), complaint)
        return json_response(steps(case, self._parts.now(), role), headers={"ETag": etag(case.version)})


def _viewer(request: Request, role: str | None, person: str) -> Viewer:
    return Viewer(who=asking(request).who, role=role, person=person)
