"""Real servers for the tests: those that the environment names, else containers where Docker runs, else local ones."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from complaints.adapters.database import asyncpg_url
from local_stack.kafka import LocalKafka
from local_stack.ports import free_port
from local_stack.postgres import LocalPostgres

T = TypeVar("T")

POSTGRES_IMAGE = "postgres:18.4"
KAFKA_IMAGE = "apache/kafka:4.3.0"


@contextmanager
def postgres(scratch: Path) -> Iterator[str]:
    """The URL of a server on which databases may be created; ``scratch`` is where a local one keeps its data."""
    if url := os.environ.get("REDRESS_TEST_DATABASE_URL") or os.environ.get("REDRESS_DATABASE_URL"):
        yield asyncpg_url(url)
    elif docker_answers():
        from testcontainers.community.postgres import PostgresContainer

        with PostgresContainer(POSTGRES_IMAGE, driver=None) as container:
            yield container.get_connection_url()
    else:
        with LocalPostgres(scratch, free_port()) as server:
            yield server.url


@contextmanager
def kafka(scratch: Path) -> Iterator[str]:
    """The bootstrap servers of a broker; ``scratch`` is where a local one keeps its data."""
    if servers := os.environ.get("REDRESS_KAFKA_BOOTSTRAP_SERVERS"):
        yield servers
    elif docker_answers():
        with _kafka_container() as servers:
            yield servers
    else:
        with LocalKafka(scratch, free_port()) as server:
            yield server.bootstrap_servers


def docker_answers() -> bool:
    """Whether a Docker engine can be reached from here."""
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        return False
    import docker

    try:
        return bool(docker.from_env(timeout=5).ping())
    except docker.errors.DockerException:
        return False


def away_from_the_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs ``work`` to its end on an event loop and a thread of its own: the session's loop belongs to the tests."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


def database_of(server_url: str, name: str) -> str:
    """``server_url`` with another database."""
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def create_database(server_url: str, name: str, *, template: str | None = None) -> str:
    """Creates a database, as a copy of ``template`` where one is named; returns its URL."""
    copied = f' TEMPLATE "{template}"' if template else ""
    _execute(server_url, f'CREATE DATABASE "{name}"{copied}')
    return database_of(server_url, name)


def drop_database(server_url: str, name: str) -> None:
    """Drops a database, whoever is still connected to it."""
    _execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def delete_topics(bootstrap_servers: str, prefix: str) -> None:
    """Deletes every topic whose name starts with ``prefix``."""

    async def work() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
        await admin.start()
        try:
            if ours := [topic for topic in await admin.list_topics() if topic.startswith(prefix)]:
                await admin.delete_topics(ours)
        finally:
            await admin.close()

    away_from_the_loop(work)


def _execute(server_url: str, statement: str) -> None:
    async def work() -> None:
        connection = await asyncpg.connect(server_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    away_from_the_loop(work)


@contextmanager
def _kafka_container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    port = free_port()  # the same inside and outside: the broker tells its clients where to come back to
    environment = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:29093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:29093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    for name, value in environment.items():
        container = container.with_env(name, value)
    with container.waiting_for(LogMessageWaitStrategy("Kafka Server started")):
        yield f"127.0.0.1:{port}"
