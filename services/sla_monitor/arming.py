"""What each event arms and disarms. Pure: the events of a clock say all that its timer needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from complaints.events import (
    BreachWithdrawn,
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
    DutyBreached,
    DutyLapsed,
    DutyOpened,
    DutyRecorded,
    Event,
    Record,
    StepLapsed,
    StepOpened,
    StepScheduled,
    StepsReopened,
    StepWaived,
)

Kind = Literal["clock", "warning", "step", "opening", "duty", "audit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Fires at these instants from now on, instead of those of that kind and name before; a clock's warnings too."""

    kind: Kind
    name: str
    due_at: datetime
    warnings: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disarm:
    """Nothing of this kind and name fires any more; of warnings, where ``upto`` says so, only those up to then."""

    kind: Kind
    name: str
    upto: datetime | None = None


Change = Arm | Disarm

ARMING: Final = (
    ClockStarted, ClockExtended, ClockResumed, ClockRecomputed, ClockPaused, ClockStopped, ClockCancelled,
    ClockBreached, ClockExpired, ClockWarned, BreachWithdrawn, StepScheduled, StepOpened, StepLapsed, StepWaived,
    StepsReopened, Record, DutyOpened, DutyRecorded, DutyBreached, DutyLapsed,
)  # fmt: skip
"""The events that arm or disarm anything."""


def changes(event: Event) -> Iterator[Change]:  # noqa: C901, PLR0912 - one arm a kind of event
    """What an event of a case, or of a desk's duties, does to timers."""
    match event:
        case ClockStarted() | ClockExtended() | ClockResumed():
            yield _clock(event.clock, event.due_at, tuple(event.warn_at))
        case ClockRecomputed():
            stands = event.left_s is not None  # it is paused: it fires once it runs on
            yield _clock(event.clock, None if stands else event.due_at, tuple(event.warn_at))
        case ClockPaused() | ClockStopped() | ClockCancelled() | ClockBreached() | ClockExpired():
            yield Disarm(kind="clock", name=event.clock)
        case BreachWithdrawn(clock=str(clock)):
            yield Disarm(kind="clock", name=clock)
        case ClockWarned():
            yield Disarm(kind="warning", name=event.clock, upto=event.at)
        case StepScheduled():
            yield Arm(kind="step", name=event.step, due_at=event.opens_at)
        case StepOpened() | StepLapsed() | StepWaived() | Record(over=True):
            yield Disarm(kind="step", name=event.step)
        case StepsReopened():
            yield from (Disarm(kind="step", name=step) for step in event.steps)
            yield from (Disarm(kind="clock", name=clock) for clock in event.clocks)
        case DutyOpened(due_at=due_at):
            name = period_name(event.owe, event.period)
            yield Disarm(kind="opening", name=name)
            if due_at is not None:
                yield Arm(kind="duty", name=name, due_at=due_at)
        case DutyRecorded(period=str(period)):
            yield Disarm(kind="duty", name=period_name(event.owe, period))
        case DutyBreached() | DutyLapsed():
            yield Disarm(kind="duty", name=period_name(event.owe, event.period))
        case _:
            return


def _clock(name: str, due_at: datetime | None, warnings: tuple[datetime, ...]) -> Change:
    if due_at is None:
        return Disarm(kind="clock", name=name)
    return Arm(kind="clock", name=name, due_at=due_at, warnings=warnings)


SEPARATOR: Final = " "


def period_name(owe: str, period: str) -> str:
    """The name of a duty in one of its periods."""
    return f"{owe}{SEPARATOR}{period}"


def period_of(name: str) -> tuple[str, str]:
    """The duty and its period."""
    owe, _, period = name.partition(SEPARATOR)
    return owe, period
