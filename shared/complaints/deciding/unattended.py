"""Hand-overs that the system makes, in a case that is told afterwards.

In a case that runs, routing sees such a step open and records it a moment later. Nobody does that in a life that is
imported: its instants have passed, and the step would be over or lapsed before anybody saw it. So there the hand-over
is recorded as its step opens, an escalation at its true instant. The rest is told by whoever tells the life.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from complaints.commands import SYSTEM, RecordStep
from complaints.deciding.frame import StepRow
from complaints.deciding.recording import record
from complaints.deciding.run import Run
from complaints.deciding.settling import settle
from complaints.errors import Rejected, Unsettled

HAND_OVERS: Final = 1000
"""More than a case can make at one instant that its procedure does not send in a ring."""


def come_to_rest(run: Run) -> None:
    """Settles, and in an imported case makes the system's hand-overs until none is open.

    Raises:
        Unsettled: rows undo one another, or hand the case round and round.
    """
    settle(run)
    if not run.state.imported:
        return
    for _ in range(HAND_OVERS):
        if not _hand_over(run):
            return
        settle(run)
    raise Unsettled(f"{run.procedure.id} hands the case round without an end", rows=[])


def _hand_over(run: Run) -> bool:
    """Records the first open hand-over that is the system's and can be recorded."""
    for row in run.frame.step_rows:
        if run.state.step(row.name).state == "open" and _is_the_systems(run, row) and _recorded(run, row):
            return True
    return False


def _is_the_systems(run: Run, row: StepRow) -> bool:
    step = row.step
    determined = step.to != ("owner",) or "owner" in run.state.decided
    return step.verb == "pass" and step.duty in {"must", "should"} and determined and step.by == _with_system(step.by)


def _with_system(by: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """The alternatives among which the system stands."""
    return tuple(alternatives for alternatives in by if SYSTEM.role in alternatives)


def _recorded(run: Run, row: StepRow) -> bool:
    was = run.by
    run.by = SYSTEM
    opened = run.state.step(row.name).opened
    try:
        record(run, _command(run, row, max(opened, run.effective) if opened is not None else None), row)
    except Rejected:  # several roles could have it, or something that the record must say is not known: a person's
        return False
    finally:
        run.by = was
    return True


def _command(run: Run, row: StepRow, done_at: datetime | None) -> RecordStep:
    command = run.command
    at = run.now if done_at is None else min(done_at, run.now)
    return RecordStep(
        id=command.id,
        complaint=command.complaint,
        at=run.now,
        by=SYSTEM,
        step=row.name,
        medium=row.step.medium[0] if row.step.medium else None,
        done_at=at,
    )
