"""Recording a step: by whom, when, with what; and what happened anyway.

What a rule forbids is refused. If the sender says that it has already happened it is recorded, and the broken rule
before it: a record must say what was done. What a record must contain is asked for all the same.

Source: the pack language, sections 1 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from complaints.commands import RecordStep, Sender, StepData, WaiveStep
from complaints.complaint import FRESH, StepState
from complaints.deciding.frame import StepRow
from complaints.deciding.handing_over import handed_over, told_to
from complaints.deciding.loops import go_back
from complaints.deciding.run import Run
from complaints.deciding.saying import check_facts
from complaints.deciding.settling import DECISIONS, applies, open_in_time, settle, waits_for
from complaints.deciding.sight import Actor
from complaints.errors import Rejected
from complaints.events import (
    AccessBroken,
    ApprovalGranted,
    ApprovalRefused,
    Clause,
    ComplaintAcknowledged,
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintPassed,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintRevisited,
    ContactFailed,
    ContactMade,
    Facts,
    FactsRecorded,
    FormFilled,
    HoldBroken,
    NoticeGiven,
    OrderBroken,
    RecordEvent,
    StepWaived,
    WorkRecorded,
)
from complaints.procedure.model import Bar

GOOD: Final[Mapping[str, type[RecordEvent]]] = {
    "do": WorkRecorded,
    "approve": ApprovalGranted,
    "tell": NoticeGiven,
    "contact": ContactMade,
    "revisit": ComplaintRevisited,
    "fill": FormFilled,
    "pass": ComplaintPassed,
    "close": ComplaintClosed,
    "reopen": ComplaintReopened,
}
"""Verb to the event of its good record."""

OTHERWISE: Final[Mapping[str, type[RecordEvent]]] = {**GOOD, "approve": ApprovalRefused, "contact": ContactFailed}
"""Verb to the event of any other outcome."""

MILESTONE_EVENTS: Final[Mapping[str, type[RecordEvent]]] = {
    "acknowledged": ComplaintAcknowledged,
    "assigned": ComplaintAssigned,
    "resolved": ComplaintResolved,
    "revisited": ComplaintRevisited,
    "escalated": ComplaintEscalated,
}

Broken = HoldBroken | AccessBroken | OrderBroken


@dataclass(slots=True)
class Act:
    """A record while it is being examined."""

    run: Run
    row: StepRow
    state: StepState
    happened: bool
    done_at: datetime
    broken: list[Broken] = field(default_factory=list)

    @property
    def clause(self) -> Clause:
        """The row's."""
        return self.row.step.clause

    @property
    def by(self) -> Sender:
        """Who acts."""
        return self.run.by


def row_of(run: Run, name: str) -> StepRow:
    """The row of a step of this case; a step of an item is ``name#number``."""
    row = run.frame.steps.get(name)
    if row is not None:
        return row
    base, _, number = name.partition("#")
    step = run.procedure.steps.get(base)
    if step is None:
        raise Rejected("no-such-step", None, name)
    if step.part.for_each is not None and step.part.case == run.state.case:
        raise Rejected("no-such-item", step.clause, f"{step.part.for_each}#{number}" if number else f"{base} of which?")
    if number:
        raise Rejected("no-such-step", step.clause, name)
    raise Rejected("step-not-open", step.clause, f"{name} is no step of a {run.state.case}", waits_for=[])


def named(step: str, item: str | None) -> str:
    """The name of a step, of an item if the command names one (``2`` or ``point#2``)."""
    return f"{step}#{item.rpartition('#')[2]}" if item is not None else step


def record_step(run: Run, command: RecordStep) -> None:
    """Records a step by its name."""
    record(run, command, row_of(run, named(command.step, command.item)))


def record(run: Run, command: StepData, step: StepRow) -> None:
    """Records a step, and the loop if its outcome has one. Nothing is recorded unless everything is as it must be."""
    act = _examined(run, step, command.done_at, happened=command.already_happened)
    role = _role(act)
    row, facts = step.step, command.facts
    outcome = command.outcome if command.outcome is not None else row.outcomes[0]
    if outcome not in row.outcomes:
        raise Rejected("no-such-outcome", act.clause, f"{row.id}: {outcome}", outcomes=list(row.outcomes))
    if row.medium and command.medium not in row.medium:
        media = list(row.medium)
        raise Rejected("medium-needed", act.clause, f"{row.id} is done by {' or '.join(media)}", choices=media)
    own = _facts_of_item(act, facts)
    over = _over(act, role, outcome, facts)
    for broken in act.broken:
        run.emit(broken)
    if own and row.item is not None:
        _say(act, own, "#".join(row.item))
    beside = {name: value for name, value in facts.items() if name not in own}
    if beside and "owner" in row.to:  # they may make another owner, and to him the case goes
        _say(act, beside)
        settle(run, DECISIONS)
        beside = {}
    run.emit(_event(act, command, role, outcome, beside, over=over))
    if over and outcome in row.back:
        go_back(run, act.row, outcome)


def waive(run: Run, command: WaiveStep) -> None:
    """Says why a step that is no must is left out."""
    act = _examined(run, row_of(run, named(command.step, command.item)), None, happened=False)
    _role(act)
    step = act.row.step
    if step.duty == "must":
        raise Rejected("cannot-be-waived", act.clause, f"{step.id} is a must")
    clause = run.cite(act.clause, [f"{act.row.row}.duty"])
    run.emit(
        StepWaived(
            at=run.now,
            clause=clause,
            rule=act.row.row,
            step=act.row.name,
            person=act.by.person,
            reason=command.reason,
        )
    )


# --- may it be recorded? ---
def _examined(run: Run, row: StepRow, done_at: datetime | None, *, happened: bool) -> Act:
    open_in_time(run, row)
    act = Act(run, row, run.state.steps.get(row.name, FRESH), happened, done_at if done_at is not None else run.now)
    _check_moment(act)
    _check_holds(act)
    _check_bars(act)
    return act


def _check_moment(act: Act) -> None:
    run, row, state, clause = act.run, act.row, act.state, act.clause
    if act.done_at > run.now:
        raise Rejected("not-a-time", clause, "done_at lies after now")
    if state.state == "open":
        if not act.happened and state.opened is not None and act.done_at < state.opened:
            why = f"done_at lies before {state.opened.isoformat()}, when {row.name} opened"
            raise Rejected("not-a-time", clause, why, opened=state.opened.isoformat())
        return
    waits = waits_for(run, row)
    if not (act.happened and state.state == "waiting" and applies(run, row)):
        why = f"{row.name} is {state.state}" + (f", waits for {', '.join(waits)}" if waits else "")
        raise Rejected("step-not-open", clause, why, waits_for=waits)
    act.broken.append(
        OrderBroken(
            at=run.now,
            clause=run.cite(clause, [f"{row.row}.after", f"{row.row}.wait"]),
            rule=row.row,
            step=row.name,
            person=act.by.person,
            role=act.by.role,
            waits_for=waits,
            not_before=state.opens_at,
        )
    )


def _check_holds(act: Act) -> None:
    run, row = act.run, act.row
    for hold in run.procedure.holds:
        if hold.name not in run.state.holds or row.row not in hold.forbids:
            continue
        clause = run.cite(hold.clause, [f"{hold.name}.{field}" for field in ("when", "until", "forbids")])
        if not act.happened:
            raise Rejected("held", clause, f"{row.name} is held until {hold.until.text}", hold=hold.name)
        act.broken.append(
            HoldBroken(
                at=run.now,
                clause=clause,
                rule=hold.name,
                step=row.name,
                person=act.by.person,
                role=act.by.role,
                hold=hold.name,
            )
        )


def _check_bars(act: Act) -> None:
    run, row, by = act.run, act.row, act.by
    for bar, check in run.frame.bars(row.step):
        run.actor = Actor(by.person, by.role)
        applies_here = check is None or check.on(run) is True
        run.actor = None
        if not applies_here or not _bars(bar, by.role):
            continue
        clause = run.cite(bar.clause, [f"{bar.name}.{field}" for field in ("when", "only", "never", "may")], [check])
        if not act.happened:
            raise Rejected("not-allowed", clause, f"{row.name} is not for {by.person}, {by.role}", bar=bar.name)
        act.broken.append(_access_broken(act, clause, bar.name))


def _bars(bar: Bar, role: str) -> bool:
    """Only these roles, never those, or neither: then the condition alone bars."""
    if bar.only is None and bar.never is None:
        return True
    return (bar.only is not None and role not in bar.only) or (bar.never is not None and role in bar.never)


def _access_broken(act: Act, clause: Clause, bar: str) -> AccessBroken:
    return AccessBroken(
        at=act.run.now,
        clause=clause,
        rule=act.row.row if bar == "by" else bar,
        step=act.row.name,
        person=act.by.person,
        role=act.by.role,
        bar=bar,
    )


def _role(act: Act) -> str:
    """As whom the sender records: a role that has not recorded yet before one that has."""
    have = {role for role, _ in act.state.signed}
    roles = [role for alternatives in act.row.step.by if (role := act.run.plays(alternatives)) is not None]
    role = next((role for role in roles if role not in have), roles[0] if roles else None)
    if role is not None:
        return role
    if not act.happened:
        wanted = " and ".join(" or ".join(alternatives) for alternatives in act.row.step.by)
        raise Rejected("not-your-step", act.clause, f"{act.row.name} is for {wanted}", by=act.row.step.by_text)
    act.broken.append(_access_broken(act, act.clause, "by"))
    return act.by.role


# --- what is recorded ---
def _facts_of_item(act: Act, facts: Facts) -> Facts:
    """The facts that belong to the step's item; all are checked."""
    item, known = act.row.step.item, act.run.procedure.facts
    own = {
        name: value for name, value in facts.items() if item is not None and name in known and known[name].of == item[0]
    }
    if own and item is not None:
        check_facts(act.run, own, "#".join(item))
    check_facts(act.run, {name: value for name, value in facts.items() if name not in own})
    return own


def _over(act: Act, role: str, outcome: str, facts: Facts) -> bool:
    """Is nothing more owed in this round? A good record that ends the step, or one interval of it, must be complete."""
    step, good = act.row.step, outcome == act.row.step.outcomes[0]
    have = {signed for signed, _ in act.state.signed} | {role}
    people = {person for _, person in act.state.signed} | {act.by.person}
    complete = act.happened or all(
        any(name in have or name == "anyone" for name in alternatives) for alternatives in step.by
    )
    if good and not (complete and len(people) >= step.people):
        return False
    if good:
        _check_complete(act, facts)
    return step.repeats is None and not (step.verb == "contact" and outcome == "not_reached")


def _check_complete(act: Act, facts: Facts) -> None:
    step, state, procedure = act.row.step, act.run.state, act.run.procedure
    known = {**state.facts, **facts}
    if step.item is not None:
        known |= state.items[step.item[0]][step.item[1]]
    fields = (procedure.forms[step.form].fields or ()) if step.complete and step.form is not None else ()
    lack = [fact for fact in dict.fromkeys((*step.records, *fields)) if fact not in known]
    if lack:
        clause = act.run.cite(act.clause, [f"{act.row.row}.records", f"{act.row.row}.complete"])
        raise Rejected("facts-missing", clause, ", ".join(lack), facts=lack)


def _say(act: Act, facts: Facts, item: str | None = None) -> None:
    """What is said with a record and comes before it; it counts from the same instant."""
    run = act.run
    run.emit(
        FactsRecorded(
            at=run.now,
            clause=act.clause,
            rule=act.row.row,
            facts=facts,
            person=act.by.person,
            item=item,
            since=run.late_since,
        )
    )


_DECIDED_BY: Final = ("by", "to", "records", "outcomes", "people", "medium", "repeats", "complete", "form", "duty")
"""The fields of a row that can decide how a record of it comes out."""


def _event(act: Act, command: StepData, role: str, outcome: str, facts: Facts, *, over: bool) -> RecordEvent:
    run, row, step = act.run, act.row, act.row.step
    good = outcome == step.outcomes[0]
    kind = (GOOD if good else OTHERWISE)[step.verb]
    fields = list(_DECIDED_BY)
    more: dict[str, Any] = {}
    if step.verb == "pass":
        more, up = handed_over(run, row, command.to)
        if up:
            kind = ComplaintEscalated
    elif step.verb == "tell":
        more = {"to": told_to(run, row, command.to)}
    if over and good and step.milestone is not None:
        fields.append("milestone")
        kind = MILESTONE_EVENTS[step.milestone]
    return kind(
        at=run.now,
        clause=run.cite(step.clause, [f"{row.row}.{field}" for field in fields]),
        rule=row.row,
        step=row.name,
        verb=step.verb,
        outcome=outcome,
        over=over,
        round=act.state.round,
        person=act.by.person,
        as_=role,
        facts=facts,
        medium=command.medium,
        reason=command.reason,
        done_at=act.done_at if act.done_at != run.now else None,
        again=step.repeats is not None,
        **more,
    )
