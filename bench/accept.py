"""How fast intake accepts: ``python -m bench accept`` prints JSON lines. Starts a PostgreSQL and an intake of its own.

One intake process on one event loop, 32 connections over loopback that each wait for their own answer, the plain
procedure, a complaint of some 400 bytes with its complainant and contact, so that personal values are sealed under a
new key. Rounds take turns in one run:

- ``accept``: POST of a complaint until its 201, which says that its dozen events are durable;
- ``accept.parse``: the same request to a route of the same app that goes through the same door (key, correlation,
  metrics), parses and checks the same body, and answers with as much.

``ratio`` is the median of the rounds' own ratios. ``cpu_us`` is the processor time of the intake process for a request,
``cpu_ratio`` the ratio of those: what ``ratio`` comes to where the processors have nothing else to do.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import httpx
import psutil
import uvloop
from fastapi import FastAPI, Request
from starlette.responses import Response

from complaints.adapters.database import migrate, pool
from complaints.adapters.desks import Desks
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.master_key import load_master
from complaints.adapters.sealing import Sealing
from complaints.adapters.service import utc_now
from complaints.adapters.settings import Database, Files, Http, Intake, Settings
from complaints.adapters.telemetry import Health
from complaints.business_time import BusinessCalendar
from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.codec import to_json
from complaints.commands import Receive, Sender, from_wire
from complaints.complaint import INITIAL
from complaints.deciding import decide
from complaints.handling import Handled
from complaints.procedure.library import open_pack
from intake.__main__ import build
from intake.app import create_app
from intake.auth import need_desk, need_role, need_scope
from intake.commands import RECEIVE, Parts, Sent, done
from intake.exchange import asked, asking, etag, json_response
from intake.reading import Limits
from local_stack.ports import free_port
from local_stack.postgres import LocalPostgres

CONNECTIONS = 32
NOBODY = "00000000"
"""Where a name stands that each sender writes anew."""
ROUNDS = 5
SECONDS = 4.0
DESK = "bench"
PACK = "00-plain-desk"
COMPLAINT: dict[str, Any] = {
    "by": {"person": NOBODY, "role": "customer"},
    "data": {
        "channel": "web",
        "facts": {"content": "车辆维修后仍然漏油, 已经返修三次, 要求退还维修费用。" * 2, "subject": "repair"},
        "complainant": NOBODY,
        "contact": {"email": f"{NOBODY}@example.org", "language": "zh"},
    },
}


def main(argv: Sequence[str] = ()) -> None:
    """Measures in turns; ``--quick``: shorter rounds. ``serve URL``: the other process."""
    if argv and argv[0] == "serve":
        serve(argv[1], argv[2], int(argv[3]))
        return
    seconds = 1.5 if "--quick" in argv else SECONDS
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        with (
            LocalPostgres(Path(folder) / "postgres", free_port()) as server,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(measure(server.url, Path(folder), seconds))


# --- the process that is measured ---
def serve(url: str, folder: str, port: int) -> None:
    """Intake and the route that only parses, until it is told to stop."""
    settings = Settings(
        database=Database(url=url),
        http=Http(intake_port=port),
        files=Files(data_dir=Path(folder)),
        intake=Intake(consumes_commands=False),
    )

    async def work() -> int:
        return await build(settings, create=with_parsing).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(work()))


def with_parsing(parts: Parts, health: Health) -> FastAPI:
    """The app, and the route that only parses and answers, before all others."""
    app = create_app(parts, health)
    app.router.add_api_route("/v1/desks/{desk}/parsed", Parsed(parts.limits).parsed, methods=["POST"])
    app.router.routes.insert(0, app.router.routes.pop())
    return app


class Parsed:
    """What intake does before it handles a command, and an answer like the one that it would give."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        sent = answered()
        self._answer = done(sent, uuid4())
        self._headers = {"Location": f"/v1/complaints/{sent.complaint}", "ETag": etag(sent.handled.version)}

    async def parsed(self, request: Request, desk: str) -> Response:
        """Parses, checks and answers."""
        who = asking(request).who
        found = await asked(request, RECEIVE, self._limits)
        need_scope(who, "write")
        need_desk(who, desk)
        need_role(who, found.body.by, RECEIVE)
        from_wire(RECEIVE, found.body.data, id=uuid4(), complaint="", at=utc_now(), by=found.body.by)
        return json_response(self._answer, 201, self._headers)


def answered() -> Sent:
    """A complaint that was received, in memory."""
    by = Sender(**COMPLAINT["by"])
    command = from_wire(
        RECEIVE, COMPLAINT["data"], id=uuid4(), complaint=str(uuid4()), at=datetime(2026, 3, 2, 1, tzinfo=UTC), by=by
    )
    assert isinstance(command, Receive)  # noqa: S101 - it is what was asked for
    events = decide(INITIAL, command, open_pack(PACK), BusinessCalendar.compile(DEFAULT_CALENDAR))
    handled = Handled(stream_id=uuid4(), events=events, version=len(events), case="complaint")
    return Sent(desk=DESK, complaint=command.complaint, command_id=command.id, handled=handled, received=True)


# --- the process that measures ---
async def measure(url: str, folder: Path, seconds: float) -> None:
    """Prints every figure."""
    await migrate(url)
    key = await operators_key(url, folder)
    async with served(url, folder) as (process, port):
        await open_desk(port, key)
        accept, parse = (request(port, key, f"/v1/desks/{DESK}/{name}") for name in ("complaints", "parsed"))
        for one in (accept, parse):
            await rate(port, one, 1.0, process)  # statements are prepared, the procedure is compiled
        rounds = [
            (await rate(port, accept, seconds, process), await rate(port, parse, seconds, process))
            for _ in range(ROUNDS)
        ]
    report(
        "accept",
        connections=CONNECTIONS,
        per_second=round(median(mine.per_second for mine, _ in rounds)),
        ratio=round(median(mine.per_second / theirs.per_second for mine, theirs in rounds), 3),
        ms_p50=round(median(mine.at(0.5) for mine, _ in rounds), 2),
        ms_p99=round(median(mine.at(0.99) for mine, _ in rounds), 2),
        cpu_us=round(median(mine.cpu_us for mine, _ in rounds)),
        cpu_ratio=round(median(theirs.cpu_us / mine.cpu_us for mine, theirs in rounds), 3),
        rounds=ROUNDS,
    )
    report(
        "accept.parse",
        connections=CONNECTIONS,
        per_second=round(median(theirs.per_second for _, theirs in rounds)),
        ms_p50=round(median(theirs.at(0.5) for _, theirs in rounds), 2),
        ms_p99=round(median(theirs.at(0.99) for _, theirs in rounds), 2),
        cpu_us=round(median(theirs.cpu_us for _, theirs in rounds)),
        rounds=ROUNDS,
    )


async def operators_key(url: str, folder: Path) -> str:
    """The first key, as `make run` makes it."""
    sealing_key = load_master(folder / "seal.key", create=True)
    async with await pool(url, max_size=4) as connections, PostgresEventStore(connections) as store:
        sealing = Sealing.on(connections, sealing_key)
        desks = await Desks.start(store=store, database_url=url, pool=connections, sealing=sealing, now=utc_now)
        try:
            return await desks.issue_operator_key()
        finally:
            await desks.stop()


@asynccontextmanager
async def served(url: str, folder: Path) -> AsyncIterator[tuple[psutil.Process, int]]:
    """The measured process, ready, and its port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, "serve", url, str(folder), str(port))
    try:
        async with asyncio.timeout(60), httpx.AsyncClient() as probe:
            while not await is_ready(probe, port):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        yield psutil.Process(process.pid), port
    finally:
        process.terminate()
        await process.wait()


async def is_ready(probe: httpx.AsyncClient, port: int) -> bool:
    """Whether the process takes requests."""
    try:
        return (await probe.get(f"http://127.0.0.1:{port}/health/ready")).status_code == 200
    except httpx.TransportError:
        return False


async def open_desk(port: int, key: str) -> None:
    """A desk under the plain procedure."""
    body = {"desk": DESK, "title": "Bench", "pack": PACK, "calendar": json.loads(to_json(DEFAULT_CALENDAR))}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.post("/v1/desks", json=body, headers={"Authorization": f"Bearer {key}"})
        answer.raise_for_status()


def request(port: int, key: str, path: str) -> bytes:
    """A whole request, as it goes over the wire; ``NOBODY`` stands where each sender writes a name of its own."""
    body = json.dumps(COMPLAINT, ensure_ascii=False).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Rate:
    """What a round came to; waits in ms, processor time of the intake process in µs a request."""

    def __init__(self, waits: list[float], seconds: float, cpu: float) -> None:
        self.waits, self.per_second, self.cpu_us = sorted(waits), len(waits) / seconds, cpu / len(waits) * 1e6

    def at(self, share: float) -> float:
        """The wait that this share of the requests did not exceed."""
        return self.waits[int(len(self.waits) * share)]


async def rate(port: int, one: bytes, seconds: float, process: psutil.Process) -> Rate:
    """A round: every connection sends its next request when it has its answer."""
    loop = asyncio.get_running_loop()
    used = process.cpu_times()
    ends = time.perf_counter() + seconds
    began = time.perf_counter()
    clients = [
        (await loop.create_connection(lambda: Client(one, ends), "127.0.0.1", port))[1] for _ in range(CONNECTIONS)
    ]
    waits = [wait for client in clients for wait in await client.done]
    took, now_used = time.perf_counter() - began, process.cpu_times()
    return Rate(waits, took, now_used.user + now_used.system - used.user - used.system)


class Client(asyncio.Protocol):
    """One connection, kept alive. Answers have a length; anything but 201 ends the run."""

    def __init__(self, one: bytes, ends: float) -> None:
        self._one, self._ends = one, ends
        self._waits: list[float] = []
        self._rest = b""
        self._sent = 0.0
        self.done: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._rest += data
        head, found, body = self._rest.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 201"):
            self.done.set_exception(RuntimeError(self._rest.decode()))
            self._transport.close()
            return
        self._rest = b""
        self._waits.append((time.perf_counter() - self._sent) * 1000)
        if time.perf_counter() < self._ends:
            self._send()
        else:
            self._transport.close()
            self.done.set_result(self._waits)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("closed"))

    def _send(self) -> None:
        one = self._one.replace(NOBODY.encode(), b"%08d" % next(_names))
        self._sent = time.perf_counter()
        self._transport.write(one)


_names = count(1)


def report(figure: str, **values: Any) -> None:
    """One JSON line."""
    print(json.dumps({"figure": figure, **values}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
