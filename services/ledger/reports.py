"""The periodic reports: when a duty opens, its figures over the desk's cases, as the log stood at that position.

So a report says the same whenever it is worked out. It goes to intake as a command under an id made of the duty and its
period. Commands travel through Kafka, so no personal value is in them: a list names its cases, and whoever may see more
of them gets it when the report is read.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any, Final, cast
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from complaints.adapters.cloudevents import event_id
from complaints.adapters.kafka import CommandRequest, CommandSender
from complaints.adapters.lane import Lane
from complaints.codec import Recorded, decode
from complaints.commands import ProduceReport
from complaints.complaint import replay
from complaints.desk_view import DeskView
from complaints.desks import DeskViews
from complaints.events import CaseEvent, DutyOpened
from complaints.identity import duties_stream, service_command_id
from complaints.ports import EventStore, Now, StoredEvent
from complaints.procedure.model import DutyRow, Procedure
from complaints.reporting import NOTHING_YET, Case, Reported, clock_ends, produced
from ledger.files import Opener

logger = logging.getLogger(__name__)

PAGE: Final = 500


async def note(connection: AsyncConnection, records: Sequence[Recorded]) -> None:
    """Notes the duties that opened, in the transaction that moves the inbox; what is noted stays as it is."""
    opened = [
        {
            "desk": record.desk,
            "owe": record.event.owe,
            "period": record.event.period,
            "position": record.position,
            "version": record.version,
        }
        for record in records
        if isinstance(record.event, DutyOpened)
    ]
    if opened:
        await connection.execute(
            text(
                "INSERT INTO ledger.report (desk, owe, period, position, version) "
                "VALUES (:desk, :owe, :period, :position, :version) ON CONFLICT DO NOTHING"
            ),
            opened,
        )


class Reporter(Lane):
    """Works out what is noted, the oldest first; several processes share the work, reports of one duty in order."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        store: EventStore,
        views: DeskViews,
        opener: Opener,
        sender: CommandSender,
        now: Now,
    ) -> None:
        super().__init__("ledger.reports")
        self._pool, self._store, self._views, self._opener = pool, store, views, opener
        self._sender, self._now = sender, now

    async def caught_up(self) -> bool:
        """Whether every report that is noted has been sent."""
        waits = await self._pool.fetchval("SELECT EXISTS (SELECT FROM ledger.report WHERE sent_at IS NULL)")
        return not waits

    async def _work(self) -> None:
        while await self._produce():
            pass

    async def _produce(self) -> bool:
        """The next report; False when there is none. The command goes out before the transaction that notes it."""
        async with self._pool.acquire() as connection, connection.transaction():
            due = await connection.fetchrow(
                "SELECT * FROM ledger.report r WHERE sent_at IS NULL AND NOT EXISTS (SELECT FROM ledger.report e "
                "WHERE e.desk = r.desk AND e.owe = r.owe AND e.sent_at IS NULL AND e.position < r.position) "
                "ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED"
            )
            if due is None:
                return False
            memory = await self._sent(due, await _before(connection, due))
            await connection.execute(
                "UPDATE ledger.report SET sent_at = $4, memory = $5 WHERE desk = $1 AND owe = $2 AND period = $3",
                due["desk"],
                due["owe"],
                due["period"],
                self._now(),
                None if memory is None else _as_json(memory),
            )
        return True

    async def _sent(self, due: asyncpg.Record, before: Reported) -> Reported | None:
        """Sends the figures; None where the duty reports nothing."""
        desk, stream = due["desk"], duties_stream(due["desk"])
        (opening,) = [
            decode(row) for row in await self._store.read(stream, after=due["version"] - 1, upto=due["version"])
        ]
        view = await self._view(opening)
        row = view.procedure.desk.get(due["owe"])
        if row is None or not row.report:
            return None
        event = cast("DutyOpened", opening.event)
        cases = await self._cases(desk, due["position"])
        covers, figures, memory = produced(
            row, event.period, cases, view.procedure, view.calendar, at=event.at, before=before
        )
        command = ProduceReport(
            id=service_command_id(stream, "produce-report", row.owe, event.period),
            complaint=str(stream),
            at=self._now(),
            owe=row.owe,
            period=event.period,
            covers=covers,
            figures=without(figures, view.procedure.personal),
        )
        await self._sender.send_all(
            [
                CommandRequest(
                    desk=desk,
                    command=command,
                    correlation_id=opening.meta.correlation_id,
                    causation_id=event_id(stream, opening.version),
                    traceparent=opening.meta.traceparent,
                )
            ]
        )
        logger.info("report.sent", extra={"desk": desk, "owe": row.owe, "period": event.period, "cases": len(cases)})
        return memory

    async def _view(self, opening: Recorded) -> DeskView:
        """The desk as it was when the duty opened."""
        version = opening.meta.desk_version
        return await (self._views.at(opening.desk, version) if version else self._views.current(opening.desk))

    async def _cases(self, desk: str, position: int) -> dict[str, Case]:
        """The desk's cases as the log stood before a position."""
        cases: dict[str, Case] = {}
        after: UUID | None = None
        while streams := await self._store.streams(desk, "complaint", after=after, limit=PAGE):
            after = streams[-1]
            for stream in streams:
                events = await _events_before(self._store, self._opener, stream, position)
                if events:
                    cases[str(stream)] = Case(state=replay(events), ends=clock_ends(events))
        return cases


async def _events_before(store: EventStore, opener: Opener, stream: UUID, position: int) -> list[CaseEvent]:
    """The events of a case before a position of the log."""
    rows: Sequence[StoredEvent] = await store.read(stream)
    records = await opener.unseal([decode(row) for row in rows if row.position < position])
    return [cast("CaseEvent", record.event) for record in records]


def without(figures: Any, facts: Collection[str]) -> Any:
    """Figures whose lists show none of these facts."""
    match figures:
        case {"complaint": _}:
            return {name: inner for name, inner in figures.items() if name not in facts}
        case dict():
            return {name: without(inner, facts) for name, inner in figures.items()}
        case list():
            return [without(inner, facts) for inner in figures]
        case _:
            return figures


# --- reading ---
async def filled(
    figures: Any, row: DutyRow | None, procedure: Procedure, *, position: int, store: EventStore, opener: Opener
) -> Any:
    """Figures with the personal facts that their lists show, as they stood, for whoever may see them."""
    if row is None or not isinstance(figures, list) or len(figures) != len(row.report):
        return figures
    found = []
    for measure, shown in zip(row.report, figures, strict=True):
        wanted = [fact for fact in measure.shows if fact in procedure.personal]
        found.append(await _filled(shown, wanted, position, store, opener) if wanted else shown)
    return found


async def _filled(value: Any, wanted: Sequence[str], position: int, store: EventStore, opener: Opener) -> Any:
    match value:
        case {"complaint": str(complaint)}:
            facts = replay(await _events_before(store, opener, UUID(complaint), position)).facts
            return {**value, **{fact: facts[fact] for fact in wanted if facts.get(fact) is not None}}
        case dict():
            return {name: await _filled(inner, wanted, position, store, opener) for name, inner in value.items()}
        case list():
            return [await _filled(inner, wanted, position, store, opener) for inner in value]
        case _:
            return value


# --- memory ---
async def _before(connection: asyncpg.Connection, due: asyncpg.Record) -> Reported:
    raw = await connection.fetchval(
        "SELECT memory FROM ledger.report WHERE desk = $1 AND owe = $2 AND position < $3 AND memory IS NOT NULL "
        "ORDER BY position DESC LIMIT 1",
        due["desk"],
        due["owe"],
        due["position"],
    )
    return NOTHING_YET if raw is None else msgspec.json.decode(raw, type=Reported, strict=False)


def _as_json(memory: Reported) -> str:
    return msgspec.json.encode(memory).decode()
