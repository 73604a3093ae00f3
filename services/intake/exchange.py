"""What requests carry and what answers carry, beside their bodies: keys, versions, entity tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from complaints.adapters.problems import Refused
from complaints.codec import to_json
from complaints.identity import command_id
from intake.commands import Asked, Asking, Sent, done
from intake.reading import Limits, body_of, check_type, json_of, struct_of
from intake.schemas import CommandBody

ASKING: Final = "redress.asking"
JSON: Final = "application/json"
REPLAYED: Final = "Idempotent-Replayed"
LONGEST_KEY: Final = 255
NO_MATCH: Final = -1
"""A version that no stream has."""

ComplaintId = Annotated[str, Path(description="The complaint's id.")]
DeskName = Annotated[str, Path(description="The desk's name.")]
Role = Annotated[str | None, Query(description="Look as this role sees it; the key must speak for it.")]
Person = Annotated[str, Query(description="Look as this person sees it.")]


def asking(request: Request) -> Asking:
    """Who asks, as the door has found out."""
    found: Asking = request.scope[ASKING]
    return found


# --- requests ---
async def json_body(request: Request, limits: Limits) -> Any:
    """The body, JSON. Raises: Refused: 400, 413, 415; Malformed."""
    headers = request.headers
    check_type(headers.get("content-type"), JSON)
    return json_of(await body_of(headers, request.stream(), limits.body), limits)


async def asked(request: Request, name: str, limits: Limits) -> Asked:
    """The command that a request is. Raises: Refused: 400, 413, 415; Malformed."""
    key, version = idempotency_key(request), if_match(request)
    body: CommandBody = struct_of(await json_body(request, limits), CommandBody)
    return Asked(name=name, body=body, key=key, if_version=version)


def idempotency_key(request: Request) -> str | None:
    """The name that the sender gave to the request."""
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise bad_header("Idempotency-Key", f"must be 1 to {LONGEST_KEY} printable ASCII characters")
    return key


def id_of_change(request: Request, desk: str) -> UUID:
    """The id of a change of a desk: the same for the same key."""
    key = idempotency_key(request)
    return uuid4() if key is None else command_id(desk, asking(request).who.frontend, key)


def if_match(request: Request) -> int | None:
    """The version that the sender believes to be the present one; of a tag that is none of ours, no version at all."""
    given = request.headers.get("if-match")
    if given is None or (tag := given.strip()) == "*":
        return None
    if len(tag) < 2 or tag[0] != '"' or tag[-1] != '"' or '"' in tag[1:-1]:
        raise bad_header("If-Match", 'must be one entity tag, as ETag gave it: "7"')
    number = tag[1:-1]
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else NO_MATCH


def bad_header(name: str, rule: str) -> Refused:
    """The refusal of a header."""
    return Refused(400, "bad-header", f"{name} {rule}", field=name, rule=rule)


# --- answers ---
def etag(version: int) -> str:
    """The entity tag of a stream's version."""
    return f'"{version}"'


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON of anything that may hold sealed or erased values."""
    return Response(to_json(value), status, headers, media_type=JSON)


def versioned(request: Request, version: int, value: Callable[[], Any]) -> Response:
    """What a reader gets: nothing where it has this version already."""
    headers = {"ETag": etag(version), "Cache-Control": "private, no-cache"}
    given = request.headers.get("if-none-match", "")
    if given.strip() == "*" or etag(version) in (tag.strip().removeprefix("W/") for tag in given.split(",")):
        return Response(status_code=304, headers=headers)
    return json_response(value(), headers=headers)


def answer_command(sent: Sent, correlation_id: UUID, *, location: str) -> Response:
    """What the sender of a command gets."""
    headers = {"Location": location, "ETag": etag(sent.handled.version)}
    if sent.handled.duplicate:
        headers[REPLAYED] = "true"
    return json_response(done(sent, correlation_id), 201 if sent.received else 200, headers)
