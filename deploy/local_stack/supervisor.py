"""Runs the whole system in one terminal: starts it part by part, watches it, and stops it in the reverse order."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from local_stack.errors import LocalStackError
from local_stack.kafka import LocalKafka
from local_stack.ports import LOOPBACK, require_free
from local_stack.postgres import LocalPostgres
from local_stack.processes import ChildProcess, describe_exit, end, left_over, record_self
from local_stack.services import Service, services_of
from local_stack.settings import StackSettings

READY_SECONDS = 90.0
"""What one part may take until it is ready."""
STOP_SECONDS = 10.0
"""What a service may take to stop before it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Where a running system is found."""

    settings: StackSettings
    database_url: str
    kafka_bootstrap_servers: str

    @property
    def intake_url(self) -> str:
        return f"http://{LOOPBACK}:{self.settings.intake_port}"

    @property
    def ledger_url(self) -> str:
        return f"http://{LOOPBACK}:{self.settings.ledger_port}"

    @property
    def mailbox_url(self) -> str:
        return f"http://{LOOPBACK}:{self.settings.mailbox_port}"


Prepare = Callable[[Running], Awaitable[None]]
"""Makes schemas and topics before the first service starts."""
Demo = Callable[[Running], Awaitable[Sequence[str]]]
"""Puts something into a system that is up; answers with commands that a newcomer can try."""
Say = Callable[[str], None]
at_once: Final[Say] = partial(print, flush=True)  # whoever reads it through a pipe or a file waits for it, too


async def run(
    settings: StackSettings,
    *,
    prepare: Prepare | None = None,
    demo: Demo | None = None,
    services: Sequence[Service] | None = None,
    say: Say = at_once,
) -> int:
    """Runs the system until SIGINT or SIGTERM, or until a part of it ends; returns the exit code of the command.

    0 after a stop that was asked for, 1 when the system could not start or a part crashed: ``say`` was told which and
    why. Everything is stopped before this returns.
    """
    system = _System(settings, services_of(settings) if services is None else services, say)
    try:
        with _claim(settings.data_dir), _stop_signals() as stop:
            try:
                await _unless(stop, system.up(prepare or prepare_servers, demo))
                await _unless(stop, system.watch())
            finally:
                say("Stopping …")
                await system.down()
    except LocalStackError as error:
        say(f"redress: {error}")
        return 1
    say("Stopped.")
    return 0


def down(settings: StackSettings, *, say: Say = at_once) -> int:
    """Stops the system of this data folder from another terminal, also what is left of one that was killed."""
    if supervisor := left_over(_record(settings.data_dir)):
        end(supervisor, seconds=120)
        say("Stopped.")
        return 0
    _record(settings.data_dir).unlink(missing_ok=True)
    ended = [
        _end_left_overs(settings.data_dir),
        LocalPostgres(settings.data_dir / "postgres", settings.postgres_port).end_left_over(),
        LocalKafka(settings.data_dir / "kafka", settings.kafka_port).end_left_over(),
    ]
    say("Stopped what a killed run had left." if any(ended) else "Nothing was running here.")
    return 0


async def prepare_servers(running: Running) -> None:
    """Schemas by migration, topics and the master key where they are missing."""
    from local_stack.preparing import prepare_all  # noqa: PLC0415  # only a start needs it, and it takes a second

    await prepare_all(
        database_url=running.database_url,
        kafka_bootstrap_servers=running.kafka_bootstrap_servers,
        kafka_topic_prefix=running.settings.kafka_topic_prefix,
        data_dir=running.settings.data_dir,
    )


class _System:
    def __init__(self, settings: StackSettings, services: Sequence[Service], say: Say) -> None:
        self._settings, self._services, self._say = settings, services, say
        self._servers: list[LocalPostgres | LocalKafka] = []
        self._starting: list[asyncio.Task[None]] = []
        self._children: list[ChildProcess] = []

    async def up(self, prepare: Prepare, demo: Demo | None) -> None:
        began = time.monotonic()
        self._check_ports()
        running = await self._start_servers()
        try:
            await prepare(running)
        except Exception as error:  # whatever a database or a broker answers, the person must read one sentence
            raise LocalStackError(f"schemas and topics could not be prepared: {error}") from error
        self._say("Schemas and topics are in place.")
        await self._start_services(running)
        try:
            commands = await demo(running) if demo else ()
        except Exception as error:
            raise LocalStackError(f"the demo could not be loaded: {error}") from error
        self._say(_welcome(running, commands, time.monotonic() - began))

    async def watch(self) -> None:
        """Returns never; raises ProcessFailed for the first part that ends by itself."""
        while True:
            for part in (*self._children, *self._servers):
                if (code := part.exit_code()) is not None:
                    raise part.failure(f"ended with {describe_exit(code)}")
            await asyncio.sleep(0.2)

    async def down(self) -> None:
        for child in reversed(self._children):
            child.signal_stop()
        for child in reversed(self._children):
            await asyncio.to_thread(child.stop, seconds=STOP_SECONDS)
        await self._stop_servers()
        # A start that was under way goes on in its thread: what it brought up meanwhile is stopped as well.
        await asyncio.gather(*self._starting, return_exceptions=True)
        await self._stop_servers()

    def _check_ports(self) -> None:
        self._settings.check_ports_differ()
        for service in self._services:
            for setting, port in service.ports.items():
                require_free(port, setting)

    async def _start_servers(self) -> Running:
        settings = self._settings
        postgres = kafka = None
        if settings.database_url is None:
            postgres = LocalPostgres(settings.data_dir / "postgres", settings.postgres_port)
        if settings.kafka_bootstrap_servers is None:
            kafka = LocalKafka(settings.data_dir / "kafka", settings.kafka_port)
        self._servers = [server for server in (kafka, postgres) if server is not None]
        if self._servers:
            self._say(f"Starting {' and '.join(server.NAME for server in self._servers)} …")
        self._starting = [asyncio.create_task(asyncio.to_thread(server.start)) for server in self._servers]
        for start in self._starting:
            await asyncio.shield(start)
        return Running(
            settings=settings,
            database_url=settings.database_url or (postgres.url if postgres else ""),
            kafka_bootstrap_servers=settings.kafka_bootstrap_servers or (kafka.bootstrap_servers if kafka else ""),
        )

    async def _stop_servers(self) -> None:
        await asyncio.gather(*(asyncio.to_thread(server.stop) for server in self._servers))

    async def _start_services(self, running: Running) -> None:
        environment = self._settings.environment(
            database_url=running.database_url, kafka_bootstrap_servers=running.kafka_bootstrap_servers
        )
        for service in self._services:
            child = ChildProcess(
                name=service.name,
                command=service.command,
                log=self._settings.data_dir / "logs" / f"{service.name}.log",
                record=_records(self._settings.data_dir) / f"{service.name}.pid",
                env=environment,
            )
            self._children.append(child)
            child.start()
        self._say(f"Starting {', '.join(service.name for service in self._services)} …")
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            waits = [
                asyncio.create_task(_wait_until_ready(http, service, child))
                for service, child in zip(self._services, self._children, strict=True)
            ]
            try:
                await asyncio.gather(*waits)
            finally:
                for wait in waits:
                    wait.cancel()
                await asyncio.gather(*waits, return_exceptions=True)


async def _wait_until_ready(http: httpx.AsyncClient, service: Service, child: ChildProcess) -> None:
    deadline = time.monotonic() + READY_SECONDS
    answer = "no answer"
    while time.monotonic() < deadline:
        if (code := child.exit_code()) is not None:
            raise child.failure(f"ended with {describe_exit(code)} before it was ready")
        with suppress(httpx.TransportError):
            response = await http.get(f"http://{LOOPBACK}:{service.port}/health/ready")
            if response.is_success:
                return
            answer = f"{response.status_code} {response.text[:500]}"
        await asyncio.sleep(0.1)
    raise child.failure(f"was not ready after {READY_SECONDS:g} s (/health/ready: {answer})")


async def _unless(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """``work`` to its end, or given up as soon as ``stop`` is set."""
    doing = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (doing, stopping):
        task.cancel()
    with suppress(asyncio.CancelledError):
        await doing


@contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@contextmanager
def _claim(data_dir: Path) -> Iterator[None]:
    """One system a data folder. What a killed one left running is ended first."""
    record = _record(data_dir)
    if other := left_over(record):
        raise LocalStackError(f"already running here, as process {other.pid}; `make down` stops it")
    record_self(record)
    try:
        _end_left_overs(data_dir)
        yield
    finally:
        record.unlink(missing_ok=True)


def _end_left_overs(data_dir: Path) -> bool:
    ended = False
    for record in _records(data_dir).glob("*.pid"):
        if process := left_over(record):
            end(process, seconds=STOP_SECONDS)
            ended = True
        record.unlink(missing_ok=True)
    return ended


def _record(data_dir: Path) -> Path:
    return data_dir / "redress.pid"


def _records(data_dir: Path) -> Path:
    return data_dir / "services"


def _welcome(running: Running, commands: Sequence[str], seconds: float) -> str:
    settings = running.settings
    lines = [
        "",
        f"Redress is running, {seconds:.0f} s after its start.",
        f"  API        {running.intake_url}/docs",
        f"  ledger     {running.ledger_url}",
        f"  mailbox    {running.mailbox_url}",
        f"  PostgreSQL {_shown(running)}",
        f"  Kafka      {running.kafka_bootstrap_servers}",
        f"  logs       {settings.data_dir / 'logs'}",
    ]
    if commands:
        lines += ["", "Try:", *(f"  {command}" for command in commands)]
    return "\n".join([*lines, "", "Ctrl-C stops it."])


def _shown(running: Running) -> str:
    """The local database with its password, for ``psql``; of another one only where it is."""
    if running.settings.database_url is None:
        return running.database_url
    parts = urlsplit(running.database_url)
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"
