"""What the desk owes without a case, in virtual time: periods that open, rounds, reports, samples.

It does what sla_monitor and ledger do about duties, by the same pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid5

from msgspec.structs import replace

from complaints.business_time import LAST_YEAR, BusinessCalendar
from complaints.commands import Command, DrawSample, DutyCommand, MissDuty, OpenDuty, OpenRound, ProduceReport
from complaints.complaint import Complaint
from complaints.deciding import holds_for
from complaints.duties import (
    EMPTY,
    Period,
    decide_duty,
    included,
    next_due,
    periods,
    replay_duties,
    standing,
)
from complaints.events import CaseEvent, DutyEvent, DutyOpened
from complaints.identity import REDRESS_NS, service_command_id
from complaints.procedure.model import Procedure
from complaints.reporting import NOTHING_YET, Case, Reported, clock_ends, produced

AHEAD: Final = timedelta(days=31)
"""How far the periods are worked out at a time."""

INSTANT: Final = timedelta(microseconds=1)
END: Final = datetime(LAST_YEAR, 12, 30, tzinfo=UTC)

DUTIES: Final = uuid5(REDRESS_NS, "simulation:duties")


class DeskSide:
    """The desk's duties: its book, and what will open."""

    def __init__(self, procedure: Procedure, calendar: BusinessCalendar) -> None:
        self._procedure, self._calendar = procedure, calendar
        self.book = EMPTY
        self.history: list[DutyEvent] = []
        self._coming: list[Period] = []  # in order, the next one last
        self._known_until: datetime | None = None
        self._reported: dict[str, Reported] = {}

    def begin(self, at: datetime) -> None:
        """The desk takes up the procedure: what is owed from the start is owed."""
        self._coming = standing(self._procedure, at)[::-1]
        self._known_until = at

    # --- what opens ---
    def next_opening(self, until: datetime) -> datetime | None:
        """When the next period opens, if that is by ``until``."""
        self._look_ahead(until)
        return self._coming[-1].opens_at if self._coming and self._coming[-1].opens_at <= until else None

    def _look_ahead(self, until: datetime) -> None:
        known = self._known_until
        if known is None or not self._procedure.desk:
            return
        while known <= until:
            then = max(until + INSTANT, min(known + AHEAD, END))
            self._coming[:0] = periods(self._procedure, self._calendar, known, then)[::-1]
            known = then
        self._known_until = known

    def open(self, cases: Mapping[str, Complaint]) -> Sequence[Command]:
        """The commands with which the next period opens: one to the desk, or of a round one to each of its cases."""
        due = self._coming.pop()
        row = due.row
        if row.each is None:
            name = service_command_id(DUTIES, "open-duty", row.owe, due.period)
            return [
                OpenDuty(
                    id=name,
                    complaint="desk",
                    at=due.opens_at,
                    owe=row.owe,
                    period=due.period,
                    opens_at=due.opens_at,
                    due_at=due.due_at,
                )
            ]
        return [
            OpenRound(
                id=service_command_id(DUTIES, "open-round", row.owe, due.period, complaint),
                complaint=complaint,
                at=due.opens_at,
                step=row.each,
                period=due.period,
                due_at=due.due_at,
                owe=row.owe,
            )
            for complaint, state in cases.items()
            if row.cases is None or holds_for(row.cases, state, self._procedure, self._calendar) is True
        ]

    # --- what is missed ---
    def next_miss(self) -> datetime | None:
        """When the next open period will have been missed."""
        return next_due(self.book)

    def miss(self, at: datetime) -> list[Command]:
        """The command that says so, of all that is missed then."""
        owe, period = min(key for key, due_at in self.book.awaited.items() if due_at == at)
        name = service_command_id(DUTIES, "miss-duty", owe, period, at)
        return [MissDuty(id=name, complaint="desk", at=at, owe=owe, period=period, due_at=at)]

    # --- decisions ---
    def decide(self, command: DutyCommand, cases: Mapping[str, Complaint]) -> Sequence[DutyEvent]:
        """What follows from a command to the desk. Raises Rejected."""
        if isinstance(command, DrawSample):
            command = replace(command, included=self._included(command, cases))
        events = decide_duty(self.book, command, self._procedure)
        self.book = replay_duties(events, self.book)
        self.history += events
        return events

    def _included(self, command: DrawSample, cases: Mapping[str, Complaint]) -> list[str]:
        row = self._procedure.desk.get(command.owe)
        return [] if row is None else included(row, cases.values(), self._procedure, self._calendar)

    def reports(
        self,
        events: Iterable[DutyEvent],
        cases: Mapping[str, Complaint],
        histories: Mapping[str, Sequence[CaseEvent]],
    ) -> Iterable[ProduceReport]:
        """Ledger: the figures of the reports that these openings ask for, from the cases as they stand."""
        opened = [(event, self._procedure.desk[event.owe]) for event in events if isinstance(event, DutyOpened)]
        for event, row in ((event, row) for event, row in opened if row.report):
            covers, figures, self._reported[row.owe] = produced(
                row,
                event.period,
                {name: Case(state=state, ends=clock_ends(histories[name])) for name, state in cases.items()},
                self._procedure,
                self._calendar,
                at=event.at,
                before=self._reported.get(row.owe, NOTHING_YET),
            )
            yield ProduceReport(
                id=service_command_id(DUTIES, "produce-report", row.owe, event.period),
                complaint="desk",
                at=event.at,
                owe=row.owe,
                period=event.period,
                covers=covers,
                figures=figures,
            )
