"""What was due before now happens first, each at its due instant with its consequences: a late timer changes nothing.

Source: the pack language, section 8 (a) and (d).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from complaints.complaint import Complaint
from complaints.deciding.lateness import run_out, warn
from complaints.deciding.run import Run
from complaints.deciding.unattended import come_to_rest
from complaints.errors import Unsettled
from complaints.sla import SlaClock

MOMENTS: Final = 10_000
"""More due instants in one decision than a case can have."""


def next_due(state: Complaint, *, after: datetime | None = None) -> datetime | None:
    """The earliest instant at which a timer may decide something: a limit, a warning, an opening that waits.

    ``after``: the instant up to which timers have fired, where that is later than the last event. An opening whose
    condition was not true when its wait was over leaves no event, and is not due again.
    """
    seen = [at for at in (state.last_at, after) if at is not None]
    return min(_due(state, after=max(seen, default=None)), default=None)


def _due(state: Complaint, *, after: datetime | None) -> Iterator[datetime]:
    for clock in state.clocks.values():
        if clock.state == "running" and clock.due_at is not None:
            yield clock.warn_at[0] if clock.warn_at else clock.due_at
    for step in state.steps.values():
        if step.opens_at is not None and step.state == "waiting" and (after is None or step.opens_at > after):
            yield step.opens_at


def catch_up(run: Run, until: datetime, *, inclusive: bool) -> None:
    """Everything due before ``until`` (and at it, if ``inclusive``) happens, in order.

    Raises:
        Unsettled: the rows of the pack start limit after limit without an end.
    """
    for _ in range(MOMENTS):
        at = min(_due(run.state, after=run.seen), default=None)
        if at is None or not (at < until or (inclusive and at <= until)):
            return
        run.now = run.seen = run.effective = max(at, run.seen)
        _happen(run, at)
        come_to_rest(run)
    rows = sorted({event.rule for event in run.events[-1000:] if event.rule is not None})
    raise Unsettled(f"time does not advance in {run.procedure.id}: {', '.join(rows)}", rows=rows)


def _happen(run: Run, at: datetime) -> None:
    """Clocks in the order of their names, then the openings that waited for this instant."""
    for name in sorted(run.state.clocks):
        clock = run.state.clocks[name]
        if clock.state != "running" or clock.due_at is None:
            continue
        if clock.due_at == at:
            run_out(run, run.frame.timed[name], clock)
        elif clock.warn_at and clock.warn_at[0] == at:
            warn(run, run.frame.timed[name], clock)
    wake(run)


def wake(run: Run) -> None:
    """Marks the steps whose wait is over, so that they are looked at."""
    for name, step in run.state.steps.items():
        if step.opens_at is not None and step.state == "waiting" and step.opens_at <= run.now:
            run.dirty |= run.frame.dependents.get(name, 0)


def orphaned(run: Run) -> Iterator[tuple[str, SlaClock]]:
    """Clocks of rows that the procedure no longer has."""
    for name, clock in run.state.clocks.items():
        if name not in run.frame.timed and clock.live:
            yield name, clock
