"""The record as an `eventsourcing` persistence module: ``PERSISTENCE_MODULE=complaints.adapters.recorder``.

The same tables and the same ``es.append`` as the services', so that what the library's applications write has its
position, its hash and its place in the checkpoints, and its applications, projections and tools read the one log.

Environment of an application:

``REDRESS_DATABASE_URL``
    the database, migrated.
``REDRESS_RECORDER_CATEGORY``
    what its streams are: ``desk`` (the default), ``duties`` or ``complaint``.
``REDRESS_RECORDER_READS``
    what notifications it sees: those of its own category (the default), or ``all``.

Beside the library's ``tracking``, ``insert_events`` (so also ``Application.save``) takes ``desk``, ``category``,
``command_id``, ``fingerprint``, ``claims``, ``releases``, ``guards``, and ``meta``, ``occurred_at`` and
``schema_version`` for events that do not bring their own as an `EnvelopedEvent`. An exact repeat of a command answers
with its original positions. Streams are numbered from 1, or from 0, without gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Event
from typing import Any, cast
from uuid import UUID, uuid4

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    IntegrityError,
    ListenNotifySubscription,
    Notification,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType, resolve_topic

from complaints.adapters.append_batch import CALL, arguments
from complaints.adapters.event_store import CATEGORY_LITERALS, COLUMNS, SHARD
from complaints.adapters.recorder_rows import by_stream, notification, places_of, prepare_all, stored_event, uuid_of
from complaints.adapters.recorder_session import Session
from complaints.ports import Category

_BETWEEN = "stream_id = $1 AND ($2::int IS NULL OR version > $2) AND ($3::int IS NULL OR version <= $3)"


class LogAggregateRecorder(AggregateRecorder):
    """Streams of events in the log."""

    def __init__(self, session: Session, *, category: Category = "desk", reads: Category | None = "desk") -> None:
        self._session, self._category, self._reads = session, category, reads

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Appends all events, of one or several streams, or none.

        Raises: IntegrityError when one of them exists already or does not follow its stream's last.
        """
        self._insert(stored_events, **kwargs)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The events of one stream with ``gt < version <= lte``."""
        order = "DESC" if desc else "ASC"
        query = f"SELECT {COLUMNS} FROM es.event WHERE {_BETWEEN} ORDER BY version {order} LIMIT $4"  # noqa: S608 - our own words
        rows = self._session.run(lambda connection: connection.fetch(query, uuid_of(originator_id), gt, lte, limit))
        return [stored_event(row) for row in rows]

    def _insert(
        self, stored_events: Sequence[StoredEvent], *, tracking: Tracking | None = None, **options: Any
    ) -> list[int]:
        """The positions of the events, in their order. Repeatable: what has been done is found done."""
        streams = by_stream(stored_events)
        given = {"category": self._category, "desk": "", "command_id": uuid4(), "occurred_at": datetime.now(UTC)}
        given |= options

        async def write(connection: Any) -> list[int]:
            batch = await prepare_all(connection, streams, given)
            rows = await connection.fetch(CALL, *arguments(batch, shard=SHARD)) if batch else ()
            places = places_of(batch, rows)
            repeats = sum(place.duplicate for place in places)
            if 0 < repeats < len(places):
                raise IntegrityError("some of these events are recorded already")
            if tracking is not None and not repeats:  # a repeat has recorded it with its events
                await _track(connection, tracking)
            zeroth = {  # where version 0 of the stream is, or would be, if its events lay side by side
                prepared.append.stream_id: place.first_position - prepared.versions[0]
                for prepared, place in zip(batch, places, strict=True)
            }
            return [zeroth[uuid_of(event.originator_id)] + event.originator_version for event in stored_events]

        return self._session.run(write)


class LogApplicationRecorder(LogAggregateRecorder, ApplicationRecorder):
    """Streams of events in the log, and the log."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """As `LogAggregateRecorder`; returns the position of each event."""
        return self._insert(stored_events, **kwargs)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The log between two positions."""
        query = f"""
            SELECT {COLUMNS} FROM es.event
            WHERE shard = $1 AND pos > $2 AND ($3::bigint IS NULL OR pos <= $3)
                AND ($4::text[] IS NULL OR type = ANY($4)){self._seen}
            ORDER BY pos LIMIT $5
        """  # noqa: S608 - our own words
        after = 0 if start is None else start - inclusive_of_start
        rows = self._session.run(
            lambda connection: connection.fetch(query, SHARD, after, stop, list(topics) or None, limit)
        )
        return [notification(row) for row in rows]

    def max_notification_id(self) -> int | None:
        """The last position that this application sees; None before the first."""
        query = f"SELECT max(pos) FROM es.event WHERE shard = $1{self._seen}"  # noqa: S608 - our own words
        return cast("int | None", self._session.run(lambda connection: connection.fetchval(query, SHARD)))

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """The log from a position on, without end."""
        return LogSubscription(recorder=self, gt=gt, topics=topics)

    def listen(self, event: Event) -> None:
        """Sets the event whenever the log has grown."""
        self._session.listen(event)

    def unlisten(self, event: Event) -> None:
        """Leaves the event alone."""
        self._session.unlisten(event)

    @property
    def _seen(self) -> str:
        return f" AND category = {CATEGORY_LITERALS[self._reads]}" if self._reads else ""


class LogSubscription(ListenNotifySubscription[LogApplicationRecorder]):
    """Follows the log; the database tells when it has grown."""

    def __init__(self, recorder: LogApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        recorder.listen(self._has_been_notified)

    def stop(self) -> None:
        """Ends the iteration."""
        super().stop()
        self._recorder.unlisten(self._has_been_notified)


class LogTrackingRecorder(TrackingRecorder):
    """How far an application has followed others; moves forward only."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def insert_tracking(self, tracking: Tracking) -> None:
        """Notes the position. Raises IntegrityError unless it is beyond the last one noted."""
        self._session.run(lambda connection: _track(connection, tracking))

    def max_tracking_id(self, application_name: str) -> int | None:
        """The last position noted; None before the first."""
        query = "SELECT notification_id FROM es.tracking WHERE application_name = $1"
        return cast("int | None", self._session.run(lambda connection: connection.fetchval(query, application_name)))


class LogProcessRecorder(LogApplicationRecorder, LogTrackingRecorder, ProcessRecorder):
    """Both, in one transaction where events come with their tracking."""

    def __init__(self, session: Session, *, category: Category = "desk", reads: Category | None = "desk") -> None:
        LogApplicationRecorder.__init__(self, session, category=category, reads=reads)


class SnapshotRecorder(AggregateRecorder):
    """Snapshots of aggregates: beside the log, for they can be taken again."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Keeps all of them or none. Raises IntegrityError where there is one of that version already."""
        rows = [
            (uuid_of(each.originator_id), each.originator_version, each.topic, each.state) for each in stored_events
        ]
        query = "INSERT INTO es.snapshot (stream_id, version, topic, state) VALUES ($1, $2, $3, $4)"
        self._session.run(lambda connection: connection.executemany(query, rows))
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The snapshots of one aggregate with ``gt < version <= lte``."""
        order = "DESC" if desc else "ASC"
        query = f"SELECT * FROM es.snapshot WHERE {_BETWEEN} ORDER BY version {order} LIMIT $4"  # noqa: S608 - our own words
        rows = self._session.run(lambda connection: connection.fetch(query, uuid_of(originator_id), gt, lte, limit))
        return [StoredEvent(uuid_of(row["stream_id"]), row["version"], row["topic"], row["state"]) for row in rows]


class LogFactory(InfrastructureFactory[LogTrackingRecorder]):
    """What the library asks when it builds an application; the environment is on the module's page."""

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        url = self.env.get("REDRESS_DATABASE_URL")
        if not url:
            raise InfrastructureFactoryError("REDRESS_DATABASE_URL names no database")
        category = self.env.get("REDRESS_RECORDER_CATEGORY", "desk")
        reads = self.env.get("REDRESS_RECORDER_READS", category)
        self._category = _category(category)
        self._reads = None if reads == "all" else _category(reads)
        self._session = Session(url)

    def close(self) -> None:
        """Closes the connections of everything that this factory built."""
        self._session.close()

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """For events in the log; for any other purpose beside it."""
        if purpose != "events":
            return SnapshotRecorder(self._session)
        return LogAggregateRecorder(self._session, category=self._category, reads=self._reads)

    def application_recorder(self) -> ApplicationRecorder:
        """For an application."""
        return LogApplicationRecorder(self._session, category=self._category, reads=self._reads)

    def tracking_recorder(
        self, tracking_recorder_class: type[LogTrackingRecorder] | None = None
    ) -> LogTrackingRecorder:
        """For a projection; of another class where one is given or the environment names one."""
        topic = self.env.get(self.TRACKING_RECORDER_TOPIC)
        chosen = tracking_recorder_class or (resolve_topic(topic) if topic else LogTrackingRecorder)
        return cast("type[LogTrackingRecorder]", chosen)(self._session)

    def process_recorder(self) -> ProcessRecorder:
        """For an application that follows others."""
        return LogProcessRecorder(self._session, category=self._category, reads=self._reads)


def _category(name: str) -> Category:
    for category in CATEGORY_LITERALS:
        if category == name:
            return category
    raise InfrastructureFactoryError(f"{name!r} is no category of streams")


async def _track(connection: Any, tracking: Tracking) -> None:
    moved = await connection.fetchval(
        "INSERT INTO es.tracking AS t (application_name, notification_id) VALUES ($1, $2)"
        " ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id"
        " WHERE t.notification_id < excluded.notification_id RETURNING 1",
        tracking.application_name,
        tracking.notification_id,
    )
    if moved is None:
        raise IntegrityError(f"{tracking.application_name} has been followed to {tracking.notification_id} or beyond")
