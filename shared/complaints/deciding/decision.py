"""``decide``: the events that follow from a command. No I/O, no wall clock, no randomness: ``now`` is the command's.

Source: the pack language, section 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from complaints.business_time import BusinessCalendar
from complaints.commands import (
    Acknowledge,
    AddItem,
    ApplyCalendar,
    Assign,
    CaseCommand,
    ChangePack,
    Close,
    EraseSubject,
    Escalate,
    FireTimer,
    Judge,
    Link,
    NameAssignee,
    OpenRound,
    Receive,
    RecordCount,
    RecordDelivery,
    RecordFacts,
    RecordStep,
    Regrade,
    Reopen,
    Resolve,
    Revisit,
    StepData,
    WaiveStep,
)
from complaints.complaint import Complaint
from complaints.deciding.openings import openings_of
from complaints.deciding.receipt import receive
from complaints.deciding.recording import record_step, waive
from complaints.deciding.run import NOTHING, Others, Run
from complaints.deciding.running_out import catch_up, wake
from complaints.deciding.saying import add_item, judge, link, record_count, record_facts
from complaints.deciding.unattended import come_to_rest
from complaints.deciding.universal import universal
from complaints.deciding.upkeep import (
    apply_calendar,
    change_pack,
    erase_subject,
    name_assignee,
    open_round,
    record_delivery,
)
from complaints.errors import Rejected
from complaints.events import CaseEvent
from complaints.procedure.model import Procedure
from complaints.sla import NO_WARNINGS, Warnings


@dataclass(frozen=True, slots=True)
class Decided:
    """The events that follow from a command, and the case after them, where it is known already.

    ``data``: for each event its data as it is stored, where other cases have the same, else None; empty: for none. What
    others have holds nothing personal.
    """

    events: list[CaseEvent]
    state: Complaint | None
    data: Sequence[bytes | None] = ()


def decide(
    state: Complaint,
    command: CaseCommand,
    procedure: Procedure,
    calendar: BusinessCalendar,
    others: Others = NOTHING,
    *,
    warnings: Warnings = NO_WARNINGS,
) -> list[CaseEvent]:
    """The events that follow; none where the command changes nothing.

    Whatever fell due before now happens first, each at its due instant; ``fire-timer`` includes now. Then the command,
    and whatever follows from it until the rows are at rest.

    Raises:
        Rejected: a rule said no, with its clause; then nothing has happened.
        Unsettled: rows of the pack undo one another.
    """
    return decided(state, command, procedure, calendar, others, warnings=warnings).events


def decided(
    state: Complaint,
    command: CaseCommand,
    procedure: Procedure,
    calendar: BusinessCalendar,
    others: Others = NOTHING,
    *,
    warnings: Warnings = NO_WARNINGS,
) -> Decided:
    """As ``decide``; where the events have been folded on the way, whoever writes them needs not do it once more."""
    run = Run(state, command, procedure, calendar, others, warnings=warnings)
    if isinstance(command, Receive) and not state.version:
        return _received(run, command)
    return Decided(run_through(run), run.state)


def _received(run: Run, command: Receive) -> Decided:
    """A new case begins like an earlier one that came in alike, or is decided row by row."""
    openings = openings_of(run.procedure)
    likeness = openings.likeness(run, command)
    if likeness is None:
        return Decided(run_through(run), run.state)
    opening = openings.get(likeness)
    if opening is not None and (events := opening.of(run, command)) is not None:
        return Decided(events, None, opening.data)
    events = run_through(run)
    openings.learn(likeness, run)
    return Decided(events, run.state)


def run_through(run: Run) -> list[CaseEvent]:
    """A decision from its beginning to its end."""
    command, before = run.command, run.state
    now = command.at if before.last_at is None else max(command.at, before.last_at)  # a stream never runs backwards
    if before.version:
        catch_up(run, now, inclusive=isinstance(command, FireTimer))
    elif not isinstance(command, Receive):
        raise Rejected("no-such-complaint", None, command.complaint)
    run.now = run.seen = run.effective = now
    if isinstance(command, StepData) and command.done_at is not None:
        run.effective = min(command.done_at, now)
    wake(run)
    _apply(run, command)
    come_to_rest(run)
    catch_up(run, run.now, inclusive=False)  # a limit counted from the past may be over as it starts
    return run.events


def _apply(run: Run, command: CaseCommand) -> None:  # noqa: C901, PLR0912 - one arm a command
    match command:
        case Receive():
            receive(run, command)
        case RecordFacts():
            record_facts(run, command)
        case RecordStep():
            record_step(run, command)
        case Acknowledge() | Assign() | Resolve() | Revisit() | Escalate() | Close() | Reopen():
            universal(run, command)
        case WaiveStep():
            waive(run, command)
        case AddItem():
            add_item(run, command)
        case Judge() | Regrade():
            judge(run, command)
        case Link():
            link(run, command.other, command.relation)
        case RecordCount():
            record_count(run, command)
        case NameAssignee():
            name_assignee(run, command)
        case OpenRound():
            open_round(run, command)
        case RecordDelivery():
            record_delivery(run, command)
        case ApplyCalendar():
            apply_calendar(run, command)
        case ChangePack():
            change_pack(run, command)
        case EraseSubject():
            erase_subject(run, command)
        case FireTimer():
            pass  # what was due has happened
        case _:
            assert_never(command)
