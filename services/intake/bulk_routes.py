"""The routes that take many commands: NDJSON streamed both ways, and CloudEvents."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from complaints.adapters.problems import Refused
from complaints.errors import Malformed
from intake import cloud_events
from intake.auth import need_scope
from intake.bulk import WINDOW, Bulk, InOrder, refused, send
from intake.commands import Asking, Commands, Parts
from intake.exchange import JSON, answer_command, asking
from intake.reading import body_of, check_type, json_of
from intake.wanted import Wanted, understood

NDJSON = "application/x-ndjson"
NDJSON_TYPES = (NDJSON, "application/ndjson", "application/jsonl")
MOST_STREAMS = 8
"""Bulk requests of one key at once."""

DeskNamed = Annotated[str | None, Query(alias="desk", description="The desk of what names none; for operators' keys.")]


class Streamed(Response):
    """A body sent as it is made. Unlike Starlette's own it leaves what still comes in to whoever makes the body."""

    def __init__(self, blocks: AsyncGenerator[bytes], media_type: str) -> None:
        super().__init__(media_type=media_type, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._blocks = blocks

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with aclosing(self._blocks) as blocks:
                async for block in blocks:
                    await send({"type": "http.response.body", "body": block, "more_body": True})
        except (ClientDisconnect, OSError):
            return  # nobody is there to be told
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class BulkRoutes:
    """Takes lines and events."""

    def __init__(self, parts: Parts, commands: Commands) -> None:
        self._limits, self._commands, self._bulk = parts.limits, commands, Bulk(parts, commands)
        self._streams: Counter[str] = Counter()

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        add = partial(router.add_api_route, tags=["bulk"])
        add("/v1/bulk", self.bulk, name="bulk", methods=["POST"])
        add("/v1/events", self.events, name="send-events", methods=["POST"])

    async def bulk(self, request: Request, desk: DeskNamed = None) -> Response:
        """Takes a command a line and answers with a result a line, while lines still come in."""
        who = asking(request)
        need_scope(who.who, "write")
        check_type(request.headers.get("content-type"), *NDJSON_TYPES)
        if self._streams[who.who.key] >= MOST_STREAMS:
            why = f"this key has {MOST_STREAMS} bulk requests under way"
            raise Refused(429, "too-many-streams", why, most=MOST_STREAMS)
        results = self._bulk.results(who, request.stream(), desk)
        return Streamed(self._counted(who.who.key, results), NDJSON)

    async def _counted(self, key: str, blocks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        self._streams[key] += 1
        try:
            async with aclosing(blocks):
                async for block in blocks:
                    yield block
        finally:
            self._streams[key] -= 1
            if not self._streams[key]:
                del self._streams[key]

    async def events(self, request: Request, desk: DeskNamed = None) -> Response:
        """Takes CloudEvents: structured, binary, or a batch of them."""
        who = asking(request)
        need_scope(who.who, "write")
        binary = cloud_events.is_binary(request.headers)
        known = (JSON,) if binary else (cloud_events.STRUCTURED, cloud_events.BATCH)
        kind = check_type(request.headers.get("content-type"), *known)
        value = json_of(await body_of(request.headers, request.stream(), self._limits.body), self._limits)
        if kind == cloud_events.BATCH:
            return Response(await self._batch(who, value, desk), media_type=JSON)
        line = cloud_events.line_of_binary(request.headers, value) if binary else cloud_events.line_of(value)
        sent = await send(self._commands, who, understood(who.who, line, desk))
        return answer_command(sent, who.correlation_id, location=f"/v1/complaints/{sent.complaint}")

    async def _batch(self, who: Asking, events: Any, desk: str | None) -> bytes:
        """A result for each event, in their order; none takes another with it."""
        if not isinstance(events, list):
            raise Malformed("body", "must be a list of events")
        order, room = InOrder(), asyncio.Semaphore(WINDOW)

        async def done(number: int, wanted: Wanted) -> bytes:
            async with room:
                return await self._bulk.done(who, number, wanted)

        tasks = []
        for number, event in enumerate(events, 1):
            try:
                wanted = understood(who.who, cloud_events.line_of(event), desk)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with an event is told in its result
                tasks.append(asyncio.create_task(refused(number, None, error, who)))
            else:
                tasks.append(order.start(wanted, partial(done, number, wanted)))
        return b"[" + b",".join([await task for task in tasks]) + b"]"
