"""What stands in Kafka: records as we send them, messages as we find them, and events and commands in both.

The value of an event's record is a JSON object in the shape that everybody sees: the event's envelope as it is
stored, and beside it ``event``, ``data`` and where it stands in the log. Personal values are sealed as in the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from aiokafka import ConsumerRecord

from complaints.adapters import cloudevents
from complaints.adapters.cloudevents import Headers, event_id
from complaints.commands import Command, Sender, from_wire
from complaints.errors import Undecodable
from complaints.ports import Category, StoredEvent

SCHEMAS: Final = "https://redress.example/schemas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What goes out. Records with the same key stay in order."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A record as it lies on its topic. Headers and key are text, escaped where they were none."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str]

    @property
    def id(self) -> str:
        """``ce_id``; empty where there is none."""
        return self.headers.get("ce_id", "")

    @property
    def position(self) -> int | None:
        """Position in the log of the event that it tells of; None where it names none."""
        return _number(self.headers.get("ce_sequence"), below=2**63)

    @property
    def version(self) -> int | None:
        """Version of the stream; None where it names none."""
        return _number(self.headers.get("ce_streamversion"), below=2**31)

    @property
    def traceparent(self) -> str | None:
        """W3C trace context that it carries on."""
        return self.headers.get(cloudevents.TRACEPARENT)


def message_of(record: ConsumerRecord) -> Message:
    """The message that a consumer received. Never fails: what is wrong with it shows when it is decoded."""
    return Message(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=cloudevents.text(record.key),
        value=record.value or b"",
        headers=cloudevents.decode(record.headers),
    )


# --- events ----------------------------------------------------------------------------------------------------------
class _Cause(msgspec.Struct):
    """What the headers say of an envelope."""

    complaint: str | None = None
    clause: str | list[str] | None = None
    causation_id: str | None = None
    correlation_id: str | None = None
    traceparent: str | None = None


class EventPlace(msgspec.Struct, kw_only=True):
    """What the value says beside the envelope."""

    event: str
    data: msgspec.Raw
    schema_version: int
    version: int
    position: int
    recorded_at: datetime
    stream: UUID
    category: Category
    hash: str
    previous_hash: str


_PLACE: Final = frozenset(EventPlace.__struct_fields__)
_cause: Final = msgspec.json.Decoder(_Cause)
_place: Final = msgspec.json.Decoder(EventPlace)
_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def event_record(stored: StoredEvent, topic: str) -> Record:
    """The record of an event of the log.

    Raises:
        Undecodable: its envelope or its data is no JSON object.
    """
    try:
        cause = _cause.decode(stored.meta)
        envelope = _object.decode(stored.meta)
    except msgspec.MsgspecError as error:
        raise Undecodable(f"{stored.type} at {stored.position}: {error}", position=stored.position) from error
    place = EventPlace(
        event=stored.type,
        data=msgspec.Raw(stored.data),
        schema_version=stored.schema_version,
        version=stored.version,
        position=stored.position,
        recorded_at=stored.recorded_at.astimezone(UTC),
        stream=stored.stream_id,
        category=stored.category,
        hash=stored.hash.hex(),
        previous_hash=stored.previous_hash.hex(),
    )
    value = {**envelope, **{name: getattr(place, name) for name in EventPlace.__struct_fields__}}
    headers = cloudevents.encode(
        {
            "id": event_id(stored.stream_id, stored.version),
            "source": f"/desks/{stored.desk}",
            "type": stored.type,
            "subject": cause.complaint or str(stored.stream_id),
            "time": stored.occurred_at.astimezone(UTC),
            "dataschema": record_schema("events", stored.type, stored.schema_version),
            "sequence": stored.position,
            "streamversion": stored.version,
            "desk": stored.desk,
            "category": stored.category,
            "clause": cloudevents.clause_text(cause.clause),
            "commandid": stored.command_id,
            "causationid": cause.causation_id,
            "correlationid": cause.correlation_id,
        },
        traceparent=cause.traceparent,
    )
    return Record(topic=topic, key=stream_key(stored.stream_id), value=msgspec.json.encode(value), headers=headers)


def stored_event(message: Message) -> StoredEvent:
    """The row of the log that an event's record was made of, byte for byte.

    Raises:
        Undecodable: the value or a header is not what ``event_record`` makes.
    """
    try:
        place = _place.decode(message.value)
        envelope = {name: raw for name, raw in _object.decode(message.value).items() if name not in _PLACE}
        if (message.key, message.position, message.version) != (str(place.stream), place.position, place.version):
            raise Undecodable("key, headers and value name different events")
        headers = message.headers
        return StoredEvent(
            position=place.position,
            stream_id=place.stream,
            version=place.version,
            category=place.category,
            desk=headers["ce_desk"],
            type=place.event,
            schema_version=place.schema_version,
            occurred_at=datetime.fromisoformat(headers["ce_time"]),
            recorded_at=place.recorded_at,
            command_id=UUID(headers["ce_commandid"]),
            data=bytes(place.data),
            meta=msgspec.json.encode(envelope),
            previous_hash=bytes.fromhex(place.previous_hash),
            hash=bytes.fromhex(place.hash),
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, ValueError) as error:
        raise Undecodable(f"no event: {_why(error)}") from error


# --- commands --------------------------------------------------------------------------------------------------------
class CommandRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command on its way to intake, which stamps its instant."""

    id: UUID
    desk: str
    complaint: str
    command: str
    by: Sender
    data: dict[str, Any]
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    traceparent: str | None = None

    def to_command(self, at: datetime) -> Command:
        """The command, asked at ``at``. Raises: Malformed."""
        return from_wire(self.command, self.data, id=self.id, complaint=self.complaint, at=at, by=self.by)


_command: Final = msgspec.json.Decoder(CommandRecord)


def command_record(command: CommandRecord, topic: str, *, source: str) -> Record:
    """The record of a command that the service ``source`` sends."""
    headers = cloudevents.encode(
        {
            "id": command.id,
            "source": f"/services/{source}",
            "type": command.command,
            "subject": command.complaint,
            "dataschema": record_schema("commands", command.command, 1),
            "desk": command.desk,
            "causationid": command.causation_id,
            "correlationid": command.correlation_id,
        },
        traceparent=command.traceparent,
    )
    return Record(topic=topic, key=command.complaint.encode(), value=msgspec.json.encode(command), headers=headers)


def command_of(message: Message) -> CommandRecord:
    """The command in a record. Raises: Undecodable."""
    try:
        return _command.decode(message.value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Undecodable(f"no command: {_why(error)}") from error


# --- anything else ---------------------------------------------------------------------------------------------------
def record_schema(kind: str, name: str, version: int) -> str:
    """The URI that names the schema of a record's value."""
    return f"{SCHEMAS}/{kind}/records/{name}.v{version}.json"


def stream_key(stream_id: UUID) -> bytes:
    """The key of every record that tells of a stream."""
    return str(stream_id).encode()


def positions(messages: Sequence[Message]) -> list[int]:
    """The positions that messages name."""
    return [position for message in messages if (position := message.position) is not None]


def _number(text: str | None, *, below: int) -> int | None:
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 20:
        return None
    return number if (number := int(text)) < below else None


def _why(error: Exception) -> str:
    """What is wrong, without the value that is: msgspec names types and places only, the others quote."""
    if isinstance(error, msgspec.MsgspecError):
        return str(error)
    return f"no header {error}" if isinstance(error, KeyError) else type(error).__name__
