"""The figures of a periodic report, over a window, from the cases as they stand when it is produced.

`where` and `by` are asked then. What belongs to an earlier period and could not be counted in its report (its facts
came later, or it was typed in late) stands under ``late`` in the next one, so that none falls between two; ``Reported``
is the memory that this needs. What counts is when something was done, not when it was recorded.

Personal facts that a list `shows` are in the figures as they are. Whoever sends figures on leaves them out, and fills
them in from the case for whoever may see them when the report is read; an event that holds them all the same seals
each under the data subject of its own complaint. A personal fact names no group.

Source: the pack language, section 7.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from complaints import cycles
from complaints.business_time import BusinessCalendar
from complaints.complaint import Complaint
from complaints.deciding.sight import Glance, Names
from complaints.events import (
    BreachWithdrawn,
    CaseEvent,
    ClockBreached,
    ClockExtended,
    ClockResumed,
    ClockStarted,
    ClockStopped,
)
from complaints.procedure.limits import months_later
from complaints.procedure.model import UNSET, DutyRow, Measure, Procedure

Window = tuple[datetime, datetime]
"""Half-open, whole local days."""

UNKNOWN: Final = "unknown"
"""The group of cases for which nobody has said what they are grouped by."""
PERSONAL: Final = "personal"
"""The one group of a report that groups by a personal fact: a figure names nobody."""


class ClockEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a limit with a date ended: when what it is for was done, or when it ran out.

    ``number``: of the clock's starts in this case; a loop, or a row that applies again, starts it anew.
    """

    clock: str
    number: int
    at: datetime
    met: bool


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case as a report reads it."""

    state: Complaint
    ends: tuple[ClockEnd, ...] = ()


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier reports of a duty have counted, by number of the measure: cases, or the ends of their limits.

    ``since``: when the first window began.
    """

    since: datetime | None = None
    counted: Mapping[int, frozenset[str]] = {}


NOTHING_YET: Final = Reported()


def clock_ends(events: Iterable[CaseEvent]) -> tuple[ClockEnd, ...]:
    """The ends of dated limits in a case's history; of each start of a clock the last word: breaches are withdrawn."""
    starts: dict[str, int] = {}
    ends: dict[tuple[str, int], ClockEnd] = {}
    for event in events:
        match event:
            case ClockStarted():
                starts[event.clock] = starts.get(event.clock, 0) + 1
            case ClockStopped(in_time=True):
                _end(ends, starts, event.clock, event.since or event.at, met=True)
            case ClockBreached():
                _end(ends, starts, event.clock, event.due_at, met=False)
            case BreachWithdrawn(clock=str(clock)):
                _end(ends, starts, clock, event.done_at, met=True)
            case ClockExtended() | ClockResumed():  # it runs on
                ends.pop((event.clock, starts.get(event.clock, 0)), None)
            case _:
                pass
    return tuple(ends.values())


def _end(
    ends: dict[tuple[str, int], ClockEnd], starts: Mapping[str, int], clock: str, at: datetime, *, met: bool
) -> None:
    number = starts.get(clock, 0)
    ends[clock, number] = ClockEnd(clock=clock, number=number, at=at, met=met)


def window_of(row: DutyRow, period: str, calendar: BusinessCalendar, opened_at: datetime) -> Window | None:
    """The window that a duty covers in a period; None where the text does not say and the desk has not answered.

    ``opened_at`` places a duty that has no interval, and so no period to be named by.
    """
    match row.every:
        case cycle if cycle in cycles.MONTHS:
            day = cycles.named(cycle, period)
        case "day" | "week":
            day = date.fromisoformat(period)
        case _:
            day = calendar.local_date(opened_at)
    monday = day - timedelta(days=day.weekday())
    begun = {cycle: cycles.first_day(cycle, day) for cycle in cycles.MONTHS}
    spans = {
        "previous day": (day - timedelta(days=1), day),
        "same day": (day, day + timedelta(days=1)),
        "previous week": (monday - timedelta(days=7), monday),
        **{f"previous {cycle}": (months_later(first, -cycles.MONTHS[cycle]), first) for cycle, first in begun.items()},
    }
    span = spans.get(row.covers)
    return None if span is None else (calendar.at(span[0]), calendar.at(span[1]))


def produced(
    row: DutyRow,
    period: str,
    cases: Mapping[str, Case],
    procedure: Procedure,
    calendar: BusinessCalendar,
    *,
    at: datetime,
    opened_at: datetime | None = None,
    before: Reported = NOTHING_YET,
) -> tuple[list[str] | None, Any, Reported]:
    """What a report covers, its figures, and what has been counted now.

    ``at``: when it is produced; ``opened_at``: when its period began, if that is not the same. Where the window is not
    stated there are no figures, and the text says what the desk has to answer.
    """
    window = window_of(row, period, calendar, at if opened_at is None else opened_at)
    if window is None:
        return None, f"not-stated: the desk must set {row.owe}.covers", before
    covers = [calendar.local_date(instant).isoformat() for instant in window]
    figures, after = figures_of(row, window, cases, procedure, calendar, at=at, before=before)
    return covers, figures, after


def figures_of(
    row: DutyRow,
    window: Window,
    cases: Mapping[str, Case],
    procedure: Procedure,
    calendar: BusinessCalendar,
    *,
    at: datetime,
    before: Reported = NOTHING_YET,
) -> tuple[list[dict[str, Any]], Reported]:
    """The measures of a report, each as the pack writes it with ``is``, and ``late`` where something is to be added."""
    since = window[0] if before.since is None else before.since
    counted, found = dict(before.counted), []
    names = Names(procedure)
    for number, measure in enumerate(row.report):
        known = counted.get(number, frozenset())
        scope = _Scope(window, since, known, names, calendar, at)
        measuring = _KINDS[measure.kind](measure, scope)
        mine = [(name, case) for name, case in cases.items() if measuring.considers(case)]
        found.append(measuring.figure(mine))
        counted[number] = known | measuring.shown(mine)
    return found, Reported(since=since, counted=counted)


Cases = Sequence[tuple[str, Case]]


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a figure is about: its window, what earlier reports have counted, and how cases are looked at."""

    window: Window
    since: datetime
    known: frozenset[str]
    names: Names
    calendar: BusinessCalendar
    at: datetime

    def inside(self, instant: datetime) -> bool:
        return self.window[0] <= instant < self.window[1]

    def missed(self, key: str, instants: Iterable[datetime]) -> bool:
        """Of an earlier window, and countable only since its report."""
        return key not in self.known and any(self.since <= instant < self.window[0] for instant in instants)

    def value(self, name: str, case: Case) -> Any:
        return self.names.of(name).read(Glance(case.state, self.calendar))


class _Measuring(ABC):
    """One measure. What is counted stands under a key, by which a later report knows that it was."""

    def __init__(self, measure: Measure, scope: _Scope) -> None:
        self.measure, self.scope = measure, scope

    def considers(self, case: Case) -> bool:
        """Whether the case is of its kind, received by the end of the window, and one that the measure is about."""
        state, where, scope = case.state, self.measure.where, self.scope
        if state.case != self.measure.case or state.received_at is None or state.received_at >= scope.window[1]:
            return False
        return where is None or scope.names.check(where).on(Glance(state, scope.calendar)) is True

    def figure(self, cases: Cases) -> dict[str, Any]:
        """The measure as the pack writes it, with what came out."""
        row = dict(self.measure.row)
        if self.measure.by is None:
            row["is"] = self.measured(cases, late=False)
            return row | ({"late": self.measured(cases, late=True)} if self.keys(cases, late=True) else {})
        groups = self._groups(self.measure.by, cases)
        row["is"] = {name: self.measured(group, late=False) for name, group in groups.items()}
        late = {name: self.measured(group, late=True) for name, group in groups.items() if self.keys(group, late=True)}
        return row | ({"late": late} if late else {})

    def shown(self, cases: Cases) -> frozenset[str]:
        """The keys of what this report has counted."""
        return self.keys(cases, late=False) | self.keys(cases, late=True)

    @abstractmethod
    def measured(self, cases: Cases, *, late: bool) -> Any:
        """The figure over these cases: of the window, or (``late``) of what earlier reports could not count."""

    def keys(self, cases: Cases, *, late: bool) -> frozenset[str]:
        """The keys of what is counted."""
        return frozenset(name for name, _ in self.chosen(cases, late=late))

    def chosen(self, cases: Cases, *, late: bool) -> Cases:
        """The cases that are counted."""
        if late:
            return [(name, case) for name, case in cases if self.scope.missed(name, self._instants(case))]
        if self._what == "open":
            return [(name, case) for name, case in cases if _open_at(case.state, self.scope.window[1])]
        return [(name, case) for name, case in cases if any(map(self.scope.inside, self._instants(case)))]

    @property
    def _what(self) -> str:
        """What places a case in the window: received, resolved, open, late, …"""
        return self.measure.of or self.measure.what

    def _instants(self, case: Case) -> list[datetime]:
        return _instants(case.state, self._what)

    def _groups(self, by: str, cases: Cases) -> dict[str, Cases]:
        groups: dict[str, list[tuple[str, Case]]] = {}
        personal = self.scope.names.of(by).personal
        for name, case in cases:
            value = self.scope.value(by, case)
            group = UNKNOWN if value is UNSET else PERSONAL if personal else _as_name(value)
            groups.setdefault(group, []).append((name, case))
        return dict(sorted(groups.items()))


class _Count(_Measuring):
    def measured(self, cases: Cases, *, late: bool) -> int:
        return len(self.chosen(cases, late=late))


class _Rate(_Measuring):
    """Of the cases of the window, how many have come that far by now."""

    def measured(self, cases: Cases, *, late: bool) -> list[int]:
        base = self.chosen(cases, late=late)
        return [sum(self._reached(case) for _, case in base), len(base)]

    def _reached(self, case: Case) -> bool:
        if self.measure.what == "open":
            return _open_at(case.state, self.scope.at)
        return any(instant <= self.scope.at for instant in _instants(case.state, self.measure.what))


class _List(_Measuring):
    """The cases themselves."""

    def measured(self, cases: Cases, *, late: bool) -> list[dict[str, Any]]:
        return [{"complaint": name, **self._shows(case)} for name, case in self.chosen(cases, late=late)]

    def _shows(self, case: Case) -> dict[str, Any]:
        values = {fact: self.scope.value(fact, case) for fact in self.measure.shows}
        return {
            fact: value.isoformat() if isinstance(value, datetime) else value
            for fact, value in values.items()
            if value is not UNSET
        }


class _OnTime(_Measuring):
    """Limits met, of those that ended; limits without a date are neither met nor late."""

    def measured(self, cases: Cases, *, late: bool) -> list[int]:
        ends = [end for _, end in self._ends(cases, late=late)]
        return [sum(end.met for end in ends), len(ends)]

    def keys(self, cases: Cases, *, late: bool) -> frozenset[str]:
        return frozenset(key for key, _ in self._ends(cases, late=late))

    def _ends(self, cases: Cases, *, late: bool) -> list[tuple[str, ClockEnd]]:
        wanted = self.measure.what
        ends = (
            (f"{name}/{end.clock}/{end.number}", end)
            for name, case in cases
            for end in case.ends
            if wanted in ("all", end.clock.partition("#")[0])
        )
        scope = self.scope
        return [(key, end) for key, end in ends if (scope.missed(key, [end.at]) if late else scope.inside(end.at))]


_KINDS: Final[Mapping[str, type[_Measuring]]] = {"count": _Count, "rate": _Rate, "on-time": _OnTime, "list": _List}


def _instants(state: Complaint, what: str) -> list[datetime]:
    """When a case was received, came to a milestone, or was late."""
    if what == "late":
        return [breach.due_at for breach in state.breaches]
    at = state.received_at if what == "received" else state.milestones.get(what)
    return [] if at is None else [at]


def _open_at(state: Complaint, at: datetime) -> bool:
    """Whether the case had not ended before an instant; one that was reopened since had."""
    said = [ended for since, ended in state.history.get("closed", ()) if since < at]
    return not said or said[-1] is None


def _as_name(value: Any) -> str:
    """A value as the name of a group."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat() if isinstance(value, datetime) else str(value)
