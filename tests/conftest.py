"""Fixtures: real servers, started only when a test asks for one; every module has its own database and topics."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import servers

# No example is judged by its speed; they are the same in every run, so that what failed fails again.
settings.register_profile("redress", deadline=None, derandomize=True)
# `make unit`: a look, not a search.
settings.register_profile("quick", settings.get_profile("redress"), max_examples=15)
# `pytest --hypothesis-profile search`: others in every run, and more of them.
settings.register_profile("search", deadline=None, max_examples=500)
settings.load_profile("redress")


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server; the URL may create databases there."""
    with servers.postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def kafka_bootstrap_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An Apache Kafka broker."""
    with servers.kafka(tmp_path_factory.mktemp("kafka")) as bootstrap_servers:
        yield bootstrap_servers


@pytest.fixture(scope="session")
def migrated_template(postgres_url: str) -> Iterator[str]:
    """The name of a database that went through every migration once, to be copied."""
    from complaints.adapters.database import migrate

    name = f"redress_template_{secrets.token_hex(4)}"
    url = servers.create_database(postgres_url, name)
    try:
        servers.away_from_the_loop(lambda: migrate(url))
        yield name
    finally:
        servers.drop_database(postgres_url, name)


@pytest.fixture(scope="module")
def database_url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """A migrated, empty database for one module's tests."""
    name = f"redress_test_{secrets.token_hex(4)}"
    url = servers.create_database(postgres_url, name, template=migrated_template)
    try:
        yield url
    finally:
        servers.drop_database(postgres_url, name)


@pytest.fixture(scope="module")
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database that no migration has touched."""
    name = f"redress_empty_{secrets.token_hex(4)}"
    url = servers.create_database(postgres_url, name)
    try:
        yield url
    finally:
        servers.drop_database(postgres_url, name)


@pytest.fixture(scope="module")
def topic_prefix(kafka_bootstrap_servers: str) -> Iterator[str]:
    """What one module's topic names start with; the topics are deleted after it."""
    prefix = f"test-{secrets.token_hex(4)}."
    try:
        yield prefix
    finally:
        servers.delete_topics(kafka_bootstrap_servers, prefix)
