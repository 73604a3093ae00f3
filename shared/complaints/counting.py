"""Counts over other cases: how many share a matter. Evidence that routing sends; the decider regrades."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from complaints.business_time import BusinessCalendar
from complaints.events import FactValue
from complaints.procedure.limits import before
from complaints.procedure.model import Count, Procedure


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What counting knows of a case: its facts that counts read, who complains, when it came and when it was closed."""

    complaint: str
    received_at: datetime
    complainant: str | None = None  # the pseudonym; people are told apart by it
    closed_at: datetime | None = None  # of its present closing
    first_closed_at: datetime | None = None  # a case that was reopened has been handled once all the same
    shared: Mapping[str, FactValue] = {}  # the facts named by `same`


def shared_facts(procedure: Procedure) -> frozenset[str]:
    """The facts by which the procedure says that two cases are of the same matter."""
    return frozenset(count.same for count in procedure.counts.values())


def counts_of(cases: Sequence[Counted], procedure: Procedure, calendar: BusinessCalendar) -> dict[tuple[str, str], int]:
    """The value of every count for every open case among these, by (complaint, count).

    ``cases`` are all cases of one desk that may share a matter, closed ones too. A case without the shared fact has no
    count: nobody has said what its matter is.
    """
    found: dict[tuple[str, str], int] = {}
    for name, count in procedure.counts.items():
        for same in _by_matter(cases, count.same):
            for complaint, value in _values(same, count, procedure, calendar):
                found[complaint, name] = value
    return found


def _by_matter(cases: Iterable[Counted], fact: str) -> Iterable[list[Counted]]:
    groups: dict[FactValue, list[Counted]] = {}
    for case in cases:
        if (value := case.shared.get(fact)) is not None:
            groups.setdefault(value, []).append(case)
    return groups.values()


def _values(
    same: list[Counted], count: Count, procedure: Procedure, calendar: BusinessCalendar
) -> Iterable[tuple[str, int]]:
    """The count of each open case of one matter."""
    if count.of == "complaints-after-closing":
        closings = [case.first_closed_at for case in same if case.first_closed_at is not None]
        after = 0 if not closings else sum(case.received_at > min(closings) for case in same)
        yield from ((case.complaint, after) for case in same if case.closed_at is None)
        return
    windows = _windows(same, count, procedure, calendar)
    sizes = [_size(window, count) for window in windows]
    for case in same:
        if case.closed_at is None:
            mine = (size for window, size in zip(windows, sizes, strict=True) if case in window)
            yield case.complaint, max(mine, default=1)


def _windows(
    same: list[Counted], count: Count, procedure: Procedure, calendar: BusinessCalendar
) -> list[list[Counted]]:
    """Every window that ends with a receipt, by the instants of receipt.

    The fullest one that holds a case counts for it: so what is recognised later still counts, and a case older than the
    window is not raised by younger ones.
    """
    if count.within is None:
        return [same]
    found = []
    for end in sorted({case.received_at for case in same}):
        start = before(count.within, end, procedure.questions, calendar)
        found.append([case for case in same if start < case.received_at <= end])
    return found


def _size(window: list[Counted], count: Count) -> int:
    """Complaints, or the people behind them; a complaint by nobody known is by somebody of its own."""
    if count.of == "complaints":
        return len(window)
    return len({case.complainant or case.complaint for case in window})
