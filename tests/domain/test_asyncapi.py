"""The AsyncAPI document: valid, current, and true of the records that are really sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import jsonschema_rs
import msgspec
import pytest

from complaints import codec
from complaints.adapters.announcements import (
    CheckpointRecord,
    NotificationRecord,
    checkpoint_record,
    escalation_record,
    notification_record,
)
from complaints.adapters.asyncapi import document, text
from complaints.adapters.kafka import Topics
from complaints.adapters.records import CommandRecord, Record, command_record, event_record
from complaints.commands import COMMAND_TYPES, SYSTEM, Command, data_of, from_wire
from complaints.escalations import escalation_of
from complaints.registry import REGISTRY
from tests.history import samples

ROOT = Path(__file__).parents[2]
DOCUMENT = document()
NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)


def problems(record: Record, message: str) -> list[str]:
    """What a message of the document says against a record: its headers and its value."""
    described = DOCUMENT["components"]["messages"][message]
    headers = DOCUMENT["components"]["messageTraits"]["cloudevent"]["headers"]
    value = {**described["payload"], "components": DOCUMENT["components"]}
    pairs = (
        (headers, {name: text.decode() for name, text in record.headers}),
        (value, json.loads(record.value)),
    )
    return [
        f"{list(error.instance_path)}: {error.message}"
        for schema, instance in pairs
        for error in jsonschema_rs.Draft7Validator(schema).iter_errors(instance)
    ]


def references(value: Any) -> Iterator[str]:
    """Every reference in the document."""
    match value:
        case dict():
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        case list():
            for inner in value:
                yield from references(inner)
        case _:
            pass


def test_the_document_is_valid_asyncapi_3() -> None:
    schema = json.loads((ROOT / "tests/vendored/asyncapi/3.0.0.json").read_text(encoding="utf-8"))
    errors = jsonschema_rs.Draft7Validator(schema).iter_errors(DOCUMENT)
    assert [f"{list(error.instance_path)}: {error.message[:200]}" for error in errors] == []


def test_every_reference_leads_somewhere() -> None:
    for reference in set(references(DOCUMENT)):
        assert reference.startswith("#/")
        place: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_the_document_in_docs_is_current() -> None:
    assert (ROOT / "docs/asyncapi.json").read_text(encoding="utf-8") == text(), (
        "run `python -m complaints.adapters.asyncapi > docs/asyncapi.json`"
    )


def test_it_names_every_topic_event_and_command() -> None:
    addresses = {channel["address"] for channel in DOCUMENT["channels"].values()}
    assert addresses == {name for topic in Topics().all for name in (topic, Topics.dead_letters(topic))}
    assert set(DOCUMENT["channels"]["events"]["messages"]) == {name for name, _ in REGISTRY.names()}
    assert set(DOCUMENT["channels"]["commands"]["messages"]) == set(COMMAND_TYPES)


@pytest.mark.parametrize("name", sorted({name for name, _ in REGISTRY.names()}))
def test_a_record_of_each_event_is_as_described(name: str) -> None:
    kind = REGISTRY.type_of(name)
    assert kind is not None
    for sample in json.loads(samples.file_of(name, kind.schema_version).read_text(encoding="utf-8")):
        record = event_record(samples.stored(sample), "t")
        assert problems(record, name) == []


def test_a_record_that_lacks_what_it_must_say_is_not_as_described() -> None:
    (sample, _) = json.loads(samples.file_of("clock.breached", 1).read_text(encoding="utf-8"))
    record = event_record(samples.stored(sample), "t")
    value = json.loads(record.value)
    del value["data"]["due_at"], value["position"]
    spoilt = Record(topic="t", key=b"", value=json.dumps(value).encode(), headers=record.headers[1:])
    assert len(problems(spoilt, "clock.breached")) == 3


COMMAND_DATA: dict[str, dict[str, Any]] = {
    "receive": {"channel": "phone", "facts": {"content": "x"}, "again_of": {"complaint": "c", "relation": "again"}},
    "record-facts": {"facts": {"major": True}},
    "record-step": {"step": "answer", "done_at": "2026-03-02T01:30:00Z"},
    "waive-step": {"step": "answer", "reason": "r"},
    "add-item": {"item": "part"},
    "judge": {"decide": "grade", "to": 2, "reason": "r"},
    "regrade": {"grade": "major", "reason": "r"},
    "link": {"complaint": "c", "relation": "again"},
    "record-count": {"count": "same", "value": 3},
    "name-assignee": {"role": "cm", "person": "wu", "because": "only-one"},
    "open-round": {"step": "round", "period": "2026-03"},
    "fire-timer": {"clock": "answer", "due_at": "2026-03-02T01:30:00Z"},
    "record-delivery": {"step": "answer", "channel": "email", "delivered": True},
    "apply-calendar": {"version": "2026-2"},
    "change-pack": {"pack": "04", "pack_version": 2, "reason": "r"},
    "erase-subject": {"subject": "s", "reason": "r"},
    "open-duty": {"owe": "report", "period": "2026-03"},
    "record-duty": {"owe": "report"},
    "miss-duty": {"owe": "report", "period": "2026-03"},
    "produce-report": {
        "owe": "report",
        "period": "2026-03",
        "covers": ["2026-03-01", "2026-04-01"],
        "figures": {"n": 1},
    },
    "draw-sample": {"owe": "survey", "population": ["a"], "seed": 7},
}


@pytest.mark.parametrize("name", sorted(COMMAND_TYPES))
def test_a_record_of_each_command_is_as_described(name: str) -> None:
    own = uuid5(UUID(int=1), name)
    command: Command = from_wire(name, COMMAND_DATA.get(name, {}), id=own, complaint=str(own), at=NOW, by=SYSTEM)
    sent = CommandRecord(
        id=own, desk="acme", complaint=str(own), command=name, by=SYSTEM, data=data_of(command), causation_id=own
    )
    record = command_record(sent, "t", source="routing")
    assert problems(record, name) == []
    if COMMAND_DATA.get(name):
        spoilt = msgspec.structs.replace(sent, data={**sent.data, "unheard-of": 1})
        assert problems(command_record(spoilt, "t", source="routing"), name) != []


def test_records_of_the_other_topics_are_as_described() -> None:
    (sample, _) = json.loads(samples.file_of("clock.breached", 1).read_text(encoding="utf-8"))
    stored = samples.stored(sample)
    escalation = escalation_of(codec.decode(stored), public_url="http://127.0.0.1:8084")
    assert escalation is not None
    assert problems(escalation_record(stored, codec.to_json(escalation), "t"), "escalation") == []
    checkpoint = CheckpointRecord(shard=0, size=7, root="00" * 32, issued_at=NOW, note="n")
    assert problems(checkpoint_record(checkpoint, "t"), "checkpoint") == []
    notification = NotificationRecord(
        key="k", desk="acme", complaint="c", kind="alert", channel="email", outcome="delivered", at=NOW
    )
    assert problems(notification_record(notification, "t"), "notification") == []
