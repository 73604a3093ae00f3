"""Follows the events of all desks: asks of intake what a case calls for, and looks at cases whose desk has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

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
from complaints.errors import Undecodable
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


_OF_USE: Final = (*TELLING, *RELEVANT, *_OF_A_PERSON, *_MAY_HELP, PackAdopted)
_OF_NO_USE: Final = frozenset(
    name for name, kind in (EVENT_TYPES | DESK_EVENT_TYPES).items() if not issubclass(kind, _OF_USE)
)


@dataclass(frozen=True, slots=True)
class Passed:
    """An event of a case that is of no use here but for having come."""

    stream_id: UUID
    version: int
    desk: str


Told = Recorded | Passed | None


def told(message: Message) -> Told:
    """The event in a record; of one that is of no use, which is seen without reading it, that it has come.

    Raises: Undecodable.
    """
    headers = message.headers
    if headers.get("ce_type") not in _OF_NO_USE:
        return decode(stored_event(message))
    if headers.get("ce_category") != "complaint":
        return None
    try:
        return Passed(UUID(message.key), message.version or 0, headers["ce_desk"])
    except (ValueError, KeyError) as error:
        raise Undecodable("no event: its key is no stream, or it names no desk") from error


class Routing:
    """Handles batches of events, each in the transaction that moves the inbox; those of different partitions at once.

    ``send`` takes what a batch has put into the outbox, once it is committed; ``look`` hears that a desk has changed.
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
        # What each task that handles a partition has decided, not known to be committed yet.
        self._handled: WeakKeyDictionary[asyncio.Task[Any], list[tuple[Sequence[Told], Outgoing]]] = WeakKeyDictionary()

    async def handle(self, connection: asyncpg.Connection, events: Sequence[Told]) -> None:
        """Takes in events, in order of their stream. Raises: Poison, Transient."""
        for event in events:
            if isinstance(event, Recorded) and event.category == "desk":
                await self._desk_changed(connection, event)
        of_cases = [event for event in events if isinstance(event, Passed) or (event and event.category == "complaint")]
        if of_cases:
            outgoing = await self._take_in(connection, of_cases)
            self._handled.setdefault(_this_task(), []).append((events, outgoing))

    async def _take_in(self, connection: asyncpg.Connection, events: Sequence[Recorded | Passed]) -> Outgoing:
        now = self._now()
        files = await tables.files(connection, {event.stream_id: event.desk for event in events})
        records = [event for event in events if isinstance(event, Recorded)]
        grounds = await Grounds.of(connection, self._views, files.values())
        for event in events:
            take_in(files[event.stream_id], event, now)
        touched = {record.stream_id for record in records}
        at_work = [file for file in files.values() if file.complaint in touched or file.waits]
        for file in at_work:
            file.waits = not grounds.has_come(file)
        counts = await self._matters.note(connection, grounds, records, now) if records else []
        return await answer(connection, grounds, at_work, now, counts)

    def committed(self, events: Sequence[Told]) -> None:
        """These are done: what was put into the outbox for them may go, what was for others was rolled back."""
        done = {id(event) for event in events}
        for taken, outgoing in self._handled.pop(_this_task(), ()):
            if all(id(event) in done for event in taken):
                self._send(outgoing)
        if any(isinstance(event, Recorded) and event.category == "desk" for event in events):
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


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in one
    return task


def take_in(file: File, event: Recorded | Passed, now: datetime) -> None:
    """An event of the case. What is told of an imported case's past is told by somebody who may not have done yet."""
    file.seen = event.version
    if isinstance(event, Passed):
        return
    file.case = evolve(file.case, event.event, event.version)
    file.correlation_id = file.correlation_id or event.meta.correlation_id
    file.causation_id = event_id(event.stream_id, event.version)
    file.traceparent = event.meta.traceparent
    past = file.case.imported and event.event.at < now - SETTLING
    file.settles_at = now + SETTLING if past else None
