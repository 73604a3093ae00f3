"""Loops: an outcome opens an earlier step again, and whatever comes after it waits again, one round later.

A limit that counts from inside the loop starts anew; one that counts from outside it goes on: neither cancelled nor
restarted, breached at most once in a case.

Source: the pack language, section 1 (`back`).
"""

from __future__ import annotations

from complaints.deciding.frame import StepRow, Timed
from complaints.deciding.run import Run
from complaints.events import ClockCancelled, StepsReopened


def go_back(run: Run, row: StepRow, outcome: str) -> None:
    """Opens what the outcome of this step leads back to."""
    first = row.step.back[outcome]
    again, item = run.frame.again(first), row.step.item
    loop = {
        name
        for name, other in run.frame.steps.items()
        if other.row in again and (item is None or other.step.item is None or other.step.item == item)
    }
    clause = run.cite(row.step.clause, [f"{row.row}.back"])
    drop = [
        timed.name for timed in run.frame.timed_rows if timed.name in run.state.clocks and _inside(timed, loop, again)
    ]
    for name in drop:
        if run.state.clocks[name].live:
            because = f"{row.name} {outcome}"
            run.emit(ClockCancelled(at=run.now, clause=clause, rule=row.row, clock=name, because=because))
    run.emit(
        StepsReopened(
            at=run.now,
            clause=clause,
            rule=row.row,
            steps=[name for name in run.frame.steps if name in loop and name in run.state.steps],
            clocks=drop,
            first=first,
            because=f"{row.name}: {outcome}",
            since=run.late_since,
        )
    )


def _inside(timed: Timed, loop: set[str], again: frozenset[str]) -> bool:
    """Does the limit count from inside the loop?"""
    if timed.from_ is None:
        return timed.name in loop
    return (timed.step is None or timed.name in loop) and timed.from_.removesuffix(".over") in again
