"""Follows the events of all desks: asks of intake what a case calls for, and looks at cases whose desk has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from complaints.adapters.cloudevents import event_id
from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.records import Message, stored_event
from complaints.codec import Recorded, decode
from complaints.desk_events import (
    DESK_EVENT_TYPES,
    DepartmentRemoved,
    DepartmentSet,
    FallbackSet,
    PackAdopted,
    PersonAbsent,
    PersonChanged,
    PersonJoined,
    PersonLeft,
    PersonReturned,
)
from complaints.events import EVENT_TYPES
from complaints.ports import Now
from routing import tables
from routing.answering import Grounds, answer
from routing.cases import TELLING, evolve
from routing.matters import RELEVANT, Matters
from routing.tables import File, Outgoing

SETTLING: Final = timedelta(seconds=60)
"""How long nothing must have been told of an imported case's past before routing takes the case up."""


_OF_A_PERSON: Final = (PersonLeft, PersonAbsent, PersonChanged, PersonReturned)
_MAY_HELP: Final = (
    PersonJoined, PersonChanged, PersonReturned, PersonAbsent, DepartmentSet, DepartmentRemoved, FallbackSet,
)  # fmt: skip
"""After these somebody may act where nobody could; an absence may bring a deputy."""


_OF_USE: Final = frozenset(
    name
    for name, kind in (EVENT_TYPES | DESK_EVENT_TYPES).items()
    if issubclass(kind, (*TELLING, *RELEVANT, *_OF_A_PERSON, *_MAY_HELP, PackAdopted))
)


def recorded(message: Message) -> Recorded | None:
    """The event in a record; None where it is of no use here, which is seen without reading it. Raises: Undecodable."""
    name = message.headers.get("ce_type", "")
    if (name.replace("case.", "complaint.", 1) if name.startswith("case.") else name) not in _OF_USE:
        return None
    return decode(stored_event(message))


class Routing:
    """Handles batches of events, each in the transaction that moves the inbox.

    ``send`` takes what a batch has put into the outbox, once it is committed; ``look`` hears that one was.
    """

    def __init__(
        self,
        *,
        views: LoggedViews,
        matters: Matters,
        now: Now,
        send: Callable[[Outgoing], None],
        look: Callable[[], None],
    ) -> None:
        self._views, self._matters, self._now, self._send, self._look = views, matters, now, send, look
        self._handled: list[tuple[Sequence[Recorded], Outgoing]] = []  # not known to be committed yet

    async def handle(self, connection: asyncpg.Connection, records: Sequence[Recorded | None]) -> None:
        """Takes in events, in order of their stream. Raises: Poison, Transient."""
        told = [record for record in records if record is not None]
        for record in told:
            if record.category == "desk":
                await self._desk_changed(connection, record)
        of_cases = [record for record in told if record.category == "complaint"]
        if of_cases:
            self._handled.append((told, await self._take_in(connection, of_cases)))

    async def _take_in(self, connection: asyncpg.Connection, records: Sequence[Recorded]) -> Outgoing:
        now = self._now()
        files = await tables.files(connection, {record.stream_id: record.desk for record in records})
        grounds = await Grounds.of(connection, self._views, (record.desk for record in records))
        for record in records:
            take_in(files[record.stream_id], record, now)
        counts = await self._matters.note(connection, grounds, records, now)
        return await answer(connection, grounds, list(files.values()), now, counts)

    def committed(self, records: Sequence[Recorded | None]) -> None:
        """These are done: what was put into the outbox for them may go, what was for others was rolled back."""
        done = {id(record) for record in records}
        for taken, outgoing in self._handled:
            if all(id(record) in done for record in taken):
                self._send(outgoing)
        self._handled.clear()
        self._look()

    async def _desk_changed(self, connection: asyncpg.Connection, record: Recorded) -> None:
        """Asks for a look at the cases that a change of the desk may concern."""
        desk, event = record.desk, record.event
        if isinstance(event, _OF_A_PERSON):
            await tables.review(connection, desk, "person", event.person)
        if isinstance(event, PersonJoined) and await self._is_first(desk, record.version):
            await tables.review(connection, desk, "everybody")
        elif isinstance(event, _MAY_HELP):
            await tables.review(connection, desk, "lacking")
        elif isinstance(event, PackAdopted):
            await tables.review(connection, desk, "matters")

    async def _is_first(self, desk: str, version: int) -> bool:
        """Whether until then the desk had named nobody, so that nobody was named for any case."""
        return len((await self._views.at(desk, version)).directory.people) == 1


def take_in(file: File, record: Recorded, now: datetime) -> None:
    """An event of the case. What is told of an imported case's past is told by somebody who may not have done yet."""
    file.case = evolve(file.case, record.event, record.version)
    file.correlation_id = file.correlation_id or record.meta.correlation_id
    file.causation_id = event_id(record.stream_id, record.version)
    file.traceparent = record.meta.traceparent
    past = file.case.imported and record.event.at < now - SETTLING
    file.settles_at = now + SETTLING if past else None
