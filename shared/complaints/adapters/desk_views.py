"""Views of desks by version, folded from the log and kept in memory.

What the current version is, the log is asked at most once in ``fresh_for`` seconds: a change made by another process (a
key revoked, a person joined) is felt here that much later at most.
"""

from __future__ import annotations

import asyncio
import builtins
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol, cast

from complaints.adapters.pack_store import PackStore
from complaints.codec import Recorded, decode
from complaints.desk_events import DeskEvent, PackAdopted
from complaints.desk_keys import Principal, key_parts
from complaints.desk_view import AdoptedPack, DeskView
from complaints.desks import evolve, no_such_desk
from complaints.errors import Unknown
from complaints.identity import OPERATOR, desk_stream
from complaints.ports import EventStore

VIEWS = 256  # kept of each desk


class Opener(Protocol):
    """Opens what is sealed in events; `complaints.adapters.sealing` is one."""

    async def unseal(self, records: Sequence[Recorded]) -> list[Recorded]: ...


class LeftSealed:
    """``Opener`` of a process that has no business with names and addresses: it opens nothing and needs no key."""

    async def unseal(self, records: Sequence[Recorded]) -> list[Recorded]:
        """The events as they are."""
        return list(records)


@dataclass(slots=True)
class _Known:
    """What is in memory of a desk: all of its events, and views of it."""

    events: list[DeskEvent] = field(default_factory=list)
    views: OrderedDict[int, DeskView] = field(default_factory=OrderedDict)
    packs: dict[str, AdoptedPack] = field(default_factory=dict)
    read_at: float = -inf
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class LoggedViews:
    """`complaints.desks.DeskViews` over the log."""

    def __init__(
        self,
        store: EventStore,
        packs: PackStore,
        opener: Opener,
        *,
        fresh_for: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._packs, self._opener = store, packs, opener
        self._fresh_for, self._clock = fresh_for, clock
        self._known: dict[str, _Known] = {}
        self._names: dict[str, None] = {}
        self._scanned = 0

    async def current(self, desk: str) -> DeskView:
        """The desk as it is now. Raises Unknown(no-such-desk), StoreUnavailable."""
        known, now = self._known.get(desk), self._clock()
        if known is None or known.read_at + self._fresh_for <= now:
            known = await self._refreshed(desk, asked_at=now - self._fresh_for)
        return await self._view(desk, known, len(known.events))

    async def at(self, desk: str, version: int) -> DeskView:
        """The desk as it was under a version. Raises Unknown(no-such-desk, no-such-version), StoreUnavailable."""
        known = self._known.get(desk)
        if known is None or version > len(known.events):
            known = await self._refreshed(desk, asked_at=self._clock())
        if not 0 < version <= len(known.events):
            raise Unknown("no-such-version", f"desk {desk} has no version {version}", desk=desk)
        return await self._view(desk, known, version)

    async def list(self) -> builtins.list[DeskView]:
        """Every desk that takes complaints, by name."""
        while rows := await self._store.read_all(after=self._scanned, category="desk"):
            self._names.update(dict.fromkeys(row.desk for row in rows))
            self._scanned = rows[-1].position
        return [await self.current(desk) for desk in sorted(self._names) if desk != OPERATOR]

    def learn(self, desk: str, version: int) -> None:
        """An event of the desk was seen on its way: the next look asks the log, if that is news."""
        known = self._known.get(desk)
        if known is not None and len(known.events) < version:
            known.read_at = -inf

    async def authenticate(self, token: str) -> Principal:
        """Who speaks through a key. Raises Unknown(no-such-key), StoreUnavailable."""
        parts = key_parts(token)
        if parts is None:
            raise Unknown("no-such-key", "no such key")
        try:
            view = await self.current(parts[0])
        except Unknown:
            raise Unknown("no-such-key", "no such key") from None
        return view.authenticate(token)

    async def _refreshed(self, desk: str, *, asked_at: float) -> _Known:
        """What the log has, asked for after ``asked_at``; those who wait for the same answer share it."""
        known = self._known.setdefault(desk, _Known())
        async with known.lock:
            if known.read_at <= asked_at:
                read_at = self._clock()
                rows = await self._store.read(desk_stream(desk), after=len(known.events))
                records = await self._opener.unseal([decode(row) for row in rows])
                known.events += [cast("DeskEvent", record.event) for record in records]
                known.read_at = read_at
        if not known.events:
            self._known.pop(desk, None)  # nobody fills the memory with desks that there are none of
            raise no_such_desk(desk)
        return known

    async def _view(self, desk: str, known: _Known, version: int) -> DeskView:
        if (view := known.views.get(version)) is not None:
            known.views.move_to_end(version)
            return view
        before = max((v for v in known.views if v < version), default=0)
        view = known.views.get(before)
        for number, event in enumerate(known.events[before:version], before + 1):
            if isinstance(event, PackAdopted) and event.digest not in known.packs:
                known.packs[event.digest] = await self._pack(event)
            view = evolve(view, number, event, known.packs)
        if view is None:
            raise no_such_desk(desk)
        known.views[version] = view
        if len(known.views) > VIEWS:
            known.views.popitem(last=False)
        return view

    async def _pack(self, event: PackAdopted) -> AdoptedPack:
        text, source = await self._packs.text(event.digest)
        return AdoptedPack(id=event.pack, version=event.pack_version, digest=event.digest, text=text, source=source)

    async def latest(self, desk: str) -> DeskView | None:
        """The desk as the log has it at this moment; None where nobody has opened it. Raises StoreUnavailable."""
        try:
            known = await self._refreshed(desk, asked_at=self._clock())
        except Unknown:
            return None
        return await self._view(desk, known, len(known.events))
