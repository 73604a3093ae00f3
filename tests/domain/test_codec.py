from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaints.codec import Envelope, Recorded, decode, encode, event_data, to_json, wire, wire_event
from complaints.commands import Sender
from complaints.errors import Undecodable
from complaints.events import (
    ClockStarted,
    ComplaintAssigned,
    ComplaintEscalated,
    ComplaintReceived,
    Event,
    FactsRecorded,
    WorkRecorded,
)
from complaints.personal import ERASED, Erased, Sealed, is_personal
from complaints.ports import GENESIS, StoredEvent
from complaints.registry import REGISTRY, Registry
from redress.schemas import stale_files

AT = datetime(2026, 3, 2, 1, 31, tzinfo=UTC)
STREAM = UUID(int=7)
DOCUMENTS = Path(__file__).parents[2] / "docs/schemas/events"


def envelope(**fields: Any) -> Envelope:
    return Envelope(
        **{
            "desk": "demo",
            "complaint": str(STREAM),
            "at": AT,
            "by": Sender(person="wu", role="front"),
            "command_id": UUID(int=1),
            **fields,
        }
    )


def row(
    event: Event, meta: Envelope | None = None, *, case: str = "complaint", registry: Registry = REGISTRY
) -> StoredEvent:
    new = encode(event, meta or envelope(), case=case, registry=registry)
    return stored(new.type, new.schema_version, new.data, new.meta)


def stored(name: str, version: int, data: bytes, meta: bytes) -> StoredEvent:
    return StoredEvent(
        position=9,
        stream_id=STREAM,
        version=2,
        category="complaint",
        desk="demo",
        type=name,
        schema_version=version,
        occurred_at=AT,
        recorded_at=AT,
        command_id=UUID(int=1),
        data=data,
        meta=meta,
        previous_hash=GENESIS,
        hash=b"\x01" * 32,
    )


ASSIGNED = ComplaintAssigned(
    at=AT,
    clause="(一)1/d",
    rule="report_up",
    inputs={"receiver": "front"},
    step="report_up",
    verb="pass",
    outcome="passed",
    over=True,
    person="wu",
    as_="receiver",
    to="cm",
    holder="cm",
)


def test_the_wire_shape_of_an_event_is_the_one_in_the_vocabulary() -> None:
    assert wire_event(ASSIGNED, complaint="A") == {
        "at": AT,
        "complaint": "A",
        "event": "complaint.assigned",
        "clause": "(一)1/d",
        "data": {
            "step": "report_up",
            "verb": "pass",
            "outcome": "passed",
            "over": True,
            "round": 1,
            "person": "wu",
            "as": "receiver",
            "to": "cm",
            "holder": "cm",
        },
    }


def test_a_live_event_also_says_where_it_stands_and_who_caused_it() -> None:
    shown = wire(decode(row(ASSIGNED, envelope(pack="04", pack_version=3, desk_version=5, correlation_id=UUID(int=2)))))

    assert {key: shown[key] for key in shown if key not in {"data", "at", "event", "complaint", "clause"}} == {
        "version": 2,
        "position": 9,
        "recorded_at": AT,
        "pack": "04",
        "pack_version": 3,
        "desk_version": 5,
        "rule": "report_up",
        "inputs": {"receiver": "front"},
        "by": {"person": "wu", "role": "front"},
        "command_id": str(UUID(int=1)),
        "correlation_id": str(UUID(int=2)),
        "causation_id": None,
        "hash": "01" * 32,
    }


def test_what_the_vocabulary_always_shows_is_there_even_where_it_is_the_usual_value() -> None:
    received = ComplaintReceived(
        at=AT, channel="phone", receiver="front", person="wu", arrived_closed=False, pack="04", pack_version=1
    )
    started = ClockStarted(at=AT, clock="to_md", from_=AT)
    escalated = ComplaintEscalated(
        at=AT, step="up", verb="pass", outcome="passed", over=True, person="wu", as_="cm", to="md", holder="md"
    )

    assert event_data(received)["facts"] == {}
    assert event_data(started) == {"clock": "to_md", "from": "2026-03-02T01:31:00Z", "due_at": None, "case": None}
    assert event_data(escalated)["tier"] is None


def test_an_event_of_a_case_that_is_no_complaint_is_stored_as_one_of_a_case() -> None:
    recorded = decode(row(ASSIGNED, case="shipment"))

    assert recorded.type == "case.assigned"
    assert recorded.event == ASSIGNED


def test_the_envelope_of_what_is_stored_holds_what_the_event_says_of_itself() -> None:
    meta = json.loads(row(ASSIGNED).meta)

    assert meta["clause"] == "(一)1/d"
    assert meta["rule"] == "report_up"
    assert meta["inputs"] == {"receiver": "front"}
    assert "clause" not in json.loads(row(ASSIGNED).data)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    TEXT | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.none()
)


@given(facts=st.dictionaries(TEXT, SCALARS), reason=TEXT, clause=TEXT | st.lists(TEXT) | st.none())
def test_whatever_is_stored_is_read_back_the_same(facts: dict[str, Any], reason: str, clause: Any) -> None:
    event = WorkRecorded(
        at=AT,
        clause=clause,
        step="s",
        verb="do",
        outcome="done",
        over=True,
        person="wu",
        as_="cm",
        facts=facts,
        reason=reason,
        done_at=AT,
    )

    assert decode(row(event)).event == event


def test_a_sealed_value_knows_where_it_was_sealed() -> None:
    token = Sealed("dG9rZW4=", subject=UUID(int=3), generation=2, stream=STREAM, version=2, path="facts.content")
    recorded = decode(row(FactsRecorded(at=AT, facts={"content": token, "major": True}, person="wu")))

    assert isinstance(recorded.event, FactsRecorded)
    read = recorded.event.facts["content"]
    assert isinstance(read, Sealed)
    assert (read, read.subject, read.generation) == (token, UUID(int=3), 2)
    assert (read.stream, read.version, read.path) == (STREAM, 2, "facts.content")
    assert list(recorded.sealed) == [("facts", "content")]
    assert event_data(recorded.event)["facts"]["content"] == {
        "$sealed": "dG9rZW4=",
        "subject": str(UUID(int=3)),
        "generation": 2,
    }


def test_an_erased_value_reads_as_erased_and_shows_as_erased() -> None:
    recorded = decode(row(FactsRecorded(at=AT, facts={"content": ERASED}, person="wu", inputs={"content": ERASED})))

    assert isinstance(recorded.event, FactsRecorded)
    assert isinstance(recorded.event.facts["content"], Erased)
    assert wire(recorded)["data"]["facts"] == {"content": {"$erased": True}}
    assert to_json(recorded.event.inputs) == b'{"content":{"$erased":true}}'


@pytest.mark.parametrize(
    "contact",
    [
        {"$sealed": "a"},
        {"$erased": "yes"},
        {"$sealed": "a", "subject": "b"},
        {"$sealed": "a", "subject": str(UUID(int=1)), "x": "y"},
    ],
)
def test_a_contact_that_looks_like_a_marker_does_not_make_the_record_unreadable(contact: dict[str, str]) -> None:
    sealed = {
        kind: Sealed("dA==", subject=UUID(int=3), generation=1, stream=STREAM, version=2, path=f"contact.{kind}")
        for kind in contact
    }
    event = ComplaintReceived(
        at=AT,
        channel="c",
        receiver="r",
        person="p",
        arrived_closed=False,
        pack="04",
        pack_version=1,
        contact=dict(sealed),
    )

    assert decode(row(event)).event == event


@pytest.mark.parametrize(
    ("name", "version", "data", "meta"),
    [
        ("no.such-event", 1, b"{}", None),
        ("complaint.assigned", 2, b"{}", None),
        ("complaint.assigned", 0, b"{}", None),
        ("complaint.assigned", 1, b"{}", None),
        ("complaint.assigned", 1, b"[]", None),
        ("complaint.assigned", 1, b"\xff\xfe", None),
        ("complaint.assigned", 1, b"", None),
        ("clock.stopped", 1, b'{"clock": 5}', None),
        ("clock.stopped", 1, b'{"clock": "a"}', b"{}"),
        ("clock.stopped", 1, b'{"clock": "a"}', b"\x00"),
    ],
)
def test_what_no_version_explains_is_undecodable(name: str, version: int, data: bytes, meta: bytes | None) -> None:
    with pytest.raises(Undecodable):
        decode(stored(name, version, data, to_json(envelope()) if meta is None else meta))


class Filed(Event, frozen=True, kw_only=True, tag="paper.filed"):
    """Filed, third edition: the drawer was split in two fields, then the shelf got a name."""

    schema_version: ClassVar[int] = 3

    cabinet: str
    shelf: str


def versions() -> Registry:
    registry = Registry([Filed])

    @registry.upcast("paper.filed", 1)
    def split(data: dict[str, Any]) -> dict[str, Any]:
        cabinet, _, shelf = data.pop("drawer").partition("/")
        return {**data, "cabinet": cabinet, "shelf": int(shelf)}

    @registry.upcast("paper.filed", 2)
    def named(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "shelf": f"shelf {data['shelf']}"}

    return registry


@pytest.mark.parametrize(
    ("version", "data"),
    [
        (1, b'{"drawer": "A/4"}'),
        (2, b'{"cabinet": "A", "shelf": 4}'),
        (3, b'{"cabinet": "A", "shelf": "shelf 4"}'),
    ],
)
def test_every_version_of_an_event_is_read_as_the_current_one(version: int, data: bytes) -> None:
    recorded: Recorded = decode(stored("paper.filed", version, data, to_json(envelope())), versions())

    assert recorded.event == Filed(at=AT, cabinet="A", shelf="shelf 4")
    assert recorded.schema_version == version


def test_a_version_without_a_way_to_the_current_one_is_undecodable() -> None:
    with pytest.raises(Undecodable, match=r"nothing makes paper\.filed 1 readable"):
        decode(stored("paper.filed", 1, b'{"drawer": "A/4"}', to_json(envelope())), Registry([Filed]))


def test_an_upcaster_is_registered_once_and_only_for_a_version_that_there_was() -> None:
    registry = versions()

    with pytest.raises(ValueError, match="two upcasters"):
        registry.upcast("paper.filed", 1)(dict)
    with pytest.raises(ValueError, match="no version 3 to come from"):
        registry.upcast("paper.filed", 3)(dict)


def test_a_registry_names_every_version_that_must_load() -> None:
    assert versions().names() == [("paper.filed", 1), ("paper.filed", 2), ("paper.filed", 3)]


def test_the_published_schemas_are_current() -> None:
    assert stale_files(DOCUMENTS) == []


@pytest.mark.parametrize(
    ("name", "personal"),
    [
        ("content", True),
        ("point#2.content", True),
        ("talk.person", True),
        ("major", False),
        ("person", False),
        ("contents.done", False),
    ],
)
def test_a_name_that_leads_to_a_personal_fact_is_personal(name: str, personal: bool) -> None:
    assert is_personal(name, {"content"}) is personal
