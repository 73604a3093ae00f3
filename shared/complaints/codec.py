"""Events to what is stored and back, and to the shape in which everybody outside sees them.

``data`` holds the fields of an event, ``meta`` its envelope; both are JSON, and what is hashed is what is stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from complaints.commands import Sender
from complaints.errors import Undecodable
from complaints.events import Clause, Event, stored_name, tag_of
from complaints.personal import BY_PERSON, ERASED_MARK, SEALED, Marks, Path, Sealed, marked, with_values
from complaints.ports import Category, NewEvent, StoredEvent
from complaints.registry import REGISTRY, Registry

DESK: Final = "desk"
"""What stands for the complaint in events of a desk's own streams."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an event comes from. ``complaint`` is the stream's id, or ``desk``.

    The first four are the event's own; the rest is the same for all events of a command.
    """

    at: datetime
    clause: Clause = None
    rule: str | None = None
    inputs: dict[str, Any] = {}
    desk: str
    complaint: str
    pack: str | None = None
    pack_version: int | None = None
    desk_version: int = 0
    by: Sender
    frontend: str | None = None
    command_id: UUID
    causation_id: UUID | None = None  # the command or event that led to this command
    correlation_id: UUID | None = None
    traceparent: str | None = None
    imported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event of the log, read. ``sealed``: the personal values not opened yet, by path."""

    position: int
    stream_id: UUID
    version: int
    category: Category
    desk: str
    type: str
    schema_version: int
    recorded_at: datetime
    event: Event
    meta: Envelope
    hash: bytes
    sealed: dict[Path, Sealed]

    @property
    def complaint(self) -> str:
        """The case as the outside names it."""
        return self.meta.complaint


def to_json(value: Any) -> bytes:
    """JSON of anything that may hold sealed or erased values."""
    return _ENCODER.encode(value)


def builtins(value: Any) -> Any:
    """Plain dicts, lists and scalars of anything that may hold sealed or erased values; instants become text."""
    return msgspec.to_builtins(value, enc_hook=marked, str_keys=True)


_ENCODER: Final = msgspec.json.Encoder(enc_hook=marked)
_META: Final = msgspec.json.Decoder(Envelope)
_MARKERS: Final = (SEALED.encode(), ERASED_MARK.encode())


def event_data(event: Event, registry: Registry = REGISTRY) -> dict[str, Any]:
    """The data of an event as the vocabulary shows it."""
    data: dict[str, Any] = builtins(registry.data(event))
    return data


def data_json(event: Event) -> bytes:
    """The data of an event as it is stored."""
    return _ENCODER.encode(REGISTRY.data(event))


def encode(event: Event, meta: Envelope, *, case: str = "complaint", registry: Registry = REGISTRY) -> NewEvent:
    """The event as it is stored. What the event says of itself (at, clause, rule, inputs) goes into the envelope."""
    return Encoding(meta, case=case, registry=registry).encode(event)


class Encoding:
    """Encodes the events of one command, and what their envelopes have in common only once."""

    def __init__(self, meta: Envelope, *, case: str = "complaint", registry: Registry = REGISTRY) -> None:
        self.case, self._registry = case, registry
        if meta.clause is not None or meta.rule is not None or meta.inputs:
            meta = msgspec.structs.replace(meta, clause=None, rule=None, inputs={})
        common = to_json(meta)
        self._common = common[common.index(b",") :]  # beyond the instant, which comes first

    def encode(self, event: Event, data: bytes | None = None) -> NewEvent:
        """The event as it is stored; ``data``: its data, where that is written already."""
        write = _ENCODER.encode
        own = write(_Own(event.at, event.clause, event.rule, event.inputs))
        return NewEvent(
            type=stored_name(event, self.case),
            schema_version=event.schema_version,
            occurred_at=event.at,
            data=write(self._registry.data(event)) if data is None else data,
            meta=own[:-1] + self._common,
        )


class _Own(msgspec.Struct, frozen=True, omit_defaults=True):
    """The beginning of an envelope: what the event says of itself."""

    at: datetime
    clause: Clause = None
    rule: str | None = None
    inputs: dict[str, Any] = {}


def decode(stored: StoredEvent, registry: Registry = REGISTRY) -> Recorded:
    """The event that a row of the log holds; personal values stay sealed.

    Raises:
        Undecodable: no version of the vocabulary explains the row.
    """
    marks = Marks(stored.stream_id, stored.version)
    event, meta = _read(stored, marks, registry)
    return Recorded(
        position=stored.position,
        stream_id=stored.stream_id,
        version=stored.version,
        category=stored.category,
        desk=stored.desk,
        type=stored.type,
        schema_version=stored.schema_version,
        recorded_at=stored.recorded_at,
        event=event,
        meta=meta,
        hash=stored.hash,
        sealed=marks.found,
    )


def _read(stored: StoredEvent, marks: Marks, registry: Registry) -> tuple[Event, Envelope]:
    name, version = stored.type, stored.schema_version
    try:
        envelope = _envelope(stored.meta, marks)
        fields: Any = msgspec.json.decode(stored.data)
        if not isinstance(fields, dict):
            raise Undecodable(f"the data of {name} is no object", type=name, schema_version=version)
        kind, fields = registry.current(name, version, fields)
        if any(marker in stored.data for marker in _MARKERS):
            fields = marks.read(fields)
        own = {"at": envelope.at, "clause": envelope.clause, "rule": envelope.rule, "inputs": envelope.inputs}
        return msgspec.convert({**fields, **own, "type": tag_of(kind)}, kind), envelope
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise Undecodable(f"{name} {version}: {error}", type=name, schema_version=version) from error


def _envelope(meta: bytes, marks: Marks) -> Envelope:
    if any(marker in meta for marker in _MARKERS):
        return msgspec.convert(marks.read(msgspec.json.decode(meta)), Envelope)
    return _META.decode(meta)


def opened(recorded: Recorded, values: dict[Path, Any]) -> Recorded:
    """The event with these of its sealed values replaced by what was in them."""
    event = with_values(recorded.event, values)
    by = recorded.meta.by
    if BY_PERSON in values:
        by = Sender(person=values[BY_PERSON], role=by.role)
    left = {path: sealed for path, sealed in recorded.sealed.items() if path not in values}
    return replace(
        recorded, event=event, meta=msgspec.structs.replace(recorded.meta, by=by, inputs=event.inputs), sealed=left
    )


def wire_event(event: Event, *, complaint: str, case: str = "complaint") -> dict[str, Any]:
    """The shape in which everybody sees an event, as far as it is known without a log."""
    return {
        "at": event.at,
        "complaint": complaint,
        "event": stored_name(event, case),
        "clause": event.clause,
        "data": event_data(event),
    }


def wire(recorded: Recorded) -> dict[str, Any]:
    """The shape in which everybody sees an event of the log."""
    meta, event = recorded.meta, recorded.event
    return {
        "at": event.at,
        "complaint": meta.complaint,
        "event": recorded.type,
        "clause": event.clause,
        "data": event_data(event),
        "version": recorded.version,
        "position": recorded.position,
        "recorded_at": recorded.recorded_at,
        "pack": meta.pack,
        "pack_version": meta.pack_version,
        "desk_version": meta.desk_version,
        "rule": event.rule,
        "inputs": builtins(event.inputs),
        "by": builtins(meta.by),
        "command_id": str(meta.command_id),
        "correlation_id": meta.correlation_id and str(meta.correlation_id),
        "causation_id": meta.causation_id and str(meta.causation_id),
        "hash": recorded.hash.hex(),
    }
