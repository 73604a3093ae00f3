"""Starts intake: `python -m intake`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import asyncpg

from complaints.adapters.command_consumer import CommandConsumer
from complaints.adapters.database import pool
from complaints.adapters.desks import Desks
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.kafka import open_producer
from complaints.adapters.master_key import load_master
from complaints.adapters.sealing import Sealing
from complaints.adapters.service import Service, main, serving, utc_now
from complaints.adapters.settings import Kafka, Settings
from complaints.handling import Handler
from complaints.ports import Now
from intake.app import create_app
from intake.commands import Parts, consume
from intake.reading import Limits

NAME = "intake"


class IntakeService(Service):
    """Intake as a process; ``url`` is where it listens once it is started."""

    url: str = ""


def build(settings: Settings, *, now: Now = utc_now) -> IntakeService:
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
            if settings.intake.consumes_commands:
                commands = CommandsFromKafka(settings.kafka, connections, partial(consume, parts))
                service.follows(commands)
                service.health.add("commands", commands.why_not_ready)
                service.spawn(commands.run(), name="commands")
            app = create_app(parts, service.health)
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
    handler = Handler(store=store, desks=desks, sealer=sealing, now=now)
    return Parts(handler=handler, store=store, desks=desks, opener=sealing, now=now, limits=Limits())


class CommandsFromKafka:
    """The consumer of commands, which waits for a cluster that is away without keeping anybody else waiting."""

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

    def why_not_ready(self) -> str | None:
        """None: HTTP is served whatever the broker does, so its absence makes intake no less ready."""
        return None


if __name__ == "__main__":
    main(build)
