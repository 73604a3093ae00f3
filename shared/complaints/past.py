"""A case as it was: from what its state keeps of what held before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never

from msgspec.structs import replace

from complaints.complaint import Complaint, Said, StepState, item_fact
from complaints.events import FactValue
from complaints.sla import SlaClock


def as_of(state: Complaint, at: datetime) -> Complaint:
    """How the case stood at an instant, by effective instants: what was done by then, whenever it was recorded.

    Facts, decisions, counts, holder, steps, items, closing and lateness; a value corrected since has its earlier value.
    What conditions cannot see is left as it is.
    """

    def then(names: Mapping[str, Any]) -> dict[str, Any]:
        found = ((name, _last(state.history.get(name, ()), at)) for name in names)
        return {name: said[1] for name, said in found if said is not None}

    closed = _last(state.history.get("closed", ()), at)
    holder = _last(state.history.get("holder", ()), at)
    return replace(
        state,
        facts=then(state.facts),
        decided=then(state.decided),
        counts=then(state.counts),
        holder=holder[1] if holder else state.receiver,
        closed_at=closed[1] if closed else None,
        steps={name: _step_as_of(step, at) for name, step in state.steps.items()},
        items={kind: _items_as_of(state, kind, at) for kind in state.items},
        clocks={name: _clock_as_of(clock, at) for name, clock in state.clocks.items()},
    )


def _last(said: tuple[Said, ...], at: datetime) -> Said | None:
    """The value that held at ``at``: what was said last of all that was effective by then."""
    return next((one for one in reversed(said) if one[0] <= at), None)


def _items_as_of(state: Complaint, kind: str, at: datetime) -> dict[str, dict[str, FactValue]]:
    added = _last(state.history.get(kind, ()), at)
    items: dict[str, dict[str, FactValue]] = {}
    for number, facts in state.items[kind].items():
        if added is None or int(number) > added[1]:
            break
        found = ((fact, _last(state.history.get(item_fact(fact, f"{kind}#{number}"), ()), at)) for fact in facts)
        items[number] = {fact: said[1] for fact, said in found if said is not None}
    return items


def _step_as_of(step: StepState, at: datetime) -> StepState:
    """The step as its marks up to that instant leave it."""
    then = StepState(by=step.by, duty=step.duty)
    for mark in step.marks:
        if mark.at > at:
            continue
        match mark.what:
            case "opened":
                then = replace(then, state="open", opened=mark.at)
            case "lapsed":
                then = replace(then, state="waiting")
            case "reopened":
                then = StepState(by=step.by, duty=step.duty, round=then.round + 1)
            case "recorded":
                over: dict[str, Any] = {"state": "over", "outcome": mark.outcome, "at": mark.at} if mark.over else {}
                attempts, person = then.attempts + 1, mark.person
                then = replace(then, attempts=attempts, person=person, tried_at=mark.at, **over)
            case "waived":
                then = replace(then, state="over", outcome=mark.outcome, at=mark.at)
            case _:
                assert_never(mark.what)
    return then


def _clock_as_of(clock: SlaClock, at: datetime) -> SlaClock:
    if clock.late and clock.due_at is not None and clock.due_at > at:
        return replace(clock, late=False, state="running")
    return clock
