"""The handler on PostgreSQL: real appends, real keys, desks recorded by the library's application."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from complaints.adapters.database import pool
from complaints.adapters.desks import Desks
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.sealing import Sealing
from complaints.adapters.subject_keys import PostgresKeys
from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.chain import verify_stream
from complaints.commands import Sender, from_wire
from complaints.desk_requests import DeskChange, OpenDesk
from complaints.errors import Rejected
from complaints.handling import Context, Handled, Handler
from complaints.personal import ERASED

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
AGENT = Sender(person="an", role="agent")
MASTER = bytes(range(32))


class Deployment:
    """Several processes on one database."""

    def __init__(self, connections: asyncpg.Pool, store: PostgresEventStore, desks: Desks, desk: str) -> None:
        self.connections, self.store, self.desks, self.desk = connections, store, desks, desk
        self.now = NOW
        self.handler = self.process()

    def process(self) -> Handler:
        sealing = Sealing(PostgresKeys(self.connections, settled=0.0), MASTER)
        return Handler(store=self.store, desks=self.desks, sealer=sealing, now=lambda: self.now, tries=50)

    async def send(self, name: str, case: str, *, handler: Handler | None = None, **data: Any) -> Handled:
        command = from_wire(name, data, id=uuid4(), complaint=case, at=self.now, by=AGENT)
        return await (handler or self.handler).handle(self.desk, command, context=Context())


@pytest.fixture(scope="module")
async def deployment(database_url: str) -> AsyncIterator[Deployment]:
    async with await pool(database_url) as connections, PostgresEventStore(connections) as store:
        sealing = Sealing(PostgresKeys(connections, settled=0.0), MASTER)
        desks = await Desks.start(
            store=store, database_url=database_url, pool=connections, sealing=sealing, now=lambda: NOW
        )
        desk = f"desk-{secrets.token_hex(4)}"
        request = OpenDesk(desk=desk, title="d", pack="00-plain-desk", calendar=msgspec.to_builtins(DEFAULT_CALENDAR))
        by = Sender(person="ops", role="operator")
        await desks.open(request, by=by, command_id=uuid4(), context=Context())
        old = DeskChange(event="desk.limits-set", data={"oldest_days": 30_000})
        await desks.change(desk, old, by=by, command_id=uuid4(), context=Context())
        yield Deployment(connections, store, desks, desk)
        await desks.stop()


async def test_many_complaints_at_once_are_all_recorded_and_chained(deployment: Deployment) -> None:
    cases = [str(uuid4()) for _ in range(40)]
    processes = [deployment.process() for _ in range(4)]

    answers = await asyncio.gather(
        *(
            deployment.send(
                "receive",
                case,
                handler=processes[n % 4],
                channel="web",
                complainant=f"c{n % 7}",
                facts={"content": "漏水"},
            )
            for n, case in enumerate(cases)
        )
    )

    assert not any(answer.duplicate for answer in answers)
    for case in cases:
        assert verify_stream(await deployment.store.read(UUID(case))) == []
        assert (await deployment.process().load(deployment.desk, case)).state.facts["content"] == "漏水"


async def test_many_processes_write_to_one_case(deployment: Deployment) -> None:
    case = str(uuid4())
    await deployment.send("receive", case, channel="web")
    processes = [deployment.process() for _ in range(3)]

    await asyncio.gather(
        *(
            deployment.send("record-facts", case, handler=processes[n % 3], facts={"place": f"第{n}号"})
            for n in range(12)
        )
    )

    rows = await deployment.store.read(UUID(case))
    assert [row.type for row in rows].count("facts.recorded") == 12
    assert verify_stream(rows) == []


async def test_of_several_cases_that_claim_one_number_one_gets_it(deployment: Deployment) -> None:
    number = secrets.token_hex(4)
    answers = await asyncio.gather(
        *(
            deployment.send(
                "receive", str(uuid4()), handler=deployment.process(), channel="web", facts={"source_id": number}
            )
            for _ in range(6)
        ),
        return_exceptions=True,
    )

    refused = [answer for answer in answers if isinstance(answer, Rejected)]
    assert [answer.code for answer in refused] == ["already-received"] * 5
    (taken,) = [answer for answer in answers if isinstance(answer, Handled)]
    assert {answer.data["of"] for answer in refused} == {str(taken.stream_id)}


async def test_an_erased_subject_is_erased_for_every_process(deployment: Deployment) -> None:
    name, cases = f"王五{secrets.token_hex(4)}", [str(uuid4()) for _ in range(2)]
    deployment.now = NOW - timedelta(days=366 * 4)
    for case in cases:
        await deployment.send("receive", case, channel="web", complainant=name, facts={"content": "漏水"})
        await deployment.send("resolve", case)
        await deployment.send("close", case)
    deployment.now = NOW
    elsewhere = deployment.process()
    assert (await elsewhere.load(deployment.desk, cases[1])).state.complainant == name

    await deployment.send("erase-subject", cases[0], subject=name, reason="本人要求")

    for case in cases:
        for handler in (deployment.handler, elsewhere, deployment.process()):
            state = (await handler.load(deployment.desk, case)).state
            assert (state.complainant, state.facts["content"]) == (ERASED, ERASED)
        assert verify_stream(await deployment.store.read(UUID(case))) == []
    again = str(uuid4())
    await deployment.send("receive", again, channel="web", complainant=name)
    assert (await deployment.handler.load(deployment.desk, again)).state.complainant == name
