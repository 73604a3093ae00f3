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
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypedDict

from complaints.business_time import Due
from complaints.complaint import FRESH, StepState
from complaints.deciding.citing import counted, within
from complaints.deciding.frame import Timed
from complaints.deciding.run import Run
from complaints.deciding.sight import Check
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
    Interval,
    PauseBegun,
    PauseEnded,
)
from complaints.procedure.limits import Limit, due_of, later_by_pauses, left, resume
from complaints.procedure.model import LimitCase
from complaints.sla import Pause, SlaClock, warning_instants

UNDECIDED: Final = "undecided"
AFTER_A_REGRADE: Final = "not-stated after a regrade"


@dataclass(frozen=True, slots=True)
class Look:
    """A row and what there is of its clock."""

    run: Run
    row: Timed
    clock: SlaClock | None
    step: StepState

    @property
    def shut(self) -> bool:
        """Is the case closed to this row?"""
        return self.run.state.closed_at is not None and not self.row.after_close

    @property
    def stands(self) -> bool:
        """Does the row apply?"""
        row = self.row
        if self.shut or not all(check.on(self.run) is True for check in row.stands):
            return False
        return row.step is None or row.from_ is not None or self.step.state != "waiting"

    @property
    def ended(self) -> datetime | None:
        """When what stops the clock was done; None while it is not. Of a step that repeats: its last record."""
        row = self.row
        if row.step is None:
            if row.stop is None or row.stop.on(self.run) is not True:
                return None
            return self.run.since((row.stop,)) or self.run.now
        if row.step.repeats is not None and self.step.state != "over":
            tried, clock = self.step.tried_at, self.clock
            return tried if tried is not None and clock is not None and clock.from_ < tried else None
        return self.step.at if self.step.state == "over" else None

    @property
    def cancelled(self) -> bool:
        """Does the row cancel its clock?"""
        return self.row.cancel is not None and self.row.cancel.on(self.run) is True

    @property
    def pausing(self) -> bool:
        """Does the row pause its clock?"""
        return self.row.pause is not None and self.row.pause.on(self.run) is True

    @property
    def pauses(self) -> tuple[Pause, ...]:
        """The pauses so far."""
        return self.run.state.pauses.get(self.row.name, ())

    @property
    def paused(self) -> bool:
        """Does a pause last?"""
        pauses = self.pauses
        return bool(pauses) and pauses[-1].ended is None

    @property
    def case(self) -> tuple[int, Check | None, LimitCase] | None:
        """The value of the limit that applies, with its place; None while none is decided."""
        for place, (check, case) in enumerate(self.row.cases):
            if check is None or check.on(self.run) is True:
                return place, check, case
        return None

    @property
    def limit(self) -> Limit | None:
        """The limit by which the clock runs now; None for one whose date was given to it."""
        if self.clock is None:
            return None
        if self.clock.extended and self.row.extension is not None:
            return self.row.extension.to
        case = self.clock.case
        return self.row.cases[case][1].limit if case is not None and case < len(self.row.cases) else None

    def due(self, limit: Limit | None, start: datetime) -> Due | None:
        """When a limit counted from ``start`` is over, moved by the pauses that have ended."""
        run, pauses = self.run, self.pauses
        if limit is None:
            return None
        answers = run.procedure.questions
        due = due_of(limit, start, answers, run.calendar, self._instant)
        if due is None or not pauses:
            return due
        spans = [(pause.begun, pause.ended) for pause in pauses]
        return later_by_pauses(due, spans, limit, start=start, answers=answers, calendar=run.calendar)

    def _instant(self, fact: str) -> datetime | None:
        return self.run.frame.instant(fact, self.row.item)(self.run)

    def left(self, limit: Limit | None, at: datetime, due: datetime) -> float:
        """Seconds left at ``at``, in the limit's own kind of time."""
        return left(limit, at, due, self.run.procedure.questions, self.run.calendar).total_seconds()

    def cite(
        self, clause: Clause, limit: Limit | None, fields: Iterable[str] = (), checks: Iterable[Check | None] = ()
    ) -> Clause:
        """The clause with the desk's answers in these fields of the row, in how the limit is counted, in the checks."""
        return self.run.cite(clause, [*(f"{self.row.row}.{field}" for field in fields), *counted(limit)], checks)


class Dated(TypedDict):
    """What every event says that gives a clock a due instant."""

    due_at: datetime | None
    provisional: bool
    intervals: list[Interval]
    warn_at: list[datetime]


def dated(look: Look, due: Due | None, limit: Limit | None, start: datetime) -> Dated:
    """The due instant, how it came about, and when the desk wants to be warned of it."""
    if due is None:
        return {"due_at": None, "provisional": False, "intervals": [], "warn_at": []}
    run, warn_at = look.run, list[datetime]()
    if run.warnings:
        warn_at = warning_instants(
            run.warnings,
            look.row.row,
            start=start,
            due=due.at,
            now=run.now,
            limit=limit,
            answers=run.procedure.questions,
            calendar=run.calendar,
        )
    return {"due_at": due.at, "provisional": due.provisional, "intervals": list(due.intervals), "warn_at": warn_at}


def bring_in_line(run: Run, row: Timed) -> bool:
    """Makes the one change that the clock most needs; True when there was one."""
    clock = run.state.clocks.get(row.name)
    if row.step is not None and row.step.round is not None and clock is None:
        return False  # a desk round starts it
    look = Look(run, row, clock, run.state.steps.get(row.name, FRESH) if row.step is not None else FRESH)
    if row.pause is not None and _toggle_pause(look):
        return True
    return any(change(look) for change in _CHANGES[clock.state if clock is not None else None])


def _toggle_pause(look: Look) -> bool:
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


# --- late ---
def _withdraw(look: Look, done_at: datetime) -> None:
    run, row = look.run, look.row
    run.emit(BreachWithdrawn(at=run.now, clause=row.clause, rule=row.row, clock=row.name, done_at=done_at))


def _done_in_time_after_all(look: Look) -> bool:
    """What stops it was done in time and recorded late."""
    clock, ended = look.clock, look.ended
    if clock is None or clock.due_at is None or ended is None or ended > clock.due_at:
        return False
    _withdraw(look, ended)
    return True


def _paused_in_time_after_all(look: Look) -> bool:
    """A pause had begun before it ran out."""
    clock, pauses = look.clock, look.pauses
    if clock is None or clock.due_at is None or look.ended is not None or not look.paused:
        return False
    if pauses[-1].begun >= clock.due_at:
        return False
    _withdraw(look, pauses[-1].begun)
    _stand_still(look, clock.due_at)
    return True


def _extended_after_all(look: Look) -> bool:
    """An act before the due instant makes the extension's condition true as it was then."""
    clock, run = look.clock, look.run
    if clock is None or clock.due_at is None or look.ended is not None or not extension_due(look):
        return False
    _withdraw(look, run.effective)
    extend(look)
    return True


def extension_due(look: Look) -> bool:
    """Is there more time? Asked once, of the due instant as it was."""
    clock, row = look.clock, look.row
    if clock is None or clock.extended or clock.due_at is None or row.extend is None:
        return False
    return row.extend.on(look.run.past(clock.due_at)) is True


def extend(look: Look) -> None:
    """More time, counted from the same start."""
    clock, row, run = look.clock, look.row, look.run
    if clock is None or row.extension is None:
        raise AssertionError(row.name)
    to = row.extension.to
    run.emit(
        ClockExtended(
            at=run.now,
            clause=look.cite(row.extension.clause or row.clause, to, ["extend"], [row.extend]),
            rule=row.row,
            inputs=run.looked_at([row.extend]),
            clock=row.name,
            was=clock.due_at,
            because=row.extension.when.text,
            **dated(look, look.due(to, clock.from_), to, clock.from_),
        )
    )


# --- stopped ---
def _run_on(look: Look) -> bool:
    """What stopped a clock without a step is to be done again: it runs on as if it had not stopped."""
    clock, row, run = look.clock, look.row, look.run
    if clock is None or row.step is not None or look.ended is not None or look.cancelled or not look.stands:
        return False
    due = look.due(look.limit, clock.from_)
    run.emit(
        ClockResumed(
            at=run.now,
            clause=look.cite(row.clause, look.limit, ["stop", "within"], [row.stop]),
            rule=row.row,
            inputs=run.looked_at([row.stop]),
            clock=row.name,
            **dated(look, due, look.limit, clock.from_),
        )
    )
    return True


# --- live ---
def _stop(look: Look) -> bool:
    """What the limit is for has been done. A clock that stands had not run out."""
    clock, row, run, ended = look.clock, look.row, look.run, look.ended
    if clock is None or ended is None:
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


def _cancel(look: Look) -> bool:
    """Its row has ceased to apply, or says that this ends it."""
    row, run = look.row, look.run
    cancelled = look.cancelled
    if not cancelled and look.stands:
        return False
    checks = [row.cancel] if cancelled else [] if look.shut else row.stands
    run.emit(
        ClockCancelled(
            at=run.now,
            clause=look.cite(row.clause, None, ["cancel", "when", "start"], checks),
            rule=row.row,
            inputs=run.looked_at(checks),
            clock=row.name,
            because="cancelled" if cancelled else "closed" if look.shut else "no longer applies",
            since=run.late_since,
        )
    )
    return True


def _stand_still(look: Look, due: datetime) -> None:
    clock, row, run = look.clock, look.row, look.run
    if clock is None:
        raise AssertionError(row.name)
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


def _pause(look: Look) -> bool:
    """It stands while a pause lasts."""
    clock = look.clock
    if clock is None or clock.due_at is None or not look.paused:
        return False
    _stand_still(look, clock.due_at)
    return True


def _resume(look: Look) -> bool:
    """It runs on with what was left, from the end of the pause."""
    clock, row, run = look.clock, look.row, look.run
    if clock is None or look.paused:
        return False
    at = look.pauses[-1].ended or run.now
    whole, limit = timedelta(seconds=clock.left_s or 0.0), look.limit
    due = resume(limit, max(at, clock.from_), whole, run.procedure.questions, run.calendar)
    run.emit(
        ClockResumed(
            at=run.now,
            clause=look.cite(row.clause, limit, ["pause"], [row.pause]),
            rule=row.row,
            inputs=run.looked_at([row.pause]),
            clock=row.name,
            **dated(look, due, limit, clock.from_),
        )
    )
    return True


def _recompute(look: Look) -> bool:
    """Another value of the limit applies. Learned, it counts from the stated start; changed, as `regrade` says."""
    clock, row, case = look.clock, look.row, look.case
    if clock is None or case is None or clock.case == case[0]:
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
    recompute(look, limit, start, place=place, clause=clause, word=word, checks=[check])
    return True


def recompute(
    look: Look,
    limit: Limit | None,
    start: datetime,
    *,
    place: int | None,
    clause: Clause,
    word: str | None = None,
    checks: Iterable[Check | None] = (),
) -> None:
    """Another due instant. A clock that stands has another rest; the old due instant stays in the event."""
    clock, row, run = look.clock, look.row, look.run
    if clock is None:
        raise AssertionError(row.name)
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
            **dated(look, due, limit, start),
        )
    )


def _follow_fact(look: Look) -> bool:
    """The date that the case itself brings is another one."""
    clock, limit = look.clock, look.limit
    if clock is None or limit is None or limit.fact is None or clock.case is None:
        return False
    due = look.due(limit, clock.from_)
    if (due.at if due is not None else None) == clock.due_at:
        return False
    case = look.row.cases[clock.case][1]
    clause = look.run.cite(case.clause or look.row.clause, within(case))
    recompute(look, limit, clock.from_, place=clock.case, clause=clause)
    return True


def _changed(look: Look, checks: Iterable[Check | None], after: datetime) -> datetime | None:
    """When a fact or decision in these conditions last went from one known value to another, if after ``after``."""
    run = look.run
    keys = {key for check in checks if check is not None for key in check.keys if run.frame.graded(key)}
    instants = [at for key in keys if (at := run.state.changed_at(key)) is not None and at > after]
    return max(instants, default=None)


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
            clause=run.cite(clause, within(case[2] if case is not None else None), checks),
            rule=row.row,
            inputs=run.looked_at(checks),
            clock=row.name,
            from_=start,
            word=None if due is not None else word,
            case=case[0] if case is not None else None,
            regrade=regrade,
            **dated(look, due, limit, start),
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


def _start_again(look: Look) -> bool:
    """A step that repeats begins its next interval."""
    return _repeats(look) and look.ended is not None and _start(look)


Change = Callable[[Look], bool]
_CHANGES: Final[Mapping[str | None, tuple[Change, ...]]] = {
    None: (_start,),
    "cancelled": (_start,),
    "running": (_stop, _cancel, _pause, _recompute, _follow_fact),
    "paused": (_stop, _cancel, _resume, _recompute, _follow_fact),
    "late": (_done_in_time_after_all, _paused_in_time_after_all, _extended_after_all, _start_again),
    "stopped": (_run_on, _start_again),
}


# --- running out ---
def run_out(run: Run, row: Timed, clock: SlaClock) -> None:
    """The due instant has passed: there is more time, or a must is breached, or a limit has simply run out."""
    look = Look(run, row, clock, run.state.step(row.name))
    if clock.due_at is None:
        return
    if extension_due(look):
        extend(look)
    elif row.duty == "must":
        answers = run.state.decided.get("answerable")
        run.emit(
            ClockBreached(
                at=run.now,
                clause=clock.clause,
                rule=row.row,
                clock=row.name,
                due_at=clock.due_at,
                by=row.by,
                answerable=str(answers) if answers is not None else None,
            )
        )
    else:
        run.emit(
            ClockExpired(at=run.now, clause=clock.clause, rule=row.row, clock=row.name, due_at=clock.due_at, by=row.by)
        )


def warn(run: Run, row: Timed, clock: SlaClock) -> None:
    """The desk asked to be told before this limit runs out; no clause says so, the desk does."""
    if clock.due_at is None:
        return
    place = row.row if row.row in run.warnings else "*"
    run.emit(
        ClockWarned(
            at=run.now, clause=[f"desk:warnings.{place}"], rule=row.row, clock=row.name, due_at=clock.due_at, by=row.by
        )
    )
