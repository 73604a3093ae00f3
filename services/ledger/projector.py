"""Follows the events of all desks, and writes them into every version of a read model that is live or being built."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.inbox import Poison
from complaints.adapters.records import Message, stored_event
from complaints.codec import Recorded, decode
from complaints.ports import Now
from ledger import models, reports
from ledger.files import Files
from ledger.projections.model import Model, NotShown

logger = logging.getLogger(__name__)

LAG = Gauge("redress_ledger_projection_lag_seconds", "How old the last event was when it had been written.")
POSITION = Gauge("redress_ledger_projection_position", "The highest position that has been written.")


def recorded(message: Message) -> Recorded:
    """The event in a record. Raises: Undecodable."""
    return decode(stored_event(message))


class Projector:
    """Handles batches of events, each in the transaction that moves the inbox. ``woken`` hears of every batch."""

    def __init__(
        self,
        *,
        files: Files,
        views: LoggedViews,
        known: Sequence[Model],
        now: Now,
        woken: Callable[[], None],
    ) -> None:
        self._files, self._views, self._now, self._woken = files, views, now, woken
        self._models = {model.name: model for model in known}

    async def handle(self, connection: AsyncConnection, records: Sequence[Recorded]) -> None:
        """Writes what these events change. Raises: Undecodable, Poison, Transient."""
        for record in records:
            if record.category == "desk":
                self._views.learn(record.desk, record.version)
        await reports.note(connection, records)
        files = await self._files.upto(records)
        if not files:
            return
        for target in await models.targets(connection):
            model = self._models.get(target.name)
            if model is not None:  # a model that only another release knows is none of ours
                try:
                    await model.write(connection, target.schema, files)
                except NotShown as error:
                    raise Poison(error.why, **error.data) from error

    def committed(self, records: Sequence[Recorded]) -> None:
        """A batch is done."""
        if records:
            POSITION.set(max(record.position for record in records))
            LAG.set(max((self._now() - _latest(records)).total_seconds(), 0.0))
        self._woken()


def _latest(records: Sequence[Recorded]) -> datetime:
    return max(record.recorded_at for record in records)
