"""Follows the events of all desks into the timers and the lists that the desk lane works from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from complaints.adapters.records import Message, stored_event
from complaints.codec import Recorded, decode
from complaints.desk_events import (
    DESK_EVENT_TYPES,
    AnswerWithdrawn,
    CalendarPublished,
    PackAdopted,
    ParameterSet,
    ReadingChosen,
)
from complaints.events import (
    EVENT_TYPES,
    CalendarApplied,
    ComplaintClosed,
    ComplaintReceived,
    ComplaintReopened,
    DutyOpened,
)
from complaints.ports import Now
from sla_monitor import timers
from sla_monitor.arming import ARMING, period_name
from sla_monitor.monitor import LOOK_EVERY
from sla_monitor.timers import ARMED

CHANGES_DUTIES: Final = (PackAdopted, ParameterSet, ReadingChosen, AnswerWithdrawn, CalendarPublished)
"""Changes of a desk on which the periods of its duties depend."""

_OF_CASES: Final = (ComplaintReceived, ComplaintClosed, ComplaintReopened, CalendarApplied)


_OF_USE: Final = (*ARMING, *_OF_CASES, *CHANGES_DUTIES)
_OF_NO_USE: Final = frozenset(
    name for name, kind in (EVENT_TYPES | DESK_EVENT_TYPES).items() if not issubclass(kind, _OF_USE)
)


def recorded(message: Message) -> Recorded | None:
    """The event in a record; None where it is of no use here, which is seen without reading it. Raises: Undecodable."""
    return None if message.headers.get("ce_type") in _OF_NO_USE else decode(stored_event(message))


class Projection:
    """Takes in batches of events, each in the transaction that moves the inbox. ``woken`` hears of every batch."""

    def __init__(self, *, now: Now, woken: Callable[[], None]) -> None:
        self._now, self._woken = now, woken

    async def handle(self, connection: asyncpg.Connection, records: Sequence[Recorded | None]) -> None:
        """Takes in events, in order of their stream."""
        now, told = self._now(), [record for record in records if record is not None]
        earliest = await timers.project(connection, [record for record in told if record.category != "desk"], now)
        await _note_cases(connection, [record for record in told if isinstance(record.event, _OF_CASES)], now)
        for record in told:
            if isinstance(record.event, DutyOpened):
                await connection.execute(
                    "INSERT INTO sla.period (desk, name) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    record.desk,
                    period_name(record.event.owe, record.event.period),
                )
            elif isinstance(record.event, CHANGES_DUTIES):
                await _desk_changed(connection, record.desk, record.event.at)
        if earliest is not None and earliest < now + LOOK_EVERY:
            await connection.execute(f"NOTIFY {ARMED}")

    def committed(self, _: Sequence[Recorded | None]) -> None:
        """A batch is done: something may be due."""
        self._woken()


async def _desk_changed(connection: asyncpg.Connection, desk: str, at: datetime) -> None:
    await connection.execute(
        "INSERT INTO sla.desk AS d (desk, changed_at) VALUES ($1, $2) "
        "ON CONFLICT (desk) DO UPDATE SET changed_at = least(d.changed_at, excluded.changed_at)",
        desk,
        at,
    )


async def _note_cases(connection: asyncpg.Connection, records: Sequence[Recorded], now: datetime) -> None:
    """The list of cases: which are open, and in which calendar each counts."""
    received: list[tuple[UUID, str, str, str]] = []
    ends: dict[UUID, bool] = {}
    calendars: dict[UUID, str] = {}
    for record in records:
        match record.event:
            case ComplaintReceived() as event:
                received.append((record.stream_id, record.desk, event.case, event.calendar))
            case ComplaintClosed():
                ends[record.stream_id] = False
            case ComplaintReopened():
                ends[record.stream_id] = True
            case CalendarApplied() as event:
                calendars[record.stream_id] = event.version
            case _:
                pass
    if received:
        await connection.executemany(
            "INSERT INTO sla.case_file (complaint, desk, kind, calendar, asked) VALUES ($1, $2, $3, $4, $4) "
            "ON CONFLICT DO NOTHING",
            received,
        )
    if ends:
        query = "UPDATE sla.case_file SET open = $2 WHERE complaint = $1"
        await connection.executemany(query, list(ends.items()))
    if calendars:
        query = "UPDATE sla.case_file SET calendar = $2 WHERE complaint = $1"
        await connection.executemany(query, list(calendars.items()))
    if came := [record for record in records if isinstance(record.event, ComplaintReceived | ComplaintReopened)]:
        await _catch_up(connection, came, now)


async def _catch_up(connection: asyncpg.Connection, came: Sequence[Recorded], now: datetime) -> None:
    """What cases that came, or came back, have missed while that was on its way to us.

    One that counts in another calendar than the desk has yet to be told of it; a round that opened after it came goes
    through the desk once more, and leaves alone what it has been to. What lies in the past of an imported case has no
    rounds any more.
    """
    await connection.execute(
        "WITH again AS (UPDATE sla.round r SET done = false, after = $5 "
        "FROM unnest($2::text[], $3::timestamptz[]) c(desk, at) "
        "WHERE r.desk = c.desk AND r.opens_at > c.at AND r.opens_at <= $4) "
        "UPDATE sla.desk SET sweep_at = least(sweep_at, $4) WHERE desk IN ("
        "SELECT c.desk FROM sla.case_file c JOIN sla.desk d USING (desk) "
        "WHERE c.complaint = ANY($1::uuid[]) AND c.open AND d.calendar <> '' AND c.calendar <> d.calendar)",
        [record.stream_id for record in came],
        [record.desk for record in came],
        [now if record.meta.imported else record.event.at for record in came],
        now,
        UUID(int=0),
    )
