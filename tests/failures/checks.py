"""What must hold after any failure, asked of the record, the topics and the mailbox."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from complaints.adapters.cloudevents import event_id
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.kafka import Topics, client_options
from complaints.adapters.records import message_of
from complaints.chain import verify_log
from complaints.codec import decode
from complaints.escalations import escalation_of
from complaints.events import (
    AssigneeNamed,
    ClockBreached,
    ComplaintEscalated,
    ComplaintReceived,
    NoticeDelivered,
    NoticeFailed,
)
from complaints.identity import service_command_id
from complaints.ports import StoredEvent
from tests.contracts.bus import everything_on
from tests.failures.load import Load
from tests.failures.processes import System

CATCH_UP_SECONDS: Final = 180.0
"""Longer than a message that its sender died over waits for another (two minutes)."""

FOLLOWERS: Final = ("routing", "sla", "notifier", "ledger")
"""The schemas of those who follow the events."""

LATE: Final = Counter({"breached answer": 1, "escalated escalate": 1, "named desk_lead": 1})
"""What happens to a complaint that is not answered in time, beside the naming of an agent."""

_AT_REST: Final = """
SELECT (SELECT pos FROM es.relay) = coalesce((SELECT max(pos) FROM es.event), 0)
    AND NOT EXISTS (SELECT FROM routing.outbox)
    AND NOT EXISTS (SELECT FROM sla.timer WHERE fire_at <= now() + interval '5 seconds')
    AND NOT EXISTS (SELECT FROM notifier.delivery WHERE state IN ('waiting', 'sending') AND not_before <= now()
        OR state = 'sending')
    AND NOT EXISTS (SELECT FROM notifier.delivery WHERE state IN ('sent', 'failed', 'withheld') AND NOT reported)
"""


# --- waiting ---
async def caught_up(system: System) -> None:
    """Returns when everybody has done all that there is to do, twice running with nothing new between."""
    asker, admin = (
        AIOKafkaConsumer(**client_options(system.kafka), enable_auto_commit=False),
        AIOKafkaAdminClient(**client_options(system.kafka)),
    )
    await asyncio.gather(asker.start(), admin.start())
    try:
        async with asyncio.timeout(CATCH_UP_SECONDS):
            before = -1
            while True:
                assert system.crashed() == []
                head = await system.pool.fetchval("SELECT coalesce(max(pos), 0) FROM es.event")
                rested = await _at_rest(system, asker, admin)
                if rested and head == before:
                    return
                before = head if rested else -1
                await asyncio.sleep(0.25)
    finally:
        await asyncio.gather(asker.stop(), admin.close())


async def _at_rest(system: System, asker: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> bool:
    topics = Topics(system.kafka.topic_prefix)
    if not await system.pool.fetchval(_AT_REST):
        return False
    events = await _ends(asker, topics.events, system.kafka.partitions)
    for schema in FOLLOWERS:
        rows = await system.pool.fetch(
            f"SELECT partition, next_offset FROM {schema}.inbox WHERE topic = $1",  # noqa: S608 - our own names
            topics.events,
        )
        read = {row["partition"]: row["next_offset"] for row in rows}
        if any(read.get(partition, 0) < end for partition, end in events.items()):
            return False
    done = await admin.list_consumer_group_offsets(f"{system.kafka.topic_prefix}intake")
    commands = await _ends(asker, topics.commands, system.kafka.partitions)
    at = {key.partition: value.offset for key, value in done.items() if key.topic == topics.commands}
    return all(at.get(partition, 0) >= end for partition, end in commands.items())


async def _ends(asker: AIOKafkaConsumer, topic: str, partitions: int) -> dict[int, int]:
    ends = await asker.end_offsets([TopicPartition(topic, partition) for partition in range(partitions)])
    return {at.partition: end for at, end in ends.items()}


# --- what must hold ---
async def check(system: System, load: Load, *, mails_again: bool = False) -> None:
    """Everything that was acknowledged is there once, every effect happened once, and the chain is intact.

    ``mails_again``: a notifier was killed, so a mail may have come again, under the same Message-ID.
    """
    await caught_up(system)
    log = await _log(system)
    _positions_and_versions_have_no_gap(log)
    assert verify_log(log).flaws == []
    await _acknowledged_is_there_once(system, log, load)
    _cases_were_handled_once(log, load)
    await _escalations_are_on_the_topic(system, log)
    await _messages_went_once(system, log, mails_again=mails_again)
    await _nothing_was_set_aside(system)


async def _log(system: System) -> list[StoredEvent]:
    store, log = PostgresEventStore(system.pool), list[StoredEvent]()
    while page := await store.read_all(after=len(log), limit=1000):
        log += page
    return log


def _positions_and_versions_have_no_gap(log: Sequence[StoredEvent]) -> None:
    assert [event.position for event in log] == list(range(1, len(log) + 1))
    versions: dict[UUID, list[int]] = {}
    for event in log:
        versions.setdefault(event.stream_id, []).append(event.version)
    assert all(mine == list(range(mine[0], mine[0] + len(mine))) for mine in versions.values())


async def _acknowledged_is_there_once(system: System, log: Sequence[StoredEvent], load: Load) -> None:
    places: dict[UUID, list[StoredEvent]] = {}
    for event in log:
        places.setdefault(event.command_id, []).append(event)
    assert len({one.command_id for one in load.acknowledged}) == len(load.acknowledged) == load.asked
    for one in load.acknowledged:
        events = places[one.command_id]
        assert {event.stream_id for event in events} == {one.complaint}
        assert [event.position for event in events] == list(range(one.first_position, one.last_position + 1))
        assert events[-1].version == one.version
    mine = {event.command_id for event in log if decode(event).meta.frontend == "load"}
    assert {one.command_id for one in load.acknowledged} <= mine
    known = await system.pool.fetchval(
        "SELECT count(*) FROM es.command WHERE command_id = ANY($1::uuid[])",
        [one.command_id for one in load.acknowledged],
    )
    assert known == load.asked


def _cases_were_handled_once(log: Sequence[StoredEvent], load: Load) -> None:
    """One assignee a role, one breach a clock, one escalation a step: in every case of the load."""
    cases: dict[UUID, Counter[str]] = {one.complaint: Counter() for one in load.acknowledged}
    late: set[UUID] = set()
    for stored in log:
        if (happened := cases.get(stored.stream_id)) is None:
            continue
        match decode(stored).event:
            case ComplaintReceived(facts={"due_by": str(due_by)}, at=at) if datetime.fromisoformat(due_by) > at:
                late.add(stored.stream_id)
            case AssigneeNamed(role=role):
                happened[f"named {role}"] += 1
            case ClockBreached(clock=clock, due_at=due_at, at=at):
                assert at == due_at
                happened[f"breached {clock}"] += 1
            case ComplaintEscalated(step=step):
                happened[f"escalated {step}"] += 1
            case _:
                pass
    assert late
    for case, happened in cases.items():
        assert happened.pop("named agent", 0) <= 1, (
            case
        )  # none where it was answered, or raised, before routing was back
        assert (case, happened) == (case, LATE if case in late else Counter())


async def _escalations_are_on_the_topic(system: System, log: Iterable[StoredEvent]) -> None:
    """One for each event, under one ce_id; a relay that died may have said one again, under the same."""
    wanted = {
        str(event_id(stored.stream_id, stored.version)) for stored in log if escalation_of(decode(stored)) is not None
    }
    records = await everything_on(system.kafka, Topics(system.kafka.topic_prefix).escalations)
    said = {(message.headers["ce_causationid"], message.headers["ce_id"]) for message in map(message_of, records)}
    assert Counter(cause for cause, _ in said) == Counter(wanted)
    assert len({name for _, name in said}) == len(wanted)


async def _messages_went_once(system: System, log: Iterable[StoredEvent], *, mails_again: bool) -> None:
    rows = await system.pool.fetch("SELECT key, kind, complaint, stream, step, state, channel FROM notifier.delivery")
    assert {row["state"] for row in rows} <= {"sent", "withheld"}, Counter(row["state"] for row in rows)
    sent = {str(row["key"]) for row in rows if row["state"] == "sent"}
    mails = Counter(str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in system.mailbox.mails)
    assert mails.keys() == sent
    twice = {name for name, times in mails.items() if times > 1}
    if mails_again:
        system.came_twice.update(twice)
    assert twice <= system.came_twice
    told = Counter(
        stored.command_id for stored in log if isinstance(decode(stored).event, NoticeDelivered | NoticeFailed)
    )
    wanted = {
        service_command_id(UUID(bytes=row["stream"].bytes), "record-delivery", UUID(bytes=row["key"].bytes))
        for row in rows
        if row["step"] is not None and row["complaint"] == str(row["stream"])
    }
    assert set(told.values()) <= {1}
    assert told.keys() <= wanted
    assert _missing(wanted, told) == set()


def _missing(wanted: Collection[UUID], told: Collection[UUID]) -> set[UUID]:
    return set(wanted) - set(told)


async def _nothing_was_set_aside(system: System) -> None:
    for schema in ("es", *FOLLOWERS):
        letters = await system.pool.fetch(f"SELECT reason FROM {schema}.dead_letter")  # noqa: S608 - our own names
        assert [row["reason"] for row in letters] == []
