"""The whole system in one event loop, on real PostgreSQL and Kafka, with time that stands until a test moves it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

import asyncpg
import httpx

from complaints.adapters import database
from complaints.adapters.desks import Desks
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.kafka import create_topics
from complaints.adapters.master_key import load_master
from complaints.adapters.sealing import Sealing
from complaints.adapters.service import Service, settled
from complaints.adapters.settings import Database, Files, Http, Kafka, Mail, Settings
from complaints.codec import Recorded, decode
from intake import relay
from intake.__main__ import build as build_intake
from ledger.__main__ import build as build_ledger
from notifier.__main__ import build as build_notifier
from routing.__main__ import build as build_routing
from sla_monitor.__main__ import build as build_sla_monitor
from sla_monitor.duties import AHEAD
from tests.journeys.mailbox import Mailbox

TICK: Final = timedelta(microseconds=1)
SETTLING_SECONDS: Final = 60.0
"""What never settles ends the test."""

_NEXT: Final = """
SELECT min(at) FROM (
    SELECT min(fire_at) AS at FROM sla.timer
    UNION ALL SELECT min(opens_at) FROM sla.round WHERE NOT done
    UNION ALL SELECT min(sweep_at) FROM sla.desk
    UNION ALL SELECT min(planned_until) - $1::interval FROM sla.desk
    UNION ALL SELECT min(look_at) FROM routing.case_file
    UNION ALL SELECT min(not_before) FROM notifier.delivery WHERE state IN ('waiting', 'sending')
) AS every
"""
"""When any service has something to do next although nothing happens."""


class Wall:
    """The time that every service reads.

    Those that act because time has passed may be a tick behind: people act before what is due at that very instant.
    """

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._behind = timedelta()

    def now(self) -> datetime:
        """What whoever decides reads."""
        return self.at

    def of_timers(self) -> datetime:
        """What whoever waits for an instant reads."""
        return self.at - self._behind

    def move(self, at: datetime, *, people_first: bool = False) -> None:
        """Moves forward."""
        if at < self.at:
            raise ValueError(f"{at} lies before {self.at}")
        self.at = at.astimezone(UTC)
        self._behind = TICK if people_first else timedelta()


@dataclass(frozen=True, slots=True)
class Refused:
    """A problem document."""

    status: int
    code: str
    clause: str | list[str] | None
    document: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Live:
    """A running system. ``key`` is the operator's."""

    wall: Wall
    settings: Settings
    services: Sequence[Service]
    http: httpx.AsyncClient
    pool: asyncpg.Pool
    store: PostgresEventStore
    sealing: Sealing
    mailbox: Mailbox
    key: str

    # --- time ---
    async def settled(self) -> None:
        """Returns when everything that follows from what has happened has happened."""
        async with asyncio.timeout(SETTLING_SECONDS):
            await settled(*self.services)

    async def advance(self, until: datetime) -> None:
        """Time passes, and stops wherever something is due."""
        await self._stop_at_each(until)
        self.wall.move(until)

    @asynccontextmanager
    async def instant(self, at: datetime) -> AsyncIterator[None]:
        """An instant at which people act: after all that was due before it, and before what is due then."""
        await self._stop_at_each(at - TICK)
        self.wall.move(at, people_first=True)
        yield
        await self.settled()
        await self.advance(at)

    async def _stop_at_each(self, until: datetime) -> None:
        before: datetime | None = None
        while (due := await self._next_due()) is not None and due <= until:
            if due == before:
                raise AssertionError(f"what was due at {due} has not been done at {self.wall.at}")
            before = due
            self.wall.move(max(due, self.wall.at))
            await self.settled()

    async def _next_due(self) -> datetime | None:
        return cast("datetime | None", await self.pool.fetchval(_NEXT, AHEAD / 2 - TICK))

    # --- the API ---
    async def post(
        self, path: str, body: Any, *, key: str | None = None, once: str | None = None
    ) -> Mapping[str, Any] | Refused:
        """What a request answers, or why it was refused."""
        headers = {"Authorization": f"Bearer {key or self.key}"} | ({"Idempotency-Key": once} if once else {})
        answer = await self.http.post(path, json=body, headers=headers)
        said: Mapping[str, Any] = answer.json()
        if answer.is_success:
            return said
        assert answer.status_code < 500, said
        return Refused(answer.status_code, said["code"], said.get("clause"), said)

    async def done(self, path: str, body: Any, *, key: str | None = None, once: str | None = None) -> Mapping[str, Any]:
        """What a request answers that must not be refused."""
        said = await self.post(path, body, key=key, once=once)
        assert not isinstance(said, Refused), said
        return said

    async def get(self, path: str, *, key: str | None = None) -> Mapping[str, Any]:
        """What a path shows."""
        answer = await self.http.get(path, headers={"Authorization": f"Bearer {key or self.key}"})
        said: Mapping[str, Any] = answer.json()
        assert answer.is_success, said
        return said

    async def history(self, complaint: UUID | str, *, key: str | None = None) -> list[Mapping[str, Any]]:
        """All events of a case, as the API shows them."""
        events: list[Mapping[str, Any]] = []
        path: str | None = f"/v1/complaints/{complaint}/events?limit=1000"
        while path is not None:
            page = await self.get(path, key=key)
            events += page["events"]
            path = page["next"]
        return events

    # --- the record ---
    async def stream(self, stream: UUID) -> list[Recorded]:
        """All events of a stream, opened."""
        return await self.sealing.unseal([decode(row) for row in await self.store.read(stream)])


@asynccontextmanager
async def running(
    *, database_url: str, kafka_bootstrap_servers: str, topic_prefix: str, data_dir: Path, start: datetime
) -> AsyncIterator[Live]:
    """Every service, on an empty migrated database, at an instant from which only the test moves on."""
    wall = Wall(start.astimezone(UTC))
    async with AsyncExitStack() as stack:
        mailbox = Mailbox()
        smtp_port = await stack.enter_async_context(mailbox.serving())
        settings = Settings(
            database=Database(url=database_url, pool_size=6),
            kafka=Kafka(bootstrap_servers=kafka_bootstrap_servers, topic_prefix=topic_prefix, partitions=2),
            http=Http(intake_port=0, relay_port=0, routing_port=0, sla_monitor_port=0, notifier_port=0, ledger_port=0),
            mail=Mail(host="127.0.0.1", port=smtp_port, sender="redress@desk.example"),
            files=Files(data_dir=data_dir),
        )
        await create_topics(settings.kafka)
        pool = await database.pool(database_url, application="test-journeys", max_size=6)
        stack.push_async_callback(pool.close)
        store = await stack.enter_async_context(PostgresEventStore(pool))
        sealing = Sealing.on(pool, load_master(settings.files.seal_key, create=True))
        intake = build_intake(settings, now=wall.now)
        services: list[Service] = [
            intake,
            relay.build(settings, now=wall.now),
            build_routing(settings, now=wall.of_timers),
            build_sla_monitor(settings, now=wall.of_timers),
            build_notifier(settings, now=wall.of_timers),
            build_ledger(settings, now=wall.of_timers),
        ]
        for service in services:
            await stack.enter_async_context(service)
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=intake.url, timeout=30, trust_env=False))
        live = Live(
            wall=wall,
            settings=settings,
            services=services,
            http=http,
            pool=pool,
            store=store,
            sealing=sealing,
            mailbox=mailbox,
            key=await _operator_key(pool, store, sealing, database_url, wall),
        )
        await live.settled()
        yield live


async def _operator_key(
    pool: asyncpg.Pool, store: PostgresEventStore, sealing: Sealing, database_url: str, wall: Wall
) -> str:
    """The first key cannot come through the API, which asks for one."""
    desks = await Desks.start(store=store, database_url=database_url, pool=pool, sealing=sealing, now=wall.now)
    try:
        return await desks.issue_operator_key()
    finally:
        await desks.stop()
