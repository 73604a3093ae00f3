"""Commands on their way to Kafka: decided and kept in one transaction, sent after it, forgotten once they are there.

A crash in between sends some of them again, the same bytes under the same ids, which intake knows. One process sends at
a time, so the commands for a case stay in the order in which they were decided, whichever process decided them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import asyncpg
import msgspec
from aiokafka import AIOKafkaProducer
from prometheus_client import Counter, Histogram

from complaints.adapters.database import Lock
from complaints.adapters.kafka import CommandRequest, Topics, publish
from complaints.adapters.patience import Patience
from complaints.adapters.records import CommandRecord, command_record
from complaints.commands import data_of, name_of

SENT = Counter("redress_routing_commands", "Commands handed to Kafka.", ("command",))
SECONDS = Histogram("redress_routing_send_seconds", "Until Kafka has a batch of commands.")

_BATCH: Final = 500
_LOOK_FOR_OTHERS: Final = 1.0
"""Seconds between looks for what another process left when it died."""

_TURN: Final = 0.02
"""Seconds between tries while another process sends."""
_ANY: Final = "SELECT EXISTS (SELECT FROM routing.outbox)"
_decoder: Final = msgspec.json.Decoder(CommandRecord)


async def put(connection: asyncpg.Connection, requests: Sequence[CommandRequest]) -> None:
    """Keeps commands to be sent once the transaction is committed."""
    if requests:
        records = [msgspec.json.encode(_record(request)) for request in requests]
        await connection.execute("INSERT INTO routing.outbox (record) SELECT unnest($1::bytea[])", records)


def _record(request: CommandRequest) -> CommandRecord:
    command = request.command
    return CommandRecord(
        id=command.id,
        desk=request.desk,
        complaint=command.complaint,
        command=name_of(command),
        by=command.by,
        data=data_of(command),
        correlation_id=request.correlation_id,
        causation_id=request.causation_id,
        traceparent=request.traceparent,
    )


class Outbox:
    """Sends what is in the outbox. ``wake`` it when something was committed."""

    def __init__(self, *, pool: asyncpg.Pool, producer: AIOKafkaProducer, topics: Topics) -> None:
        self._pool, self._producer, self._topic = pool, producer, topics.commands
        self._news = asyncio.Event()
        self._patience = Patience("routing.outbox")

    def wake(self) -> None:
        """There may be something to send."""
        self._news.set()

    async def run(self) -> None:
        """Sends until it is cancelled."""
        while True:
            self._news.clear()
            await self._patience.until_done(self._send_all)
            try:
                async with asyncio.timeout(_LOOK_FOR_OTHERS):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def caught_up(self) -> bool:
        """Whether nothing waits to be sent."""
        return not await self._pool.fetchval(_ANY)

    def why_not_ready(self) -> str | None:
        """None while commands go out."""
        return self._patience.trouble

    async def _send_all(self) -> None:
        """Sends until nothing is left. No transaction is open meanwhile: Kafka may be away for long."""
        async with self._pool.acquire() as connection:
            if not await connection.fetchval(_ANY):
                return
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1, 0)", Lock.ROUTING_OUTBOX):  # noqa: ASYNC110 - another process holds it
                await asyncio.sleep(_TURN)
            try:
                while await self._send_some(connection) == _BATCH:
                    pass
            finally:
                with suppress(asyncpg.InterfaceError, asyncpg.PostgresConnectionError):  # lost, and the lock with it
                    await connection.execute("SELECT pg_advisory_unlock($1, 0)", Lock.ROUTING_OUTBOX)

    async def _send_some(self, connection: asyncpg.Connection) -> int:
        rows = await connection.fetch("SELECT id, record FROM routing.outbox ORDER BY id LIMIT $1", _BATCH)
        commands = [_decoder.decode(row["record"]) for row in rows]
        with SECONDS.time():
            await publish(self._producer, *map(partial(command_record, topic=self._topic, source="routing"), commands))
        await connection.execute("DELETE FROM routing.outbox WHERE id = ANY($1::bigint[])", [row["id"] for row in rows])
        for command in commands:
            SENT.labels(command.command).inc()
        return len(rows)
