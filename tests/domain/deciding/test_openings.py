"""Openings: a case that comes in like an earlier one begins as if every row had been asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from complaints.business_time import BusinessCalendar
from complaints.codec import data_json
from complaints.commands import Receive, Sender
from complaints.complaint import INITIAL, replay
from complaints.deciding import Others, decided, decision
from complaints.deciding.decision import run_through
from complaints.deciding.openings import openings_of
from complaints.deciding.run import Run
from complaints.errors import Rejected
from complaints.events import CaseEvent, ComplaintReceived, Origin
from complaints.personal import personal_values
from complaints.procedure.library import packs
from complaints.procedure.model import Fact, Procedure
from complaints.sla import Warn, Warnings
from tests.domain.deciding.lives import EVERYTHING
from tests.spec import CALENDAR, MONDAY, at, pack

BY_INSTANTS = pack("""
facts:
- {fact: urgent, clause: f, type: yes-no}
- {fact: seen_at, clause: f, type: time}
decisions:
- {decide: grade, of: [1, 2], rows: [{set: 1, clause: 甲, when: urgent && seen_at < received}, {set: 2, clause: 乙}]}
steps:
- part: p
  rows:
  - {do: look, clause: 一, by: cm, when: "!urgent || seen_at < received"}
  - {close: end, clause: 四, by: cm}
""")
"""An event may show when the case was received, since a row has looked at it."""
PROCEDURES: Mapping[str, Procedure] = {name: file.load() for name, file in packs().items()} | {
    "made up": EVERYTHING,
    "by instants": BY_INSTANTS,
}
WARNINGS: Warnings = {"*": [Warn(share=0.5), Warn(before=timedelta(hours=1))]}
KNOWN = Others(subject=str(UUID(int=5)), desk_version=3, calendar_version="b")


def receipt(**fields: Any) -> Receive:
    by = Sender(person=fields.pop("person", "wu"), role=fields.pop("role", "front"))
    return Receive(**{"id": UUID(int=1), "complaint": str(UUID(int=2)), "at": at(0, "09:31"), "by": by, **fields})


def row_by_row(
    command: Receive, procedure: Procedure, others: Others = KNOWN, warnings: Warnings = WARNINGS
) -> list[CaseEvent] | str:
    """What follows when every row is asked, or why it was refused."""
    try:
        return run_through(Run(INITIAL, command, procedure, CALENDAR, others, warnings=warnings))
    except Rejected as refused:
        return str(refused)


def begun(
    command: Receive, procedure: Procedure, others: Others = KNOWN, warnings: Warnings = WARNINGS
) -> list[CaseEvent] | str:
    """What follows in use."""
    try:
        return decided(INITIAL, command, procedure, CALENDAR, others, warnings=warnings).events
    except Rejected as refused:
        return str(refused)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Receive]:
    """The receipts for which every row was asked."""
    found: list[Receive] = []

    def noted(run: Run) -> list[CaseEvent]:
        assert isinstance(run.command, Receive)
        found.append(run.command)
        return run_through(run)

    monkeypatch.setattr(decision, "run_through", noted)
    return found


# --- any receipt, under any procedure ---
def value_of(fact: Fact, one: int) -> Any:
    """A value that the fact may have; now and then one that it never has."""
    match fact.kind:
        case "yes-no":
            return one % 2 == 0
        case "number":
            return one % 4
        case "time":
            return (MONDAY + timedelta(hours=one * 5 - 100)).isoformat()
        case "choice" if fact.choices:
            return fact.choices[one % len(fact.choices)]
        case _:
            return ("漏水", "再次漏水", "x", 7)[one % 4]


@st.composite
def receipts(draw: st.DrawFn, procedure: Procedure) -> Receive:
    channels = sorted({name for row in procedure.intake for name in row.channels}) or ["any"]
    plain = [fact for fact in procedure.facts.values() if fact.kind not in ("means", "span") and fact.of is None]
    said = draw(st.lists(st.sampled_from(plain), max_size=3, unique_by=lambda fact: fact.name)) if plain else []
    kind = draw(st.sampled_from(["complaint"] * 4 + [*procedure.kinds]))
    instant = MONDAY + timedelta(minutes=draw(st.integers(0, 14 * 24 * 60)))
    return receipt(
        at=instant,
        person=draw(st.sampled_from(["wu", "li"])),
        role=draw(st.sampled_from([*procedure.roles, "customer", "anyone"])),
        channel=draw(st.sampled_from(channels)),
        case=kind,
        facts={fact.name: value_of(fact, draw(st.integers(0, 40))) for fact in said},
        complainant=draw(st.sampled_from([None, "王五", "赵六"])),
        contact=draw(st.sampled_from([{}, {"email": "wang@example.org"}])),
        occurred_at=draw(st.sampled_from([None, None, None, instant - timedelta(hours=3)])),
    )


@pytest.mark.parametrize("name", PROCEDURES)
@given(data=st.data())
@settings(max_examples=40)
def test_whatever_comes_in_begins_as_if_every_row_had_been_asked(name: str, data: st.DataObject) -> None:
    procedure = PROCEDURES[name]
    for command in data.draw(st.lists(receipts(procedure), min_size=1, max_size=6)):
        for again in (command, msgspec.structs.replace(command, at=command.at + timedelta(hours=5), occurred_at=None)):
            assert begun(again, procedure) == row_by_row(again, procedure)
            assert_others_have_it(again, procedure)


def assert_others_have_it(command: Receive, procedure: Procedure) -> None:
    """What is written beforehand is what would be written, and holds nothing of this case."""
    try:
        made = decided(INITIAL, command, procedure, CALENDAR, KNOWN)
    except Rejected:
        return
    for event, data in zip(made.events, made.data or [None] * len(made.events), strict=True):
        if data is not None:
            assert data == data_json(event)
            assert personal_values(event, facts=procedure.personal, by_customer=True) == []


@pytest.mark.parametrize("name", [name for name in PROCEDURES if name != "by instants"])
def test_the_usual_case_of_every_procedure_is_worked_out_twice_and_then_shared(name: str, asked: list[Receive]) -> None:
    file = packs().get(name)
    procedure = file.load() if file is not None else EVERYTHING
    procedure.cache.pop("openings", None)
    row = next(row for row in procedure.intake if row.case == "complaint" and row.channels)
    role = next(role for role in (*row.by, "customer") if role in procedure.roles or role == "customer")
    told = [name for name in row.asks if procedure.facts[name].kind == "text"]
    one, two, three = (
        receipt(
            channel=row.channels[0],
            role=role,
            at=at(day, "10:00"),
            person=f"person {day}",
            complainant=f"complainant {day}",
            facts={name: f"{name} {day}" for name in told},
        )
        for day in range(3)
    )

    events = [begun(command, procedure) for command in (one, two, three)]

    assert asked == [one, two]
    assert any(decided(INITIAL, three, procedure, CALENDAR, KNOWN).data)
    assert events == [row_by_row(command, procedure) for command in (one, two, three)]
    kept = repr([vars(opening) for opening in openings_of(procedure)._known.values() if opening is not None])
    assert "complainant 1" not in kept
    assert "person 1" not in kept


# --- what a case has of its own ---
P = pack(
    """
facts:
- {fact: grave, clause: f, type: yes-no, starts-as: no}
- {fact: content, clause: f, type: text, personal: true}
- {fact: promised_at, clause: f, type: time}
- {fact: heads, clause: f, type: number}
decisions: [{decide: grade, of: [1, 2], rows: [{set: 1, clause: 甲, when: grave}, {set: 2, clause: 乙}]}]
steps:
- part: p
  rows:
  - {do: look, clause: 一, by: cm, within: 10 h working, from: received}
  - {do: keep, clause: 二, by: cm, within: fact promised_at, from: received}
  - {do: hurry, clause: 三, by: cm, when: grade == 1, within: 2 h elapsed, from: received, regrade: keep}
  - {close: end, clause: 四, by: cm}
""",
    doors="intake: [{channels: [phone, web], clause: 收, asks: [content, grave]}]\n",
)


def test_a_case_that_comes_in_alike_has_its_own_words_instants_and_desk(asked: list[Receive]) -> None:
    P.cache.pop("openings", None)
    for _ in range(2):
        begun(receipt(channel="phone", facts={"content": "漏水"}, complainant="王五"), P)
    other = receipt(
        channel="phone",
        at=at(4, "17:00"),
        person="li",
        facts={"content": "又漏水"},
        complainant="赵六",
        contact={"phone": "123"},
    )

    events = begun(other, P, Others(subject="s", desk_version=9, calendar_version="c"), {})

    assert len(asked) == 2
    assert not isinstance(events, str)
    first = events[0]
    assert isinstance(first, ComplaintReceived)
    assert (first.at, first.person, first.facts["content"], first.complainant) == (
        at(4, "17:00"),
        "li",
        "又漏水",
        "赵六",
    )
    assert (first.contact, first.subject, first.desk_version, first.calendar) == ({"phone": "123"}, "s", 9, "c")
    assert {event.at for event in events} == {at(4, "17:00")}
    clocks = replay(events).clocks
    assert (clocks["look"].due_at, clocks["look"].warn_at) == (at(7, "18:00"), ())
    assert [clock.from_ for clock in clocks.values()] == [at(4, "17:00")] * len(clocks)


@pytest.mark.parametrize(
    "changes",
    [
        {"facts": {"grave": True}},
        {"facts": {"grave": False}},
        {"facts": {"content": "漏水"}},
        {"channel": "web"},
        {"role": "cm"},
        {"at": at(0, "23:00")},
    ],
)
def test_what_rows_look_at_makes_another_opening(changes: dict[str, Any], asked: list[Receive]) -> None:
    P.cache.pop("openings", None)
    for _ in range(2):
        begun(receipt(channel="phone"), P)

    events = begun(receipt(**{"channel": "phone", **changes}), P)

    assert len(asked) == 3
    assert events == row_by_row(receipt(**{"channel": "phone", **changes}), P)


@pytest.mark.parametrize(
    "fields",
    [
        {"facts": {"promised_at": at(9, "10:00").isoformat()}},
        {"occurred_at": at(0, "08:00")},
        {"imported": True},
        {"again_of": Origin(complaint="old", relation="again")},
    ],
)
def test_where_an_instant_or_another_case_matters_every_row_is_asked(
    fields: dict[str, Any], asked: list[Receive]
) -> None:
    P.cache.pop("openings", None)
    for _ in range(2):
        command = receipt(channel="phone", **fields)
        assert begun(command, P) == row_by_row(command, P)
    assert len(asked) == 2
    assert openings_of(P)._known == {}


def test_a_refused_receipt_is_refused_with_or_without_an_opening() -> None:
    P.cache.pop("openings", None)
    for facts in ({"heads": 2}, {"heads": "two"}, {"heads": 2}, {"heads": "two"}, {"none": 1}):
        command = receipt(channel="phone", facts=facts)
        assert begun(command, P) == row_by_row(command, P)


def test_a_condition_about_the_instant_itself_leaves_nothing_to_share(asked: list[Receive]) -> None:
    early = pack("""
steps:
- part: p
  rows:
  - {do: early, clause: 一, by: cm, when: 'received < timestamp("2026-03-03T00:00:00Z")'}
  - {close: end, clause: 四, by: cm}
""")
    one, other = (receipt(channel="any", at=instant) for instant in (at(0, "09:31"), at(3, "09:31")))
    for command in (one, one, other):
        assert begun(command, early) == row_by_row(command, early)
    assert begun(one, early) != begun(other, early)
    assert len(asked) == 5


def test_an_event_that_shows_when_the_case_was_received_is_not_anothers(asked: list[Receive]) -> None:
    BY_INSTANTS.cache.pop("openings", None)
    for time in ("09:31", "10:00", "11:00"):
        command = receipt(channel="any", at=at(0, time), facts={"urgent": False})
        events = row_by_row(command, BY_INSTANTS)
        assert begun(command, BY_INSTANTS) == events
        assert command.at.isoformat() in str(events)
    assert len(asked) == 3


def test_a_clock_of_working_time_counts_by_the_calendar_that_the_new_case_has() -> None:
    P.cache.pop("openings", None)
    for _ in range(2):
        begun(receipt(channel="phone"), P)
    longer = BusinessCalendar.compile(msgspec.structs.replace(CALENDAR.spec, weekly={"mon": (("00:00", "24:00"),)}))

    events = decided(INITIAL, receipt(channel="phone"), P, longer, KNOWN).events

    assert replay(events).clocks["look"].due_at == at(0, "19:31")


def test_no_more_openings_are_remembered_than_memory_bears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("complaints.deciding.openings.KNOWN", 2)
    many = pack("""
facts: [{fact: heads, clause: f, type: number}]
steps: [{part: p, rows: [{do: act, clause: 一, by: cm, when: heads > 2}, {close: end, clause: 四, by: cm}]}]
""")
    for heads in range(5):
        command = receipt(channel="any", facts={"heads": heads})
        assert begun(command, many) == row_by_row(command, many)
        assert len(openings_of(many)._known) <= 2
