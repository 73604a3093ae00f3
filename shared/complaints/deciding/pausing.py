"""Pauses: intervals of the case, kept for each clock whether or not it runs.

A clock stands while one lasts, with what was left when it began, and runs on from its end.

Source: the pack language, section 3 (`pause`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from complaints.deciding.look import Look, dated
from complaints.events import ClockPaused, ClockResumed, PauseBegun, PauseEnded
from complaints.procedure.limits import resume
from complaints.sla import SlaClock


def toggle_pause(look: Look) -> bool:
    """Pauses are intervals of the case, kept per clock: also before it runs, not once it has stopped."""
    run, row, clock = look.run, look.row, look.clock
    pausing, paused = look.pausing, look.paused
    if pausing == paused:
        return False
    if pausing and (look.shut or (clock.state == "stopped" if clock is not None else not _may_pause_early(look))):
        return False
    kind = PauseBegun if pausing else PauseEnded
    run.emit(
        kind(
            at=run.now,
            clause=look.cite(row.clause, None, ["pause"], [row.pause]),
            rule=row.row,
            inputs=run.looked_at([row.pause]),
            clock=row.name,
            since=run.since([row.pause]),
        )
    )
    return True


def _may_pause_early(look: Look) -> bool:
    return look.row.step is not None or look.stands


def stand_still(look: Look, clock: SlaClock, due: datetime) -> None:
    """The clock stands, with what was left of it when the pause began."""
    row, run = look.row, look.run
    at = max(look.pauses[-1].begun, clock.from_)
    run.emit(
        ClockPaused(
            at=run.now,
            clause=look.cite(row.clause, None, ["pause"], [row.pause]),
            rule=row.row,
            inputs=run.looked_at([row.pause]),
            clock=row.name,
            left_s=look.left(look.limit, at, due),
        )
    )


def pause(look: Look, clock: SlaClock) -> bool:
    """It stands while a pause lasts."""
    if clock.due_at is None or not look.paused:
        return False
    stand_still(look, clock, clock.due_at)
    return True


def run_on_after_pause(look: Look, clock: SlaClock) -> bool:
    """It runs on with what was left, from the end of the pause."""
    row, run = look.row, look.run
    if look.paused:
        return False
    at = look.pauses[-1].ended or run.now
    whole, limit = timedelta(seconds=clock.left_s or 0.0), look.limit
    due = resume(limit, max(at, clock.from_), whole, run.procedure.questions, run.calendar)
    counted = look.due(limit, clock.from_)
    if counted is not None and counted.at == due.at:
        due = counted  # the same instant, with all the working intervals since the start
    run.emit(
        ClockResumed(
            at=run.now,
            clause=look.cite(row.clause, limit, ["pause"], [row.pause]),
            rule=row.row,
            inputs=run.looked_at([row.pause]),
            clock=row.name,
            **dated(look.run, look.row, due, limit, clock.from_),
        )
    )
    return True
