"""The library's stored events as appends of ours, and rows of the log as the library's stored events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from eventsourcing.persistence import IntegrityError, Notification, StoredEvent

from complaints.adapters.append_batch import Prepared, answers, prepare
from complaints.errors import RedressError
from complaints.ports import GENESIS, Append, Appended, NewEvent


@dataclass(frozen=True)
class EnvelopedEvent(StoredEvent):
    """A stored event that brings the rest of its row: what our own events have and the library's do not."""

    meta: bytes
    occurred_at: datetime
    schema_version: int = 1


@dataclass(frozen=True)
class EnvelopedNotification(Notification):
    """The notification of an `EnvelopedEvent`."""

    meta: bytes
    occurred_at: datetime
    schema_version: int = 1


def by_stream(stored_events: Sequence[StoredEvent]) -> dict[UUID, list[StoredEvent]]:
    """The events of each stream, in their order."""
    streams: dict[UUID, list[StoredEvent]] = {}
    for event in stored_events:
        streams.setdefault(uuid_of(event.originator_id), []).append(event)
    return streams


async def prepare_all(
    connection: Any, streams: Mapping[UUID, Sequence[StoredEvent]], options: Mapping[str, Any]
) -> list[Prepared]:
    """One append for each stream, over the hash of the event before its first new one.

    ``options`` are those of ``insert_events``; what is meant for the whole command goes with the first stream.

    Raises: IntegrityError where events do not follow one another.
    """
    before = await connection.fetch(
        "SELECT e.stream_id, e.hash FROM unnest($1::uuid[], $2::int[]) new (stream_id, version)"
        " JOIN es.event e ON e.stream_id = new.stream_id AND e.version = new.version - 1",
        list(streams),
        [events[0].originator_version for events in streams.values()],
    )
    previous = {row["stream_id"]: row["hash"] for row in before}
    batch = []
    for number, (stream_id, events) in enumerate(streams.items()):
        first = events[0].originator_version
        if [event.originator_version for event in events] != list(range(first, first + len(events))):
            raise IntegrityError(f"the versions for {stream_id} do not follow one another")
        if first > 1 and stream_id not in previous:
            raise IntegrityError(f"{stream_id} has no version {first - 1}")
        append = Append(
            stream_id=stream_id,
            category=options["category"],
            desk=options["desk"],
            expected_version=max(first - 1, 0),
            previous_hash=previous.get(stream_id, GENESIS),
            command_id=uuid5(options["command_id"], str(stream_id)) if number else options["command_id"],
            fingerprint=options.get("fingerprint", b""),
            events=tuple(_new_event(event, options) for event in events),
            **{name: () if number else tuple(options.get(name, ())) for name in ("claims", "releases", "guards")},
        )
        batch.append(prepare(append, counts_from_zero=first == 0))
    return batch


def places_of(batch: Sequence[Prepared], rows: Sequence[Any]) -> list[Appended]:
    """Where the appends stand. Raises IntegrityError where one was not done, or was done with other events."""
    places = []
    for prepared, place in zip(batch, answers(batch, rows), strict=True):
        if isinstance(place, RedressError):
            raise IntegrityError(str(place)) from place
        if place.hash != prepared.hashes[-1]:
            raise IntegrityError(f"command {prepared.append.command_id} was done before, with other events")
        places.append(place)
    return places


def stored_event(row: Any) -> StoredEvent:
    """As it was given: what came without an envelope goes without one."""
    fields = (uuid_of(row["stream_id"]), row["version"], row["type"], row["data"])
    if not row["meta"]:
        return StoredEvent(*fields)
    return EnvelopedEvent(*fields, row["meta"], row["occurred_at"], row["schema_version"])


def notification(row: Any) -> Notification:
    """The same at its position."""
    fields = (uuid_of(row["stream_id"]), row["version"], row["type"], row["data"], row["pos"])
    if not row["meta"]:
        return Notification(*fields)
    return EnvelopedNotification(*fields, row["meta"], row["occurred_at"], row["schema_version"])


def uuid_of(originator_id: UUID | str) -> UUID:
    """As the standard library's own kind."""
    return UUID(str(originator_id))


def _new_event(event: StoredEvent, options: Mapping[str, Any]) -> NewEvent:
    if isinstance(event, EnvelopedEvent):
        meta, occurred_at, schema_version = event.meta, event.occurred_at, event.schema_version
    else:
        meta, occurred_at = options.get("meta", b""), options["occurred_at"]
        schema_version = options.get("schema_version", 1)
    return NewEvent(
        type=event.topic, schema_version=schema_version, occurred_at=occurred_at, data=event.state, meta=meta
    )
