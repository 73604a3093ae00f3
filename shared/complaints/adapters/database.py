"""PostgreSQL: one URL in either form, asyncpg pools for the hot path, SQLAlchemy for read models, migrations."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from random import uniform
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from complaints.errors import StoreUnavailable

logger = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"


class Lock(IntEnum):
    """The first half of each advisory lock of the system, so that no two mean different things; then the shard."""

    APPEND = 7301  # es.append: one appender at a time
    MIGRATE = 7302
    RELAY = 7303  # the leader that publishes the log
    CHECKPOINT = 7304  # who issues checkpoints
    ROUTING_MATTER = 7305  # who counts the cases of a matter; then a digest of it
    LEDGER_MODELS = 7307  # who begins or flips a version of a read model; the rest is 0


_PASSING = (
    OSError,  # refused, reset, timed out
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,  # the connection was closed under the query
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, backend terminated, statement cancelled
    asyncpg.InsufficientResourcesError,  # disk, memory or connections are used up
    asyncpg.TransactionRollbackError,  # deadlock, serialisation
    asyncpg.ReadOnlySQLTransactionError,  # a standby after a switch-over
)


def passing(error: BaseException) -> bool:
    """Whether the server or the way to it failed, not the statement: the same statement may succeed later.

    Whether a statement that failed so was done is unknown.
    """
    return isinstance(error, _PASSING) and not isinstance(error, ValueError)  # asyncpg: an argument it cannot encode


def asyncpg_url(url: str) -> str:
    """The URL as asyncpg reads it, from either form."""
    return f"postgresql://{_without_scheme(url)}"


def sqlalchemy_url(url: str) -> str:
    """The URL as SQLAlchemy reads it, from either form."""
    return f"postgresql+asyncpg://{_without_scheme(url)}"


def _without_scheme(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise ValueError(f"not the URL of a PostgreSQL database: scheme {parts.scheme!r}")
    query = [("sslmode" if name == "ssl" else name, value) for name, value in parse_qsl(parts.query)]
    return f"{parts.netloc}{parts.path}{'?' if query else ''}{urlencode(query)}"


def engine(url: str, *, application: str = "redress", pool_size: int = 5, **options: Any) -> AsyncEngine:
    """A SQLAlchemy engine on asyncpg; ``options`` are those of ``create_async_engine``. Nothing is opened yet."""
    target = asyncpg_url(url)

    async def connect() -> Any:
        return await asyncpg.connect(target, server_settings={"application_name": application})

    # asyncpg reads the URL itself, so that a URL means the same to the engine and to the pool.
    return create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, pool_size=pool_size, pool_pre_ping=True, **options
    )


async def pool(
    url: str,
    *,
    application: str = "redress",
    min_size: int = 1,
    max_size: int = 8,
    patience: float = 30.0,
    command_timeout: float = 30.0,
    server_settings: Mapping[str, str] | None = None,
) -> asyncpg.Pool:
    """An open asyncpg pool. Waits up to ``patience`` seconds for a server that is still starting.

    A connection keeps its session state when it goes back, which saves a round trip for each use: whoever changes state
    (LISTEN, SET, session locks) undoes it. ``command_timeout``, in seconds, is what a statement may take.

    Raises: StoreUnavailable.
    """
    backoff = Backoff(patience)
    while True:
        try:
            return await asyncpg.create_pool(
                asyncpg_url(url),
                min_size=min_size,
                max_size=max_size,
                reset=_keep_session,
                command_timeout=command_timeout,
                server_settings={"application_name": application, **(server_settings or {})},
            )
        except Exception as error:
            if not passing(error):
                raise
            if not await backoff.wait():
                raise StoreUnavailable(f"the database did not answer within {patience:g} s") from error


class Backoff:
    """Waits between tries, longer each time, with jitter, until ``patience`` seconds are over (None: for ever)."""

    def __init__(self, patience: float | None = None, *, first: float = 0.05, longest: float = 1.0) -> None:
        self._first, self._longest = first, longest
        self._next = first
        self._ends_at = None if patience is None else asyncio.get_running_loop().time() + patience

    async def wait(self) -> bool:
        """Waits; False at once when patience is over."""
        pause = uniform(self._next / 2, self._next)  # noqa: S311 - spreads the tries, keeps no secret
        if self._ends_at is not None and asyncio.get_running_loop().time() + pause > self._ends_at:
            return False
        self._next = min(self._next * 2, self._longest)
        await asyncio.sleep(pause)
        return True

    def reset(self) -> None:
        """Starts again with the shortest wait."""
        self._next = self._first


def metadata(schema: str) -> MetaData:
    """The tables of one service: all in its own schema, constraints named alike so that migrations can name them."""
    return MetaData(
        schema=schema,
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_ix",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        },
    )


async def migrate(url: str, *, target: str = "heads") -> None:
    """Brings the database up to ``target``, all services' tables by default; does nothing where that is done.

    Safe to call from several processes at once: one migrates, the others wait and find it done. All or nothing.
    """
    database = engine(url, application="redress-migrate")
    try:
        async with database.begin() as connection:
            await connection.run_sync(_upgrade, target)
    finally:
        await database.dispose()


def alembic_config() -> Config:
    """Alembic's settings, for ``alembic.command`` and for the ``alembic`` command line's ``env.py``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(connection: Connection, target: str) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({Lock.MIGRATE:d}, 0)")
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, target)


async def _keep_session(_connection: Any) -> None:
    """Leaves the session as it is."""
