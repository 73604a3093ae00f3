"""Wiring: the routes, the door before them, and what every error answers."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from complaints.adapters.telemetry import Health, health_routes
from intake.bulk_routes import BulkRoutes
from intake.commands import Commands, Parts
from intake.desk_routes import DeskRoutes, PackRoutes
from intake.door import ASSETS, Door
from intake.exchange import ASKING
from intake.openapi import describe
from intake.problems import Problem, answer
from intake.queries import Queries
from intake.routes import CaseRoutes

CODES = {404: "no-such-route", 405: "no-such-method", 406: "not-acceptable"}


def create_app(parts: Parts, health: Health) -> FastAPI:
    """The app of intake."""
    app = FastAPIOffline(
        title="Redress intake",
        version="1",
        summary="The only writer: receives complaints and takes commands about them.",
        redirect_slashes=False,
        redoc_url=None,
        static_url=ASSETS,
        generate_unique_id_function=lambda route: route.name,
    )
    commands = Commands(parts)
    CaseRoutes(parts, commands, Queries(parts, commands)).add_to(app.router)
    DeskRoutes(parts, commands).add_to(app.router)
    BulkRoutes(parts, commands).add_to(app.router)
    PackRoutes().add_to(app.router)
    app.router.routes.extend(health_routes(health))
    describe(app)
    app.add_middleware(Door, keys=parts.desks)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


async def _http_error(request: Request, error: Exception) -> Response:
    """What the router says: no such route, or not with this method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for this
    problem = Problem(status=error.status_code, code=CODES.get(error.status_code, "refused"), detail=str(error.detail))
    response = _answer(request, problem)
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return response


def _methods(request: Request) -> set[str]:
    """The methods that some route takes at this path."""
    return {
        method
        for route in request.app.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", ("GET", "HEAD"))  # of a mount: files
    }


async def _invalid(request: Request, error: Exception) -> Response:
    """A parameter of the path or the query that cannot be taken."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for this
    first: dict[str, Any] = error.errors()[0]
    field, rule = ".".join(str(part) for part in first["loc"][1:]), str(first["msg"])
    return _answer(request, Problem(status=422, code="malformed", detail=f"{field}: {rule}", field=field, rule=rule))


def _answer(request: Request, problem: Problem) -> Response:
    asking = request.scope.get(ASKING)
    correlation_id = str(asking.correlation_id) if asking is not None else ""
    return answer(problem, instance=request.url.path, correlation_id=correlation_id)
