"""The whole system as processes of its own, on servers of its own, so that any of them can be killed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg
import httpx

from complaints.adapters import database
from complaints.adapters.database import migrate
from complaints.adapters.desks import Desks
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.kafka import create_topics
from complaints.adapters.master_key import load_master
from complaints.adapters.sealing import Sealing
from complaints.adapters.service import utc_now
from complaints.adapters.settings import Kafka
from local_stack.kafka import LocalKafka
from local_stack.ports import LOOPBACK, free_ports
from local_stack.postgres import LocalPostgres
from local_stack.processes import ChildProcess
from tests.journeys.mailbox import Mailbox

MODULES: Final[Mapping[str, str]] = {
    "intake": "intake",
    "relay": "intake.relay",
    "routing": "routing",
    "sla_monitor": "sla_monitor",
    "notifier": "notifier",
    "ledger": "ledger",
}
"""What is run for each process."""

READY_SECONDS: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class System:
    """A running system. ``key`` is the operator's."""

    postgres: LocalPostgres
    broker: LocalKafka
    kafka: Kafka
    children: Mapping[str, ChildProcess]
    ports: Mapping[str, int]
    mailbox: Mailbox
    pool: asyncpg.Pool
    key: str
    came_twice: set[str] = field(default_factory=set)  # Message-IDs of mails that a killed notifier sent again

    @property
    def url(self) -> str:
        """Where intake answers."""
        return f"http://{LOOPBACK}:{self.ports['intake']}"

    async def kill(self, name: str) -> None:
        """Ends a process as a power cut would."""
        await asyncio.to_thread(self.children[name].kill)

    async def start(self, name: str) -> None:
        """Starts a process and returns when it is ready."""
        child, port = self.children[name], self.ports[name]
        child.start()
        async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(trust_env=False) as http:
            while not await _ready(http, port):
                if child.exit_code() is not None:
                    raise child.failure("ended before it was ready")
                await asyncio.sleep(0.1)

    async def revive(self) -> None:
        """Starts whatever does not run."""
        await asyncio.gather(asyncio.to_thread(self.postgres.start), asyncio.to_thread(self.broker.start))
        await asyncio.gather(*(self.start(name) for name, child in self.children.items() if not child.running))

    def crashed(self) -> list[str]:
        """The processes that have ended by themselves, with the end of what they said."""
        return [str(child.failure("ended")) for child in self.children.values() if child.exit_code() is not None]


async def _ready(http: httpx.AsyncClient, port: int) -> bool:
    with suppress(httpx.HTTPError):
        return (await http.get(f"http://{LOOPBACK}:{port}/health/ready")).is_success
    return False


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[System]:
    """Everything, started; all of it is gone afterwards."""
    ports = free_ports(2 + len(MODULES))
    postgres, broker = LocalPostgres(folder / "postgres", ports[0]), LocalKafka(folder / "kafka", ports[1])
    try:
        await asyncio.gather(asyncio.to_thread(postgres.start), asyncio.to_thread(broker.start))
        kafka = Kafka(bootstrap_servers=broker.bootstrap_servers, topic_prefix="failures.", partitions=2)
        await asyncio.gather(migrate(postgres.url), create_topics(kafka))
        mailbox = Mailbox()
        pool = await database.pool(postgres.url, application="test-failures", max_size=6, patience=60)
        try:
            async with mailbox.serving() as smtp_port:
                key = await _operator_key(postgres.url, pool, folder)
                listening = dict(zip(MODULES, ports[2:], strict=True))
                environment = _environment(postgres, kafka, folder, smtp_port, listening)
                system = System(
                    postgres=postgres,
                    broker=broker,
                    kafka=kafka,
                    children={name: _child(name, folder, environment) for name in MODULES},
                    ports=listening,
                    mailbox=mailbox,
                    pool=pool,
                    key=key,
                )
                try:
                    await asyncio.gather(*map(system.start, MODULES))
                    yield system
                finally:
                    for child in system.children.values():
                        child.signal_stop()
                    await asyncio.gather(*(asyncio.to_thread(child.stop, seconds=10) for child in _all(system)))
        finally:
            pool.terminate()
    finally:
        await asyncio.gather(asyncio.to_thread(broker.stop), asyncio.to_thread(postgres.stop))


def _all(system: System) -> list[ChildProcess]:
    return list(system.children.values())


def _child(name: str, folder: Path, environment: Mapping[str, str]) -> ChildProcess:
    return ChildProcess(
        name=name,
        command=[sys.executable, "-m", MODULES[name]],
        log=folder / f"{name}.log",
        record=folder / f"{name}.pid",
        env=environment,
    )


def _environment(
    postgres: LocalPostgres, kafka: Kafka, folder: Path, smtp_port: int, ports: Mapping[str, int]
) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("REDRESS_", "OTEL_"))}
    return inherited | {
        "REDRESS_DATABASE_URL": postgres.url,
        "REDRESS_DATABASE_POOL_SIZE": "5",
        "REDRESS_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "REDRESS_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "REDRESS_KAFKA_PARTITIONS": str(kafka.partitions),
        "REDRESS_DATA_DIR": str(folder),
        "REDRESS_SMTP_HOST": LOOPBACK,
        "REDRESS_SMTP_PORT": str(smtp_port),
        "REDRESS_SMTP_SENDER": "redress@desk.example",
        **{f"REDRESS_{name.upper()}_PORT": str(port) for name, port in ports.items()},
    }


async def _operator_key(url: str, pool: asyncpg.Pool, folder: Path) -> str:
    """The first key cannot come through the API, which asks for one."""
    sealing = Sealing.on(pool, load_master(folder / "seal.key", create=True))
    async with PostgresEventStore(pool) as store:
        desks = await Desks.start(store=store, database_url=url, pool=pool, sealing=sealing, now=utc_now)
        try:
            return await desks.issue_operator_key()
        finally:
            await desks.stop()
