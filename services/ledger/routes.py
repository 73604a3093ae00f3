"""The API: a question, its answer. What a list does not show it says: ``next`` is null only where there is no more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from complaints.codec import Recorded, decode, to_json, wire
from complaints.errors import Malformed, Unknown
from complaints.events import ReportProduced
from complaints.identity import duties_stream
from ledger import lists, register
from ledger.door import known
from ledger.lists import PARTS
from ledger.paging import MOST, USUAL, documented, next_link, whole
from ledger.parts import Parts
from ledger.register import Question, csv_lines, question
from ledger.reports import filled, without
from ledger.sheets import MEDIA_TYPE, SUFFIX, Sheet, report_sheets, workbook
from ledger.viewing import Viewer, need_desk, viewer

JSON: Final = "application/json"
Desk = Annotated[str, Path(description="The desk's name.")]
Role = Annotated[str | None, Query(description="Look as this role sees it; the key must speak for it.")]
Person = Annotated[str | None, Query(description="Whom it is assigned to; in a case file: look as this person.")]
Limit = Annotated[str | None, Query(description=f"Entries on a page, 1 to {MOST}; {USUAL} otherwise.")]
After = Annotated[str | None, Query(description="Taken from a `next` link.")]
PRIVATE: Final = {"Cache-Control": "private, no-cache"}


class DeskRoutes:
    """The routes of a desk."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def add_to(self, router: APIRouter) -> None:
        """Adds them."""
        for path, endpoint, parameters in (
            ("/v1/desks/{desk}/register", self.register, register.PARAMETERS),
            ("/v1/desks/{desk}/work", self.work, {}),
            ("/v1/desks/{desk}/escalations", self.escalations, lists.ESCALATIONS),
            ("/v1/desks/{desk}/escalations/stream", self.stream, lists.STREAM),
            ("/v1/desks/{desk}/duties", self.duties, lists.DUTIES),
            ("/v1/desks/{desk}/reports", self.reports, lists.REPORTS),
            ("/v1/desks/{desk}/reports/{owe}/{period}", self.report, {**lists.VIEWER, **lists.BOOK}),
        ):
            extra = documented(**parameters)
            router.add_api_route(path, endpoint, methods=["GET"], response_model=None, openapi_extra=extra)

    # --- the desk ---
    async def register(self, request: Request, desk: Desk) -> Response:
        """The register 台账, a page at a time, or all of it as CSV (`format=csv` or `Accept: text/csv`).

        Beside the filters that are listed: `fact.<name>=<value>`, the cases with this value of a fact.
        """
        asks = await self._of_desk(request, desk)
        asked = dict(request.query_params.multi_items())
        view = await self._parts.views.current(desk)
        hidden = asks.hidden_in_lists(view.procedure) if view.pack is not None else frozenset[str]()
        wanted, now = question(desk, asked, hidden), self._parts.now()
        if asked.get("format") == "csv" or request.headers.get("accept", "").startswith("text/csv"):
            return await self._csv(desk, wanted, now)
        if asked.get("format") not in (None, "", "json"):
            raise Malformed("format", "must be json or csv")
        page = await self._parts.registers.page(wanted, now)
        return as_json({"desk": desk, "at": now, "entries": page.rows, "next": next_of(request, page.after)})

    async def _csv(self, desk: str, wanted: Question, now: datetime) -> Response:
        """All rows. What is wrong with the question is said before the first of them leaves."""
        pages = self._parts.registers.everything(wanted, now)
        first = await anext(pages, ())

        async def lines() -> AsyncIterator[bytes]:
            yield csv_lines(first, header=True).encode()
            async for rows in pages:
                yield csv_lines(rows, header=False).encode()

        headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="register-{desk}.csv"'}
        return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)

    async def work(
        self,
        request: Request,
        desk: Desk,
        *,
        role: Role = None,
        person: Person = None,
        part: Annotated[str | None, Query(description=f"One of {', '.join(PARTS)}; all otherwise.")] = None,
        limit: Limit = None,
        after: After = None,
    ) -> Response:
        """What is owed now: dated by due instant, undated by age, stale, and what is undecided."""
        await self._of_desk(request, desk)
        now, most = self._parts.now(), whole(limit, "limit", USUAL, MOST)
        if part is not None and part not in PARTS:
            raise Malformed("part", f"must be one of {', '.join(PARTS)}")
        if after is not None and part is None:
            raise Malformed("part", "must be named where a page is asked for")
        found: dict[str, Any] = {}
        more: dict[str, str | None] = {}
        for name in PARTS if part is None else (part,):
            page = await self._parts.lists.work(
                desk, name, now, role=role or None, person=person or None, limit=most, after=after
            )
            found[name] = page.entries
            asked = [(key, value) for key, value in request.query_params.multi_items() if key != "part"]
            more[name] = page.after and next_link(request.url.path, [*asked, ("part", name)], page.after)
        return as_json({"desk": desk, "at": now, "role": role, "person": person, **found, "next": more})

    async def escalations(self, request: Request, desk: Desk) -> Response:
        """What needs a person, the newest first. `open=true`: what still does. `position`: where a stream may begin."""
        await self._of_desk(request, desk)
        position = await self._parts.lists.written_upto(self._parts.partitions)
        page = await self._parts.lists.escalations(desk, request.query_params)
        return as_json(
            {"desk": desk, "position": position, "escalations": page.entries, "next": next_of(request, page.after)}
        )

    async def stream(self, request: Request, desk: Desk) -> Response:
        """Escalations as they come, as server-sent events: id is the position, so that nothing is lost or doubled.

        Begins after `Last-Event-ID`, or `?after=`; otherwise with what comes from now on.
        """
        await self._of_desk(request, desk)
        said = request.headers.get("last-event-id") or request.query_params.get("after")
        after = whole(said, "Last-Event-ID", self._parts.board.upto, 2**62, least=0)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(desk, after), media_type="text/event-stream", headers=headers)

    async def _events(self, desk: str, after: int) -> AsyncIterator[bytes]:
        yield b"retry: 2000\n: the escalations of the desk, from position %d on\n\n" % after
        async for found in self._parts.board.listen(desk, after, pause=self._parts.keep_alive):
            for one in found:
                yield b"id: %d\nevent: escalation\ndata: %s\n\n" % (one.position, to_json(one))
            if not found:
                yield b": still here\n\n"

    async def duties(self, request: Request, desk: Desk) -> Response:
        """What the desk owes without a case, the latest period first. Filters: state, owe, reported."""
        await self._of_desk(request, desk)
        now = self._parts.now()
        page = await self._parts.lists.duties(desk, request.query_params, now)
        return as_json({"desk": desk, "at": now, "duties": page.entries, "next": next_of(request, page.after)})

    async def reports(self, request: Request, desk: Desk) -> Response:
        """The reports that were produced, the latest first."""
        await self._of_desk(request, desk)
        asked = {**request.query_params, "reported": "true"}
        page = await self._parts.lists.duties(desk, asked, self._parts.now())
        entries = [
            {**entry, "link": f"/v1/desks/{desk}/reports/{entry['owe']}/{entry['period']}"} for entry in page.entries
        ]
        return as_json({"desk": desk, "reports": entries, "next": next_of(request, page.after)})

    async def report(self, request: Request, desk: Desk, owe: str, period: str) -> Response:
        """A report with its figures, as they were produced and recorded.

        As a workbook with `format=xlsx`, `Accept`, or `.xlsx` after the period.
        """
        asks = await self._of_desk(request, desk)
        whole_book = period.endswith(SUFFIX) or wants_workbook(request)
        told = await self._report(asks, desk, owe, period.removesuffix(SUFFIX))
        if whole_book:
            return as_workbook([*report_sheets(told)], f"{desk}-{owe}-{told['data']['period']}")
        return as_json(told)

    async def _report(self, asks: Viewer, desk: str, owe: str, period: str) -> dict[str, Any]:
        """A report as this viewer may see it. Raises Unknown."""
        rows = await self._parts.store.read(duties_stream(desk))
        records = [decode(row) for row in rows if row.type == "report.produced"]
        found = next((one for one in reversed(records) if _is_report(one, owe, period)), None)
        if found is None:
            raise Unknown("no-such-report", f"no report {owe} was produced for {period}", owe=owe, period=period)
        told = wire(found)
        procedure = (await self._parts.views.at(desk, found.meta.desk_version)).procedure
        if asks.sees_names:
            opener, store = self._parts.opener, self._parts.store
            (opened,) = await opener.unseal([found])
            told = wire(opened)
            told["data"]["figures"] = await filled(
                told["data"].get("figures"),
                procedure.desk.get(owe),
                procedure,
                position=found.position,
                store=store,
                opener=opener,
            )
        told["data"]["figures"] = without(told["data"].get("figures"), asks.hidden_in_lists(procedure))
        return told

    async def _of_desk(self, request: Request, desk: str) -> Viewer:
        """Who looks at a desk that there is. Raises: Refused, Unknown."""
        query = request.query_params
        asks = viewer(known(request), query.get("role") or None, query.get("person", ""))
        need_desk(asks.who, desk)
        await self._parts.views.current(desk)
        return asks


def _is_report(record: Recorded, owe: str, period: str) -> bool:
    event = record.event
    return isinstance(event, ReportProduced) and (event.owe, event.period) == (owe, period)


def next_of(request: Request, after: str | None) -> str | None:
    """The link to the page after a cursor."""
    return None if after is None else next_link(request.url.path, request.query_params.multi_items(), after)


def as_json(value: Any) -> Response:
    """JSON that belongs to whoever asked."""
    return Response(to_json(value), headers=PRIVATE, media_type=JSON)


def wants_workbook(request: Request) -> bool:
    """Whether a workbook is asked for. Raises Malformed: neither that nor JSON."""
    asked = request.query_params.get("format")
    if asked not in (None, "", "json", SUFFIX[1:]):
        raise Malformed("format", "must be json or xlsx")
    return asked == SUFFIX[1:] or (not asked and request.headers.get("accept", "").startswith(MEDIA_TYPE))


def as_workbook(sheets: Sequence[Sheet], name: str) -> Response:
    """A workbook that belongs to whoever asked."""
    headers = {**PRIVATE, "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}{SUFFIX}"}
    return Response(workbook(sheets), headers=headers, media_type=MEDIA_TYPE)
