"""The services on real PostgreSQL and Kafka in one event loop, at a time that is moved by hand; or as processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import msgspec

from complaints.adapters import database
from complaints.adapters.desks import Desks
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.kafka import Topics, create_topics
from complaints.adapters.master_key import load_master
from complaints.adapters.records import CommandRecord
from complaints.adapters.sealing import Sealing
from complaints.adapters.service import Service, settled
from complaints.adapters.settings import Database, Files, Http, Kafka, Settings
from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.codec import Recorded, decode
from complaints.commands import Command, Sender, from_wire
from complaints.desk_requests import DeskChange, OpenDesk
from complaints.handling import Context, Handled, Handler
from complaints.identity import complaint_id, duties_stream
from complaints.ports import Now
from tests.contracts.bus import everything_on

MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai
OPERATOR = Sender(person="operator", role="operator")
NS = UUID("0d6b5bb1-6f7e-4d0e-8f0a-5f8f6a6d8a10")
CALENDAR = msgspec.to_builtins(DEFAULT_CALENDAR)
Build = Callable[..., Service]


class Town:
    """One deployment. ``now`` is what all of its services in this loop believe."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool, store: PostgresEventStore, now: Now | None) -> None:
        self.settings, self.pool, self.store = settings, pool, store
        self.time = MONDAY
        self.now: Now = now or (lambda: self.time)
        self.services: list[Service] = []
        self._asked = 0
        self.sealing: Sealing
        self.desks: Desks
        self.handler: Handler

    @classmethod
    @asynccontextmanager
    async def laid_out(
        cls, database_url: str, bootstrap_servers: str, prefix: str, data: Path, *, now: Now | None = None
    ) -> AsyncIterator[Town]:
        """An empty one, its topics made, no service started."""
        settings = Settings(
            database=Database(url=database_url, pool_size=6),
            kafka=Kafka(bootstrap_servers=bootstrap_servers, topic_prefix=prefix),
            http=Http(host="127.0.0.1", intake_port=0, routing_port=0, sla_monitor_port=0, relay_port=0),
            files=Files(data_dir=data),
        )
        await create_topics(settings.kafka)
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(await database.pool(database_url, max_size=6))
            store = await stack.enter_async_context(PostgresEventStore(pool))
            town = cls(settings, pool, store, now)
            town.sealing = Sealing.on(pool, load_master(settings.files.seal_key, create=True))
            town.desks = await Desks.start(
                store=store, database_url=database_url, pool=pool, sealing=town.sealing, now=town.now, fresh_for=0.0
            )
            stack.push_async_callback(town.desks.stop)
            town.handler = Handler(store=store, desks=town.desks, sealer=town.sealing, now=town.now)
            yield town

    @asynccontextmanager
    async def running(self, *builds: Build) -> AsyncIterator[None]:
        """With these services; they are stopped in the other order."""
        async with AsyncExitStack() as stack:
            for build in builds:
                service = await stack.enter_async_context(build(self.settings, now=self.now))
                self.services.append(service)
                stack.callback(self.services.remove, service)
            yield

    async def settle(self) -> None:
        """Until everything that can happen now has happened."""
        await settled(*self.services)

    async def later(self, time: datetime | timedelta) -> None:
        """Time passes, and what is due then happens."""
        self.time = time if isinstance(time, datetime) else self.time + time
        await self.settle()

    # --- what people do ---
    async def open_desk(self, desk: str, pack: str | None = "00-plain-desk", **more: Any) -> None:
        request = {"desk": desk, "title": desk, "pack": pack, "calendar": CALENDAR, **more}
        await self.desks.open(msgspec.convert(request, OpenDesk), by=OPERATOR, command_id=self._id(), context=Context())

    async def change(self, desk: str, event: str, **data: Any) -> None:
        change = DeskChange(event=event, data=data)
        await self.desks.change(desk, change, by=OPERATOR, command_id=self._id(), context=Context())

    async def receive(self, desk: str, label: str, by: str = "lin/agent", **data: Any) -> UUID:
        """A complaint comes in; its id."""
        complaint = complaint_id(desk, label)
        await self.send(desk, complaint, "receive", by, **{"channel": "web", **data})
        return complaint

    async def send(self, desk: str, complaint: UUID | str, name: str, by: str, **data: Any) -> Handled:
        person, _, role = by.partition("/")
        at = data.pop("at", None) or self.now()
        sender = Sender(person=person, role=role or person)
        fields: dict[str, Any] = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in data.items()}
        command: Command = from_wire(name, fields, id=self._id(), complaint=str(complaint), at=at, by=sender)
        return await self.handler.handle(desk, command, context=Context())

    def _id(self) -> UUID:
        self._asked += 1
        return uuid5(NS, f"{self.settings.kafka.topic_prefix}{self._asked}")

    # --- what has come of it ---
    async def history(self, stream: UUID) -> list[Recorded]:
        return [decode(row) for row in await self.store.read(stream)]

    async def happened(self, stream: UUID, name: str) -> list[Any]:
        """The events of a stream that are called so."""
        return [record.event for record in await self.history(stream) if record.type == name]

    async def duties(self, desk: str, name: str) -> list[Any]:
        return await self.happened(duties_stream(desk), name)

    async def count(self, name: str) -> Counter[UUID]:
        """How often each stream has had such an event."""
        rows = await self.pool.fetch("SELECT stream_id, count(*) AS n FROM es.event WHERE type = $1 GROUP BY 1", name)
        return Counter({UUID(bytes=row["stream_id"].bytes): row["n"] for row in rows})

    async def commands(self, name: str) -> list[CommandRecord]:
        """Every command of that name that is on the topic, in order for each complaint."""
        records = await everything_on(self.settings.kafka, Topics(self.settings.kafka.topic_prefix).commands)
        found = [msgspec.json.decode(record.value, type=CommandRecord) for record in records]
        return [command for command in found if command.command == name]

    async def dead_letters(self) -> list[Mapping[str, Any]]:
        """What somebody could not handle."""
        found: list[Mapping[str, Any]] = []
        for schema in ("es", "routing", "sla"):
            rows = await self.pool.fetch(f"SELECT consumer, reason, detail FROM {schema}.dead_letter")  # noqa: S608
            found += map(dict, rows)
        return found

    async def published_again(self) -> None:
        """The relay forgets what it has published: every record comes once more, late."""
        await self.pool.execute("UPDATE es.relay SET pos = 0, epoch = epoch + 1")

    # --- processes ---
    @asynccontextmanager
    async def process(self, module: str) -> AsyncIterator[Process]:
        """A service as a process of its own."""
        process = Process(module, self.settings)
        await process.start()
        try:
            yield process
        finally:
            await process.end(signal.SIGTERM)


class Process:
    """``python -m`` a service; may be killed and started again."""

    def __init__(self, module: str, settings: Settings) -> None:
        self._module = module
        self._environment = {
            **os.environ,
            "REDRESS_DATABASE_URL": settings.database.url,
            "REDRESS_KAFKA_BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
            "REDRESS_KAFKA_TOPIC_PREFIX": settings.kafka.topic_prefix,
            "REDRESS_DATA_DIR": str(settings.files.data_dir),
            "REDRESS_ROUTING_PORT": "0",
            "REDRESS_SLA_MONITOR_PORT": "0",
            "REDRESS_LOG_LEVEL": "ERROR",
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-m", self._module, env=self._environment)

    async def kill(self) -> None:
        """As -9 does: at once, in the middle of whatever it does."""
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()
        self._process = None


async def until(condition: Callable[[], Any], *, seconds: float = 60) -> None:
    """Returns once the condition holds; what never comes true ends the test."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what changes is in other processes
            await asyncio.sleep(0.05)


def people(*some: tuple[str, str], **more: Any) -> Sequence[Mapping[str, Any]]:
    """People of a desk: (person, role)."""
    return [{"person": person, "name": person.title(), "roles": [role], **more} for person, role in some]
