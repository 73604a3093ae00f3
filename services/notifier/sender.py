"""Sends what is due and reports what became of it. A lane of its own: slow servers hold up nobody who listens.

A message is taken under a lease before it goes out, and noted as sent before that is reported. A sender that is killed
between the two leaves one message of which nobody knows whether it went: it goes again under the same Message-ID (or
webhook id), by which whoever receives it twice knows it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from aiokafka import AIOKafkaProducer
from prometheus_client import Counter, Histogram

from complaints.adapters import cloudevents
from complaints.adapters.cloudevents import event_id
from complaints.adapters.kafka import CommandRequest, CommandSender, Topics, publish
from complaints.adapters.patience import Patience
from complaints.adapters.records import Record
from complaints.commands import RecordDelivery
from complaints.errors import RedressError, Transient, Undecodable, Unknown
from complaints.identity import service_command_id
from complaints.ports import Now
from notifier import deliveries
from notifier.addressing import Addressing
from notifier.channels import Channels, Refused, TryAgain
from notifier.deliveries import Delivery
from notifier.messages import NOTICES
from notifier.quiet import next_try

logger = logging.getLogger(__name__)

SENT = Counter("redress_notifier_messages", "Messages by what became of them.", ("kind", "channel", "outcome"))
SECONDS = Histogram("redress_notifier_send_seconds", "What a channel takes for a message.", ("channel",))

AT_ONCE: Final = 16
LEASE: Final = timedelta(minutes=2)
"""Longer than any channel may take."""
LOOK_EVERY: Final = 1.0
REPORTS: Final = 200


class Sender:
    """Sends until it is cancelled; several processes share the work. ``wake`` it when something was kept."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        addressing: Addressing,
        channels: Channels,
        commands: CommandSender,
        producer: AIOKafkaProducer,
        topics: Topics,
        now: Now,
    ) -> None:
        self._pool, self._addressing, self._channels, self._now = pool, addressing, channels, now
        self._commands, self._producer, self._topic = commands, producer, topics.notifications
        self._news = asyncio.Event()
        self._sending, self._reporting = Patience("notifier.send"), Patience("notifier.report")

    def wake(self) -> None:
        """There may be something to send."""
        self._news.set()

    async def run(self) -> None:
        """Sends and reports."""
        while True:
            self._news.clear()
            await self._sending.until_done(self._send_due)
            await self._reporting.until_done(self._report)
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def caught_up(self) -> bool:
        """Whether nothing is due and everything has been reported."""
        waits = await deliveries.waiting(self._pool, self._now())
        if waits:
            self.wake()
        return not waits

    def why_not_ready(self) -> str | None:
        """None while messages go out."""
        return self._sending.trouble or self._reporting.trouble

    # --- sending ---
    async def _send_due(self) -> None:
        while batch := await deliveries.claim(self._pool, self._now(), limit=AT_ONCE, lease=LEASE):
            async with asyncio.TaskGroup() as group:
                for delivery in batch:
                    group.create_task(self._send(delivery))
            await self._report()

    async def _send(self, delivery: Delivery) -> None:
        channel = self._channels.get(delivery.channel) or self._channels["staff"]
        try:
            outgoing = await self._addressing.outgoing(delivery)
            with SECONDS.labels(delivery.channel).time():
                await channel.send(outgoing)
        except TryAgain as error:
            await self._later(delivery, error.why)
        except Refused as error:
            await self._ended(delivery, delivered=False, reason=error.why)
        except Transient:
            await self._later(delivery, "the record cannot be read now")
        except (Undecodable, Unknown, RedressError) as error:  # its template, its desk or its case: a person must look
            logger.exception("message.impossible", extra={"delivery": str(delivery.key), "kind": delivery.kind})
            await self._ended(delivery, delivered=False, reason=error.code)
        else:
            await self._ended(delivery, delivered=True, reason=None)

    async def _later(self, delivery: Delivery, why: str) -> None:
        now = self._now()
        at = next_try(now, delivery.attempts, delivery.key)
        if at is None:
            await self._ended(delivery, delivered=False, reason=f"{why}; given up after {delivery.attempts} tries")
            return
        SENT.labels(delivery.kind, delivery.channel, "again").inc()
        await deliveries.again(self._pool, delivery.key, at, why)

    async def _ended(self, delivery: Delivery, *, delivered: bool, reason: str | None) -> None:
        SENT.labels(delivery.kind, delivery.channel, "sent" if delivered else "failed").inc()
        await deliveries.done(self._pool, delivery.key, self._now(), delivered=delivered, reason=reason)

    # --- reporting ---
    async def _report(self) -> None:
        """Tells the case's stream and the topic of notifications; both know a repeat by its id."""
        while batch := await deliveries.unreported(self._pool, limit=REPORTS):
            await self._commands.send_all([request for one in batch if (request := _request(one, self._now()))])
            await publish(self._producer, *(_record(one, self._topic, self._now()) for one in batch))
            await deliveries.reported(self._pool, _keys(batch))


def _keys(batch: Sequence[Delivery]) -> list[UUID]:
    return [delivery.key for delivery in batch]


def _request(delivery: Delivery, now: datetime) -> CommandRequest | None:
    """What the case is told; None where the message was about no step of a case."""
    if delivery.step is None or delivery.complaint != str(delivery.stream):
        return None
    command = RecordDelivery(
        id=service_command_id(delivery.stream, "record-delivery", delivery.key),
        complaint=delivery.complaint,
        at=now,
        step=delivery.step,
        channel=delivery.channel,
        delivered=bool(delivery.delivered),
        to=delivery.recipient,
        reason=delivery.reason,
        alert=None if delivery.kind in NOTICES else delivery.kind,
    )
    return CommandRequest(
        desk=delivery.desk,
        command=command,
        correlation_id=delivery.correlation_id,
        causation_id=event_id(delivery.stream, delivery.version),
    )


class Notification(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a message, on ``complaints.notifications.v1``. Whom it went to by name, never by address."""

    kind: str
    desk: str
    complaint: str
    clause: str | list[str] | None
    step: str | None
    recipient: str
    channel: str
    delivered: bool
    attempts: int
    reason: str | None = None


def _record(delivery: Delivery, topic: str, now: datetime) -> Record:
    told = Notification(
        kind=delivery.kind,
        desk=delivery.desk,
        complaint=delivery.complaint,
        clause=delivery.clause,
        step=delivery.step,
        recipient=delivery.recipient,
        channel=delivery.channel,
        delivered=bool(delivery.delivered),
        attempts=delivery.attempts,
        reason=delivery.reason,
    )
    headers = cloudevents.encode(
        {
            "id": delivery.key,
            "source": "/services/notifier",
            "type": "notification.sent" if delivery.delivered else "notification.failed",
            "subject": delivery.complaint,
            "time": now,
            "desk": delivery.desk,
            "clause": cloudevents.clause_text(delivery.clause),
            "causationid": event_id(delivery.stream, delivery.version),
            "correlationid": delivery.correlation_id,
        }
    )
    return Record(topic=topic, key=str(delivery.stream).encode(), value=msgspec.json.encode(told), headers=headers)
