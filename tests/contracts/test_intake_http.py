"""Intake on real servers: durable, idempotent across processes and crashes, whatever the broker and the database do."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from complaints.adapters import database
from complaints.adapters.desks import Desks
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.kafka import CommandSender, Topics, create_topics, open_producer
from complaints.adapters.master_key import load_master
from complaints.adapters.sealing import Sealing
from complaints.adapters.service import settled
from complaints.adapters.settings import Database, Files, Http, Intake, Kafka, Settings
from complaints.chain import verify_log
from complaints.commands import NameAssignee
from complaints.identity import complaint_id
from intake.__main__ import IntakeService, build
from local_stack.ports import free_port
from local_stack.postgres import LocalPostgres
from tests.contracts.bus import until
from tests.services.intake.deployment import AGENT, CALENDAR, LEAD, RECEIPT, ok, problem

NOWHERE = Kafka(bootstrap_servers="127.0.0.1:9")
"""A broker that is away."""


class Client(httpx.AsyncClient):
    """A frontend of one process."""

    async def receive(self, key: str | None = None, body: Any = RECEIPT, desk: str = "plain") -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.post(f"/v1/desks/{desk}/complaints", json=body, headers=headers)

    async def command(self, case: str, name: str, by: Any = AGENT, **options: Any) -> httpx.Response:
        data = options.pop("data", {})
        return await self.post(f"/v1/complaints/{case}/{name}", json={"by": by, "data": data}, **options)


@asynccontextmanager
async def client(url: str, key: str) -> AsyncIterator[Client]:
    async with Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as opened:
        yield opened


def settings(url: str, folder: Path, kafka: Kafka = NOWHERE, **http: Any) -> Settings:
    return Settings(
        database=Database(url=url),
        kafka=kafka,
        http=Http(intake_port=0, **http),
        files=Files(data_dir=folder),
        intake=Intake(consumes_commands=kafka is not NOWHERE),
    )


async def operators_key(url: str, folder: Path) -> str:
    """The first key, as `make run` makes it; and a desk."""
    sealing_key = load_master(folder / "seal.key", create=True)
    async with await database.pool(url, max_size=4) as pool, PostgresEventStore(pool) as store:
        desks = await Desks.start(
            store=store,
            database_url=url,
            pool=pool,
            sealing=Sealing.on(pool, sealing_key),
            now=lambda: datetime.now(UTC),
        )
        try:
            return await desks.issue_operator_key()
        finally:
            await desks.stop()


async def opened_desk(service: IntakeService, key: str, desk: str = "plain") -> None:
    async with client(service.url, key) as api:
        body = {"desk": desk, "title": desk, "pack": "00-plain-desk", "calendar": CALENDAR}
        ok(await api.post("/v1/desks", json=body))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("intake")


@pytest.fixture(scope="module")
async def key(database_url: str, folder: Path) -> str:
    return await operators_key(database_url, folder)


@pytest.fixture(scope="module")
async def intake(database_url: str, folder: Path, key: str) -> AsyncIterator[IntakeService]:
    """One process, with a broker that is away."""
    async with build(settings(database_url, folder)) as service:
        await opened_desk(service, key)
        yield service


@pytest.fixture(scope="module")
async def another(database_url: str, folder: Path, intake: IntakeService) -> AsyncIterator[IntakeService]:
    """A second process on the same database."""
    async with build(settings(database_url, folder)) as service:
        yield service


@pytest.fixture
async def api(intake: IntakeService, key: str) -> AsyncIterator[Client]:
    async with client(intake.url, key) as opened:
        yield opened


@pytest.fixture
async def other(another: IntakeService, key: str) -> AsyncIterator[Client]:
    async with client(another.url, key) as opened:
        yield opened


async def stored(url: str, case: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch("SELECT * FROM es.event WHERE stream_id = $1 ORDER BY version", UUID(case)))
    finally:
        await connection.close()


async def is_ready(api: httpx.AsyncClient) -> bool:
    try:
        return (await api.get("/health/ready")).status_code == 200
    except httpx.TransportError:
        return False


async def enough(found: Collection[str], wanted: int) -> bool:
    return len(found) >= wanted


async def chain_holds(url: str) -> bool:
    async with await database.pool(url, max_size=4) as pool:
        return verify_log(await PostgresEventStore(pool).read_all(limit=100_000)).holds


# --- durable, and the same everywhere ---
async def test_what_was_accepted_is_on_disk_sealed_and_another_process_reads_it(
    api: Client, other: Client, database_url: str
) -> None:
    answer = ok(await api.receive()).json()
    rows = await stored(database_url, answer["id"])
    assert [row["version"] for row in rows] == list(range(1, answer["version"] + 1))
    assert [row["pos"] for row in rows] == list(range(answer["first_position"], answer["last_position"] + 1))
    text = b"".join(row["data"] + row["meta"] for row in rows)
    for personal in (b"It leaks.", b"Zhang San", b"zhang@example.org", b"zhang"):
        assert personal not in text
    here, there = [ok(await one.get(f"/v1/complaints/{answer['id']}")) for one in (api, other)]
    assert here.json() == there.json()
    assert there.json()["facts"]["content"] == "It leaks."
    assert there.headers["etag"] == f'"{answer["version"]}"'


async def test_a_repeat_to_another_process_gets_the_first_answer(api: Client, other: Client, database_url: str) -> None:
    first = ok(await api.receive("twice")).json()
    again = ok(await other.receive("twice"))
    assert again.headers["idempotent-replayed"] == "true"
    for field in ("id", "version", "first_position", "last_position", "command_id", "events"):
        assert again.json()[field] == first[field]
    assert len(await stored(database_url, first["id"])) == first["version"]
    problem(await other.receive("twice", {**RECEIPT, "by": AGENT}), 422, "idempotency-key-reused")


async def test_the_same_request_at_two_processes_at_once_is_done_once(
    api: Client, other: Client, database_url: str
) -> None:
    answers = await asyncio.gather(*(one.receive("at once") for one in (api, other) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({(a.json()["first_position"], a.json()["last_position"]) for a in answers}) == 1
    assert len(await stored(database_url, answers[0].json()["id"])) == answers[0].json()["version"]


async def test_two_who_write_one_stream_with_the_same_version_one_is_told(api: Client, other: Client) -> None:
    case = ok(await api.receive()).json()["id"]
    data = {"facts": {"subject": "x"}}
    answers = await asyncio.gather(
        *(one.command(case, "record-facts", data=data, headers={"If-Match": '"12"'}) for one in (api, other))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_many_who_write_one_stream_from_two_processes_are_all_recorded(
    api: Client, other: Client, database_url: str
) -> None:
    case = ok(await api.receive()).json()["id"]
    answers = await asyncio.gather(
        *(
            one.command(case, "record-facts", data={"facts": {"subject": f"{n}"}})
            for n in range(15)
            for one in (api, other)
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["etag"] for answer in answers}) == 30
    names = [row["type"] for row in await stored(database_url, case)]
    assert names.count("facts.recorded") == 30


async def test_a_change_of_the_desk_is_felt_by_another_process(api: Client, other: Client, key: str) -> None:
    ok(await api.post("/v1/desks/plain/events", json={"event": "desk.described", "data": {"title": "Changed"}}))

    async def changed() -> bool:
        return bool(ok(await other.get("/v1/desks/plain")).json()["title"] == "Changed")

    await until(changed)


@pytest.mark.parametrize(
    "text",
    ["'; DROP TABLE es.event; --", "<script>alert(1)</script>", "\u202e 🧾 𠮷 \u0001 \\u0000", "漏" * 100_000],
    ids=["sql", "script", "marks", "long"],
)
async def test_every_text_comes_back_from_the_database_as_it_was_sent(api: Client, other: Client, text: str) -> None:
    body = {"by": {"person": "zhang", "role": "customer"}, "data": {"facts": {"content": text, "subject": text}}}
    case = ok(await api.receive(body=body)).json()["id"]
    for one in (api, other):
        assert ok(await one.get(f"/v1/complaints/{case}")).json()["facts"] == {"content": text, "subject": text}


# --- over the wire ---
async def test_a_body_of_ten_megabytes_is_refused_before_it_is_sent(intake: IntakeService, key: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(intake.url.rpartition(":")[2]))
    head = (
        "POST /v1/desks/plain/complaints HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {10 * 2**20}\r\nExpect: 100-continue\r\n\r\n"
    )
    writer.write(head.encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer
    writer.close()
    await writer.wait_closed()


async def test_a_slow_reader_slows_the_sender_and_loses_nothing(intake: IntakeService, key: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(intake.url.rpartition(":")[2]), limit=2**12)
    run = uuid4().hex
    padding = "x" * 20_000
    count = 400

    def line(number: int) -> bytes:
        data = {"channel": "web", "facts": {"content": padding}}
        said = {"complaint": f"{run}-{number}", "command": "receive", "by": AGENT, "data": data}
        return json.dumps(said).encode() + b"\n"

    writer.write(
        b"POST /v1/bulk?desk=plain HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
        b"Transfer-Encoding: chunked\r\nAuthorization: Bearer " + key.encode() + b"\r\n\r\n"
    )
    sent = 0

    async def send() -> None:
        nonlocal sent
        for number in range(count):
            block = line(number)
            writer.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")
            await writer.drain()
            sent += 1
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    sending = asyncio.create_task(send())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"200 OK" in head
    results: list[Any] = []
    rest = b""
    while len(results) < count:
        size = int(await reader.readline(), 16)
        rest += (await reader.readexactly(size + 2))[:-2]
        *whole, rest = rest.split(b"\n")
        results += [json.loads(one) for one in whole]
        if len(results) < count // 4:
            await asyncio.sleep(0.01)
    await sending
    writer.close()
    await writer.wait_closed()
    assert [result["line"] for result in results] == list(range(1, count + 1))
    assert {result["status"] for result in results} == {201}
    assert sent == count


async def test_a_result_of_bulk_comes_before_the_next_line_is_sent(intake: IntakeService, key: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(intake.url.rpartition(":")[2]))
    writer.write(
        b"POST /v1/bulk?desk=plain HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
        b"Transfer-Encoding: chunked\r\nAuthorization: Bearer " + key.encode() + b"\r\n\r\n"
    )
    label = uuid4().hex
    lines = [
        {"complaint": label, "command": "receive", "by": AGENT, "data": {}},
        {"complaint": label, "command": "assign", "by": LEAD},
        {"complaint": label, "command": "resolve", "by": AGENT},
    ]
    await writer.drain()
    head_seen = False
    for number, said in enumerate(lines, 1):
        block = json.dumps(said).encode() + b"\n"
        writer.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")
        await writer.drain()
        if not head_seen:
            await reader.readuntil(b"\r\n\r\n")
            head_seen = True
        size = int(await reader.readline(), 16)
        result = json.loads((await reader.readexactly(size + 2))[:-2])
        assert (result["line"], result["status"]) == (number, 201 if number == 1 else 200)
    writer.write(b"0\r\n\r\n")
    writer.close()
    await writer.wait_closed()


# --- what is away ---
async def test_with_the_broker_away_everything_works_and_the_process_is_ready(
    database_url: str, folder: Path, key: str, intake: IntakeService
) -> None:
    away = Settings(
        database=Database(url=database_url),
        kafka=NOWHERE,
        http=Http(intake_port=0),
        files=Files(data_dir=folder),
        intake=Intake(consumes_commands=True),
    )
    async with build(away) as service, client(service.url, key) as api:
        assert ok(await api.get("/health/ready", headers={"Authorization": ""})).json()["ready"] is True
        case = ok(await api.receive()).json()["id"]
        ok(await api.command(case, "assign", LEAD))
        assert ok(await api.get(f"/v1/complaints/{case}")).json()["holder"] == "agent"
        line = {"complaint": case, "command": "resolve", "by": AGENT}
        answer = await api.post(
            "/v1/bulk", content=json.dumps(line).encode(), headers={"Content-Type": "application/x-ndjson"}
        )
        assert json.loads(ok(answer).text)["status"] == 200
        assert await service.caught_up() is False


async def test_a_command_of_a_service_comes_from_the_topic(  # noqa: PLR0917 - fixtures
    database_url: str, folder: Path, key: str, kafka_bootstrap_servers: str, topic_prefix: str, intake: IntakeService
) -> None:
    kafka = Kafka(bootstrap_servers=kafka_bootstrap_servers, topic_prefix=topic_prefix, partitions=2)
    await create_topics(kafka)
    async with (
        build(settings(database_url, folder, kafka)) as service,
        client(service.url, key) as api,
        open_producer(kafka, client="test") as producer,
    ):
        case = ok(await api.receive()).json()["id"]
        command = NameAssignee(
            id=uuid4(), complaint=case, at=datetime.now(UTC), role="agent", queue="unassigned", because="nobody"
        )
        matter, cause = uuid4(), uuid4()
        sender = CommandSender(producer, Topics(topic_prefix), source="routing")
        for _ in range(2):
            await sender.send("plain", command, correlation_id=matter, causation_id=cause)
        await settled(service)
        shown = ok(await api.get(f"/v1/complaints/{case}")).json()
        assert shown["lacking"] == {"agent": "unassigned"}
        history = ok(await api.get(f"/v1/complaints/{case}/events")).json()["events"]
        lacking = [event for event in history if event["event"] == "assignee.lacking"]
        assert [(one["correlation_id"], one["causation_id"]) for one in lacking] == [(str(matter), str(cause))]


async def test_a_database_that_is_stopped_and_started_is_waited_for(tmp_path: Path) -> None:
    postgres = LocalPostgres(tmp_path / "postgres", free_port())
    await asyncio.to_thread(postgres.start)
    try:
        await database.migrate(postgres.url)
        key = await operators_key(postgres.url, tmp_path)
        async with build(settings(postgres.url, tmp_path)) as service, client(service.url, key) as api:
            await opened_desk(service, key)
            first = ok(await api.receive("before")).json()
            await asyncio.to_thread(postgres.stop)
            during = [asyncio.create_task(api.receive(f"during {n}")) for n in range(5)]
            reading = asyncio.create_task(api.get(f"/v1/complaints/{first['id']}"))
            await asyncio.sleep(3)
            ready = await api.get("/health/ready")
            assert (ready.status_code, list(ready.json()["failing"])) == (503, ["database"])
            await asyncio.to_thread(postgres.start)
            for answer in await asyncio.gather(*during):
                assert answer.status_code in (201, 503), answer.text
                if answer.status_code == 503:
                    assert answer.headers["retry-after"]
            assert (await reading).status_code in (200, 503)
            for n in range(5):
                ok(await api.receive(f"during {n}"))
            again = ok(await api.receive("before")).json()
            assert (again["id"], again["first_position"]) == (first["id"], first["first_position"])
            await until(lambda: is_ready(api))
        assert await chain_holds(postgres.url)
    finally:
        await asyncio.to_thread(postgres.stop)


async def test_a_process_killed_in_the_middle_of_its_work_has_lost_and_doubled_nothing(
    database_url: str, folder: Path, key: str, intake: IntakeService
) -> None:
    run = uuid4().hex
    keys = [f"{run}-{n}" for n in range(120)]
    acknowledged: dict[str, tuple[str, int]] = {}

    async def send(api: Client, one: str) -> None:
        try:
            answer = await api.receive(one)
        except httpx.TransportError:
            return
        if answer.status_code == 201:
            acknowledged[one] = (answer.json()["id"], answer.json()["first_position"])

    for _ in range(2):
        async with process(database_url, folder) as (running, url), client(url, key) as api:
            slots = asyncio.Semaphore(16)

            async def one_of(name: str, api: Client = api, slots: asyncio.Semaphore = slots) -> None:
                async with slots:
                    await send(api, name)

            sending = asyncio.gather(*(one_of(name) for name in keys if name not in acknowledged))
            before = len(acknowledged)
            await until(partial(enough, acknowledged, before + 20))
            running.send_signal(signal.SIGKILL)
            await sending
    assert 0 < len(acknowledged) < len(keys)
    async with client(intake.url, key) as api:
        for name, (case, position) in acknowledged.items():
            answer = ok(await api.receive(name))
            assert (answer.json()["id"], answer.json()["first_position"]) == (case, position)
            assert answer.headers["idempotent-replayed"] == "true"
        for name in keys:
            case = ok(await api.receive(name)).json()["id"]
            assert case == str(complaint_id("plain", name))
            assert len(await stored(database_url, case)) == 12
    assert await chain_holds(database_url)


@asynccontextmanager
async def process(url: str, folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`python -m intake`, ready."""
    port = free_port()
    environment = {
        **os.environ,
        "REDRESS_DATABASE_URL": url,
        "REDRESS_DATA_DIR": str(folder),
        "REDRESS_INTAKE_PORT": str(port),
        "REDRESS_INTAKE_CONSUMES_COMMANDS": "false",
    }
    running = await asyncio.create_subprocess_exec(sys.executable, "-m", "intake", env=environment)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as probe:
            await until(lambda: is_ready(probe))
        yield running, f"http://127.0.0.1:{port}"
    finally:
        if running.returncode is None:
            running.terminate()
        await running.wait()


async def test_told_to_stop_it_ends_in_order_with_zero(database_url: str, folder: Path, intake: IntakeService) -> None:
    async with process(database_url, folder) as (running, _):
        running.terminate()
        assert await running.wait() == 0
