"""What is owed in a case now: by whom, until when, and what can be recorded; and what still waits, for what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from complaints.codec import builtins
from complaints.complaint import FRESH, StepState
from complaints.deciding.frame import Frame, StepRow, frame_of
from complaints.deciding.sight import Glance
from complaints.deciding.universal import MILESTONE_FOR
from complaints.events import Clause
from complaints.procedure.model import Fact, Procedure
from complaints.verdicts import waiting_for
from complaints.work import Case as WorkCase
from complaints.work import owes, work
from intake.queries import Case

MAY: Final = "may"
VERB_COMMANDS: Final = ("revisit", "close", "reopen")
COMMAND_FOR: Final = {milestone: command for command, milestone in MILESTONE_FOR.items()}


def steps(case: Case, at: datetime, role: str | None) -> dict[str, Any]:
    """The steps of a case in the order of the procedure; ``role``: only those that this role may record.

    ``owed``: must, should, if necessary; ``may``: open and nobody's duty; ``waiting``: not open yet, and why.
    """
    frame = frame_of(case.procedure, case.state)
    known = _known(case, at)
    owed: list[dict[str, Any]] = []
    may: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    for row in frame.step_rows:
        if role is not None and not owes(row.step, case.state, role):
            continue
        state = case.state.steps.get(row.name, FRESH)
        if state.state == "open":
            (may if row.step.duty == MAY else owed).append(_open(case, frame, row, state, known))
        elif state.state == "waiting" and _stands(case, row):
            waiting.append(_waiting(case, frame, row, state))
    return {
        "id": str(case.id),
        "desk": case.desk,
        "version": case.version,
        "at": at,
        "owed": owed,
        "may": may,
        "waiting": waiting,
        "asked": [_fact(case.procedure.facts[name]) for name in case.state.asked if name not in case.hidden],
        "undecided": [
            {"decide": one.decide, "needs": one.needs, "clause": _table_clause(case.procedure, one.decide)}
            for one in work([_work_case(case)], at).undecided
        ],
        "commands": _commands(case),
    }


def _work_case(case: Case) -> WorkCase:
    return WorkCase(str(case.id), case.state, case.procedure, case.calendar)


def _known(case: Case, at: datetime) -> dict[str, dict[str, Any]]:
    """What the work list says of each step that is owed."""
    found = work([_work_case(case)], at)
    parts = {"dated": found.dated, "undated": found.undated, "stale": found.stale}
    said = ("due_at", "late", "provisional", "word", "paused", "assignee")
    return {
        one.step: {"list": part, **{name: getattr(one, name) for name in said}}
        for part, some in parts.items()
        for one in some
    }


def _stands(case: Case, row: StepRow) -> bool:
    sight = Glance(case.state, case.calendar)
    return not case.state.closed and all(check.on(sight) is True for check in row.stands)


def _said(row: StepRow, procedure: Procedure) -> dict[str, Any]:
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
        "guidance": list(procedure.guidance.get(step.name, ())),
    }


def _open(case: Case, frame: Frame, row: StepRow, state: StepState, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    step = row.step
    clock = case.state.clocks.get(row.name)
    return {
        **_said(row, case.procedure),
        "who": [_who(case, alternatives) for alternatives in step.by],
        "since": state.opened,
        "round": state.round,
        "attempts": state.attempts,
        "signed": state.signed,
        "due_at": clock.due_at if clock is not None else None,
        **known.get(row.name, {}),
        "clock": clock.state if clock is not None else None,
        "held_by": [
            {"hold": hold.hold.name, "clause": hold.hold.clause, "says": hold.hold.says}
            for hold in frame.holds
            if hold.hold.name in case.state.holds and step.name in hold.hold.forbids
        ],
        "record": {
            "commands": list(_recorded_by(row)),
            "outcomes": step.outcomes,
            "to": step.to,
            "medium": step.medium,
            "item": "#".join(step.item) if step.item is not None else None,
            "form": step.form,
            "facts": [
                {**_fact(case.procedure.facts[name]), "known": _knows(case, row, name)}
                for name in step.records
                if name in case.procedure.facts and name not in case.hidden
            ],
        },
    }


def _recorded_by(row: StepRow) -> Iterator[str]:
    step = row.step
    yield "record-step"
    if step.milestone in COMMAND_FOR:
        yield COMMAND_FOR[step.milestone]
    if step.verb in VERB_COMMANDS and step.verb != COMMAND_FOR.get(step.milestone or ""):
        yield step.verb
    if step.duty != "must":
        yield "waive-step"


def _knows(case: Case, row: StepRow, fact: str) -> bool:
    if row.step.item is not None and case.procedure.facts[fact].of == row.step.item[0]:
        kind, number = row.step.item
        return fact in case.state.items.get(kind, {}).get(number, {})
    return fact in case.state.facts


def _who(case: Case, alternatives: tuple[str, ...]) -> list[dict[str, Any]]:
    """Who may record it: the roles behind the names, and the people who were named for them."""
    state = case.state
    behind = {"owner": state.decided.get("owner"), "holder": state.holder, "receiver": state.receiver}
    found = []
    for name in alternatives:
        role = str(behind[name] or "") if name in behind else name
        found.append({"name": name, "role": role or None, "person": state.assignees.get(role)})
    return found


def _waiting(case: Case, frame: Frame, row: StepRow, state: StepState) -> dict[str, Any]:
    waits = waiting_for(frame, case.state, row)
    return {**_said(row, case.procedure), "waits_for": waits, "opens_at": state.opens_at}


def _fact(fact: Fact) -> dict[str, Any]:
    said = {
        "fact": fact.name,
        "type": fact.kind,
        "title": fact.title,
        "en": fact.en_title or fact.en,
        "choices": fact.choices,
        "by": fact.by,
        "personal": fact.personal,
        "clause": fact.clause,
    }
    shown: dict[str, Any] = builtins(said)
    return shown


def _table_clause(procedure: Procedure, decide: str) -> Clause:
    table = next(table for table in procedure.tables if table.decide == decide)
    return [
        clause for row in table.rows for clause in ([row.clause] if isinstance(row.clause, str) else row.clause or [])
    ]


def _commands(case: Case) -> dict[str, Any]:
    """What can be sent beside records of steps."""
    procedure, state = case.procedure, case.state
    return {
        "record-facts": [
            name
            for name, fact in procedure.facts.items()
            if fact.kind not in ("means", "span") and fact.of is None and name not in case.hidden
        ],
        "add-item": list(procedure.items),
        "judge": [table.decide for table in procedure.tables if table.case == state.case],
        "link": list(procedure.links),
    }
