"""Sends what is due: a lane for each kind of channel, so that slow webhooks hold up no letter.

A message is taken under a lease before it goes out and noted as sent as soon as the other side has it. A sender that
is killed between the two leaves one message of which nobody knows whether it went: it goes again when the lease ends,
under the same Message-ID (or webhook id), by which whoever receives it twice knows it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter as Counted
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import asyncpg
from prometheus_client import Counter, Histogram

from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.patience import Patience, is_transient
from complaints.errors import RedressError
from complaints.ports import Now
from notifier import deliveries
from notifier.addressing import Addressing
from notifier.channels import Channel, Channels, NotSent, Refused, TryAgain, Withheld
from notifier.deliveries import Delivery, LaneName, Outcome
from notifier.messages import is_urgent
from notifier.quiet import may_go_at, next_try

logger = logging.getLogger(__name__)

SENT = Counter("redress_notifier_messages", "Messages by what became of them.", ("kind", "channel", "outcome"))
SECONDS = Histogram("redress_notifier_send_seconds", "What a channel takes for a message.", ("channel",))

AT_ONCE: Final = 16
"""Messages that a lane has in hand."""
LANES: Final[dict[LaneName, int]] = {"email": AT_ONCE, "webhook": 4, "staff": 4}
"""Messages that one recipient may have in hand before others of the lane go first; all letters take one server."""
LEASE: Final = timedelta(minutes=3)
"""Longer than any channel may take."""
LOOK_EVERY: Final = 1.0
LAST_SENDS: Final = 12.0
"""Seconds that a lane which is being stopped waits for what it has in hand."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """What every lane works with. ``ended`` is called when a result is there to be reported."""

    pool: asyncpg.Pool
    views: LoggedViews
    addressing: Addressing
    channels: Channels
    now: Now
    ended: Callable[[], None] = field(compare=False)


class Lane:
    """Sends messages of one lane until it is cancelled; several processes share the work."""

    def __init__(self, name: LaneName, outbox: Outbox) -> None:
        self._name, self._outbox = name, outbox
        self._news = asyncio.Event()
        self._in_hand: dict[asyncio.Task[None], Delivery] = {}
        self._taking = False
        self._taken, self._noted = Patience("notifier.take", lane=name), Patience("notifier.note", lane=name)

    def wake(self) -> None:
        """There may be something to send."""
        self._news.set()

    async def run(self) -> None:
        """Sends whatever is due. What is in hand when it is cancelled is brought to its end, within seconds."""
        try:
            while True:
                self._news.clear()
                await self._taken.until_done(self._take)
                try:
                    async with asyncio.timeout(LOOK_EVERY):
                        await self._news.wait()
                except TimeoutError:
                    continue
        finally:
            if self._in_hand:
                _, late = await asyncio.wait(self._in_hand, timeout=LAST_SENDS)
                for task in late:
                    task.cancel()

    async def caught_up(self) -> bool:
        """Whether nothing is due and nothing on its way."""
        outbox = self._outbox
        if await deliveries.any_due(outbox.pool, outbox.now(), self._name):
            self.wake()
            return False
        return not (self._taking or self._in_hand)

    def why_not_ready(self) -> str | None:
        """None while messages can be taken and noted."""
        return self._taken.trouble or self._noted.trouble

    async def _take(self) -> None:
        """Takes what is due until nothing is, or enough is in hand."""
        self._taking = True
        try:
            while batch := await self._claim():
                for delivery in batch:
                    task = asyncio.create_task(self._deliver(delivery), name=f"notifier.{self._name}.{delivery.key}")
                    self._in_hand[task] = delivery
                    task.add_done_callback(self._done)
        finally:
            self._taking = False

    async def _claim(self) -> list[Delivery]:
        free, each = AT_ONCE - len(self._in_hand), LANES[self._name]
        if free <= 0:
            return []
        having = Counted(f"{one.desk}/{one.recipient}" for one in self._in_hand.values())
        return await deliveries.claim(
            self._outbox.pool,
            self._outbox.now(),
            self._name,
            limit=min(free, each),
            lease=LEASE,
            but=[one.key for one in self._in_hand.values()],
            busy=[recipient for recipient, count in having.items() if count >= each],
        )

    def _done(self, task: asyncio.Task[None]) -> None:
        delivery = self._in_hand.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("message.unnoted", extra={"delivery": str(delivery.key)}, exc_info=error)
        self._news.set()

    async def _deliver(self, delivery: Delivery) -> None:
        """Sends one, and notes what became of it for as long as that takes."""
        failure = await self._failure(delivery)
        await self._noted.until_done(lambda: self._note(delivery, failure))

    async def _failure(self, delivery: Delivery) -> NotSent | None:
        """Why it did not go; None once it has."""
        channel: Channel = self._outbox.channels.get(delivery.channel) or self._outbox.channels["staff"]
        try:
            outgoing = await self._outbox.addressing.outgoing(delivery)
            with SECONDS.labels(delivery.channel).time():
                await channel.send(outgoing)
        except NotSent as failure:
            return failure
        except Exception as error:
            if is_transient(error):
                return TryAgain("the record cannot be read now", "record-unreadable")
            logger.exception("message.impossible", extra={"delivery": str(delivery.key), "kind": delivery.kind})
            if isinstance(error, RedressError):  # its template, its desk or its case: a person must look
                return Refused(f"it cannot be written: {error.code}", error.code)
            return TryAgain(f"it cannot be sent: {type(error).__name__}", "impossible")
        return None

    async def _note(self, delivery: Delivery, failure: NotSent | None) -> None:
        if failure is None:
            await self._end(delivery, "sent", None, None)
        elif isinstance(failure, TryAgain) and (at := await self._next_try(delivery, failure)) is not None:
            SENT.labels(delivery.kind, delivery.channel, "again").inc()
            await deliveries.again(self._outbox.pool, delivery, at, reason=failure.why, code=failure.code)
        elif isinstance(failure, TryAgain):
            await self._end(
                delivery, "failed", f"{failure.why}; given up after {delivery.attempts} tries", failure.code
            )
        else:
            outcome: Outcome = "withheld" if isinstance(failure, Withheld) else "failed"
            await self._end(delivery, outcome, failure.why, failure.code)

    async def _next_try(self, delivery: Delivery, failure: TryAgain) -> datetime | None:
        now = self._outbox.now()
        at = next_try(now, delivery.attempts, delivery.key)
        if at is None:
            return None
        at = max(at, now + failure.after)
        if is_urgent(delivery.kind, delivery.recipient):
            return at
        desk = await self._outbox.views.current(delivery.desk)
        return may_go_at(at, desk.quiet_hours, desk.zone)

    async def _end(self, delivery: Delivery, outcome: Outcome, reason: str | None, code: str | None) -> None:
        SENT.labels(delivery.kind, delivery.channel, outcome).inc()
        outbox = self._outbox
        await deliveries.ended(outbox.pool, delivery, outbox.now(), outcome, reason=reason, code=code)
        outbox.ended()
