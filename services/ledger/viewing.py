"""Who looks, and what of a case is not for them.

Three things are kept back. What a clause hides from a role (`hide`) is left out for who looks in that role, or, where
no role is named, if it is hidden from every role that the key speaks for. Personal values stay sealed for keys that
speak for nobody. Another desk's cases are not there at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from complaints.adapters.problems import Refused
from complaints.business_time import BusinessCalendar
from complaints.complaint import Complaint
from complaints.desk_keys import ANY, Principal
from complaints.errors import Unknown
from complaints.procedure.model import Procedure
from complaints.verdicts import hidden_from

COMPLAINANT: Final = "complainant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """In which role somebody looks; without one, in all roles that the key speaks for."""

    who: Principal
    role: str | None = None
    person: str = ""

    @property
    def sees_names(self) -> bool:
        """Whether personal values are opened: only for keys that speak for somebody at the desk."""
        return bool(self.who.roles)

    def hidden(self, procedure: Procedure, calendar: BusinessCalendar, state: Complaint) -> frozenset[str]:
        """The facts (or ``complainant``) that are kept from this viewer."""
        each = [hidden_from(procedure, calendar, state, role, self.person) for role in self._roles]
        return frozenset[str].intersection(*each) if each else frozenset()

    def hidden_in_lists(self, procedure: Procedure) -> frozenset[str]:
        """What a list leaves out: every fact that may be hidden from this viewer in some case."""
        each = [
            frozenset(fact for bar in procedure.access if role in bar.from_ for fact in bar.hide)
            for role in self._roles
        ]
        return frozenset[str].intersection(*each) if each else frozenset()

    @property
    def _roles(self) -> Collection[str]:
        """The roles, none where nothing is to be hidden."""
        if self.role is not None:
            return (self.role,)
        return () if ANY in self.who.roles else self.who.roles


def viewer(who: Principal, role: str | None = None, person: str = "") -> Viewer:
    """Somebody who looks. Raises Refused: 403."""
    if not (who.may("read") or who.may("operate")):
        raise Refused(403, "scope-missing", "this key has not the scope read", scope="read")
    if role is not None and not who.may_name(role):
        why = f"this key does not speak for {role}"
        raise Refused(403, "role-not-of-key", why, field="role", roles=sorted(who.roles))
    return Viewer(who=who, role=role, person=person)


def need_desk(who: Principal, desk: str) -> None:
    """Raises Unknown: the desk is not this key's, so for it there is none."""
    if not who.sees(desk):
        raise Unknown("no-such-desk", f"no desk is called {desk}", desk=desk)


def cut(values: Mapping[str, Any], hidden: Iterable[str]) -> dict[str, Any]:
    """Values by name without what is hidden; ``item#1.fact`` is hidden with ``fact``."""
    names = frozenset(hidden)
    return {
        name: value
        for name, value in values.items()
        if not names & {name, *name.replace("#", ".").replace("@", ".").split(".")}
    }
