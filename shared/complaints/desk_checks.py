"""The ground that a change of a desk stands on: the desk as it is, the instant, and checks that changes share."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from complaints.desk_requests import AdoptPack
from complaints.desk_view import DATA_PROTECTION, SYSTEM, AdoptedPack, DeskView
from complaints.errors import Malformed, Rejected
from complaints.personal import CUSTOMER

NAME: Final = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?")
LANGUAGES: Final = ("zh", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new key: its public part, and the key itself."""

    id: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a change needs from outside. ``pack`` finds what a request names, to be adopted with these answers."""

    pack: Callable[[AdoptPack, Mapping[str, Any]], AdoptedPack]
    key: Issued


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The desk before the change; ``place``: where the change's data stand in the body."""

    view: DeskView
    at: datetime
    world: World
    place: str

    def malformed(self, field: str, rule: str, code: str = "malformed") -> Malformed:
        """The error for a field of the data."""
        return Malformed(".".join(part for part in (self.place, field) if part), rule, code=code)

    def named(self, field: str, value: str) -> None:
        """Checks a name or a title: 1 to 100 characters on one line."""
        if NAME.fullmatch(value) is None:
            raise self.malformed(field, "must be 1 to 100 characters on one line, without space at either end")

    def one_of(self, field: str, value: str, choices: Collection[str]) -> None:
        """Checks a value against its choices."""
        if value not in choices:
            raise self.malformed(field, f"must be one of {', '.join(sorted(choices))}", "not-a-choice")

    def zone(self, field: str, value: str) -> None:
        """Checks the name of a time zone."""
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise self.malformed(field, f"must be an IANA time zone, not {value!r}") from None

    def roles(self, field: str, roles: Iterable[str], *also: str) -> None:
        """Checks that the procedure or the desk knows the roles.

        A procedure may hand a case to a department that only the desk can name (a fact says which), or let anyone
        receive: so a department of the desk is a role as well.
        """
        known = {*self.view.procedure.roles, DATA_PROTECTION, *self.view.departments, *also}
        for place, role in enumerate(roles):
            if role not in known:
                rule = f"must be a role of the procedure or a department of the desk: {', '.join(sorted(known))}"
                raise self.malformed(f"{field}[{place}]", rule, "no-such-role")

    def colleague(self, field: str, person: str) -> None:
        """Checks that a person works here."""
        if self.view.directory.get(person) is None:
            raise Rejected(
                "no-such-person",
                None,
                f"{person} does not work at desk {self.view.desk}",
                person=person,
                field=self.malformed(field, "").field,
            )

    def department(self, field: str, department: str) -> None:
        """Checks that the desk has a department."""
        if department not in self.view.departments:
            raise Rejected(
                "no-such-department",
                None,
                f"desk {self.view.desk} has no department {department}",
                department=department,
                field=self.malformed(field, "").field,
            )


NOT_STAFF: Final = frozenset({CUSTOMER, SYSTEM})
"""Ids that mean something else than a member of staff."""
