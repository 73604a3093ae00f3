"""Starts intake: `python -m intake`."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from random import uniform

import asyncpg
from fastapi import FastAPI

from complaints.adapters.command_consumer import CommandConsumer
from complaints.adapters.database import passing, pool
from complaints.adapters.desks import Desks
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.kafka import open_producer
from complaints.adapters.master_key import load_master
from complaints.adapters.refusals import PostgresRefusals
from complaints.adapters.sealing import Sealing
from complaints.adapters.service import Service, main, serving, utc_now
from complaints.adapters.settings import Kafka, Settings
from complaints.adapters.telemetry import Health
from complaints.handling import Handler
from complaints.ports import Now
from intake.app import create_app
from intake.commands import Parts, consume
from intake.reading import Limits

NAME = "intake"
COLLECT_AFTER = (100_000, 10, 20)
"""New objects before the youngest generation is looked through, and how many such looks before the next two are."""
TRIES = 30
"""How often a command is decided while other processes keep writing to its case first; a few seconds altogether."""
EVERY = 2.0
"""Seconds between two looks at the database, and for which one may take."""


class IntakeService(Service):
    """Intake as a process; ``url`` is where it listens once it is started."""

    url: str = ""


def build(
    settings: Settings, *, now: Now = utc_now, create: Callable[[Parts, Health], FastAPI] = create_app
) -> IntakeService:
    """Intake on PostgreSQL. Kafka is needed by the consumer of commands alone: while it is away, HTTP goes on."""

    @asynccontextmanager
    async def life(service: Service) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            connections = await pool(
                settings.database.url, application="redress-intake", max_size=max(settings.database.pool_size, 4)
            )
            stack.push_async_callback(connections.close)
            parts = await _parts(settings, connections, now, stack)
            await parts.handler.recover()
            database = Reachable(connections)
            service.health.add("database", database.why_not_ready)
            service.spawn(database.run(), name="database")
            if settings.intake.consumes_commands:
                commands = CommandsFromKafka(settings.kafka, connections, partial(consume, parts))
                service.follows(commands)
                service.spawn(commands.run(), name="commands")
            app = create(parts, service.health)
            _spare_the_collector()
            port = await stack.enter_async_context(serving(app, settings.http.host, settings.http.intake_port))
            running.url = f"http://{settings.http.host}:{port}"
            yield

    running = IntakeService(NAME, life)
    return running


async def _parts(settings: Settings, connections: asyncpg.Pool, now: Now, stack: AsyncExitStack) -> Parts:
    store = await stack.enter_async_context(PostgresEventStore(connections))
    sealing = Sealing.on(connections, load_master(settings.files.seal_key, create=True))
    desks = await Desks.start(
        store=store, database_url=settings.database.url, pool=connections, sealing=sealing, now=now
    )
    stack.push_async_callback(desks.stop)
    handler = Handler(
        store=store,
        desks=desks,
        sealer=sealing,
        now=now,
        tries=TRIES,
        pause=_pause,
        note_refusal=PostgresRefusals(connections).note,
    )
    limits = Limits(body=settings.intake.largest_body, text=settings.intake.longest_text)
    return Parts(handler=handler, store=store, desks=desks, opener=sealing, now=now, limits=limits)


def _spare_the_collector() -> None:
    """Thousands of cases are kept in memory, and looking through all of them for cycles took a fifth of the time.

    What is there now stays and need not be looked at; the young are looked at in larger lots, the old seldom.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def _pause(tries: int) -> None:
    """Another process was first: the longer it keeps being so, the longer it is let go on."""
    await asyncio.sleep(uniform(0, 0.005 * tries))  # noqa: S311 - spreads the tries, keeps no secret


class Reachable:
    """Asks the database now and then, so that readiness need not wait for an answer."""

    def __init__(self, connections: asyncpg.Pool) -> None:
        self._connections = connections
        self._trouble: str | None = None

    async def run(self) -> None:
        """Asks until it is cancelled."""
        while True:
            try:
                await self._connections.fetchval("SELECT 1", timeout=EVERY)
                self._trouble = None
            except Exception as error:
                if not passing(error):
                    raise
                self._trouble = type(error).__name__
            await asyncio.sleep(EVERY)

    def why_not_ready(self) -> str | None:
        """None while it answers; else what it said last."""
        return self._trouble


class CommandsFromKafka:
    """The consumer of commands, which waits for a cluster that is away without keeping anybody else waiting.

    HTTP is served whatever the broker does, so its absence makes intake no less ready.
    """

    def __init__(self, kafka: Kafka, connections: asyncpg.Pool, handle: Callable[..., Awaitable[None]]) -> None:
        self._kafka, self._connections, self._handle = kafka, connections, handle
        self._consumer: CommandConsumer | None = None

    async def run(self) -> None:
        """Takes commands until it is cancelled."""
        async with open_producer(self._kafka, client=NAME) as producer:
            self._consumer = CommandConsumer(
                name=NAME, kafka=self._kafka, pool=self._connections, producer=producer, handle=self._handle
            )
            await self._consumer.run()

    async def caught_up(self) -> bool:
        """Whether every command that is on the topic now has been decided."""
        return self._consumer is not None and await self._consumer.caught_up()


if __name__ == "__main__":
    main(build)
