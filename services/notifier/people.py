"""Whom a message about a case reaches: the people behind roles, as the desk stands at an instant. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from complaints.complaint import Complaint
from complaints.desk_view import DeskView
from complaints.directory import Person
from complaints.personal import CUSTOMER

NOBODY_OF_THE_DESK = frozenset(("system", CUSTOMER, "anyone"))


@dataclass(frozen=True, slots=True)
class People:
    """The desk's people at ``at``, as a case sees them; ``state`` is None where there is no case."""

    desk: DeskView
    state: Complaint | None
    at: datetime

    def behind(self, roles: Iterable[str]) -> list[str]:
        """The people behind roles: whoever acts in them on this case, else all who hold them and are not away."""
        found: list[str] = []
        for role in map(self.stands_for, roles):
            if self.state is not None and role in self.state.assignees:
                found.append(self.state.assignees[role])
            else:
                found += _names(self._holders(role))
        return list(dict.fromkeys(found))

    def _holders(self, role: str) -> Iterable[Person]:
        directory, at = self.desk.directory, self.at
        if found := directory.of_role(role, at=at) or directory.department(role, at=at):
            return found
        filling = [name for name, department in self.desk.departments.items() if role in department.roles]
        return [person for name in filling for person in directory.department(name, at=at)]

    def stands_for(self, role: str) -> str:
        """A role by its own name, where the procedure says owner, holder or receiver."""
        state = self.state
        if state is None:
            return role
        built_in = {"owner": state.decided.get("owner"), "holder": state.holder, "receiver": state.receiver}
        return str(built_in.get(role) or role)

    def minders(self) -> list[str]:
        """Who has the case in hand: those behind the role that holds it, else behind the one that received it."""
        if self.state is None:
            return []
        return self.behind([self.state.holder]) or self.behind([self.state.receiver])

    def watchers(self) -> list[str]:
        """Those whom the desk wants to be told whenever something needs a person."""
        alerts = self.desk.alerts
        held = [self.desk.directory.of_role(role, at=self.at) for role in alerts.roles]
        return [*alerts.people, *(name for people in held for name in _names(people))]

    def of_queue(self, queue: str) -> list[str]:
        """Who looks after the fallback queue."""
        fallback = self.desk.fallback
        if fallback is not None and fallback.person is not None:
            return [fallback.person]
        return self.behind((queue,))


def roles_of(by: str | list[str] | None) -> tuple[str, ...]:
    """The desk's own roles in a `by` or `to` as the pack writes it."""
    texts = [by] if isinstance(by, str) else by or []
    return tuple(role for text in texts for role in text.split(" | ") if role not in NOBODY_OF_THE_DESK)


def _names(people: Iterable[Person]) -> list[str]:
    return [person.person for person in people]
