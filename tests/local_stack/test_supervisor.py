"""The supervisor: one terminal that starts, watches and stops the whole system."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from local_stack.errors import LocalStackError
from local_stack.ports import LOOPBACK, free_ports
from local_stack.processes import ChildProcess, left_over
from local_stack.services import Service, services_of
from local_stack.settings import StackSettings
from local_stack.supervisor import Running, down, run

# A service as the supervisor knows it: ready on /health/ready, told by a file to crash.
SERVICE = """
import http.server, os, pathlib, sys, threading, time
port, crash = int(sys.argv[1]), pathlib.Path(sys.argv[2])
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
def watch():
    while not crash.exists():
        time.sleep(0.02)
    print("the last words of the service", flush=True)
    os._exit(3)
threading.Thread(target=watch, daemon=True).start()
print("database at", os.environ["REDRESS_DATABASE_URL"], flush=True)
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""


class Said:
    """What the supervisor told the person at the terminal."""

    def __init__(self) -> None:
        self.text = ""
        self._more = asyncio.Event()

    def __call__(self, line: str) -> None:
        self.text += line + "\n"
        self._more.set()

    async def until(self, words: str) -> None:
        while words not in self.text:
            self._more.clear()
            await self._more.wait()


def fake(name: str, port: int, folder: Path) -> Service:
    command = (sys.executable, "-c", SERVICE, str(port), str(folder / f"crash-{name}"))
    return Service(name=name, command=command, port=port, ports={f"REDRESS_{name.upper()}_PORT": port})


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    names = ("intake", "routing", "sla_monitor", "notifier", "ledger", "relay", "mailbox", "smtp", "postgres", "kafka")
    return StackSettings.model_validate(
        {
            "data_dir": tmp_path / "data",
            "database_url": "postgresql://someone:secret@127.0.0.1:1/elsewhere",
            "kafka_bootstrap_servers": "127.0.0.1:2",
            **{f"{name}_port": port for name, port in zip(names, free_ports(len(names)), strict=True)},
        }
    )


async def nothing_to_prepare(running: Running) -> None:
    assert running.database_url


@asynccontextmanager
async def running_with(
    settings: StackSettings, services: Sequence[Service], said: Said
) -> AsyncIterator[asyncio.Task[int]]:
    task = asyncio.create_task(run(settings, services=services, prepare=nothing_to_prepare, say=said))
    try:
        yield task
    finally:
        if not task.done():
            signal.raise_signal(signal.SIGTERM)
        await task


def log(settings: StackSettings, name: str) -> str:
    return (settings.data_dir / "logs" / f"{name}.log").read_text()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_it_runs_until_it_is_told_to_stop_and_leaves_nothing_running(
    settings: StackSettings, tmp_path: Path, stop: signal.Signals
) -> None:
    said = Said()
    services = [fake("intake", settings.intake_port, tmp_path), fake("ledger", settings.ledger_port, tmp_path)]
    async with running_with(settings, services, said) as task:
        await said.until("Redress is running")
        assert (await get(settings.intake_port)) == 200
        assert "postgresql://someone:secret@127.0.0.1:1/elsewhere" in log(settings, "intake")
        assert "secret" not in said.text
        signal.raise_signal(stop)
        assert await task == 0
    assert [await refuses(port) for port in (settings.intake_port, settings.ledger_port)] == [True, True]
    assert list((settings.data_dir / "services").iterdir()) == []


async def test_a_service_that_crashes_is_named_with_its_last_words_and_ends_the_run(
    settings: StackSettings, tmp_path: Path
) -> None:
    said = Said()
    services = [fake("intake", settings.intake_port, tmp_path), fake("ledger", settings.ledger_port, tmp_path)]
    async with running_with(settings, services, said) as task:
        await said.until("Redress is running")
        (tmp_path / "crash-ledger").touch()
        assert await task == 1
    assert "ledger ended with exit code 3" in said.text
    assert "the last words of the service" in said.text
    assert await refuses(settings.intake_port)


async def test_a_service_that_never_gets_up_is_named_too(settings: StackSettings, tmp_path: Path) -> None:
    said = Said()
    (tmp_path / "crash-ledger").touch()
    services = [fake("intake", settings.intake_port, tmp_path), fake("ledger", settings.ledger_port, tmp_path)]
    assert await run(settings, services=services, prepare=nothing_to_prepare, say=said) == 1
    assert "ledger ended with exit code 3" in said.text
    assert "Redress is running" not in said.text
    assert await refuses(settings.intake_port)


async def test_a_port_in_use_is_named_before_anything_starts(settings: StackSettings, tmp_path: Path) -> None:
    said = Said()
    services = [fake("intake", settings.intake_port, tmp_path), fake("ledger", settings.ledger_port, tmp_path)]
    with socket.create_server((LOOPBACK, settings.ledger_port)):
        assert await run(settings, services=services, prepare=nothing_to_prepare, say=said) == 1
    assert f"port {settings.ledger_port} on 127.0.0.1 is in use; set REDRESS_LEDGER_PORT" in said.text
    assert not (settings.data_dir / "logs").exists()


async def test_a_database_that_does_not_answer_ends_the_start_with_one_sentence(settings: StackSettings) -> None:
    said = Said()

    async def prepare(_: Running) -> None:
        raise ConnectionRefusedError("nobody listens there")

    assert await run(settings, services=[], prepare=prepare, say=said) == 1
    assert "redress: schemas and topics could not be prepared: nobody listens there" in said.text


def test_two_servers_on_one_port_are_refused(settings: StackSettings) -> None:
    same = settings.model_copy(update={"ledger_port": settings.intake_port})
    with pytest.raises(
        LocalStackError, match=f"REDRESS_INTAKE_PORT and REDRESS_LEDGER_PORT are both {same.intake_port}"
    ):
        same.check_ports_differ()


def test_what_it_says_reaches_a_pipe_at_once() -> None:
    program = "from local_stack.supervisor import at_once; at_once('Redress is running'); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"Redress is running\n"
        child.communicate(b"\n")


async def test_a_second_run_over_the_same_data_is_refused_and_disturbs_nothing(
    settings: StackSettings, tmp_path: Path
) -> None:
    said, second = Said(), Said()
    services = [fake("intake", settings.intake_port, tmp_path)]
    async with running_with(settings, services, said):
        await said.until("Redress is running")
        assert await run(settings, services=services, prepare=nothing_to_prepare, say=second) == 1
        assert f"already running here, as process {os.getpid()}" in second.text
        assert await get(settings.intake_port) == 200


async def test_what_a_killed_run_left_is_ended_by_the_next_one(settings: StackSettings, tmp_path: Path) -> None:
    left = start_as_a_killed_run_would(settings, fake("intake", settings.intake_port, tmp_path))
    said = Said()
    async with running_with(settings, [fake("intake", settings.intake_port, tmp_path)], said):
        await said.until("Redress is running")
        assert not left.running


def test_down_ends_what_a_killed_run_left(settings: StackSettings, tmp_path: Path) -> None:
    left = start_as_a_killed_run_would(settings, fake("intake", settings.intake_port, tmp_path))
    told: list[str] = []
    assert down(settings, say=told.append) == 0
    assert not left.running
    assert down(settings, say=told.append) == 0
    assert told == ["Stopped what a killed run had left.", "Nothing was running here."]


async def test_a_stop_during_the_start_stops_what_was_started(settings: StackSettings, tmp_path: Path) -> None:
    said = Said()
    patient = Service(name="ledger", command=("sleep", "600"), port=settings.ledger_port, ports={})
    async with running_with(settings, [patient], said) as task:
        await said.until("Starting ledger")
        record = settings.data_dir / "services" / "ledger.pid"
        child = left_over(record)
        assert child is not None
        signal.raise_signal(signal.SIGTERM)
        assert await task == 0
    assert not psutil.pid_exists(child.pid)
    assert "Redress is running" not in said.text


async def test_real_servers_and_the_mailbox_come_up_together_and_the_demo_is_loaded_into_them(
    settings: StackSettings,
) -> None:
    local = settings.model_copy(update={"database_url": None, "kafka_bootstrap_servers": None})

    async def prepare(running: Running) -> None:
        connection = await asyncpg.connect(running.database_url)
        try:
            await connection.execute("CREATE TABLE IF NOT EXISTS starts (n int)")
            await connection.execute("INSERT INTO starts VALUES (1)")
        finally:
            await connection.close()
        admin = AIOKafkaAdminClient(bootstrap_servers=running.kafka_bootstrap_servers)
        await admin.start()
        await admin.close()

    async def demo(running: Running) -> list[str]:
        connection = await asyncpg.connect(running.database_url)
        try:
            starts = await connection.fetchval("SELECT count(*) FROM starts")
        finally:
            await connection.close()
        return [f"curl {running.mailbox_url}/api/mails", f"starts: {starts}"]

    mailbox = [service for service in services_of(local) if service.name == "mailbox"]
    for starts in (1, 2):  # the data is still there the second time
        said = Said()
        task = asyncio.create_task(run(local, services=mailbox, prepare=prepare, demo=demo, say=said))
        await until_said_or_done(said, task, "Redress is running")
        assert f"starts: {starts}" in said.text
        assert f"curl http://127.0.0.1:{local.mailbox_port}/api/mails" in said.text
        assert await get(local.mailbox_port) == 200
        signal.raise_signal(signal.SIGTERM)
        assert await task == 0
    assert [await refuses(port) for port in (local.postgres_port, local.kafka_port, local.mailbox_port)] == [True] * 3


def start_as_a_killed_run_would(settings: StackSettings, service: Service) -> ChildProcess:
    child = ChildProcess(
        name=service.name,
        command=service.command,
        log=settings.data_dir / "logs" / f"{service.name}.log",
        record=settings.data_dir / "services" / f"{service.name}.pid",
        env={**os.environ, "REDRESS_DATABASE_URL": "of an earlier run"},
    )
    child.start()
    return child


async def until_said_or_done(said: Said, task: asyncio.Task[int], words: str) -> None:
    heard = asyncio.create_task(said.until(words))
    await asyncio.wait({heard, task}, return_when=asyncio.FIRST_COMPLETED)
    heard.cancel()
    assert words in said.text, said.text


async def get(port: int) -> int:
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"http://{LOOPBACK}:{port}/health/ready")).status_code


async def refuses(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return True
    writer.close()
    return False
