"""The loop that takes the services' commands from Kafka to whoever decides them: intake.

A command may come twice and late; its id and the decider make that harmless. So nothing is kept here but the group's
offsets, committed after the work, and the dead letters.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from itertools import groupby

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from prometheus_client import Counter, Histogram

from complaints.adapters.dead_letters import DeadLetters, Letter, Refusal, dead_letter_record, refusal
from complaints.adapters.kafka import Ends, OnAssigned, Topics, member_options, publish, require_topic, silence
from complaints.adapters.logs import context
from complaints.adapters.patience import Patience
from complaints.adapters.records import CommandRecord, Message, command_of, message_of
from complaints.adapters.settings import Kafka
from complaints.adapters.telemetry import span
from complaints.commands import COMMAND_TYPES
from complaints.errors import CommandReused, Malformed, Rejected, Undecodable, Unknown

logger = logging.getLogger(__name__)

COMMANDS = Counter("redress_commands", "Commands from Kafka by what became of them.", ("command", "outcome"))
SECONDS = Histogram("redress_commands_batch_seconds", "From the fetch of a batch to its last answer.")

UNFIT = (Undecodable, Malformed, Unknown, CommandReused)
"""A command that asks for what does not exist or cannot be read is a bug of its sender: a person must see it."""

_POLL_MS = 250
_LOOK_FOR_LETTERS = 1.0


class CommandConsumer:
    """One member of the group ``name`` on the commands topic.

    ``handle`` decides a command and returns when that is durable. Commands for one complaint are done in order, those
    for different complaints at the same time, up to ``concurrency``. ``schema`` holds the dead letters.
    """

    def __init__(
        self,
        *,
        name: str,
        kafka: Kafka,
        pool: asyncpg.Pool,
        producer: AIOKafkaProducer,
        handle: Callable[[CommandRecord], Awaitable[None]],
        schema: str = "es",
        concurrency: int = 64,
        batch: int = 1000,
    ) -> None:
        self.name, self.topic = name, Topics(kafka.topic_prefix).commands
        self._kafka, self._pool, self._producer, self._handle = kafka, pool, producer, handle
        self._letters, self._batch = DeadLetters(schema), batch
        self._slots = asyncio.Semaphore(concurrency)
        self._consumer: AIOKafkaConsumer | None = None
        self._ends = Ends(kafka)
        self._joined = False
        self._patience = Patience("commands", topic=self.topic)
        self._looked_for_letters = 0.0

    async def run(self) -> None:
        """Takes commands until it is cancelled. Raises whatever is a bug."""
        await self._patience.until_done(self._follow)

    async def caught_up(self) -> bool:
        """Whether every command that is on the topic now has been decided, by whichever member."""
        consumer = self._consumer
        if consumer is None or not (partitions := consumer.partitions_for_topic(self.topic)):
            return False
        for partition, end in (await self._ends.of(self.topic, partitions)).items():
            if end and (await consumer.committed(TopicPartition(self.topic, partition)) or 0) < end:
                return False
        return True

    def why_not_ready(self) -> str | None:
        """None while it takes commands; else what is in its way."""
        return self._patience.trouble or silence(self._consumer if self._joined else None)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(**member_options(self._kafka, self.name))
        try:
            await consumer.start()
            await require_topic(consumer, self.topic)
            consumer.subscribe([self.topic], listener=OnAssigned(self._assigned))
            self._consumer = consumer
            while True:
                await self._step(consumer)
        finally:
            self._consumer, self._joined = None, False
            await self._ends.close()
            await consumer.stop()

    def _assigned(self, _: Collection[TopicPartition]) -> None:
        self._joined = True

    async def _step(self, consumer: AIOKafkaConsumer) -> None:
        fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=self._batch)
        self._patience.well()
        if fetched:
            began = time.perf_counter()
            await self._do([message_of(record) for records in fetched.values() for record in records])
            SECONDS.observe(time.perf_counter() - began)
            await self._commit(consumer, {at: records[-1].offset + 1 for at, records in fetched.items()})
        if (now := time.monotonic()) - self._looked_for_letters >= _LOOK_FOR_LETTERS:
            self._looked_for_letters = now
            await self._patience.until_done(self._reinject)

    async def _commit(self, consumer: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> None:
        held = {at: offset for at, offset in offsets.items() if at in consumer.assignment()}
        try:
            if held:
                await consumer.commit(held)
        except (CommitFailedError, IllegalStateError):  # another member has the partition now and does them again
            logger.info("commands.handed-over", extra={"partitions": len(held)})

    async def _do(self, messages: Iterable[Message]) -> None:
        """All of them, each complaint's in order."""
        by_complaint = sorted(messages, key=lambda message: (message.key, message.partition, message.offset))
        async with asyncio.TaskGroup() as group:
            for _, of_one in groupby(by_complaint, key=lambda message: message.key):
                group.create_task(self._do_in_order(list(of_one)))

    async def _do_in_order(self, messages: list[Message]) -> None:
        async with self._slots:
            for message in messages:
                if refused := await self._do_one(message):
                    await self._patience.until_done(partial(self._set_aside, refused))

    async def _do_one(self, message: Message) -> Refusal | None:
        """Decides one command, as often as it takes; its refusal if it can never be decided."""
        name = "unknown"
        try:
            record = command_of(message)
            name = record.command if record.command in COMMAND_TYPES else name
            with (
                context(complaint=record.complaint, command_id=record.id, correlation_id=record.correlation_id),
                span(f"command {name}", parents=[record.traceparent], complaint=record.complaint),
            ):
                await self._patience.until_done(lambda: self._handle(record))
        except Rejected as error:  # it came late, twice, or for a state that is no more
            extra = {"complaint": message.key, "command": name, "code": error.code, "clause": error.clause}
            logger.info("command.rejected", extra=extra)
            COMMANDS.labels(name, "rejected").inc()
        except UNFIT as error:
            COMMANDS.labels(name, "refused").inc()
            return refusal(message, error)
        else:
            COMMANDS.labels(name, "done").inc()
        return None

    # --- dead letters ------------------------------------------------------------------------------------------------
    async def _set_aside(self, refused: Refusal) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await self._letters.store(connection, self.name, [refused])
            await publish(self._producer, dead_letter_record(self.name, refused))
        where = {"partition": refused.message.partition, "offset": refused.message.offset}
        logger.error("command.dead-letter", extra={**where, "complaint": refused.message.key, "reason": refused.reason})

    async def _reinject(self) -> None:
        """Does again what was asked for. Commands are independent of one another: no stream is parked for one."""
        async with self._pool.acquire() as connection, connection.transaction():
            for letter in await self._letters.of_consumer(connection, self.name, self.topic):
                await self._do_again(connection, letter)

    async def _do_again(self, connection: asyncpg.Connection, letter: Letter) -> None:
        if refused := await self._do_one(letter.message):
            await self._letters.keep(connection, [letter], refused)
        else:
            await self._letters.settle(connection, [letter])
