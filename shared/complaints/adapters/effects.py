"""What a consumer's messages do to its database: each once, in order, or set aside; one transaction for a delivery."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import asyncpg
from aiokafka import AIOKafkaProducer
from prometheus_client import Counter, Gauge

from complaints.adapters.dead_letters import BEHIND, DeadLetters, Letter, Refusal, dead_letter_record, refusal
from complaints.adapters.inbox import Batch, Inbox, Place, Poison, Transactions, new_in
from complaints.adapters.kafka import publish
from complaints.adapters.records import Message
from complaints.adapters.telemetry import span
from complaints.errors import Undecodable

logger = logging.getLogger(__name__)

T = TypeVar("T")
C = TypeVar("C")

RECORDS = Counter("redress_inbox_records", "Records by what became of them.", ("consumer", "topic", "outcome"))
OPEN_LETTERS = Gauge("redress_inbox_dead_letters", "Dead letters that wait for a person.", ("consumer", "topic"))

UNFIT = (Undecodable, Poison)
"""What a decoder or a handler says of a message that can never be handled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a delivery."""

    gap: Message | None = None  # the first message whose stream lacks a version; it and all after it were left
    misplaced: bool = False  # the inbox stands before the delivery: read on from its place


@dataclass(slots=True)
class _Sorted(Generic[T]):
    """The new messages of a delivery: those to handle, with their items, and those to set aside."""

    parked: set[str]  # grows: a stream is parked from its first refusal on
    good: list[tuple[Message, T]] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def refuse(self, refused: Refusal) -> None:
        self.refused.append(refused)
        if refused.message.key:
            self.parked.add(refused.message.key)


class Effects(Generic[T, C]):
    """Uses the messages of one topic for one consumer; see ``consuming.Consumer`` for what the functions promise."""

    def __init__(
        self,
        *,
        name: str,
        topic: str,
        schema: str,
        transactions: Transactions[C],
        decode: Callable[[Message], T],
        handle: Callable[[C, Sequence[T]], Awaitable[None]],
        producer: AIOKafkaProducer,
        check_versions: bool,
        committed: Callable[[Sequence[T]], None] | None,
    ) -> None:
        self._name, self._topic, self._transactions = name, topic, transactions
        self._decode, self._handle, self._committed = decode, handle, committed
        self._producer, self._check_versions = producer, check_versions
        self._inbox, self._letters = Inbox(schema, topic), DeadLetters(schema)

    async def open(self, partitions: Collection[int]) -> dict[int, Place]:
        """Where to read on in these partitions."""
        async with self._transactions() as (_, connection):
            return await self._inbox.open(connection, partitions)

    async def places(self) -> dict[int, Place]:
        """Where each partition stands, whoever reads it."""
        async with self._transactions() as (_, connection):
            return await self._inbox.places(connection)

    async def restart(self, partition: int, beginning: int) -> None:
        """Another topic of the same name is there: read it from ``beginning``; known positions are repeats."""
        async with self._transactions() as (_, connection):
            place = await self._inbox.lock(connection, partition)
            moved = Place(next_offset=beginning, last_position=place.last_position)
            await self._inbox.move(connection, partition, moved)

    async def skip_to(self, partition: int, offset: int) -> None:
        """What lies before ``offset`` is gone and not missed."""
        async with self._transactions() as (_, connection):
            place = await self._inbox.lock(connection, partition)
            if place.next_offset < offset:
                moved = Place(next_offset=offset, last_position=place.last_position)
                await self._inbox.move(connection, partition, moved)

    async def take(self, partition: int, messages: Sequence[Message]) -> Taken:
        """Uses a delivery: all of it, or nothing where it raises."""
        try:
            return await self._use(partition, messages, one_by_one=False)
        except UNFIT:  # a handler's word on a whole batch; which of them is it?
            return await self._use(partition, messages, one_by_one=True)

    async def _use(self, partition: int, messages: Sequence[Message], *, one_by_one: bool) -> Taken:
        async with self._transactions() as (given, connection):
            place = await self._inbox.lock(connection, partition)
            if messages[0].offset > place.next_offset:
                return Taken(misplaced=True)
            keys = {message.key for message in messages}
            parked = await self._letters.parked(connection, self._name, self._topic, keys)
            versions = await self._inbox.versions(connection, keys) if self._check_versions else None
            batch = new_in(place, messages, versions, parked)
            work = self._sort(batch, parked)
            handled = await self._do(given, connection, work, one_by_one=one_by_one)
            if work.refused:
                await self._set_aside(connection, work.refused)
            if versions is not None and batch.fresh:
                await self._inbox.saw(connection, {m.key: m.version for m in batch.fresh if m.version is not None})
            if batch.after != place:
                await self._inbox.move(connection, partition, batch.after)
        self._count("handled", len(handled))
        self._count("repeated", batch.repeats)
        self._count("refused", len(work.refused))
        if self._committed is not None and handled:
            self._committed(handled)
        return Taken(gap=batch.gap)

    def _sort(self, batch: Batch, parked: set[str]) -> _Sorted[T]:
        work: _Sorted[T] = _Sorted(parked=parked)
        for message in batch.fresh:
            if message.key in work.parked:
                work.refuse(Refusal(message=message, reason=BEHIND))
                continue
            try:
                work.good.append((message, self._decode(message)))
            except UNFIT as error:
                work.refuse(refusal(message, error))
        return work

    async def _do(self, given: C, connection: asyncpg.Connection, work: _Sorted[T], *, one_by_one: bool) -> Sequence[T]:
        """Handles the good ones; returns the items that were handled."""
        if not one_by_one:
            items = [item for _, item in work.good]
            if items:
                with span(f"{self._name} handle", parents=[m.traceparent for m, _ in work.good], records=len(items)):
                    await self._handle(given, items)
            return items
        handled: list[T] = []
        for message, item in work.good:
            if message.key in work.parked:
                work.refuse(Refusal(message=message, reason=BEHIND))
                continue
            try:
                async with connection.transaction():  # a savepoint: what it did before it refused is undone
                    await self._handle(given, [item])
            except UNFIT as error:
                work.refuse(refusal(message, error))
            else:
                handled.append(item)
        work.refused.sort(key=lambda refused: refused.message.offset)
        return handled

    async def _set_aside(self, connection: asyncpg.Connection, refused: Sequence[Refusal]) -> None:
        """Keeps the refused, here and on the dead-letter topic, before the place moves past them."""
        await self._letters.store(connection, self._name, refused)
        await publish(self._producer, *(dead_letter_record(self._name, each) for each in refused))
        for each in refused:
            where = {"topic": self._topic, "partition": each.message.partition, "offset": each.message.offset}
            logger.log(
                logging.INFO if each.reason == BEHIND else logging.ERROR,
                "inbox.dead-letter",
                extra={**where, "consumer": self._name, "complaint": each.message.key, "reason": each.reason},
            )

    # --- letters that somebody wants handled again -------------------------------------------------------------------
    async def reinject(self, partitions: Collection[int]) -> None:
        """Handles the letters that were asked for, in order, each stream up to the first that fails again."""
        async with self._transactions() as (_, connection):
            OPEN_LETTERS.labels(self._name, self._topic).set(
                await self._letters.open_count(connection, self._name, self._topic)
            )
            asked = await self._letters.asked_for(connection, self._name, self._topic, partitions)
        for partition, key in asked:
            await self._reinject_stream(partition, key)

    async def _reinject_stream(self, partition: int, key: str) -> None:
        handled: list[T] = []
        async with self._transactions() as (given, connection):
            await self._inbox.lock(connection, partition)  # nothing of the stream is set aside meanwhile
            letters = await self._letters.of_stream(connection, self._name, self._topic, key)
            settled: list[Letter] = []
            for place, letter in enumerate(letters):
                try:
                    item = self._decode(letter.message)
                    async with connection.transaction():
                        await self._handle(given, [item])
                except UNFIT as error:
                    await self._letters.keep(connection, letters[place:], refusal(letter.message, error))
                    break
                handled.append(item)
                settled.append(letter)
            await self._letters.settle(connection, settled)
        logger.info("inbox.reinjected", extra={"consumer": self._name, "complaint": key, "records": len(handled)})
        self._count("reinjected", len(handled))
        if self._committed is not None and handled:
            self._committed(handled)

    def _count(self, outcome: str, records: int) -> None:
        if records:
            RECORDS.labels(self._name, self._topic, outcome).inc(records)
