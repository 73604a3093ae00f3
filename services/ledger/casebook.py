"""Cases by replay, at any instant in either kind of time, with what they ran under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from complaints.business_time import BusinessCalendar
from complaints.codec import Recorded, decode
from complaints.complaint import Complaint, replay
from complaints.desk_view import DeskView, compiled_calendar
from complaints.desks import DeskViews
from complaints.errors import Unknown
from complaints.events import CaseEvent, ComplaintReceived, PackChanged
from complaints.ports import EventStore, StoredEvent
from complaints.procedure.model import Procedure
from complaints.refusals import Refusals
from ledger.files import Opener
from ledger.history import as_it_was, effects, known_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The instants that a question is about; None: now."""

    as_of: datetime | None = None
    known_at: datetime | None = None

    @property
    def asked(self) -> bool:
        """Whether it is about the past at all."""
        return self.as_of is not None or self.known_at is not None


NOW = Past()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case as it was. ``stored``, ``sealed`` and ``records`` are the same events: as stored, read, and opened.

    ``events`` are those that the state is made of; asked as it was, they are dated when they took effect.
    """

    id: UUID
    desk: str
    past: Past
    at: datetime  # of which the answer speaks
    stored: Sequence[StoredEvent]
    sealed: Sequence[Recorded]
    records: Sequence[Recorded]
    events: Sequence[CaseEvent]
    state: Complaint
    sealed_state: Complaint  # the same, its personal values unopened
    procedure: Procedure
    calendar: BusinessCalendar
    view: DeskView  # under whose version of the procedure it ran
    latest: int  # the version that the case has now
    refused: Mapping[str, int]  # how often each hold or bar has refused an act

    @property
    def version(self) -> int:
        """The last version that counts here."""
        return self.stored[-1].version


class Casebook:
    """Reads cases from the log."""

    def __init__(self, store: EventStore, views: DeskViews, opener: Opener, refusals: Refusals) -> None:
        self._store, self._views, self._opener, self._refusals = store, views, opener, refusals

    async def case(self, complaint: str, now: datetime, past: Past = NOW) -> Case:
        """A case as it is, as it was, as it was known.

        Raises:
            Unknown: no-such-complaint, or none yet at that instant (not-yet).
            Undecodable, StoreUnavailable.
        """
        stream = uuid_of(complaint)
        rows = await self._store.read(stream)
        if not rows or rows[0].category != "complaint":
            raise no_such_complaint(complaint)
        known = known_at([decode(row) for row in rows], past.known_at)
        opened = await self._opener.unseal(known)
        if past.as_of is None:
            counted = list(zip(rows, known, opened, strict=False))
            events, closed = [[cast("CaseEvent", record.event) for record in some] for some in (opened, known)]
        else:
            at = past.as_of
            some = zip(rows, known, opened, effects(opened), strict=False)
            counted = [(row, sealed, record) for row, sealed, record, effect in some if effect <= at]
            events, closed = as_it_was(opened, at), as_it_was(known, at)
        if not events:
            why = f"nothing of {complaint} had happened, or was known, by then"
            raise Unknown("not-yet", why, complaint=complaint)
        desk, state = rows[0].desk, replay(events)
        view = await self._views.at(desk, under(events))
        current = await self._views.current(desk)
        calendars = {**view.calendars, **current.calendars}
        spoken_of = past.as_of or past.known_at or now
        return Case(
            id=stream,
            desk=desk,
            past=past,
            at=spoken_of,
            stored=[row for row, _, _ in counted],
            sealed=[sealed for _, sealed, _ in counted],
            records=[record for _, _, record in counted],
            events=events,
            state=state,
            sealed_state=replay(closed),
            procedure=view.procedure,
            calendar=compiled_calendar(calendars[state.calendar]),
            view=view,
            latest=rows[-1].version,
            refused=await self._refusals.counted(stream, upto=spoken_of, known=past.known_at),
        )


def under(events: Sequence[CaseEvent]) -> int:
    """The version of the desk under whose procedure the case runs."""
    versions = [event.desk_version for event in events if isinstance(event, ComplaintReceived | PackChanged)]
    return versions[-1] if versions else 0


def uuid_of(complaint: str) -> UUID:
    """A complaint's id. Raises Unknown(no-such-complaint)."""
    try:
        return UUID(complaint)
    except ValueError:
        raise no_such_complaint(complaint) from None


def no_such_complaint(complaint: str) -> Unknown:
    """The error for a case that there is none of, or that is another desk's."""
    return Unknown("no-such-complaint", f"no complaint is called {complaint}", complaint=complaint)
