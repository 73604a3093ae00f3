"""Records of what is not an event: what needs a person now, what became of a message, signed checkpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid5

import msgspec

from complaints.adapters import cloudevents
from complaints.adapters.cloudevents import event_id
from complaints.adapters.records import Record, record_schema, stream_key
from complaints.ports import StoredEvent


class _Cause(msgspec.Struct):
    """What an envelope says of where its event belongs."""

    correlation_id: UUID | None = None
    traceparent: str | None = None


def escalation_record(stored: StoredEvent, value: bytes, topic: str) -> Record:
    """The record that says that an event needs a person now; ``value`` is its JSON."""
    cause = msgspec.json.decode(stored.meta, type=_Cause)
    headers = cloudevents.encode(
        {
            "id": uuid5(stored.stream_id, f"escalation:{stored.version}"),
            "source": f"/desks/{stored.desk}",
            "type": "escalation",
            "subject": str(stored.stream_id),
            "time": stored.occurred_at.astimezone(UTC),
            "dataschema": record_schema("escalations", "escalation", 1),
            "sequence": stored.position,
            "streamversion": stored.version,
            "desk": stored.desk,
            "category": stored.category,
            "causationid": event_id(stored.stream_id, stored.version),
            "correlationid": cause.correlation_id,
        },
        traceparent=cause.traceparent,
    )
    return Record(topic=topic, key=stream_key(stored.stream_id), value=value, headers=headers)


class CheckpointRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A signed checkpoint of the log as it goes out: ``note`` is what counts, the rest saves parsing it."""

    shard: int
    size: int
    root: str
    issued_at: datetime
    note: str


class NotificationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message. It says to whom by role or by channel, never by name or address."""

    key: str  # what makes the message one: nothing is sent twice under it
    desk: str
    complaint: str
    kind: str
    channel: str
    outcome: Literal["delivered", "failed", "withheld"]
    at: datetime
    clause: str | list[str] | None = None
    step: str | None = None
    clock: str | None = None
    reason: str | None = None  # a code, of what did not go out


def notification_record(notification: NotificationRecord, topic: str) -> Record:
    """The record of what became of a message."""
    headers = cloudevents.encode(
        {
            "id": notification.key,
            "source": f"/desks/{notification.desk}",
            "type": "notification",
            "subject": notification.complaint,
            "time": notification.at.astimezone(UTC),
            "dataschema": record_schema("notifications", "notification", 1),
            "desk": notification.desk,
            "clause": cloudevents.clause_text(notification.clause),
        }
    )
    key, value = notification.complaint.encode(), msgspec.json.encode(notification)
    return Record(topic=topic, key=key, value=value, headers=headers)


def checkpoint_record(checkpoint: CheckpointRecord, topic: str) -> Record:
    """The record of a checkpoint."""
    headers = cloudevents.encode(
        {
            "id": f"{checkpoint.shard}:{checkpoint.size}",
            "source": "/services/relay",
            "type": "checkpoint",
            "time": checkpoint.issued_at.astimezone(UTC),
            "dataschema": record_schema("checkpoints", "checkpoint", 1),
            "sequence": checkpoint.size,
        }
    )
    key = str(checkpoint.shard).encode()
    return Record(topic=topic, key=key, value=msgspec.json.encode(checkpoint), headers=headers)
