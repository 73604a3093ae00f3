"""Tells what became of messages: the case, by a command, and the topic of notifications.

A lane of its own: while the broker is away messages go out all the same, and what became of them is told later.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

import asyncpg
from aiokafka import AIOKafkaProducer

from complaints.adapters.announcements import NotificationRecord, notification_record
from complaints.adapters.cloudevents import event_id
from complaints.adapters.kafka import CommandRequest, CommandSender, Topics, publish
from complaints.adapters.patience import Patience
from complaints.adapters.records import Record
from complaints.commands import RecordDelivery
from complaints.identity import service_command_id
from complaints.ports import Now
from notifier import deliveries
from notifier.deliveries import Delivery
from notifier.messages import NOTICES

BATCH: Final = 200
LOOK_EVERY: Final = 1.0


class Reporter:
    """Reports until it is cancelled; ``news`` is set when there is something to report.

    A repeat after a crash is known by its ids, on the stream and on the topic.
    """

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        commands: CommandSender,
        producer: AIOKafkaProducer,
        topics: Topics,
        now: Now,
        news: asyncio.Event,
    ) -> None:
        self._pool, self._now, self._news = pool, now, news
        self._commands, self._producer, self._topic = commands, producer, topics.notifications
        self._patience = Patience("notifier.report")

    async def run(self) -> None:
        """Reports whatever has ended."""
        while True:
            self._news.clear()
            await self._patience.until_done(self._report)
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def caught_up(self) -> bool:
        """Whether everything has been reported."""
        if await deliveries.any_unreported(self._pool):
            self._news.set()
            return False
        return True

    def why_not_ready(self) -> str | None:
        """None while results can be told."""
        return self._patience.trouble

    async def _report(self) -> None:
        while batch := await deliveries.unreported(self._pool, limit=BATCH):
            await self._commands.send_all([request for one in batch if (request := request_of(one, self._now()))])
            await publish(self._producer, *(record_of(one, self._topic) for one in batch))
            await deliveries.reported(self._pool, [one.key for one in batch])


def request_of(delivery: Delivery, now: datetime) -> CommandRequest | None:
    """What the case is told; None where the message was about no step of a case, or was withheld."""
    if delivery.step is None or not delivery.of_case or delivery.outcome == "withheld":
        return None
    command = RecordDelivery(
        id=service_command_id(delivery.stream, "record-delivery", delivery.key),
        complaint=delivery.complaint,
        at=now,
        step=delivery.step,
        channel=delivery.channel,
        delivered=delivery.outcome == "sent",
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


def record_of(delivery: Delivery, topic: str) -> Record:
    """What the topic of notifications is told: no name, no address, no words."""
    told = NotificationRecord(
        key=str(delivery.key),
        desk=delivery.desk,
        complaint=delivery.complaint,
        kind=delivery.kind,
        channel=delivery.channel,
        outcome="delivered" if delivery.outcome == "sent" else delivery.outcome or "failed",
        at=delivery.ended_at or delivery.at,
        clause=delivery.clause,
        step=delivery.step,
        clock=delivery.context.get("clock"),
        reason=delivery.code,
    )
    return notification_record(told, topic)
