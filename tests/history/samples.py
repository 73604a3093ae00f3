"""Samples: one file for each name and version, written once, never changed.

Each holds two: an event with a value in every field, and one with no more than it must have. ``stored`` is what lies
in the log, byte for byte (as text); ``means`` is the event it must decode to, field by field as Python prints it, so
that a lost field, a changed default or another reading shows.

    python -m tests.history.samples         writes the samples that are missing, and no other
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from complaints.calendar_spec import CalendarSpec
from complaints.codec import Envelope, Recorded, decode, encode
from complaints.commands import Sender
from complaints.events import DutyEvent, Event, Origin, tag_of
from complaints.personal import Path as FieldPath
from complaints.personal import Sealed, dotted, personal_values, with_values
from complaints.ports import GENESIS, Category, StoredEvent
from complaints.registry import REGISTRY

HERE = Path(__file__).parent / "events"
AT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
STREAM = UUID("6f1c0f0e-52a4-5d0e-9c53-0a4f5b1f7c11")
SUBJECT = UUID("0d3b6f5e-9a53-8c4f-8f3e-27a1a1a1a1a1")
DUTIES = {tag_of(kind) for kind in get_args(DutyEvent)}
COMMAND = UUID("b1f4c0de-0000-5000-8000-000000000001")


def file_of(name: str, version: int) -> Path:
    """Where the sample of a version lies."""
    return HERE / f"{name}.v{version}.json"


def stored(sample: dict[str, Any]) -> StoredEvent:
    """The row of the log that a sample holds."""
    row = sample["stored"]
    return StoredEvent(
        position=row["position"],
        stream_id=UUID(row["stream_id"]),
        version=row["version"],
        category=row["category"],
        desk=row["desk"],
        type=row["type"],
        schema_version=row["schema_version"],
        occurred_at=datetime.fromisoformat(row["occurred_at"]),
        recorded_at=datetime.fromisoformat(row["recorded_at"]),
        command_id=UUID(row["command_id"]),
        data=row["data"].encode(),
        meta=row["meta"].encode(),
        previous_hash=GENESIS,
        hash=GENESIS,
    )


def meaning(recorded: Recorded) -> dict[str, dict[str, str]]:
    """An event and its envelope, written out: every field, usual values as well."""
    return {
        "event": {name: repr(getattr(recorded.event, name)) for name in recorded.event.__struct_fields__},
        "meta": {name: repr(getattr(recorded.meta, name)) for name in recorded.meta.__struct_fields__},
        "sealed": {dotted(path): repr(value.marker()) for path, value in recorded.sealed.items()},
    }


def usual(recorded: Recorded) -> dict[str, dict[str, str]]:
    """The usual value of each field that has one: what a field added later must mean for an older event."""
    return {"event": _usual(type(recorded.event)), "meta": _usual(Envelope), "sealed": {}}


def _usual(kind: type[msgspec.Struct]) -> dict[str, str]:
    values = {}
    for field in msgspec.structs.fields(kind):
        if field.default is not msgspec.NODEFAULT:
            values[field.name] = repr(field.default)
        elif field.default_factory is not msgspec.NODEFAULT:
            values[field.name] = repr(field.default_factory())
    return values


def write_missing() -> list[str]:
    """Writes a sample for every name and version that has none; answers which."""
    written = []
    HERE.mkdir(exist_ok=True)
    for name, version in REGISTRY.names():
        kind = REGISTRY.type_of(name)
        if file_of(name, version).exists() or kind is None or version != kind.schema_version:
            continue
        samples: list[dict[str, Any]] = [{"stored": row_of(name, filled(kind))}, {"stored": row_of(name, least(kind))}]
        for sample in samples:
            sample["means"] = meaning(decode(stored(sample)))
        file_of(name, version).write_text(json.dumps(samples, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        written.append(f"{name} {version}")
    return written


def row_of(name: str, event: Event) -> dict[str, Any]:
    """The row that holds an event, its personal values sealed."""
    values = personal_values(event, facts={"content"}, by_customer=False)
    event = with_values(event, {value.path: sealed(value.path) for value in values})
    category: Category = "desk" if name.startswith("desk.") else "duties" if name in DUTIES else "complaint"
    meta = Envelope(
        desk="demo",
        complaint=str(STREAM) if category == "complaint" else "desk",
        at=AT,
        pack="00-plain-desk",
        pack_version=1,
        desk_version=7,
        by=Sender(person="wu", role="front"),
        frontend="web",
        command_id=COMMAND,
        causation_id=UUID(int=2),
        correlation_id=UUID(int=3),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    new = encode(event, meta, case="shipment" if name.startswith("case.") else "complaint")
    return {
        "position": 41,
        "stream_id": str(STREAM),
        "version": 3,
        "category": category,
        "desk": "demo",
        "type": new.type,
        "schema_version": new.schema_version,
        "occurred_at": new.occurred_at.isoformat(),
        "recorded_at": (AT + timedelta(seconds=1)).isoformat(),
        "command_id": str(COMMAND),
        "data": new.data.decode(),
        "meta": new.meta.decode(),
    }


def sealed(path: FieldPath) -> Sealed:
    """A sealed value as it looks; nobody has its key."""
    return Sealed(
        "bm9uY2UtMTJieXRlLSBjaXBoZXI=", subject=SUBJECT, generation=1, stream=STREAM, version=3, path=dotted(path)
    )


ENVELOPE: dict[str, Any] = {
    "at": AT,
    "clause": ["第四条/b", "desk:hours.answer"],
    "rule": "to_md",
    "inputs": {"major": True, "content": "漏水"},
}


def filled(kind: type[Event]) -> Event:
    """An event with a value in every field, none of them the usual one."""
    hints = get_type_hints(kind)
    names = [field.name for field in msgspec.structs.fields(kind)]
    return kind(**{name: ENVELOPE.get(name) or value_of(name, hints[name]) for name in names})


def least(kind: type[Event]) -> Event:
    """An event with no more than it must have."""
    hints = get_type_hints(kind)
    names = [field.name for field in msgspec.structs.fields(kind) if field.required]
    return kind(**{name: ENVELOPE.get(name) or value_of(name, hints[name]) for name in names})


def value_of(name: str, hint: Any) -> Any:
    """A value of a field's type."""
    if hint in SCALARS:
        return SCALARS[hint]
    if hint is Any:
        return NAMED.get(name, "24 h")
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is dict:
        return NAMED.get(name) or {"email": value_of(name, arguments[1])}
    if origin in {list, tuple}:
        pair = origin is tuple and Ellipsis not in arguments
        return origin([value_of(name, argument) for argument in (arguments if pair else arguments[:1])])
    if origin in {Union, UnionType}:
        return value_of(name, next(argument for argument in arguments if argument is not type(None)))
    return f"{name} 值"


NAMED: dict[str, Any] = {
    "facts": {"content": "漏水", "major": True, "amount": 3},
    "looked_at": {"content": "漏水", "major": True, "amount": 3},
    "answers": {"hours.answer": "working"},
    "figures": [{"list": "received", "shows": ["content"], "is": [{"complaint": str(STREAM), "content": "漏水"}]}],
}
SCALARS: dict[Any, Any] = {
    bool: True,
    int: 2,
    float: 0.75,
    datetime: AT + timedelta(days=1),
    date: date(2026, 10, 1),
    Origin: Origin(complaint=str(UUID(int=9)), relation="recurrence"),
    CalendarSpec: CalendarSpec(
        id="2026",
        timezone="Asia/Shanghai",
        weekly={"mon": (("09:00", "12:00"), ("13:30", "18:00"))},
        holidays=(date(2026, 10, 1),),
        published_until=date(2026, 12, 31),
    ),
}


if __name__ == "__main__":
    for line in write_missing():
        print(line)
