"""Problem documents (RFC 9457): what is wrong with a question, in a stable ``code``."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.responses import Response

from complaints.codec import to_json
from complaints.errors import Malformed, RedressError, Rejected, Transient, Unknown
from complaints.events import Clause

TYPES: Final = "https://redress.example/problems/"
MEDIA_TYPE: Final = "application/problem+json"
TITLES: Final = {
    400: "This is no request that can be read",
    401: "A key is needed",
    403: "This is not for you",
    404: "There is no such thing",
    405: "This cannot be done here",
    409: "The state does not allow it",
    422: "What is said cannot be taken",
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

    def document(self, **request: Any) -> dict[str, Any]:
        """The document; ``request``: members that name the request."""
        said = {"field": self.field, "rule": self.rule, "clause": self.clause}
        return {
            **self.more,
            "type": TYPES + self.code,
            "title": TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **{name: value for name, value in said.items() if value is not None},
            **request,
        }


class Refused(Exception):
    """A question that is not answered."""

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
                status=422, code=error.code, detail=error.why, field=error.field, rule=error.rule, more=error.data
            )
        case Unknown():
            return Problem(status=404, code=error.code, detail=error.why, more=error.data)
        case Transient():
            return Problem(status=503, code=error.code, detail=error.why, more=error.data)
        case Rejected():
            return Problem(status=409, code=error.code, detail=error.why, clause=error.clause)
        case RedressError():
            return Problem(status=409, code=error.code, detail=error.why, more=error.data)
        case _:
            return Problem(status=500, code="internal", detail="this was noted; the correlation id finds it")


def answer(problem: Problem, *, instance: str, correlation_id: str) -> Response:
    """The response that tells of a problem."""
    headers = {"Cache-Control": "no-store"}
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="Redress"'
    if problem.status == 503:
        headers["Retry-After"] = "1"
    document = problem.document(instance=instance, correlation_id=correlation_id)
    return Response(to_json(document), problem.status, headers, media_type=MEDIA_TYPE)
