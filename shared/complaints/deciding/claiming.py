"""Values that may belong to one case of the desk only: numbers of forms, and one call, one complaint.

The store keeps them as claims in the transaction that appends the events, so that two cases cannot both have one.

Source: the pack language, section 6 (`unique`, `number`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, get_args

from complaints.complaint import Complaint
from complaints.errors import Rejected
from complaints.events import CaseEvent, ComplaintReceived, Facts, FactsRecorded, Record, RecordEvent
from complaints.personal import is_closed
from complaints.ports import Claim
from complaints.procedure.model import Procedure

NUMBER: Final = "number:"
UNIQUE: Final = "unique:"
_TELLING: Final = frozenset((ComplaintReceived, FactsRecorded, *get_args(RecordEvent)))
"""The types of events that say facts of the case."""


def claims(
    events: Iterable[CaseEvent], state: Complaint, procedure: Procedure
) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """What these events claim and release, ``state`` being the case before them.

    ``Claim.key`` is the value itself in UTF-8; whoever stores it digests it. A corrected value releases the old one.
    """
    scopes = _scopes(procedure)
    told = [_facts(event) for event in events if type(event) in _TELLING]
    if all(scopes.keys().isdisjoint(facts) for facts in told):
        return (), ()
    claimed: dict[tuple[str, str], None] = {}
    released: dict[tuple[str, str], None] = {}
    known = {fact: state.facts.get(fact) for fact in scopes}
    for facts in told:
        for fact, value in facts.items():
            if fact not in scopes:
                continue
            before, known[fact] = known[fact], value
            if value == before:
                continue
            for scope in scopes[fact]:
                if before is not None and not is_closed(before):
                    old = (scope, str(before))
                    claimed.pop(old, None)
                    released[old] = None
                released.pop((scope, str(value)), None)
                claimed[scope, str(value)] = None
    held = {(scope, str(state.facts[fact])) for fact in scopes if fact in state.facts for scope in scopes[fact]}
    return _as_claims(one for one in claimed if one not in held), _as_claims(one for one in released if one in held)


def taken(scope: str, holder: str, procedure: Procedure) -> Rejected:
    """The rejection of a command whose claim another case holds."""
    if scope.startswith(NUMBER):
        fact = scope.removeprefix(NUMBER)
        form = next((form for form in procedure.forms.values() if form.number == fact), None)
        clause = form.clause if form is not None else None
        return Rejected("number-taken", clause, f"{fact} belongs to another case", fact=fact, of=holder)
    unique = procedure.uniques.get(scope.removeprefix(UNIQUE))
    same = unique.same if unique is not None else scope
    clause = unique.clause if unique is not None else None
    return Rejected("already-received", clause, f"{same} is complaint {holder}", fact=same, of=holder)


def _scopes(procedure: Procedure) -> dict[str, list[str]]:
    """Fact to the scopes in which it is unique; found once."""
    known: dict[str, list[str]] | None = procedure.cache.get("scopes")
    if known is not None:
        return known
    scopes: dict[str, list[str]] = {}
    for fact in dict.fromkeys(form.number for form in procedure.forms.values() if form.number is not None):
        scopes.setdefault(fact, []).append(f"{NUMBER}{fact}")
    for unique in procedure.uniques.values():
        scopes.setdefault(unique.same, []).append(f"{UNIQUE}{unique.name}")
    procedure.cache["scopes"] = scopes
    return scopes


def _facts(event: CaseEvent) -> Facts:
    if isinstance(event, FactsRecorded):
        return event.facts if event.item is None else {}
    return event.facts if isinstance(event, ComplaintReceived | Record) else {}


def _as_claims(some: Iterator[tuple[str, str]]) -> tuple[Claim, ...]:
    return tuple(Claim(scope=scope, key=value.encode()) for scope, value in some)
