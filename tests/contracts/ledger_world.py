"""A whole deployment around the ledger in one event loop: intake, relay and ledger on real servers, time by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec

from complaints.adapters import database
from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.desks import Desks
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.kafka import create_topics
from complaints.adapters.master_key import load_master
from complaints.adapters.pack_store import PostgresPacks
from complaints.adapters.sealing import Sealing
from complaints.adapters.service import settled
from complaints.adapters.settings import Database, Files, Http, Kafka, Settings
from complaints.calendar_spec import DEFAULT_CALENDAR
from intake.__main__ import IntakeService
from intake.__main__ import build as build_intake
from intake.relay import build as build_relay
from ledger.__main__ import LedgerService
from ledger.__main__ import build as build_ledger

CALENDAR = msgspec.to_builtins(DEFAULT_CALENDAR)
AGENT = {"person": "an", "role": "agent"}
LEAD = {"person": "lei", "role": "desk_lead"}
CUSTOMER = {"person": "zhang", "role": "customer"}


class World:
    """A deployment with the desks `plain` and `other`; ``keys`` by name."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool) -> None:
        self.settings, self.pool = settings, pool
        self.ahead = timedelta()
        self.keys: dict[str, str] = {}
        self.intake: IntakeService = build_intake(settings, now=self.now)
        self.relay = build_relay(settings, now=self.now)
        self.ledger: LedgerService = build_ledger(settings, now=self.now)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def opened(self) -> None:
        """Opens the desks and issues the keys."""
        store = PostgresEventStore(self.pool)
        sealing = Sealing.on(self.pool, load_master(self.settings.files.seal_key, create=True))
        desks = await Desks.start(
            store=store, database_url=self.settings.database.url, pool=self.pool, sealing=sealing, now=self.now
        )
        self.keys["operator"] = await desks.issue_operator_key()
        await desks.stop()
        for desk in ("plain", "other"):
            await self.open_desk(desk)

    async def open_desk(self, desk: str, **more: Any) -> None:
        body = {"desk": desk, "title": desk, "pack": "00-plain-desk", "calendar": CALENDAR, **more}
        await self.write("/v1/desks", body, key="operator")
        self.keys[desk] = await self.key(desk, frontend="web")

    async def key(self, desk: str, **data: Any) -> str:
        answer = await self.write(
            f"/v1/desks/{desk}/events", {"event": "desk.key-issued", "data": data}, key="operator"
        )
        return str(answer["key"])

    async def write(self, path: str, body: Any, *, key: str = "plain") -> Any:
        """Through intake."""
        async with httpx.AsyncClient(base_url=self.intake.url, headers=self.bearer(key), timeout=60) as client:
            answer = await client.post(path, json=body)
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json()

    async def receive(self, desk: str = "plain", **data: Any) -> str:
        facts = {"content": "It leaks.", "subject": "repair"}
        said = {"channel": "web", "facts": facts, "complainant": "Zhang San", **data}
        answer = await self.write(f"/v1/desks/{desk}/complaints", {"by": CUSTOMER, "data": said}, key=desk)
        return str(answer["id"])

    async def command(self, case: str, name: str, *, by: Any = AGENT, key: str = "plain", **data: Any) -> Any:
        return await self.write(f"/v1/complaints/{case}/{name}", {"by": by, "data": data}, key=key)

    def bearer(self, key: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[key]}"} if key is not None else {}

    async def read(self, path: str, *, key: str | None = "plain", **params: str) -> httpx.Response:
        """From the ledger."""
        async with self.reader(key) as client:
            return await client.get(path, params=params or None)

    async def got(self, path: str, *, key: str | None = "plain", **params: str) -> Any:
        answer = await self.read(path, key=key, **params)
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json()

    def reader(self, key: str | None = "plain") -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.ledger.url, headers=self.bearer(key), timeout=60)

    def sealing(self) -> Sealing:
        return Sealing.on(self.pool, load_master(self.settings.files.seal_key))

    def views(self) -> LoggedViews:
        return LoggedViews(PostgresEventStore(self.pool), PostgresPacks(self.pool), self.sealing())

    async def database_now(self) -> datetime:
        found: datetime = await self.pool.fetchval("SELECT clock_timestamp()")
        return found

    async def settled(self) -> None:
        await settled(self.relay, self.intake, self.ledger)


@asynccontextmanager
async def world(database_url: str, bootstrap_servers: str, prefix: str, data: Path) -> AsyncIterator[World]:
    """A running deployment."""
    kafka = Kafka(bootstrap_servers=bootstrap_servers, topic_prefix=prefix, partitions=2)
    await create_topics(kafka)
    settings = Settings(
        database=Database(url=database_url),
        kafka=kafka,
        http=Http(intake_port=0, ledger_port=0, relay_port=0),
        files=Files(data_dir=data),
    )
    load_master(settings.files.seal_key, create=True)
    pool = await database.pool(database_url, application="test_ledger", max_size=6)
    found = World(settings, pool)
    try:
        async with found.intake, found.relay, found.ledger:
            await found.opened()
            yield found
    finally:
        await pool.close()
