"""How soon a received complaint is assigned: ``python -m bench routing`` prints JSON lines.

Intake, relay and routing run as processes on real PostgreSQL and Kafka. Complaints come over HTTP at 100 a second, at a
desk with the plain procedure and twenty agents. For each it is measured when the record of ``complaint.assigned`` is
seen on the topic:

- ``routing.assigned``: from the instant at which the receipt was recorded;
- ``routing.assigned.request``: from the instant at which the request was sent.

Each is the median of the rounds' own p50 and p99, in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from statistics import median
from typing import Any

import msgspec
import uvloop

from bench.stack import Stack, arrivals, quantile, stack
from complaints.adapters.service import utc_now

RATE = 100
SECONDS = 20
ROUNDS = 3


class Seen(msgspec.Struct):
    """What an event's record says of it."""

    complaint: str
    event: str
    recorded_at: datetime


def main(argv: Sequence[str] | None = None) -> None:
    """Measures; with ``--quick`` one short round."""
    quick = "--quick" in (sys.argv[1:] if argv is None else argv)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(rounds=1 if quick else ROUNDS, seconds=3 if quick else SECONDS))


async def measure(*, rounds: int, seconds: int) -> None:
    """Prints every figure."""
    async with stack("intake", "intake.relay", "routing") as running:
        await one_round(running, 2)  # connections are open, statements prepared
        found = [await one_round(running, seconds) for _ in range(rounds)]
    for name, place in (("routing.assigned", 0), ("routing.assigned.request", 1)):
        report(
            name,
            complaints_per_second=RATE,
            complaints=RATE * seconds,
            rounds=rounds,
            p50_ms=round(1000 * median(quantile(each[place], 0.5) for each in found), 1),
            p99_ms=round(1000 * median(quantile(each[place], 0.99) for each in found), 1),
        )


async def one_round(running: Stack, seconds: int) -> tuple[list[float], list[float]]:
    """Seconds from the recorded receipt, and from the request, until the assignment was seen."""
    asked: dict[str, float] = {}
    received: dict[str, float] = {}
    assigned: dict[str, float] = {}
    async with running.reading(running.topics.events) as consumer:
        watching = asyncio.create_task(_watch(consumer, received, assigned))
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for n in range(RATE * seconds):
                await asyncio.sleep(max(began + n / RATE - asyncio.get_running_loop().time(), 0))
                group.create_task(_ask(running, asked))
        async with asyncio.timeout(60):
            while not asked.keys() <= assigned.keys():  # noqa: ASYNC110 - what changes is on a topic
                await asyncio.sleep(0.05)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    from_receipt = [assigned[case] - received[case] for case in asked]
    from_request = [assigned[case] - sent_at for case, sent_at in asked.items()]
    return from_receipt, from_request


async def _ask(running: Stack, asked: dict[str, float]) -> None:
    sent_at = utc_now().timestamp()
    asked[await running.receive(facts={"content": "The lamp is out."})] = sent_at


async def _watch(consumer: Any, received: dict[str, float], assigned: dict[str, float]) -> None:
    decoder = msgspec.json.Decoder(Seen)
    async for seen_at, record in arrivals(consumer):
        event = decoder.decode(record.value)
        if event.event == "complaint.received":
            received[event.complaint] = event.recorded_at.timestamp()
        elif event.event == "complaint.assigned":
            assigned.setdefault(event.complaint, seen_at)


def report(name: str, **figures: object) -> None:
    """One line."""
    print(json.dumps({"figure": name, **figures}), flush=True)


if __name__ == "__main__":
    main()
