"""Streams as states: loads one by replay, keeps it in memory, writes what was decided about it. Pure but for its ports.

A state in memory may be old: a write against it is refused by the store, and whoever would refuse a command because of
it asks for a fresh one first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from complaints.codec import Encoding, Envelope, Recorded, decode
from complaints.errors import Unknown
from complaints.events import ComplaintReceived, Event, PackChanged, SubjectErased
from complaints.ports import GENESIS, Append, Appended, Category, Claim, EventStore, Guard, NewEvent
from complaints.sealer import Sealer, Unsealed

State = TypeVar("State")

CACHED: Final = 10_000


class Folded(Generic[State]):
    """A state, and events that have come since; folded when somebody asks for it."""

    __slots__ = ("_events", "_evolve", "_state")

    def __init__(self, state: State, events: Sequence[Event], evolve: Callable[[State, Any], State]) -> None:
        self._state, self._events, self._evolve = state, events, evolve

    @property
    def state(self) -> State:
        """The state after all of them."""
        if self._events:
            state = self._state
            for event in self._events:
                state = self._evolve(state, event)
            self._state, self._events = state, ()
        return self._state


class Loaded(msgspec.Struct, Generic[State], frozen=True, kw_only=True):
    """A stream as it stands. ``version`` 0: there is none yet.

    ``desk_version``: the version of its desk whose procedure it runs under. ``subject``: whom its personal values are
    about.
    """

    stream_id: UUID
    desk: str
    version: int
    hash: bytes
    folded: Folded[State]
    desk_version: int
    subject: UUID
    case: str = "complaint"

    @property
    def state(self) -> State:
        """What its events come to."""
        return self.folded.state


class Written(msgspec.Struct, Generic[State], frozen=True, kw_only=True):
    """What became of a write; ``after`` is None where it was written before."""

    appended: Appended
    events: Sequence[Event]
    after: Loaded[State] | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is written beside the events."""

    meta: Envelope
    fingerprint: bytes
    facts: Collection[str] = ()  # those that the procedure declares personal
    claims: tuple[Claim, ...] = ()
    releases: tuple[Claim, ...] = ()
    guards: tuple[Guard, ...] = ()


class Streams(Generic[State]):
    """The streams of one category, folded by ``evolve`` from ``initial``."""

    def __init__(
        self,
        category: Category,
        initial: State,
        evolve: Callable[[State, Any], State],
        *,
        store: EventStore,
        sealer: Sealer,
        cached: int = CACHED,
    ) -> None:
        self._category, self._evolve = category, evolve
        self._fresh = Folded(initial, (), evolve)
        self._store, self._sealer = store, sealer
        self._cached: OrderedDict[UUID, Loaded[State]] = OrderedDict()
        self._size = cached

    async def load(self, stream_id: UUID, desk: str, *, fresh: bool = False) -> Loaded[State]:
        """The stream as it stands; without ``fresh`` perhaps as it stood a while ago.

        ``desk`` is for a stream that there is none of yet.

        Raises:
            Unknown: the stream is of another category.
            StoreUnavailable, Undecodable.
        """
        loaded = self._cached.get(stream_id)
        if loaded is not None and not fresh:
            self._cached.move_to_end(stream_id)
            return loaded
        if loaded is None:
            loaded = self._nothing(stream_id, desk)
        new = await self._read(stream_id, after=loaded.version)
        if any(self._forgets(record) for record in new) and loaded.version:
            # What is in memory was read with a key that has been destroyed since.
            return await self._reloaded(stream_id, desk)
        return self._keep(self._folded(loaded, await self._sealer.unseal(new)))

    async def of_desk(self, desk: str) -> AsyncIterator[Loaded[State]]:
        """All streams of a desk, as they stand now. What they hold is not kept in memory."""
        after: UUID | None = None
        while streams := await self._store.streams(desk, self._category, after=after):
            after = streams[-1]
            for stream in streams:
                records = await self._sealer.unseal(await self._read(stream))
                yield self._folded(self._nothing(stream, desk), records)

    def at_hand(self, stream_id: UUID, desk: str) -> Loaded[State]:
        """The stream as memory has it; one that memory does not know, as if there were none."""
        return self._cached.get(stream_id) or self._nothing(stream_id, desk)

    async def write(
        self,
        loaded: Loaded[State],
        events: Sequence[Event],
        entry: Entry,
        *,
        state: State | None = None,
        data: Sequence[bytes | None] = (),
    ) -> Written[State]:
        """Seals, encodes and appends.

        ``state``: that after the events, where it is known. ``data``: for each event, or empty; what is written already
        of those that hold nothing personal, among which the first is not.

        Raises: VersionConflict, Taken, CommandReused, BeingErased, StoreBusy, StoreUnavailable.
        """
        loaded = _begun(loaded, events[0])
        data = data or [None] * len(events)
        items = [
            Unsealed(event, version, loaded.subject)
            for version, (event, written) in enumerate(zip(events, data, strict=True), loaded.version + 1)
            if written is None
        ]
        sealed, by = await self._sealer.seal(loaded.stream_id, loaded.desk, items, facts=entry.facts, by=entry.meta.by)
        meta = entry.meta if by is entry.meta.by else replace(entry.meta, by=by)
        append = Append(
            stream_id=loaded.stream_id,
            category=self._category,
            desk=loaded.desk,
            expected_version=loaded.version,
            previous_hash=loaded.hash,
            command_id=entry.meta.command_id,
            fingerprint=entry.fingerprint,
            events=tuple(_encoded(events, sealed, data, meta, loaded.case)),
            claims=entry.claims,
            releases=entry.releases,
            guards=entry.guards,
        )
        appended = await self._store.append(append)
        if appended.duplicate:
            return Written(appended=appended, events=(), after=None)
        folded = Folded(loaded.state, events, self._evolve) if state is None else Folded(state, (), self._evolve)
        after = self._after(loaded, events, folded, appended.hash)
        return Written(appended=appended, events=events, after=self._keep(after))

    async def written(self, stream_id: UUID, appended: Appended) -> Sequence[Event]:
        """The events of an append of earlier, as they read today."""
        before = appended.version - (appended.last_position - appended.first_position + 1)
        rows = await self._store.read(stream_id, after=before, upto=appended.version)
        return [record.event for record in await self._sealer.unseal([decode(row) for row in rows])]

    def forget(self, stream_id: UUID) -> None:
        """Drops a stream from memory."""
        self._cached.pop(stream_id, None)

    def _nothing(self, stream_id: UUID, desk: str) -> Loaded[State]:
        return Loaded(
            stream_id=stream_id,
            desk=desk,
            version=0,
            hash=GENESIS,
            folded=self._fresh,
            desk_version=0,
            subject=stream_id,
        )

    async def _reloaded(self, stream_id: UUID, desk: str) -> Loaded[State]:
        self.forget(stream_id)
        records = await self._sealer.unseal(await self._read(stream_id))
        return self._keep(self._folded(self._nothing(stream_id, desk), records))

    async def _read(self, stream_id: UUID, *, after: int = 0) -> list[Recorded]:
        rows = await self._store.read(stream_id, after=after)
        if rows and rows[0].category != self._category:
            raise Unknown(f"no-such-{self._category}", f"{stream_id} is of another kind", stream=str(stream_id))
        return [decode(row) for row in rows]

    def _forgets(self, record: Recorded) -> bool:
        """Whether an event says that a key was destroyed; then no copy of it may be used any more."""
        if isinstance(record.event, SubjectErased):
            self._sealer.forget(UUID(record.event.subject))
            return True
        return False

    def _folded(self, loaded: Loaded[State], records: Sequence[Recorded]) -> Loaded[State]:
        if not records:
            return loaded
        events = [record.event for record in records]
        folded = Folded(loaded.state, events, self._evolve)
        return self._after(replace(_begun(loaded, events[0]), desk=records[-1].desk), events, folded, records[-1].hash)

    def _after(
        self, loaded: Loaded[State], events: Sequence[Event], folded: Folded[State], hash: bytes
    ) -> Loaded[State]:
        desk_version = loaded.desk_version
        for event in events:
            if type(event) is PackChanged:
                desk_version = event.desk_version
        return replace(
            loaded, version=loaded.version + len(events), folded=folded, hash=hash, desk_version=desk_version
        )

    def _keep(self, loaded: Loaded[State]) -> Loaded[State]:
        if not loaded.version:
            return loaded
        known = self._cached.get(loaded.stream_id)
        if known is None or known.version <= loaded.version:
            self._cached[loaded.stream_id] = loaded
            self._cached.move_to_end(loaded.stream_id)
            if len(self._cached) > self._size:
                self._cached.popitem(last=False)
        return loaded


def _begun(loaded: Loaded[State], first: Event) -> Loaded[State]:
    """The stream with what its first event says of it."""
    if not isinstance(first, ComplaintReceived):
        return loaded
    subject = loaded.stream_id if first.subject is None else UUID(first.subject)
    return replace(loaded, subject=subject, case=first.case, desk_version=first.desk_version)


def _encoded(
    events: Sequence[Event], sealed: Iterable[Event], data: Sequence[bytes | None], meta: Envelope, case: str
) -> Iterator[NewEvent]:
    """From a change of the pack on, events name the new one."""
    encoding, sealed = Encoding(meta, case=case), iter(sealed)
    for event, written in zip(events, data, strict=True):
        if type(event) is PackChanged:
            meta = replace(meta, pack=event.pack, pack_version=event.pack_version, desk_version=event.desk_version)
            encoding = Encoding(meta, case=case)
        yield encoding.encode(event, written) if written is not None else encoding.encode(next(sealed))
