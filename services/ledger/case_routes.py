"""The API of cases and of proofs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from complaints.adapters.problems import Refused
from complaints.identity import EVERY_DESK
from ledger.casebook import Past, no_such_complaint, uuid_of
from ledger.casefile import case_file
from ledger.door import known
from ledger.exports import Scope, lines
from ledger.paging import MOST, USUAL, instant, whole
from ledger.parts import Parts
from ledger.routes import After, Limit, Person, Role, as_json, next_of
from ledger.viewing import need_desk, viewer

Complaint = Annotated[str, Path(description="The complaint's id.")]
AsOf = Annotated[str | None, Query(description="As it was: what had happened by this instant.")]
KnownAt = Annotated[str | None, Query(description="As it was known: what had been recorded by this instant.")]


class CaseRoutes:
    """The routes of a case, and of the checkpoints over the log."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def add_to(self, router: APIRouter) -> None:
        """Adds them."""
        for path, endpoint in (
            ("/v1/complaints/{complaint}/case-file", self.case_file),
            ("/v1/complaints/{complaint}/proof", self.proof),
            ("/v1/export", self.export),
            ("/v1/checkpoints", self.checkpoints),
            ("/v1/checkpoints/latest", self.latest_checkpoint),
            ("/v1/checkpoints/{size}", self.checkpoint),
            ("/v1/checkpoints/{size}/consistency", self.consistency),
        ):
            router.add_api_route(path, endpoint, methods=["GET"], response_model=None)

    async def case_file(
        self,
        request: Request,
        complaint: Complaint,
        *,
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
        return as_json(case_file(case, asks))

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
        return as_json(
            {
                "complaint": str(case.id),
                "checkpoint": _checkpoint(checkpoint),
                "events": await proofs.inclusion(case.stored, checkpoint.size),
                "not_covered": [row.position for row in case.stored if row.position > checkpoint.size],
            }
        )

    async def export(
        self,
        request: Request,
        *,
        desk: Annotated[str | None, Query(description="Everything of one desk.")] = None,
        case: Annotated[str | None, Query(description="One case.")] = None,
    ) -> Response:
        """The log as it is stored, for `redress verify --export`: personal values are sealed in it.

        All of it is for an operator's key with the scope operate; a desk and a case for whoever may read them.
        """
        who = viewer(known(request)).who
        scope = Scope(desk=desk, case=None if case is None else uuid_of(case))
        if scope.case is not None:
            found = await self._parts.casebook.case(str(scope.case), self._parts.now())
            if desk is not None or not who.sees(found.desk):
                raise no_such_complaint(str(case))
        elif desk is not None:
            need_desk(who, desk)
            await self._parts.views.current(desk)
        elif not (who.desk == EVERY_DESK and who.may("operate")):
            raise Refused(
                403, "scope-missing", "the whole log is for operators: name a desk or a case", scope="operate"
            )
        source = lines(self._parts.pool, scope, exported_at=self._parts.now(), public_key=self._parts.public_key())
        return StreamingResponse(source, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})

    # --- checkpoints ---
    async def checkpoints(self, request: Request, after: After = None, limit: Limit = None) -> Response:
        """The signed checkpoints over the log, smallest first."""
        viewer(known(request))
        most = whole(limit, "limit", USUAL, MOST)
        found = await self._parts.proofs.checkpoints(whole(after, "after", 0, 2**62, least=0), most + 1)
        shown = found[:most]
        more = str(shown[-1].size) if len(found) > most else None
        return as_json({"checkpoints": [_checkpoint(one) for one in shown], "next": next_of(request, more)})

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
        return as_json({"from": _checkpoint(earlier), "to": _checkpoint(later), "path": path})


def _checkpoint(one: Any) -> dict[str, Any]:
    return {"size": one.size, "root": one.root.hex(), "issued_at": one.issued_at, "note": one.note}
