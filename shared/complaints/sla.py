"""A limit of one case as it stands: the SLA clock, and the desk's warnings before it runs out.

The arithmetic of limits is in ``procedure.limits``; what starts, pauses and stops a clock is decided in ``deciding``
and folded here from its events. A clock is never removed but by a loop that makes its row begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal, Protocol, assert_never

import msgspec
from msgspec.structs import replace

from complaints.business_time import BusinessCalendar
from complaints.events import (
    BreachWithdrawn,
    Clause,
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
)
from complaints.procedure.limits import Answers, Limit, left, resume

Interval = tuple[datetime, datetime]
ClockPhase = Literal["running", "paused", "late", "stopped", "cancelled"]


class SlaClock(msgspec.Struct, frozen=True, kw_only=True):
    """One clock. ``late`` is the state in which its due instant has passed; whether that is a breach its row says.

    ``due_at`` is None where the text gives no number (then ``word`` may give its own) or while the case of the limit is
    not decided. ``left_s`` is what was left when the pause began, in the clock's own kind of time. ``warn_at`` are the
    instants at which the desk has yet to be warned.
    """

    name: str
    state: ClockPhase
    started_at: datetime  # when it was started, however far back it counts
    from_: datetime
    due_at: datetime | None = None
    late: bool = False
    extended: bool = False
    case: int | None = None  # the place of its value in a list of limits
    word: str | None = None
    clause: Clause = None
    regrade: str | None = None
    left_s: float | None = None
    provisional: bool = False
    intervals: tuple[Interval, ...] = ()
    warn_at: tuple[datetime, ...] = ()
    warned: bool = False
    in_time: bool | None = None  # once stopped; None where there was no date
    ended_at: datetime | None = None  # when it stopped, was cancelled or ran out

    @property
    def live(self) -> bool:
        """Is it running or paused?"""
        return self.state in ("running", "paused")


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A pause of a limit, kept whether or not its clock runs."""

    begun: datetime
    ended: datetime | None = None


ClockMoved = (
    ClockRecomputed | ClockExtended | ClockPaused | ClockResumed | ClockStopped | ClockCancelled | ClockWarned
    | ClockBreached | ClockExpired | BreachWithdrawn
)  # fmt: skip
"""What can happen to a clock that has begun."""


def started(event: ClockStarted) -> SlaClock:
    """A clock as it begins."""
    return SlaClock(
        name=event.clock,
        state="running",
        started_at=event.at,
        from_=event.from_,
        due_at=event.due_at,
        case=event.case,
        word=event.word,
        clause=event.clause,
        regrade=event.regrade,
        provisional=event.provisional,
        intervals=tuple(event.intervals),
        warn_at=tuple(event.warn_at),
    )


def moved(clock: SlaClock, event: ClockMoved) -> SlaClock:  # noqa: PLR0911 - one arm an event
    """A clock after one more of its events."""
    match event:
        case ClockRecomputed():
            clock = _due(clock, event)
            word = event.word if event.due_at is None else None
            from_, left_s = event.from_ or clock.from_, clock.left_s if event.left_s is None else event.left_s
            return replace(clock, clause=event.clause, case=event.case, from_=from_, left_s=left_s, word=word)
        case ClockExtended():
            return replace(_due(clock, event), clause=event.clause, extended=True, state="running", late=False)
        case ClockPaused():
            return replace(clock, state="paused", left_s=event.left_s, late=False, ended_at=None)
        case ClockResumed():
            return replace(_due(clock, event), state="running", left_s=None, late=False, in_time=None)
        case ClockStopped():
            return replace(clock, state="stopped", in_time=event.in_time, ended_at=event.since or event.at, warn_at=())
        case ClockCancelled():
            return replace(clock, state="cancelled", ended_at=event.since or event.at, warn_at=())
        case ClockWarned():
            return replace(clock, warned=True, warn_at=tuple(at for at in clock.warn_at if at > event.at))
        case ClockBreached() | ClockExpired():
            return replace(clock, state="late", late=True, ended_at=event.due_at, warn_at=())
        case BreachWithdrawn():
            return replace(clock, state="stopped", late=False, in_time=True, ended_at=event.done_at)
        case _:
            assert_never(event)


def _due(clock: SlaClock, event: ClockRecomputed | ClockExtended | ClockResumed) -> SlaClock:
    return replace(
        clock,
        due_at=event.due_at,
        provisional=event.provisional,
        intervals=tuple(event.intervals),
        warn_at=tuple(event.warn_at),
        ended_at=None,
    )


class WarningRule(Protocol):
    """When the desk wants to be warned: at a share of the limit (0 to 1), or so long before it runs out."""

    @property
    def share(self) -> float | None: ...
    @property
    def before(self) -> timedelta | None: ...


class Warn(msgspec.Struct, frozen=True, kw_only=True):
    """A ``WarningRule`` as a value; exactly one of the two is set."""

    share: float | None = None
    before: timedelta | None = None


Warnings = Mapping[str, Sequence[WarningRule]]
"""Clock to its rules; ``*`` stands for every clock that is not named."""

NO_WARNINGS: Final[Warnings] = MappingProxyType({})


def warning_instants(
    warnings: Warnings,
    clock: str,
    *,
    start: datetime,
    due: datetime,
    now: datetime,
    limit: Limit | None,
    answers: Answers,
    calendar: BusinessCalendar,
) -> list[datetime]:
    """When the desk is to be warned, in order; a share is taken in the limit's own kind of time.

    What lies before ``now``, or is not before the due instant, is left out: a warning that comes too late is none.
    """
    rules = warnings.get(clock.partition("#")[0]) or warnings.get("*") or ()
    instants = set()
    for rule in rules:
        if rule.before is not None:
            instants.add(due - rule.before)
        elif rule.share is not None:
            whole = left(limit, start, due, answers, calendar)
            instants.add(resume(limit, start, whole * rule.share, answers, calendar).at)
    return sorted(at for at in instants if now < at < due)
