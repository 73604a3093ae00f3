"""Problem documents (RFC 9457): what is wrong, in a stable ``code``, with the field, the rule and the clause.

Only here an error becomes an HTTP status. A rule of the procedure that says no is 409 where the state of the case does
not allow it, 422 where what was said does not, 403 where it is not for whoever asked; with the rule's clause.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from complaints.codec import to_json
from complaints.errors import (
    CommandReused,
    Malformed,
    PackRefused,
    RedressError,
    Rejected,
    Transient,
    Unknown,
)
from complaints.events import Clause

TYPES: Final = "https://redress.example/problems/"
MEDIA_TYPE: Final = "application/problem+json"

CODES: Final = {404: "no-such-route", 405: "no-such-method", 406: "not-acceptable"}
"""What the router itself refuses."""
FORBIDDEN: Final = frozenset(("not-allowed", "not-your-step", "not-your-fact", "not-your-role"))
PRECONDITION: Final = "version-conflict"
CONTENT: Final = frozenset((
    "facts-missing", "in-the-future", "medium-needed", "not-a-choice", "not-a-time", "not-for-operators", "to-whom",
    "too-old",
))  # fmt: skip
"""What was said is refused, whatever the state, as is a name of what there is not; every other refusal is one of the
state.
"""

TITLES: Final = {
    400: "This is no request that can be read",
    401: "A key is needed",
    403: "This is not for you",
    404: "There is no such thing",
    405: "This cannot be done here",
    409: "The state does not allow it",
    412: "It has changed in the meantime",
    413: "This is too much at once",
    415: "This kind of content is not taken",
    422: "What is said cannot be taken",
    429: "Too many at once",
    500: "Something is broken here",
    503: "Not now",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document but for what the request adds. ``more`` stands beside the other members."""

    status: int
    code: str
    detail: str
    field: str | None = None
    rule: str | None = None
    clause: Clause = None
    more: dict[str, Any] = {}
    retry_after: int | None = None  # seconds
    allow: tuple[str, ...] = ()  # the methods that there are

    def document(self, **request: Any) -> dict[str, Any]:
        """The document; ``request``: members that name the request."""
        said = {"field": self.field, "rule": self.rule, "clause": self.clause}
        return {
            **{name: value for name, value in self.more.items() if name not in _RESERVED},
            "type": TYPES + self.code,
            "title": TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **{name: value for name, value in said.items() if value is not None},
            **{name: value for name, value in request.items() if value is not None},
        }


_RESERVED: Final = frozenset(("type", "title", "status", "detail", "code", "instance", "correlation_id"))


class Refused(Exception):
    """The request itself is refused before it reaches the core."""

    def __init__(self, status: int, code: str, why: str, *, field: str | None = None, **more: Any) -> None:
        super().__init__(why)
        self.problem = Problem(status=status, code=code, detail=why, field=field, more=more)


def problem_of(error: Exception) -> Problem:  # noqa: PLR0911 - one arm an error
    """The problem that an error is."""
    match error:
        case Refused():
            return error.problem
        case Malformed():
            return Problem(
                status=404 if error.code == "no-such-command" else 422,
                code=error.code,
                detail=error.why,
                field=error.field,
                rule=error.rule,
                more=error.data,
            )
        case Rejected():
            return _of_rejected(error)
        case Unknown():
            return Problem(status=404, code=error.code, detail=error.why, more=error.data)
        case CommandReused():
            return Problem(status=422, code=error.code, detail=error.why, field="Idempotency-Key", more=error.data)
        case PackRefused():
            return Problem(
                status=422, code=error.code, detail=error.why, rule=error.reason, clause=error.clause, more=error.data
            )
        case Transient():
            return Problem(status=503, code=error.code, detail=error.why, more=error.data, retry_after=1)
        case RedressError():
            return Problem(status=409, code=error.code, detail=error.why, more=error.data)
        case _:
            return Problem(status=500, code="internal", detail="this was noted; the correlation id finds it")


def unrouted(request: Request, error: Exception) -> Problem:
    """What the router says: no such route, or not with this method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for this
    code, detail = CODES.get(error.status_code, "refused"), str(error.detail)
    return Problem(
        status=error.status_code, code=code, detail=detail, allow=_methods(request) if error.status_code == 405 else ()
    )


def _methods(request: Request) -> tuple[str, ...]:
    """The methods that some route takes at this path."""
    found = {
        method
        for route in request.app.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", ("GET", "HEAD"))  # of a mount: files
    }
    return tuple(sorted(found))


def of_parameters(error: Exception) -> Problem:
    """A parameter of the path or the query that cannot be taken."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for this
    first: dict[str, Any] = error.errors()[0]
    field, rule = ".".join(str(part) for part in first["loc"][1:]), str(first["msg"])
    return Problem(status=422, code="malformed", detail=f"{field}: {rule}", field=field, rule=rule)


def _of_rejected(error: Rejected) -> Problem:
    if error.code == PRECONDITION:
        status = 412
    elif error.code in FORBIDDEN:
        status = 403
    else:
        status = 422 if error.code in CONTENT or error.code.startswith("no-such-") else 409
    more = dict(error.data)
    field = more.pop("field", None)
    return Problem(status=status, code=error.code, detail=error.why, field=field, clause=error.clause, more=more)


def answer(problem: Problem, *, instance: str, correlation_id: str) -> Response:
    """The response that tells of a problem."""
    headers = {"Cache-Control": "no-store"}
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="Redress"'
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.allow:
        headers["Allow"] = ", ".join(problem.allow)
    document = problem.document(instance=instance, correlation_id=correlation_id)
    return Response(to_json(document), problem.status, headers, media_type=MEDIA_TYPE)
