"""``Desks`` over each log: the library's application on PostgreSQL, and a store in memory."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from complaints.adapters.database import pool
from complaints.adapters.desk_aggregate import DeskApplication
from complaints.adapters.desks import Desks
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.memory_store import MemoryEventStore
from complaints.adapters.sealing import Sealing
from complaints.adapters.subject_keys import MemoryKeys, PostgresKeys
from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.chain import verify_log
from complaints.commands import Sender
from complaints.desk_requests import Changed, DeskChange, OpenDesk, convert
from complaints.errors import CommandReused, Malformed, Rejected, Unknown
from complaints.identity import EVERY_DESK, desk_stream
from complaints.personal import Sealed
from complaints.planning import Context
from complaints.ports import EventStore
from complaints.procedure.library import packs

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
OPERATOR = Sender(person="ops", role="operator")
CALENDAR: dict[str, Any] = msgspec.to_builtins(DEFAULT_CALENDAR)
MASTER = bytes(range(32))

Process = Callable[..., Awaitable[Desks]]


@pytest.fixture(scope="module")
async def connections(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with await pool(database_url) as opened:
        yield opened


@pytest.fixture(params=["memory", "postgres"])
async def deployment(
    request: pytest.FixtureRequest, connections: asyncpg.Pool, database_url: str
) -> AsyncIterator[tuple[EventStore, Process]]:
    """A store, and what starts another process on it."""
    started: list[Desks] = []
    if request.param == "memory":
        memory = Desks.in_memory(store=MemoryEventStore(), sealing=Sealing(MemoryKeys(), MASTER), now=lambda: AT)
        store: EventStore = memory._store

        async def in_memory(**options: Any) -> Desks:
            desks = Desks(
                store=store, log=memory._log, packs=memory._packs, sealing=memory._sealing, now=lambda: AT, **options
            )
            started.append(desks)
            return desks

        yield store, in_memory
    else:
        async with PostgresEventStore(connections) as postgres:

            async def on_postgres(**options: Any) -> Desks:
                desks = await Desks.start(
                    store=postgres,
                    database_url=database_url,
                    pool=connections,
                    sealing=Sealing(PostgresKeys(connections), MASTER),
                    now=lambda: AT,
                    **options,
                )
                started.append(desks)
                return desks

            yield postgres, on_postgres
            for desks in started:
                await desks.stop()


@pytest.fixture
async def desks(deployment: tuple[EventStore, Process]) -> Desks:
    return await deployment[1]()


def a_desk() -> str:
    return f"desk-{secrets.token_hex(6)}"


async def opened(desks: Desks, desk: str, *, command_id: UUID | None = None, **other: Any) -> Changed:
    body = {
        "desk": desk,
        "title": "示范投诉台",
        "pack": "00-plain-desk",
        "calendar": CALENDAR,
        "people": [{"person": "an", "name": "安静", "roles": ["agent"], "email": "an@example.org"}],
        **other,
    }
    request = convert(body, OpenDesk, at="")
    return await desks.open(request, by=OPERATOR, command_id=command_id or uuid4(), context=Context(frontend="cli"))


async def changed(
    desks: Desks, desk: str, event: str, *, command_id: UUID | None = None, if_version: int | None = None, **data: Any
) -> Changed:
    return await desks.change(
        desk,
        DeskChange(event=f"desk.{event}", data=data),
        by=OPERATOR,
        command_id=command_id or uuid4(),
        context=Context(frontend="cli"),
        if_version=if_version,
    )


async def test_an_opened_desk_is_there_for_every_process(deployment: tuple[EventStore, Process]) -> None:
    _, process = deployment
    here, elsewhere, desk = await process(), await process(), a_desk()

    answer = await opened(here, desk)

    for desks in (here, elsewhere):
        view = await desks.current(desk)
        assert (view.version, view.title) == (answer.version, "示范投诉台")
        assert view.directory.people["an"].name == "安静"
        assert view.procedure.digest == packs()["00-plain-desk"].digest
        assert desk in [one.desk for one in await desks.list()]


async def test_names_and_contacts_of_staff_are_sealed_in_the_log(
    deployment: tuple[EventStore, Process], desks: Desks
) -> None:
    store, desk = deployment[0], a_desk()
    await opened(desks, desk)

    rows = await store.read(desk_stream(desk))

    assert [row.type for row in rows][:3] == ["desk.opened", "desk.calendar-published", "desk.pack-adopted"]
    assert {(row.category, row.desk) for row in rows} == {("desk", desk)}
    for row in rows:
        assert "安静" not in row.data.decode()
        assert "example.org" not in row.data.decode()
    log = await store.read_all(limit=100_000)
    assert verify_log(log).holds


async def test_each_version_is_what_it_was(desks: Desks) -> None:
    desk = a_desk()
    first = (await opened(desks, desk)).version
    second = (await changed(desks, desk, "person-changed", person="an", roles=["agent", "head"])).version
    third = (await changed(desks, desk, "person-left", person="an")).version

    assert [(await desks.at(desk, version)).version for version in (third, first, second)] == [third, first, second]
    assert (await desks.at(desk, first)).directory.people["an"].roles == {"agent"}
    assert (await desks.at(desk, second)).directory.people["an"].roles == {"agent", "head"}
    assert (await desks.current(desk)).directory.people == {}
    for unknown in (0, third + 1, -1):
        with pytest.raises(Unknown):
            await desks.at(desk, unknown)


async def test_a_process_sees_its_own_change_at_once_and_another_s_when_it_asks_again(
    deployment: tuple[EventStore, Process],
) -> None:
    _, process = deployment
    now = [0.0]
    here, elsewhere, desk = await process(), await process(), a_desk()
    elsewhere._fresh_for, elsewhere._clock = 10.0, lambda: now[0]
    await opened(here, desk)
    before = (await elsewhere.current(desk)).version

    after = (await changed(here, desk, "described", title="另一个")).version

    assert (await here.current(desk)).version == after
    assert (await elsewhere.current(desk)).version == before
    now[0] = 10.0
    assert (await elsewhere.current(desk)).version == after


async def test_an_event_seen_on_its_way_makes_the_next_look_fresh(deployment: tuple[EventStore, Process]) -> None:
    _, process = deployment
    here, elsewhere, desk = await process(), await process(), a_desk()
    elsewhere._fresh_for = 1e9
    await opened(here, desk)
    await elsewhere.current(desk)
    after = (await changed(here, desk, "described", title="另一个")).version

    elsewhere.learn(desk, after)

    assert (await elsewhere.current(desk)).title == "另一个"


async def test_a_key_opens_the_api_from_when_it_is_issued_until_it_is_revoked(desks: Desks) -> None:
    desk = a_desk()
    await opened(desks, desk)

    answer = await changed(desks, desk, "key-issued", frontend="web", scopes=["write"])

    assert answer.key is not None
    principal = await desks.authenticate(answer.key)
    assert (principal.desk, principal.frontend, principal.scopes) == (desk, "web", frozenset({"write"}))
    await changed(desks, desk, "key-revoked", key=principal.key)
    for token in (answer.key, "rk_nobody_0a1b2c3d_secret", "rk", ""):
        with pytest.raises(Unknown) as caught:
            await desks.authenticate(token)
        assert caught.value.code == "no-such-key"


async def test_an_operators_key_is_good_for_every_desk_and_no_desk_is_called_operator(desks: Desks) -> None:
    desk = a_desk()
    await opened(desks, desk)

    first, second = await desks.issue_operator_key(), await desks.issue_operator_key("ops")

    assert first != second
    for token in (first, second):
        principal = await desks.authenticate(token)
        assert (principal.desk, principal.sees(desk), principal.may("operate")) == (EVERY_DESK, True, True)
    assert "operator" not in [view.desk for view in await desks.list()]


async def test_a_webhook_s_secret_is_shown_and_kept_nowhere(
    deployment: tuple[EventStore, Process], desks: Desks
) -> None:
    desk = a_desk()
    await opened(desks, desk)

    answer = await changed(desks, desk, "webhook-added", name="crm", url="https://crm.example/hook")

    assert answer.secret == Sealing.in_memory(MASTER).webhook_secret(desk, "crm", 1)
    stored = b"".join(row.data + row.meta for row in await deployment[0].read(desk_stream(desk)))
    assert answer.secret.removeprefix("whsec_").encode() not in stored


async def test_a_repeated_request_changes_nothing_and_shows_no_key_again(desks: Desks) -> None:
    desk, opening, issuing = a_desk(), uuid4(), uuid4()
    first = await opened(desks, desk, command_id=opening)
    again = await opened(desks, desk, command_id=opening)
    issued = await changed(desks, desk, "key-issued", command_id=issuing, frontend="web")
    repeated = await changed(desks, desk, "key-issued", command_id=issuing, frontend="web")

    assert (again.duplicate, again.version, again.position) == (True, first.version, first.position)
    assert (repeated.duplicate, repeated.version, repeated.key) == (True, issued.version, None)
    with pytest.raises(CommandReused):
        await changed(desks, desk, "key-issued", command_id=issuing, frontend="other")


async def test_a_desk_is_opened_once(desks: Desks) -> None:
    desk = a_desk()
    answers = await asyncio.gather(*(opened(desks, desk) for _ in range(4)), return_exceptions=True)

    assert sorted(getattr(answer, "code", "opened") for answer in answers) == ["desk-exists"] * 3 + ["opened"]


async def test_changes_that_come_at_once_all_take_place(deployment: tuple[EventStore, Process]) -> None:
    _, process = deployment
    here, elsewhere, desk = await process(), await process(), a_desk()
    await opened(here, desk)

    await asyncio.gather(
        *(
            changed(desks, desk, "person-joined", person=f"p{n}", roles=["agent"])
            for n, desks in enumerate((here, elsewhere, here))
        )
    )

    assert {"p0", "p1", "p2"} <= (await elsewhere.current(desk)).directory.people.keys() | (
        await here.current(desk)
    ).directory.people.keys()


async def test_a_stale_version_is_refused(desks: Desks) -> None:
    desk = a_desk()
    version = (await opened(desks, desk)).version

    with pytest.raises(Rejected) as caught:
        await changed(desks, desk, "described", title="x", if_version=version - 1)
    assert (caught.value.code, caught.value.data["actual"]) == ("version-conflict", version)
    assert (await changed(desks, desk, "described", title="x", if_version=version)).version == version + 1


async def test_what_is_refused_leaves_no_trace(deployment: tuple[EventStore, Process], desks: Desks) -> None:
    desk = a_desk()

    with pytest.raises(Malformed):
        await opened(desks, desk, timezone="Nowhere/Land")

    assert list(await deployment[0].read(desk_stream(desk))) == []
    with pytest.raises(Unknown):
        await desks.current(desk)
    with pytest.raises(Unknown):
        await changed(desks, desk, "described", title="x")


async def test_a_pack_file_is_kept_by_its_content_when_newer_ones_are_shipped(desks: Desks) -> None:
    desk = a_desk()
    text = packs()["00-plain-desk"].text.replace("version: 1\n", "version: 7\n", 1)
    before = (await opened(desks, desk)).version
    await changed(desks, desk, "pack-adopted", text=text)

    assert (await desks.current(desk)).procedure.version == 7
    assert (await desks.at(desk, before)).procedure.version == 1


async def test_the_library_s_application_reads_the_desk_with_its_personal_values_sealed(database_url: str) -> None:
    async with await pool(database_url) as connections, PostgresEventStore(connections) as store:
        desks = await Desks.start(
            store=store,
            database_url=database_url,
            pool=connections,
            sealing=Sealing(PostgresKeys(connections), MASTER),
            now=lambda: AT,
        )
        desk = a_desk()
        answer = await opened(desks, desk)
        application = await asyncio.to_thread(DeskApplication, {"REDRESS_DATABASE_URL": database_url})
        aggregate = await asyncio.to_thread(application.desk, desk)
        section = await asyncio.to_thread(application.notification_log.select, answer.position - 3, 4)
        await asyncio.to_thread(application.close)
        await desks.stop()

    assert aggregate is not None
    assert (aggregate.version, aggregate.view.title) == (answer.version, "示范投诉台")
    assert isinstance(aggregate.view.directory.people["an"].name, Sealed)
    assert [notification.topic for notification in section] == [
        "desk.opened",
        "desk.calendar-published",
        "desk.pack-adopted",
        "desk.person-joined",
    ]
