"""Commands on their way to Kafka: decided and kept in one transaction, sent after it, forgotten once they are there.

Who decided them sends them, from memory. What a process leaves behind when it dies, others find in the table after a
while and send; so some may be sent twice, the same bytes under the same ids, which intake knows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec
from aiokafka import AIOKafkaProducer
from prometheus_client import Counter, Histogram

from complaints.adapters.kafka import Topics, publish
from complaints.adapters.patience import Patience
from complaints.adapters.records import CommandRecord, command_record
from routing.tables import Outgoing

SENT: Final = Counter("redress_routing_commands", "Commands handed to Kafka.", ("command",))
SECONDS: Final = Histogram("redress_routing_send_seconds", "Until Kafka has a batch of commands.")

LEFT_AFTER: Final = 5.0
"""Seconds after which what lies in the outbox is taken to have been left there by a process that died."""

_LOOK_EVERY: Final = 1.0
_BATCH: Final = 500
_FORGET_AT: Final = 200
"""So many sent commands are forgotten by one statement, or what there is after ``_LOOK_EVERY``."""

_decoder: Final = msgspec.json.Decoder(CommandRecord)


class Outbox:
    """Sends what this process decided, and what others left."""

    def __init__(
        self, *, pool: asyncpg.Pool, producer: AIOKafkaProducer, topics: Topics, left_after: float = LEFT_AFTER
    ) -> None:
        self._pool, self._producer, self._topic = pool, producer, topics.commands
        self._left_after = left_after
        self._waiting: deque[Outgoing] = deque()
        self._sent: list[int] = []
        self._news = asyncio.Event()
        self._patience = Patience("routing.outbox")

    def take(self, committed: Outgoing) -> None:
        """These are in the table for good: they may go."""
        if committed.ids:
            self._waiting.append(committed)
            self._news.set()

    async def run(self) -> None:
        """Sends until it is cancelled."""
        while True:
            self._news.clear()
            await self._patience.until_done(self._send)
            if len(self._sent) >= _FORGET_AT:
                await self._patience.until_done(self._forget)
            try:
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._news.wait()
            except TimeoutError:
                await self._patience.until_done(self._forget)
                await self._patience.until_done(self._send_what_was_left)

    async def caught_up(self) -> bool:
        """Whether everything that is in the table has been sent."""
        rows = await self._pool.fetch("SELECT id FROM routing.outbox")
        return not self._waiting and {row["id"] for row in rows} <= set(self._sent)

    def why_not_ready(self) -> str | None:
        """None while commands go out."""
        return self._patience.trouble

    async def _send(self) -> None:
        while self._waiting:
            together = list(self._waiting)
            await self._publish([record for outgoing in together for record in outgoing.records])
            for outgoing in together:
                self._waiting.popleft()
                self._sent += outgoing.ids

    async def _publish(self, records: Sequence[bytes]) -> None:
        commands = [_decoder.decode(record) for record in records]
        with SECONDS.time():
            await publish(self._producer, *(command_record(each, self._topic, source="routing") for each in commands))
        for command in commands:
            SENT.labels(command.command).inc()

    async def _forget(self) -> None:
        if self._sent:
            sent = list(self._sent)
            await self._pool.execute("DELETE FROM routing.outbox WHERE id = ANY($1::bigint[])", sent)
            self._sent = self._sent[len(sent) :]

    async def _send_what_was_left(self) -> None:
        while rows := await self._pool.fetch(
            "SELECT id, record FROM routing.outbox WHERE put_at < clock_timestamp() - make_interval(secs => $1) "
            "ORDER BY id LIMIT $2",
            self._left_after,
            _BATCH,
        ):
            await self._publish([row["record"] for row in rows])
            self._sent += [row["id"] for row in rows]
            await self._forget()
