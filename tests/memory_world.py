"""A deployment in memory: the real handler and decider on a store that lets others in first. Time is moved by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from complaints.adapters.memory_store import MemoryEventStore
from complaints.adapters.sealing import Sealing
from complaints.adapters.subject_keys import MemoryKeys
from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.chain import verify_log
from complaints.codec import Recorded, decode
from complaints.commands import Command, Sender, from_wire
from complaints.desks import DeskView, FixedDesks, simulated
from complaints.errors import Rejected
from complaints.events import Event, tag_of
from complaints.handling import Context, Handled, Handler
from complaints.identity import REDRESS_NS
from complaints.ports import Append, Appended
from complaints.procedure.library import packs

MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai
AGENT = Sender(person="an", role="agent")
LEAD = Sender(person="lei", role="desk_lead")
SYSTEM = Sender(person="system", role="system")
PROTECTION = Sender(person="da", role="data_protection")
CONTEXT = Context(frontend="web")
PLAIN = packs()["00-plain-desk"].load()


class Store(MemoryEventStore):
    """Counts reads, and lets somebody else in before an append."""

    def __init__(self) -> None:
        super().__init__(now=lambda: MONDAY)
        self.reads = 0
        self.before_append: Callable[[], Awaitable[object]] | None = None

    async def read(self, *args: Any, **kwargs: Any) -> Any:
        self.reads += 1
        return await super().read(*args, **kwargs)

    async def append(self, append: Append) -> Appended:
        if (others := self.before_append) is not None:
            self.before_append = None
            await others()
        return await super().append(append)


class World:
    """A deployment in memory with one plain desk; ``elsewhere`` is another process of it."""

    def __init__(self, view: DeskView | None = None) -> None:
        self.now = MONDAY
        self.store = Store()
        self.keys = MemoryKeys(settled=0.0)
        self.desks = FixedDesks([view or simulated(PLAIN, DEFAULT_CALENDAR, desk="demo")])
        self.seen: list[tuple[str, str, int]] = []
        self.sealing = Sealing(self.keys, bytes(32))
        self.handler = self.process(self.sealing)

    def process(self, sealing: Sealing | None = None, **options: Any) -> Handler:
        return Handler(
            store=self.store,
            desks=self.desks,
            sealer=sealing or Sealing(self.keys, bytes(32)),
            now=lambda: self.now,
            observe=self.observe,
            **options,
        )

    def observe(self, *, desk: str, command: str, outcome: str, tries: int) -> None:
        self.seen.append((command, outcome, tries))

    async def send(
        self,
        name: str,
        case: str,
        by: Sender = AGENT,
        *,
        key: str | None = None,
        at: datetime | None = None,
        handler: Handler | None = None,
        if_version: int | None = None,
        **data: Any,
    ) -> Handled:
        command = self.command(name, case, by, key=key, at=at, **data)
        return await (handler or self.handler).handle("demo", command, context=CONTEXT, if_version=if_version)

    def command(
        self,
        name: str,
        case: str,
        by: Sender = AGENT,
        *,
        key: str | None = None,
        at: datetime | None = None,
        **data: Any,
    ) -> Command:
        command_id = uuid5(REDRESS_NS, key) if key else uuid4()
        return from_wire(name, data, id=command_id, complaint=case, at=at or self.now, by=by)

    async def closed(self, case: str, **received: Any) -> None:
        await self.send("receive", case, channel="web", **received)
        await self.send("resolve", case)
        await self.send("close", case)

    async def records(self, case: str) -> list[Recorded]:
        return await self.sealing.unseal([decode(row) for row in await self.store.read(UUID(case))])

    async def holds(self) -> bool:
        return verify_log(await self.store.read_all()).holds


def case() -> str:
    return str(uuid4())


def names(events: Any) -> list[str]:
    return [tag_of(event) for event in events]


def only(events: Any, kind: type[Event]) -> Any:
    (event,) = [event for event in events if isinstance(event, kind)]
    return event


async def rejected(awaitable: Awaitable[Handled]) -> Rejected:
    with pytest.raises(Rejected) as caught:
        await awaitable
    return caught.value
