"""The routes that take many commands: NDJSON streamed both ways, and CloudEvents."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from intake import cloud_events
from intake.auth import need_scope
from intake.bulk import WINDOW, Bulk, InOrder, refused, send
from intake.commands import Asking, Commands, Parts
from intake.problems import Refused
from intake.reading import body_of, check_type, json_of
from intake.routes import JSON, answer_command, asking
from intake.wanted import understood

NDJSON = "application/x-ndjson"
NDJSON_TYPES = (NDJSON, "application/ndjson", "application/jsonl")
MOST_STREAMS = 8
"""Bulk requests of one key at once."""

DeskNamed = Annotated[str | None, Query(alias="desk", description="The desk of what names none; for operators' keys.")]


class Streamed(Response):
    """A body sent as it is made. Unlike Starlette's own it leaves what still comes in to whoever makes the body."""

    def __init__(self, blocks: AsyncIterator[bytes], media_type: str) -> None:
        super().__init__(media_type=media_type, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._blocks = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with aclosing(self._blocks) as blocks:  # type: ignore[type-var]  # an async generator in truth
                async for block in blocks:
                    await send({"type": "http.response.body", "body": block, "more_body": True})
        except (ClientDisconnect, OSError):
            return  # nobody is there to be told
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def bulk_routes(parts: Parts, commands: Commands) -> APIRouter:
    """Takes lines and events."""
    router = APIRouter(tags=["bulk"])
    work = Bulk(parts, commands)
    streams: Counter[str] = Counter()

    async def counted(key: str, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        streams[key] += 1
        try:
            async for block in blocks:
                yield block
        finally:
            streams[key] -= 1
            if not streams[key]:
                del streams[key]

    async def bulk(request: Request, desk: DeskNamed = None) -> Response:
        """Takes a command a line and answers with a result a line, while lines still come in."""
        who = asking(request)
        need_scope(who.who, "write")
        check_type(request.headers.get("content-type"), *NDJSON_TYPES)
        if streams[who.who.key] >= MOST_STREAMS:
            why = f"this key has {MOST_STREAMS} bulk requests under way"
            raise Refused(429, "too-many-streams", why, most=MOST_STREAMS)
        return Streamed(counted(who.who.key, work.results(who, request.stream(), desk)), NDJSON)

    async def events(request: Request, desk: DeskNamed = None) -> Response:
        """Takes CloudEvents: structured, binary, or a batch of them."""
        who = asking(request)
        need_scope(who.who, "write")
        binary = cloud_events.is_binary(request.headers)
        known = (JSON,) if binary else (cloud_events.STRUCTURED, cloud_events.BATCH)
        kind = check_type(request.headers.get("content-type"), *known)
        raw = await body_of(request.headers, request.stream(), parts.limits.body)
        value = json_of(raw, parts.limits)
        if kind == cloud_events.BATCH:
            return Response(await batch(who, value, desk), media_type=JSON)
        line = cloud_events.line_of_binary(request.headers, value) if binary else cloud_events.line_of(value)
        sent = await send(commands, who, understood(who.who, line, desk))
        status = 201 if sent.received else 200
        return answer_command(sent, who.correlation_id, status=status, location=f"/v1/complaints/{sent.complaint}")

    async def batch(who: Asking, events: Any, desk: str | None) -> bytes:
        """A result for each event, in their order; none takes another with it."""
        if not isinstance(events, list):
            raise Refused(422, "malformed", "a batch is a list of events", field="body")
        order, room = InOrder(), asyncio.Semaphore(WINDOW)
        tasks = [begin(order, room, who, number, event, desk) for number, event in enumerate(events, 1)]
        return b"[" + b",".join([await task for task in tasks]) + b"]\n"

    def begin(
        order: InOrder, room: asyncio.Semaphore, who: Asking, number: int, event: Any, desk: str | None
    ) -> asyncio.Task[bytes]:
        try:
            wanted = understood(who.who, cloud_events.line_of(event), desk)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with an event is told in its result
            return asyncio.create_task(refused(number, None, error, who))

        async def done() -> bytes:
            async with room:
                return await work.done(who, number, wanted)

        return order.start(wanted, done)

    router.add_api_route("/v1/bulk", bulk, methods=["POST"])
    router.add_api_route("/v1/events", events, methods=["POST"])
    return router
