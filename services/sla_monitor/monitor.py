"""Fires what is due: claims it, sends its command, and sees to it that nothing that was sent stays without effect.

The timer lane: connections and a producer of its own, so that nothing that is behind keeps a deadline waiting. It
sleeps until the earliest due instant; an earlier one that is armed wakes it. Any number of monitors work side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never

import asyncpg
from prometheus_client import Counter, Histogram

from complaints.adapters import database
from complaints.adapters.database import Backoff, asyncpg_url
from complaints.adapters.kafka import CommandRequest, CommandSender
from complaints.adapters.patience import Patience
from complaints.codec import DESK
from complaints.commands import Command, FireTimer, MissDuty, OpenDuty
from complaints.identity import service_command_id
from complaints.ports import Now
from sla_monitor import timers
from sla_monitor.arming import period_of
from sla_monitor.timers import ARMED, Timer

FIRED: Final = Counter(
    "redress_sla_monitor_fired", "Timers fired; `again`: nothing came of it before.", ("kind", "again")
)
LATENESS: Final = Histogram(
    "redress_sla_monitor_lateness_seconds",
    "From the due instant of a timer to Kafka's word for its command; without imported cases and repeats.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300, 3600),
)

LOOK_EVERY: Final = timedelta(seconds=1)
"""The longest that a monitor sleeps. A timer that is armed to fire sooner wakes it."""
LEASE: Final = timedelta(seconds=15)
"""How long a claim lasts: what is claimed and not sent by then, its monitor is dead."""
AGAIN_AFTER: Final = timedelta(seconds=60)
"""When a timer that was sent is sent again if nothing has come of it; then after twice as long each time."""
_LONGEST: Final = timedelta(days=1)
_TRIES: Final = 5
"""How often that is fired which may rightly have no effect: a step whose condition is not true when its wait is over, a
period of a duty that the desk has no more. A limit is fired until it has run out."""
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_BATCH: Final = 500


class Monitor:
    """One monitor. ``pool`` and ``sender`` are its own."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        sender: CommandSender,
        now: Now,
        lease: timedelta = LEASE,
        again_after: timedelta = AGAIN_AFTER,
        look_every: timedelta = LOOK_EVERY,
        batch: int = _BATCH,
    ) -> None:
        self._pool, self._sender, self._now = pool, sender, now
        self._lease, self._again_after, self._look_every, self._batch = lease, again_after, look_every, batch
        self._armed = asyncio.Event()
        self._firing = False
        self._patience = Patience("sla_monitor.timers")

    def wake(self) -> None:
        """Something may be due sooner than was known."""
        self._armed.set()

    async def run(self) -> None:
        """Fires until it is cancelled."""
        while True:
            self._armed.clear()
            await self._patience.until_done(self.fire_all)
            await self._sleep()

    async def listen(self, url: str) -> None:
        """Hears from other processes that something was armed, until it is cancelled."""
        backoff = Backoff()
        while True:
            with suppress(*_LOST):
                connection = await asyncpg.connect(
                    asyncpg_url(url), server_settings={"application_name": "redress-sla-monitor-listen"}
                )
                lost = asyncio.Event()
                connection.add_termination_listener(lambda _connection, lost=lost: lost.set())
                try:
                    await connection.add_listener(ARMED, lambda *_: self.wake())
                    backoff.reset()
                    self.wake()  # something may have been armed while nobody listened
                    await lost.wait()
                finally:
                    connection.terminate()
            await backoff.wait()

    async def fire_all(self) -> None:
        """Fires everything that is due now."""
        self._firing = True
        while await self.fire_some():
            pass
        self._firing = False  # what was claimed and failed is being tried again: still firing

    async def fire_some(self) -> bool:
        """Fires a batch of what is due; False when nothing was. Raises: KafkaError, connection errors."""
        now = self._now()
        async with self._pool.acquire() as connection:
            due = await timers.claim(connection, now, now + self._lease, self._batch)
        if not due:
            return False
        try:
            await self._sender.send_all([CommandRequest(desk=each.desk, command=command_of(each, now)) for each in due])
        except BaseException:  # Kafka is away, or we are told to stop: others need not wait until the claim ends
            await self._give_back(due)
            raise
        fired_at = self._now()
        async with self._pool.acquire() as connection:
            await timers.sent(connection, [(timer, self._again_at(timer, fired_at)) for timer in due])
        _measure(due, fired_at)
        return True

    async def caught_up(self) -> bool:
        """Whether nothing is due that has not been fired, and nothing is on its way."""
        if self._firing:
            return False
        at = await self._next_at()
        if at is not None and at <= self._now():
            self.wake()
            return False
        return True

    def why_not_ready(self) -> str | None:
        """None while what is due is fired."""
        return self._patience.trouble

    async def _give_back(self, claimed: Sequence[Timer]) -> None:
        with suppress(*_LOST):
            async with self._pool.acquire() as connection:
                await timers.sent(connection, [(timer, timer.due_at) for timer in claimed])

    async def _sleep(self) -> None:
        pause = self._look_every
        try:
            at = await self._next_at()
        except Exception as error:
            if not database.passing(error):
                raise
        else:
            if at is not None:
                pause = min(max(at - self._now(), timedelta()), self._look_every)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause.total_seconds()):
                await self._armed.wait()

    async def _next_at(self) -> datetime | None:
        async with self._pool.acquire() as connection:
            return await timers.next_at(connection)

    def _again_at(self, timer: Timer, now: datetime) -> datetime:
        if timer.kind in {"step", "opening"} and timer.claims >= _TRIES:
            return NEVER
        return now + min(self._again_after * (1 << min(timer.claims - 1, 20)), _LONGEST)


_LOST: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


def command_of(timer: Timer, at: datetime) -> Command:
    """The command that a timer fires. Fired again it is another one: the first may have decided something else."""
    again = () if timer.claims == 1 else (timer.claims,)
    match timer.kind:
        case "clock" | "warning" | "step" | "audit":
            return FireTimer(
                id=service_command_id(timer.stream, "fire-timer", timer.name, timer.due_at, *again),
                complaint=str(timer.stream),
                at=at,
                clock=timer.name,
                due_at=timer.due_at,
            )
        case "opening":
            owe, period = period_of(timer.name)
            return OpenDuty(
                id=service_command_id(timer.stream, "open-duty", owe, period, *again),
                complaint=DESK,
                at=at,
                owe=owe,
                period=period,
                opens_at=timer.due_at,
                due_at=timer.ends_at,
            )
        case "duty":
            owe, period = period_of(timer.name)
            return MissDuty(
                id=service_command_id(timer.stream, "miss-duty", owe, period, timer.due_at, *again),
                complaint=DESK,
                at=at,
                owe=owe,
                period=period,
                due_at=timer.due_at,
            )
        case _:
            assert_never(timer.kind)


def _measure(fired: Sequence[Timer], at: datetime) -> None:
    for timer in fired:
        FIRED.labels(timer.kind, str(timer.claims > 1).lower()).inc()
        if timer.claims == 1 and not timer.imported:
            LATENESS.observe((at - timer.due_at).total_seconds())
