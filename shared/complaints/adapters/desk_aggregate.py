"""A desk as `eventsourcing` sees it: an Aggregate whose events are ours, an Application that records them in our log.

The library's stored form is replaced by the codec: stable names (``desk.person-joined``), one JSON, one envelope, like
every other event of the log. Personal values stay sealed here; nobody in this module has a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, DomainEventProtocol
from eventsourcing.persistence import IntegrityError, Mapper, OperationalError, StoredEvent
from eventsourcing.utils import get_topic

from complaints import ports
from complaints.adapters.recorder_rows import EnvelopedEvent
from complaints.codec import Envelope, decode, encode
from complaints.desk_events import DeskEvent, DeskOpened, PackAdopted
from complaints.desk_view import AdoptedPack, DeskView
from complaints.desks import evolve
from complaints.errors import RedressError, StoreUnavailable, Undecodable, VersionConflict
from complaints.identity import desk_stream
from complaints.ports import GENESIS


class Desk(Aggregate):
    """One organisation's desk. ``view``: as it is now, its personal values sealed and its pack by digest only."""

    class Opened(Aggregate.Created):
        """The first event of a desk."""

        change: DeskEvent
        envelope: Envelope

    class Changed(Aggregate.Event):
        """Any later event of a desk."""

        change: DeskEvent
        envelope: Envelope

        def apply(self, aggregate: Any) -> None:
            """Moves the view on."""
            aggregate.view = evolve(aggregate.view, self.originator_version, self.change, _by_digest(self.change))

    def __init__(self, change: DeskEvent) -> None:
        """The library's way to begin, by the fields of the first event; others use ``open``."""
        self.view: DeskView = evolve(None, self.INITIAL_VERSION, change, {})

    @classmethod
    def open(cls, change: DeskOpened, envelope: Envelope) -> Desk:
        """A new desk."""
        stream = desk_stream(change.desk)
        return cls._create(cls.Opened, id=stream, timestamp=change.at, change=change, envelope=envelope)

    def change(self, change: DeskEvent, envelope: Envelope) -> None:
        """Records a change, which its checks have allowed."""
        self.trigger_event(self.Changed, timestamp=change.at, change=change, envelope=envelope)


def _by_digest(change: DeskEvent) -> dict[str, AdoptedPack]:
    if not isinstance(change, PackAdopted):
        return {}
    return {change.digest: AdoptedPack(id=change.pack, version=change.pack_version, digest=change.digest, text="")}


class DeskMapper(Mapper[UUID]):
    """Between the aggregate's events and the rows of our log."""

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """The event as the codec writes it."""
        event = cast("Desk.Opened | Desk.Changed", domain_event)
        new = encode(event.change, event.envelope)
        return EnvelopedEvent(
            originator_id=event.originator_id,
            originator_version=event.originator_version,
            topic=new.type,
            state=new.data,
            meta=new.meta,
            occurred_at=new.occurred_at,
            schema_version=new.schema_version,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """The event that a row holds. Raises Undecodable."""
        if not isinstance(stored_event, EnvelopedEvent):
            raise Undecodable(f"{stored_event.topic} has no envelope")
        record = decode(_row(stored_event))
        fields: dict[str, Any] = {
            "originator_id": stored_event.originator_id,
            "originator_version": stored_event.originator_version,
            "timestamp": record.event.at,
            "change": record.event,
            "envelope": record.meta,
        }
        if isinstance(record.event, DeskOpened):
            return Desk.Opened(originator_topic=get_topic(Desk), **fields)
        return Desk.Changed(**fields)


def _row(event: EnvelopedEvent) -> ports.StoredEvent:
    """What the codec reads, with what the library does not tell left empty."""
    return ports.StoredEvent(
        position=0,
        stream_id=UUID(str(event.originator_id)),
        version=event.originator_version,
        category="desk",
        desk="",
        type=event.topic,
        schema_version=event.schema_version,
        occurred_at=event.occurred_at,
        recorded_at=event.occurred_at,
        command_id=UUID(int=0),
        data=event.state,
        meta=event.meta,
        previous_hash=GENESIS,
        hash=GENESIS,
    )


class DeskApplication(Application[UUID]):
    """Records what happens to desks. Synchronous: to be called from threads."""

    name = "desks"
    env: ClassVar[dict[str, str]] = {
        "PERSISTENCE_MODULE": "complaints.adapters.recorder",
        "REDRESS_RECORDER_CATEGORY": "desk",
    }

    def construct_mapper(self) -> Mapper[UUID]:
        """Ours."""
        return DeskMapper(transcoder=self.construct_transcoder())

    def desk(self, desk: str) -> Desk | None:
        """The desk as it is in the log; None where nobody has opened it."""
        try:
            found: Desk = self.repository.get(desk_stream(desk))
        except AggregateNotFoundError:
            return None
        return found

    def record(
        self, desk: str, changes: Sequence[tuple[DeskEvent, Envelope]], *, expected_version: int, fingerprint: bytes
    ) -> tuple[int, int]:
        """Records changes that were decided on a version of the desk; answers its version now, and the last position.

        Raises: VersionConflict where the desk has another version by now; StoreUnavailable.
        """
        try:
            aggregate = self._changed(desk, changes, expected_version)
            recordings = self.save(aggregate, desk=desk, command_id=changes[0][1].command_id, fingerprint=fingerprint)
        except IntegrityError as error:
            if isinstance(error.__cause__, RedressError):
                raise error.__cause__ from None
            raise VersionConflict(desk_stream(desk), expected_version, -1) from error
        except OperationalError as error:
            raise StoreUnavailable(str(error)) from error
        return aggregate.version, recordings[-1].notification.id

    def _changed(self, desk: str, changes: Sequence[tuple[DeskEvent, Envelope]], expected_version: int) -> Desk:
        found = self.desk(desk)
        actual = found.version if found is not None else 0
        if actual != expected_version:
            raise VersionConflict(desk_stream(desk), expected_version, actual)
        for change, envelope in changes:
            if found is not None:
                found.change(change, envelope)
            elif isinstance(change, DeskOpened):
                found = Desk.open(change, envelope)
        if found is None:
            raise ValueError(f"desk {desk} is not opened by its first change")
        return found
