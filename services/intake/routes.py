"""The routes of cases: request, command, handle, response; nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from complaints.codec import to_json
from complaints.commands import COMMAND_TYPES, SERVICE_COMMANDS
from intake.commands import DUTIES, RECEIVE, Asking, Commands, Parts, Sent, done
from intake.owing import steps
from intake.problems import Refused
from intake.queries import MOST_EVENTS, Queries, Viewer, standing
from intake.reading import body_of, check_type, json_of, struct_of
from intake.schemas import CommandBody

JSON = "application/json"
REPLAYED = "Idempotent-Replayed"
NO_MATCH = -1
"""A version that no stream has."""

CASE_COMMANDS = tuple(name for name in COMMAND_TYPES if name not in DUTIES | SERVICE_COMMANDS | {RECEIVE})
DESK_COMMANDS = tuple(sorted(DUTIES - SERVICE_COMMANDS))

Role = Annotated[str | None, Query(description="Look as this role sees it; the key must speak for it.")]
Person = Annotated[str, Query(description="Look as this person sees it.")]
ComplaintId = Annotated[str, Path(description="The complaint's id.", json_schema_extra={"format": "uuid"})]
Desk = Annotated[str, Path(description="The desk's name.")]


def asking(request: Request) -> Asking:
    """Who asks, as the door has found out."""
    found: Asking = request.scope["redress.asking"]
    return found


# --- what requests carry ---
async def command_body(request: Request, parts: Parts) -> CommandBody:
    """The body of a command."""
    headers = request.headers
    check_type(headers.get("content-type"), JSON)
    raw = await body_of(headers, request.stream(), parts.limits.body)
    body: CommandBody = struct_of(json_of(raw, parts.limits), CommandBody)
    return body


def idempotency_key(request: Request) -> str | None:
    """The name that the sender gave to the request."""
    key = request.headers.get("idempotency-key")
    if key is not None and not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise bad_header("Idempotency-Key", "must be 1 to 255 printable ASCII characters")
    return key


def if_match(request: Request) -> int | None:
    """The version that the sender believes to be the present one."""
    tag = request.headers.get("if-match")
    if tag is None or tag.strip() == "*":
        return None
    return version_of(tag)


def version_of(tag: str) -> int:
    """The version that an entity tag names; one that it cannot be where it is no tag of ours."""
    tag = tag.strip()
    if len(tag) < 2 or tag[0] != '"' or tag[-1] != '"':
        raise bad_header("If-Match", 'must be one entity tag as ETag gave it, "7"')
    number = tag[1:-1]
    return int(number) if number.isdecimal() and number.isascii() and len(number) < 10 else NO_MATCH


def bad_header(name: str, rule: str) -> Refused:
    """The refusal of a header."""
    return Refused(400, "bad-header", f"{name} {rule}", field=name, rule=rule)


# --- what answers carry ---
def etag(version: int) -> str:
    """The entity tag of a stream's version."""
    return f'"{version}"'


def unchanged(request: Request, version: int) -> bool:
    """Whether the reader has this version already."""
    tags = request.headers.get("if-none-match", "")
    return tags.strip() == "*" or etag(version) in (tag.strip().removeprefix("W/") for tag in tags.split(","))


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON of anything that may hold sealed or erased values."""
    return Response(to_json(value), status, headers, media_type=JSON)


def versioned(request: Request, version: int, value: Callable[[], Any]) -> Response:
    """What a reader gets: nothing where it has this version already."""
    headers = {"ETag": etag(version), "Cache-Control": "private, no-cache"}
    if unchanged(request, version):
        return Response(status_code=304, headers=headers)
    return json_response(value(), headers=headers)


def answer_command(sent: Sent, correlation_id: UUID, *, status: int = 200, location: str) -> Response:
    """What the sender of a command gets."""
    headers = {"Location": location, "ETag": etag(sent.handled.version)}
    if sent.handled.duplicate:
        headers[REPLAYED] = "true"
    return json_response(done(sent, correlation_id), status, headers)


# --- the routes ---
Endpoint = Callable[..., Awaitable[Response]]


def case_routes(parts: Parts, commands: Commands, queries: Queries) -> APIRouter:
    """Commands to cases, and reads of them."""
    router = APIRouter(tags=["complaints"])

    async def receive(request: Request, desk: Desk) -> Response:
        """Receives a complaint at a desk."""
        who = asking(request)
        key, body = idempotency_key(request), await command_body(request, parts)
        sent = await commands.receive(who, desk, body, key, if_version=if_match(request))
        return answer_command(sent, who.correlation_id, status=201, location=f"/v1/complaints/{sent.complaint}")

    def command(name: str) -> Endpoint:
        async def send(request: Request, complaint: ComplaintId) -> Response:
            who = asking(request)
            key, body = idempotency_key(request), await command_body(request, parts)
            sent = await commands.send(who, complaint, name, body, key, if_version=if_match(request))
            return answer_command(sent, who.correlation_id, location=f"/v1/complaints/{sent.complaint}")

        return send

    async def unknown(request: Request, complaint: ComplaintId, command: str) -> Response:
        body = await command_body(request, parts)
        raise_or = await commands.send(asking(request), complaint, command, body, None)
        return answer_command(raise_or, asking(request).correlation_id, location=f"/v1/complaints/{complaint}")

    async def show(request: Request, complaint: ComplaintId, role: Role = None, person: Person = "") -> Response:
        """One complaint as it stands, by replay of its events."""
        case = await queries.case(Viewer(who=asking(request).who, role=role, person=person), complaint)
        return versioned(request, case.version, lambda: standing(case))

    async def events(
        request: Request,
        complaint: ComplaintId,
        after: Annotated[int, Query(ge=0, description="The version after which to begin.")] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_EVENTS)] = 200,
        role: Role = None,
        person: Person = "",
    ) -> Response:
        """Its history: every event with clause, rule, inputs, position and hash."""
        viewer = Viewer(who=asking(request).who, role=role, person=person)
        found = await queries.history(viewer, complaint, after=after, limit=limit)
        return json_response(found, headers={"ETag": etag(found["version"])})

    async def clocks(
        request: Request,
        complaint: ComplaintId,
        ended: Annotated[bool, Query(description="Those that are over, too.")] = True,
        role: Role = None,
        person: Person = "",
    ) -> Response:
        """Its clocks, each with why it is due when it is."""
        case = await queries.case(Viewer(who=asking(request).who, role=role, person=person), complaint)
        return json_response(queries.clocks(case, ended=ended), headers={"ETag": etag(case.version)})

    async def owed(request: Request, complaint: ComplaintId, role: Role = None, person: Person = "") -> Response:
        """What is owed now, by whom, until when, and what can be recorded."""
        case = await queries.case(Viewer(who=asking(request).who, role=role, person=person), complaint)
        return json_response(steps(case, parts.now(), role), headers={"ETag": etag(case.version)})

    router.add_api_route("/v1/desks/{desk}/complaints", receive, methods=["POST"])
    for name in CASE_COMMANDS:
        router.add_api_route(f"/v1/complaints/{{complaint}}/{name}", command(name), methods=["POST"], name=name)
    router.add_api_route("/v1/complaints/{complaint}/{command}", unknown, methods=["POST"], include_in_schema=False)
    router.add_api_route("/v1/complaints/{complaint}", show, methods=["GET"])
    router.add_api_route("/v1/complaints/{complaint}/events", events, methods=["GET"])
    router.add_api_route("/v1/complaints/{complaint}/clocks", clocks, methods=["GET"])
    router.add_api_route("/v1/complaints/{complaint}/steps", owed, methods=["GET"])
    return router
