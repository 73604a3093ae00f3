"""The real pieces for benchmarks that need them: servers, the services as processes of their own, a desk, its key.

Servers are those that ``REDRESS_DATABASE_URL`` and ``REDRESS_KAFKA_BOOTSTRAP_SERVERS`` name (a database and topics of
our own on them), else PostgreSQL and Kafka started here.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from complaints.adapters import database
from complaints.adapters.database import asyncpg_url
from complaints.adapters.desks import Desks
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.kafka import Topics, client_options, create_topics
from complaints.adapters.master_key import load_master
from complaints.adapters.sealing import Sealing
from complaints.adapters.service import utc_now
from complaints.adapters.settings import Database, Files, Http, Kafka, Settings
from complaints.commands import Sender
from complaints.desk_requests import OpenDesk
from complaints.handling import Context
from complaints.identity import command_id
from local_stack.kafka import LocalKafka
from local_stack.ports import free_port
from local_stack.postgres import LocalPostgres

ROUND_THE_CLOCK = {
    "id": "always",
    "timezone": "UTC",
    "weekly": {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
}
PEOPLE = [
    *({"person": f"agent{n}", "name": f"Agent {n}", "roles": ["agent"]} for n in range(20)),
    {"person": "lead", "name": "Lead", "roles": ["desk_lead"]},
    {"person": "head", "name": "Head", "roles": ["head"]},
]


_KEPT = 2.0
"""Seconds that an idle connection is used again; intake closes one after five."""


class Received(msgspec.Struct):
    """What intake answers, as far as it is looked at."""

    id: str


class Caller:
    """Posts JSON over connections that are kept: a client that costs little, since it shares the processors."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        self._idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, body: bytes) -> bytes:
        """The body of the answer. Raises: RuntimeError for any but 201."""
        reader, writer = self._kept() or await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = await reader.readexactly(length)
        self._idle.append((asyncio.get_running_loop().time(), reader, writer))
        if not head.startswith(b"HTTP/1.1 201"):
            raise RuntimeError(answer.decode())
        return answer

    def close(self) -> None:
        """Closes what is kept."""
        for _, _, writer in self._idle:
            writer.close()

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The connection used last, unless the server may be about to close it."""
        while self._idle:
            used_at, reader, writer = self._idle.pop()
            if asyncio.get_running_loop().time() - used_at < _KEPT:
                return reader, writer
            writer.close()
        return None


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs. ``http`` and ``caller`` speak to intake with an operator's key; the desk is called ``bench``."""

    settings: Settings
    pool: asyncpg.Pool
    http: httpx.AsyncClient
    caller: Caller
    topics: Topics

    async def receive(self, **data: Any) -> str:
        """A complaint, acknowledged; its id."""
        body = {"by": {"person": "agent0", "role": "agent"}, "data": {"channel": "web", **data}}
        answer = await self.caller.post("/v1/desks/bench/complaints", msgspec.json.encode(body))
        return msgspec.json.decode(answer, type=Received).id

    async def receive_many(self, number: int, **data: Any) -> int:
        """Complaints through the bulk door; how many were received."""
        line = {
            "command": "receive",
            "desk": "bench",
            "by": {"person": "agent0", "role": "agent"},
            "data": {"channel": "web", **data},
        }
        batch = secrets.token_hex(4)
        body = b"\n".join(msgspec.json.encode({**line, "complaint": f"{batch}-{n}"}) for n in range(number))
        headers = {"Content-Type": "application/x-ndjson"}
        response = await self.http.post("/v1/bulk", content=body, headers=headers, timeout=600)
        response.raise_for_status()
        lines = [msgspec.json.decode(line) for line in response.text.splitlines()]
        for refused in (line for line in lines if line["status"] != 201):
            raise RuntimeError(f"a complaint was refused: {refused}")
        return len(lines)

    @asynccontextmanager
    async def reading(self, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
        """A reader that stands at the present end of all partitions of a topic."""
        consumer = AIOKafkaConsumer(
            **client_options(self.settings.kafka), enable_auto_commit=False, fetch_max_wait_ms=5
        )
        await consumer.start()
        try:
            partitions = await consumer._client._wait_on_metadata(topic)  # noqa: SLF001 - without a group nothing asks for it
            ats = [TopicPartition(topic, partition) for partition in sorted(partitions)]
            consumer.assign(ats)
            await consumer.seek_to_end(*ats)
            for at in ats:
                await consumer.position(at)
            yield consumer
        finally:
            await consumer.stop()


async def arrivals(consumer: AIOKafkaConsumer) -> AsyncIterator[tuple[float, ConsumerRecord]]:
    """Records as they come, each with the wall time in seconds at which it was seen."""
    while True:
        fetched = await consumer.getmany(timeout_ms=1000)
        seen_at = utc_now().timestamp()
        for records in fetched.values():
            for record in records:
                yield seen_at, record


@asynccontextmanager
async def stack(*modules: str) -> AsyncIterator[Stack]:
    """Servers, a migrated database, topics, and these modules running as processes, ready."""
    async with AsyncExitStack() as held:
        folder = held.enter_context(_folder())
        server, brokers = _servers(held, folder)
        url = await _database(held, server)
        ports = {name: free_port() for name in ("intake", "routing", "sla_monitor", "relay", "notifier", "ledger")}
        settings = Settings(
            database=Database(url=url),
            kafka=Kafka(bootstrap_servers=brokers, topic_prefix=f"bench-{secrets.token_hex(3)}."),
            http=Http.model_validate({"host": "127.0.0.1", **{f"{name}_port": port for name, port in ports.items()}}),
            files=Files(data_dir=folder / "data"),
        )
        await database.migrate(url)
        await create_topics(settings.kafka)
        pool = await held.enter_async_context(await database.pool(url, max_size=6))
        key = await _open_desk(settings, pool)
        for module in modules:
            await held.enter_async_context(_process(module, settings, ports))
        http = await held.enter_async_context(
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{ports['intake']}", headers={"Authorization": f"Bearer {key}"}, timeout=30
            )
        )
        await asyncio.gather(*(_ready(ports[module.rpartition(".")[2]]) for module in modules))
        caller = Caller(ports["intake"], key)
        held.callback(caller.close)
        yield Stack(settings, pool, http, caller, Topics(settings.kafka.topic_prefix))


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # a server may run as another user
        yield Path(name)


def _servers(held: AsyncExitStack, folder: Path) -> tuple[str, str]:
    url, brokers = os.environ.get("REDRESS_DATABASE_URL"), os.environ.get("REDRESS_KAFKA_BOOTSTRAP_SERVERS")
    if url is None:
        url = held.enter_context(LocalPostgres(folder / "postgres", free_port())).url
    if brokers is None:
        brokers = held.enter_context(LocalKafka(folder / "kafka", free_port())).bootstrap_servers
    return asyncpg_url(url), brokers


async def _database(held: AsyncExitStack, server: str) -> str:
    name = f"redress_bench_{secrets.token_hex(4)}"

    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(server)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    await execute(f'CREATE DATABASE "{name}"')
    held.push_async_callback(execute, f'DROP DATABASE "{name}" WITH (FORCE)')
    return urlsplit(server)._replace(path=f"/{name}").geturl()


async def _open_desk(settings: Settings, pool: asyncpg.Pool) -> str:
    sealing = Sealing.on(pool, load_master(settings.files.seal_key, create=True))
    async with PostgresEventStore(pool) as store:
        desks = await Desks.start(
            store=store, database_url=settings.database.url, pool=pool, sealing=sealing, now=utc_now
        )
        try:
            request = {
                "desk": "bench",
                "title": "Bench",
                "timezone": "UTC",
                "pack": "00-plain-desk",
                "calendar": ROUND_THE_CLOCK,
                "people": PEOPLE,
            }
            operator = Sender(person="operator", role="operator")
            opening = command_id("bench", "bench", "open")
            await desks.open(msgspec.convert(request, OpenDesk), by=operator, command_id=opening, context=Context())
            return await desks.issue_operator_key()
        finally:
            await desks.stop()


@asynccontextmanager
async def _process(module: str, settings: Settings, ports: dict[str, int]) -> AsyncIterator[None]:
    environment = {
        **os.environ,
        "REDRESS_DATABASE_URL": settings.database.url,
        "REDRESS_KAFKA_BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "REDRESS_KAFKA_TOPIC_PREFIX": settings.kafka.topic_prefix,
        "REDRESS_DATA_DIR": str(settings.files.data_dir),
        "REDRESS_LOG_LEVEL": "ERROR",
        **{f"REDRESS_{name.upper()}_PORT": str(port) for name, port in ports.items()},
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, env=environment)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _ready(port: int) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(60):
        while True:
            with suppress(httpx.TransportError):
                if (await client.get(f"http://127.0.0.1:{port}/health/ready")).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(0.1)


def quantile(values: list[float], share: float) -> float:
    """The value below which this share of all lies."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
