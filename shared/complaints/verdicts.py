"""Verdicts: what the stream of a case says about each row of its procedure, at an instant; and what a role may see.

One verdict a row, from the events alone; only refused attempts, which leave no event, are counted elsewhere and handed
in. A clause that several rows carry is as good as the worst of them.

Source: the pack language, sections 5 (`hide`) and 9.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from complaints.business_time import BusinessCalendar
from complaints.complaint import FRESH, Complaint, Mark, StepState, replay
from complaints.deciding.frame import Frame, StepRow, TableOf, TableRow, frame_of
from complaints.deciding.receipt import of_channel
from complaints.deciding.sight import Actor, Glance, good
from complaints.events import (
    AccessBroken,
    CaseEvent,
    Clause,
    ClockBreached,
    ComplaintClosed,
    Decision,
    DutyBreached,
    DutyEvent,
    DutyLapsed,
    DutyOpened,
    DutyRecorded,
    FactValue,
    HoldBroken,
    HoldLifted,
    HoldPlaced,
    OrderBroken,
    StepLapsed,
)
from complaints.procedure.model import Procedure
from complaints.sla import SlaClock

Section = Literal["steps", "decisions", "holds", "access", "clocks", "intake", "notes", "desk"]
Word = Literal[
    "broken", "breached", "not done", "undecided", "owed", "not yet due", "ran out", "obeyed", "not applicable", "note"
]  # fmt: skip
WORST_FIRST: Final[tuple[Word, ...]] = (
    "broken", "breached", "not done", "undecided", "owed", "not yet due", "ran out", "obeyed", "not applicable", "note",
)  # fmt: skip


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one row. ``words`` say it for people; the other fields say it for programs."""

    clause: Clause
    row: str
    section: Section
    verdict: Word
    words: str = ""
    due_at: datetime | None = None
    late_s: float | None = None
    by: str | list[str] | None = None  # who owes it, or who did it
    answerable: str | None = None
    waits_for: list[str] = []
    needs: list[str] = []  # facts that nobody has said yet
    refused: int = 0
    period: str | None = None


NONE_REFUSED: Final[Mapping[str, int]] = MappingProxyType({})


class _Case:
    """A case at an instant, and what its events say that its state does not."""

    def __init__(
        self, procedure: Procedure, calendar: BusinessCalendar, events: Sequence[CaseEvent], at: datetime
    ) -> None:
        self.procedure, self.calendar, self.at = procedure, calendar, at
        self.events = [event for event in events if event.at <= at]
        self.state: Complaint = replay(self.events)
        self.frame: Frame = frame_of(procedure, self.state)
        self.sight = Glance(self.state, calendar)
        self.broken: dict[str, list[str]] = {}
        self.due: dict[str, datetime] = {}
        self.lapsed: set[str] = set()
        self.left: set[str] = set()
        self.decided: dict[tuple[str, str | None], Decision] = {}
        self.seen: set[str] = set()  # holds and bars that played a part
        for event in self.events:
            self._take(event)

    def _take(self, event: CaseEvent) -> None:
        match event:
            case HoldBroken():
                self._break(event.hold, event)
            case AccessBroken():
                self._break(event.step if event.bar == "by" else event.bar, event)
            case OrderBroken():
                self._break(event.step, event)
            case HoldPlaced() | HoldLifted():
                self.seen.add(event.hold)
            case ClockBreached():
                self.due[event.clock] = event.due_at
            case StepLapsed() if event.because == "closed":
                self.lapsed.add(event.step)
            case Decision():
                self.decided[event.fact, event.rule] = event
            case ComplaintClosed():
                way = self.procedure.steps.get(event.step)  # not there if it was closed under another version
                self.left.update(way.leaves if way is not None else ())
            case _:
                pass

    def _break(self, name: str, event: HoldBroken | AccessBroken | OrderBroken) -> None:
        self.broken.setdefault(name, []).append(f"{event.person} ({event.step})")
        self.seen.add(name)


def verdicts(
    procedure: Procedure,
    calendar: BusinessCalendar,
    events: Sequence[CaseEvent],
    at: datetime,
    refused: Mapping[str, int] = NONE_REFUSED,
) -> list[Verdict]:
    """A verdict for each row that binds the case, as it stood at ``at``, in the order of the procedure.

    ``refused``: how often a hold or bar refused an act, by its name.
    """
    case = _Case(procedure, calendar, events, at)
    if not case.events:
        return []
    return [
        *(_of_step(case, row) for row in case.frame.step_rows),
        *_of_tables(case),
        *_of_rules(case, refused),
        *_of_clocks(case),
        *_of_intake(case),
        *(Verdict(clause=c, row="note", section="notes", verdict="note", words=issue) for c, issue in procedure.notes),
    ]


def worst(some: Iterable[Verdict]) -> dict[str, Verdict]:
    """Clause to the worst verdict of the rows that cite it."""
    found: dict[str, Verdict] = {}
    for verdict in some:
        for clause in [verdict.clause] if isinstance(verdict.clause, str) else verdict.clause or []:
            known = found.get(clause)
            if known is None or WORST_FIRST.index(verdict.verdict) < WORST_FIRST.index(known.verdict):
                found[clause] = verdict
    return found


# --- steps ---
def _of_step(case: _Case, row: StepRow) -> Verdict:
    state, clock = case.state.steps.get(row.name, FRESH), case.state.clocks.get(row.name)
    if state.state == "over":
        return _of_done(case, row, state)
    if clock is not None and clock.late and row.step.duty == "must":
        return _of_late(case, row, clock)
    if state.state == "open":
        return _of_open(case, row, state, clock)
    return _of_waiting(case, row, state)


def _of_waiting(case: _Case, row: StepRow, state: StepState) -> Verdict:
    """What is not open yet, or no more."""
    if (done := _was_done(row, state)) is not None:
        return _of_repeated(case, row, done)
    if row.name in case.lapsed and row.step.duty in ("must", "should"):
        return _of_lapsed(case, row)
    lack = [name for check in row.stands if check.on(case.sight) is None for name in check.unknown(case.sight)]
    if lack:
        needs = list(dict.fromkeys(lack))
        return _verdict(row, "undecided", f"needs {', '.join(needs)}", needs=needs)
    return _verdict(row, "not applicable", state.state)


def _was_done(row: StepRow, state: StepState) -> Mark | None:
    """The last record of a step that repeats and has lapsed since; None if it was never recorded while it was open."""
    if row.step.repeats is None:
        return None
    for mark in reversed(state.marks):
        if mark.what == "recorded":
            return mark
        if mark.what == "opened":
            break
    return None


def _of_repeated(case: _Case, row: StepRow, done: Mark) -> Verdict:
    """What was done stays done; an interval that was missed stays missed."""
    missed = next((breach for breach in case.state.breaches if breach.clock == row.name), None)
    if missed is not None:
        words = f"not done again by {missed.due_at.isoformat()}"
        return _blamed(case, _verdict(row, "breached", words, due_at=missed.due_at, by=row.step.by_text))
    return _verdict(row, "obeyed", f"{done.outcome} {done.person}", by=done.person)


def _of_lapsed(case: _Case, row: StepRow) -> Verdict:
    if row.step.duty == "should":
        return _verdict(row, "not done", "best effort; the case was closed without it")
    if row.row in case.left:
        return _verdict(row, "not applicable", "the way of closing leaves it out")
    return _blamed(case, _verdict(row, "breached", "the case was closed without it", by=row.step.by_text))


def _verdict(  # what a row's verdict may say, in one place
    row: StepRow,
    verdict: Word,
    words: str,
    *,
    due_at: datetime | None = None,
    late_s: float | None = None,
    by: str | list[str] | None = None,
    waits_for: Sequence[str] = (),
    needs: Sequence[str] = (),
) -> Verdict:
    return Verdict(
        clause=row.step.clause,
        row=row.name,
        section="steps",
        verdict=verdict,
        words=words,
        due_at=due_at,
        late_s=late_s,
        by=by,
        waits_for=list(waits_for),
        needs=list(needs),
    )


def _blamed(case: _Case, verdict: Verdict) -> Verdict:
    """Who is answerable for the case answers for the breach."""
    answerable = case.state.decided.get("answerable")
    if answerable is None:
        return verdict
    words = f"{verdict.words}; {answerable} answers"
    return msgspec.structs.replace(verdict, words=words, answerable=str(answerable))


def _of_done(case: _Case, row: StepRow, state: StepState) -> Verdict:
    if row.name in case.broken:
        words = f"out of order by {', '.join(case.broken[row.name])}"
        return _blamed(case, _verdict(row, "broken", words, by=state.person))
    if state.outcome == "waived":
        by = next((mark.person for mark in reversed(state.marks) if mark.what == "waived"), "")
        return _verdict(row, "not done", f"waived by {by}", by=by)
    due = case.due.get(row.name)
    stands = any(breach.clock == row.name and breach.due_at == due for breach in case.state.breaches)
    if due is not None and stands and state.at is not None and state.at > due:
        late = state.at - due
        words = f"late by {late}, {state.person}"
        verdict = _verdict(row, "breached", words, due_at=due, late_s=late.total_seconds(), by=state.person)
        return _blamed(case, verdict)
    return _verdict(row, "obeyed", f"{state.outcome} {state.person}", by=state.person)


def _of_late(case: _Case, row: StepRow, clock: SlaClock) -> Verdict:
    late = case.at - (clock.due_at or case.at)
    waits = waiting_for(case.frame, case.state, row)
    by = [f"{name} ({_by(case, name)})" for name in waits]
    whom = f"waits for {', '.join(by)}" if by else _text(row.step.by_text)
    verdict = _verdict(
        row,
        "breached",
        f"open, late by {late}, {whom}",
        due_at=clock.due_at,
        late_s=late.total_seconds(),
        by=row.step.by_text,
        waits_for=waits,
    )
    return _blamed(case, verdict)


def _of_open(case: _Case, row: StepRow, state: StepState, clock: SlaClock | None) -> Verdict:
    if row.step.duty == "may":
        return _verdict(row, "not applicable", "may", by=row.step.by_text)
    if clock is not None and clock.due_at is not None:
        due = clock.due_at
        if clock.late:
            words = f"best effort; not done by {due.isoformat()}"
            return _verdict(row, "not done", words, due_at=due, by=row.step.by_text)
        return _verdict(row, "not yet due", f"due {due.isoformat()}", due_at=due, by=row.step.by_text)
    stale = ", stale" if is_stale(case.frame, case.state, row, state) else ""
    word = (clock.word if clock is not None else None) or "not-stated"
    return _verdict(row, "owed", f"no limit stated ({word}){stale}", by=row.step.by_text)


def _text(by: str | list[str]) -> str:
    return by if isinstance(by, str) else " and ".join(by)


def _by(case: _Case, step: str) -> str:
    return _text(case.procedure.steps[step.partition("#")[0]].by_text)


def waiting_for(frame: Frame, state: Complaint, row: StepRow) -> list[str]:
    """The steps that a step still waits for; of alternatives all are named until one is good."""
    return [
        a
        for alternatives in row.step.after
        if not any(good(frame.procedure, b, state.steps.get(b, FRESH)) for b in alternatives)
        for a in alternatives
    ]


def is_stale(frame: Frame, state: Complaint, row: StepRow, step: StepState) -> bool:
    """Has a later row of the same part been recorded since this step opened?"""
    if step.opened is None:
        return False
    for other in frame.step_rows:
        if (
            other.step.index <= row.step.index
            or other.step.part is not row.step.part
            or other.step.item != row.step.item
        ):
            continue
        at = state.steps.get(other.name, FRESH).at
        if at is not None and at >= step.opened:
            return True
    return False


# --- the other sections ---
def _of_tables(case: _Case) -> Iterator[Verdict]:
    for table in case.frame.tables:
        decide = table.table.decide
        needs = missing(case.frame, case.sight, decide)
        decided = decide in case.state.decided
        open_rows = [row.rule for row in _undecided(table, case.sight) if needs] if decided else None
        for row in table.rows:
            hit = case.decided.get((decide, row.rule))
            if open_rows is not None:
                needs = row.check.unknown(case.sight) if row.check is not None and row.rule in open_rows else []
            verdict: Word = "obeyed" if hit is not None else "undecided" if needs else "not applicable"
            words = f"decided {hit.to}" if hit is not None else f"needs {', '.join(needs)}" if needs else ""
            yield Verdict(
                clause=row.row.clause,
                row=decide,
                section="decisions",
                verdict=verdict,
                words=words,
                needs=[] if hit is not None else needs,
            )


def missing(frame: Frame, sight: Glance, decide: str) -> list[str]:
    """The facts that a table still waits for: to decide, or to decide otherwise by a row that goes before.

    What a person has judged waits for nothing.
    """
    state = sight.state
    if state.decided.get(decide) != state.table.get(decide):
        return []
    table = next(table for table in frame.tables if table.table.decide == decide)
    need = [name for row in _undecided(table, sight) if row.check is not None for name in row.check.unknown(sight)]
    return list(dict.fromkeys(need))


def _undecided(table: TableOf, sight: Glance) -> list[TableRow]:
    """The rows that nobody can tell yet, before the first that is true."""
    found = []
    for row in table.rows:
        holds = row.check.on(sight) if row.check is not None else True
        if holds is True:
            break
        if holds is None:
            found.append(row)
    return found


def _of_rules(case: _Case, refused: Mapping[str, int]) -> Iterator[Verdict]:
    rules: list[tuple[Section, str, Clause]] = [
        *(("holds", hold.name, hold.clause) for hold in case.procedure.holds),
        *(("access", bar.name, bar.clause) for bar in case.procedure.access),
    ]
    for section, name, clause in rules:
        times = refused.get(name, 0)
        if name in case.broken:
            verdict: Word = "broken"
            words = f"by {', '.join(case.broken[name])}"
        else:
            verdict = "obeyed" if times or name in case.seen else "not applicable"
            words = f"{times} refused"
        yield Verdict(clause=clause, row=name, section=section, verdict=verdict, words=words, refused=times)


def _of_clocks(case: _Case) -> Iterator[Verdict]:
    for name, row in case.procedure.clocks.items():
        if row.case != case.state.case:
            continue
        clock = case.state.clocks.get(name)
        verdict: Word
        if clock is None or clock.state == "cancelled":
            verdict = "not applicable"
        elif clock.late:
            verdict = "ran out"
        else:
            verdict = "obeyed" if clock.state == "stopped" else "not yet due"
        due = clock.due_at if clock is not None else None
        yield Verdict(clause=row.clause, row=name, section="clocks", verdict=verdict, due_at=due)


def _of_intake(case: _Case) -> Iterator[Verdict]:
    rows = [row for row in case.procedure.intake if row.case == case.state.case]
    named = of_channel(rows, case.state.channel) if case.state.case == "complaint" else []
    for row in rows:
        if not row.asks:
            continue
        check = case.frame.names().maybe(row.when)
        holds = check.on(case.sight) if check is not None else True
        needs = [fact for fact in row.asks if fact not in case.state.facts]
        verdict: Word
        if (row.channels and row not in named) or holds is False:
            verdict, words, needs = "not applicable", "", []
        elif check is not None and holds is None:
            needs = check.unknown(case.sight)
            verdict, words = "undecided", f"needs {', '.join(needs)}"
        elif needs:
            verdict, words = "owed", f"missing {', '.join(needs)}"
        else:
            verdict, words = "obeyed", ""
        yield Verdict(clause=row.clause, row="asks", section="intake", verdict=verdict, words=words, needs=needs)


def duty_verdicts(procedure: Procedure, events: Iterable[DutyEvent], at: datetime) -> list[Verdict]:
    """One verdict a desk row and period. A missed duty that was made up stays breached."""
    opened: dict[tuple[str, str], DutyOpened] = {}
    ends: dict[tuple[str, str], Word] = {}
    for event in events:
        if event.at > at:
            continue
        match event:
            case DutyOpened():
                opened[event.owe, event.period] = event
            case DutyRecorded() if event.period is not None:
                key = (event.owe, event.period)
                ends[key] = "obeyed" if event.in_time else ends.get(key, "breached")
            case DutyBreached():
                ends[event.owe, event.period] = "breached"
            case DutyLapsed():
                ends[event.owe, event.period] = "not done"
            case _:
                pass
    return [
        Verdict(
            clause=procedure.desk[owe].clause if owe in procedure.desk else event.clause,
            row=owe,
            section="desk",
            verdict=ends.get((owe, period)) or ("owed" if event.due_at is None else "not yet due"),
            words=period,
            due_at=event.due_at,
            by=event.by,
            period=period,
        )
        for (owe, period), event in opened.items()
    ]


# --- what a role may see ---
def hidden_from(
    procedure: Procedure, calendar: BusinessCalendar, state: Complaint, role: str, person: str = ""
) -> frozenset[str]:
    """The facts (or ``complainant``) that a clause forbids this role to know; while its condition is not known, too."""
    sight = Glance(state, calendar, Actor(person, role))
    names = frame_of(procedure, state).names()
    return frozenset(
        fact
        for bar in procedure.access
        if bar.hide and role in bar.from_ and (bar.when is None or names.check(bar.when).on(sight) is not False)
        for fact in bar.hide
    )


def visible(
    procedure: Procedure, calendar: BusinessCalendar, state: Complaint, role: str, person: str = ""
) -> dict[str, FactValue]:
    """The facts of a case as a role may see them."""
    hidden = hidden_from(procedure, calendar, state, role, person)
    return {fact: value for fact, value in state.facts.items() if fact not in hidden}
