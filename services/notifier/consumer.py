"""Follows the events of all desks and keeps the messages that they call for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

import asyncpg

from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.records import Message as Record
from complaints.adapters.records import stored_event
from complaints.codec import Recorded, decode
from complaints.complaint import Complaint, replay
from complaints.desk_view import DeskView
from complaints.errors import Undecodable
from complaints.escalations import is_history
from complaints.events import CaseEvent
from complaints.ports import EventStore, Now
from notifier.deliveries import Wanted, keep
from notifier.messages import CALLS_FOR_MESSAGES, Case, Message, messages_for
from notifier.quiet import may_go_at


def recorded(message: Record) -> Recorded:
    """The event in a record. Raises: Undecodable."""
    return decode(stored_event(message))


class Notifier:
    """Handles batches of events, each in the transaction that moves the inbox. ``kept``: called when one is done."""

    def __init__(self, *, store: EventStore, views: LoggedViews, now: Now, kept: Callable[[], None]) -> None:
        self._store, self._views, self._now, self._kept = store, views, now, kept

    async def handle(self, connection: asyncpg.Connection, records: Sequence[Recorded]) -> None:
        """Keeps what these events call for. Raises: Undecodable, Transient."""
        wanted: list[Wanted] = []
        for record in records:
            if record.category == "desk":
                self._views.learn(record.desk, record.version)
            elif not is_history(record):
                wanted += await self._wanted(record)
        await keep(connection, wanted)

    def committed(self, _: Sequence[Recorded]) -> None:
        """A batch is done: there may be something to send."""
        self._kept()

    async def _wanted(self, record: Recorded) -> list[Wanted]:
        desk = await self._views.current(record.desk)
        hooked = any(hook.wants(record.type) for hook in desk.webhooks.values())
        if not hooked and not isinstance(record.event, CALLS_FOR_MESSAGES):
            return []
        state = await self._state(record) if record.category == "complaint" else None
        desk = await self._as_received(state, desk)
        case = Case(record.meta.complaint, record.version, record.type, state)
        messages = messages_for(record.event, case, desk)
        return [
            Wanted(message=message, recorded=record, not_before=self._not_before(message, desk)) for message in messages
        ]

    async def _as_received(self, state: Complaint | None, desk: DeskView) -> DeskView:
        """The desk of today, with the procedure that the case runs under."""
        if state is None or not state.desk_version or state.desk_version == desk.version:
            return desk
        under = await self._views.at(desk.desk, state.desk_version)
        return replace(desk, pack=under.pack, answers=under.answers, compiled=under.compiled)

    async def _state(self, record: Recorded) -> Complaint:
        """The case as it stood after the event; what is personal stays sealed."""
        rows = await self._store.read(record.stream_id, upto=record.version)
        if len(rows) != record.version:
            raise Undecodable(f"stream {record.stream_id} has no version {record.version}")
        return replay(cast("CaseEvent", decode(row).event) for row in rows)

    def _not_before(self, message: Message, desk: DeskView) -> datetime:
        now = self._now()
        return now if message.urgent else may_go_at(now, desk.quiet_hours, desk.zone)
