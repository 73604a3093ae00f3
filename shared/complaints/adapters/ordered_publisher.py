"""Publishes so that a partition gets its records in order or not at all.

A consumer takes a position that is not above the last one for a repeat, so a record must never arrive after one that
follows it. A producer that has several batches of a partition on their way can lose one and deliver the next; here each
partition has one batch on its way, a whole, and the next one waits for its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from complaints.adapters.kafka import LARGEST_RECORD
from complaints.adapters.records import Record

FULL: Final = 512 * 1024
"""Bytes of a partition's batch; a larger record has a batch of its own."""

PRODUCER_OPTIONS: Final[dict[str, Any]] = {"max_batch_size": LARGEST_RECORD, "enable_idempotence": True}
"""For the producer that is given to an OrderedPublisher: how full a batch gets is decided here, not there."""


class OrderedPublisher:
    """Sends what was prepared, one round at a time. The caller waits for a round's answers before the next round."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._partitioner = DefaultPartitioner()
        self._partitions: dict[str, list[int]] = {}

    async def send(self, groups: Sequence[Sequence[Record]]) -> tuple[int, Awaitable[Any]]:
        """Sends the first groups, at least one, as many as fit into a round; a group goes as a whole.

        Returns how many went, and what to wait for: it ends when all replicas have all of them, or raises KafkaError
        and then any of the round may be there, but of each partition all or nothing.
        """
        batches: dict[tuple[str, int], list[Record]] = {}
        sizes: dict[tuple[str, int], int] = {}
        taken = 0
        for group in groups:
            added: dict[tuple[str, int], int] = {}
            places = [(await self._partition(record), record) for record in group]
            for at, record in places:
                size = DefaultRecordBatchBuilder.estimate_size_in_bytes(record.key, record.value, record.headers)
                added[at] = added.get(at, 0) + size
            if any(at in sizes and sizes[at] + size > FULL for at, size in added.items()):
                break
            for at, record in places:
                batches.setdefault(at, []).append(record)
                sizes[at] = sizes.get(at, 0) + added.pop(at, 0)
            taken += 1
        answers = [await self._send_batch(topic, partition, batch) for (topic, partition), batch in batches.items()]
        return taken, asyncio.gather(*answers)

    async def _partition(self, record: Record) -> tuple[str, int]:
        """Topic and partition by the key, as every producer of the world chooses it. Partitions are never added."""
        partitions = self._partitions.get(record.topic)
        if partitions is None:
            partitions = sorted(await self._producer.partitions_for(record.topic))
            self._partitions[record.topic] = partitions
        return record.topic, self._partitioner(record.key, partitions, partitions)

    async def _send_batch(self, topic: str, partition: int, records: Sequence[Record]) -> Awaitable[Any]:
        batch = self._producer.create_batch()
        for record in records:
            if batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers) is None:
                raise ValueError("the producer was not made with PRODUCER_OPTIONS")
        batch.close()
        answer: Awaitable[Any] = await self._producer.send_batch(batch, topic, partition=partition)
        return answer
