"""Routing in virtual time: counts over other cases, steps that the system records by itself, and who acts.

Everything is decided by `routing.rules` and `complaints.counting`; here is only what the service keeps between events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from msgspec.structs import replace

from complaints.commands import Command, RecordCount
from complaints.complaint import Complaint
from complaints.counting import Matters, counted
from complaints.desk_view import DeskView
from complaints.events import AssigneeNamed, CaseEvent
from complaints.identity import REDRESS_NS, service_command_id
from routing.cases import INITIAL, Case, evolve
from routing.choosing import Load, Situation
from routing.commands import respond
from routing.rules import look_again, owing


def stream_of(complaint: str) -> UUID:
    """The id that stands for a case of a scenario where its name will not do."""
    return uuid5(REDRESS_NS, f"simulation:{complaint}")


class RoutingSide:
    """What routing remembers: the cases as it sees them, their matters, who has how much to do."""

    def __init__(self, view: DeskView) -> None:
        self._view = view
        self._cases: dict[str, Case] = {}
        self._matters = Matters(view.procedure, view.calendar)
        self._work: dict[str, Counter[str]] = {}  # case: person: roles in which they have something to do there
        self._open: Counter[str] = Counter()
        self._named_at: dict[str, datetime] = {}
        self._looks: dict[str, datetime] = {}

    def follow(self, complaint: str, events: Sequence[CaseEvent]) -> None:
        """Takes up what has happened to a case."""
        case = self._cases.get(complaint, INITIAL)
        for event in events:
            case = evolve(case, event, case.version + 1)
            if isinstance(event, AssigneeNamed):
                self._named_at[event.person] = event.at
        self._cases[complaint] = case
        if not self._view.open_directory:
            self._weigh(complaint, case)

    def _weigh(self, complaint: str, case: Case) -> None:
        roles = {role for _, roles in owing(case, self._view.procedure) for role in roles} if not case.closed else set()
        work = Counter(person for role, person in case.assignees.items() if role in roles)
        self._open.subtract(self._work.get(complaint, Counter()))
        self._open.update(work)
        self._work[complaint] = work

    # --- what it asks for ---
    def recounts(self, complaint: str, cases: Mapping[str, Complaint], at: datetime) -> Iterator[RecordCount]:
        """The counts of every case that shares a matter with this one, where they are not what the case has."""
        procedure = self._view.procedure
        mine = counted(complaint, cases[complaint], procedure) if procedure.counts else None
        if mine is None:
            return
        for (other, count), value in self._matters.note(mine).items():
            if cases[other].counts.get(count) != value:
                command = service_command_id(stream_of(other), "record-count", count, value, cases[other].version)
                yield RecordCount(id=command, complaint=other, at=at, count=count, value=value)

    def answers(self, complaint: str, at: datetime) -> list[Command]:
        """The steps that the system records in a case, and who has to be named in it."""
        situation = Situation(
            case=self._cases[complaint],
            procedure=self._view.procedure,
            desk=self._view,
            at=at,
            loads={person: Load(open=self._open[person], named_at=self._named_at.get(person)) for person in self._open},
        )
        commands, self._cases[complaint] = respond(str(stream_of(complaint)), situation)
        if (then := look_again(situation)) is not None:
            self._looks[complaint] = then
        else:
            self._looks.pop(complaint, None)
        return [replace(command, complaint=complaint) for command in commands]

    # --- what time alone changes ---
    def next_look(self) -> datetime | None:
        """When somebody's absence begins or ends next, as far as a case depends on it."""
        return min(self._looks.values(), default=None)

    def look(self, at: datetime) -> Iterator[Command]:
        """What it asks for then."""
        for complaint in sorted(name for name, then in self._looks.items() if then <= at):
            yield from self.answers(complaint, at)
