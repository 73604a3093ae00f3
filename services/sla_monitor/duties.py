"""The desk lane: periods of duties and rounds that will open, rounds that are open, and cases under an old calendar.

It works in portions, each a transaction of its own, on connections and a producer of its own: a desk with many open
cases keeps no deadline waiting. Commands go out before the transaction that notes them, under ids that say what they
are about, so a crash in between sends some of them again and that changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.kafka import CommandRequest, CommandSender
from complaints.adapters.lane import Lane
from complaints.commands import ApplyCalendar, OpenRound
from complaints.desk_view import DeskView
from complaints.duties import Period, periods, standing
from complaints.errors import PackRefused
from complaints.identity import duties_stream, service_command_id
from complaints.ports import Now
from sla_monitor import timers
from sla_monitor.arming import SEPARATOR, period_name
from sla_monitor.timers import Timer

logger = logging.getLogger(__name__)

AHEAD: Final = timedelta(days=45)
"""How far the periods of a desk are worked out; again when less than half of it is left."""
ASK_AGAIN: Final = timedelta(seconds=60)
"""When a case that was asked to count in a new calendar, and has not answered, is asked again."""

_PORTION: Final = 500


class DeskLane(Lane):
    """One worker of the desk lane; several processes share the work."""

    def __init__(self, *, pool: asyncpg.Pool, sender: CommandSender, views: LoggedViews, now: Now) -> None:
        self._pool, self._sender, self._views, self._now = pool, sender, views, now
        super().__init__("sla_monitor.desks")

    async def caught_up(self) -> bool:
        """Whether nothing is to be done now."""
        now = self._now()
        waits = await self._pool.fetchval(
            f"SELECT EXISTS ({_TO_PLAN}) OR EXISTS ({_OPEN_ROUND}) OR EXISTS ({_TO_SWEEP})",
            now,
            now + AHEAD / 2,
        )
        if waits:
            self.wake()
        return not waits

    async def _work(self) -> None:
        while await self._plan() or await self._go_round() or await self._sweep():
            pass

    # --- periods that will open ---
    async def _plan(self) -> bool:
        """Works out the periods of a desk whose configuration has changed, or whose periods end soon."""
        now = self._now()
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                "SELECT desk, calendar, planned_until, changed_at FROM sla.desk "
                "WHERE changed_at IS NOT NULL OR planned_until < $1 LIMIT 1 FOR UPDATE SKIP LOCKED",
                now + AHEAD / 2,
            )
            if row is None:
                return False
            view = await self._views.latest(row["desk"])
            if view is None or view.pack is None or not view.calendars:
                await connection.execute("UPDATE sla.desk SET changed_at = NULL WHERE desk = $1", row["desk"])
                return True
            changed_at, start = row["changed_at"], row["planned_until"] or row["changed_at"] or now
            try:
                owed = list(view.procedure.desk)
            except PackRefused as error:  # another version of this program has taken it: a person must see to it
                logger.critical("desk.not-planned", extra={"desk": view.desk, "code": error.code})
                owed = []
            if changed_at is not None:
                start = min(start, changed_at)
                await _forget(connection, view.desk, changed_at, owed)
            if owed:
                await self._arm(connection, view, start, now, anew=changed_at is not None)
            await connection.execute(
                "UPDATE sla.desk SET changed_at = NULL, planned_until = $2, calendar = $3, "
                "sweep_at = CASE WHEN calendar IN ('', $3) THEN sweep_at ELSE $4 END WHERE desk = $1",
                view.desk,
                now + AHEAD,
                view.calendar_version,
                now,
            )
        return True

    async def _arm(
        self, connection: asyncpg.Connection, view: DeskView, start: datetime, now: datetime, *, anew: bool
    ) -> None:
        procedure, until = view.procedure, now + AHEAD
        coming = periods(procedure, view.calendar, start, until)
        if anew:
            coming = [*standing(procedure, start), *coming]
        opened = await _opened(connection, view.desk)
        duties = [
            period
            for period in coming
            if period.row.each is None and period_name(period.row.owe, period.period) not in opened
        ]
        armed = [_opening(view.desk, period) for period in duties]
        await timers.arm(connection, armed, [timer.due_at for timer in armed])
        await connection.executemany(
            "INSERT INTO sla.round (desk, owe, period, step, kind, opens_at, due_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            list(_rounds(view, coming)),
        )

    # --- rounds ---
    async def _go_round(self) -> bool:
        """Opens the step of a round in a portion of the open cases; the decider knows which of them it is for."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                "SELECT * FROM sla.round WHERE NOT done AND opens_at <= $1 ORDER BY opens_at LIMIT 1 "
                "FOR UPDATE SKIP LOCKED",
                self._now(),
            )
            if row is None:
                return False
            cases = await connection.fetch(
                "SELECT complaint FROM sla.case_file WHERE open AND desk = $1 AND kind = $2 AND complaint > $3 "
                "ORDER BY complaint LIMIT $4",
                row["desk"],
                row["kind"],
                row["after"],
                _PORTION,
            )
            streams = [UUID(bytes=case["complaint"].bytes) for case in cases]
            await self._sender.send_all(_open_round(row, stream, self._now()) for stream in streams)
            await connection.execute(
                "UPDATE sla.round SET after = $4, done = $5 WHERE desk = $1 AND owe = $2 AND period = $3",
                row["desk"],
                row["owe"],
                row["period"],
                streams[-1] if streams else row["after"],
                len(streams) < _PORTION,
            )
        return True

    # --- a new calendar ---
    async def _sweep(self) -> bool:
        """Asks a portion of the cases that count in another calendar to count in the desk's.

        One that has not answered yet is asked again later: whoever decided may not have known the calendar then.
        """
        now = self._now()
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                "SELECT desk, calendar FROM sla.desk WHERE sweep_at <= $1 LIMIT 1 FOR UPDATE SKIP LOCKED", now
            )
            if row is None:
                return False
            desk, version = row["desk"], row["calendar"]
            cases = await connection.fetch(
                "UPDATE sla.case_file SET asked = $2, asked_at = $3 WHERE complaint IN ("
                "SELECT complaint FROM sla.case_file WHERE open AND desk = $1 AND calendar <> $2 "
                "AND (asked <> $2 OR asked_at < $4) LIMIT $5) RETURNING complaint",
                desk,
                version,
                now,
                now - ASK_AGAIN,
                _PORTION,
            )
            streams = [UUID(bytes=case["complaint"].bytes) for case in cases]
            await self._sender.send_all(_apply(desk, version, stream, now) for stream in streams)
            if not cases:
                await connection.execute(
                    "UPDATE sla.desk SET sweep_at = CASE WHEN EXISTS (SELECT FROM sla.case_file "
                    "WHERE open AND desk = $1 AND calendar <> $2) THEN $3::timestamptz END WHERE desk = $1",
                    desk,
                    version,
                    now + ASK_AGAIN,
                )
        return True


# --- what is sent ---
def _opening(desk: str, period: Period) -> Timer:
    return Timer(
        stream=duties_stream(desk),
        kind="opening",
        name=period_name(period.row.owe, period.period),
        due_at=period.opens_at,
        desk=desk,
        generation=0,
        ends_at=period.due_at,
    )


def _rounds(view: DeskView, coming: Iterable[Period]) -> Iterator[tuple[object, ...]]:
    for period in coming:
        if (each := period.row.each) is not None:
            kind = view.procedure.steps[each].part.case
            yield view.desk, period.row.owe, period.period, each, kind, period.opens_at, period.due_at


def _open_round(row: asyncpg.Record, stream: UUID, at: datetime) -> CommandRequest:
    command = OpenRound(
        id=service_command_id(stream, "open-round", row["owe"], row["period"]),
        complaint=str(stream),
        at=at,
        step=row["step"],
        period=row["period"],
        due_at=row["due_at"],
        owe=row["owe"],
    )
    return CommandRequest(desk=row["desk"], command=command)


def _apply(desk: str, version: str, stream: UUID, at: datetime) -> CommandRequest:
    command_id = service_command_id(stream, "apply-calendar", version)
    return CommandRequest(
        desk=desk, command=ApplyCalendar(id=command_id, complaint=str(stream), at=at, version=version)
    )


# --- tables ---
_TO_PLAN: Final = "SELECT FROM sla.desk WHERE changed_at IS NOT NULL OR planned_until < $2"
_OPEN_ROUND: Final = "SELECT FROM sla.round WHERE NOT done AND opens_at <= $1"
_TO_SWEEP: Final = "SELECT FROM sla.desk WHERE sweep_at <= $1"


async def _forget(connection: asyncpg.Connection, desk: str, since: datetime, owed: Sequence[str]) -> None:
    """Drops what was going to open from then on, and what is owed no more; what has been asked for stays asked for."""
    await connection.execute(
        "DELETE FROM sla.timer WHERE stream = $1 AND kind = 'opening' "
        "AND ((due_at >= $2 AND claims = 0) OR split_part(name, $3, 1) <> ALL($4::text[]))",
        duties_stream(desk),
        since,
        SEPARATOR,
        owed,
    )
    await connection.execute(
        "DELETE FROM sla.round WHERE desk = $1 AND opens_at >= $2 AND NOT done AND after = $3", desk, since, UUID(int=0)
    )


async def _opened(connection: asyncpg.Connection, desk: str) -> set[str]:
    rows = await connection.fetch("SELECT name FROM sla.period WHERE desk = $1", desk)
    return {row["name"] for row in rows}
