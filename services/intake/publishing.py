"""What the leading relay does: read, send, wait for all replicas, note the place; the next read overlaps the wait."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import asyncpg
from aiokafka import AIOKafkaProducer
from prometheus_client import Counter, Gauge, Histogram

from complaints.adapters.announcements import CheckpointRecord, checkpoint_record, escalation_record
from complaints.adapters.event_store import CHANNEL, COLUMNS, stored
from complaints.adapters.kafka import Topics, publish
from complaints.adapters.ordered_publisher import OrderedPublisher
from complaints.adapters.records import Record, event_record
from complaints.errors import Transient, Undecodable
from complaints.ports import StoredEvent

logger = logging.getLogger(__name__)

EVENTS = Counter("redress_relay_events", "Events published.", ("shard",))
ESCALATIONS = Counter("redress_relay_escalations", "Escalation records published.", ("shard",))
UNREADABLE = Counter(
    "redress_relay_unreadable", "Events of which nobody can say whether a person is needed.", ("shard",)
)
GAP = Gauge("redress_relay_gap", "1 while the log lacks a position; needs a person at once.", ("shard",))
DELAY = Histogram(
    "redress_relay_delay_seconds",
    "From the append of the oldest event of a round to its acknowledgement by Kafka.",
    ("shard",),
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300),
)

EscalationOf = Callable[[StoredEvent], bytes | None]
"""JSON of what needs a person now because of an event; None for most. Raises: Undecodable."""

_POLL: Final = 0.25
"""Seconds between looks at the log while nothing hints that it has grown."""
_LOOK_AROUND: Final = 1.0
"""Seconds between looks for new checkpoints, and whether we still lead."""

_READ = f"SELECT {COLUMNS} FROM es.event WHERE shard = $1 AND pos > $2 ORDER BY pos LIMIT $3"  # noqa: S608 - constants


class LeadLost(Transient):
    """Another relay leads the shard, or somebody has moved its place: begin again from what is on record."""

    code = "lead-lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a shard is published, and under which epoch whoever published it led."""

    position: int
    epoch: int
    checkpoint_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """Events on their way."""

    events: Sequence[StoredEvent]
    escalations: int
    answer: Awaitable[Any]


class Publication:
    """The work of one leader, from its place on, for as long as it leads."""

    def __init__(
        self,
        *,
        connection: asyncpg.Connection,
        producer: AIOKafkaProducer,
        topics: Topics,
        escalation_of: EscalationOf,
        shard: int,
        place: Place,
        batch: int,
    ) -> None:
        self.lacks: int | None = None  # the position that the log should have and has not
        self._connection, self._producer, self._topics = connection, producer, topics
        self._publisher, self._escalation_of = OrderedPublisher(producer), escalation_of
        self._shard, self._epoch, self._batch = shard, place.epoch, batch
        self._read_upto, self._checkpoint_size = place.position, place.checkpoint_size
        self._noted = place.position
        self._looked_around = 0.0

    async def go_on(self) -> NoReturn:
        """Publishes until it fails. Raises: LeadLost, KafkaError, and what the database raises."""
        news = asyncio.Event()
        await self._connection.add_listener(CHANNEL, lambda *_: news.set())
        waiting: Sequence[StoredEvent] = ()
        on_its_way: _Round | None = None
        while True:
            news.clear()  # before the read: a hint that comes during it is not lost
            if not waiting:
                waiting = await self._read()
            arrived, on_its_way = on_its_way, None
            if arrived is not None:
                await arrived.answer
            if waiting:
                on_its_way = await self._send(waiting)
                waiting = waiting[len(on_its_way.events) :]
            if arrived is not None:
                await self._note(arrived)
            await self._look_around()
            if arrived is None and on_its_way is None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), _POLL)

    async def _read(self) -> Sequence[StoredEvent]:
        """What follows in the log, without gaps: before a missing position it ends, however much lies behind it."""
        rows = await self._connection.fetch(_READ, self._shard, self._read_upto, self._batch)
        events = [stored(row) for row in rows]
        fitting = [event for place, event in enumerate(events, self._read_upto + 1) if event.position == place]
        self._watch_gap(self._read_upto + len(fitting) + 1 if len(fitting) < len(events) else None)
        if fitting:
            self._read_upto = fitting[-1].position
        return fitting

    def _watch_gap(self, lacks: int | None) -> None:
        if lacks != self.lacks:
            GAP.labels(self._shard).set(lacks is not None)
            if lacks is not None:
                logger.critical("relay.gap", extra={"shard": self._shard, "position": lacks})
        self.lacks = lacks

    async def _send(self, events: Sequence[StoredEvent]) -> _Round:
        groups = [self._records(event) for event in events]
        taken, answer = await self._publisher.send(groups)
        escalations = sum(len(group) - 1 for group in groups[:taken])
        return _Round(events=events[:taken], escalations=escalations, answer=answer)

    def _records(self, event: StoredEvent) -> list[Record]:
        records = [event_record(event, self._topics.events)]
        try:
            if escalation := self._escalation_of(event):
                records.append(escalation_record(event, escalation, self._topics.escalations))
        except Undecodable:  # the event itself goes out as it is; its consumers will refuse it and say so
            UNREADABLE.labels(self._shard).inc()
            logger.exception("relay.unreadable", extra={"position": event.position, "type": event.type})
        return records

    async def _note(self, arrived: _Round) -> None:
        """Moves the place, if we still lead."""
        first, last = arrived.events[0], arrived.events[-1]
        await self._move("pos", last.position)
        DELAY.labels(self._shard).observe((datetime.now(UTC) - first.recorded_at).total_seconds())
        EVENTS.labels(self._shard).inc(len(arrived.events))
        ESCALATIONS.labels(self._shard).inc(arrived.escalations)
        self._noted = last.position

    async def _look_around(self) -> None:
        """Now and then, also while nothing happens."""
        if (now := time.monotonic()) - self._looked_around < _LOOK_AROUND:
            return
        self._looked_around = now
        if await self._connection.fetchval("SELECT epoch FROM es.relay WHERE shard = $1", self._shard) != self._epoch:
            raise LeadLost(f"shard {self._shard} is in another epoch")
        await self._publish_checkpoints()

    async def _publish_checkpoints(self) -> None:
        """Publishes the checkpoints over what is published."""
        rows = await self._connection.fetch(
            "SELECT size, root, issued_at, note FROM es.checkpoint "
            "WHERE shard = $1 AND size > $2 AND size <= $3 ORDER BY size",
            self._shard,
            self._checkpoint_size,
            self._noted,
        )
        if not rows:
            return
        checkpoints = [
            CheckpointRecord(
                shard=self._shard,
                size=row["size"],
                root=row["root"].hex(),
                issued_at=row["issued_at"],
                note=row["note"],
            )
            for row in rows
        ]
        await publish(self._producer, *(checkpoint_record(each, self._topics.checkpoints) for each in checkpoints))
        await self._move("checkpoint_size", checkpoints[-1].size)
        self._checkpoint_size = checkpoints[-1].size

    async def _move(self, column: str, to: int) -> None:
        moved = await self._connection.execute(
            f"UPDATE es.relay SET {column} = $3 WHERE shard = $1 AND epoch = $2",  # noqa: S608 - ours, two of them
            self._shard,
            self._epoch,
            to,
        )
        if moved != "UPDATE 1":
            raise LeadLost(f"another relay leads shard {self._shard}")
