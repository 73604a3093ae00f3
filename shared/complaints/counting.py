"""Counts over other cases: how many share a matter. Evidence that routing sends; the decider regrades.

Windows move with receipts only: nothing here asks what time it is, so a count changes when a case comes, is recognised
as one of a matter, or is closed, and at no other time.

Source: the pack language, section 6 (`other-cases`).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from operator import attrgetter

import msgspec

from complaints.business_time import BusinessCalendar
from complaints.complaint import Complaint
from complaints.events import FactValue
from complaints.personal import is_closed
from complaints.procedure.limits import before
from complaints.procedure.model import Count, Procedure


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What counting knows of a complaint: who complains, when it came, when it was closed, and what its matter is."""

    complaint: str
    received_at: datetime
    complainant: str | None = None  # the pseudonym; people are told apart by it
    closed_at: datetime | None = None  # of its present closing
    first_closed_at: datetime | None = None  # a case that was reopened has been handled once all the same
    shared: Mapping[str, FactValue] = {}  # the facts named by `same`


Counts = dict[tuple[str, str], int]
"""(complaint, count) to its value."""


def shared_facts(procedure: Procedure) -> frozenset[str]:
    """The facts by which the procedure says that two cases are of the same matter."""
    return frozenset(count.same for count in procedure.counts.values())


def counted(complaint: str, state: Complaint, procedure: Procedure) -> Counted | None:
    """What counting knows of a case as it stands; None for a case that is no complaint, which is never counted.

    A shared fact that is sealed or erased is not known.
    """
    if state.case != "complaint" or state.received_at is None:
        return None
    known = {fact: state.facts.get(fact) for fact in sorted(shared_facts(procedure))}
    return Counted(
        complaint=complaint,
        received_at=state.received_at,
        complainant=state.subject or state.complainant,
        closed_at=state.closed_at,
        first_closed_at=next((ended for _, ended in state.history.get("closed", ()) if ended is not None), None),
        shared={fact: value for fact, value in known.items() if value is not None and not is_closed(value)},
    )


def counts_of(
    cases: Collection[Counted], procedure: Procedure, calendar: BusinessCalendar, *, fact: str | None = None
) -> Counts:
    """The value of every count for every open case among these; with ``fact`` only of the counts by that fact.

    ``cases``: all complaints of one desk, closed ones too; with ``fact`` it is enough to give those that share a value
    of it. A case without the shared fact has no count: nobody has said what its matter is.
    """
    found: Counts = {}
    for count in procedure.counts.values():
        if fact in (None, count.same):
            for same in _by_matter(cases, count.same):
                found |= _values(same, count, procedure, calendar)
    return found


class Matters:
    """The complaints of one desk by their matters, in memory: a change of one looks at those of its matter alone."""

    def __init__(self, procedure: Procedure, calendar: BusinessCalendar) -> None:
        self._procedure, self._calendar = procedure, calendar
        self._cases: dict[str, Counted] = {}
        self._matters: dict[tuple[str, FactValue], dict[str, Counted]] = {}

    def note(self, case: Counted) -> Counts:
        """Remembers how a case stands; the counts of all open cases with which it shares a matter, or did until now.

        Nothing where nothing has changed that counting knows of.
        """
        old = self._cases.get(case.complaint)
        if old == case:
            return {}
        self._cases[case.complaint] = case
        was, now = set(old.shared.items()) if old is not None else set(), set(case.shared.items())
        for matter in was - now:
            del self._matters[matter][case.complaint]
        for matter in now:
            self._matters.setdefault(matter, {})[case.complaint] = case
        found: Counts = {}
        for fact, value in sorted(was | now, key=str):
            same = self._matters[fact, value].values()
            found |= counts_of(same, self._procedure, self._calendar, fact=fact)
        return found


def _by_matter(cases: Iterable[Counted], fact: str) -> Iterable[list[Counted]]:
    groups: dict[FactValue, list[Counted]] = {}
    for case in cases:
        if (value := case.shared.get(fact)) is not None:
            groups.setdefault(value, []).append(case)
    return groups.values()


def _values(same: list[Counted], count: Count, procedure: Procedure, calendar: BusinessCalendar) -> Counts:
    """The count of each open case of one matter."""
    if count.of == "complaints-after-closing":
        closings = [case.first_closed_at for case in same if case.first_closed_at is not None]
        after = sum(case.received_at > min(closings) for case in same) if closings else 0
        return {(case.complaint, count.name): after for case in same if case.closed_at is None}
    if count.within is None:
        size = _Window(count, same).size
        return {(case.complaint, count.name): size for case in same if case.closed_at is None}
    ordered = sorted(same, key=attrgetter("received_at"))
    starts = [before(count.within, case.received_at, procedure.questions, calendar) for case in ordered]
    fullest = _fullest(ordered, starts, count)
    return {
        (case.complaint, count.name): size
        for case, size in zip(ordered, fullest, strict=True)
        if case.closed_at is None
    }


def _fullest(ordered: list[Counted], starts: list[datetime], count: Count) -> Iterator[int]:
    """For each case in the order of receipt the size of the fullest window that holds it.

    A window ends with a receipt and begins after ``starts``. So what is recognised later still counts, and a case older
    than a window is not raised by younger ones.
    """
    window, first = _Window(count), 0
    spans: list[tuple[int, int, int]] = []  # first and last case, size: one for each receipt, both rising
    for last, (case, start) in enumerate(zip(ordered, starts, strict=True)):
        window.add(case)
        while ordered[first].received_at <= start:
            window.remove(ordered[first])
            first += 1
        spans.append((first, last, window.size))
    best: deque[tuple[int, int, int]] = deque()  # the windows that hold the case and may yet be the fullest
    coming = 0
    for place in range(len(ordered)):
        while coming < len(spans) and spans[coming][0] <= place:
            while best and best[-1][2] <= spans[coming][2]:
                best.pop()
            best.append(spans[coming])
            coming += 1
        while best[0][1] < place:
            best.popleft()
        yield best[0][2]


class _Window:
    """How many complaints lie in a window, or how many people are behind them."""

    def __init__(self, count: Count, cases: Iterable[Counted] = ()) -> None:
        self._by_people = count.of == "complainants"
        self._held: Counter[str] = Counter()
        for case in cases:
            self.add(case)

    @property
    def size(self) -> int:
        return len(self._held)

    def add(self, case: Counted) -> None:
        self._held[self._name(case)] += 1

    def remove(self, case: Counted) -> None:
        name = self._name(case)
        self._held[name] -= 1
        if not self._held[name]:
            del self._held[name]

    def _name(self, case: Counted) -> str:
        """A complaint by nobody known is by somebody of its own."""
        return case.complainant or case.complaint if self._by_people else case.complaint
