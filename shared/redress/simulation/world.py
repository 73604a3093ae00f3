"""``World``: one desk in virtual time. Commands go in, time passes, and everything that follows is told in order.

It takes the place of intake, sla_monitor, routing, notifier and ledger, and leaves every decision to the functions that
those use. At one instant first begins what begins then (a period of a duty, a round), then people act, then what is due
runs out: an act at the very instant of its deadline is in time.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from complaints.calendar_spec import DEFAULT_CALENDAR, CalendarSpec
from complaints.commands import CaseCommand, Command, DutyCommand, FireTimer, Link, Receive, name_of
from complaints.complaint import INITIAL, Complaint, evolve, replay
from complaints.deciding import Others, claims, decide, next_due, taken
from complaints.desk_events import DeskEvent
from complaints.desk_view import DeskView
from complaints.desks import simulated
from complaints.errors import Rejected
from complaints.events import CaseEvent, DutyEvent, Event
from complaints.identity import service_command_id
from complaints.ports import Claim
from complaints.procedure.model import Procedure
from complaints.refusals import rule_of
from complaints.timeliness import in_utc, timely
from complaints.verdicts import Verdict, duty_verdicts, verdicts, visible
from complaints.work import Case as CaseOfWork
from complaints.work import Work, work
from redress.simulation.desk_side import DeskSide
from redress.simulation.entries import Entry, Happened, Refused
from redress.simulation.notifier_side import NotifierSide
from redress.simulation.routing_side import RoutingSide, stream_of

DESK: Final = "desk"


class World:
    """A desk, its cases by the names that their commands give them, and the instant that it is.

    ``entries``: all that happened, in order. ``cases``: how each stands. ``histories``: the events of each.
    ``punctual``: timers fire at their instants; without, a case hears of the time only by its next command, and has the
    same history up to then. Where the desk names its people, routing hands over and names who acts, and a notice that
    was delivered counts as given; else a scenario says itself what the system does, unless ``acts`` says otherwise:
    live, the system hands over and notifies whether or not anybody was named.
    """

    def __init__(self, view: DeskView, *, punctual: bool = True, acts: bool | None = None) -> None:
        self.view, self.procedure, self.calendar = view, view.procedure, view.calendar
        self.now: datetime | None = None
        self.entries: list[Entry] = []
        self.cases: dict[str, Complaint] = {}
        self.histories: dict[str, list[CaseEvent]] = {}
        self.desk = DeskSide(self.procedure, self.calendar)
        self._punctual = punctual
        self._acts = not view.open_directory if acts is None else acts
        self._routing, self._notifier = RoutingSide(view), NotifierSide(view)
        self._claims: dict[tuple[str, bytes], str] = {}
        self._timers: list[tuple[datetime, str]] = []
        self._due: dict[str, datetime | None] = {}
        self._waiting: deque[Command] = deque()
        self._decided: set[UUID] = set()

    @classmethod
    def of(
        cls,
        procedure: Procedure,
        calendar: CalendarSpec = DEFAULT_CALENDAR,
        settings: Collection[DeskEvent] = (),
        *,
        punctual: bool = True,
    ) -> World:
        """A world from a procedure, a calendar and the changes that have made the desk what it is."""
        return cls(simulated(procedure, calendar, settings), punctual=punctual)

    # --- time and commands ---
    def run(self, commands: Iterable[Command], until: datetime) -> World:
        """Sends the commands in the order of their instants, those of one instant as they stand, and lets time pass.

        Commands after ``until`` are left out.
        """
        for command in sorted(commands, key=attrgetter("at")):
            if command.at <= until:
                self.send(command)
        self.advance(until)
        return self

    def send(self, command: Command) -> Sequence[Event]:
        """What follows from a command, after all that was due before it; nothing where a rule says no.

        Raises:
            Malformed: an instant outside the years that can be counted.
            Unsettled: rows of the procedure undo one another.
        """
        command = in_utc(command)
        self._pass(command.at, inclusive=False)
        events = self._take(command)
        self._follow_up()
        return events

    def advance(self, until: datetime) -> None:
        """Time passes; what is due by ``until`` happens."""
        self._pass(until, inclusive=True)

    def _pass(self, until: datetime, *, inclusive: bool) -> None:
        """Lets everything happen that begins by ``until`` or was due before it, or (``inclusive``) is due then."""
        if self.now is None:
            self.desk.begin(self.calendar.midnight(until))
        elif until < self.now:
            raise ValueError(f"{until} lies before {self.now}")
        self.now = until
        while (found := self._next(until, inclusive=inclusive)) is not None:
            for command in found:
                self._take(command)
            self._follow_up()

    def _next(self, until: datetime, *, inclusive: bool) -> Iterable[Command] | None:
        """What happens next. At one instant: periods open, timers fire, people come and go, messages go, duties end."""
        timer = self._next_timer()
        coming: list[tuple[datetime | None, Callable[[datetime], Iterable[Command]]]] = [
            (self.desk.next_opening(until), lambda _at: self.desk.open(self.cases)),
            (timer and timer[0], self._fire),
            (self._routing.next_look(), self._routing.look),
            (self._notifier.next_send(), self._send),
            (self.desk.next_miss(), self.desk.miss),
        ]
        dated = [(at, place) for place, (at, _) in enumerate(coming) if at is not None]
        at, place = min(dated, default=(None, 0))
        if at is None or at > until or (at == until and not inclusive and place):
            return None
        return coming[place][1](at)

    # --- timers ---
    def _next_timer(self) -> tuple[datetime, str] | None:
        while self._timers and self._due.get(self._timers[0][1]) != self._timers[0][0]:
            heapq.heappop(self._timers)  # the case has moved on since
        return self._timers[0] if self._timers else None

    def _fire(self, at: datetime) -> list[Command]:
        _, complaint = heapq.heappop(self._timers)
        self._due[complaint] = None
        return [FireTimer(id=service_command_id(stream_of(complaint), "fire-timer", at), complaint=complaint, at=at)]

    def _arm(self, complaint: str, looked_at: datetime) -> None:
        if not self._punctual:
            return
        due = self._due[complaint] = next_due(self.cases[complaint], after=looked_at)
        if due is not None:
            heapq.heappush(self._timers, (due, complaint))

    # --- one command ---
    def _take(self, command: Command) -> Sequence[Event]:
        """What follows from a command. The same command id decides nothing twice."""
        if command.id in self._decided:
            return ()
        try:
            events = self._of_the_desk(command) if isinstance(command, DutyCommand) else self._of_a_case(command)
        except Rejected as error:
            self.entries.append(Refused(command.at, command.complaint, name_of(command), error))
            return ()
        if events:
            self._decided.add(command.id)
        return events

    def _of_the_desk(self, command: DutyCommand) -> Sequence[DutyEvent]:
        self.view.may_act(command.by.person, command.by.role, command.at)
        version = self.desk.book.version + 1
        events = self.desk.decide(command, self.cases)
        self.entries += [Happened(DESK, event) for event in events]
        self._notifier.follow(DESK, [(event, None) for event in events], version, command.at)
        self._waiting.extend(self._send(command.at))
        self._waiting.extend(self.desk.reports(events, self.cases, self.histories))
        return events

    def _of_a_case(self, command: Command) -> Sequence[CaseEvent]:
        assert isinstance(command, CaseCommand)  # noqa: S101 - the two unions are all commands there are
        complaint = command.complaint
        state = self.cases.get(complaint, INITIAL)
        command = timely(command, self.view.limits, command.at, imported=state.imported, last_at=state.last_at)
        self.view.may_act(command.by.person, command.by.role, command.at)
        others = Others(linked=self._linked(command))
        events = decide(state, command, self.procedure, self.calendar, others, warnings=self.view.warnings)
        self._claim(complaint, events, state)
        if events:
            states = list(accumulate(events, evolve, initial=state))[1:]
            self.cases[complaint] = states[-1]
            self.histories.setdefault(complaint, []).extend(events)
            self.entries += [Happened(complaint, event, states[-1].case) for event in events]
            self._notifier.follow(complaint, zip(events, states, strict=True), state.version + 1, command.at)
            self._waiting.extend(self._send(command.at))
            self._routing.follow(complaint, events)
            self._waiting.extend(self._routing.recounts(complaint, self.cases, command.at))
            if self._acts:
                self._waiting.extend(self._routing.answers(complaint, command.at))
        if complaint in self.cases:
            self._arm(complaint, command.at)
        return events

    def _linked(self, command: CaseCommand) -> Mapping[str, Complaint]:
        named = command.other if isinstance(command, Link) else None
        if isinstance(command, Receive) and command.again_of is not None:
            named = command.again_of.complaint
        return {named: self.cases[named]} if named is not None and named in self.cases else {}

    def _claim(self, complaint: str, events: Sequence[CaseEvent], state: Complaint) -> None:
        """Values that belong to one case of the desk only. Raises Rejected number-taken, already-received."""
        claimed, released = claims(events, state, self.procedure)
        for claim in claimed:
            holder = self._claims.get(_key(claim), complaint)
            if holder != complaint:
                raise taken(claim.scope, holder, self.procedure)
        for claim in released:
            self._claims.pop(_key(claim), None)
        self._claims |= {_key(claim): complaint for claim in claimed}

    # --- what services answer ---
    def _send(self, at: datetime) -> Iterator[Command]:
        """Notifier: what may go by now goes, and the case is told what became of it."""
        while (due := self._notifier.next_send()) is not None and due <= at:
            told, delivery = self._notifier.send(at, self.cases.get(self._notifier.next_case))
            if told is not None:
                self.entries.append(told)
            if delivery is not None and self._acts:
                yield delivery

    def _follow_up(self) -> None:
        while self._waiting:
            self._take(self._waiting.popleft())

    # --- what one may ask ---
    def state(self, complaint: str, at: datetime | None = None) -> Complaint:
        """A case as it stands, or as it stood; one that there was not yet has version 0."""
        if at is None:
            return self.cases.get(complaint, INITIAL)
        return replay(event for event in self.histories.get(complaint, ()) if event.at <= at)

    def verdicts(self, complaint: str, at: datetime) -> list[Verdict]:
        """What became of each row of the procedure in a case."""
        return verdicts(
            self.procedure, self.calendar, self.histories.get(complaint, []), at, self._refused(complaint, at)
        )

    def duty_verdicts(self, at: datetime) -> list[Verdict]:
        """What became of each duty of the desk in each of its periods."""
        return duty_verdicts(self.procedure, self.desk.history, at)

    def work(self, at: datetime, role: str | None = None) -> Work:
        """What is owed, by one role if it is named."""
        cases = ((complaint, self.state(complaint, at)) for complaint in self.cases)
        mine = [CaseOfWork(c, state, self.procedure, self.calendar) for c, state in cases if state.version]
        return work(mine, at, role)

    def visible(self, complaint: str, role: str, person: str = "") -> dict[str, Any]:
        """The facts of a case that a role may see."""
        return visible(self.procedure, self.calendar, self.state(complaint), role, person)

    def _refused(self, complaint: str, at: datetime) -> dict[str, int]:
        """How often each hold or bar has refused an act."""
        times: dict[str, int] = {}
        for entry in self.entries:
            if not isinstance(entry, Refused) or entry.complaint != complaint or entry.at > at:
                continue
            if (name := rule_of(entry.rejected)) is not None:
                times[name] = times.get(name, 0) + 1
        return times


def _key(claim: Claim) -> tuple[str, bytes]:
    return claim.scope, claim.key
