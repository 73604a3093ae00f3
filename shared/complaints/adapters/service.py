"""A process of Redress: it opens, works until it is told to stop or a part of it crashes, and closes in order.

Each service has ``build(settings, now=…) -> Service``; ``__main__`` runs one, a test starts several in one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NoReturn, Protocol, Self

import uvicorn
import uvloop
from pydantic import ValidationError
from starlette.types import ASGIApp

from complaints.adapters.logs import set_up_logging
from complaints.adapters.settings import Settings
from complaints.adapters.telemetry import Health, health_app, set_up_tracing

logger = logging.getLogger(__name__)

GRACE = 20.0
"""Seconds that a process has to close in order; what supervises it should wait longer before it kills."""


def utc_now() -> datetime:
    """The time: UTC, aware."""
    return datetime.now(UTC)


class CaughtUp(Protocol):
    """Follows a topic or the log."""

    async def caught_up(self) -> bool:
        """Whether everything that is there now has been handled."""
        ...


class Service:
    """One process, or one of several in a test's event loop.

    ``life`` is an async context manager made for this service: it opens connections, calls ``spawn`` and ``follows``,
    yields while the service works, and closes. All of it runs in one task. ``listen`` (host, port) is where a service
    without an app of its own shows its health and metrics.
    """

    def __init__(
        self,
        name: str,
        life: Callable[[Service], AbstractAsyncContextManager[object]],
        *,
        listen: tuple[str, int] | None = None,
    ) -> None:
        self.name, self.health = name, Health()
        self.crash: BaseException | None = None
        self._life, self._listen = life, listen
        self._tasks: list[asyncio.Task[None]] = []
        self._followers: list[CaughtUp] = []
        self._ended = asyncio.Event()
        self._owner: asyncio.Task[None] | None = None

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Runs ``work`` until the service stops, when it is cancelled before ``life`` closes; its crash stops all."""
        task = asyncio.create_task(work, name=f"{self.name}.{name}")
        task.add_done_callback(self._task_done)
        self._tasks.append(task)
        return task

    def follows(self, *followers: CaughtUp) -> None:
        """Names what ``caught_up`` asks."""
        self._followers += followers

    async def caught_up(self) -> bool:
        """Whether all that this service follows has been handled."""
        for follower in self._followers:
            if not await follower.caught_up():
                return False
        return True

    async def start(self) -> None:
        """Returns once ``life`` has opened everything; raises what opening raised. A service starts once."""
        if self._owner is not None:
            raise RuntimeError(f"{self.name} was started before")
        opened = asyncio.Event()
        self._owner = asyncio.create_task(self._live(opened), name=self.name)
        waiter = asyncio.create_task(opened.wait())
        try:
            await asyncio.wait({waiter, self._owner}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._owner.cancel()
            await asyncio.wait({self._owner})  # closed in order before whoever gave up goes on
            raise
        finally:
            waiter.cancel()
        if self._owner.done():
            owner, self._owner = self._owner, None
            await owner

    async def stop(self) -> None:
        """Closes in order; a repeat does nothing. Raises what a spawned task crashed with."""
        self._ended.set()
        if self._owner is not None:
            owner, self._owner = self._owner, None
            await owner
        if self.crash is not None:
            crash, self.crash = self.crash, None
            raise crash

    async def run(self) -> int:
        """Works until SIGTERM, SIGINT or a crash; returns the exit code: 0 after an orderly stop, else 1."""
        loop, ends = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
        for number in ends:
            loop.add_signal_handler(number, self._ended.set)
        starting = asyncio.create_task(self.start())
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait({starting, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():  # told to stop, or crashed, while it was still opening
                starting.cancel()
                with suppress(asyncio.CancelledError):
                    await starting
                return 0 if self.crash is None else 1
            await starting
            logger.info("service.started")
            await ended
            async with asyncio.timeout(GRACE):
                await self.stop()
        except Exception:  # the process ends here, whatever it was: said, and shown in the exit code
            logger.exception("service.failed")
            return 1
        finally:
            ended.cancel()
            for number in ends:
                loop.remove_signal_handler(number)
        logger.info("service.stopped")
        return 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _live(self, opened: asyncio.Event) -> None:
        try:
            async with AsyncExitStack() as stack:
                if self._listen is not None:
                    await stack.enter_async_context(serving(health_app(self.health), *self._listen))
                await stack.enter_async_context(self._life(self))
                stack.push_async_callback(self._end_tasks)
                opened.set()
                await self._ended.wait()
        finally:
            await self._end_tasks()  # those that were spawned by a life that did not come to its yield

    async def _end_tasks(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        logger.error("task.crashed", extra={"task": task.get_name()}, exc_info=error)
        self.crash = self.crash or error
        self._ended.set()


async def settled(*services: Service) -> None:
    """Returns once every service is caught up, all of them twice running: what one does may give another work.

    For tests; what never settles is ended by the test's own limit.
    """
    quiet = 0
    while quiet < 2:
        for service in services:
            if service.crash is not None:
                raise service.crash
        caught_up = [await service.caught_up() for service in services]
        quiet = quiet + 1 if all(caught_up) else 0
        await asyncio.sleep(0.02)


def main(build: Callable[[Settings], Service]) -> NoReturn:
    """Runs a service as this process and ends it with its exit code; 2 where a setting cannot be read."""
    try:
        settings = Settings.read()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            where = ".".join(str(part) for part in problem["loc"])
            sys.stderr.write(f"{error.title}: {where}: {problem['msg']}\n")
        sys.exit(2)

    async def work() -> int:
        service = build(settings)
        set_up_logging(settings.logging.level, service.name)
        set_up_tracing(service.name)
        return await service.run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(work()))


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int, **options: Any) -> AsyncIterator[int]:
    """Serves ``app`` in this event loop while the context is open; yields the port (of a free one for 0).

    ``options`` are uvicorn's. Requests that are under way at the end have five seconds. Raises: OSError, the port is
    taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=5, server_header=False, **options
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]), name=f"http.{port}")
    up = asyncio.create_task(server.up.wait())
    try:
        await asyncio.wait({up, task}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
            raise RuntimeError("the app did not start")
        yield int(listener.getsockname()[1])
    finally:
        up.cancel()
        server.should_exit = True
        await task
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to the process and says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
