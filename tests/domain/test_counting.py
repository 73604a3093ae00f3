"""How many complaints share a matter: what routing counts, whole and one change at a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from complaints.complaint import INITIAL, Complaint
from complaints.counting import Counted, Counts, Matters, counted, counts_of, shared_facts
from complaints.personal import ERASED, Sealed
from complaints.procedure.limits import before
from complaints.procedure.model import Procedure
from tests.spec import CALENDAR, SHANGHAI, pack, record
from tests.spec import given as case_of
from tests.spec import receive as received

MARCH = datetime(2026, 3, 2, 9, tzinfo=SHANGHAI)

FACTS = """\
facts:
- {fact: matter, type: text, clause: f}
- {fact: project, type: text, clause: f}
- {fact: secret, type: text, personal: true, clause: f}
"""


def counting(*rows: str) -> Procedure:
    lines = "".join(f"- {{{row}, clause: c}}\n" for row in rows)
    return pack(f"{FACTS}other-cases:\n{lines}")


COMPLAINTS = counting("count: n, same: matter, of: complaints, within: 1 month")
PEOPLE = counting("count: n, same: matter, of: complainants, within: 1 month")
EVER = counting("count: n, same: matter, of: complaints")
AGAIN = counting("count: n, same: matter, of: complaints-after-closing")


def case(name: str, day: float, *, by: str | None = None, matter: str | None = "M", **more: Any) -> Counted:
    shared = {} if matter is None else {"matter": matter}
    shared |= more.pop("shared", {})
    return Counted(
        complaint=name, received_at=MARCH + timedelta(days=day), complainant=by or name.lower(), shared=shared, **more
    )


def values(cases: Iterable[Counted], procedure: Procedure) -> dict[str, int]:
    return {name: value for (name, _), value in counts_of(list(cases), procedure, CALENDAR).items()}


# --- windows ---
def test_three_complaints_in_a_month_count_three_for_each_of_them() -> None:
    assert values([case("A", 0), case("B", 8), case("C", 18)], COMPLAINTS) == {"A": 3, "B": 3, "C": 3}


def test_the_fullest_window_that_holds_a_case_counts_and_an_older_case_is_not_raised_by_younger_ones() -> None:
    assert values([case("A", 0), case("B", 40), case("C", 45), case("D", 60)], COMPLAINTS) == {
        "A": 1,
        "B": 3,
        "C": 3,
        "D": 3,
    }


def test_a_case_lies_in_the_windows_that_end_after_it() -> None:
    assert values([case("A", 0), case("B", 20), case("C", 25), case("D", 45)], COMPLAINTS) == {
        "A": 3,
        "B": 3,
        "C": 3,
        "D": 3,
    }


def test_a_month_is_a_calendar_month_and_begins_after_the_instant_a_month_before_its_end() -> None:
    second, month_later = case("A", 0), case("B", 31)  # 2 March and 2 April, 09:00
    assert values([second, month_later], COMPLAINTS) == {"A": 1, "B": 1}
    a_minute_less = case("B", 31 - 1 / 1440)
    assert values([second, a_minute_less], COMPLAINTS) == {"A": 2, "B": 2}


def test_what_is_recognised_later_still_counts_by_its_receipt() -> None:
    recognised = [case("C", 18), case("A", 0), case("B", 8)]
    assert values(recognised, COMPLAINTS) == {"A": 3, "B": 3, "C": 3}


def test_without_a_window_all_of_the_matter_count() -> None:
    assert values([case("A", 0), case("B", 4000)], EVER) == {"A": 2, "B": 2}


def test_people_are_counted_once_however_often_they_complain() -> None:
    assert values([case("A", 0, by="a"), case("B", 1, by="b"), case("C", 2, by="b")], PEOPLE) == {
        "A": 2,
        "B": 2,
        "C": 2,
    }


def test_a_complaint_by_nobody_known_is_by_somebody_of_its_own() -> None:
    nobody = [Counted(complaint=name, received_at=MARCH, shared={"matter": "M"}) for name in "AB"]
    assert values(nobody, PEOPLE) == {"A": 2, "B": 2}


def test_a_case_without_the_fact_has_no_count_and_counts_for_nobody() -> None:
    assert values([case("A", 0), case("B", 1, matter=None)], COMPLAINTS) == {"A": 1}


def test_matters_are_told_apart() -> None:
    assert values([case("A", 0, matter="M"), case("B", 1, matter="N")], COMPLAINTS) == {"A": 1, "B": 1}


def test_a_closed_case_counts_for_others_and_has_no_count_of_its_own() -> None:
    assert values([case("A", 0, closed_at=MARCH + timedelta(days=1)), case("B", 2)], COMPLAINTS) == {"B": 2}


# --- recurrence ---
def test_after_closing_those_count_that_came_after_the_first_closing_of_the_matter() -> None:
    done = MARCH + timedelta(days=5)
    cases = [
        case("A", 0, closed_at=done, first_closed_at=done),
        case("B", 3),
        case("C", 6),
        case("D", 7),
    ]
    assert values(cases, AGAIN) == {"B": 2, "C": 2, "D": 2}


def test_a_case_that_was_reopened_has_been_handled_once_all_the_same() -> None:
    cases = [case("A", 0, first_closed_at=MARCH + timedelta(days=5)), case("B", 6)]
    assert values(cases, AGAIN) == {"A": 1, "B": 1}


def test_while_nothing_of_the_matter_was_ever_closed_nothing_has_come_back() -> None:
    assert values([case("A", 0), case("B", 1)], AGAIN) == {"A": 0, "B": 0}


# --- against counting by hand ---
def by_hand(cases: list[Counted], procedure: Procedure) -> dict[str, int]:
    (count,) = procedure.counts.values()
    assert count.within is not None
    found = {}
    for mine in cases:
        if mine.closed_at is not None:
            continue
        sizes = []
        for end in (other.received_at for other in cases):
            start = before(count.within, end, procedure.questions, CALENDAR)
            window = [c for c in cases if start < c.received_at <= end and c.shared == mine.shared]
            names = {c.complainant if count.of == "complainants" else c.complaint for c in window}
            sizes.append(len(names) if mine in window else 0)
        found[mine.complaint] = max(sizes)
    return found


SOME = st.lists(
    st.tuples(st.integers(0, 150), st.sampled_from("abc"), st.booleans(), st.sampled_from("MN")),
    min_size=1,
    max_size=25,
)


@given(SOME, st.sampled_from([COMPLAINTS, PEOPLE]))
@settings(max_examples=150)
def test_counts_are_what_counting_every_window_by_hand_gives(
    rows: list[tuple[int, str, bool, str]], procedure: Procedure
) -> None:
    cases = [
        case(f"{n}", day / 2, by=by, matter=matter, closed_at=MARCH if closed else None)
        for n, (day, by, closed, matter) in enumerate(rows)
    ]
    assert values(cases, procedure) == by_hand(cases, procedure)


# --- one change at a time ---
BOTH = counting(
    "count: same, same: matter, of: complaints, within: 1 month",
    "count: people, same: project, of: complainants",
    "count: again, same: matter, of: complaints-after-closing",
)
CHANGES = st.lists(
    st.tuples(st.sampled_from("ABCDEF"), st.sampled_from(["M", "N", None]), st.sampled_from(["P", "Q"]), st.booleans()),
    max_size=20,
)


@given(CHANGES)
@settings(max_examples=150)
def test_the_counts_noted_one_by_one_are_those_of_all_cases_together(
    changes: list[tuple[str, str | None, str, bool]],
) -> None:
    matters, now, told = Matters(BOTH, CALENDAR), dict[str, Counted](), Counts()
    for name, matter, project, closed in changes:
        done = MARCH + timedelta(days=20) if closed else None
        shared = {"project": project}
        now[name] = case(
            name, "ABCDEF".index(name) * 9, matter=matter, shared=shared, closed_at=done, first_closed_at=done
        )
        told |= matters.note(now[name])
    expected = counts_of(list(now.values()), BOTH, CALENDAR)
    assert {key: told[key] for key in expected} == expected


def test_saying_the_same_again_moves_no_count() -> None:
    matters = Matters(COMPLAINTS, CALENDAR)
    assert matters.note(case("A", 0)) == {("A", "n"): 1}
    assert matters.note(case("A", 0)) == {}


def test_a_case_that_turns_out_to_be_of_another_matter_moves_the_counts_of_both() -> None:
    matters = Matters(COMPLAINTS, CALENDAR)
    for name, day, matter in (("A", 0, "M"), ("B", 1, "M"), ("C", 2, "N")):
        matters.note(case(name, day, matter=matter))
    assert matters.note(case("B", 1, matter="N")) == {("A", "n"): 1, ("B", "n"): 2, ("C", "n"): 2}


def test_counting_by_one_fact_leaves_the_counts_by_other_facts_alone() -> None:
    of_the_project = [case("A", 0, shared={"project": "P"}), case("B", 1, shared={"project": "P"})]
    assert counts_of(of_the_project, BOTH, CALENDAR, fact="project") == {("A", "people"): 2, ("B", "people"): 2}


# --- what counting knows of a case ---
CLOSING = """\
steps:
- part: p
  rows:
  - {close: end, clause: s, by: cm}
  - {reopen: again, clause: s, by: cm, after: end, back: {reopened: end}}
"""


def test_a_case_is_known_by_its_shared_facts_its_receipt_and_its_closings() -> None:
    procedure = pack(f"{FACTS}{CLOSING}other-cases:\n- {{count: n, same: matter, of: complaints, clause: c}}\n")
    begun = received(at=MARCH, complainant="zhao", facts={"matter": "M", "project": "P"}, channel="any")
    closed = case_of(procedure, begun, record("end", "cm", MARCH + timedelta(hours=1)))
    assert shared_facts(procedure) == {"matter"}
    assert counted("A", closed.state, procedure) == Counted(
        complaint="A",
        received_at=MARCH,
        complainant="zhao",
        closed_at=MARCH + timedelta(hours=1),
        first_closed_at=MARCH + timedelta(hours=1),
        shared={"matter": "M"},
    )
    again = closed.take(record("again", "cm", MARCH + timedelta(hours=2)))
    reopened = counted("A", again.state, procedure)
    assert reopened is not None
    assert (reopened.closed_at, reopened.first_closed_at) == (None, MARCH + timedelta(hours=1))


def test_people_are_told_apart_by_their_pseudonym_where_there_is_one() -> None:
    state = Complaint(received_at=MARCH, complainant="zhao", subject="pseudonym")
    found = counted("A", state, COMPLAINTS)
    assert found is not None
    assert found.complainant == "pseudonym"


def test_a_case_that_is_no_complaint_is_never_counted() -> None:
    shipment = Complaint(case="shipment", received_at=MARCH, facts={"matter": "M"})
    assert counted("A", shipment, COMPLAINTS) is None
    assert counted("A", INITIAL, COMPLAINTS) is None


SEALED = Sealed("c2VhbGVk", subject=UUID(int=1), generation=1, stream=UUID(int=2), version=1, path="facts.secret")


@pytest.mark.parametrize("closed", [ERASED, SEALED])
def test_a_shared_fact_that_cannot_be_read_is_not_known(closed: str) -> None:
    procedure = counting("count: n, same: secret, of: complaints")
    found = counted("A", Complaint(received_at=MARCH, facts={"secret": closed}), procedure)
    assert found is not None
    assert found.shared == {}
