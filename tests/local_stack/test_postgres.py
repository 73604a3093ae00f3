"""LocalPostgres: a real server that survives what happens to servers."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from local_stack.errors import PortInUse, ProcessFailed
from local_stack.ports import LOOPBACK, free_port
from local_stack.postgres import LocalPostgres


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[LocalPostgres]:
    with LocalPostgres(tmp_path / "postgres", free_port()) as server:
        yield server


async def query(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_what_was_committed_is_there_after_a_kill_and_after_a_restart(postgres: LocalPostgres) -> None:
    await query(postgres.url, "CREATE TABLE kept AS SELECT 7 AS number")
    postgres.kill()
    assert not postgres.running
    postgres.start()
    assert await query(postgres.url, "SELECT number FROM kept") == 7
    postgres.restart()
    assert await query(postgres.url, "SELECT number FROM kept") == 7


async def test_it_speaks_utf_8_and_utc_and_lets_nobody_in_without_the_password(postgres: LocalPostgres) -> None:
    assert await query(postgres.url, "SHOW server_encoding") == "UTF8"
    assert await query(postgres.url, "SHOW timezone") == "UTC"
    assert await query(postgres.url, "SHOW listen_addresses") == LOOPBACK
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url, password="guessed")


async def test_a_server_whose_starter_was_killed_is_replaced_by_the_next_start(postgres: LocalPostgres) -> None:
    await query(postgres.url, "CREATE TABLE kept AS SELECT 7 AS number")
    with LocalPostgres(postgres.data_dir, postgres.port) as successor:
        assert successor.pid != postgres.pid
        assert postgres.exit_code() == 0
        assert await query(successor.url, "SELECT number FROM kept") == 7


async def test_a_lock_whose_pid_now_belongs_to_another_program_is_no_obstacle(postgres: LocalPostgres) -> None:
    lock = postgres.cluster / "postmaster.pid"
    lines = lock.read_text().splitlines(keepends=True)
    postgres.kill()
    lock.write_text("".join([f"{os.getpid()}\n", *lines[1:]]))
    postgres.start()
    assert await query(postgres.url, "SELECT 1") == 1


def test_a_port_in_use_is_named_with_the_setting_that_chose_it(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} .* is in use; set REDRESS_POSTGRES_PORT"):
            LocalPostgres(tmp_path / "postgres", port).start()


def test_a_server_that_does_not_start_says_why_with_its_own_last_words(tmp_path: Path) -> None:
    server = LocalPostgres(tmp_path / "postgres", free_port(), settings={"shared_buffers": "a lot"})
    with pytest.raises(ProcessFailed, match='invalid value for parameter "shared_buffers"') as failed:
        server.start()
    assert failed.value.name == "PostgreSQL"
    server.stop()
