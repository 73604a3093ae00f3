"""How soon a deadline is an escalation: ``python -m bench timers`` prints JSON lines.

Intake, relay and sla_monitor run as processes on real PostgreSQL and Kafka, with 100,000 timers armed for later. Nobody
acknowledges the complaints, so each breaches its hour's limit; they are received back-dated, so that the hour ends when
the measurement wants it to.

- ``timers.escalation``: deadlines spread over time, 20 a second; from the due instant until the record is seen on the
  escalation topic; medians of the rounds' p50 and p99;
- ``timers.burst``: 10,000 due at one instant; from that instant until the last command is seen on the topic
  (``out_s``), and until the last escalation is (``escalated_s``); ``twice`` counts what came more than once.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import msgspec
import uvloop

from bench.stack import Stack, arrivals, quantile, stack
from complaints.adapters.service import utc_now

ARMED = 100_000
BURST = 10_000
RATE = 20
SECONDS = 15
ROUNDS = 3
HOUR = timedelta(hours=1)
SETTLING = timedelta(seconds=60)
"""How long a back-dated case is left alone after something was told of its past: it must not be due before that."""


class Escalated(msgspec.Struct):
    """What an escalation's record says of it."""

    complaint: str
    subject: str
    due_at: datetime | None = None


class Fired(msgspec.Struct):
    """What a command's record says of it."""

    id: str
    complaint: str
    command: str


def main(argv: Sequence[str] | None = None) -> None:
    """Measures; with ``--quick`` a tenth of it, once."""
    quick = "--quick" in (sys.argv[1:] if argv is None else argv)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(quick=quick))


async def measure(*, quick: bool) -> None:
    """Prints every figure."""
    rounds, burst, seconds = (1, BURST // 10, 5) if quick else (ROUNDS, BURST, SECONDS)
    async with stack("intake", "intake.relay", "sla_monitor") as running:
        await arm(running, ARMED)
        spread = [await spread_round(running, seconds) for _ in range(rounds)]
        report(
            "timers.escalation",
            armed=ARMED,
            deadlines=RATE * seconds,
            rounds=rounds,
            p50_ms=round(1000 * median(quantile(each, 0.5) for each in spread), 1),
            p99_ms=round(1000 * median(quantile(each, 0.99) for each in spread), 1),
        )
        rate = await receiving_rate(running)
        bursts = [await burst_round(running, burst, rate) for _ in range(rounds)]
        report(
            "timers.burst",
            armed=ARMED,
            due=burst,
            rounds=rounds,
            out_s=round(median(out for out, _, _ in bursts), 2),
            escalated_s=round(median(escalated for _, escalated, _ in bursts), 2),
            twice=sum(twice for _, _, twice in bursts),
        )


async def arm(running: Stack, number: int) -> None:
    """Timers of other cases, due between a day and a year from now."""
    await running.pool.execute(
        "INSERT INTO sla.timer (stream, kind, name, due_at, desk, generation, fire_at) "
        "SELECT gen_random_uuid(), 'clock', 'answer', at, 'bench', 1, at "
        "FROM (SELECT now() + interval '1 day' + random() * interval '364 days' AS at FROM generate_series(1, $1)) t",
        number,
    )
    await running.pool.execute("ANALYZE sla.timer")


async def spread_round(running: Stack, seconds: int) -> list[float]:
    """Seconds from each due instant until its escalation was seen."""
    first = utc_now() + timedelta(seconds=RATE * seconds / 40 + 5)
    found: list[float] = []
    due = {first + timedelta(seconds=n / RATE) for n in range(RATE * seconds)}

    def take(seen_at: float, value: bytes) -> None:
        escalated = msgspec.json.decode(value, type=Escalated)
        if escalated.due_at in due and escalated.subject == "acknowledge":
            found.append(seen_at - escalated.due_at.timestamp())

    async with _watched(running, running.topics.escalations, take):
        slots = asyncio.Semaphore(16)

        async def receive(at: datetime) -> None:
            async with slots:
                await running.receive(occurred_at=(at - HOUR).isoformat())

        await asyncio.gather(*(receive(at) for at in sorted(due)))
        if utc_now() > first:
            raise RuntimeError("the complaints were not received before the first of them was due")
        await _until(lambda: len(found) == len(due))
    return found


async def receiving_rate(running: Stack) -> float:
    """Complaints a second that are received now: how far ahead a burst must be due to be received before it is."""
    begun = asyncio.get_running_loop().time()
    received = await running.receive_many(300)
    return received / (asyncio.get_running_loop().time() - begun)


async def burst_round(running: Stack, number: int, rate: float) -> tuple[float, float, int]:
    """Seconds until the last command, and the last escalation, was seen; how many of either came again."""
    due_at = utc_now() + SETTLING + timedelta(seconds=10 + 2.5 * number / rate)
    fired: Counter[str] = Counter()
    escalated: Counter[str] = Counter()
    last = {"fired": 0.0, "escalated": 0.0}

    def take_command(seen_at: float, value: bytes) -> None:
        command = msgspec.json.decode(value, type=Fired)
        if command.command == "fire-timer":
            fired[command.complaint] += 1
            last["fired"] = seen_at

    def take_escalation(seen_at: float, value: bytes) -> None:
        found = msgspec.json.decode(value, type=Escalated)
        if found.due_at == due_at:
            escalated[found.complaint] += 1
            last["escalated"] = seen_at

    async with (
        _watched(running, running.topics.commands, take_command),
        _watched(running, running.topics.escalations, take_escalation),
    ):
        await running.receive_many(number, occurred_at=(due_at - HOUR).isoformat())
        if utc_now() > due_at:
            raise RuntimeError("the complaints were not received before they were due")
        await _until(lambda: len(fired) == len(escalated) == number)
        await asyncio.sleep(2)  # what comes twice would come now
    twice = sum(n - 1 for counter in (fired, escalated) for n in counter.values())
    return last["fired"] - due_at.timestamp(), last["escalated"] - due_at.timestamp(), twice


class _watched:  # noqa: N801 - a context, used like one
    """Hands what comes on a topic to a function while the context is open."""

    def __init__(self, running: Stack, topic: str, take: Callable[[float, bytes], None]) -> None:
        self._reading, self._take = running.reading(topic), take
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._work(await self._reading.__aenter__()))

    async def __aexit__(self, *error: Any) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._reading.__aexit__(*error)

    async def _work(self, consumer: Any) -> None:
        async for seen_at, record in arrivals(consumer):
            self._take(seen_at, record.value)


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(300):
        while not done():  # noqa: ASYNC110 - what changes is on a topic
            await asyncio.sleep(0.05)


def report(name: str, **figures: object) -> None:
    """One line."""
    print(json.dumps({"figure": name, **figures}), flush=True)


if __name__ == "__main__":
    main()
