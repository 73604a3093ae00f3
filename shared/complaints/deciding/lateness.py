"""When a limit runs out: more time, a breach or a mere expiry; and what shows afterwards that it had not run out.

*Late* is a state, not an end. What was done in time and recorded late withdraws it; so does a pause that had begun by
then, and an act that gives more time.

Source: the pack language, section 3 (Late, `extend`).
"""

from __future__ import annotations

from datetime import datetime

from complaints.deciding.frame import Timed
from complaints.deciding.look import Look, dated
from complaints.deciding.pausing import stand_still
from complaints.deciding.run import Run
from complaints.events import BreachWithdrawn, ClockBreached, ClockExpired, ClockExtended, ClockWarned
from complaints.sla import SlaClock


def run_out(run: Run, row: Timed, clock: SlaClock) -> None:
    """The due instant has passed: there is more time, or a must is breached, or a limit has simply run out."""
    look = Look(run, row, clock, run.state.step(row.name))
    if clock.due_at is None:
        return
    if more_time(look, clock):
        extend(look, clock)
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


def _withdraw(look: Look, done_at: datetime) -> None:
    run, row = look.run, look.row
    run.emit(BreachWithdrawn(at=run.now, clause=row.clause, rule=row.row, clock=row.name, done_at=done_at))


def done_in_time_after_all(look: Look, clock: SlaClock) -> bool:
    """What stops it was done in time and recorded late."""
    ended = look.ended
    if clock.due_at is None or ended is None or ended > clock.due_at:
        return False
    _withdraw(look, ended)
    return True


def paused_in_time_after_all(look: Look, clock: SlaClock) -> bool:
    """A pause had begun before it ran out."""
    if clock.due_at is None or look.ended is not None or not look.paused or look.pauses[-1].begun >= clock.due_at:
        return False
    _withdraw(look, look.pauses[-1].begun)
    stand_still(look, clock, clock.due_at)
    return True


def extended_after_all(look: Look, clock: SlaClock) -> bool:
    """An act before the due instant makes the extension's condition true as it was then."""
    if look.ended is not None or not more_time(look, clock):
        return False
    _withdraw(look, look.run.effective)
    extend(look, clock)
    return True


def more_time(look: Look, clock: SlaClock) -> bool:
    """Does the text give more time? Asked once, of the due instant as it was."""
    asked = look.row.extend
    if clock.extended or clock.due_at is None or asked is None:
        return False
    return asked.on(look.run.past(clock.due_at)) is True


def extend(look: Look, clock: SlaClock) -> None:
    """More time, counted from the same start."""
    row, run = look.row, look.run
    if row.extension is None:
        return
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
            **dated(look.run, look.row, look.due(to, clock.from_), to, clock.from_),
        )
    )
