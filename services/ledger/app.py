"""Wiring: the routes, the door before them, and what every error answers."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.responses import Response

from complaints.adapters.problems import Problem, answer, of_parameters, unrouted
from complaints.adapters.telemetry import Health, health_routes
from ledger.case_routes import CaseRoutes
from ledger.console.pages import Console
from ledger.door import API, ASSETS, Door, asking
from ledger.form_routes import FormRoutes
from ledger.parts import Parts
from ledger.routes import DeskRoutes


def create_app(parts: Parts, health: Health) -> FastAPI:
    """The app of the ledger."""
    app = FastAPIOffline(
        title="Redress ledger",
        version="1",
        summary="The read side: register, case files as they were and as they were known, board, proof.",
        redirect_slashes=False,
        redoc_url=None,
        static_url=ASSETS,
        generate_unique_id_function=lambda route: route.name,
    )
    DeskRoutes(parts).add_to(app.router)
    FormRoutes(parts).add_to(app.router)
    CaseRoutes(parts).add_to(app.router)
    console = Console(parts)
    console.add_to(app.router)
    app.router.routes.extend(health_routes(health))
    app.add_middleware(Door, keys=parts.views, page=console.problem)

    def told(request: Request, problem: Problem) -> Response:
        if not request.url.path.startswith(API):
            return console.problem(request, problem)
        return answer(problem, instance=request.url.path, correlation_id=str(asking(request).correlation_id))

    async def no_route(request: Request, error: Exception) -> Response:
        return told(request, unrouted(request, error))

    async def invalid(request: Request, error: Exception) -> Response:
        return told(request, of_parameters(error))

    app.add_exception_handler(HTTPException, no_route)
    app.add_exception_handler(RequestValidationError, invalid)
    return app
