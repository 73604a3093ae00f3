"""The loop of a service that follows a topic: fetch, use, and move on.

What passes is waited out, in order: nothing after it is looked at before it. What can never be handled goes to the dead
letters, with all that follows it in its stream; its neighbours do not notice. Anything else is a bug and ends the loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Generic, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client import Gauge, Histogram

from complaints.adapters.effects import Effects
from complaints.adapters.inbox import Place, Standing, Transactions, standing
from complaints.adapters.kafka import Ends, OnAssigned, member_options, require_topic, silence
from complaints.adapters.patience import Patience
from complaints.adapters.records import Message, message_of
from complaints.adapters.settings import Kafka

logger = logging.getLogger(__name__)

T = TypeVar("T")
C = TypeVar("C")

_LABELS = ("consumer", "topic")
LAG = Gauge("redress_inbox_lag", "Records on the topic that wait.", (*_LABELS, "partition"))
STOPPED = Gauge(
    "redress_inbox_stopped", "1 while a partition stands still and needs a person.", (*_LABELS, "partition")
)
SECONDS = Histogram("redress_inbox_batch_seconds", "From the fetch of a batch to its commit.", _LABELS)

_POLL_MS = 250
_LOOK_FOR_LETTERS = 1.0
"""Seconds between looks whether somebody wants letters handled again."""


class Consumer(Generic[T, C]):
    """One member of the group ``name``, on one topic.

    ``decode`` makes an item of a message; ``handle`` uses items, in order, in the transaction that moves the inbox in
    ``schema``; ``committed`` hears of them afterwards. ``handle`` may see the same items again after a rollback. It may
    raise ``Poison`` or ``Undecodable``: then it sees the items of that batch one by one. With ``check_versions`` a
    stream that lacks a version stops the partition.

    Partitions are independent of one another. With ``side_by_side`` what was fetched of them is used at the same time,
    each in a transaction and a task of its own; ``handle`` and ``committed`` must bear that.
    """

    def __init__(
        self,
        *,
        name: str,
        topic: str,
        kafka: Kafka,
        schema: str,
        transactions: Transactions[C],
        decode: Callable[[Message], T],
        handle: Callable[[C, Sequence[T]], Awaitable[None]],
        producer: AIOKafkaProducer,
        check_versions: bool = False,
        committed: Callable[[Sequence[T]], None] | None = None,
        batch: int = 500,
        side_by_side: bool = False,
    ) -> None:
        self.name, self.topic = name, topic
        self._kafka, self._batch, self._side_by_side = kafka, batch, side_by_side
        self._effects = Effects(
            name=name,
            topic=topic,
            schema=schema,
            transactions=transactions,
            decode=decode,
            handle=handle,
            producer=producer,
            check_versions=check_versions,
            committed=committed,
        )
        self._consumer: AIOKafkaConsumer | None = None
        self._ends = Ends(kafka)
        self._joined = False
        self._unplaced: set[TopicPartition] = set()
        self._read: dict[TopicPartition, Place] = {}  # where this member's own reading stands
        self._stopped: dict[TopicPartition, str] = {}
        self._patience = Patience("inbox", consumer=name, topic=topic)
        self._looked_for_letters = 0.0

    async def run(self) -> None:
        """Follows the topic until it is cancelled. Raises whatever is a bug."""
        await self._patience.until_done(self._follow)

    async def caught_up(self) -> bool:
        """Whether everything that is on the topic now has been handled, by whichever member."""
        consumer = self._consumer
        if consumer is None or not (partitions := consumer.partitions_for_topic(self.topic)):
            return False
        ends = await self._ends.of(self.topic, partitions)
        places = await self._effects.places()
        return all(places.get(partition, Place()).next_offset >= end for partition, end in ends.items())

    def why_not_ready(self) -> str | None:
        """None while it follows the topic; else what is in its way."""
        member = self._consumer if self._joined else None
        return next(iter(self._stopped.values()), self._patience.trouble or silence(member))

    # --- the loop ----------------------------------------------------------------------------------------------------
    async def _follow(self) -> None:
        async with self._member() as consumer:
            while True:
                await self._step(consumer)

    @asynccontextmanager
    async def _member(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(**member_options(self._kafka, self.name))
        try:
            await consumer.start()
            await require_topic(consumer, self.topic)
            consumer.subscribe([self.topic], listener=OnAssigned(self._assigned))
            self._consumer = consumer
            yield consumer
        finally:
            self._consumer, self._joined = None, False
            self._forget()
            await self._ends.close()
            await consumer.stop()

    async def _step(self, consumer: AIOKafkaConsumer) -> None:
        if self._unplaced:
            await self._while_held(consumer, self._unplaced, lambda: self._place_assigned(consumer))
        fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=self._batch)
        await self._take_all(
            self._while_held(consumer, {at}, partial(self._take, consumer, at, [message_of(each) for each in records]))
            for at, records in fetched.items()
            if at in self._read and at not in self._unplaced  # else assigned while we fetched: read from its place
        )
        if (now := time.monotonic()) - self._looked_for_letters >= _LOOK_FOR_LETTERS:
            self._looked_for_letters = now
            held = consumer.assignment()
            await self._while_held(consumer, held, lambda: self._effects.reinject([at.partition for at in held]))

    async def _take_all(self, deliveries: Iterable[Coroutine[Any, Any, None]]) -> None:
        """One partition's after the other's, or all at once. Raises whatever is a bug, after the others have ended."""
        if not self._side_by_side:
            for delivery in deliveries:
                await delivery
            return
        try:
            async with asyncio.TaskGroup() as group:
                for delivery in deliveries:
                    group.create_task(delivery)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _while_held(
        self, consumer: AIOKafkaConsumer, held: Collection[TopicPartition], work: Callable[[], Awaitable[None]]
    ) -> None:
        """Does ``work`` until it succeeds, or the partitions that it is about belong to somebody else."""
        ours = frozenset(held)
        await self._patience.until_done(work, wanted=lambda: bool(consumer.assignment() >= ours))

    async def _take(self, consumer: AIOKafkaConsumer, at: TopicPartition, messages: Sequence[Message]) -> None:
        began = time.perf_counter()
        if at not in self._read:  # dealt out anew while we waited: it is read again from its place
            return
        if messages[0].offset != self._read[at].next_offset and not await self._prove(consumer, at, messages[0]):
            return
        taken = await self._effects.take(at.partition, messages)
        if taken.misplaced:
            self._unplaced.add(at)
            return
        if (place := self._read.get(at)) is None:  # dealt out anew meanwhile; what was used is noted in the inbox
            return
        self._read[at] = place.after(messages[-1])
        if taken.gap is not None:
            self._stop(consumer, at, f"version {taken.gap.version} of a stream came before the one below it", taken.gap)
        SECONDS.labels(self.name, self.topic).observe(time.perf_counter() - began)
        if (end := consumer.highwater(at)) is not None:
            LAG.labels(self.name, self.topic, at.partition).set(max(end - messages[-1].offset - 1, 0))

    # --- where to read -----------------------------------------------------------------------------------------------
    def _assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._forget()
        self._unplaced = set(assigned)
        self._joined = True

    def _forget(self) -> None:
        for at in self._stopped:
            STOPPED.labels(self.name, self.topic, at.partition).set(0)
        self._stopped.clear()
        self._unplaced.clear()
        self._read.clear()

    async def _place_assigned(self, consumer: AIOKafkaConsumer) -> None:
        """Seeks to the inbox's places."""
        assigned = set(self._unplaced)
        places = await self._effects.open([at.partition for at in assigned])
        for at in assigned & consumer.assignment():
            self._read[at] = places[at.partition]
            consumer.seek(at, self._read[at].fetch_from)
        self._unplaced -= assigned

    async def _prove(self, consumer: AIOKafkaConsumer, at: TopicPartition, first: Message) -> bool:
        """Whether a message that is not simply the next one fits our reading; else reads from elsewhere, or stops."""
        place = self._read[at]
        match standing(place, first):
            case Standing.FITS:
                if first.offset > place.next_offset:
                    await self._effects.skip_to(at.partition, first.offset)
                return True
            case Standing.MISSING:
                self._stop(consumer, at, f"offsets {place.next_offset} to {first.offset - 1} are gone, unread", first)
                return False
            case Standing.REPLACED:
                beginning = (await consumer.beginning_offsets([at]))[at]
                await self._effects.restart(at.partition, beginning)
                logger.warning("inbox.topic-replaced", extra={"consumer": self.name, "partition": at.partition})
                self._unplaced.add(at)
                return False

    def _stop(self, consumer: AIOKafkaConsumer, at: TopicPartition, why: str, message: Message) -> None:
        """Reads no further in a partition; a restart, or another member, looks at it again."""
        consumer.pause(at)
        self._stopped[at] = f"partition {at.partition} stands: {why}"
        STOPPED.labels(self.name, self.topic, at.partition).set(1)
        where = {"consumer": self.name, "topic": self.topic, "partition": at.partition, "offset": message.offset}
        logger.critical("inbox.stopped", extra={**where, "position": message.position, "complaint": message.key})
