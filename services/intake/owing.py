"""What is owed in a case now: by whom, until when, and what can be recorded; and what still waits, for what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from complaints.complaint import FRESH, StepState
from complaints.deciding.frame import Frame, StepRow, frame_of
from complaints.deciding.sight import Glance
from complaints.deciding.universal import MILESTONE_FOR
from complaints.procedure.model import Fact
from complaints.verdicts import is_stale, waiting_for
from complaints.work import Case as WorkCase
from complaints.work import owes, work
from intake.queries import Case
from intake.schemas import (
    CommandsOut,
    FactOut,
    HeldOut,
    OpenStepOut,
    RecordOut,
    StepsOut,
    WaitingStepOut,
    WhoOut,
)

ANYONE: Final = "anyone"
VERB_COMMANDS: Final = ("revisit", "close", "reopen")
COMMAND_FOR: Final = {milestone: command for command, milestone in MILESTONE_FOR.items()}
NOT_SAID: Final = ("means", "span")
"""Kinds of facts that follow from others."""


def steps(case: Case, at: datetime, role: str | None) -> StepsOut:
    """The steps of a case in the order of the procedure; ``role``: only those that this role may record.

    ``owed``: must, should, if necessary; ``may``: open and nobody's duty; ``waiting``: not open yet, and why.
    """
    frame = frame_of(case.procedure, case.state)
    owed: list[OpenStepOut] = []
    may: list[OpenStepOut] = []
    waiting: list[WaitingStepOut] = []
    for row in frame.step_rows:
        if role is not None and not _for_role(case, row, role):
            continue
        state = case.state.steps.get(row.name, FRESH)
        if state.state == "open":
            (may if row.step.duty == "may" else owed).append(_open(case, frame, row, state, at))
        elif state.state == "waiting" and _stands(case, row):
            waits = waiting_for(frame, case.state, row)
            waiting.append(WaitingStepOut(**_row(case, row), waits_for=waits, opens_at=state.opens_at))
    undecided = work([WorkCase(str(case.id), case.state, case.procedure, case.calendar)], at).undecided
    return StepsOut(
        id=str(case.id),
        desk=case.desk,
        version=case.version,
        at=at,
        owed=owed,
        may=may,
        waiting=waiting,
        asked=[_fact(case.procedure.facts[name], known=False) for name in case.state.asked if name not in case.hidden],
        undecided=undecided,
        commands=_commands(case),
    )


def _for_role(case: Case, row: StepRow, role: str) -> bool:
    return owes(row.step, case.state, role) or any(ANYONE in alternatives for alternatives in row.step.by)


def _stands(case: Case, row: StepRow) -> bool:
    sight = Glance(case.state, case.calendar)
    return not case.state.closed and all(check.on(sight) is True for check in row.stands)


def _row(case: Case, row: StepRow) -> dict[str, Any]:
    step = row.step
    return {
        "step": row.name,
        "verb": step.verb,
        "milestone": step.milestone,
        "duty": step.duty,
        "by": step.by_text,
        "clause": step.clause,
        "says": step.says,
        "en": step.en,
        "guidance": case.procedure.guidance.get(step.name, ()),
    }


def _open(case: Case, frame: Frame, row: StepRow, state: StepState, at: datetime) -> OpenStepOut:
    step, clock = row.step, case.state.clocks.get(row.name)
    dated = clock is not None and clock.due_at is not None and clock.state in ("running", "late")
    soft = next((limit.limit.word for limit in step.within if not limit.limit.numbered), None)
    return OpenStepOut(
        **_row(case, row),
        who=[_who(case, alternatives) for alternatives in step.by],
        since=state.opened,
        round=state.round,
        attempts=state.attempts,
        signed=state.signed,
        due_at=clock.due_at if clock is not None and dated else None,
        late=clock is not None and clock.due_at is not None and clock.due_at < at,
        provisional=clock is not None and clock.provisional,
        paused=clock is not None and clock.state == "paused",
        word=None if dated or step.duty == "may" else soft or "not-stated",
        stale=not dated and is_stale(frame, case.state, row, state),
        held_by=[
            HeldOut(hold=hold.hold.name, clause=hold.hold.clause, says=hold.hold.says, en=hold.hold.en)
            for hold in frame.holds
            if hold.hold.name in case.state.holds and step.name in hold.hold.forbids
        ],
        record=RecordOut(
            commands=list(_recorded_by(row)),
            outcomes=step.outcomes,
            to=step.to if step.verb == "pass" else (),
            medium=step.medium,
            item="#".join(step.item) if step.item is not None else None,
            form=step.form,
            facts=[
                _fact(case.procedure.facts[name], known=_knows(case, row, name))
                for name in step.records
                if name in case.procedure.facts and name not in case.hidden
            ],
        ),
    )


def _recorded_by(row: StepRow) -> Iterator[str]:
    """The commands that record a step, the universal one where it has one."""
    step = row.step
    yield "record-step"
    universal = COMMAND_FOR.get(step.milestone or "")
    if universal is not None:
        yield universal
    if step.verb in VERB_COMMANDS and step.verb != universal:
        yield step.verb
    if step.duty != "must":
        yield "waive-step"


def _knows(case: Case, row: StepRow, fact: str) -> bool:
    item = row.step.item
    if item is not None and case.procedure.facts[fact].of == item[0]:
        return fact in case.state.items.get(item[0], {}).get(item[1], {})
    return fact in case.state.facts


def _who(case: Case, alternatives: tuple[str, ...]) -> list[WhoOut]:
    """Who may record it: the roles behind the names, and the people who were named for them."""
    state = case.state
    behind = {"owner": str(state.decided.get("owner", "")), "holder": state.holder, "receiver": state.receiver}
    roles = [(name, behind.get(name, name)) for name in alternatives]
    return [WhoOut(name=name, role=role or None, person=state.assignees.get(role)) for name, role in roles]


def _fact(fact: Fact, *, known: bool) -> FactOut:
    return FactOut(
        fact=fact.name,
        type=fact.kind,
        title=fact.title,
        en=fact.en_title or fact.en,
        choices=fact.choices,
        by=fact.by,
        personal=fact.personal,
        clause=fact.clause,
        known=known,
    )


def _commands(case: Case) -> CommandsOut:
    """What can be sent beside records of steps."""
    procedure, state = case.procedure, case.state
    return CommandsOut(
        record_facts=[
            name
            for name, fact in procedure.facts.items()
            if fact.kind not in NOT_SAID and fact.of is None and name not in case.hidden
        ],
        add_item=list(procedure.items),
        judge=[table.decide for table in procedure.tables if table.case == state.case],
        link=list(procedure.links),
    )
