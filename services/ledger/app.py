"""Wiring: the routes, the door before them, and what every error answers."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.responses import Response

from complaints.adapters.telemetry import Health, health_routes
from ledger.case_routes import CaseRoutes
from ledger.console.pages import Console
from ledger.door import API, ASSETS, Door, asking
from ledger.form_routes import FormRoutes
from ledger.parts import Parts
from ledger.problems import Problem, answer
from ledger.routes import DeskRoutes

CODES = {404: "no-such-route", 405: "no-such-method"}


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

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for this
        code = CODES.get(error.status_code, "refused")
        return told(request, Problem(status=error.status_code, code=code, detail=str(error.detail)))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for this
        first: dict[str, Any] = error.errors()[0]
        field, rule = ".".join(str(part) for part in first["loc"][1:]), str(first["msg"])
        return told(request, Problem(status=422, code="malformed", detail=f"{field}: {rule}", field=field, rule=rule))

    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
    return app
