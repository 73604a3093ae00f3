"""Why a clock is due when it is: start, limit, clause, working intervals, pauses, extension, calendar.

For people who ask "why then?", and for auditors who count again. From the state of the case and its procedure; the
events of the clock say the same, instant by instant.

Source: the pack language, section 3.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from complaints.business_time import BusinessCalendar
from complaints.complaint import Complaint
from complaints.deciding.citing import DESK
from complaints.deciding.frame import Timed, frame_of
from complaints.deciding.sight import Glance
from complaints.events import Clause, Interval
from complaints.procedure.limits import left
from complaints.procedure.model import Procedure
from complaints.sla import ClockPhase, SlaClock

Unit = Literal["elapsed", "working"]


class PauseTaken(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pause of the clock; without ``ended`` it lasts."""

    begun: datetime
    ended: datetime | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of the desk on which the due instant rests."""

    place: str
    value: object


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One clock, explained. ``counts_from`` is what the row says; ``from_at`` the instant that this was."""

    clock: str
    state: ClockPhase
    clause: Clause
    says: str | None = None
    owed_by: str | list[str] | None = None
    limit: str | None = None  # as the pack writes it
    unit: Unit = "elapsed"
    counts_from: str
    from_at: datetime
    because: str | None = None  # the condition that chose this limit of several
    inputs: dict[str, object] = {}
    due_at: datetime | None = None
    word: str | None = None  # where the text gives no number
    left_s: float | None = None  # in the clock's own kind of time, at the instant asked
    late_s: float | None = None
    provisional: bool = False
    intervals: list[Interval] = []
    pauses: list[PauseTaken] = []
    extended: bool = False
    extension: str | None = None  # the limit that an extension gives, where the row has one
    regrade: str | None = None
    answers: list[Answer] = []
    warn_at: list[datetime] = []
    calendar: str = ""
    timezone: str = ""


def explanations(
    procedure: Procedure, calendar: BusinessCalendar, state: Complaint, at: datetime, *, ended: bool = False
) -> list[Explanation]:
    """Each running, paused or late clock, in the order of the procedure; with ``ended`` those that are over, too."""
    frame = frame_of(procedure, state)
    return [
        explain(procedure, calendar, state, name, at)
        for name in frame.timed
        if (clock := state.clocks.get(name)) is not None and (ended or clock.live or clock.state == "late")
    ]


def explain(procedure: Procedure, calendar: BusinessCalendar, state: Complaint, name: str, at: datetime) -> Explanation:
    """Why this clock of the case is due when it is, asked at ``at``.

    Raises:
        KeyError: the case has no such clock.
    """
    clock, row = state.clocks[name], frame_of(procedure, state).timed[name]
    case = row.cases[clock.case] if clock.case is not None and clock.case < len(row.cases) else None
    limit = row.extension.to if clock.extended and row.extension is not None else case[1].limit if case else None
    check, sight = case[0] if case is not None else None, Glance(state, calendar)
    answers = procedure.questions
    late_s = left_s = None
    if clock.due_at is not None and clock.state == "running":
        left_s = left(limit, at, clock.due_at, answers, calendar).total_seconds()
    elif clock.state == "paused":
        left_s = clock.left_s
    if clock.due_at is not None and clock.late:
        late_s = max(at - clock.due_at, timedelta()).total_seconds()
    return Explanation(
        clock=name,
        state=clock.state,
        clause=clock.clause,
        says=_says(procedure, row),
        owed_by=row.by,
        limit=limit.text if limit is not None else None,
        unit="working" if limit is not None and limit.in_working_time(answers) else "elapsed",
        counts_from=row.from_ or ("received" if row.step is None else "its opening"),
        from_at=clock.from_,
        because=check.condition.text if check is not None else None,
        inputs=dict(check.looked_at(sight)) if check is not None else {},
        due_at=clock.due_at,
        word=clock.word,
        left_s=left_s,
        late_s=late_s,
        provisional=clock.provisional,
        intervals=list(clock.intervals),
        pauses=[PauseTaken(begun=pause.begun, ended=pause.ended) for pause in state.pauses.get(name, ())],
        extended=clock.extended,
        extension=row.extension.to.text if row.extension is not None else None,
        regrade=clock.regrade,
        answers=_answers(procedure, clock),
        warn_at=list(clock.warn_at),
        calendar=state.calendar,
        timezone=str(calendar.zone),
    )


def _says(procedure: Procedure, row: Timed) -> str | None:
    return row.step.says if row.step is not None else procedure.clocks[row.name].says


def _answers(procedure: Procedure, clock: SlaClock) -> list[Answer]:
    """The desk's answers that the clock's clause cites."""
    cited = clock.clause if isinstance(clock.clause, list) else []
    places = [entry.removeprefix(DESK) for entry in cited if entry.startswith(DESK)]
    return [Answer(place=place, value=procedure.places[place].value) for place in places if place in procedure.places]
