"""Apache Kafka: topics, the producer, and what services send through it."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, LeaderNotAvailableError, TopicAlreadyExistsError, for_code

from complaints.adapters.database import Backoff
from complaints.adapters.records import CommandRecord, Record, command_record
from complaints.adapters.settings import Kafka
from complaints.commands import Command, data_of, name_of
from complaints.errors import Transient

logger = logging.getLogger(__name__)

LARGEST_RECORD = 8 * 2**20
"""Bytes. Intake takes less, so that an event that was acknowledged always fits."""

SILENCE = 15.0
"""Seconds without an answer to a fetch, which takes half a second at most, after which a member is not ready."""

LAST_SENDS = 5.0
"""Seconds that a producer which is being closed waits for the cluster to take what it still has."""

_DAY_MS = 86_400_000


class Topics:
    """Topic names; an installation that shares a cluster puts its prefix before them."""

    def __init__(self, prefix: str = "") -> None:
        self.events = f"{prefix}complaints.events.v1"
        self.commands = f"{prefix}complaints.commands.v1"
        self.escalations = f"{prefix}complaints.escalations.v1"
        self.notifications = f"{prefix}complaints.notifications.v1"
        self.checkpoints = f"{prefix}complaints.checkpoints.v1"
        self.all = (self.events, self.commands, self.escalations, self.notifications, self.checkpoints)

    @staticmethod
    def dead_letters(topic: str) -> str:
        """Where what cannot be handled on a topic goes."""
        return f"{topic}.dead-letters"


class TopicsDiffer(RuntimeError):
    """A topic exists with another number of partitions than the settings say; keys would change their partition."""


class TopicMissing(Transient):
    """The topic has not been created yet."""

    code = "topic-missing"


def client_options(kafka: Kafka) -> dict[str, Any]:
    """What every client of the cluster is made with."""
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap_servers.split(","),
        "security_protocol": kafka.security_protocol,
    }
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=kafka.ca_file)
    if kafka.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.sasl_username
        options["sasl_plain_password"] = kafka.sasl_password
    return options


def member_options(kafka: Kafka, group: str) -> dict[str, Any]:
    """What a member of a consumer group is made with. It keeps its own account of what it has used."""
    name = f"{kafka.topic_prefix}{group}"
    return {
        **client_options(kafka),
        "client_id": name,
        "group_id": name,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "max_partition_fetch_bytes": LARGEST_RECORD,
        "session_timeout_ms": 10_000,
        "heartbeat_interval_ms": 2_000,
        "max_poll_interval_ms": 600_000,
    }


class OnAssigned(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka carries no types
    """Tells a member what it holds from now on; it holds nothing else."""

    def __init__(self, assigned: Callable[[Collection[TopicPartition]], None]) -> None:
        self._assigned = assigned

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Nothing: work under way ends as it began, and does no harm if another member does it too."""

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._assigned(assigned)


def silence(consumer: AIOKafkaConsumer | None) -> str | None:
    """None while the brokers of what a member holds answer; else since when they do not."""
    if consumer is None:
        return "has not joined its group yet"
    answers = [answer for at in consumer.assignment() if (answer := consumer.last_poll_timestamp(at))]
    if answers and (seconds := time.time() - max(answers) / 1000) > SILENCE:
        return f"no answer from Kafka for {seconds:.0f} s"
    return None


class Ends:
    """Where a topic ends now, asked on a connection of its own: a member's waits for news with whatever it is asked."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._asker: AIOKafkaConsumer | None = None

    async def of(self, topic: str, partitions: Collection[int]) -> dict[int, int]:
        """The next offset of each partition. Raises: KafkaError."""
        if self._asker is None:
            asker = AIOKafkaConsumer(**client_options(self._kafka), enable_auto_commit=False)
            await asker.start()
            self._asker = asker
        ends = await self._asker.end_offsets([TopicPartition(topic, partition) for partition in partitions])
        return {at.partition: end for at, end in ends.items()}

    async def close(self) -> None:
        """Closes the connection; a repeat does nothing."""
        asker, self._asker = self._asker, None
        if asker is not None:
            await asker.stop()


async def require_topic(consumer: AIOKafkaConsumer, topic: str) -> None:
    """Returns if the topic is there; a member that subscribes to one that is not might not notice when it comes.

    Raises: TopicMissing.
    """
    if topic not in await consumer.topics():
        raise TopicMissing(f"no topic is called {topic}")


async def create_topics(kafka: Kafka) -> list[str]:
    """Creates the topics that are missing, with explicit partitions, copies and retention; returns their names.

    Raises:
        TopicsDiffer: a topic has another number of partitions.
        KafkaError: the cluster refused, or cannot be reached.
    """
    wanted = {topic.name: topic for topic in layout(kafka)}
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for name, topic in wanted.items() if name not in existing]
        created = await _create(admin, missing) if missing else []
        await _all_there(admin, wanted)
    finally:
        await admin.close()
    if created:
        logger.info("topics.created", extra={"topics": len(created), "prefix": kafka.topic_prefix})
    return created


async def _create(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> list[str]:
    response = await admin.create_topics(topics)
    created = []
    for name, code, *_ in response.topic_errors:
        if code == 0:
            created.append(name)
        elif code != TopicAlreadyExistsError.errno:  # another process was faster
            raise for_code(code)(name)
    return created


async def _all_there(admin: AIOKafkaAdminClient, wanted: Mapping[str, NewTopic]) -> None:
    """Returns when every topic can be used: a cluster tells of a new one, and finds its leaders, in its own time."""
    backoff = Backoff(patience=30.0)
    while True:
        described = {each["topic"]: each["partitions"] for each in await admin.describe_topics(list(wanted))}
        for name, topic in wanted.items():
            if described[name] and len(described[name]) != topic.num_partitions:
                found = len(described[name])
                raise TopicsDiffer(f"{name} has {found} partitions, the settings say {topic.num_partitions}")
        if all(partitions and all(p["leader"] >= 0 for p in partitions) for partitions in described.values()):
            return
        if not await backoff.wait():
            raise LeaderNotAvailableError


def layout(kafka: Kafka) -> Iterable[NewTopic]:
    """Every topic as the settings want it."""
    topics = Topics(kafka.topic_prefix)
    for_ever = str(kafka.retention_days * _DAY_MS or -1)
    a_month = str(30 * _DAY_MS)
    layout = {
        topics.events: (kafka.partitions, for_ever),
        topics.commands: (kafka.partitions, a_month),
        topics.escalations: (1, a_month),  # one partition: ops and boards read it in order of positions
        topics.notifications: (1, a_month),
        topics.checkpoints: (1, for_ever),
    }
    for name, (partitions, retention) in layout.items():
        for topic, count, kept in ((name, partitions, retention), (topics.dead_letters(name), 1, "-1")):
            configs = {
                "cleanup.policy": "delete",
                "retention.ms": kept,
                "retention.bytes": "-1",
                "max.message.bytes": str(LARGEST_RECORD + 2**16),
            }
            yield NewTopic(topic, count, kafka.replication, topic_configs=configs)


@asynccontextmanager
async def open_producer(kafka: Kafka, *, client: str, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that returns from a send when all replicas have the record.

    Waits for a cluster that is away. ``options`` are aiokafka's. Whoever asks for an idempotent one opens another after
    a failed send: once a batch is given up, its numbers have a gap that the cluster refuses for ever. All others send
    what is known again by its id, however often it is written.
    """
    backoff = Backoff()
    while True:
        producer = AIOKafkaProducer(
            **client_options(kafka),
            client_id=f"{kafka.topic_prefix}{client}",
            acks="all",
            max_request_size=LARGEST_RECORD,
            request_timeout_ms=30_000,
            **options,
        )
        try:
            await producer.start()
            break
        except KafkaConnectionError:
            await _close(producer)
            logger.warning("kafka.unreachable", extra={"client": client, "brokers": kafka.bootstrap_servers})
            await backoff.wait()
        except BaseException:
            await _close(producer)
            raise
    try:
        yield producer
    finally:
        await _close(producer)


async def _close(producer: AIOKafkaProducer) -> None:
    """Closes a producer after what it still has to send, unless the cluster is away: then what it has is given up.

    Nobody was told that it had been sent, so whoever wanted it sends it again.
    """
    try:
        async with asyncio.timeout(LAST_SENDS):
            await producer.stop()
    except TimeoutError:  # aiokafka itself would wait for the cluster for ever
        logger.warning("kafka.sends-given-up")
        await producer._sender.close()  # noqa: SLF001 - nothing public closes a producer without waiting
        await producer.client.close()


async def publish(producer: AIOKafkaProducer, *records: Record) -> None:
    """Sends records and returns when all replicas have them. Raises: KafkaError."""
    sent = [await producer.send(r.topic, r.value, r.key, headers=r.headers) for r in records]
    if sent:
        await asyncio.gather(*sent)


class CommandRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A command that a service wants done, and what led to it."""

    desk: str
    command: Command
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    traceparent: str | None = None


class CommandSender:
    """Sends commands to intake. What it sends twice is done once: the id says what it is about."""

    def __init__(self, producer: AIOKafkaProducer, topics: Topics, *, source: str) -> None:
        self._producer, self._topic, self._source = producer, topics.commands, source

    async def send(
        self,
        desk: str,
        command: Command,
        *,
        correlation_id: UUID | None = None,
        causation_id: UUID | None = None,
        traceparent: str | None = None,
    ) -> None:
        """Returns when the topic has the command; it is decided later. ``command.at`` is not sent: intake stamps it."""
        request = CommandRequest(
            desk=desk,
            command=command,
            correlation_id=correlation_id,
            causation_id=causation_id,
            traceparent=traceparent,
        )
        await self.send_all([request])

    async def send_all(self, requests: Iterable[CommandRequest]) -> None:
        """Sends many, in order for each complaint; returns when the topic has all of them."""
        await publish(self._producer, *map(self._record, requests))

    def _record(self, request: CommandRequest) -> Record:
        command = request.command
        record = CommandRecord(
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
        return command_record(record, self._topic, source=self._source)


def is_passing(error: KafkaError) -> bool:
    """Whether the cluster may take the same request later."""
    return bool(error.retriable) or isinstance(error, KafkaConnectionError)
