"""A row and what there is of its clock: everything that is asked before a clock changes.

Source: the pack language, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from complaints.business_time import Due
from complaints.complaint import StepState
from complaints.deciding.citing import counted
from complaints.deciding.frame import Timed
from complaints.deciding.run import Run
from complaints.deciding.sight import Check
from complaints.events import Clause, Interval
from complaints.procedure.limits import Limit, due_of, later_by_pauses, left
from complaints.procedure.model import LimitCase
from complaints.sla import Pause, SlaClock, warning_instants


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


def dated(run: Run, row: Timed, due: Due | None, limit: Limit | None, start: datetime) -> Dated:
    """The due instant, how it came about, and when the desk wants to be warned of it."""
    if due is None:
        return {"due_at": None, "provisional": False, "intervals": [], "warn_at": []}
    warn_at = list[datetime]()
    if run.warnings:
        warn_at = warning_instants(
            run.warnings,
            row.row,
            start=start,
            due=due.at,
            now=run.now,
            limit=limit,
            answers=run.procedure.questions,
            calendar=run.calendar,
        )
    return {"due_at": due.at, "provisional": due.provisional, "intervals": list(due.intervals), "warn_at": warn_at}
