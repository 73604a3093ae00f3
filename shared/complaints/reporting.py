"""The figures of a periodic report, over a window, from the cases as they stand when it is produced.

`where` and `by` are asked then. A case of an earlier period that could not be counted in its own report (its facts came
later, or it was typed in late) stands under ``late`` in the next one, so that none falls between two; ``Reported`` is
the memory that this needs. Personal facts that a list `shows` stay personal: they are sealed with the event.

Source: the pack language, section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from complaints.business_time import BusinessCalendar
from complaints.complaint import Complaint
from complaints.deciding.sight import Glance, Names
from complaints.events import BreachWithdrawn, CaseEvent, ClockBreached, ClockStopped
from complaints.procedure.limits import months_later
from complaints.procedure.model import UNSET, DutyRow, Measure, Procedure

Window = tuple[datetime, datetime]
"""Half-open, whole local days."""

MILESTONES: Final = ("acknowledged", "assigned", "resolved", "revisited", "escalated", "closed")
UNKNOWN: Final = "unknown"
"""The group of cases for which nobody has said what they are grouped by."""


class ClockEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a limit with a date ended, for figures of punctuality."""

    clock: str
    at: datetime
    outcome: str  # met, late, withdrawn


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case as a report reads it."""

    state: Complaint
    ends: tuple[ClockEnd, ...] = ()


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier reports of a duty have counted: cases by number of the measure; ``since`` the first window began."""

    since: datetime | None = None
    counted: Mapping[int, frozenset[str]] = {}


NOTHING_YET: Final = Reported()


def clock_ends(events: Iterable[CaseEvent]) -> tuple[ClockEnd, ...]:
    """The ends of dated limits in a case's history."""
    ends = []
    for event in events:
        match event:
            case ClockStopped(in_time=True):
                ends.append(ClockEnd(clock=event.clock, at=event.at, outcome="met"))
            case ClockBreached():
                ends.append(ClockEnd(clock=event.clock, at=event.at, outcome="late"))
            case BreachWithdrawn(clock=str(clock)):
                ends.append(ClockEnd(clock=clock, at=event.at, outcome="withdrawn"))
            case _:
                pass
    return tuple(ends)


def window_of(row: DutyRow, period: str, calendar: BusinessCalendar, opened_at: datetime) -> Window | None:
    """The window that a duty covers in a period; None where the text does not say and the desk has not answered.

    ``opened_at`` places a duty that has no interval, and so no period to be named by.
    """
    match row.every:
        case "month":
            day = date.fromisoformat(f"{period}-01")
        case "day" | "week":
            day = date.fromisoformat(period)
        case _:
            day = calendar.local_date(opened_at)
    monday, first = day - timedelta(days=day.weekday()), day.replace(day=1)
    spans = {
        "previous day": (day - timedelta(days=1), day),
        "same day": (day, day + timedelta(days=1)),
        "previous week": (monday - timedelta(days=7), monday),
        "previous month": (months_later(first, -1), first),
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
        count = _Measuring(measure, window, since, counted.get(number, frozenset()), names, calendar, at)
        mine = [(name, case) for name, case in cases.items() if count.considers(case)]
        found.append(count.figure(mine))
        counted[number] = counted.get(number, frozenset()) | count.shown(mine)
    return found, Reported(since=since, counted=counted)


Cases = Sequence[tuple[str, Case]]


@dataclass(frozen=True, slots=True)
class _Measuring:
    """One measure over one window."""

    measure: Measure
    window: Window
    since: datetime
    known: frozenset[str]
    names: Names
    calendar: BusinessCalendar
    at: datetime
    figures: dict[str, Callable[[Cases, bool], Any]] = field(init=False)

    def __post_init__(self) -> None:
        kinds = {"count": self._count, "rate": self._rate, "on-time": self._on_time, "list": self._list}
        object.__setattr__(self, "figures", kinds)

    @property
    def what(self) -> str:
        """What places a case in the window: received, resolved, open, late, …"""
        return self.measure.of or self.measure.what

    def considers(self, case: Case) -> bool:
        state, where = case.state, self.measure.where
        if state.case != "complaint" or state.received_at is None or state.received_at >= self.window[1]:
            return False
        return where is None or self.names.check(where).on(Glance(state, self.calendar)) is True

    def figure(self, cases: Cases) -> dict[str, Any]:
        row = dict(self.measure.row)
        measured = self.figures[self.measure.kind]
        extra = [pair for pair in cases if self._late(pair)]
        if self.measure.by is None:
            return {**row, "is": measured(cases, False)} | ({"late": measured(cases, True)} if extra else {})
        groups = self._groups(cases)
        row["is"] = {name: measured(group, False) for name, group in groups.items()}
        if extra:
            row["late"] = {
                name: measured(group, True) for name, group in groups.items() if any(self._late(pair) for pair in group)
            }
        return row

    def shown(self, cases: Cases) -> frozenset[str]:
        """The cases that this report has counted."""
        return frozenset(name for name, case in cases if self._inside(case) or self._late((name, case)))

    def _groups(self, cases: Cases) -> dict[str, Cases]:
        groups: dict[str, list[tuple[str, Case]]] = {}
        for pair in cases:
            value = self.names.of(str(self.measure.by)).read(Glance(pair[1].state, self.calendar))
            groups.setdefault(UNKNOWN if value is UNSET else str(value), []).append(pair)
        return dict(sorted(groups.items()))

    # --- when a case falls into the window ---
    def _instant(self, case: Case, what: str) -> datetime | None:
        return case.state.received_at if what == "received" else case.state.milestones.get(what)

    def _inside(self, case: Case) -> bool:
        begin, end = self.window
        match self.what:
            case "open":
                return case.state.closed_at is None or case.state.closed_at >= end
            case "late":
                return any(begin <= breach.due_at < end for breach in case.state.breaches)
            case what:
                at = self._instant(case, what)
                return at is not None and begin <= at < end

    def _late(self, pair: tuple[str, Case]) -> bool:
        """Of an earlier window, and countable only since its report."""
        name, case = pair
        if self.what != "received" and self.what not in MILESTONES:
            return False
        at = self._instant(case, self.what)
        return at is not None and self.since <= at < self.window[0] and name not in self.known

    def _chosen(self, cases: Cases, late: bool) -> Cases:
        return [pair for pair in cases if (self._late(pair) if late else self._inside(pair[1]))]

    # --- the four kinds ---
    def _count(self, cases: Cases, late: bool) -> int:
        return len(self._chosen(cases, late))

    def _rate(self, cases: Cases, late: bool) -> list[int]:
        """Of the cases of the window, how many have come that far by now."""
        base = self._chosen(cases, late)
        instants = (self._instant(case, self.measure.what) for _, case in base)
        return [sum(at is not None and at <= self.at for at in instants), len(base)]

    def _on_time(self, cases: Cases, _late: bool) -> list[int]:
        """Limits met, of those that ended in the window; limits without a date are neither met nor late."""
        begin, end = self.window
        ends = [
            (name, clock)
            for name, case in cases
            for clock in case.ends
            if begin <= clock.at < end and self.measure.what in ("all", clock.clock)
        ]
        of: dict[str, set[tuple[str, str]]] = {"met": set(), "late": set(), "withdrawn": set()}
        for name, clock in ends:
            of[clock.outcome].add((name, clock.clock))
        missed = of["late"] - of["withdrawn"]
        met = (of["met"] | of["withdrawn"]) - missed
        return [len(met), len(met) + len(missed)]

    def _list(self, cases: Cases, late: bool) -> list[dict[str, Any]]:
        rows = []
        for name, case in self._chosen(cases, late):
            glance = Glance(case.state, self.calendar)
            values = {fact: self.names.of(fact).read(glance) for fact in self.measure.shows}
            rows.append({"complaint": name, **{fact: _shown(v) for fact, v in values.items() if v is not UNSET}})
        return rows


def _shown(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
