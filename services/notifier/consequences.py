"""Whether a procedure says what follows from a limit that runs out. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from complaints.procedure.model import Condition, Procedure

_KEY = "notifier.consequences"


def has_consequence(procedure: Procedure, clock: str) -> bool:
    """Whether some row of the procedure asks if this limit has run out."""
    if _KEY not in procedure.cache:
        procedure.cache[_KEY] = frozenset(
            name for condition in _conditions(procedure) for name in condition.refs if name.endswith(".late")
        )
    return f"{clock.partition('#')[0]}.late" in procedure.cache[_KEY]


def _conditions(procedure: Procedure) -> Iterator[Condition]:
    maybe: list[Condition | None] = []
    for table in procedure.tables:
        maybe += [row.when for row in table.rows]
    for step in procedure.steps.values():
        maybe += [step.when, step.part.when, step.pause, *(case.when for case in step.within)]
    for clock in procedure.clocks.values():
        maybe += [clock.start, clock.stop, clock.cancel, clock.pause]
    for hold in procedure.holds:
        maybe += [hold.when, hold.until]
    maybe += [bar.when for bar in procedure.access]
    maybe += [fact.means for fact in procedure.facts.values()]
    yield from (condition for condition in maybe if condition is not None)
