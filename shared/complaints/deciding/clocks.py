"""Clocks: one limit brought in line with its row, one change at a time.

A clock runs from its stated start; pauses are kept whether or not it runs, and what was done counts from when it was
done. *Late* is a state, not an end: an act in time that is recorded late withdraws it.

A case that was closed and taken up again owes nothing for the time in which nobody handled it: a limit that starts
after a reopening counts from its stated start or from the reopening, whichever is later. Rows that stand while a case
is closed have no such gap and count from their stated start.

Source: the pack language, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from complaints.complaint import FRESH
from complaints.deciding.citing import within
from complaints.deciding.frame import Timed
from complaints.deciding.lateness import done_in_time_after_all, extended_after_all, paused_in_time_after_all
from complaints.deciding.look import Look, dated
from complaints.deciding.pausing import pause, run_on_after_pause, toggle_pause
from complaints.deciding.run import Run
from complaints.deciding.sight import Check
from complaints.events import Clause, ClockCancelled, ClockRecomputed, ClockResumed, ClockStarted, ClockStopped
from complaints.procedure.limits import Limit
from complaints.sla import SlaClock

UNDECIDED: Final = "undecided"
AFTER_A_REGRADE: Final = "not-stated after a regrade"


def bring_in_line(run: Run, row: Timed) -> bool:
    """Makes the one change that the clock most needs; True when there was one."""
    clock = run.state.clocks.get(row.name)
    if row.step is not None and row.step.round is not None and clock is None:
        return False  # a desk round starts it
    look = Look(run, row, clock, run.state.steps.get(row.name, FRESH) if row.step is not None else FRESH)
    if row.pause is not None and toggle_pause(look):
        return True
    if clock is None or clock.state == "cancelled":
        return _start(look)
    return any(change(look, clock) for change in _CHANGES[clock.state])


# --- none yet, or cancelled ---
def _start(look: Look) -> bool:
    """The row applies and what it counts from has come."""
    row, run = look.row, look.run
    if row.step is not None and row.step.round is not None:
        return False
    if look.cancelled or not look.stands:
        return False
    if look.ended is not None and not _repeats(look):
        return False
    start = _counts_from(look)
    if start is None:
        return False
    case = look.case
    limit = case[2].limit if case is not None else None
    checks = (*row.stands, case[1] if case is not None else None)
    regrade = None
    word = UNDECIDED if limit is None else limit.word or None
    if row.from_ is not None and row.regrade is not None and limit is not None and limit.numbered:
        changed = _changed(look, checks, start)
        if changed is not None:  # what applied has changed, not merely been learned
            regrade = row.regrade
            if regrade == "restart":
                start = changed
            elif regrade == "not-stated":
                limit, word = None, AFTER_A_REGRADE
    due = look.due(limit, start)
    fields = ["from", *(["regrade"] if regrade is not None else [])]
    clause = look.cite(case[2].clause or row.clause if case is not None else row.clause, None, fields)
    run.emit(
        ClockStarted(
            at=run.now,
            clause=run.cite(clause, [*row.standing, *within(case[2] if case is not None else None)], checks),
            rule=row.row,
            inputs=run.looked_at(checks),
            clock=row.name,
            from_=start,
            word=None if due is not None else word,
            case=case[0] if case is not None else None,
            regrade=regrade,
            **dated(look.run, look.row, due, limit, start),
        )
    )
    return True


def _repeats(look: Look) -> bool:
    """Is it a step that may be recorded again and again, and is?"""
    row = look.row
    return row.step is not None and row.step.repeats is not None and look.step.state == "open"


def _counts_from(look: Look) -> datetime | None:
    run, row, step = look.run, look.row, look.step
    start: datetime | None
    if _repeats(look) and step.tried_at is not None:
        start = max(step.tried_at, step.opened or step.tried_at)
    elif row.start is not None:
        start = row.start(run)
    else:
        start = step.opened if step.state == "open" else None
    reopened = run.state.reopened_at
    if start is not None and reopened is not None and not row.after_close:
        return max(start, reopened)
    return start


def _start_again(look: Look, _: SlaClock) -> bool:
    """A step that repeats begins its next interval."""
    return _repeats(look) and look.ended is not None and _start(look)


# --- stopped ---
def _run_on(look: Look, clock: SlaClock) -> bool:
    """What stopped a clock without a step is to be done again: it runs on as if it had not stopped."""
    row, run = look.row, look.run
    if row.step is not None or look.ended is not None or look.cancelled or not look.stands:
        return False
    due = look.due(look.limit, clock.from_)
    run.emit(
        ClockResumed(
            at=run.now,
            clause=look.cite(row.clause, look.limit, ["stop", "within"], [row.stop]),
            rule=row.row,
            inputs=run.looked_at([row.stop]),
            clock=row.name,
            **dated(look.run, look.row, due, look.limit, clock.from_),
        )
    )
    return True


# --- live ---
def _stop(look: Look, clock: SlaClock) -> bool:
    """What the limit is for has been done. A clock that stands had not run out."""
    row, run, ended = look.row, look.run, look.ended
    if ended is None:
        return False
    in_time = None if clock.due_at is None else clock.state == "paused" or ended <= clock.due_at
    since = ended if ended < run.now else None
    run.emit(
        ClockStopped(
            at=run.now,
            clause=look.cite(row.clause, None, ["stop"], [row.stop]),
            rule=row.row,
            inputs=run.looked_at([row.stop]),
            clock=row.name,
            in_time=in_time,
            since=since,
        )
    )
    return True


def _cancel(look: Look, _: SlaClock) -> bool:
    """Its row has ceased to apply, or says that this ends it."""
    row, run = look.row, look.run
    cancelled = look.cancelled
    if not cancelled and look.stands:
        return False
    checks = [row.cancel] if cancelled else [] if look.shut else row.stands
    run.emit(
        ClockCancelled(
            at=run.now,
            clause=run.cite(row.clause, [f"{row.row}.cancel"] if cancelled else row.standing, checks),
            rule=row.row,
            inputs=run.looked_at(checks),
            clock=row.name,
            because="cancelled" if cancelled else "closed" if look.shut else "no longer applies",
            since=run.late_since,
        )
    )
    return True


def _recompute(look: Look, clock: SlaClock) -> bool:
    """Another value of the limit applies. Learned, it counts from the stated start; changed, as `regrade` says.

    An extension given stands.
    """
    row, case = look.row, look.case
    if case is None or clock.case == case[0] or clock.extended:
        return False
    place, check, value = case
    changed = _changed(look, (c for c, _ in row.cases), clock.from_)
    start, word = clock.from_, None
    limit: Limit | None = value.limit
    if changed is not None and clock.due_at is not None:
        if row.regrade == "keep":
            return False
        if row.regrade == "restart":
            start = changed
        elif row.regrade == "not-stated":
            limit, word = None, AFTER_A_REGRADE
    fields = ["from", *(["regrade"] if changed is not None and row.regrade is not None else [])]
    clause = look.run.cite(look.cite(value.clause or row.clause, None, fields), within(value), [check])
    recompute(look, clock, limit, start, place=place, clause=clause, word=word, checks=[check])
    return True


def recompute(
    look: Look,
    clock: SlaClock,
    limit: Limit | None,
    start: datetime,
    *,
    place: int | None,
    clause: Clause,
    word: str | None = None,
    checks: Iterable[Check | None] = (),
) -> None:
    """Another due instant. A clock that stands has another rest; the old due instant stays in the event."""
    row, run = look.row, look.run
    due = look.due(limit, start)
    left_s = None
    if clock.state == "paused" and due is not None:
        left_s = look.left(limit, max(look.pauses[-1].begun, start), due.at)
    run.emit(
        ClockRecomputed(
            at=run.now,
            clause=clause,
            rule=row.row,
            inputs=run.looked_at(checks),
            clock=row.name,
            was=clock.due_at,
            case=place,
            from_=start if start != clock.from_ else None,
            left_s=left_s,
            word=None if due is not None else word or (limit.word or None if limit is not None else None),
            **dated(look.run, look.row, due, limit, start),
        )
    )


def _follow_fact(look: Look, clock: SlaClock) -> bool:
    """The date that the case itself brings, or the one from which it counts, is another one."""
    limit, start = look.limit, _corrected(look, clock)
    if limit is None or clock.case is None or (limit.fact is None and start == clock.from_):
        return False
    due = look.due(limit, start)
    if (due.at if due is not None else None) == clock.due_at:
        return False
    case = look.row.cases[clock.case][1]
    clause = look.cite(case.clause or look.row.clause, None, ["from"] if start != clock.from_ else [])
    recompute(look, clock, limit, start, place=clock.case, clause=look.run.cite(clause, within(case)))
    return True


def _corrected(look: Look, clock: SlaClock) -> datetime:
    """What the clock counts from: where that was a fact's earlier value, the present one."""
    said = look.row.starts_with
    if said is None or clock.from_ not in (_instant(value) for _, value in look.run.state.history.get(said, ())[:-1]):
        return clock.from_
    return _counts_from(look) or clock.from_


def _instant(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _changed(look: Look, checks: Iterable[Check | None], after: datetime) -> datetime | None:
    """When a fact or decision in these conditions last went from one known value to another, if after ``after``."""
    run = look.run
    keys = {key for check in checks if check is not None for key in check.keys if run.frame.graded(key)}
    instants = [at for key in keys if (at := run.state.changed_at(key)) is not None and at > after]
    return max(instants, default=None)


Change = Callable[[Look, SlaClock], bool]
_CHANGES: Final[Mapping[str, tuple[Change, ...]]] = {
    "running": (_stop, _cancel, pause, _recompute, _follow_fact),
    "paused": (_stop, _cancel, run_on_after_pause, _recompute, _follow_fact),
    "late": (done_in_time_after_all, paused_in_time_after_all, extended_after_all, _start_again),
    "stopped": (_run_on, _start_again),
}
