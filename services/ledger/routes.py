"""The API: a question, its answer. What a list does not show it says: ``next`` is null only where there is no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from complaints.codec import decode, to_json, wire
from complaints.errors import Malformed, Unknown
from complaints.identity import duties_stream
from ledger.casebook import Past, no_such_complaint
from ledger.casefile import case_file
from ledger.door import known
from ledger.lists import PARTS
from ledger.paging import MOST, USUAL, instant, next_link, whole
from ledger.parts import Parts
from ledger.register import csv_lines, question
from ledger.viewing import Viewer, need_desk, viewer

JSON: Final = "application/json"
Desk = Annotated[str, Path(description="The desk's name.")]
Complaint = Annotated[str, Path(description="The complaint's id.")]
Role = Annotated[str | None, Query(description="Look as this role sees it; the key must speak for it.")]
Person = Annotated[str | None, Query(description="Whom it is assigned to; in a case file: look as this person.")]
Limit = Annotated[str | None, Query(description=f"Entries on a page, 1 to {MOST}; {USUAL} otherwise.")]
After = Annotated[str | None, Query(description="Taken from a `next` link.")]
AsOf = Annotated[str | None, Query(description="As it was: what had happened by this instant.")]
KnownAt = Annotated[str | None, Query(description="As it was known: what had been recorded by this instant.")]
PRIVATE: Final = {"Cache-Control": "private, no-cache"}


class Routes:
    """Every route of the API."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def add_to(self, router: APIRouter) -> None:
        """Adds them."""
        for path, endpoint in (
            ("/v1/desks/{desk}/register", self.register),
            ("/v1/desks/{desk}/work", self.work),
            ("/v1/desks/{desk}/escalations", self.escalations),
            ("/v1/desks/{desk}/escalations/stream", self.stream),
            ("/v1/desks/{desk}/duties", self.duties),
            ("/v1/desks/{desk}/reports", self.reports),
            ("/v1/desks/{desk}/reports/{owe}/{period}", self.report),
            ("/v1/complaints/{complaint}/case-file", self.case_file),
            ("/v1/complaints/{complaint}/proof", self.proof),
            ("/v1/checkpoints", self.checkpoints),
            ("/v1/checkpoints/latest", self.latest_checkpoint),
            ("/v1/checkpoints/{size}", self.checkpoint),
            ("/v1/checkpoints/{size}/consistency", self.consistency),
        ):
            router.add_api_route(path, endpoint, methods=["GET"], response_model=None)

    # --- the desk ---
    async def register(self, request: Request, desk: Desk) -> Response:
        """The register 台账, a page at a time, or all of it as CSV (`format=csv` or `Accept: text/csv`).

        Filters: status, grade, owner, holder, receiver, channel, kind, assignee, overdue, breached, undecided,
        due_before, received_from, received_to, text, and `fact.<name>=<value>`. `order`: newest or oldest received first.
        """
        asks = await self._of_desk(request, desk)
        asked = {name: value for name, value in request.query_params.multi_items()}
        view = await self._parts.views.current(desk)
        hidden = asks.hidden_in_lists(view.procedure) if view.pack is not None else frozenset[str]()
        wanted, now = question(desk, asked, hidden), self._parts.now()
        if asked.get("format") == "csv" or request.headers.get("accept", "").startswith("text/csv"):
            return self._csv(request, desk, wanted, now)
        if asked.get("format") not in (None, "", "json"):
            raise Malformed("format", "must be json or csv")
        page = await self._parts.registers.page(wanted, now)
        return _json({"desk": desk, "at": now, "entries": page.rows, "next": _next(request, page.after)})

    def _csv(self, request: Request, desk: str, wanted: Any, now: Any) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            first = True
            async for rows in self._parts.registers.everything(wanted, now):
                yield csv_lines(rows, header=first).encode()
                first = False
            if first:
                yield csv_lines([], header=True).encode()

        headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="register-{desk}.csv"'}
        return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)

    async def work(
        self,
        request: Request,
        desk: Desk,
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
        return _json({"desk": desk, "at": now, "role": role, "person": person, **found, "next": more})

    async def escalations(self, request: Request, desk: Desk) -> Response:
        """What needs a person, the newest first. `open=true`: what still does. `position`: where a stream may begin."""
        await self._of_desk(request, desk)
        position = await self._parts.lists.written_upto(self._parts.partitions)
        page = await self._parts.lists.escalations(desk, request.query_params)
        return _json(
            {"desk": desk, "position": position, "escalations": page.entries, "next": _next(request, page.after)}
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
        return _json({"desk": desk, "at": now, "duties": page.entries, "next": _next(request, page.after)})

    async def reports(self, request: Request, desk: Desk) -> Response:
        """The reports that were produced, the latest first."""
        await self._of_desk(request, desk)
        asked = {**request.query_params, "reported": "true"}
        page = await self._parts.lists.duties(desk, asked, self._parts.now())
        entries = [
            {**entry, "link": f"/v1/desks/{desk}/reports/{entry['owe']}/{entry['period']}"} for entry in page.entries
        ]
        return _json({"desk": desk, "reports": entries, "next": _next(request, page.after)})

    async def report(self, request: Request, desk: Desk, owe: str, period: str) -> Response:
        """A report with its figures, as they were produced and recorded."""
        asks = await self._of_desk(request, desk)
        rows = await self._parts.store.read(duties_stream(desk))
        records = [decode(row) for row in rows if row.type == "report.produced"]
        found = [one for one in records if (one.event.owe, one.event.period) == (owe, period)]  # type: ignore[attr-defined]  # the type's name says so
        if not found:
            raise Unknown("no-such-report", f"no report {owe} was produced for {period}", owe=owe, period=period)
        if asks.sees_names:
            found = await self._parts.opener.unseal(found)
        return _json(wire(found[-1]))

    # --- the case ---
    async def case_file(
        self,
        request: Request,
        complaint: Complaint,
        as_of: AsOf = None,
        known_at: KnownAt = None,
        role: Role = None,
        person: Person = None,
    ) -> Response:
        """Everything there is to say of a case: its history with the clause behind every step, verdicts, work, clocks.

        `as_of`: as it was; `known_at`: as it was known; both: what was known then of how it was.
        """
        asks = viewer(known(request), role, person or "")
        past = Past(as_of=instant(as_of, "as_of"), known_at=instant(known_at, "known_at"))
        case = await self._parts.casebook.case(complaint, self._parts.now(), past)
        if not asks.who.sees(case.desk):
            raise no_such_complaint(complaint)
        return _json(case_file(case, asks))

    async def proof(
        self,
        request: Request,
        complaint: Complaint,
        size: Annotated[str | None, Query(description="Of which checkpoint; the first that covers all.")] = None,
    ) -> Response:
        """That every event of a case is in the log over which a checkpoint was signed."""
        asks = viewer(known(request))
        case = await self._parts.casebook.case(complaint, self._parts.now())
        if not asks.who.sees(case.desk):
            raise no_such_complaint(complaint)
        proofs, last = self._parts.proofs, case.stored[-1].position
        if size is None:
            checkpoint = await proofs.covering(last)
        else:
            checkpoint = await proofs.checkpoint(whole(size, "size", 0, 2**62))
        return _json(
            {
                "complaint": str(case.id),
                "checkpoint": _checkpoint(checkpoint),
                "events": await proofs.inclusion(case.stored, checkpoint.size),
                "not_covered": [row.position for row in case.stored if row.position > checkpoint.size],
            }
        )

    # --- checkpoints ---
    async def checkpoints(self, request: Request, after: After = None, limit: Limit = None) -> Response:
        """The signed checkpoints over the log, smallest first."""
        viewer(known(request))
        most = whole(limit, "limit", USUAL, MOST)
        found = await self._parts.proofs.checkpoints(whole(after, "after", 0, 2**62, least=0), most + 1)
        shown = found[:most]
        more = str(shown[-1].size) if len(found) > most else None
        return _json({"checkpoints": [_checkpoint(one) for one in shown], "next": _next(request, more)})

    async def latest_checkpoint(self, request: Request) -> Response:
        """The last checkpoint as its signed note."""
        viewer(known(request))
        return Response((await self._parts.proofs.checkpoint(None)).note, media_type="text/plain; charset=utf-8")

    async def checkpoint(self, request: Request, size: str) -> Response:
        """A checkpoint as its signed note."""
        viewer(known(request))
        found = await self._parts.proofs.checkpoint(whole(size, "size", 0, 2**62))
        return Response(found.note, media_type="text/plain; charset=utf-8")

    async def consistency(self, request: Request, size: str, since: Annotated[str, Query(alias="from")]) -> Response:
        """That the log of a checkpoint begins with the log of an earlier one (`from`, a size)."""
        viewer(known(request))
        proofs = self._parts.proofs
        later = await proofs.checkpoint(whole(size, "size", 0, 2**62))
        earlier = await proofs.checkpoint(whole(since, "from", 0, later.size))
        path = await proofs.consistency(earlier.size, later.size)
        return _json({"from": _checkpoint(earlier), "to": _checkpoint(later), "path": path})

    async def _of_desk(self, request: Request, desk: str) -> Viewer:
        """Who looks at a desk that there is. Raises: Refused, Unknown."""
        query = request.query_params
        asks = viewer(known(request), query.get("role") or None, query.get("person", ""))
        need_desk(asks.who, desk)
        await self._parts.views.current(desk)
        return asks


def _checkpoint(one: Any) -> dict[str, Any]:
    return {"size": one.size, "root": one.root.hex(), "issued_at": one.issued_at, "note": one.note}


def _next(request: Request, after: str | None) -> str | None:
    return None if after is None else next_link(request.url.path, request.query_params.multi_items(), after)


def _json(value: Any) -> Response:
    return Response(to_json(value), headers=PRIVATE, media_type=JSON)
