"""The API of forms and registers, as JSON or as a workbook."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from complaints.errors import Unknown
from complaints.procedure.model import Form
from ledger.case_routes import Complaint
from ledger.casebook import no_such_complaint
from ledger.door import known
from ledger.forms import entries, listed, table
from ledger.lists import BOOK, VIEWER
from ledger.paging import LIMIT, MOST, TEXT, USUAL, documented, whole
from ledger.parts import Parts
from ledger.register import Question
from ledger.routes import Desk, as_json, as_workbook, next_of, wants_workbook
from ledger.sheets import SUFFIX, Sheet
from ledger.viewing import Viewer, need_desk, viewer

PAGE: Final[dict[str, tuple[dict[str, Any], str]]] = {
    **VIEWER,
    **BOOK,
    "limit": (LIMIT, "So many cases are looked at for a page."),
    "after": (TEXT, "Taken from a `next` link."),
}


class FormRoutes:
    """The routes of forms and registers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def add_to(self, router: APIRouter) -> None:
        """Adds them."""
        for path, endpoint, parameters in (
            ("/v1/desks/{desk}/forms", self.forms, VIEWER),
            ("/v1/desks/{desk}/forms/{form}", self.form_entries, PAGE),
            ("/v1/complaints/{complaint}/forms", self.case_forms, VIEWER),
        ):
            extra = documented(**parameters)
            router.add_api_route(path, endpoint, methods=["GET"], response_model=None, openapi_extra=extra)

    async def forms(self, request: Request, desk: Desk) -> Response:
        """The forms and registers of the desk's procedure: their fields, their number, the steps that fill them."""
        await self._of_desk(request, desk)
        view = await self._parts.views.current(desk)
        return as_json({"desk": desk, "forms": listed(view.procedure) if view.pack is not None else []})

    async def form_entries(self, request: Request, desk: Desk, form: str) -> Response:
        """What stands in a form or register of the desk, in the order in which the cases came.

        As a workbook with `format=xlsx`, `Accept`, or `.xlsx` after the form's name: then all of it.
        """
        asks, name = await self._of_desk(request, desk), form.removesuffix(SUFFIX)
        view = await self._parts.views.current(desk)
        row = view.procedure.forms.get(name) if view.pack is not None else None
        if row is None:
            raise Unknown("no-such-form", f"the procedure of {desk} has no form {name}", form=name)
        asked = request.query_params
        question = Question(
            desk=desk,
            oldest_first=True,
            limit=whole(asked.get("limit"), "limit", USUAL, MOST),
            after=asked.get("after") or None,
        )
        if form.endswith(SUFFIX) or wants_workbook(request):
            heads, rows = table(row, view.procedure, await self._all(question, row, asks))
            return as_workbook([Sheet(row.title, heads, rows)], f"{desk}-{name}")
        found, after = await self._page(question, row, asks)
        return as_json({"desk": desk, "form": name, "entries": found, "next": next_of(request, after)})

    async def case_forms(self, request: Request, complaint: Complaint) -> Response:
        """The forms of a case, as far as they have been filled."""
        asks = _viewer(request)
        case = await self._parts.casebook.case(complaint, self._parts.now())
        if not asks.who.sees(case.desk):
            raise no_such_complaint(complaint)
        found = [entry for form in case.procedure.forms for entry in entries(case, form, asks)]
        return as_json({"complaint": str(case.id), "forms": found})

    async def _all(self, question: Question, form: Form, asks: Viewer) -> list[dict[str, Any]]:
        found, after = await self._page(replace(question, limit=MOST), form, asks)
        while after is not None:
            more, after = await self._page(replace(question, limit=MOST, after=after), form, asks)
            found += more
        return found

    async def _page(self, question: Question, form: Form, asks: Viewer) -> tuple[list[dict[str, Any]], str | None]:
        now = self._parts.now()
        page = await self._parts.registers.page(question, now)
        cases = [await self._parts.casebook.case(row["complaint"], now) for row in page.rows]
        return [entry for case in cases for entry in entries(case, form.name, asks)], page.after

    async def _of_desk(self, request: Request, desk: str) -> Viewer:
        asks = _viewer(request)
        need_desk(asks.who, desk)
        return asks


def _viewer(request: Request) -> Viewer:
    query = request.query_params
    return viewer(known(request), query.get("role") or None, query.get("person", ""))
