"""Wiring: the routes, the door before them, and what every error answers."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.responses import Response

from complaints.adapters.problems import Problem, answer, of_parameters, unrouted
from complaints.adapters.telemetry import Health, health_routes
from intake.bulk_routes import BulkRoutes
from intake.commands import Commands, Parts
from intake.desk_routes import DeskRoutes, PackRoutes
from intake.door import ASSETS, Door
from intake.exchange import ASKING
from intake.openapi import describe
from intake.queries import Queries
from intake.routes import CaseRoutes


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
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


async def _unrouted(request: Request, error: Exception) -> Response:
    return _answer(request, unrouted(request, error))


async def _invalid(request: Request, error: Exception) -> Response:
    return _answer(request, of_parameters(error))


def _answer(request: Request, problem: Problem) -> Response:
    asking = request.scope.get(ASKING)
    correlation_id = str(asking.correlation_id) if asking is not None else ""
    return answer(problem, instance=request.url.path, correlation_id=correlation_id)
