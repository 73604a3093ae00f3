"""A process's life: opens, works, stops in order; what it shows of itself meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from complaints.adapters.service import Service, serving, settled
from complaints.adapters.telemetry import Health, health_app, span, trace_id, traceparent


def service(
    told: list[str], *, fails_to_open: bool = False, crashes: bool = False, working: asyncio.Event | None = None
) -> Service:
    """A service that notes what happens to it."""

    async def work() -> None:
        told.append("works")
        if working is not None:
            working.set()
        if crashes:
            raise ZeroDivisionError
        try:
            await asyncio.Event().wait()
        finally:
            told.append("stops working")

    @asynccontextmanager
    async def life(of: Service) -> AsyncIterator[None]:
        async with asyncio.TaskGroup():  # may be used: all of a life runs in one task
            told.append("opens")
            of.spawn(work(), name="work")
            await asyncio.sleep(0)
            if fails_to_open:
                raise ConnectionRefusedError
            yield
            told.append("closes")

    return Service("test", life)


async def test_work_is_stopped_before_what_it_needs_is_closed() -> None:
    told: list[str] = []
    one = service(told)
    await asyncio.create_task(one.start())  # as a fixture does: another task than the one that stops it
    await one.stop()
    await one.stop()
    assert told == ["opens", "works", "stops working", "closes"]


async def test_what_fails_while_opening_is_raised_and_leaves_nothing_running() -> None:
    told: list[str] = []
    one = service(told, fails_to_open=True)
    with pytest.raises(ExceptionGroup) as caught:
        await one.start()
    assert caught.group_contains(ConnectionRefusedError)
    await one.stop()
    assert told == ["opens", "works", "stops working"]


async def test_a_crash_of_its_work_ends_the_service_and_is_raised_at_the_stop() -> None:
    told: list[str] = []
    one = service(told, crashes=True)
    with pytest.raises(ZeroDivisionError):
        async with one:
            await one._ended.wait()
    assert told == ["opens", "works", "closes"]


async def test_a_process_that_crashes_ends_with_one_and_one_that_is_told_to_stop_with_zero() -> None:
    assert await service([], crashes=True).run() == 1
    assert await service([], fails_to_open=True).run() == 1
    told: list[str] = []
    working = asyncio.Event()
    running = asyncio.create_task(service(told, working=working).run())
    await working.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0
    assert told == ["opens", "works", "stops working", "closes"]


class Follower:
    """Catches up after being asked a few times."""

    def __init__(self, behind: int) -> None:
        self.behind = behind

    async def caught_up(self) -> bool:
        self.behind -= 1
        return self.behind < 0


async def test_services_have_settled_when_all_they_follow_is_done_twice_running() -> None:
    one, other = service([]), service([])
    slow = Follower(3)
    one.follows(Follower(0))
    other.follows(slow)
    async with one, other:
        await settled(one, other)
    assert slow.behind == -2


async def test_health_says_which_part_is_not_ready_and_why_and_metrics_are_there() -> None:
    health, trouble = Health(), ["no database"]
    health.add("store", lambda: trouble[0] if trouble else None)
    health.add("other", lambda: None)
    async with serving(health_app(health), "127.0.0.1", 0) as port, httpx.AsyncClient() as client:
        base = f"http://127.0.0.1:{port}"
        assert (await client.get(f"{base}/health/live")).json() == {"live": True}
        ready = await client.get(f"{base}/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "failing": {"store": "no database"}})
        trouble.clear()
        assert (await client.get(f"{base}/health/ready")).status_code == 200
        metrics = (await client.get(f"{base}/metrics")).text
    assert "# TYPE process_cpu_seconds_total counter" in metrics


async def test_a_port_that_is_taken_is_an_error_of_ours_not_the_end_of_the_process() -> None:
    async with serving(health_app(Health()), "127.0.0.1", 0) as port:
        with pytest.raises(OSError, match="in use"):
            async with serving(health_app(Health()), "127.0.0.1", port):
                pass


async def test_a_service_without_an_app_shows_its_health() -> None:
    @asynccontextmanager
    async def life(_: Service) -> AsyncIterator[None]:
        yield

    async with serving(health_app(Health()), "127.0.0.1", 0) as free:
        pass
    one = Service("test", life, listen=("127.0.0.1", free))
    async with one, httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{free}/health/ready")).json() == {"ready": True, "failing": {}}


def test_nothing_is_traced_until_somebody_wants_traces() -> None:
    with span("x", parents=["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]):
        assert (traceparent(), trace_id()) == (None, None)


async def test_traces_go_on_through_their_parents_and_out_to_the_endpoint_that_the_environment_names() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    received: list[str] = []

    async def take(request: Request) -> Response:
        received.append(request.url.path + " " + str(b"redress-routing" in await request.body()))
        return Response()

    program = (
        "from complaints.adapters.telemetry import set_up_tracing, span, traceparent\n"
        "set_up_tracing('routing')\n"
        f"with span('handle', parents=['{parent}'], complaint='c1'):\n"
        "    print(traceparent())\n"
        f"with span('handle', parents=['{parent}', None, '{parent[:-1]}0'], records=2):\n"
        "    print(traceparent())\n"
    )
    collector = Starlette(routes=[Route("/v1/traces", take, methods=["POST"])])
    async with serving(collector, "127.0.0.1", 0) as port:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await child.communicate()
    below, linked = output.decode().split()
    assert below.split("-")[1] == parent.split("-")[1]
    assert linked.split("-")[1] != parent.split("-")[1]  # of several parents none is the one
    assert received == ["/v1/traces True"]
