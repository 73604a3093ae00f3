"""Settling: rows are looked at until nothing changes.

Decisions, lapses, openings, clocks, holds; then the notices that the system itself owes.

A group that changed anything starts the round again, so no step opens under an old grade. In a group rows go in file
order and see the state after the row before. Only rows that look at something that has changed are visited; a case at
rest has none, and ``Run.thorough`` visits all to prove that it makes no odds.

Source: the pack language, section 8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from complaints.complaint import FRESH
from complaints.deciding.clocks import bring_in_line
from complaints.deciding.frame import GROUPS, StepRow, TableOf, TableRow
from complaints.deciding.run import Run
from complaints.deciding.sight import good
from complaints.errors import Unsettled
from complaints.events import (
    Clause,
    ComplaintGraded,
    ComplaintJudged,
    ComplaintRouted,
    DecisionEvent,
    HoldLifted,
    HoldPlaced,
    NoticeRequested,
    StepLapsed,
    StepOpened,
    StepScheduled,
)
from complaints.procedure.limits import due_of
from complaints.procedure.model import UNSET

ROUNDS: Final = 200
"""More rounds than rows can need that do not contradict one another."""

DECISIONS: Final = GROUPS[:1]
"""The tables alone."""

DECISION_EVENTS: Final[dict[str, type[DecisionEvent]]] = {"grade": ComplaintGraded, "owner": ComplaintRouted}


def settle(run: Run, groups: Sequence[str] = GROUPS) -> None:
    """Looks until nothing changes in these groups.

    Raises:
        Unsettled: rows undo one another; names them. A fault of the pack, found at the case that shows it.
    """
    for _ in range(ROUNDS):
        if not any(_go_through(run, group) for group in groups):
            return
    rows = sorted({event.rule for event in run.events[-ROUNDS // 2 :] if event.rule is not None})
    raise Unsettled(f"the rows {', '.join(rows)} of {run.procedure.id} undo one another", rows=rows)


def _go_through(run: Run, group: str) -> bool:
    """Visits the rows of a group that have something new to look at; True when that changed anything."""
    first, end = run.frame.spans[group]
    if run.thorough:
        run.dirty |= (1 << end) - (1 << first)
    visit, changed = _VISIT[group], False
    place = first
    while pending := (run.dirty & ((1 << end) - 1)) >> place:
        place += (pending & -pending).bit_length() - 1
        run.dirty &= ~(1 << place)
        changed |= visit(run, place - first)
        place += 1
    return changed


# --- decisions ---
def _decide_table(run: Run, place: int) -> bool:
    """The first row of the table that is true wins; the remainder only when all before it are known to be false."""
    table, undecided = run.frame.tables[place], list[Clause]()
    for row in table.rows:
        holds = row.check.on(run) if row.check is not None else not undecided
        if holds is None:
            undecided.append(row.row.clause)
        if holds:
            return _take(run, table, row, undecided)
    return False


def _take(run: Run, table: TableOf, row: TableRow, undecided: list[Clause]) -> bool:
    decide, falls = table.table.decide, table.table.falls
    was, to = run.state.decided.get(decide), row.fact(run) if row.fact is not None else row.row.set
    if to is UNSET or not isinstance(to, str | int) or to == run.state.table.get(decide):
        return False
    place, old = table.order.get(to), table.order.get(was) if was is not None else None
    lower = place is not None and old is not None and place > old
    if was is not None and falls != "yes" and (lower or to == was):
        return False  # the engine only raises
    # The remainder was decided by every row before it.
    checks = [row.check] if row.check is not None else [before.check for before in table.rows]
    looked_at = run.looked_at(checks)
    fields = [row.rule, *([f"{decide}.falls"] if lower else []), *_passed_over(run, table, row)]
    if row.row.fact is not None:
        names = run.frame.names()
        looked_at[row.row.fact] = None if names.of(row.row.fact).personal else to
        fields += run.frame.citations.taken(run, names, row.row.fact)
    run.emit(
        DECISION_EVENTS.get(decide, ComplaintJudged)(
            at=run.now,
            clause=run.cite(row.row.clause, fields, checks),
            rule=row.rule,
            inputs=looked_at,
            fact=decide,
            to=to,
            was=was,
            looked_at=looked_at,
            undecided=undecided,
            since=run.since(checks),
        )
    )
    return True


def _passed_over(run: Run, table: TableOf, row: TableRow) -> Iterator[str]:
    """The rows before the one that won which, as the desk might have read them, would not have let it win."""
    for before in table.rows[: table.rows.index(row)]:
        for other in before.otherwise:
            holds = other.on(run)
            if holds or (holds is None and row.check is None):
                yield before.rule


# --- steps ---
def applies(run: Run, row: StepRow) -> bool:
    """Are the row's conditions known to be true? A case that is open is not there to be reopened."""
    if row.step.verb == "reopen" and run.state.closed_at is None:
        return False
    return all(check.on(run) is True for check in row.stands)


def _lapse(run: Run, place: int) -> bool:
    """What is open lapses when its condition ceases to be true, or with the case."""
    row = run.frame.step_rows[place]
    step = run.state.steps.get(row.name)
    if step is None or step.state != "open":
        return False
    shut = run.state.closed_at is not None and not row.after_close
    if not shut and applies(run, row):
        return False
    run.emit(
        StepLapsed(
            at=run.now,
            clause=row.step.clause,
            rule=row.row,
            inputs={} if shut else run.looked_at(row.stands),
            step=row.name,
            because="closed" if shut else "no longer applies",
            since=run.late_since if shut else run.since(row.stands),
        )
    )
    return True


def waits_for(run: Run, row: StepRow) -> list[str]:
    """The steps that a step still waits for; of alternatives all are named until one is good."""
    return [
        a
        for alternatives in row.step.after
        if not any(good(run.procedure, b, run.state.steps.get(b, FRESH)) for b in alternatives)
        for a in alternatives
    ]


def _open(run: Run, place: int) -> bool:
    return _opens(run, run.frame.step_rows[place])


def open_in_time(run: Run, row: StepRow) -> None:
    """A step whose wait is over at this very instant opens before the act: a wait says *not before*."""
    state = run.state.steps.get(row.name, FRESH)
    if state.state == "waiting" and state.opens_at is not None and state.opens_at <= run.now:
        _opens(run, row)


def _opens(run: Run, row: StepRow) -> bool:
    """A step opens when its conditions are true, every `after` is good and `wait` is past."""
    step, state = row.step, run.state.steps.get(row.name, FRESH)
    if state.state != "waiting" or step.round is not None:
        return False
    if run.state.closed_at is not None and not row.after_close:
        return False
    if waits_for(run, row) or not applies(run, row):
        return False
    opens_at, scheduled = state.opens_at, False
    if step.wait is not None:
        if opens_at is None:
            opens_at = scheduled_for(run, row)
            if opens_at is None:
                return False
            schedule(run, row, opens_at)
            scheduled = True
        elif (corrected := scheduled_for(run, row)) is not None and corrected != opens_at:
            opens_at = corrected
            schedule(run, row, opens_at)
            scheduled = True
        if run.now < opens_at:
            return scheduled
    _opened(run, row, opens_at)
    return True


def scheduled_for(run: Run, row: StepRow) -> datetime | None:
    """When the wait of a step is over, counted from `from`, else from the last of what it comes after."""
    if row.step.wait is None:
        return None
    start = row.waits_from(run) if row.waits_from is not None else _last_after(run, row) or run.state.received_at
    if start is None:
        return None
    instants: Callable[[str], datetime | None] = lambda fact: run.frame.instant(fact, row.step.item)(run)  # noqa: E731 - an argument
    due = due_of(row.step.wait, start, run.procedure.questions, run.calendar, instants)
    return due.at if due is not None else None


def schedule(run: Run, row: StepRow, opens_at: datetime) -> None:
    """Says when a step that waits will open."""
    run.emit(
        StepScheduled(
            at=run.now,
            clause=run.cite(row.step.clause, [f"{row.row}.wait", f"{row.row}.from"]),
            rule=row.row,
            inputs=run.looked_at(row.stands),
            step=row.name,
            opens_at=opens_at,
        )
    )


def _last_after(run: Run, row: StepRow) -> datetime | None:
    """When the last thing that the step comes after was done; of alternatives the first counts."""
    ends = []
    for alternatives in row.step.after:
        done = [
            ended.at
            for a in alternatives
            if good(run.procedure, a, ended := run.state.steps.get(a, FRESH)) and ended.at is not None
        ]
        if done:
            ends.append(min(done))
    return max(ends, default=None)


def _opened(run: Run, row: StepRow, opens_at: datetime | None) -> None:
    step = row.step
    since = run.since(row.stands, at_least=_last_after(run, row))
    if opens_at is not None and opens_at < run.now:
        since = max(opens_at, since or opens_at)
    run.emit(
        StepOpened(
            at=run.now,
            clause=run.cite(
                step.clause,
                [*row.standing, *(f"{row.row}.{field}" for field in ("after", "by", "duty", "wait"))],
                row.stands,
            ),
            rule=row.row,
            inputs=run.looked_at(row.stands),
            step=row.name,
            by=step.by_text,
            round=run.state.step(row.name).round,
            duty=step.duty,
            since=since,
            says=step.says,
            guidance=list(run.procedure.guidance.get(row.row, ())),
        )
    )


# --- clocks and holds ---
def _bring_clock_in_line(run: Run, place: int) -> bool:
    return bring_in_line(run, run.frame.timed_rows[place])


def _hold(run: Run, place: int) -> bool:
    """A hold stands while its condition is true and what it waits for is not."""
    row = run.frame.holds[place]
    hold = row.hold
    on = (row.when is None or row.when.on(run) is True) and row.until.on(run) is not True
    if on == (hold.name in run.state.holds):
        return False
    checks = (row.when, row.until)
    clause = run.cite(hold.clause, [f"{hold.name}.{field}" for field in ("when", "until", "forbids")], checks)
    inputs, since = run.looked_at(checks), run.since(checks)
    if on:
        forbids = list(hold.forbids)
        run.emit(
            HoldPlaced(
                at=run.now, clause=clause, rule=hold.name, inputs=inputs, hold=hold.name, forbids=forbids, since=since
            )
        )
    else:
        run.emit(HoldLifted(at=run.now, clause=clause, rule=hold.name, inputs=inputs, hold=hold.name, since=since))
    return True


# --- notices ---
def _request_notice(run: Run, place: int) -> bool:
    """A notice that the system owes is asked of the notifier, once a round and not while a hold forbids it."""
    row = run.frame.notices[place]
    state, step = run.state.steps.get(row.name, FRESH), row.step
    if state.state != "open" or state.requested:
        return False
    if any(hold.hold.name in run.state.holds and row.row in hold.hold.forbids for hold in run.frame.holds):
        return False
    clause = run.cite(step.clause, [f"{row.row}.to"])
    run.emit(NoticeRequested(at=run.now, clause=clause, rule=row.row, step=row.name, to=step.to_text))
    return True


_VISIT: Final[dict[str, Callable[[Run, int], bool]]] = {
    "tables": _decide_table,
    "lapses": _lapse,
    "openings": _open,
    "clocks": _bring_clock_in_line,
    "holds": _hold,
    "notices": _request_notice,
}
