"""The figures of a report: what falls into its window, what is added later, and what they are grouped by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest

from complaints.complaint import Breach, Complaint
from complaints.events import (
    BreachWithdrawn,
    ClockBreached,
    ClockExtended,
    ClockResumed,
    ClockStarted,
    ClockStopped,
    ReportProduced,
)
from complaints.personal import personal_values
from complaints.procedure.model import DutyRow, Procedure
from complaints.reporting import NOTHING_YET, Case, ClockEnd, Reported, clock_ends, produced, window_of
from tests.spec import CALENDAR, SHANGHAI, pack

APRIL = datetime(2026, 4, 1, tzinfo=SHANGHAI)
MAY = datetime(2026, 5, 1, tzinfo=SHANGHAI)

FACTS = """\
facts:
- {fact: valid, type: yes-no, clause: f}
- {fact: project, type: text, clause: f}
- {fact: seen_at, type: time, clause: f}
- {fact: name, type: text, personal: true, clause: f}
"""
STEPS = """\
steps:
- part: p
  rows:
  - {do: answer, clause: s, by: cm, within: 2 days}
  - {do: resolved, clause: s, by: cm}
"""


def reporting(measures: str, *, every: str = "month", covers: str = "previous month") -> Procedure:
    row = f"{{owe: report, every: {every}, covers: {covers}, by: md, clause: d, report: [{measures}]}}"
    return pack(f"{FACTS}{STEPS}desk:\n- {row}\n")


def march(day: float, hour: int = 9) -> datetime:
    return datetime(2026, 3, 1, hour, tzinfo=SHANGHAI) + timedelta(days=day - 1)


def case(received: datetime, *, ends: tuple[ClockEnd, ...] = (), **more: Any) -> Case:
    return Case(state=Complaint(received_at=received, **more), ends=ends)


def report(
    procedure: Procedure,
    cases: Mapping[str, Case],
    *,
    period: str = "2026-04",
    at: datetime = APRIL,
    before: Reported = NOTHING_YET,
) -> tuple[Any, Reported]:
    """The figures, without what the pack writes; and what has been counted."""
    row = procedure.desk["report"]
    _, figures, after = produced(row, period, cases, procedure, CALENDAR, at=at, before=before)
    return [{key: figure[key] for key in ("is", "late") if key in figure} for figure in figures], after


def counted(measures: str, cases: Mapping[str, Case]) -> Any:
    (figure,), _ = report(reporting(measures), cases)
    return figure


# --- windows ---
@pytest.mark.parametrize(
    ("every", "period", "covers", "window"),
    [
        ("month", "2026-04", "previous month", (march(1, 0), APRIL)),
        ("month", "2026-04", "previous week", (march(23, 0), march(30, 0))),
        ("quarter", "2026-Q2", "previous quarter", (datetime(2026, 1, 1, tzinfo=SHANGHAI), APRIL)),
        ("half-year", "2026-H2", "previous quarter", (APRIL, datetime(2026, 7, 1, tzinfo=SHANGHAI))),
        (
            "half-year",
            "2027-H1",
            "previous half-year",
            (datetime(2026, 7, 1, tzinfo=SHANGHAI), datetime(2027, 1, 1, tzinfo=SHANGHAI)),
        ),
        (
            "year",
            "2027",
            "previous year",
            (datetime(2026, 1, 1, tzinfo=SHANGHAI), datetime(2027, 1, 1, tzinfo=SHANGHAI)),
        ),
        ("week", "2026-03-10", "previous week", (march(2, 0), march(9, 0))),
        ("week", "2026-03-10", "previous day", (march(9, 0), march(10, 0))),
        ("day", "2026-03-10", "previous day", (march(9, 0), march(10, 0))),
        ("day", "2026-03-10", "same day", (march(10, 0), march(11, 0))),
    ],
)
def test_a_window_is_of_whole_local_days_before_its_period(
    every: str, period: str, covers: str, window: tuple[datetime, datetime]
) -> None:
    row = reporting("{count: received}", every=every, covers=covers).desk["report"]
    assert window_of(row, period, CALENDAR, opened_at=APRIL) == window


def test_a_duty_without_an_interval_looks_back_from_the_day_on_which_it_is_owed() -> None:
    row = reporting("{count: received}", every="not-stated").desk["report"]
    assert window_of(row, "not-stated", CALENDAR, opened_at=march(20)) == (march(-27, 0), march(1, 0))


def test_where_the_window_is_not_stated_there_are_no_figures_and_the_desk_is_told_what_to_answer() -> None:
    procedure = reporting("{count: received}", covers="not-stated")
    row: DutyRow = procedure.desk["report"]
    covers, figures, after = produced(row, "2026-04", {"A": case(march(2))}, procedure, CALENDAR, at=APRIL)
    assert (covers, figures) == (None, "not-stated: the desk must set report.covers")
    assert after == NOTHING_YET


def test_a_report_says_what_it_covers_and_repeats_its_measures_as_the_pack_writes_them() -> None:
    procedure = reporting("{count: received, where: valid, by: project}")
    covers, figures, _ = produced(procedure.desk["report"], "2026-04", {}, procedure, CALENDAR, at=APRIL)
    assert covers == ["2026-03-01", "2026-04-01"]
    assert figures == [{"count": "received", "where": "valid", "by": "project", "is": {}}]


# --- counts ---
def test_a_window_holds_its_first_instant_and_not_its_last() -> None:
    cases = {
        "before": case(march(1, 0) - timedelta(seconds=1)),
        "first": case(march(1, 0)),
        "last": case(APRIL - timedelta(seconds=1)),
        "after": case(APRIL),
    }
    assert counted("{count: received}", cases) == {"is": 2}


def test_cases_that_are_no_complaints_never_enter_the_figures() -> None:
    assert counted("{count: received}", {"A": case(march(2)), "B": case(march(2), case="shipment")}) == {"is": 1}


@pytest.mark.parametrize("what", ["acknowledged", "assigned", "resolved", "revisited", "escalated", "closed"])
def test_a_milestone_counts_in_the_window_in_which_it_was_reached(what: str) -> None:
    cases = {
        "in": case(march(2), milestones={what: march(20)}),
        "of an older case": case(march(-20), milestones={what: march(20)}),
        "too late": case(march(2), milestones={what: APRIL}),
        "never": case(march(2)),
    }
    assert counted(f"{{count: {what}}}", cases) == {"is": 2}


def test_a_measure_is_about_the_kind_of_case_that_it_names() -> None:
    shipments = {"A": case(march(2)), "S": case(march(3), case="shipment"), "T": case(march(4), case="shipment")}
    text = "cases: [{case: shipment, clause: k, title: shipment, opened-by: anyone}]\n"
    of = "received, case: shipment"
    measures = f"{{count: received}}, {{count: {of}}}, {{list: {of}, shows: [project]}}"
    row = f"{{owe: report, every: month, covers: previous month, by: md, clause: d, report: [{measures}]}}"
    figures, _ = report(pack(f"{text}{FACTS}{STEPS}desk:\n- {row}\n"), shipments)
    assert [figure["is"] for figure in figures] == [1, 2, [{"complaint": "S"}, {"complaint": "T"}]]


def test_open_is_what_had_not_ended_when_the_window_ended() -> None:
    cases = {
        "open": case(march(2)),
        "closed in the window": case(march(2), closed_at=march(5), history={"closed": ((march(5), march(5)),)}),
        "closed after it": case(march(2), closed_at=APRIL, history={"closed": ((APRIL, APRIL),)}),
        "reopened after it": case(march(2), history={"closed": ((march(5), march(5)), (APRIL, None))}),
        "reopened in it": case(march(2), history={"closed": ((march(5), march(5)), (march(6), None))}),
        "received after it": case(APRIL),
    }
    assert counted("{count: open}", cases) == {"is": 3}


def test_late_is_a_case_with_a_breach_in_the_window() -> None:
    def late(*due: datetime) -> Case:
        return case(march(-30), breaches=tuple(Breach(clock="answer", due_at=at) for at in due))

    assert counted("{count: late}", {"A": late(march(5), march(6)), "B": late(APRIL), "C": late()}) == {"is": 1}


def test_where_is_asked_when_the_report_is_produced_and_must_be_true() -> None:
    cases = {
        "yes": case(march(2), facts={"valid": True}),
        "no": case(march(2), facts={"valid": False}),
        "not known": case(march(2)),
    }
    assert counted("{count: received, where: valid}", cases) == {"is": 1}


def test_groups_are_those_of_all_cases_so_far_and_the_unknown_stand_together() -> None:
    cases = {
        "A": case(march(2), facts={"project": "一期"}),
        "B": case(march(3), facts={"project": "一期"}),
        "C": case(march(-20), facts={"project": "二期"}),
        "D": case(march(3)),
    }
    assert counted("{count: received, by: project}", cases) == {"is": {"一期": 2, "二期": 0, "unknown": 1}}


def test_a_group_is_named_as_the_pack_writes_the_value() -> None:
    cases = {"A": case(march(2), facts={"valid": True}), "B": case(march(2), facts={"valid": False})}
    assert counted("{count: received, by: valid}", cases) == {"is": {"no": 1, "yes": 1}}


def test_a_personal_fact_names_no_group() -> None:
    cases = {
        "A": case(march(2), facts={"name": "zhao"}),
        "B": case(march(2), facts={"name": "qian"}),
        "C": case(march(2)),
    }
    assert counted("{count: received, by: name}", cases) == {"is": {"personal": 2, "unknown": 1}}


# --- rates ---
def test_a_rate_says_how_many_of_the_cases_of_the_window_have_come_that_far_by_now() -> None:
    cases = {
        "closed": case(march(2), milestones={"closed": march(4)}),
        "closed since": case(march(2), milestones={"closed": APRIL}),
        "closed later than now": case(march(2), milestones={"closed": APRIL + timedelta(days=1)}),
        "open": case(march(2)),
        "of another month": case(march(-9), milestones={"closed": march(4)}),
    }
    assert counted("{rate: closed, of: received}", cases) == {"is": [2, 4]}


def test_a_rate_of_what_is_late_or_open_is_a_rate_too() -> None:
    late = case(march(2), breaches=(Breach(clock="answer", due_at=march(4)),))
    closed = case(march(2), closed_at=march(5), history={"closed": ((march(5), march(5)),)})
    assert counted("{rate: late, of: received}", {"A": late, "B": closed}) == {"is": [1, 2]}
    assert counted("{rate: open, of: received}", {"A": late, "B": closed}) == {"is": [1, 2]}


# --- lists ---
def test_a_list_shows_what_is_known_of_each_case_and_instants_as_text() -> None:
    seen = march(4).isoformat()
    cases = {"A": case(march(2), facts={"project": "P", "seen_at": seen}), "B": case(march(3))}
    assert counted("{list: received, shows: [project, seen_at, valid]}", cases) == {
        "is": [{"complaint": "A", "project": "P", "seen_at": seen}, {"complaint": "B"}]
    }


def test_personal_facts_of_a_list_are_sealed_with_the_event_under_their_own_complaint() -> None:
    procedure = reporting("{list: received, by: project, shows: [name, project]}")
    cases = {"A": case(march(2), facts={"project": "P", "name": "zhao"})}
    _, figures, _ = produced(procedure.desk["report"], "2026-04", cases, procedure, CALENDAR, at=APRIL)
    event = ReportProduced(at=APRIL, owe="report", period="2026-04", figures=figures)
    (found,) = personal_values(event, facts=procedure.personal, by_customer=False)
    assert (found.path, found.value, found.of) == (("figures", 0, "is", "P", 0, "name"), "zhao", "A")


# --- what falls between two reports ---
def test_a_case_that_could_not_be_counted_in_its_report_stands_in_the_next_one_and_in_no_other() -> None:
    procedure = reporting("{count: received, where: valid, by: project}, {list: received, where: valid}")
    unsaid = case(march(20), facts={"project": "P"})
    said = case(march(20), facts={"project": "P", "valid": True})
    first, memory = report(procedure, {"A": unsaid})
    assert first == [{"is": {}}, {"is": []}]
    second, memory = report(procedure, {"A": said}, period="2026-05", at=MAY, before=memory)
    assert second == [{"is": {"P": 0}, "late": {"P": 1}}, {"is": [], "late": [{"complaint": "A"}]}]
    third, _ = report(procedure, {"A": said}, period="2026-06", at=MAY + timedelta(days=31), before=memory)
    assert third == [{"is": {"P": 0}}, {"is": []}]


def test_what_was_counted_in_time_is_not_added_again() -> None:
    procedure = reporting("{count: received}, {rate: closed, of: received}")
    first, memory = report(procedure, {"A": case(march(20))})
    second, _ = report(procedure, {"A": case(march(20))}, period="2026-05", at=MAY, before=memory)
    assert (first, second) == ([{"is": 1}, {"is": [0, 1]}], [{"is": 0}, {"is": [0, 0]}])


def test_what_lies_before_the_first_report_is_never_added() -> None:
    _, memory = report(reporting("{count: received}"), {})
    (figure,), _ = report(
        reporting("{count: received}"), {"A": case(march(-5))}, period="2026-05", at=MAY, before=memory
    )
    assert figure == {"is": 0}


def test_a_milestone_or_a_breach_that_is_known_late_is_added_late() -> None:
    procedure = reporting("{count: resolved}, {count: late}")
    _, memory = report(procedure, {"A": case(march(2))})
    typed_in = case(march(2), milestones={"resolved": march(30)}, breaches=(Breach(clock="answer", due_at=march(4)),))
    second, _ = report(procedure, {"A": typed_in}, period="2026-05", at=MAY, before=memory)
    assert second == [{"is": 0, "late": 1}, {"is": 0, "late": 1}]


def test_a_step_that_is_called_like_a_milestone_is_none() -> None:
    closed = case(
        march(2), milestones={"resolved": march(3)}, ends=(ClockEnd(clock="resolved", number=1, at=march(3), met=True),)
    )
    procedure = reporting("{on-time: resolved}")
    first, memory = report(procedure, {"A": closed})
    second, _ = report(procedure, {"A": closed}, period="2026-05", at=MAY, before=memory)
    assert (first, second) == ([{"is": [1, 1]}], [{"is": [0, 0]}])


# --- punctuality ---
def end(clock: str, at: datetime, *, met: bool, number: int = 1) -> ClockEnd:
    return ClockEnd(clock=clock, number=number, at=at, met=met)


def test_on_time_is_the_limits_met_of_those_that_ended_in_the_window() -> None:
    cases = {
        "A": case(march(2), ends=(end("answer", march(3), met=True), end("other", march(3), met=True))),
        "B": case(march(2), ends=(end("answer", march(4), met=False), end("answer", march(9), met=True, number=2))),
        "C": case(march(2), ends=(end("answer", APRIL, met=False),)),
    }
    assert counted("{on-time: answer}", cases) == {"is": [2, 3]}
    assert counted("{on-time: all}", cases) == {"is": [3, 4]}


def test_on_time_of_a_step_of_items_is_that_of_all_its_items() -> None:
    ends = (end("answer#1", march(3), met=True), end("answer#2", march(3), met=False))
    assert counted("{on-time: answer}", {"A": case(march(2), ends=ends)}) == {"is": [1, 2]}


def test_a_limit_that_was_met_in_the_month_before_and_typed_in_since_is_added_late() -> None:
    procedure = reporting("{on-time: answer}")
    _, memory = report(procedure, {"A": case(march(2))})
    known = case(march(2), ends=(end("answer", march(30), met=True),))
    second, memory = report(procedure, {"A": known}, period="2026-05", at=MAY, before=memory)
    third, _ = report(procedure, {"A": known}, period="2026-06", at=MAY + timedelta(days=31), before=memory)
    assert (second, third) == ([{"is": [0, 0], "late": [1, 1]}], [{"is": [0, 0]}])


START = ClockStarted(at=march(2), clock="answer", from_=march(2), due_at=march(4))
BREACH = ClockBreached(at=march(4), clock="answer", due_at=march(4))


@pytest.mark.parametrize(
    ("events", "ends"),
    [
        ([START, ClockStopped(at=march(3), clock="answer", in_time=True)], [end("answer", march(3), met=True)]),
        (
            [START, ClockStopped(at=march(9), clock="answer", in_time=True, since=march(3))],
            [end("answer", march(3), met=True)],
        ),
        ([START, BREACH], [end("answer", march(4), met=False)]),
        (
            [START, BREACH, ClockStopped(at=march(9), clock="answer", in_time=False)],
            [end("answer", march(4), met=False)],
        ),
        (
            [START, BREACH, BreachWithdrawn(at=march(9), clock="answer", done_at=march(3))],
            [end("answer", march(3), met=True)],
        ),
        (
            [
                START,
                BREACH,
                BreachWithdrawn(at=march(5), clock="answer", done_at=march(3)),
                ClockExtended(at=march(5), clock="answer", because="tried", due_at=march(8)),
            ],
            [],
        ),
        ([START, BREACH, ClockResumed(at=march(5), clock="answer", due_at=march(9))], []),
        ([START, ClockStopped(at=march(3), clock="answer")], []),
        (
            [START, BREACH, START, ClockStopped(at=march(3), clock="answer", in_time=True)],
            [end("answer", march(4), met=False), end("answer", march(3), met=True, number=2)],
        ),
        ([BreachWithdrawn(at=march(5), owe="report", period="2026-03", done_at=march(3))], []),
    ],
    ids=[
        "stopped in time",
        "done in time, recorded late",
        "ran out",
        "ran out and was done late",
        "withdrawn",
        "withdrawn and extended: it runs on",
        "resumed: it runs on",
        "without a date",
        "once more in a loop",
        "a duty of the desk",
    ],
)
def test_a_limit_ends_when_what_it_is_for_was_done_or_when_it_ran_out(events: list[Any], ends: list[ClockEnd]) -> None:
    assert list(clock_ends(events)) == ends


def test_figures_do_not_depend_on_how_cases_are_called() -> None:
    cases = {"A": case(march(2)), "B": case(march(3))}
    renamed = {str(uuid5(NAMESPACE_OID, name)): one for name, one in cases.items()}
    assert counted("{count: received}", cases) == counted("{count: received}", renamed)
