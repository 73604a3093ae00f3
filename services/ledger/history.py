"""A case in the past. Pure: which of its events count for a question in two kinds of time.

*As it was known* at an instant: what had been recorded by then. *As it was* at an instant: what had happened by then,
whenever it was recorded; an act counts from its ``done_at``, and what followed from it likewise. Both may be asked at
once: what was known on Tuesday of how things stood on Monday.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import cast

from msgspec.structs import replace

from complaints.codec import Recorded
from complaints.complaint import INITIAL, Complaint, evolve
from complaints.events import (
    BreachWithdrawn,
    CaseEvent,
    ClockBreached,
    ClockCancelled,
    ClockExpired,
    ClockExtended,
    ClockPaused,
    ClockRecomputed,
    ClockResumed,
    ClockStarted,
    ClockStopped,
    ClockWarned,
    ComplaintReceived,
    Event,
    FactsRecorded,
    PauseEnded,
    Record,
    StepOpened,
)

_OF_A_CLOCK = (
    ClockRecomputed | ClockExtended | ClockPaused | ClockResumed | ClockStopped | ClockCancelled | ClockWarned
    | ClockBreached | ClockExpired
)  # fmt: skip


def known_at(records: Iterable[Recorded], at: datetime | None) -> list[Recorded]:
    """What had been recorded by an instant; all of it for None."""
    return [record for record in records if at is None or record.recorded_at <= at]


def as_it_was(records: Sequence[Recorded], at: datetime) -> list[CaseEvent]:
    """What had happened by an instant, each event dated when it took effect, in the order of the record.

    An event of what had not happened yet by then is left out, and with it whatever only changes its consequences.
    """
    state, found = INITIAL, list[CaseEvent]()
    for record, effective in zip(records, effects(records), strict=True):
        event = cast("CaseEvent", record.event)
        if effective <= at and _has_ground(state, event):
            begun = found[0].at if found else effective  # nothing in a case took effect before it began
            happened = replace(event, at=max(effective, begun))
            state = evolve(state, happened)
            found.append(happened)
    return found


def effects(records: Iterable[Recorded]) -> list[datetime]:
    """When each event took effect: events say so themselves (``done_at``, ``since``, ``occurred_at``).

    The limit of a step that opened in the past began with it.
    """
    openings: dict[str, tuple[datetime, datetime]] = {}  # step: when its opening was recorded, and took effect
    found = []
    for record in records:
        event = record.event
        effect = _effect(event)
        if isinstance(event, StepOpened):
            openings[event.step] = (event.at, effect)
        elif isinstance(event, ClockStarted) and openings.get(event.clock, (None,))[0] == event.at:
            effect = openings[event.clock][1]
        found.append(effect)
    return found


def _effect(event: Event) -> datetime:
    match event:
        case ComplaintReceived():
            said = event.occurred_at
        case Record() | BreachWithdrawn():
            said = event.done_at
        case _:
            said = getattr(event, "since", None)
    return event.at if said is None else min(said, event.at)


def _has_ground(state: Complaint, event: Event) -> bool:
    """Whether what the event changes is there."""
    if state.version == 0:
        return isinstance(event, ComplaintReceived)
    match event:
        case PauseEnded():
            pauses = state.pauses.get(event.clock, ())
            return bool(pauses) and pauses[-1].ended is None
        case FactsRecorded(item=str(item)):
            kind, _, number = item.partition("#")
            return number in state.items.get(kind, {})
        case BreachWithdrawn():
            return event.clock is None or event.clock in state.clocks
        case _ if isinstance(event, _OF_A_CLOCK):
            return event.clock in state.clocks
        case _:
            return True
