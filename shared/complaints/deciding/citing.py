"""Which of the desk's answers decided: every event that follows from one cites it beside the clause."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from complaints.deciding.sight import Check, Names, Sight
from complaints.events import Clause
from complaints.procedure.limits import Limit
from complaints.procedure.model import LimitCase, Procedure

DESK: Final = "desk:"


class Citations:
    """The places that the desk answered, by the fields in which they lie."""

    def __init__(self, procedure: Procedure) -> None:
        self._by_field: dict[str, list[str]] = {}
        for place in sorted(procedure.answered):
            parts = place.split(".")
            for length in range(2, len(parts) + 1):
                self._by_field.setdefault(".".join(parts[:length]), []).append(place)

    def cite(self, clause: Clause, fields: Iterable[str]) -> Clause:
        """The clause, and the desk for every answer that lies in one of the fields."""
        if not self._by_field:
            return clause
        desk = [f"{DESK}{place}" for field in dict.fromkeys(fields) for place in self._by_field.get(field, ())]
        if not desk:
            return clause
        return [*([clause] if isinstance(clause, str) else clause or []), *dict.fromkeys(desk)]

    def leaning(self, sight: Sight, checks: Iterable[Check | None]) -> list[str]:
        """The fields of the questions that conditions read, and of the starts, meanings and spans that decided them.

        One of these decided if the condition would have come out otherwise without it.
        """
        if not self._by_field:
            return []
        fields: list[str] = []
        for check in checks:
            if check is None:
                continue
            fields += [f"{question}.answer" for question in sorted(check.leans)]
            fields += [
                field for field in self._answered(check.rests) if check.without(field).on(sight) is not check.on(sight)
            ]
        return fields

    def taken(self, sight: Sight, names: Names, fact: str) -> list[str]:
        """The fields without which a fact would have another value: a table took it."""
        known = names.of(fact)
        return [
            field
            for field in self._answered(known.rests)
            if names.without(field).of(fact).read(sight) != known.read(sight)
        ]

    def _answered(self, fields: Iterable[str]) -> list[str]:
        return sorted(field for field in fields if field in self._by_field)


def counted(limit: Limit | None) -> list[str]:
    """The question by which a limit is counted."""
    return [f"{limit.question}.answer"] if limit is not None and limit.question else []


def within(case: LimitCase | None) -> list[str]:
    """The fields of one value of a limit, and of how it is counted."""
    return [] if case is None else [case.place.removesuffix(".is"), *counted(case.limit)]
