"""The door that every request goes through: who is it, what does it belong to, and how does it end.

Pure ASGI, since it stands before the hot path. Whatever is raised behind it becomes a problem document here; what is no
error of ours to name is a bug, is logged, and answered with 500 and nothing else.
"""

from __future__ import annotations

import logging
import re
import time
from typing import Final
from uuid import UUID, uuid4, uuid5

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from complaints.adapters import telemetry
from complaints.adapters.logs import context
from complaints.adapters.problems import answer, problem_of
from complaints.identity import REDRESS_NS
from intake.auth import Keys, principal_of
from intake.commands import Asking
from intake.exchange import ASKING

logger = logging.getLogger(__name__)

OPEN: Final = frozenset(("/health/live", "/health/ready", "/metrics"))
"""What answers without a key."""
ASSETS: Final = "/assets"
"""The scripts and styles of the documentation, which come from here and not from a server on the internet."""
PAGES: Final = frozenset(("/docs", "/docs/oauth2-redirect", "/openapi.json"))
"""What a browser asks for, which can send a key only as a password; so are the assets."""

REQUESTS = Counter("redress_intake_requests", "Requests by route and status.", ("route", "method", "status"))
SECONDS = Histogram("redress_intake_request_seconds", "From the first byte of a request to its last.", ("route",))

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Door:
    """ASGI middleware; puts an ``Asking`` into the scope."""

    def __init__(self, app: ASGIApp, *, keys: Keys) -> None:
        self._app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = {name: value for name, value in scope["headers"] if name in _WANTED}
        correlation_id = _correlation(headers.get(b"x-correlation-id"))
        parent = _parent(headers.get(b"traceparent"))
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-correlation-id", str(correlation_id).encode())]
            await send(message)

        with (
            context(correlation_id=str(correlation_id)),
            telemetry.span(f"{scope['method']} {scope['path'].split('/')[1]}", parents=[parent]),
        ):
            try:
                who = await principal_of(
                    headers.get(b"authorization", b"").decode("latin-1"), self._keys, basic=_for_browsers(scope["path"])
                )
                scope[ASKING] = Asking(
                    who=who, correlation_id=correlation_id, traceparent=telemetry.traceparent() or parent
                )
                await self._app(scope, receive, sending)
            except Exception as error:  # nothing may leave the door but a response
                problem = problem_of(error)
                if problem.status == 500:
                    logger.exception("request.failed", extra={"route": _route(scope)})
                if status:  # too late to say so
                    raise
                response = answer(problem, instance=scope["path"], correlation_id=str(correlation_id))
                if _for_browsers(scope["path"]) and problem.status == 401:
                    response.headers["WWW-Authenticate"] = 'Basic realm="Redress: any name, the key as password"'
                await response(scope, receive, sending)
            finally:
                route = _route(scope)
                REQUESTS.labels(route, scope["method"], status).inc()
                SECONDS.labels(route).observe(time.perf_counter() - began)


_WANTED: Final = frozenset((b"authorization", b"x-correlation-id", b"traceparent"))


def _for_browsers(path: str) -> bool:
    return path in PAGES or path.startswith(f"{ASSETS}/")


def _correlation(value: bytes | None) -> UUID:
    """The correlation id: the sender's own, or one made of its text, or a new one."""
    if value is None or len(value) > 255:
        return uuid4()
    text = value.decode("latin-1")
    try:
        return UUID(text)
    except ValueError:
        return uuid5(REDRESS_NS, f"correlation:{text}")


def _parent(value: bytes | None) -> str | None:
    text = value.decode("latin-1") if value is not None else ""
    return text if _TRACEPARENT.fullmatch(text) else None


def _route(scope: Scope) -> str:
    """The route's template, so that no id becomes a label."""
    return getattr(scope.get("route"), "path", "none")
