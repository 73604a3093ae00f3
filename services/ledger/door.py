"""The door that every request goes through: who is it, and how does it end. Pure ASGI.

A key comes as ``Authorization: Bearer``, or in the console's cookie. Whatever is raised behind it becomes a problem
document here, or, for the console, a page that says the same.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final, Protocol
from uuid import UUID, uuid4, uuid5

from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from complaints.adapters.logs import context
from complaints.adapters.problems import Problem, Refused, answer, problem_of
from complaints.desk_keys import Principal
from complaints.errors import Malformed, Unknown
from complaints.identity import REDRESS_NS

logger = logging.getLogger(__name__)

OPEN: Final = frozenset(("/health/live", "/health/ready", "/metrics"))
API: Final = "/v1/"
ASSETS: Final = "/assets"
DOCUMENTED: Final = ("/docs", "/docs/oauth2-redirect", "/openapi.json")
"""The documentation of the API, which like the API is only for those with a key."""
COOKIE: Final = "redress_key"
ASKING: Final = "redress.asking"

REQUESTS = Counter("redress_ledger_requests", "Requests by route and status.", ("route", "method", "status"))
SECONDS = Histogram("redress_ledger_request_seconds", "From the first byte of a request to its last.", ("route",))


class Keys(Protocol):
    """Knows the keys of every desk."""

    async def authenticate(self, token: str) -> Principal:
        """Who speaks through a key. Raises Unknown(no-such-key)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks; nobody where a page needs none."""

    who: Principal | None
    correlation_id: UUID


ErrorPage = Callable[[Request, Problem], Response]


class Door:
    """ASGI middleware; puts an ``Asking`` into the scope. ``page`` makes a page of a problem."""

    def __init__(self, app: ASGIApp, *, keys: Keys, page: ErrorPage) -> None:
        self._app, self._keys, self._page = app, keys, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        request = Request(scope)
        correlation_id = _correlation(request.headers.get("x-correlation-id"))

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-correlation-id", str(correlation_id).encode())]
            await send(message)

        with context(correlation_id=str(correlation_id)):
            try:
                _check(request)
                scope[ASKING] = Asking(who=await self._who(request), correlation_id=correlation_id)
                await self._app(scope, receive, sending)
            except Exception as error:  # nothing may leave the door but a response
                problem = problem_of(error)
                if problem.status == 500:
                    logger.exception("request.failed", extra={"route": route_of(scope)})
                if status:  # too late to say so
                    raise
                await self.response(request, problem, correlation_id)(scope, receive, sending)
            finally:
                REQUESTS.labels(route_of(scope), scope["method"], status).inc()
                SECONDS.labels(route_of(scope)).observe(time.perf_counter() - began)

    def response(self, request: Request, problem: Problem, correlation_id: UUID) -> Response:
        """The response that tells of a problem: a document for programs, a page for people."""
        if request.url.path.startswith(API):
            return answer(problem, instance=request.url.path, correlation_id=str(correlation_id))
        return self._page(request, problem)

    async def _who(self, request: Request) -> Principal | None:
        """Who asks. Raises Refused: 401, of the API."""
        path = request.url.path
        of_api = path.startswith(API) or path in DOCUMENTED
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else _cookie(request)
        if not token:
            if of_api:
                raise Refused(401, "no-key", "send `Authorization: Bearer <key>`", field="Authorization")
            return None
        try:
            return await self._keys.authenticate(token)
        except Unknown:
            if of_api:
                why = "this key is not known, or was revoked"
                raise Refused(401, "no-such-key", why, field="Authorization") from None
            return None


def _cookie(request: Request) -> str:
    """The key in the console's cookie. It only ever reads, so no page of others can do anything with it."""
    try:
        morsel = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


def asking(request: Request) -> Asking:
    """Who asks, as the door has found out."""
    found: Asking = request.scope[ASKING]
    return found


def known(request: Request) -> Principal:
    """Who asks. Raises Refused: 401."""
    who = asking(request).who
    if who is None:
        raise Refused(401, "no-key", "sign in with a key")
    return who


def _check(request: Request) -> None:
    """No text of a question may hold what the database can hold in no text. Raises Malformed."""
    for name, value in request.query_params.multi_items():
        if "\0" in name or "\0" in value:
            raise Malformed(name.replace("\0", "\ufffd"), "must not hold the character U+0000", code="text-refused")


def _correlation(text: str | None) -> UUID:
    """The sender's own correlation id, or one made of its text, or a new one."""
    if text is None or len(text) > 255:
        return uuid4()
    try:
        return UUID(text)
    except ValueError:
        return uuid5(REDRESS_NS, f"correlation:{text}")


def route_of(scope: Scope) -> str:
    """The route's template, so that no id becomes a label."""
    return getattr(scope.get("route"), "path", "none")
