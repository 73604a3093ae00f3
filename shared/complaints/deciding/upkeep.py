"""What services report and what changes under a case: rounds, deliveries, people, calendar, procedure, erasure."""

from __future__ import annotations

from complaints.commands import (
    SYSTEM,
    ApplyCalendar,
    ChangePack,
    EraseSubject,
    NameAssignee,
    OpenRound,
    RecordDelivery,
    RecordStep,
)
from complaints.complaint import FRESH
from complaints.deciding.clocks import AFTER_A_REGRADE, recompute
from complaints.deciding.frame import KeepRow, StepRow
from complaints.deciding.lateness import run_out
from complaints.deciding.look import Look, dated
from complaints.deciding.recording import record, row_of
from complaints.deciding.run import Run
from complaints.deciding.running_out import orphaned
from complaints.deciding.settling import applies, schedule, scheduled_for, settle
from complaints.errors import Rejected
from complaints.events import (
    AssigneeLacking,
    AssigneeNamed,
    BreachWithdrawn,
    CalendarApplied,
    ClockCancelled,
    ClockResumed,
    ClockStarted,
    HoldLifted,
    NoticeDelivered,
    NoticeFailed,
    PackChanged,
    StepLapsed,
    StepOpened,
    SubjectErased,
)
from complaints.procedure.limits import due_of
from complaints.sla import SlaClock


# --- rounds of the desk ---
def open_round(run: Run, command: OpenRound) -> None:
    """The step of a desk round opens in this case, if it applies here and the round is made of such cases.

    The same period opens it once. Source: the pack language, section 7.
    """
    row = row_of(run, command.step)
    state, step = run.state.step(row.name), row.step
    duty = run.procedure.desk.get(step.round or "")
    cases = run.frame.names().maybe(duty.cases) if duty is not None else None
    if run.state.closed_at is not None or state.period == command.period or not applies(run, row):
        return
    if cases is not None and cases.on(run) is not True:
        return
    fields = [f"{command.owe}.{field}" for field in ("every", "day", "time", "holiday", "cases")]
    clause = run.cite(step.clause, fields, row.stands)
    inputs = run.looked_at((*row.stands, cases))
    before = run.state.clocks.get(row.name)
    if before is not None and before.state == "running" and before.due_at is not None and before.due_at <= run.now:
        run_out(run, run.frame.timed[row.name], before)  # the last period ends as this one begins
        settle(run)
        before = run.state.clocks.get(row.name)
    if before is not None and before.live:
        run.emit(ClockCancelled(at=run.now, clause=clause, rule=row.row, clock=row.name, because="the next period"))
    run.emit(
        StepOpened(
            at=run.now,
            clause=clause,
            rule=row.row,
            inputs=inputs,
            step=row.name,
            by=step.by_text,
            round=state.round + (row.name in run.state.steps),
            duty=step.duty,
            says=step.says,
            guidance=list(run.procedure.guidance.get(row.row, ())),
            period=command.period,
        )
    )
    if command.due_at is not None:
        run.emit(
            ClockStarted(at=run.now, clause=clause, rule=row.row, clock=row.name, from_=run.now, due_at=command.due_at)
        )


# --- deliveries ---
def record_delivery(run: Run, command: RecordDelivery) -> None:
    """What became of a message. A notice that the system owed is given once it has itself been delivered."""
    row = run.frame.steps.get(command.step)
    if row is None and command.step not in run.frame.timed:
        raise Rejected("no-such-step", None, command.step)
    clause = row.step.clause if row is not None else run.frame.timed[command.step].clause
    kind = NoticeDelivered if command.delivered else NoticeFailed
    run.emit(
        kind(
            at=run.now,
            clause=clause,
            rule=command.step.partition("#")[0],
            step=command.step,
            channel=command.channel,
            to=command.to,
            reason=command.reason,
            alert=command.alert,
        )
    )
    if row is not None and command.delivered and command.alert is None and row in run.frame.notices:
        _give_notice(run, command, row)


def _give_notice(run: Run, command: RecordDelivery, row: StepRow) -> None:
    if run.state.step(row.name).state != "open":
        return
    media = row.step.medium
    medium = None if not media else command.channel if command.channel in media else media[0]
    run.by = SYSTEM
    given = RecordStep(
        id=command.id, complaint=command.complaint, at=command.at, step=row.name, medium=medium, already_happened=True
    )
    try:
        record(run, given, row)
    except Rejected:  # something that the record must contain is not known: the notice stays owed, its delivery is told
        return


# --- people ---
def name_assignee(run: Run, command: NameAssignee) -> None:
    """The person who acts in a role, or the queue in which the case waits for one."""
    role, was = command.role, run.state.assignees.get(command.role)
    known = run.procedure.roles.get(role)
    clause = known.clause if known is not None else f"desk:directory.{role}"  # a department that only the desk knows
    if command.person is not None:
        if command.person != was:
            run.emit(
                AssigneeNamed(
                    at=run.now,
                    clause=clause,
                    rule=role,
                    role=role,
                    person=command.person,
                    department=command.department,
                    because=command.because,
                    was=was,
                )
            )
        return
    queue = command.queue or ""
    if run.state.lacking.get(role) != queue:
        run.emit(AssigneeLacking(at=run.now, clause=clause, rule=role, role=role, queue=queue, because=command.because))


# --- the calendar ---
def apply_calendar(run: Run, command: ApplyCalendar) -> None:
    """The case counts in another version of the calendar; every date that comes out otherwise is recomputed."""
    if run.state.calendar == command.version:
        return
    if run.others.calendar is not None:
        run.calendar = run.others.calendar
    run.emit(
        CalendarApplied(
            at=run.now, version=command.version, was=run.state.calendar or None, desk_version=command.desk_version
        )
    )
    for row in run.frame.timed_rows:
        clock = run.state.clocks.get(row.name)
        if clock is None:
            continue
        look = Look(run, row, clock, run.state.step(row.name))
        if clock.live:
            _recount(look, clock)
        elif clock.late and clock.provisional:
            _late_by_guess(look, clock)
    for opening in run.frame.step_rows:
        _reschedule(run, opening)


def _recount(look: Look, clock: SlaClock) -> None:
    """The same limit from the same start, under the ground that has changed."""
    limit = look.limit
    if clock.due_at is None or limit is None:
        return
    due = look.due(limit, clock.from_)
    if due is not None and (due.at, due.provisional) != (clock.due_at, clock.provisional):
        recompute(look, clock, limit, clock.from_, place=clock.case, clause=clock.clause)


def _late_by_guess(look: Look, clock: SlaClock) -> None:
    """It ran out on a day that nobody had published yet; the calendar that has come says that it had not."""
    run, row, limit = look.run, look.row, look.limit
    due = look.due(limit, clock.from_)
    ended = look.ended
    if due is None or clock.due_at is None or due.at <= clock.due_at or (ended or run.now) > due.at:
        return
    withdrawn = BreachWithdrawn(at=run.now, clause=clock.clause, rule=row.row, clock=row.name, done_at=ended or run.now)
    run.emit(withdrawn)
    if ended is None:
        run.emit(
            ClockResumed(
                at=run.now,
                clause=clock.clause,
                rule=row.row,
                clock=row.name,
                **dated(look.run, look.row, due, limit, clock.from_),
            )
        )


def _reschedule(run: Run, row: StepRow) -> None:
    state = run.state.steps.get(row.name, FRESH)
    if state.state != "waiting" or state.opens_at is None or state.opens_at <= run.now:
        return
    opens_at = scheduled_for(run, row)
    if opens_at is not None and opens_at != state.opens_at:
        schedule(run, row, opens_at)


# --- the procedure ---
def change_pack(run: Run, command: ChangePack) -> None:
    """The case goes on under another version of the procedure: what was done stays done, dates are counted anew.

    What the new version no longer asks for lapses. Of a running limit `regrade` says what becomes of it: ``keep`` keeps
    its date, ``restart`` counts from the change, all else from where it counted.
    """
    new, state = run.others.procedure or run.procedure, run.state
    if (new.id, new.version) != (command.pack, command.pack_version):
        why = f"{command.pack} {command.pack_version} is not {new.id} {new.version}"
        raise Rejected("no-such-pack", None, why, pack=command.pack, pack_version=command.pack_version)
    desk_version = command.desk_version or state.desk_version
    if (state.pack, state.pack_version, state.desk_version) == (new.id, new.version, desk_version):
        return
    run.procedure = new
    run.emit(
        PackChanged(
            at=run.now,
            pack=new.id,
            pack_version=new.version,
            was=state.pack,
            was_version=state.pack_version,
            desk_version=command.desk_version,
            reason=command.reason,
        )
    )
    _drop(run)
    for row in run.frame.timed_rows:
        clock = run.state.clocks.get(row.name)
        if clock is not None and clock.live:
            _count_anew(Look(run, row, clock, run.state.step(row.name)), clock)


GONE = "no longer in the procedure"


def _drop(run: Run) -> None:
    for name, step in run.state.steps.items():
        if step.state == "open" and name not in run.frame.steps:
            run.emit(StepLapsed(at=run.now, rule=name.partition("#")[0], step=name, because=GONE))
    for name, clock in orphaned(run):
        run.emit(ClockCancelled(at=run.now, clause=clock.clause, rule=name, clock=name, because=GONE))
    kept = {row.hold.name for row in run.frame.holds}
    for hold in run.state.holds:
        if hold not in kept:
            run.emit(HoldLifted(at=run.now, rule=hold, hold=hold))


def _count_anew(look: Look, clock: SlaClock) -> None:
    row, case, run = look.row, look.case, look.run
    if case is None or clock.word == AFTER_A_REGRADE or not look.stands:
        return
    if row.regrade == "keep" and clock.due_at is not None:
        return
    place, check, value = case
    limit = row.extension.to if clock.extended and row.extension is not None else value.limit
    start = run.now if row.regrade == "restart" else clock.from_
    due = look.due(limit, clock.from_)
    if (due.at if due is not None else None) == clock.due_at and clock.case == place:
        return
    recompute(
        look, clock, limit, start, place=place, clause=look.cite(value.clause or row.clause, limit), checks=[check]
    )


# --- erasure ---
def erase_subject(run: Run, command: EraseSubject) -> None:
    """Erasure is refused while any row about this case says that its records must be kept.

    Source: the pack language, section 8 (`retention`).
    """
    if command.subject in run.state.erased:
        return
    rows = [row for row in run.frame.keeps if row.when is None or row.when.on(run) is True]
    for row in rows:
        keep, since = row.keep, row.start(run)
        if not keep.for_.numbered:
            why = f"how long {keep.name} is kept: the desk must set {keep.name}.for"
            raise Rejected("not-stated", keep.clause, why, place=f"{keep.name}.for")
        until = None
        if since is not None:
            until = due_of(keep.for_, since, run.procedure.questions, run.calendar)
        if until is None or run.now < until.at:
            data = {"until": until.at.isoformat()} if until is not None else {}
            clause = run.cite(keep.clause, _kept(row), [row.when])
            raise Rejected("must-be-kept", clause, f"{keep.name} is kept {keep.for_.text}", **data)
    checks = [row.when for row in rows]
    clause = run.cite(rows[0].keep.clause, [field for row in rows for field in _kept(row)], checks) if rows else None
    run.emit(
        SubjectErased(
            at=run.now,
            clause=clause,
            rule=rows[0].keep.name if rows else None,
            inputs=run.looked_at(checks),
            subject=command.subject,
            reason=command.reason,
        )
    )


def _kept(row: KeepRow) -> list[str]:
    return [f"{row.keep.name}.{field}" for field in ("for", "from", "case", "when")]
